/**
 * Support's drawing of the sound: level over time with speech marked, from the compact figures of a check. No sound is in it.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {import("../../shared/types").Check} Check
 */
import { node } from "../../shared/icons.js";

/** The drawing runs from this level, dBFS, at the bottom to full scale at the top. */
const LOWEST_DB = 80;
const WIDTH = 300;
const HEIGHT = 60;

/**
 * @param {unknown} levels two digits for each point: whole dB under full scale @param {unknown} speech one digit for each point
 * @returns {{ line: string, spoken: { from: number, to: number }[] } | null} null where the figures make no curve
 */
export function curveOf(levels, speech) {
  if (typeof levels !== "string" || typeof speech !== "string") return null;
  const count = speech.length;
  if (count < 2 || levels.length !== 2 * count || !/^\d+$/.test(levels) || !/^[01]+$/.test(speech)) return null;
  const step = WIDTH / count;
  const points = Array.from({ length: count }, (_, i) => {
    const under = Math.min(LOWEST_DB, Number(levels.slice(2 * i, 2 * i + 2)));
    return `${(step * (i + 0.5)).toFixed(1)},${((HEIGHT * under) / LOWEST_DB).toFixed(1)}`;
  });
  const spoken = [...speech.matchAll(/1+/g)].map(({ 0: run, index }) => ({ from: index * step, to: (index + run.length) * step }));
  return { line: points.join(" "), spoken };
}

/** @param {Texts} texts @param {Check} check @returns {Element | null} the drawing, with its content in words for a screen reader */
export function curveDrawing(texts, { details, value }) {
  const curve = curveOf(details?.level_curve, details?.speech_curve);
  if (!curve) return null;
  const seconds = texts.number(Number(details?.listened_s ?? 0), 0);
  const label = texts.t("figures.curve", { seconds, speech: texts.number(Number(value ?? 0), 0) });
  const svg = node("svg", { class: "curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (const { from, to } of curve.spoken) {
    svg.append(node("rect", { class: "spoken", x: from.toFixed(1), y: 0, width: (to - from).toFixed(1), height: HEIGHT }));
  }
  svg.append(node("polyline", { points: curve.line }));
  return svg;
}
