/**
 * Lets support follow this test, if the person says so: the offer, the sign that stands there for as long, and advice that support
 * sends. Loaded once a test has begun, with its words and its style.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {{ session: string | null, base: string, followed?: boolean, names: import("./advice.js").Names, texts: () => Texts,
 *   find: (part: "follow/" | "trouble/") => Promise<void>, findWords: (codes: string[]) => Promise<void> }} Options
 */
import { call } from "../../shared/api.js";
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

/** The offer, below everything else. @param {string} [said] what became of it */
function offerIt(said = "follow.means") {
  advised = "";
  box.removeAttribute("data-on");
  const button = pressable("start", worded("follow.offer", "button"), letFollow);
  button.className = "button";
  button.setAttribute("aria-describedby", "follow-means");
  const means = worded(said);
  means.id = "follow-means";
  box.replaceChildren(button, means);
  more.remove();
  find("main").append(box);
  applyTexts(box, options.texts());
  return button;
}

/** The sign that support follows, above everything else. @param {string} code for support, read aloud */
function showIt(code) {
  const before = box.contains(document.activeElement);
  box.dataset.on = "";
  const sign = worded("follow.now");
  sign.className = "follow-now";
  const spoken = make("p", { class: "follow-code small" });
  spoken.append(worded("follow.code", "span"), " ", make("strong", { translate: "no" }, code));
  const stop = pressable("stop", worded("follow.stop", "button"), stopIt);
  stop.className = "button";
  stop.setAttribute("data-t-label", "follow.stop_what");
  box.replaceChildren(sign, stop);
  more.replaceChildren(spoken, make("div", { id: "follow-advice", role: "status" }));
  find("main").prepend(box, more);
  for (const part of [box, more]) applyTexts(part, options.texts());
  if (!before) return;
  window.scrollTo(0, 0);
  readFrom(sign);
}

async function letFollow() {
  try {
    await call(address(), {});
    listen();
  } catch {
    const means = find("#follow-means", box);
    means.dataset.t = "follow.failed";
    applyTexts(box, options.texts());
    announce(options.texts().t("follow.failed"));
  }
}

async function stopIt() {
  await call(address(), {}, "DELETE").then(() => ended(), () => announce(options.texts().t("follow.failed")));
}

/** Support follows no more. */
function ended() {
  events?.close();
  events = null;
  const had = box.contains(document.activeElement);
  const button = offerIt();
  announce(options.texts().t("follow.stopped"));
  if (had) button.focus();
}

function listen() {
  const open = new EventSource(`${address()}/events`);
  events = open;
  open.addEventListener("followed", (event) => {
    if (box.dataset.on === undefined) showIt(JSON.parse(event.data).code);
    options.find("trouble/").catch(() => undefined); // so that advice need not wait for its words
  });
  open.addEventListener("hint", (event) => showAdvice(JSON.parse(event.data)));
  open.addEventListener("ended", ended);
  open.onerror = () => {
    if (open.readyState === EventSource.CLOSED && events === open) ended();
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

/** Offer it, or show that support follows already. @param {Options} given */
export async function offer(given) {
  options = given;
  if (!given.session || given.session === session) return;
  if (!session) {
    document.head.append(make("link", { rel: "stylesheet", href: `${given.base}/selftest/follow.css` }));
    new MutationObserver(drawAdvice).observe(document.documentElement, { attributeFilter: ["lang"] });
  }
  session = given.session;
  events?.close();
  events = null;
  await given.find("follow/");
  offerIt();
  if (given.followed) listen();
}
