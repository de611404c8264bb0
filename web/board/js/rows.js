/**
 * A participant's words on the board: a state, one sentence, the answer's age, and what one tap can do.
 * Pure; no figures.
 * @typedef {import("../../shared/types").BoardParticipant} Participant
 * @typedef {import("../../shared/types").BoardMeeting} Meeting
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 */
import { READY } from "../../shared/states.js";

/** States with a known problem, which the sentence can name. */
const NAMED = new Set(["ready_with_warnings", "not_ready", "incomplete"]);
const MINUTE_MS = 60_000;
/** From this long before the start on, minutes are counted. */
const SOON_MIN = 60;

/** The one sentence that says what to do. @param {Texts} texts @param {Participant} participant */
export function sentence(texts, { state, area, responsible, room }) {
  if (room) return texts.first([`leader.room.${state}`, `leader.${state}`]);
  const keys = [];
  if (NAMED.has(state) && responsible === "service") keys.push("leader.do.service");
  if (NAMED.has(state) && area) keys.push(`leader.do.${area}.${responsible ?? "participant"}`, `leader.do.${area}`);
  return texts.first([...keys, `leader.${state}`]);
}

/** @param {Texts} texts @param {Partial<Participant>} participant @param {number} now ms */
export function facts(texts, participant, now) {
  const { tested_at, other_device, running, without_sound, together, invitation, handed_over_at, taken, helped, device, recheck_due } = participant;
  /** @param {string} when */
  const ago = (when) => texts.ago(Math.max(0, (now - Date.parse(when)) / 1000));
  const lines = [];
  if (running) lines.push(texts.t("board.running"));
  if (tested_at) lines.push(`${texts.t("board.tested", { when: ago(tested_at) })}.`);
  if (device && tested_at) lines.push(texts.first([`board.device.${device}`]));
  if (recheck_due) lines.push(texts.t("board.recheck"));
  if (without_sound) lines.push(texts.t("board.without_sound"));
  if (other_device) lines.push(texts.t("board.other_device"));
  const people = Number(participant.practical?.people ?? together ?? 1);
  if (people > 1) lines.push(texts.plural("board.together", people));
  if (participant.interprets) lines.push(texts.t("board.interprets", { language: participant.interprets }));
  lines.push(...said(texts, participant));
  if (invitation && !tested_at) lines.push(invitationLine(texts, invitation, ago));
  if (handed_over_at) lines.push(texts.t(helped ? "board.helped" : taken ? "board.taken" : "board.handed_over", { when: ago(handed_over_at) }));
  return lines.join(" ");
}

/** Answers to practical questions that the leader must know. @param {Texts} texts @param {Partial<Participant>} participant @returns {string[]} */
function said(texts, { practical = {} }) {
  return Object.entries(practical).map(([question, value]) => texts.first([`board.practical.${question}.${value}`])).filter(Boolean);
}

/** @param {Texts} texts @param {NonNullable<Participant["invitation"]>} invitation @param {(when: string) => string} ago */
function invitationLine(texts, { state, sent_at }, ago) {
  return state === "sent" && sent_at ? texts.t("board.invited", { when: ago(sent_at) }) : texts.first([`board.invitation.${state}`]);
}

/**
 * Actions for this participant, most useful first. Somebody who is ready needs a call at most.
 * @param {Participant} participant @param {string} meetingState
 * @returns {("call" | "resend" | "handover")[]}
 */
export function actions({ state, running, phones, can_resend, handed_over_at, taken, room }, meetingState) {
  if (room) return [];
  /** @type {("call" | "resend" | "handover")[]} */
  const found = phones?.length ? ["call"] : [];
  if (meetingState !== "planned" || READY.includes(state) || running) return found;
  if (can_resend) found.push("resend");
  if (!handed_over_at || taken) found.push("handover");
  return found;
}

/** @param {Participant[]} participants */
export function summary(participants) {
  return { ready: participants.filter(({ state }) => READY.includes(state)).length, total: participants.length };
}

/** States in the order of need. */
const NEED = ["not_ready", "incomplete", "stale", "not_tested", "ready_with_warnings", "ready"];

/** @param {Participant[]} participants @returns {Participant[]} the same, in the order of need */
export function byNeed(participants) {
  return [...participants].sort((a, b) => NEED.indexOf(a.state) - NEED.indexOf(b.state));
}

/** Whether the meeting begins within the hour, or is under way. @param {Pick<Meeting, "starts_at" | "ends_at" | "state">} meeting @param {number} now ms */
export function isNear({ starts_at, ends_at, state }, now) {
  return state === "planned" && now >= Date.parse(starts_at) - SOON_MIN * MINUTE_MS && now < Date.parse(ends_at);
}

/** The time until the meeting in words; "" while it is far away. @param {Texts} texts @param {Meeting} meeting @param {number} now ms */
export function countdown(texts, { starts_at, ends_at, state }, now) {
  if (state === "cancelled") return texts.t("board.cancelled");
  if (now >= Date.parse(ends_at)) return texts.t("board.over");
  const minutes = Math.ceil((Date.parse(starts_at) - now) / MINUTE_MS);
  if (minutes <= 0) return texts.t("board.now");
  if (minutes > SOON_MIN) return "";
  return texts.plural("board.in_minutes", minutes);
}

/**
 * The meetings of the page: the one to read now first. That is the link's own while it is ahead or under way on the day
 * of the others; after its end the next one that has not ended.
 * @template {{ meeting: Meeting }} T @param {T} own @param {T[]} day @param {number} now ms @param {string | null} [chosen]
 * @returns {{ shown: T, others: T[] }}
 */
export function arrange(own, day, now, chosen = null) {
  const all = [own, ...day].sort((a, b) => Date.parse(a.meeting.starts_at) - Date.parse(b.meeting.starts_at));
  const open = all.filter(({ meeting }) => meeting.state === "planned" && Date.parse(meeting.ends_at) > now);
  const shown = all.find(({ meeting }) => meeting.id === chosen) ?? (open.includes(own) && !open.some((one) => sooner(one, own, now)) ? own : open[0] ?? own);
  return { shown, others: all.filter((one) => one !== shown) };
}

/** Whether `one` needs the leader before `own`: today, and earlier. @param {{ meeting: Meeting }} one @param {{ meeting: Meeting }} own @param {number} now */
function sooner(one, own, now) {
  const starts = Date.parse(one.meeting.starts_at);
  return starts < Date.parse(own.meeting.starts_at) && starts - now < SOON_MIN * MINUTE_MS;
}
