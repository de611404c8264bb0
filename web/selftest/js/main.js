/**
 * Entry of the self-test page: ties session, checks and view together. The secret of a link is held in memory only.
 * @typedef {import("../../shared/types").Session} Session
 * @typedef {import("../../shared/types").DevicesResult} DevicesResult
 * @typedef {import("./session.js").Action} Action
 * @typedef {import("./socket.js").SessionLink} SessionLink
 */
import { ApiError, call, keepLanguage, meta, redeem, sessionOf } from "../../shared/api.js";
import { createCatalogues, createTexts, isLang, langOf, LANGUAGES, phoneIn } from "../../shared/i18n.js";
import { silentTrack } from "./audio.js";
import { watchFrames } from "./checks/picture.js";
import { pausableClock, systemClock, within } from "./clock.js";
import { createEquipment, keepAwake, watch } from "./equipment.js";
import { run } from "./flow.js";
import { createInputs } from "./inputs.js";
import { createPatience, persistently } from "./patience.js";
import { adviceNames, missingInterfaces, platformOf } from "./platform.js";
import { hearPeople, stillSource } from "./preview.js";
import { createView } from "./render.js";
import { initial, reduce, waitOf } from "./session.js";
import { DEAD_S, LinkClosed, openLink } from "./socket.js";
import { mayAsk } from "./welcome.js";

/** How long the camera stays ready for "test again" after the answer. */
const RELEASE_MS = 60_000;
/** Longest silence of the test's line while the page itself still reaches us; under 10 s with the request that shows it. */
const LINE_MS = 6000;
/** Longest wait for words before the page does without. */
const WORDS_MS = 4000;
/** How often the first page checks whether the test still runs elsewhere. */
const LOOK_MS = 3000;

const base = meta("readiness-static");
const organisation = meta("readiness-organisation");
const platform = platformOf(navigator);
const names = adviceNames(platform);
const wall = systemClock();
const clock = pausableClock(wall);
const inputs = createInputs();
const view = createView({ names, platform, findLater: () => catalogues.find("later/") });
const equipment = createEquipment({
  worklet: `${base}/selftest/js/sound-worklet.js`, clock: wall, inputs, dispatch, findWords, stateOf: () => state, preview: view.preview,
});

let state = initial();
/** @type {Session["session"] | null} */
let session = null;
/** A working link to this page for another browser; null after a reload, when the secret is gone. @type {string | null} */
let ownLink = null;
/** @type {import("../../shared/i18n.js").Lang} */
let lang = langOf(document.documentElement.lang);
const catalogues = createCatalogues(base);
let texts = createTexts(lang, {});
/** Loaded when somebody asks for it. @type {Promise<typeof import("./speedview.js")> | null} */
let speed = null;
/** Draws the question after the meeting. @type {(() => void) | null} */
let drawAfter = null;
let ready = false;
/** @type {SessionLink | null} */
let link = null;
/** @type {AbortController | null} */
let test = null;
let release = 0;
/** What the person asked for; the server has the last word. @type {"full" | "recheck"} */
let mode = "full";
/** Needed after picture and sound, and loaded when the first page is there. @type {Promise<typeof import("./checks/network.js")> | null} */
let network = null;
/** @type {Promise<Record<string, any>>} */
const protocol = fetch(`${base}/shared/protocol.json`).then((response) => response.json());
protocol.catch(() => undefined);

const patience = createPatience({ clock: wall, tell: (level) => dispatch({ type: "patience", level }) });

/** @param {Action} action */
function dispatch(action) {
  state = reduce(state, action);
  patience(waitOf(state), state.silent ? 1000 * DEAD_S : 0);
  // In the history of this tab alone, and no secret: the id opens nothing without the session's cookie.
  if (action.type === "plan") history.replaceState({ ...history.state, test: action.plan.test }, "");
  if (action.type === "report" || (action.type === "session" && action.session.followed)) offerFollow();
  if (ready) view.render(state);
  view.slow(waitOf(state) === "loading" && state.patience > 0);
}

patience(waitOf(state));

/** @param {unknown} error */
function stop(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  console.warn("test stopped", error);
  const code = error instanceof ApiError || error instanceof LinkClosed ? error.code : "internal";
  dispatch({ type: "stopped", code });
  releaseLater();
}

/** @param {import("../../shared/i18n.js").Lang} next */
async function setLanguage(next) {
  await catalogues.change(next);
  lang = next;
  ready = true;
  speak();
}

/** Load the words for a rare event when it happens. @param {string[]} codes of advice that is about to be shown */
async function findWords(codes) {
  if (catalogues.has("trouble/") || codes.every((code) => texts.has(`advice.${code}.title`) && !state.before.includes(code))) return;
  await within({ clock: wall, limit_ms: WORDS_MS }, catalogues.find("trouble/")).catch(() => undefined);
  speak();
}

/** Offer that support follows, and show it while it does. */
function offerFollow() {
  Promise.all([import("./follow.js"), words]).then(([{ offer }]) => offer({ session, base, names, followed: state.session?.followed, texts: () => texts, find: catalogues.find, findWords })).catch(() => undefined);
}

/** Put the catalogue's words on the page, with the phone number for this test. */
function speak() {
  const { support_phone: number = view.printedPhone(), opens_at: opens, time_zone: zone = "" } = state.session?.organisation ?? {};
  const [bare, phone] = [createTexts(lang, catalogues.words()), phoneIn(lang, number)];
  const [when, own] = [opens && bare.at(opens, zone), state.session?.meeting?.clinic_phone];
  const called = when ? bare.t("help.opens", { phone, when }) : phone;
  texts = createTexts(lang, catalogues.words(), { phone: called, clinic: own ? phoneIn(lang, own) : called, mb: meta("readiness-data-mb"), speed_mb: meta("readiness-speed-mb") });
  view.setTexts(texts, phone, when);
  drawAfter?.();
  view.render(state);
}

/** Warn before the start if this browser lacks something. */
async function lookAtBrowser() {
  const missing = missingInterfaces(globalThis);
  if (missing.length) view.setElsewhere((await import("./elsewhere.js")).createElsewhere(missing, isSecureContext));
}

/** Find out whose test this is. Without an invitation the session is made only at the start. */
async function load() {
  await lookAtBrowser();
  const redeemed = await redeem(organisation);
  ownLink = redeemed?.link || (location.pathname.endsWith("/try") ? location.href : null);
  session = redeemed?.session ?? sessionOf(location.pathname, "t");
  if (session) await look(session);
  else if (!location.pathname.endsWith("/try")) throw new ApiError("link.cut", 404);
  if (session && history.state?.seen) (await import("../../shared/renew.js")).renewAtPress(session, passOn);
  view.setCopyable(ownLink !== null);
  if (ready) view.render(state);
  view.enableStart();
  dispatch({ type: "loaded" });
  loadNetwork().catch(() => undefined);
  watchElsewhere();
}

/** @param {string} link that takes the place of one that others may have read */
function passOn(link) {
  ownLink = link;
  view.setCopyable(true);
  view.render(state);
}

function loadNetwork() {
  network ??= import("./checks/network.js");
  network.catch(() => {
    network = null;
  });
  return network;
}

/** Show whose test this is, in the invitation's language unless another was chosen here. @param {string} id */
async function look(id) {
  const found = await call(`/api/v1/sessions/${encodeURIComponent(id)}`);
  dispatch({ type: "session", session: found });
  if (found.service_ready === false) dispatch({ type: "stopped", code: "service.not_ready" });
  view.setOrganisation(found.organisation);
  if (found.meeting) (await import("./joining.js")).attend(view, wall, () => state, refresh);
  if (found.over && !found.after && found.meeting?.state !== "cancelled") dispatch({ type: "stopped", code: "meeting.over" });
  if (found.after) {
    await words;
    const { afterwards } = await import("./after.js");
    await catalogues.find("later/");
    const draw = afterwards(id, found.after, () => texts);
    drawAfter = () => draw(view.after(found.over));
  }
  if (ready) speak();
  if (location.search || !isLang(found.locale) || found.locale === lang) return;
  await words;
  await setLanguage(found.locale);
}

/** Check again while a test of the same person runs elsewhere; it may end, or be this tab's own from before a reload. */
async function watchElsewhere() {
  while (session && state.step === "welcome" && state.session?.unfinished?.live) {
    await wall.sleep(LOOK_MS);
    if (state.step === "welcome" && !document.hidden) await refresh();
  }
}

/** Fetch the session's newest state; without an answer nothing changes. */
async function refresh() {
  const found = await call(`/api/v1/sessions/${encodeURIComponent(session ?? "")}`).catch(() => null);
  if (found) dispatch({ type: "session", session: found });
  return found !== null;
}

/** Loaded only if the person agreed to be seen there. */
async function askService() {
  const service = state.session?.service;
  if (!session || !service || !mayAsk()) return null;
  const { browserAsks, run: ask } = await import("./checks/meeting_service.js");
  return ask(browserAsks(session, service));
}

/** @param {SessionLink} open @param {Promise<DevicesResult>} settled @returns {import("./flow.js").Tools} */
function toolsOf(open, settled) {
  return {
    link: open, clock, wall, inputs, dispatch, platform,
    devices: () => settled,
    recorder: equipment.recorder,
    play: async (voices, digits, gain_db) => {
      const { player } = equipment;
      if (!player) throw new Error("no player");
      const spoken = LANGUAGES[lang].voice;
      return { ...(await player.play(voices, spoken, digits, gain_db)), lang: spoken };
    },
    offerOutputs: async () => view.offerOutputs(await equipment.otherOutputs()),
    nextOutput: equipment.nextOutput,
    stills: stillSource(view.preview()),
    watchFrames: (times) => watchFrames(view.preview(), times),
    createPeer: (config) => new RTCPeerConnection(config),
    silence: () => (equipment.audio ? silentTrack(equipment.audio) : null),
    isHidden: () => document.hidden,
    uplinkWorker: `${base}/selftest/js/uplink-worker.js`,
    network: loadNetwork,
    otherDevice: view.otherDevice, people: () => state.people,
    service: askService,
  };
}

/** @param {AbortSignal} signal @param {string} [resume] the test to go on with @returns {Promise<SessionLink>} */
async function connect(signal, resume) {
  if (!session) {
    const made = await persistently(() => call(`/api/v1/organisations/${encodeURIComponent(organisation)}/try`, {}), wall, signal);
    session = made.session;
    history.replaceState(null, "", made.path + location.search);
    await persistently(() => look(made.session), wall, signal);
  }
  const schema = await protocol.catch(() => persistently(() => call(`${base}/shared/protocol.json`), wall, signal));
  signal.throwIfAborted?.();
  const hello = () => ({ type: "hello", version: 1, client: { kind: "browser", ...platform }, locale: lang, session, mode });
  const line = openLink({
    url: `${location.origin.replace(/^http/, "ws")}/api/v1/session`, protocol: schema, clock: wall, resume, hello,
    onSilent: (value) => dispatch({ type: "silent", value }),
    onState: (connection, detail) => {
      if (connection === "closed" && detail?.code && detail.code !== "done") stop(new LinkClosed(detail.code));
      else if (connection !== "open") dispatch({ type: "connection", state: connection, queue: detail?.queue, code: detail?.code });
    },
  });
  line.unheard(LINE_MS).then((unheard) => (unheard ? tellBlocked(line, hello()) : undefined)).catch(() => undefined);
  return line;
}

/** A line that stays silent while an ordinary request gets through is blocked; report that to support. @param {SessionLink} line @param {object} hello */
async function tellBlocked(line, hello) {
  const { report } = await call(`/api/v1/sessions/${encodeURIComponent(session ?? "")}/blocked`, hello);
  await findWords(["network.socket_blocked"]);
  if (await line.unheard(0)) dispatch({ type: "blocked", code: report.code });
}

/** @param {DevicesResult} found @param {SessionLink} open @param {AbortSignal} signal */
function watchOver(found, open, signal) {
  const since = wall.now();
  watch({
    stream: found.stream, context: equipment.audio, signal,
    report(code) {
      dispatch({ type: "event", code });
      if (code === "offline") open.reopen();
      if (code === "online") open.retryNow();
      const phase = state.step === "answer" || state.step === "stopped" || state.step === "welcome" ? "finish" : state.step;
      open.send(phase === "network" ? "connect" : phase, "event", { code, t_ms: Math.round(wall.now() - since) });
    },
    onHidden(hidden) {
      if (hidden) clock.pause();
      else clock.resume();
      dispatch({ type: "paused", value: hidden });
    },
  });
}

/** Switch camera and microphone off a while after the answer; until then a new test needs no new permission. */
function releaseLater() {
  clearTimeout(release);
  release = setTimeout(equipment.release, RELEASE_MS);
}

/** Take one test, from the tap on. @param {"full" | "recheck"} [asked] the same again where it is not said @param {string} [resume] the test to go on with */
async function start(asked = mode, resume) {
  mode = asked;
  clearTimeout(release);
  speed?.then(({ stop: end }) => end(), () => undefined);
  test?.abort(new DOMException("a new test begins", "AbortError"));
  link?.close("retry");
  inputs.clear();
  const controller = new AbortController();
  test = controller;
  dispatch({ type: "start" });
  const opening = equipment.openFromTap();
  keepAwake(controller.signal);
  try {
    const settled = equipment.settle(opening, controller.signal);
    settled.catch(() => undefined);
    const open = await connect(controller.signal, resume);
    if (test !== controller) return open.close("left");
    link = open;
    offerFollow();
    open.ready(controller.signal).then(({ plan }) => equipment.player?.preload(plan.voices, LANGUAGES[lang].voice, plan.digits[0] ?? [])).catch(() => undefined);
    settled.then((found) => watchOver(found, open, controller.signal), () => undefined);
    const report = await run(toolsOf(open, settled), controller.signal);
    open.close("done");
    await findWords(report.advice);
    dispatch({ type: "report", report });
    releaseLater();
    document.dispatchEvent(new CustomEvent("readiness:report", { detail: report, bubbles: true }));
  } catch (error) {
    if (test === controller) stop(error);
  } finally {
    controller.abort(new DOMException("the test is over", "AbortError"));
  }
}

/**
 * Go on with the test that was left, or that runs in another window of this browser: there it stops. The session is the
 * one that the test began with. Where it was finished meanwhile there is an answer to show.
 */
async function goOn() {
  if (state.step === "stopped") await refresh();
  const { unfinished, last_report } = state.session ?? {};
  if (!unfinished?.here) return last_report ? showAnswer() : start();
  session = unfinished.session;
  history.replaceState(history.state, "", `/t/${session}${location.search}`);
  return start("full", unfinished.test);
}

/** Show the last answer again, with its advice and code. */
async function showAnswer() {
  const report = state.session?.last_report;
  await findWords(report?.advice ?? []);
  if (report) dispatch({ type: "report", report });
}

/** Leave the queue, or a service that does not answer: back to the first page, which offers to go on. */
function leave() {
  test?.abort(new DOMException("the person has left", "AbortError"));
  test = null;
  link?.close("left");
  equipment.release();
  dispatch({ type: "left" });
  refresh().then(watchElsewhere);
}

/** @param {Element} button */
async function copyLink(button) {
  if (!ownLink) return;
  const done = await navigator.clipboard?.writeText(ownLink).then(() => true, () => false);
  view.copied(button, done === true ? null : ownLink);
}

/** @param {HTMLElement} button */
function measureSpeed(button) {
  speed ??= import("./speedview.js");
  speed.then(({ press }) => press(button, session ?? "", () => texts)).catch((error) => {
    speed = null;
    console.warn("no speed test", error);
  });
}

/** @param {string} action @param {HTMLElement} button */
function act(action, button) {
  if (action === "start") return void start("full");
  if (action === "start-short") return void start("recheck");
  if (action === "language" && isLang(button.dataset.lang)) {
    keepLanguage(button.dataset.lang);
    return void setLanguage(button.dataset.lang);
  }
  if (action === "copy-link") return void copyLink(button);
  if (action === "delete-report") return void import("./figureview.js").then(({ deleteReport }) => deleteReport(session ?? "", texts));
  if (action === "speed") return measureSpeed(button);
  if (action === "retry" && state.step === "devices") return equipment.reopen();
  if (action === "resume" || (action === "retry" && state.step === "stopped" && state.error === "replaced")) return void goOn();
  if (action === "show-answer") return void showAnswer();
  if (action === "leave") return leave();
  if (action === "try-now") return link?.retryNow();
  if (action === "retry") return state.step === "stopped" && !state.started ? location.reload() : void start();
  if (action === "more-time") dispatch({ type: "more" });
  return inputs.press(action, { digits: button.dataset.digits ?? "" });
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-action]") : null;
  if (button instanceof HTMLElement && button.getAttribute("type") !== "submit") act(button.dataset.action ?? "", button);
});
hearPeople((people) => dispatch({ type: "people", people }));
view.practicalForm().addEventListener("submit", (event) => {
  event.preventDefault();
  inputs.press("next", Object.fromEntries([...new FormData(view.practicalForm())].map(([name, value]) => [name, String(value)])));
});

const words = setLanguage(lang);
Promise.all([words, load()]).catch(stop);
