/**
 * From an advice code to words, with the remedy of this very browser where there is one.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {{ os: string, browser: string }} Names
 */

/** @param {string} code @param {Names} names @returns {string[]} keys, best first */
export function remedyKeys(code, { os, browser }) {
  const stem = `advice.${code}.do`;
  return [`${stem}.${os}_${browser}`, `${stem}.${os}`, `${stem}.${browser}`, stem];
}

/** @param {Texts} texts @param {string} code @param {Names} names @returns {{ title: string, remedy: string }} */
export function adviceWords(texts, code, names) {
  const known = texts.has(`advice.${code}.title`) ? code : "service.fault";
  return { title: texts.t(`advice.${known}.title`), remedy: texts.first(remedyKeys(known, names)) };
}

/** Advice code for a device that could not be opened. @type {Record<string, string>} */
const STATUS_CODES = {
  NotAllowedError: "denied", NotFoundError: "not_found", NotReadableError: "in_use",
  OverconstrainedError: "unsuitable", failed: "failed", ended: "ended",
};

/** @param {"camera" | "microphone"} device @param {string} status @returns {string | null} */
export function statusAdvice(device, status) {
  if (status === "present") return null;
  if (status === "insecure") return "page.insecure";
  if (status === "unsupported") return "browser.no_capture";
  return `${device}.${STATUS_CODES[status] ?? "failed"}`;
}
