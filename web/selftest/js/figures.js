/**
 * A check's figures as words: value with its unit, and the limits that explain its outcome. The twin of the server's
 * `reports/render/words.py`: both take direction and decimals from one table, and tell every figure in the same words.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {import("../../shared/types").Check} Check
 * @typedef {{ worse: "<" | ">" | ">=", decimals: number }} Figure how a figure that is too poor compares with its limit
 * @typedef {Record<string, Figure>} Figures by check
 */

/** The server puts its own table here when it serves this file. @type {Figures} */
export const FIGURES = {};

/** Texts for the limits of good and of too poor, by the way in which a figure is worse. The last kind has only the latter. @type {Record<Figure["worse"], [string | null, string]>} */
const LIMITS = { "<": ["limit.pass_least", "limit.fail_under"], ">": ["limit.pass_most", "limit.fail_over"], ">=": [null, "limit.fail_from"] };
const JUDGED = ["pass", "warn", "fail"];
/** From this size on there are no decimals. */
const WHOLE_FROM = 100;
/** For checks that the table does not know (any more). */
const OTHER_DECIMALS = 2;

/** @param {Figure} figure @param {number} value @param {number} limit */
function isWorse({ worse }, value, limit) {
  if (worse === "<") return value < limit;
  return worse === ">" ? value > limit : value >= limit;
}

/**
 * The number to tell: the nearest one that stands to each limit, as that is told itself, as the value does.
 * @param {Figure} figure @param {number} value @param {number[]} [limits] @returns {number}
 */
export function rounded(figure, value, limits = []) {
  const scale = Math.abs(value) >= WHOLE_FROM ? 1 : 10 ** figure.decimals;
  let steps = Math.floor(value * scale + 0.5);
  for (const limit of limits) {
    const is = isWorse(figure, value, limit);
    if (is !== isWorse(figure, steps / scale, rounded(figure, limit))) steps += is === (figure.worse !== "<") ? 1 : -1;
  }
  return steps / scale;
}

/** @param {unknown} value @returns {value is number} */
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** @param {Texts} texts @param {number} value @param {number} decimals @param {string | null} unit */
function withUnit(texts, value, decimals, unit) {
  const number = texts.number(value, decimals).replace("-", "−");
  const word = unit ? texts.first([`unit.${unit}`]) : "";
  return word ? `${number}\u00a0${word}` : number;
}

/** @param {Texts} texts @param {Figures} figures @param {Check} check @returns {{ value: string, limits: string }} */
export function figureWords(texts, figures, { id, outcome, value, unit, pass, fail, cause, details }) {
  const none = () => texts.first([`cause.${cause}`, "value.none"]);
  if (!JUDGED.includes(outcome) || value === null || value === undefined) return { value: none(), limits: "" };
  // Without an audible echo the number is an upper bound, with no limit to compare.
  if (details?.heard === false) return { value: texts.t("value.not_heard"), limits: "" };
  if (!isNumber(value)) {
    const device = details?.device_class;
    const words = [value, device === "unknown" ? null : device].filter((word) => typeof word === "string");
    return { value: words.map((word) => texts.first([`value.${word}`]) || word).join(", ") || none(), limits: "" };
  }
  const figure = figures[id];
  if (!figure) return { value: withUnit(texts, value, OTHER_DECIMALS, unit), limits: "" };
  /** @param {number} number */
  const said = (number) => withUnit(texts, number, figure.decimals, unit);
  const [good, poor] = LIMITS[figure.worse];
  const limits = [];
  // A limit that the figure meets although the check was judged otherwise is left out: something else decided.
  if (good && isNumber(pass) && isWorse(figure, value, pass) === (outcome !== "pass")) limits.push(texts.t(good, { value: said(rounded(figure, pass)) }));
  if (isNumber(fail) && isWorse(figure, value, fail) === (outcome === "fail")) limits.push(texts.t(poor, { value: said(rounded(figure, fail)) }));
  return { value: said(rounded(figure, value, [pass, fail].filter(isNumber))), limits: limits.join(" ") };
}
