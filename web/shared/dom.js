/**
 * The document of every page: finding elements, changing their words, copying a template, making an element.
 */

/** Return an element that must be on the page; throws without it. @template {Element} [T=HTMLElement] @param {string} selector @param {ParentNode} [root] @returns {T} */
export function find(selector, root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`the page has no ${selector}`);
  return /** @type {T} */ (/** @type {unknown} */ (element));
}

/** @param {Element | null} element @param {string} text set only if it differs, so that nothing is read out twice */
export function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** A copy of a template's first element. @param {string} id @returns {HTMLElement} */
export function copyOf(id) {
  const { content } = /** @type {HTMLTemplateElement} */ (find(`#${id}`));
  return /** @type {HTMLElement} */ (content.firstElementChild?.cloneNode(true));
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag @param {Tag} tag @param {Record<string, string>} [attributes] @param {string} [text]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, text = "") {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}
