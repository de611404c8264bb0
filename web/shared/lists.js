/**
 * Redraws lists without disturbing a finger or a focus on an item.
 */

/** Make `list` hold exactly these items in this order; items in their place are not moved. @param {Element} list @param {Element[]} items */
export function arrangeIn(list, items) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  items.forEach((item, place) => {
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  while (list.children.length > items.length) list.lastElementChild?.remove();
  if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}
