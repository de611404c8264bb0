/**
 * For browsers that lack something: a warning before the start, and the link to take along where that is advised.
 * Loaded where something is missing.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 */
import { find, make } from "../../shared/dom.js";
import { adviceWords } from "./advice.js";

/** Advice to open the link somewhere else. */
const ELSEWHERE = new Set(["browser.no_capture", "browser.unsupported"]);

/** The advice for a browser without these interfaces. @param {string[]} missing W3C names @param {boolean} isSecure only a secure page may ask for a camera at all */
export function adviceFor(missing, isSecure) {
  if (!isSecure) return "page.insecure";
  return missing.includes("getUserMedia") ? "browser.no_capture" : "browser.unsupported";
}

/** Whether a test is of any use: without this nothing reaches us. @param {string[]} missing */
export const canTry = (missing) => !missing.includes("WebSocket");

/**
 * The button that copies the link, or words on where to find it if this page no longer knows it.
 * @param {Texts} texts @param {boolean} copyable @returns {HTMLElement}
 */
function copyBox(texts, copyable) {
  const box = make("div", { class: "copy" }, copyable ? "" : texts.t("link.in_invitation"));
  if (!copyable) return box;
  const button = make("button", { type: "button", class: "button", "data-action": "copy-link" }, texts.t("link.copy"));
  box.append(button, make("p", { class: "copied", role: "status" }));
  return box;
}

/** @param {string[]} missing W3C names, at least one @param {boolean} isSecure */
export function createElsewhere(missing, isSecure) {
  return {
    isFor: (/** @type {string} */ code) => ELSEWHERE.has(code),

    /** Add the link beside advice that asks for it. @param {HTMLElement} item @param {string} code @param {Texts} texts @param {boolean} copyable */
    addCopy(item, code, texts, copyable) {
      if (ELSEWHERE.has(code)) (item.querySelector("div") ?? item).append(copyBox(texts, copyable));
    },

    /** Warn before the start. @param {import("./advice.js").Names} names @param {Texts} texts @param {boolean} copyable */
    warn(names, texts, copyable) {
      const place = find("#unable");
      const start = find("#start");
      start.hidden = !canTry(missing);
      start.classList.remove("primary");
      start.textContent = texts.t("elsewhere.start");
      place.hidden = false;
      const code = adviceFor(missing, isSecure);
      const key = `${texts.lang} ${copyable}`;
      if (place.dataset.key === key) return;
      place.dataset.key = key;
      place.dataset.advice = code;
      const { title, remedy } = adviceWords(texts, code, names);
      const box = make("div");
      box.append(make("h2", {}, title), make("p", {}, remedy), ...(ELSEWHERE.has(code) ? [copyBox(texts, copyable)] : []), make("p", {}, texts.t(canTry(missing) ? "elsewhere.anyway" : "elsewhere.nothing")));
      place.replaceChildren(box);
    },
  };
}

/** @typedef {ReturnType<typeof createElsewhere>} Elsewhere */
