/**
 * What somebody hears who does not see the page, each thing once: words are announced, or the focus is moved to them,
 * and never both. A focus that would be left on nothing goes to where the reading goes on.
 */

import { make } from "./dom.js";

/** How long announced words stay for a screen reader that is busy, ms. */
const STAY_MS = 10_000;

/** @type {HTMLElement | null} */
let region = null;

/** A live region is heard only if it was there before its words. */
function ready() {
  if (region?.isConnected || typeof document === "undefined") return;
  region = make("div", { class: "visually-hidden", "aria-live": "polite" });
  document.body.append(region);
}
ready();

/** Say something that no visible live region says. @param {string} text */
export function announce(text) {
  ready();
  const line = make("p", {}, text);
  region?.append(line);
  setTimeout(() => line.remove(), STAY_MS);
}

/**
 * Move the focus to a heading whose words are new. Where it already is, another element with the same words takes its
 * place: focusing the focused one tells nobody anything.
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
 * Draw, and see that the focus is not lost by it.
 * @param {() => void} work
 * @param {(place: Element) => Element | null | undefined} next where the reading goes on when what had the focus is gone, from the innermost box it stood in that is still there
 */
export function keepFocus(work, next) {
  const before = document.activeElement;
  const boxes = before ? trail(before) : [];
  work();
  if (!before || before === document.body || before === document.documentElement || isThere(before)) return;
  const target = next(boxes.slice(1).find(isThere) ?? document.body);
  if (target instanceof HTMLElement) readFrom(target);
}
