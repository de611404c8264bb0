/**
 * Output for people who hear the page instead of seeing it, each thing once: words are announced, or get the focus,
 * never both. A focus whose element disappears moves to the place where reading continues.
 */

import { make } from "./dom.js";

/** How long announced words stay for a busy screen reader, ms. */
const STAY_MS = 10_000;

/** @type {HTMLElement | null} */
let region = null;

/** Make the live region in advance: it is heard only if it exists before its words. */
function ready() {
  if (region?.isConnected || typeof document === "undefined") return;
  region = make("div", { class: "visually-hidden", "aria-live": "polite" });
  document.body.append(region);
}
ready();

/** Announce words that no visible live region has. @param {string} text */
export function announce(text) {
  ready();
  const line = make("p", {}, text);
  region?.append(line);
  setTimeout(() => line.remove(), STAY_MS);
}

/**
 * Move the focus to a heading with new words. If the focus is there already, an element with the same words takes its
 * place, because focusing the focused one is silent.
 * @param {HTMLElement} heading
 */
export function readFrom(heading) {
  let target = heading;
  if (document.activeElement === heading) {
    target = /** @type {HTMLElement} */ (heading.cloneNode(true));
    heading.replaceWith(target);
  }
  if (target.tabIndex < 0) target.tabIndex = -1;
  target.focus({ preventScroll: true });
}

/** @param {Element} element whether it can still have the focus */
const isThere = (element) => element.isConnected && element.getClientRects().length > 0 && !element.matches(":disabled");

/** @param {Element} element @returns {Element[]} itself and what it stands in, innermost first */
function trail(element) {
  const found = [element];
  for (let one = element.parentElement; one; one = one.parentElement) found.push(one);
  return found;
}

/**
 * Draw without losing the focus.
 * @param {() => void} work
 * @param {(place: Element) => Element | null | undefined} next where reading continues if the focused element is gone; gets the innermost box around it that is still there
 */
export function keepFocus(work, next) {
  const before = document.activeElement;
  const boxes = before ? trail(before) : [];
  work();
  if (!before || before === document.body || before === document.documentElement || isThere(before)) return;
  const target = next(boxes.slice(1).find(isThere) ?? document.body);
  if (target instanceof HTMLElement) readFrom(target);
}
