/**
 * Entry of the leader's board, which shows live who is ready. The link's secret is posted once and then forgotten.
 * @typedef {import("../../shared/types").Board} Board
 */
import { ApiError, call, codeOf, keepLanguage, meta, redeem, sessionOf } from "../../shared/api.js";
import { find, say } from "../../shared/dom.js";
import { keepFocus, readFrom } from "../../shared/heard.js";
import { applyTexts, createTexts, isLang, langOf, loadCatalogue, phoneIn, writtenIn } from "../../shared/i18n.js";
import { arrange } from "./rows.js";
import { createTaps, problem } from "./taps.js";
import { drawAfterwards, drawHosts, drawMeeting, drawNumbers, drawOthers, makeTickable } from "./view.js";

/** How often ages such as "tested 5 minutes ago" are updated. */
const AGE_MS = 15_000;
const RECONNECT_MS = 5000;
/** Words for a problem in the meeting. */
const PROBLEMS = ["sound", "picture", "connection", "other"];

const base = meta("readiness-static");
let phone = document.querySelector(".help strong")?.textContent ?? "";
/** @type {import("../../shared/i18n.js").Lang} */
let lang = langOf(document.documentElement.lang);
/** @type {Record<string, string>} */
let catalogue = {};
/** @type {Board | null} */
let board = null;
let session = "";
let link = "";
/** @type {string | null} the meeting that the leader chose to read */
let chosen = null;
let answered = { score: 0, problem: "", whose: "" };
/** The result of a tap, by participant. @type {Map<string, string>} */
const said = new Map();
let updatedAt = 0;
/** @type {string | null} a text key */
let trouble = null;
/** The server's clock minus ours, ms, so that ages do not depend on a wrong clock here. */
let ahead_ms = 0;

const texts = () => createTexts(lang, catalogue, { phone: phoneIn(lang, phone) });
const path = (/** @type {string} */ end = "") => `/api/v1/boards/${encodeURIComponent(session)}${end}`;

/** Where reading continues if a button is gone: at its person, or the section. @param {Element} place */
const after = (place) => place.closest("section, li.participant")?.querySelector("h2, h3") ?? find("#title");

function render() {
  keepFocus(draw, after);
}

function draw() {
  const t = texts();
  if (board) {
    const now = Date.now() + ahead_ms;
    const { shown, others } = arrange(board, board.day ?? [], now, chosen);
    drawMeeting(shown, board, t, now, said);
    drawHosts(shown, t, now, said.get("own") ?? "");
    drawNumbers(shown, board, t, now);
    drawOthers(others, t, now);
    drawAfterwards(shown === board ? answered.score || board.feedback : null, answered, t, PROBLEMS, board);
    find("#sums").setAttribute("href", `/board/${encodeURIComponent(session)}/figures?lang=${lang}`);
    find("#keep").hidden = false;
    find("#print").setAttribute("href", path(`/board.pdf?lang=${lang}&meeting=${encodeURIComponent(shown.meeting.id)}`));
    find("#copy").hidden = !link || !navigator.clipboard;
    say(find("#updated"), `${t.t("board.updated", { time: t.clock(updatedAt) })}. ${trouble ? "" : t.t("board.live")}`);
  }
  find("#contact").hidden = !trouble;
  if (trouble) say(find("#contact"), t.t(trouble));
}

/** @param {Board} next */
function take(next) {
  board = next;
  phone = next.meeting.support_phone || next.organisation.support_phone;
  updatedAt = Date.now();
  ahead_ms = next.at ? Date.parse(next.at) - updatedAt : 0;
  trouble = null;
  render();
}

const refresh = async () => take(await call(path()));

function follow() {
  const events = new EventSource(path("/events"));
  events.addEventListener("board", (event) => take(JSON.parse(event.data)));
  events.addEventListener("closed", () => {
    events.close();
    trouble = "board.closed";
    render();
  });
  events.addEventListener("open", () => {
    if (trouble === "board.reconnecting") trouble = null;
    render();
  });
  events.addEventListener("error", () => {
    trouble = "board.reconnecting";
    render();
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(again, RECONNECT_MS);
  });
}

/** After the browser gave up on the stream: check that the board is still ours, then follow it again. */
async function again() {
  try {
    await refresh();
    follow();
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 401)) return fail(error);
    setTimeout(again, RECONNECT_MS);
  }
  return undefined;
}

/** @param {unknown} error */
function fail(error) {
  const t = texts();
  const code = codeOf(error);
  find("#title").removeAttribute("data-t");
  find("#title").classList.remove("visually-hidden");
  find("#summary").removeAttribute("data-t");
  say(find("#title"), t.first([`error.${code}.title`, "error.page.title"]));
  say(find("#summary"), "");
  board = null;
  for (const part of ["#quick", "#numbers", "#others", "#leading", "#keep", "#afterwards", "#countdown"]) find(part).hidden = true;
  find("#participants").replaceChildren();
  say(find("#updated"), "");
  say(find("#meeting"), t.first([`error.${code}`, "error.internal"]));
}

/** @param {import("../../shared/i18n.js").Lang} next */
async function setLanguage(next) {
  catalogue = await loadCatalogue(base, next, "staff/");
  lang = next;
  writtenIn(next);
  document.title = texts().t("board.page_title");
  applyTexts(document, texts());
  for (const guide of document.querySelectorAll(".guide-text")) /** @type {HTMLElement} */ (guide).hidden = guide.getAttribute("lang") !== lang;
  said.clear();
  render();
}

/** @param {{ score?: number, problem?: string, whose?: string }} change the answer to the question after the meeting */
async function answer(change) {
  const before = answered;
  answered = { ...answered, ...change };
  render();
  try {
    await call(`/api/v1/sessions/${encodeURIComponent(session)}/feedback`, answered);
  } catch (error) {
    answered = before;
    render();
    say(find("#thanks"), problem(texts(), error));
  }
}

/** Go to the own test of whoever reads the board; the way back is the browser's. */
async function testMyself() {
  try {
    const opened = await call(path("/test"), {});
    location.assign(opened.path + location.search);
  } catch (error) {
    said.set("own", problem(texts(), error));
    render();
  }
}

async function load() {
  const redeemed = await redeem(meta("readiness-organisation"));
  session = redeemed?.session ?? sessionOf(location.pathname, "board") ?? "";
  link = redeemed?.link ?? "";
  if (!session) throw new ApiError("link.cut", 404);
  if (history.state?.seen) (await import("../../shared/renew.js")).renewAtPress(session, (renewed) => {
    link = renewed;
    render();
  });
  await refresh();
  createTaps(session, texts, (participant, text) => {
    said.set(participant, text);
    render();
  }, refresh);
  follow();
  setInterval(render, AGE_MS);
}

/** @param {DOMStringMap} data of the button that was pressed */
async function press({ lang: wanted, open, meeting, score, problem: word, whose, test }) {
  if (test) await testMyself();
  if (isLang(wanted)) await setLanguage(wanted).then(() => keepLanguage(wanted));
  if (open) /** @type {HTMLDialogElement} */ (find(`#${open}`)).showModal();
  if (score) await answer({ score: Number(score), ...(Number(score) >= 4 ? { problem: "", whose: "" } : {}) });
  if (word) await answer({ problem: word });
  if (whose) await answer({ whose });
  if (!meeting) return;
  chosen = meeting;
  render();
  readFrom(find("#meeting"));
  scrollTo(0, 0);
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  if (button) press(button.dataset).catch(fail);
});
find("#copy").addEventListener("click", () => {
  navigator.clipboard.writeText(link).then(() => "board.copied", () => "board.not_copied").then((key) => say(find("#copied"), texts().t(key)));
});
find("#address").addEventListener("input", render);
makeTickable();
setLanguage(lang).then(load).catch(fail);
