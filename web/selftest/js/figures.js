/**
 * A check's figures as words: value with its unit, and the limits it was judged by.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {import("../../shared/types").Check} Check
 */

/** Checks where more is better; for all others less is. */
const MORE_IS_BETTER = new Set([
  "camera.resolution", "camera.frame_rate", "camera.people", "camera.light", "camera.framing", "camera.sharpness", "microphone.level", "microphone.speech", "microphone.bandwidth", "microphone.quality",
  "network.throughput_up", "network.throughput_down",
]);

/** @param {Texts} texts @param {number} value @param {string | null} unit */
function withUnit(texts, value, unit) {
  const size = Math.abs(value);
  const number = texts.number(value, size < 1 ? 2 : size < 100 ? 1 : 0);
  const word = unit ? texts.first([`unit.${unit}`]) : "";
  return word ? `${number} ${word}` : number;
}

/** @param {Texts} texts @param {Check} check @returns {{ value: string, limits: string }} */
export function figureWords(texts, { id, value, unit, pass, fail, cause, details }) {
  const why = cause ? texts.first([`cause.${cause}`]) : "";
  if (value === null || value === undefined) return { value: why || texts.t("value.none"), limits: "" };
  if (typeof value === "string") {
    const words = [value, details?.device_class].filter((word) => typeof word === "string" && word !== "unknown");
    return { value: words.map((word) => texts.first([`value.${word}`]) || word).join(", ") || texts.t("value.none"), limits: "" };
  }
  const more = MORE_IS_BETTER.has(id);
  const limits = [];
  if (typeof pass === "number") limits.push(texts.t(more ? "limit.pass_least" : "limit.pass_most", { value: withUnit(texts, pass, unit) }));
  if (typeof fail === "number") limits.push(texts.t(more ? "limit.fail_under" : "limit.fail_over", { value: withUnit(texts, fail, unit) }));
  return { value: withUnit(texts, value, unit), limits: limits.join(" ") };
}
