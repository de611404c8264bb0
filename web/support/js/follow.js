/**
 * Follows a test that the person lets support follow: shows what the server tells, sends hints, and says when they are shown.
 * Everything comes by server-sent events, in words.
 * @typedef {{ name: string, said: string, tone: string, value: string }} Check
 * @typedef {{ step: string, hint: string, advice: { code: string, title: string }[], checks: Check[] }} Seen
 */
import { ApiError, call } from "../../shared/api.js";
import { find, make, say } from "../../shared/dom.js";
import { fill } from "../../shared/i18n.js";

/** Most hints that are offered as buttons; all are in the list. */
const MOST_OFFERED = 4;
const TOO_SOON = 429;
/** A stream that was refused (a server that starts, too many pages) is asked for again so often, and after so long. */
const MOST_TRIES = 5;
const AGAIN_MS = 4000;

/** Titles of what was sent, by its number, until it is shown. @type {Map<string, string>} */
const sent = new Map();

/** @param {HTMLElement} place @param {string} name of the words @param {Record<string, string>} [values] */
const tell = (place, name, values) => say(find("#follow-told", place), fill(place.dataset[name] ?? "", values));

/** An address below the followed test's own, in this page's language. @param {HTMLElement} place @param {string} what */
function address(place, what) {
  const { pathname, search } = new URL(place.dataset.follow ?? "", location.href);
  return `${pathname}/${what}${search}`;
}

/** @param {HTMLElement} place @param {string} code @param {string} title */
async function send(place, code, title) {
  try {
    const { hint } = await call(address(place, "hint"), { code });
    sent.set(hint, title);
    tell(place, "sent", { title });
  } catch (error) {
    tell(place, error instanceof ApiError && error.status === TOO_SOON ? "tooSoon" : "notSent");
  }
}

/** @param {HTMLElement} place @param {Seen["advice"]} advice */
function offer(place, advice) {
  const box = find("#follow-advice", place);
  const offered = advice.slice(0, MOST_OFFERED);
  const key = offered.map(({ code }) => code).join(" ");
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.hidden = offered.length === 0;
  for (const old of box.querySelectorAll("button")) old.remove();
  box.append(...offered.map(({ code, title }) => {
    const button = make("button", { type: "button", class: "button" }, title);
    button.dataset.code = code;
    button.addEventListener("click", () => send(place, code, title));
    return button;
  }));
}

/** @param {HTMLElement} place @param {Seen} seen */
function draw(place, { step, hint, advice, checks }) {
  say(find("#follow-step", place), step);
  say(find("#follow-page", place), hint);
  find("#follow-over", place).hidden = true;
  offer(place, advice);
  const list = find("#follow-checks", place);
  list.replaceChildren(...checks.map(({ name, said, tone, value }) => {
    const item = make("li", { "data-tone": tone });
    const words = make("p");
    words.append(make("strong", {}, name), ` ${said}`);
    item.append(words, make("p", { class: "value" }, value));
    return item;
  }));
}

/** @param {HTMLElement} place @param {number} [tries] that failed in a row */
function follow(place, tries = 0) {
  const events = new EventSource(address(place, "events"));
  const ended = () => {
    events.close();
    say(find("#follow-step", place), place.dataset.ended ?? "");
    say(find("#follow-page", place), "");
    find("#follow-hint", place).hidden = true;
  };
  events.onopen = () => void (tries = 0);
  events.addEventListener("test", (event) => draw(place, JSON.parse(event.data)));
  events.addEventListener("shown", (event) => {
    const title = sent.get(JSON.parse(event.data).hint);
    if (title) tell(place, "shown", { title });
  });
  events.addEventListener("over", (event) => {
    const box = find("#follow-over", place);
    box.hidden = false;
    /** @type {HTMLAnchorElement} */ (find("a", box)).href = JSON.parse(event.data).href;
    say(find("#follow-step", place), place.dataset.resting ?? "");
    say(find("#follow-page", place), "");
  });
  events.addEventListener("ended", ended);
  events.addEventListener("closed", () => {
    events.close();
    location.reload();
  });
  events.onerror = () => {
    if (events.readyState !== EventSource.CLOSED) return;
    if (tries < MOST_TRIES) setTimeout(() => follow(place, tries + 1), AGAIN_MS);
    else ended();
  };
}

/** Begin, on a page of somebody who lets support follow. */
export function startFollowing() {
  const place = /** @type {HTMLElement | null} */ (document.querySelector("[data-follow]"));
  if (!place) return;
  find("#follow-hint", place).addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = /** @type {HTMLSelectElement} */ (find("#hint", place)).selectedOptions[0];
    if (chosen?.value) send(place, chosen.value, chosen.text);
  });
  follow(place);
}
