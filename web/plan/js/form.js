/**
 * The form for a new meeting: sensible defaults, the people, and their invitations.
 * @typedef {import("./person.js").Page} Page
 * @typedef {import("../../shared/types").PlannedMeeting} Meeting
 */
import { find, make, say } from "../../shared/dom.js";
import { announce } from "../../shared/heard.js";
import { fillAbout, readAbout, watchAbout } from "./about.js";
import { check, keepTyped, typedBefore } from "./fields.js";
import { complain, field, personFields, readFields, tellField } from "./person.js";
import { isBlank, minutesOf, nextWorkday } from "./plan.js";

/** @param {Page} page */
export async function showForm(page) {
  const { texts: t, zone } = page;
  field("#date").value = nextWorkday(Date.now(), zone);
  field("#date").min = new Date().toISOString().slice(0, 10);
  find("#add").addEventListener("click", () => addPerson(t).querySelector("select")?.focus());
  const like = new URLSearchParams(location.search).get("like");
  const typed = typedBefore();
  if (typed) fillTyped(t, typed);
  else if (like) await fillLike(page, like);
  if (!find("#people").children.length) addPerson(t);
  watchAbout(t, () => find("#people").children.length + 1);
  // A page that was filled in twice by a double tap makes one meeting.
  const key = typed?.key ?? crypto.randomUUID();
  const form = /** @type {HTMLFormElement} */ (find("#plan"));
  form.noValidate = true;
  const { forget } = keepTyped(form, () => ({ key, ...typedNow() }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(page, key, forget);
  });
}

/** @returns {HTMLInputElement[]} the fields that do not belong to a participant */
const standing = () => /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll("#plan input[id], #plan select[id], #questions input")]);
/** @param {HTMLInputElement} input */
const isTick = ({ type }) => type === "checkbox";

/** All values as typed, right or wrong. */
const typedNow = () => ({
  fields: standing().map((input) => (isTick(input) ? input.checked : input.value)),
  people: [...find("#people").children].map((item) => readFields(item)),
});

/** @param {import("../../shared/i18n.js").Texts} t @param {{ fields: (string | boolean)[], people: object[] }} typed */
function fillTyped(t, { fields, people }) {
  standing().forEach((input, place) => {
    if (isTick(input)) input.checked = Boolean(fields[place]);
    else input.value = String(fields[place] ?? "");
  });
  for (const person of people) addPerson(t, person);
}

/** @param {import("../../shared/i18n.js").Texts} t @param {object} [values] @returns {HTMLElement} */
function addPerson(t, values = {}) {
  const item = make("li", { class: "card" });
  const remove = make("button", { type: "button", class: "button quiet remove" }, t.t("plan.remove"));
  remove.addEventListener("click", () => {
    item.remove();
    find("#add").focus();
    announce(t.t("plan.removed"));
  });
  item.append(personFields("participant", values), remove);
  find("#people").append(item);
  return item;
}

/** Fill in everything but the day from an earlier meeting. @param {Page} page @param {string} id */
async function fillLike({ api, texts: t }, id) {
  /** @type {Meeting} */
  const like = await api(`/api/v1/meetings/${encodeURIComponent(id)}`);
  field("#time").value = like.local_start.slice(11, 16);
  choose("#minutes", String(minutesOf(like)));
  fillAbout(like, t);
  for (const person of like.participants) addPerson(t, person);
  for (const host of like.hosts) {
    for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll(`[data-host=${host.role}] [data-field]`))) {
      input.value = /** @type {any} */ (host)[input.dataset.field ?? ""] ?? "";
    }
  }
}

/** Choose a value in a list; a length that the list lacks is added. @param {string} selector @param {string} value */
function choose(selector, value) {
  const list = /** @type {HTMLSelectElement} */ (find(selector));
  list.value = value;
  if (list.value !== value && selector === "#minutes") {
    list.append(new Option(value, value));
    list.value = value;
  }
}

/** The wish for the meeting, from the page's fields. @returns {any} */
function read() {
  // Stored and invited in one step, so that nobody is forgotten if the line breaks in between.
  const channel = field("#invite").checked ? "auto" : "";
  const people = [...find("#people").children].map((item) => ({ ...readFields(item), channel }));
  const hosts = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-host]")]).map((row) => ({ role: row.dataset.host, locale: document.documentElement.lang, ...readFields(row), channel }));
  return {
    ...readAbout(),
    local_start: `${field("#date").value}T${field("#time").value}`,
    minutes: Number(field("#minutes").value),
    participants: people,
    hosts: hosts.filter((host) => !isBlank(host)),
  };
}

/** @param {Page} page @param {string} key @param {() => void} forget drops the typed values once they are saved */
async function save({ api, texts: t, home, asked }, key, forget) {
  const button = /** @type {HTMLButtonElement} */ (find("#save"));
  complain(find("#problem"), "");
  const wrong = check(t, find("#plan"));
  if (wrong) return complain(find("#problem"), wrong);
  const planned = read();
  if (!planned.participants.length) return complain(find("#problem"), t.t("plan.nobody"));
  button.disabled = true;
  say(find("#said"), t.t("board.working"));
  try {
    /** @type {Meeting} */
    const made = await api("/api/v1/meetings", { ...planned, import_key: key });
    forget();
    location.assign(`${home}/meetings/${encodeURIComponent(made.id)}${asked}`);
  } catch (error) {
    button.disabled = false;
    say(find("#said"), "");
    const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-host]")]).filter((row) => !isBlank(readFields(row)));
    complain(find("#problem"), tellField(t, error, find("#plan"), rows));
  }
  return undefined;
}
