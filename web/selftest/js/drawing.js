/**
 * Small line drawings for the commonest advice, built as SVG nodes. Decoration only: the words beside them say it all.
 */

import { node } from "../../shared/icons.js";

/** @typedef {[string, Record<string, string | number>]} Shape */

/** @param {number} x @param {number} y @param {number} r @param {string} [kind] @returns {Shape[]} a head and shoulders */
function person(x, y, r, kind = "") {
  const shoulders = `M${x - 2 * r} ${y + 3.2 * r}c0-${1.6 * r} ${r}-${2 * r} ${2 * r}-${2 * r}s${2 * r} ${0.4 * r} ${2 * r} ${2 * r}`;
  return [ring(x, y, r, kind), line(shoulders, kind)];
}

/** @param {string} d @param {string} [kind] @returns {Shape} */
const line = (d, kind = "") => ["path", { d, class: kind }];
/** @param {number} x @param {number} y @param {number} width @param {number} height @param {string} [kind] @returns {Shape} */
const box = (x, y, width, height, kind = "") => ["rect", { x, y, width, height, rx: 3, class: kind }];
/** @param {number} cx @param {number} cy @param {number} r @param {string} [kind] @returns {Shape} */
const ring = (cx, cy, r, kind = "") => ["circle", { cx, cy, r, class: kind }];

const screen = box(8, 6, 64, 46, "faint");
const microphone = [box(34, 8, 12, 26), line("M27 26v3a13 13 0 0 0 26 0v-3M40 42v9M32 52h16")];
const loudspeaker = [line("M20 24h9l12-11v34L29 36h-9z")];
/** A screen with its camera, from the side, and who sits before it. @type {Shape[]} */
const tilted = [line("M50 52H20L14 16"), ring(63, 25, 8), line("M51 52c0-10 5-15 12-15s12 5 12 15")];
const slash = line("M22 50 58 8", "accent");

/** @type {Record<string, Shape[]>} */
const DRAWINGS = {
  backlight: [box(46, 5, 28, 30, "accent"), line("M60 5v30M46 20h28", "accent"), ...person(28, 24, 9, "fill"), line("M70 44l4 4M58 41v6", "accent")],
  light: [...person(50, 26, 9), line("M14 24a8 8 0 1 1 8 0v5h-8zM15 33h6M18 4v-2M6 10l-2-1M30 10l2-1", "accent")],
  far: [screen, ...person(40, 27, 4), line("M14 46l8-7M66 46l-8-7M22 45v-6h-6M58 45v-6h6", "accent")],
  close: [screen, line("M14 52c0-30 8-40 26-40s26 10 26 40"), line("M22 20l-8-8M14 18v-6h6M58 20l8-8M60 12h6v6", "accent")],
  nobody: [screen, ["circle", { cx: 40, cy: 24, r: 8, class: "accent", "stroke-dasharray": "4 4" }], ["path", { d: "M24 48c0-12 7-14 16-14s16 2 16 14", class: "accent", "stroke-dasharray": "4 4" }]],
  up: [...tilted, line("M28 9H11M16 4l-5 5 5 5", "accent")],
  down: [...tilted, line("M11 9h17M23 4l5 5-5 5", "accent")],
  edge: [screen, ...person(34, 24, 6), line("M72 16a8 8 0 0 0 0 16M72 36c-6 0-9 3-9 12", "accent")],
  together: [screen, ...person(26, 24, 5), ...person(54, 24, 5), line("M34 46h4l-2-2M46 46h-4l2-2", "accent")],
  blurred: [screen, ["circle", { cx: 40, cy: 24, r: 8, class: "", "stroke-dasharray": "2 3" }], ["circle", { cx: 40, cy: 24, r: 11, class: "faint", "stroke-dasharray": "2 3" }], line("M24 48c0-12 7-14 16-14s16 2 16 14")],
  covered: [box(8, 6, 64, 46, "faint"), ...person(46, 24, 8), box(8, 6, 26, 46, "accent fill")],
  bands: [screen, ...person(40, 24, 8), line("M12 14h56M12 26h56M12 38h56", "accent")],
  turned: [box(26, 6, 28, 48, "faint"), line("M34 30a8 8 0 1 0 2-6M34 18v6h6", "accent")],
  left: [screen, ...person(58, 24, 7), line("M42 30H24M30 24l-6 6 6 6", "accent")],
  side: [screen, ...person(20, 24, 7), line("M38 30h18M50 24l6 6-6 6", "accent")],
  camera: [box(12, 16, 40, 28), line("M52 26l16-8v24l-16-8z"), line("M22 52h20", "accent")],
  camera_off: [box(12, 16, 40, 28), line("M52 26l16-8v24l-16-8z"), slash],
  muted: [...microphone, slash],
  microphone: [...microphone, line("M18 18c-3 4-3 12 0 16M62 18c3 4 3 12 0 16", "accent")],
  allow: [box(10, 10, 60, 40), line("M18 20h30M18 28h20", "faint"), line("M40 40l5 5 12-13", "accent")],
  in_use: [box(8, 8, 42, 30, "faint"), box(28, 20, 44, 32), line("M44 30l12 12M56 30 44 42", "accent")],
  speaker: [...loudspeaker, line("M48 22c4 4 4 12 0 16M55 16c7 8 7 20 0 28", "accent")],
  network: [line("M16 24c14-12 34-12 48 0M24 33c10-8 22-8 32 0M32 41c5-4 11-4 16 0"), ring(40, 49, 3, "fill")],
  browser: [box(8, 8, 64, 44), line("M8 18h64M14 13h1M20 13h1"), line("M30 36l7 7 14-15", "accent")],
  quiet: [ring(40, 28, 21), line("M32 21v.1M48 21v.1M31 37h4M45 37h4"), line("M36 54V34a4 4 0 0 1 8 0v20", "accent")],
  speak: [ring(26, 24, 12), line("M8 54c1-11 8-15 18-15s17 4 18 15"), line("M50 16c4 4 4 12 0 16M58 10c8 8 8 20 0 28", "accent")],
  listen: [ring(24, 26, 12), line("M6 54c1-10 8-14 18-14s17 4 18 14"), line("M74 12c-8 8-8 20 0 28M64 17c-5 5-5 13 0 18M54 22c-2 2-2 6 0 8", "accent")],
  headset: [line("M20 32v-4a20 20 0 0 1 40 0v4"), box(15, 30, 10, 16), box(55, 30, 10, 16), line("M60 46c0 6-8 9-16 9", "accent")],
  choose: [box(8, 8, 28, 18, "faint"), box(44, 8, 28, 18), box(8, 34, 28, 18, "faint"), box(44, 34, 28, 18, "faint"), line("M58 18v20M52 26l6-8 6 8", "accent")],
  door: [box(24, 6, 32, 48), ring(49, 31, 2, "fill"), line("M12 54h56", "faint")],
};

/** Which drawing belongs to which advice. @type {Record<string, string>} */
const OF_CODE = {
  "camera.backlit": "backlight", "camera.face_dark": "light", "camera.dark": "light", "camera.over_exposed": "backlight",
  "camera.too_far": "far", "camera.too_close": "close", "camera.nobody": "nobody", "camera.fewer_people": "together",
  "camera.head_cut": "up", "camera.tilt_down": "down", "camera.tilt_up": "up", "camera.chin_cut": "down", "camera.move_left": "left", "camera.move_right": "side",
  "camera.covered": "covered", "camera.flicker": "bands", "camera.someone_at_edge": "edge", "camera.blurred": "blurred", "camera.low_resolution": "blurred", "camera.slow": "light", "camera.haze": "blurred", "camera.rotated": "turned",
  "camera.noisy_light": "light", "camera.black": "camera_off", "camera.no_signal": "camera_off", "camera.denied": "allow", "permission.denied": "allow", "camera.in_use": "in_use",
  "permission.denied_system": "allow", "camera.denied_system": "allow", "microphone.denied_system": "allow", "camera.dismissed": "allow",
  "microphone.dismissed": "allow", "permission.dismissed": "allow", "permission.no_answer": "allow", "camera.no_answer": "allow", "microphone.no_answer": "allow",
  "permission.denied_policy": "camera_off", "camera.denied_policy": "camera_off", "microphone.denied_policy": "muted", "camera.no_frames": "camera_off", "camera.picture_hidden": "browser",
  "microphone.muted": "muted", "microphone.blocked": "muted", "equipment.headset": "headset", "microphone.telephone": "headset", "microphone.wrong_device": "headset",
  "microphone.too_quiet": "speak", "microphone.no_speech": "speak", "microphone.little_speech": "speak",
  "microphone.echo": "speaker", "microphone.noisy": "door", "microphone.drowned": "door", "microphone.others_talk": "quiet", "microphone.no_pause": "quiet", "microphone.too_loud": "speak",
  "microphone.denied": "allow", "microphone.in_use": "in_use",
  "sound.quiet": "quiet", "sound.speak": "speak", "speaker.listen": "listen", "speaker.choose": "choose",
  "practical.private_room": "door", "browser.unsupported": "browser", "browser.no_capture": "browser",
};

/** @param {string} code advice code @returns {Shape[]} */
function shapesOf(code) {
  const area = code.split(".")[0];
  return DRAWINGS[OF_CODE[code] ?? area] ?? DRAWINGS.browser;
}

/** @param {Element} svg @param {string} code advice code */
export function draw(svg, code) {
  svg.replaceChildren(...shapesOf(code).map(([tag, attributes]) => node(tag, attributes)));
}
