/**
 * Lets support follow this test, if the person says so: the offer, the sign that stands there for as long, and advice that support
 * sends. Loaded once a test has begun, with its words and its style.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {{ session: string | null, base: string, followed?: boolean, names: import("./advice.js").Names, texts: () => Texts,
 *   find: (part: "follow/" | "trouble/") => Promise<void>, findWords: (codes: string[]) => Promise<void> }} Options
 */
import { ApiError, call } from "../../shared/api.js";
import { find, make } from "../../shared/dom.js";
import { announce, readFrom } from "../../shared/heard.js";
import { applyTexts } from "../../shared/i18n.js";
import { adviceWords } from "./advice.js";

const box = make("div", { id: "follow" });
/** The code and the advice, below the sign: unlike that they may scroll away. */
const more = make("div", { id: "follow-more" });
/** @type {Options} */
let options;
/** Whose page it is; another session begins anew. */
let session = "";
/** @type {EventSource | null} */
let events = null;
/** The advice that support sent last. */
let advised = "";
/** Asks again so long after the stream broke, ms. */
const AGAIN_MS = 4000;
/** Of a session that opens nothing any more. */
const GONE = 404;
let again = 0;
/** Counts what began anew: an answer that was asked for before says nothing. */
let turn = 0;
/** Tells the other tabs of a yes: each has to show the sign. */
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("follow") : null;
if (tabs) tabs.onmessage = ({ data }) => void (data === session && look());

const address = () => `/api/v1/sessions/${encodeURIComponent(session)}/follow`;

/** @param {string} key @param {string} [tag] @returns {HTMLElement} words that change with the language */
const worded = (key, tag = "p") => make(/** @type {"p"} */ (tag), { "data-t": key });

/** @param {string} action @param {HTMLElement} button @param {() => void} press */
function pressable(action, button, press) {
  button.setAttribute("type", "button");
  button.id = `follow-${action}`;
  button.addEventListener("click", press);
  return button;
}

/** The offer, below everything else. */
function offerIt() {
  advised = "";
  box.removeAttribute("data-on");
  const button = pressable("start", worded("follow.offer", "button"), letFollow);
  button.className = "button";
  button.setAttribute("aria-describedby", "follow-means");
  const means = worded("follow.means");
  means.id = "follow-means";
  box.replaceChildren(button, means);
  more.remove();
  find("main").append(box);
  applyTexts(box, options.texts());
  return button;
}

/** The sign that support can follow, above everything else. @param {string} [code] for support, read aloud, where it is known yet */
function showIt(code = "") {
  if (box.dataset.on !== undefined) return void (code && showCode(code));
  const before = box.contains(document.activeElement);
  box.dataset.on = "";
  const sign = worded("follow.may");
  sign.className = "follow-now";
  const spoken = make("p", { class: "follow-code small", hidden: "" });
  spoken.append(worded("follow.code", "span"), " ", make("strong", { translate: "no" }));
  const stop = pressable("stop", worded("follow.stop", "button"), stopIt);
  stop.className = "button";
  stop.setAttribute("data-t-label", "follow.stop_what");
  box.replaceChildren(sign, stop);
  more.replaceChildren(make("p", { id: "follow-problem" }), spoken, make("div", { id: "follow-advice", role: "status" }));
  find("main").prepend(box, more);
  for (const part of [box, more]) applyTexts(part, options.texts());
  showCode(code);
  if (!before) return announce(options.texts().t("follow.may"));
  window.scrollTo(0, 0);
  readFrom(sign);
}

/** @param {string} code */
function showCode(code) {
  const spoken = find(".follow-code", more);
  find("strong", spoken).textContent = code;
  spoken.hidden = !code;
}

/** Whether somebody looks on right now. @param {boolean} watched */
function showWatched(watched) {
  const sign = box.querySelector(".follow-now");
  if (!(sign instanceof HTMLElement)) return;
  sign.dataset.t = watched ? "follow.now" : "follow.may";
  applyTexts(box, options.texts());
  if (watched) announce(options.texts().t("follow.now"));
}

/** Say in place of other words what did not work. @param {HTMLElement} place @param {string} key */
function failed(place, key) {
  place.dataset.t = key;
  for (const part of [box, more]) applyTexts(part, options.texts());
  announce(options.texts().t(key));
}

/** The sign does not wait for the stream. */
async function letFollow() {
  try {
    const { code } = await call(address(), {});
    showIt(code);
    listen();
    tabs?.postMessage(session);
  } catch {
    failed(find("#follow-means", box), "follow.failed");
  }
}

async function stopIt() {
  await call(address(), {}, "DELETE").then(ended, () => failed(find("#follow-problem", more), "follow.not_stopped"));
}

function leave() {
  turn += 1;
  clearTimeout(again);
  events?.close();
  events = null;
}

/**
 * Show what the server knows: another tab may have said yes, and a stream that broke does not mean no. As long as it is
 * not known, the page stays as it is.
 */
async function look() {
  leave();
  const asked = turn;
  const told = await call(address()).catch((error) => (error instanceof ApiError && error.status === GONE ? { followed: false } : null));
  if (asked !== turn) return;
  if (!told) again = setTimeout(look, AGAIN_MS);
  else if (told.followed) {
    showIt(told.code);
    listen();
  } else if (box.dataset.on !== undefined) ended();
}

/** Support follows no more. */
function ended() {
  leave();
  const had = box.contains(document.activeElement);
  const button = offerIt();
  announce(options.texts().t("follow.stopped"));
  if (had) button.focus();
}

function listen() {
  leave();
  const open = new EventSource(`${address()}/events`);
  events = open;
  open.addEventListener("followed", (event) => {
    showIt(JSON.parse(event.data).code);
    showWatched(false);
    options.find("trouble/").catch(() => undefined); // so that advice need not wait for its words
  });
  open.addEventListener("watched", (event) => showWatched(JSON.parse(event.data).watched));
  open.addEventListener("hint", (event) => showAdvice(JSON.parse(event.data)));
  open.addEventListener("ended", ended);
  open.onerror = () => {
    if (open.readyState === EventSource.CLOSED && events === open) again = setTimeout(look, AGAIN_MS);
  };
}

/** Show advice, and say so to support as soon as it can be seen. @param {{ id: string, code: string }} advice */
async function showAdvice({ id, code }) {
  await options.findWords([code]);
  advised = code;
  drawAdvice();
  more.scrollIntoView({ block: "nearest" });
  requestAnimationFrame(() => call(`${address()}/shown`, { hint: id }).catch(() => undefined));
}

function drawAdvice() {
  const place = more.querySelector("#follow-advice");
  if (!place || !advised) return;
  const { title, remedy } = adviceWords(options.texts(), advised, options.names, false);
  place.replaceChildren(make("p", { class: "small" }, options.texts().t("follow.says")), make("p", { class: "follow-title" }, title), make("p", {}, remedy));
}

/** Offer it, or show that support follows already; at the start of each test and with its answer. @param {Options} given */
export async function offer(given) {
  options = given;
  if (!given.session) return;
  await given.find("follow/");
  if (given.session !== session) begin(given);
  if (!events) await look();
}

/** @param {Options} given */
function begin({ session: opened, base, followed }) {
  if (!session) {
    document.head.append(make("link", { rel: "stylesheet", href: `${base}/selftest/follow.css` }));
    new MutationObserver(drawAdvice).observe(document.documentElement, { attributeFilter: ["lang"] });
  }
  session = opened ?? "";
  leave();
  offerIt();
  if (followed) showIt();
}
