/**
 * What the leader reads of each participant: a state, one sentence, and how old the answer is. Pure; no figures.
 * @typedef {import("../../shared/types").BoardParticipant} Participant
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 */

/** @type {Record<string, string>} */
export const TONES = {
  ready: "good", ready_with_warnings: "warn", not_ready: "bad", incomplete: "calm", not_tested: "waiting", stale: "calm",
};
const READY = new Set(["ready", "ready_with_warnings"]);
/** States in which it is known what is wrong, so that the sentence can name it. */
const NAMED = new Set(["ready_with_warnings", "not_ready", "incomplete"]);

/** The one sentence of what to do. @param {Texts} texts @param {Participant} participant */
export function sentence(texts, { state, area, responsible }) {
  const keys = [];
  if (NAMED.has(state) && responsible === "service") keys.push("leader.do.service");
  if (NAMED.has(state) && area) keys.push(`leader.do.${area}.${responsible ?? "participant"}`, `leader.do.${area}`);
  return texts.first([...keys, `leader.${state}`]);
}

/** @param {Texts} texts @param {Participant & { running?: boolean, without_sound?: boolean }} participant @param {number} now ms */
export function facts(texts, { tested_at, other_device, running, without_sound }, now) {
  const lines = [];
  if (running) lines.push(texts.t("board.running"));
  if (tested_at) lines.push(`${texts.t("board.tested", { when: texts.ago(Math.max(0, (now - Date.parse(tested_at)) / 1000)) })}.`);
  if (without_sound) lines.push(texts.t("board.without_sound"));
  if (other_device) lines.push(texts.t("board.other_device"));
  return lines.join(" ");
}

/** @param {Participant[]} participants */
export function summary(participants) {
  return { ready: participants.filter(({ state }) => READY.has(state)).length, total: participants.length };
}

/** Those who need somebody come first. */
const NEED = ["not_ready", "incomplete", "stale", "not_tested", "ready_with_warnings", "ready"];

/** @param {Participant[]} participants @returns {Participant[]} the same, in the order of need */
export function byNeed(participants) {
  return [...participants].sort((a, b) => NEED.indexOf(a.state) - NEED.indexOf(b.state));
}
