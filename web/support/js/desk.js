/**
 * What a script adds to support's page: news of the list without moving anything, a sound, and keys. All of it is in the
 * address, so that a reload or a bookmark brings it back.
 */
import { meta } from "../../shared/api.js";
import { find, say } from "../../shared/dom.js";
import { createTexts, langOf, loadCatalogue } from "../../shared/i18n.js";

/** @typedef {{ id: string, test: string, state: string, running: string, waits: boolean }} Line */
/** @typedef {{ id: string, person: string }} Followed who lets support follow a test */

const TONE_HZ = 660;
const TONE_S = 0.35;
/** Of full scale. */
const LOUDNESS = 0.2;
/** How long to wait before asking again after a stream that was refused, ms. */
const AGAIN_MS = 10_000;

/** Whether the address says so. @param {string} name */
const asked = (name) => new URLSearchParams(location.search).has(name);

/** Keep a choice in the address and in every link and form that goes on from here. @param {string} name @param {string} value "" for none */
function keep(name, value) {
  const change = (/** @type {URL} */ url) => (value ? url.searchParams.set(name, value) : url.searchParams.delete(name), url);
  history.replaceState(history.state, "", change(new URL(location.href)));
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("main a[href^='/support/'], .languages a"))) link.href = change(new URL(link.href)).href;
  for (const form of document.querySelectorAll("main form")) {
    form.querySelector(`input[type=hidden][name=${name}]`)?.remove();
    if (!value) continue;
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name, value });
    form.append(field);
  }
}

/** @type {AudioContext | undefined} */
let audio;

/** A short tone; silent where the browser wants a press first. */
function ring() {
  audio ??= new AudioContext();
  const [tone, volume, end] = [audio.createOscillator(), audio.createGain(), audio.currentTime + TONE_S];
  tone.frequency.value = TONE_HZ;
  volume.gain.setValueAtTime(LOUDNESS, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, end);
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(end);
}

/** Who was told of already: those on the page, and those for whom it rang. @type {Set<string>} */
const known = new Set();

/** Say how many are new and mark what became of the others, where they stand. @param {Line[]} lines @param {Followed[]} followed */
function show(lines, followed) {
  const items = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#lines [data-id]")]);
  const byId = new Map(lines.map((line) => [line.id, line]));
  for (const item of items) {
    const line = byId.get(item.dataset.id ?? "");
    item.toggleAttribute("data-gone", !line);
    const state = item.querySelector(".state");
    if (!state || !line) continue;
    say(state, [line.running, line.state].filter(Boolean).join(" · "));
    /** @type {HTMLElement} */ (state).hidden = !state.textContent;
  }
  const here = new Set(items.map((item) => item.dataset.id));
  const fresh = lines.filter(({ id, waits }) => waits && !here.has(id));
  const arrived = fresh.filter(({ id }) => !known.has(id));
  for (const { id } of lines) known.add(id);
  tell(fresh.length, lines, followed);
  if (arrived.length && asked("sound")) ring();
}

/**
 * Tell of new ones on the list, of a new test of the person whose page this is, and of who lets support follow now.
 * @param {number} fresh @param {Line[]} lines @param {Followed[]} followed
 */
async function tell(fresh, lines, followed) {
  const news = find("#news");
  const person = /** @type {HTMLElement | null} */ (document.querySelector("[data-person]"));
  const test = person && lines.find(({ id }) => id === person.dataset.person)?.test;
  const tested = Boolean(test) && test !== person?.dataset.test;
  const follows = person !== null && !document.querySelector("[data-follow]") && followed.some((one) => one.person === person.dataset.person);
  const isList = document.querySelector("#lines") !== null;
  const others = isList ? followed.filter(({ id }) => !document.querySelector(`[data-followed="${id}"]`)).length : 0;
  const shown = tested || follows || (isList && fresh > 0) || others > 0;
  if (shown) {
    const t = await texts();
    const told = [tested && t.t("support.new_test"), follows && t.t("following.news_one"), isList && fresh > 0 && t.plural("support.new", fresh), others > 0 && t.plural("following.news", others)];
    say(find("span", news), told.filter(Boolean).join(" "));
  }
  const link = /** @type {HTMLAnchorElement} */ (find("a", news));
  if (tested || follows) link.search = withPerson(person?.dataset.person ?? "").toString();
  news.hidden = !shown;
}

/** This page's address with the person instead of one report. @param {string} person */
function withPerson(person) {
  const query = new URLSearchParams(location.search);
  for (const name of ["code", "said"]) query.delete(name);
  query.set("person", person);
  return query;
}

/** @type {Promise<import("../../shared/i18n.js").Texts> | undefined} */
let words;

/** The words of this page's language, fetched when there is something to say. */
function texts() {
  const lang = langOf(document.documentElement.lang);
  words ??= loadCatalogue(meta("readiness-static"), lang, "staff/").then((catalogue) => createTexts(lang, catalogue));
  return words;
}

/** @param {string} address */
function follow(address) {
  const events = new EventSource(address);
  let first = !document.querySelector("#lines");
  events.addEventListener("desk", (event) => {
    const { lines, followed } = JSON.parse(event.data);
    if (first) for (const { id } of lines) known.add(id);
    first = false;
    show(lines, followed);
  });
  events.addEventListener("closed", () => {
    events.close();
    location.reload();
  });
  events.onerror = () => {
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(() => follow(address), AGAIN_MS);
  };
}

/** @param {boolean} forth */
function step(forth) {
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll("#lines .line > a")]);
  const at = links.findIndex((link) => link === document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at + (forth ? 1 : -1)))]?.focus();
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const target = event.target;
  const typing = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
  if (asked("keys") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing) {
    if (event.key === "Escape") target.blur();
    return;
  }
  if (event.key === "j" || event.key === "k") step(event.key === "j");
  const wanted = ["t", "d", "n", "h", "/", "g"].includes(event.key) ? `[data-key="${event.key}"]` : "";
  const found = /** @type {HTMLElement | null} */ (wanted ? document.querySelector(`.person ${wanted}`) ?? document.querySelector(wanted) : null);
  if (!found) return;
  event.preventDefault();
  if (found instanceof HTMLFieldSetElement) found.querySelector("button")?.focus();
  else if (found instanceof HTMLButtonElement || found instanceof HTMLAnchorElement) found.click();
  else found.focus();
}

/** A button that keeps a choice in the address. @param {HTMLElement | null} button @param {string} name @param {string} value @param {() => void} [chosen] */
function choice(button, name, value, chosen = () => undefined) {
  if (!button) return;
  const draw = () => button.setAttribute("aria-pressed", String(asked(name)));
  draw();
  button.addEventListener("click", () => {
    keep(name, asked(name) ? "" : value);
    draw();
    if (asked(name)) chosen();
  });
}

/** Begin, on a page that is open. */
export function startDesk() {
  const address = meta("readiness-desk");
  if (!address) return;
  for (const item of document.querySelectorAll("#lines [data-id]")) known.add(item.getAttribute("data-id") ?? "");
  for (const id of ["#sound", "#keys"]) document.querySelector(id)?.removeAttribute("hidden");
  choice(document.querySelector("#sound"), "sound", "on", ring);
  choice(document.querySelector("#keys button"), "keys", "off");
  document.addEventListener("keydown", pressed);
  follow(address);
}
