/**
 * Entry of the self-test page: ties session, checks and view together. The secret of a link is held in memory only.
 * @typedef {import("../../shared/types").Session} Session
 * @typedef {import("../../shared/types").DevicesResult} DevicesResult
 * @typedef {import("./session.js").Action} Action
 * @typedef {import("./socket.js").SessionLink} SessionLink
 */
import { ApiError, call, keepLanguage, meta, redeem, sessionOf } from "../../shared/api.js";
import { createTexts, isLang, langOf, loadCatalogue } from "../../shared/i18n.js";
import { createPlayer, openRecorder, silentTrack } from "./audio.js";
import * as devices from "./checks/devices.js";
import { stillSize, watchFrames } from "./checks/picture.js";
import { rawNoise } from "./noise.js";
import { pausableClock, systemClock } from "./clock.js";
import { run } from "./flow.js";
import { createInputs } from "./inputs.js";
import { createOutputs } from "./outputs.js";
import { adviceNames, platformOf } from "./platform.js";
import { createView } from "./render.js";
import { deviceProblem, initial, reduce } from "./session.js";
import { LinkClosed, openLink } from "./socket.js";
import { keepAwake, watch } from "./watch.js";
import { mayAsk } from "./welcome.js";

/** How long the camera stays ready for "test again" after the answer. */
const RELEASE_MS = 60_000;

const base = meta("readiness-static");
const organisation = meta("readiness-organisation");
const platform = platformOf(navigator);
const names = adviceNames(platform);
const wall = systemClock();
const clock = pausableClock(wall);
const inputs = createInputs();
const view = createView({ names, platform });

let state = initial();
/** @type {Session["session"] | null} */
let session = null;
/** A working link to this page for another browser; null after a reload, when the secret is gone. @type {string | null} */
let ownLink = null;
/** @type {import("../../shared/i18n.js").Lang} */
let lang = langOf(document.documentElement.lang);
/** @type {Record<string, string>} */
let catalogue = {};
let texts = createTexts(lang, catalogue);
/** Loaded when somebody asks for it. @type {Promise<typeof import("./speedview.js")> | null} */
let speed = null;
/** Draws the question after the meeting. @type {(() => void) | null} */
let drawAfter = null;
let ready = false;
/** @type {AudioContext | null} */
let audio = null;
/** @type {import("./audio.js").Player | null} */
let player = null;
/** @type {Promise<import("../../shared/types").Recorder> | null} */
let recorder = null;
/** @type {import("./outputs.js").Outputs | null} */
let outputs = null;
/** @type {SessionLink | null} */
let link = null;
/** @type {AbortController | null} */
let test = null;
let release = 0;
/** What the person asked for; the server has the last word. @type {"full" | "recheck"} */
let mode = "full";
let kinds = devices.survey(navigator.mediaDevices);
/** @type {Promise<Record<string, any>>} */
const protocol = fetch(`${base}/shared/protocol.json`).then((response) => response.json());
protocol.catch(() => undefined);

/** @param {Action} action */
function dispatch(action) {
  state = reduce(state, action);
  if (ready) view.render(state);
}

/** @param {unknown} error */
function stop(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  console.warn("test stopped", error);
  const code = error instanceof ApiError || error instanceof LinkClosed ? error.code : "internal";
  dispatch({ type: "stopped", code });
}

/** @param {import("../../shared/i18n.js").Lang} next */
async function setLanguage(next) {
  catalogue = await loadCatalogue(base, next);
  lang = next;
  ready = true;
  speak();
}

/** @param {import("../../shared/i18n.js").Lang} next */
async function chooseLanguage(next) {
  await setLanguage(next);
  keepLanguage(next);
}

/** Put the catalogue's words on the page, with the phone number of whoever this test belongs to. */
function speak() {
  const phone = (state.session?.organisation.support_phone ?? view.printedPhone()).replaceAll(" ", "\u00a0");
  texts = createTexts(lang, catalogue, { phone, mb: meta("readiness-data-mb"), speed_mb: meta("readiness-speed-mb") });
  view.setTexts(texts, phone);
  drawAfter?.();
  view.render(state);
}

/** Find out whose test this is. A try without an invitation makes its session at the start only. */
async function load() {
  const redeemed = await redeem(organisation);
  ownLink = redeemed?.link ?? (location.pathname.endsWith("/try") ? location.href : null);
  session = redeemed?.session ?? sessionOf(location.pathname, "t");
  if (session) await look(session);
  else if (!location.pathname.endsWith("/try")) throw new ApiError("link.not_valid", 404);
  view.setCopyable(ownLink !== null);
  view.enableStart();
}

/** @param {string} id */
async function look(id) {
  const found = await call(`/api/v1/sessions/${encodeURIComponent(id)}`);
  dispatch({ type: "session", session: found });
  if (found.service_ready === false) dispatch({ type: "stopped", code: "service.not_ready" });
  view.setOrganisation(found.organisation);
  if (found.over && !found.after) dispatch({ type: "stopped", code: "meeting.over" });
  if (found.after) {
    const { afterwards } = await import("./after.js");
    const draw = afterwards(id, found.after, () => texts);
    drawAfter = () => draw(view.after(found.over));
  }
  if (ready) speak();
}

/** Everything that a browser allows only in a tap: sound output, camera and microphone. */
function openFromTap() {
  try {
    audio ??= new AudioContext({ latencyHint: "interactive" });
    audio.resume().catch(() => undefined);
    player ??= createPlayer(audio, `${base}/selftest/audio`);
    outputs ??= createOutputs(audio, navigator.mediaDevices);
  } catch (error) {
    console.warn("no sound", error);
  }
  return openDevices();
}

/** @returns {Promise<DevicesResult>} the live stream of an earlier run where it is whole */
async function openDevices() {
  const live = state.devices?.stream?.getTracks().every(({ readyState }) => readyState === "live");
  const known = state.devices;
  if (known && live && !deviceProblem(state)) return known;
  for (const track of known?.stream?.getTracks() ?? []) track.stop();
  recorder = null;
  const result = await devices.run({
    media: navigator.mediaDevices, kinds: await kinds, permissions: navigator.permissions,
    onProgress: (prompt) => dispatch({ type: "prompt", state: prompt }),
  });
  kinds = devices.survey(navigator.mediaDevices);
  return result;
}

/** Camera and microphone as the person has settled them: with all there is, or knowingly without.
 * @param {Promise<DevicesResult>} opening @param {AbortSignal} signal */
async function settleDevices(opening, signal) {
  for (let next = opening; ; ) {
    const result = await next;
    dispatch({ type: "devices", result });
    await attach(result.stream);
    if (!deviceProblem(state)) return result;
    const { action } = await inputs.next(["reopen", "next"], signal);
    if (action === "next") return result;
    next = reopened ?? opening;
  }
}

/** @type {Promise<DevicesResult> | null} */
let reopened = null;

/** @param {MediaStream | null} stream */
async function attach(stream) {
  const video = view.preview();
  video.srcObject = stream?.getVideoTracks().length ? stream : null;
  if (video.srcObject) await video.play().catch(() => undefined);
  if (stream?.getAudioTracks().length && audio && !recorder) {
    recorder = openRecorder(audio, new MediaStream(stream.getAudioTracks()), `${base}/selftest/js/sound-worklet.js`);
    recorder.catch(() => undefined);
  }
}

/** @returns {import("./checks/picture.js").StillSource} */
function stillSource() {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const rawContext = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  return {
    noise: () => rawNoise(view.preview(), rawContext),
    toJpeg(quality, longSide_px) {
      const video = view.preview();
      const { width, height } = stillSize(video.videoWidth, video.videoHeight, longSide_px);
      if (!context || video.videoWidth === 0) return Promise.resolve(new Uint8Array());
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      context.drawImage(video, 0, 0, width, height);
      return new Promise((resolve) => {
        canvas.toBlob(async (blob) => resolve(new Uint8Array((await blob?.arrayBuffer()) ?? [])), "image/jpeg", quality);
      });
    },
  };
}

/** Loaded where the person agreed to be seen there, and not before. */
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
    recorder: () => recorder ?? Promise.reject(new Error("no recorder")),
    play: async (digits, gain_db) => {
      if (!player) throw new Error("no player");
      const spoken = lang;
      return { ...(await player.play(spoken, digits, gain_db)), lang: spoken };
    },
    offerOutputs: async () => view.offerOutputs((await outputs?.possible()) ?? false),
    nextOutput: async () => outputs?.next(),
    stills: stillSource(),
    watchFrames: (times) => watchFrames(view.preview(), times),
    createPeer: (config) => new RTCPeerConnection(config),
    silence: () => (audio ? silentTrack(audio) : null),
    isHidden: () => document.hidden,
    uplinkWorker: `${base}/selftest/js/uplink-worker.js`,
    otherDevice: view.otherDevice,
    service: askService,
  };
}

/** @param {AbortSignal} signal @returns {Promise<SessionLink>} */
async function connect(signal) {
  if (!session) {
    const made = await call(`/api/v1/organisations/${encodeURIComponent(organisation)}/try`, {});
    session = made.session;
    history.replaceState(null, "", made.path + location.search);
    await look(made.session);
  }
  const schema = await protocol;
  signal.throwIfAborted?.();
  return openLink({
    url: `${location.origin.replace(/^http/, "ws")}/api/v1/session`, protocol: schema, clock: wall,
    hello: () => ({ type: "hello", version: 1, client: { kind: "browser", ...platform }, locale: lang, session, mode }),
    onState: (connection, detail) => {
      if (connection === "closed" && detail?.code && detail.code !== "done") stop(new LinkClosed(detail.code));
      else if (connection !== "open") dispatch({ type: "connection", state: connection, ...detail });
    },
  });
}

/** @param {DevicesResult} found @param {SessionLink} open @param {AbortSignal} signal */
function watchOver(found, open, signal) {
  const since = wall.now();
  watch({
    stream: found.stream, context: audio, signal,
    report(code) {
      dispatch({ type: "event", code });
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
  release = setTimeout(() => {
    for (const track of state.devices?.stream?.getTracks() ?? []) track.stop();
  }, RELEASE_MS);
}

/** One test, from the tap. @param {"full" | "recheck"} [asked] the same again where it is not said */
async function start(asked = mode) {
  mode = asked;
  clearTimeout(release);
  speed?.then(({ stop: end }) => end(), () => undefined);
  const opening = openFromTap();
  test?.abort(new DOMException("a new test begins", "AbortError"));
  link?.close("retry");
  inputs.clear();
  const controller = new AbortController();
  test = controller;
  dispatch({ type: "start" });
  keepAwake(controller.signal);
  try {
    const settled = settleDevices(opening, controller.signal);
    settled.catch(() => undefined);
    const open = await connect(controller.signal);
    link = open;
    open.ready(controller.signal).then(({ plan }) => player?.preload(lang, plan.digits.flat())).catch(() => undefined);
    settled.then((found) => watchOver(found, open, controller.signal), () => undefined);
    const report = await run(toolsOf(open, settled), controller.signal);
    open.close("done");
    dispatch({ type: "report", report });
    releaseLater();
    document.dispatchEvent(new CustomEvent("readiness:report", { detail: report, bubbles: true }));
  } catch (error) {
    if (test === controller) stop(error);
  } finally {
    controller.abort(new DOMException("the test is over", "AbortError"));
  }
}

async function copyLink() {
  if (!ownLink) return;
  const done = await navigator.clipboard?.writeText(ownLink).then(() => true, () => false);
  view.copied(done === true ? null : ownLink);
}

/** The person's own answer, gone at once: here, on the leader's board and in the database. */
async function deleteReport() {
  if (!session) return;
  const gone = await call(`/api/v1/sessions/${encodeURIComponent(session)}/report`, {}, "DELETE").then(() => true, () => false);
  view.deleted(gone);
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
  if (action === "language" && isLang(button.dataset.lang)) return void chooseLanguage(button.dataset.lang);
  if (action === "copy-link") return void copyLink();
  if (action === "delete-report") return void deleteReport();
  if (action === "speed") return measureSpeed(button);
  if (action === "retry" && state.step === "devices") {
    reopened = openFromTap();
    return inputs.press("reopen");
  }
  if (action === "retry") return state.step === "stopped" && !state.started ? location.reload() : void start();
  return inputs.press(action, { digits: button.dataset.digits ?? "" });
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-action]") : null;
  if (button instanceof HTMLElement && button.getAttribute("type") !== "submit") act(button.dataset.action ?? "", button);
});
view.practicalForm().addEventListener("submit", (event) => {
  event.preventDefault();
  const form = [...new FormData(view.practicalForm())].map(([name, value]) => [name, String(value)]);
  inputs.press("next", Object.fromEntries(form));
});

const asked = new URLSearchParams(location.search).get("lang");
Promise.all([setLanguage(isLang(asked) ? asked : lang), load()]).catch(stop);
