/**
 * Lists that are drawn again and again, in which a finger or a focus may rest on an item.
 */

/** Make `list` hold exactly these, in this order; nothing is moved that stands where it should. @param {Element} list @param {Element[]} items */
export function arrangeIn(list, items) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  items.forEach((item, place) => {
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  while (list.children.length > items.length) list.lastElementChild?.remove();
  if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}
