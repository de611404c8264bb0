/**
 * The leader's board: who is ready, live. The secret of the link is posted once and then forgotten.
 * @typedef {import("../../shared/types").Board} Board
 */
import { ApiError, call, keepLanguage, meta, redeem, sessionOf } from "../../shared/api.js";
import { applyTexts, clockTime, createTexts, isLang, langOf, loadCatalogue } from "../../shared/i18n.js";
import { icon } from "../../shared/icons.js";
import { byNeed, facts, sentence, summary, TONES } from "./rows.js";

/** How often "tested 5 minutes ago" is counted anew. */
const AGE_MS = 30_000;
const RECONNECT_MS = 5000;

const base = meta("readiness-static");
let phone = document.querySelector("#help strong")?.textContent ?? "";
/** @type {import("../../shared/i18n.js").Lang} */
let lang = langOf(document.documentElement.lang);
/** @type {Record<string, string>} */
let catalogue = {};
/** @type {Board | null} */
let board = null;
let updatedAt = 0;
/** @type {string | null} a text key */
let trouble = null;
/** Difference of the server's clock to ours, ms: ages must not depend on a wrong clock here. */
let ahead_ms = 0;

/** @param {string} selector @returns {HTMLElement} */
function find(selector) {
  const element = document.querySelector(selector);
  if (!(element instanceof HTMLElement)) throw new Error(`the page has no ${selector}`);
  return element;
}

/** @param {Element | null} element @param {string} text */
function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

const texts = () => createTexts(lang, catalogue, { phone: phone.replaceAll(" ", "\u00a0") });

function render() {
  const t = texts();
  if (board) renderBoard(board);
  find("#contact").hidden = !trouble;
  if (trouble) say(find("#contact"), t.t(trouble));
}

/** @param {Board} shown */
function renderBoard({ organisation, meeting, participants }) {
  const t = texts();
  say(find("#organisation"), organisation.name);
  find("#help").hidden = !organisation.support_phone;
  find("#help").setAttribute("href", `tel:${organisation.support_phone.replaceAll(" ", "")}`);
  say(find("#help strong"), organisation.support_phone);
  say(find("#support-hours"), organisation.support_hours);
  const when = `${t.at(meeting.starts_at, meeting.time_zone)}–${clockTime(meeting.ends_at, meeting.time_zone)}`;
  say(find("#meeting"), meeting.title ? `${meeting.title}: ${when}` : when);
  const { ready, total } = summary(participants);
  find("#summary").removeAttribute("data-t");
  say(find("#summary"), t.t(total ? "board.summary" : "board.nobody", { ready, total }));
  find("#participants").replaceChildren(...byNeed(participants).map(row));
  say(find("#updated"), `${t.t("board.updated", { time: clockTime(updatedAt) })}. ${trouble ? "" : t.t("board.live")}`);
}

/** @param {Board["participants"][number]} participant @returns {HTMLElement} */
function row(participant) {
  const t = texts();
  const { content } = /** @type {HTMLTemplateElement} */ (find("#participant"));
  const item = /** @type {HTMLElement} */ (content.firstElementChild?.cloneNode(true));
  item.dataset.tone = TONES[participant.state] ?? "calm";
  item.dataset.state = participant.state;
  const role = t.first([`role.${participant.role}`]) || participant.role;
  say(item.querySelector("h3"), participant.label || role);
  say(item.querySelector(".role"), participant.label === role || !participant.label ? "" : role);
  icon(/** @type {Element} */ (item.querySelector("svg")), item.dataset.tone);
  say(item.querySelector("strong"), t.t(`state.${participant.state}`));
  say(item.querySelector(".todo"), sentence(t, participant));
  say(item.querySelector(".facts"), facts(t, participant, Date.now() + ahead_ms));
  return item;
}

/** @param {Board & { at?: string }} next */
function take(next) {
  board = next;
  updatedAt = Date.now();
  ahead_ms = next.at ? Date.parse(next.at) - updatedAt : 0;
  trouble = null;
  render();
}

/** @param {string} session */
function follow(session) {
  const events = new EventSource(`/api/v1/boards/${encodeURIComponent(session)}/events`);
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
    setTimeout(() => again(session), RECONNECT_MS);
  });
}

/** The browser gave up on the stream: look whether the board is still ours, then follow it again. @param {string} session */
async function again(session) {
  try {
    take(await call(`/api/v1/boards/${encodeURIComponent(session)}`));
    follow(session);
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 401)) return fail(error);
    setTimeout(() => again(session), RECONNECT_MS);
  }
  return undefined;
}

/** @param {unknown} error */
function fail(error) {
  const t = texts();
  const code = error instanceof ApiError ? error.code : "internal";
  find("#title").removeAttribute("data-t");
  find("#summary").removeAttribute("data-t");
  say(find("#title"), t.first([`error.${code}.title`, "error.page.title"]));
  say(find("#summary"), "");
  find("#participants").replaceChildren();
  say(find("#meeting"), t.first([`error.${code}`, "error.internal"]));
}

/** @param {import("../../shared/i18n.js").Lang} next */
async function setLanguage(next) {
  catalogue = await loadCatalogue(base, next, "staff/");
  lang = next;
  document.documentElement.lang = next;
  document.title = texts().t("board.page_title");
  applyTexts(document, texts());
  for (const button of document.querySelectorAll("[data-lang]")) {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-lang") === lang));
  }
  render();
}

async function load() {
  const redeemed = await redeem(meta("readiness-organisation"));
  const session = redeemed?.session ?? sessionOf(location.pathname, "board");
  if (!session) throw new ApiError("link.not_valid", 404);
  take(await call(`/api/v1/boards/${encodeURIComponent(session)}`));
  phone = board?.organisation.support_phone ?? phone;
  follow(session);
  setInterval(render, AGE_MS);
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-lang]") : null;
  const wanted = button?.getAttribute("data-lang");
  if (isLang(wanted)) setLanguage(wanted).then(() => keepLanguage(wanted));
});
const asked = new URLSearchParams(location.search).get("lang");
setLanguage(isLang(asked) ? asked : lang).then(load).catch(fail);
