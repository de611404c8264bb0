/**
 * What a meeting is besides time and people: name, link, solution, who gets the link, numbers, questions. The same fields
 * stand in the form for a new meeting and in the one that corrects a saved one.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {import("../../shared/types").PlannedMeeting} Meeting
 */
import { find, make } from "../../shared/dom.js";
import { phoneIn } from "../../shared/i18n.js";
import { field } from "./person.js";
import { knows } from "./plan.js";

/** Minutes before the start at which whoever has not tested is reminded. */
const REMINDERS = [2880, 180];

/** @returns {HTMLSelectElement} */
const solutions = () => find("#solution");
/** @returns {HTMLInputElement[]} */
const questions = () => [.../** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("#questions input"))];

/** The meeting rooms to choose among; none where the organisation has none. @returns {HTMLInputElement[]} */
const rooms = () => [.../** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("#rooms input"))];

/** The solution that a link's host belongs to, "" where that is not known. @param {string} link @param {{ value: string, hosts: string }[]} known */
export function solutionOf(link, known) {
  const host = /^https:\/\/(?:[^/@?#]*@)?([^/:?#]+)/i.exec(link.trim())?.[1].toLowerCase();
  if (!host) return "";
  return known.find(({ hosts }) => hosts.split(" ").some((one) => one && (host === one || host.endsWith(`.${one}`))))?.value ?? "";
}

/** @param {Texts} t @param {() => number} people how many devices take part */
export function watchAbout(t, people) {
  field("#join").addEventListener("input", () => {
    const known = [...solutions().options].map(({ value, dataset }) => ({ value, hosts: dataset.hosts ?? "" }));
    const told = solutionOf(field("#join").value, known);
    if (told) solutions().value = told;
    showFacts(t, people());
  });
  solutions().addEventListener("change", () => showFacts(t, people()));
  find("#shown-to").addEventListener("change", showFrom);
  showFrom();
  showFacts(t, people());
}

function showFrom() {
  find("#from-box").hidden = field("#shown-to").value !== "kept";
}

/** What is known of the chosen solution: room, browsers, practice, recording. @param {Texts} t @param {number} people */
export function showFacts(t, people) {
  const chosen = solutions().selectedOptions[0];
  const { most = "", browsers = "", practice = "", recording = "" } = chosen?.dataset ?? {};
  const lines = [
    most && t.t(people > Number(most) ? "plan.facts.too_many" : "plan.facts.most", { count: t.number(Number(most)) }),
    browsers && t.t("plan.facts.browsers", { browsers }),
    recording === "told" && t.t("plan.facts.recorded"),
  ].filter((text) => typeof text === "string" && text).map((text) => make("li", {}, String(text)));
  if (practice) {
    const item = make("li");
    item.append(make("a", { href: practice, rel: "noreferrer", target: "_blank" }, t.t("plan.facts.practice", { title: chosen.text })));
    lines.push(item);
  }
  find("#facts").replaceChildren(...lines);
}

/** @param {Meeting} meeting @param {Texts} t */
export function fillAbout(meeting, t) {
  field("#name").value = meeting.title;
  field("#join").value = meeting.join_link ?? "";
  solutions().value = meeting.solution;
  field("#shown-to").value = meeting.join_shown;
  field("#join-from").value = meeting.join_from;
  field("#profile").value = meeting.profile;
  field("#support").value = meeting.support_phone;
  field("#clinic").value = meeting.clinic_phone;
  field("#contact").value = meeting.contact;
  field("#assessed").value = meeting.assessed_by;
  field("#companion").value = meeting.companion;
  field("#agenda").checked = meeting.agenda_sent;
  field("#unit").value = meeting.unit;
  for (const box of questions()) box.checked = meeting.practical.includes(box.value);
  for (const box of rooms()) box.checked = (meeting.rooms ?? []).some(({ id }) => id === box.value);
  field("#remind").checked = meeting.reminders.length > 0;
  showFrom();
  showFacts(t, meeting.participants.length + meeting.hosts.length);
}

/** @param {number[]} [kept] reminders that the meeting has already */
export function readAbout(kept = []) {
  return {
    title: field("#name").value.trim(),
    solution: solutions().value,
    join_link: field("#join").value.trim(),
    join_shown: field("#shown-to").value,
    join_from: field("#join-from").value.trim(),
    profile: field("#profile").value,
    support_phone: field("#support").value.trim(),
    clinic_phone: field("#clinic").value.trim(),
    contact: field("#contact").value.trim(),
    assessed_by: field("#assessed").value.trim(),
    companion: field("#companion").value.trim(),
    agenda_sent: field("#agenda").checked,
    unit: field("#unit").value.trim(),
    practical: questions().filter(({ checked }) => checked).map(({ value }) => value),
    ...(rooms().length ? { rooms: rooms().filter(({ checked }) => checked).map(({ value }) => value) } : {}),
    reminders: field("#remind").checked ? (kept.length ? kept : REMINDERS) : [],
  };
}

/**
 * Those who have to be called, how they may know of the meeting, and a number where one is known; each until somebody
 * says that they know.
 * @param {Texts} t @param {Meeting} meeting @param {string} zone
 */
export function showCalls(t, { participants, hosts, taken_out: out }, zone) {
  const here = [...participants, ...hosts].filter(({ call }) => call).map((one) => ({ ...one, out: false, known: knows(t, one, zone) }));
  const gone = out.filter(({ call }) => call).map((one) => ({ ...one, out: true, known: t.first([`plan.given_out.${one.given_as}`]) }));
  const wanted = [...here, ...gone];
  find("#call").hidden = wanted.length === 0;
  const key = JSON.stringify(wanted.map(({ id, label, role, phone, known }) => [id, label, role, phone, known]));
  const list = find("#call-list");
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...wanted.map(({ id, label, role, phone, known, out: isOut }) => {
    const name = label || t.first([`role.${role}`, `host.${role}`]);
    const item = make("li", {}, `${isOut ? t.t("plan.call_out", { name }) : name} `);
    if (phone) item.append(make("a", { href: `tel:${phone}` }, phoneIn(t.lang, phone)), " ");
    if (known) item.append(make("span", { class: "small" }, known), " ");
    const done = t.t("plan.tap.told");
    item.append(make("button", { type: "button", class: "button tap quiet", [isOut ? "data-forget" : "data-told"]: id, "aria-label": `${done}: ${name}` }, done));
    return item;
  }));
}
