/**
 * Another browser: what this one can't do, said before the start, and the link to take along, where it is advised.
 * Loaded where something is missing.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 */
import { adviceWords } from "./advice.js";

/** Advice that means: open the link somewhere else. */
const ELSEWHERE = new Set(["browser.no_capture", "browser.unsupported"]);

/** The advice for a browser that lacks these. @param {string[]} missing W3C names @param {boolean} isSecure only a secure page may ask for a camera at all */
export function adviceFor(missing, isSecure) {
  if (!isSecure) return "page.insecure";
  return missing.includes("getUserMedia") ? "browser.no_capture" : "browser.unsupported";
}

/** Whether a test would tell anything: without this nothing reaches us. @param {string[]} missing */
export const canTry = (missing) => !missing.includes("WebSocket");

/**
 * The button that copies the link, or where the link stands when this page no longer knows it.
 * @param {Texts} texts @param {boolean} copyable @returns {HTMLElement}
 */
function copyBox(texts, copyable) {
  const box = document.createElement("div");
  box.className = "copy";
  if (!copyable) {
    box.textContent = texts.t("link.in_invitation");
    return box;
  }
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: texts.t("link.copy") });
  button.dataset.action = "copy-link";
  const copied = document.createElement("p");
  copied.className = "copied";
  copied.setAttribute("role", "status");
  box.append(button, copied);
  return box;
}

/** @param {string[]} missing W3C names, at least one @param {boolean} isSecure */
export function createElsewhere(missing, isSecure) {
  return {
    isFor: (/** @type {string} */ code) => ELSEWHERE.has(code),

    /** The link beside the advice that asks for it. @param {HTMLElement} item @param {string} code @param {Texts} texts @param {boolean} copyable */
    addCopy(item, code, texts, copyable) {
      if (ELSEWHERE.has(code)) (item.querySelector("div") ?? item).append(copyBox(texts, copyable));
    },

    /** Before the start. @param {import("./advice.js").Names} names @param {Texts} texts @param {boolean} copyable */
    warn(names, texts, copyable) {
      const place = /** @type {HTMLElement} */ (document.querySelector("#unable"));
      const start = /** @type {HTMLElement} */ (document.querySelector("#start"));
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
      const line = (/** @type {string} */ kind, /** @type {string} */ text) => Object.assign(document.createElement(kind), { textContent: text });
      const box = document.createElement("div");
      box.append(line("h2", title), line("p", remedy), ...(ELSEWHERE.has(code) ? [copyBox(texts, copyable)] : []), line("p", texts.t(canTry(missing) ? "elsewhere.anyway" : "elsewhere.nothing")));
      place.replaceChildren(box);
    },
  };
}

/** @typedef {ReturnType<typeof createElsewhere>} Elsewhere */
