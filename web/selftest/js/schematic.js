/**
 * Support's picture without a picture: boxes where faces were and the light at both sides, from the report's numbers alone.
 * Left and right as in the mirror that the person sees.
 * @typedef {import("../../shared/types").Check} Check
 */
import { node } from "../../shared/icons.js";

const WIDTH = 160;
const HEIGHT = 100;
const SIDE_PX = 12;

/** @param {unknown} places "x y width height;..." in percent of the camera's frame @returns {number[][]} */
export function facesOf(places) {
  if (typeof places !== "string") return [];
  return places.split(";").map((one) => one.split(" ").map(Number)).filter((box) => box.length === 4 && box.every(Number.isFinite));
}

/** @param {number} luma 0 to 255 */
const grey = (luma) => `rgb(${luma} ${luma} ${luma})`;

/**
 * @param {Check[]} checks of a report
 * @returns {{ count: number, left: number, right: number, shapes: [string, Record<string, string | number>][] } | null}
 */
export function schematic(checks) {
  const detail = (/** @type {string} */ id) => /** @type {Record<string, unknown>} */ (checks.find((check) => check.id === id)?.details ?? {});
  const light = detail("camera.light");
  const { places } = detail("camera.people");
  const sides = [light.luma_right, light.luma_left];
  if (typeof places !== "string" || !sides.every(Number.isFinite)) return null;
  const [left, right] = sides.map((luma) => Math.round(Math.max(0, Math.min(255, Number(luma)))));
  const faces = facesOf(places);
  const boxes = faces.map(([x, y, width, height]) => /** @type {[string, Record<string, string | number>]} */ (["rect", {
    x: (WIDTH * (100 - x - width)) / 100, y: (HEIGHT * y) / 100, width: (WIDTH * width) / 100, height: (HEIGHT * height) / 100,
    rx: 4, fill: "none", stroke: "currentColor", "stroke-width": 2,
  }]));
  return {
    count: faces.length, left, right,
    shapes: [
      ["rect", { x: 0, y: 0, width: SIDE_PX, height: HEIGHT, fill: grey(left) }],
      ["rect", { x: WIDTH - SIDE_PX, y: 0, width: SIDE_PX, height: HEIGHT, fill: grey(right) }],
      ["rect", { x: 1, y: 1, width: WIDTH - 2, height: HEIGHT - 2, fill: "none", stroke: "currentColor" }],
      ...boxes,
    ],
  };
}

/** @param {[string, Record<string, string | number>][]} shapes @param {string} title @param {string} text @returns {Element} */
export function schematicNode(shapes, title, text) {
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "schematic", role: "img", "aria-label": `${title}. ${text}` });
  const [name, words] = ["title", "desc"].map((tag) => node(tag, {}));
  name.textContent = title;
  words.textContent = text;
  svg.append(name, words, ...shapes.map(([tag, attributes]) => node(tag, attributes)));
  return svg;
}
