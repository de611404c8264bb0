/**
 * A check's figures as words: value with its unit, and the limits it was judged by.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {import("../../shared/types").Check} Check
 */

/** @param {Texts} texts @param {number} value @param {string | null} unit */
function withUnit(texts, value, unit) {
  const number = texts.number(value, Math.abs(value) < 10 ? 2 : 0);
  const word = unit ? texts.first([`unit.${unit}`]) || unit : "";
  return word ? `${number} ${word}` : number;
}

/** @param {Texts} texts @param {Check} check @returns {{ value: string, limits: string }} */
export function figureWords(texts, { value, unit, pass, fail, cause }) {
  const why = cause ? texts.first([`cause.${cause}`]) : "";
  if (value === null || value === undefined) return { value: why || texts.t("value.none"), limits: "" };
  if (typeof value === "string") return { value: texts.first([`value.${value}`]) || value, limits: "" };
  const limits = [];
  const most = pass !== null && pass !== undefined && fail !== null && fail !== undefined ? fail >= pass : true;
  if (typeof pass === "number") limits.push(texts.t(most ? "limit.pass_most" : "limit.pass_least", { value: withUnit(texts, pass, unit) }));
  if (typeof fail === "number") limits.push(texts.t(most ? "limit.fail_over" : "limit.fail_under", { value: withUnit(texts, fail, unit) }));
  return { value: withUnit(texts, value, unit), limits: limits.join(" ") };
}
