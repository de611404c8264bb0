/**
 * The words of one language, by when they are needed: most at the start, those for what seldom happens in trouble, those of
 * figures and of the question afterwards with the answer.
 * @typedef {import("../../shared/i18n.js").Lang} Lang
 * @typedef {"trouble/" | "later/"} Part
 */
import { loadCatalogue } from "../../shared/i18n.js";

/** @param {string} base the versioned folder of static files */
export function createCatalogues(base) {
  /** @type {Lang | null} */
  let lang = null;
  /** @type {Record<string, string>} */
  let words = {};
  /** What is here besides, or on its way. @type {Map<Part, Promise<void>>} */
  const parts = new Map();

  /** @param {Part} part @returns {Promise<void>} settles when the words are here; asked again where they did not come */
  function find(part) {
    const [into, known] = [words, parts.get(part)];
    if (known || !lang) return known ?? Promise.resolve();
    const coming = loadCatalogue(base, lang, part).then((found) => void Object.assign(into, found));
    parts.set(part, coming);
    coming.catch(() => parts.delete(part));
    return coming;
  }

  return {
    find,
    /** @param {Part} part */
    has: (part) => parts.has(part),
    /** @returns {Record<string, string>} all that is here */
    words: () => words,
    /** Another language, with every part that was here of the last. @param {Lang} next */
    async change(next) {
      const found = await loadCatalogue(base, next);
      const wanted = [...parts.keys()];
      const more = await Promise.all(wanted.map((part) => loadCatalogue(base, next, part)));
      lang = next;
      words = Object.assign({}, found, ...more);
    },
  };
}
