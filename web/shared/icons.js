/**
 * Icons as SVG nodes, each with a shape of its own, so that none depends on its colour. And the tones (icon and colour) of
 * all results of a test.
 */

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} tag @param {Record<string, string | number>} attributes */
export function node(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== "") element.setAttribute(name, String(value));
  return element;
}

/** @type {Record<string, string>} */
const ICONS = {
  good: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM7 12.5l3.5 3.5L17 9",
  warn: "M12 3 1.5 21h21zM12 10v5M12 18v.01",
  bad: "M8 2h8l6 6v8l-6 6H8l-6-6V8zM8.5 8.5l7 7M15.5 8.5l-7 7",
  calm: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM12 11v6M12 7v.01",
  waiting: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z",
  running: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM12 6v6l4 2",
};

/** Tones of verdicts, participants' states and checks' outcomes; the same as in `reports/render/tones.py`. @type {Record<string, string>} */
export const TONES = {
  ready: "good", pass: "good", ready_with_warnings: "warn", warn: "warn", not_ready: "bad", fail: "bad",
  incomplete: "calm", not_measured: "calm", skipped: "calm", stale: "calm", not_tested: "waiting",
};

/** @param {Element} svg @param {string} name */
export function icon(svg, name) {
  if (svg.getAttribute("data-icon") === name) return;
  svg.setAttribute("data-icon", name);
  svg.replaceChildren(node("path", { d: ICONS[name] ?? ICONS.calm }));
}
