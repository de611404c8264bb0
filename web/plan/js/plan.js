/**
 * Calculations of the organiser's pages: days, channels, how many are ready. Pure.
 * @typedef {import("../../shared/types").PlannedMeeting} Meeting
 * @typedef {import("../../shared/types").PlannedPerson} Person
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 */
import { READY } from "../../shared/states.js";

const DAY_MS = 86_400_000;
const TROUBLE = ["not_ready", "incomplete"];

/** The calendar day in a zone, YYYY-MM-DD. @param {number | string} when @param {string} zone */
export function dayOf(when, zone) {
  const format = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "2-digit", day: "2-digit", timeZone: zone });
  const parts = Object.fromEntries(format.formatToParts(new Date(when)).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day}`;
}

/** How far back "earlier meetings" goes: longer than anything of them is kept. */
const PAST_DAYS = 31;

/**
 * What the list asks for: one day, what has been, or (nothing) from today on.
 * @param {string} day YYYY-MM-DD or "" @param {boolean} past @param {number} now ms @param {string} zone @returns {Record<string, string>}
 */
export function spanOf(day, past, now, zone) {
  /** @param {string} from @param {number} days */
  const after = (from, days) => new Date(Date.parse(`${from}T12:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
  if (day) return { from: day, to: after(day, 1) };
  const today = dayOf(now, zone);
  return past ? { from: after(today, -PAST_DAYS), to: today } : {};
}

/** The next working day in a zone, YYYY-MM-DD. @param {number} now ms @param {string} zone */
export function nextWorkday(now, zone) {
  const today = Date.parse(`${dayOf(now, zone)}T12:00:00Z`);
  const next = [1, 2, 3].map((days) => new Date(today + days * DAY_MS)).find((day) => ![0, 6].includes(day.getUTCDay()));
  return (next ?? new Date(today + DAY_MS)).toISOString().slice(0, 10);
}

/** The channel of an invitation: mail if there is an address, else SMS. @param {{ mail?: string, phone?: string }} person @returns {"mail" | "sms" | null} */
export function channelOf({ mail, phone }) {
  return mail ? "mail" : phone ? "sms" : null;
}

/** The key of the reason why somebody could not be invited; empty if they were. @param {{ state?: string } | undefined} made */
export function notInvited(made) {
  return made?.state?.startsWith("no_") ? `error.person.${made.state}` : "";
}

/** Whether no field of this person has been filled in. @param {{ label?: string, mail?: string, phone?: string }} person */
export function isBlank({ label, mail, phone }) {
  return !label && !mail && !phone;
}

/**
 * @param {Record<string, number>} counts participants by state
 * @returns {{ ready: number, total: number, tone: "good" | "warn" | "bad" | "calm" }}
 */
export function tally(counts) {
  const sum = (/** @type {string[]} */ states) => states.reduce((all, state) => all + (counts[state] ?? 0), 0);
  const total = sum(Object.keys(counts));
  const ready = sum(READY);
  return { ready, total, tone: sum(TROUBLE) ? "bad" : !total ? "calm" : ready < total ? "calm" : counts.ready === total ? "good" : "warn" };
}

/** The state of a person's invitation in words. @param {Texts} t @param {Person["invitation"] | undefined} invitation @param {string} zone */
export function invited(t, invitation, zone) {
  if (!invitation || invitation.state === "none") return t.t("plan.not_invited");
  const { channel, state, sent_at, error } = invitation;
  const how = t.first([`plan.by.${channel}`]) || channel;
  const said = t.t(`plan.sent.${state}`, { how, when: sent_at ? t.at(sent_at, zone) : "" });
  const why = error ? t.first([`delivery.${error}`]) : "";
  return why ? `${said} ${why}` : said;
}

/**
 * How somebody may know of the meeting, in words: by message, by a letter or link that was handed over, told in person.
 * @param {Texts} t @param {{ invitation?: Person["invitation"], given?: Person["given"], told_at?: string | null }} person @param {string} zone
 */
export function knows(t, { invitation, given, told_at }, zone) {
  const isHanded = given && (given.as !== "unknown" || !invitation);
  const lines = invitation || !(isHanded || told_at) ? [invited(t, invitation, zone)] : [];
  if (isHanded) lines.push(t.t(`plan.given.${given.as}`, { when: t.at(given.at, zone) }));
  if (told_at) lines.push(t.t("plan.told", { when: t.at(told_at, zone) }));
  return lines.join(" ");
}

/** Whether the organiser can note that they told this person: who has no message is told by nobody else. @param {{ invitation?: Person["invitation"], told_at?: string | null }} person */
export function mayBeTold({ invitation, told_at }) {
  return !invitation && !told_at;
}

/** Minutes between two moments. @param {{ starts_at: string, ends_at: string }} meeting */
export function minutesOf({ starts_at, ends_at }) {
  return Math.round((Date.parse(ends_at) - Date.parse(starts_at)) / 60_000);
}
