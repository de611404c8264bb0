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

/**
 * @param {Texts} texts @param {string} code @param {Names} names @param {boolean} [again] the test before said the same
 * @returns {{ title: string, remedy: string }}
 */
export function adviceWords(texts, code, names, again = false) {
  const known = texts.has(`advice.${code}.title`) ? code : "service.fault";
  const keys = [...(again ? [`advice.${known}.again`] : []), ...remedyKeys(known, names)];
  return { title: texts.t(`advice.${known}.title`), remedy: texts.first(keys) };
}

/** Pairs of advice that one answer of the browser decides, and so one thing to do. */
const SHARED = ["denied", "denied_system", "denied_policy", "dismissed", "no_answer"];

/** @param {string[]} codes @returns {string[]} */
export function asOne(codes) {
  let found = codes;
  for (const end of SHARED) {
    const both = [`camera.${end}`, `microphone.${end}`];
    if (!both.every((code) => found.includes(code))) continue;
    const [first] = found.filter((code) => both.includes(code));
    found = found.filter((code) => code === first || !both.includes(code)).map((code) => (code === first ? `permission.${end}` : code));
  }
  return found;
}

/** Advice code for a device that could not be opened. @type {Record<string, string>} */
const STATUS_CODES = {
  NotAllowedError: "denied", denied_by_system: "denied_system", SecurityError: "denied_policy", dismissed: "dismissed",
  NotFoundError: "not_found", NotReadableError: "in_use", AbortError: "in_use", OverconstrainedError: "unsuitable",
  no_answer: "no_answer", no_frames: "no_frames", failed: "failed", ended: "ended",
};

/** @param {"camera" | "microphone"} device @param {string} status @returns {string | null} */
export function statusAdvice(device, status) {
  if (status === "present") return null;
  if (status === "insecure") return "page.insecure";
  if (status === "unsupported") return "browser.no_capture";
  if (status === "no_frames" && device === "microphone") return "microphone.failed";
  return `${device}.${STATUS_CODES[status] ?? "failed"}`;
}

/** @param {import("../../shared/types").DevicesResult} found @returns {string[]} faults of camera and microphone, each once */
export function devicesAdvice({ camera, microphone, hidden }) {
  const codes = [statusAdvice("camera", camera.status), hidden ? "camera.picture_hidden" : null, statusAdvice("microphone", microphone.status)];
  return /** @type {string[]} */ ([...new Set(codes.filter((code) => code !== null))]);
}
