/**
 * Words for codes. One flat catalogue per language; `{name}` is a placeholder.
 * @typedef {import("./types").Lang} Lang
 */

export const LANGS = /** @type {const} */ (["nb", "nn", "en"]);

/** Languages of `Intl`, which knows nb and nn apart. @type {Record<Lang, string>} */
const REGION = { nb: "nb-NO", nn: "nn-NO", en: "en-GB" };

/** @param {unknown} value @returns {value is Lang} */
export function isLang(value) {
  return LANGS.some((lang) => lang === value);
}

/**
 * The catalogue language for a browser's or a page's language tag; Norwegian bokmål where nothing fits.
 * @param {string | null | undefined} tag @returns {Lang}
 */
export function langOf(tag) {
  const primary = (tag ?? "").toLowerCase().split("-")[0];
  if (primary === "no") return "nb";
  return isLang(primary) ? primary : "nb";
}

/**
 * @param {string} text @param {Record<string, string | number>} [values]
 * @returns {string} the text with its placeholders filled; an unknown placeholder stays as it is
 */
export function fill(text, values = {}) {
  return text.replace(/\{([a-z_]+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * @param {Lang} lang @param {Record<string, string>} catalogue
 * @param {Record<string, string | number>} [common] placeholders every text may use, such as `phone`
 */
export function createTexts(lang, catalogue, common = {}) {
  return {
    lang,
    /** @param {string} key */
    has: (key) => Object.hasOwn(catalogue, key),
    /** The text of a key; the key itself where it is missing, so that nothing is ever blank.
     * @param {string} key @param {Record<string, string | number>} [values] */
    t: (key, values) => fill(catalogue[key] ?? key, { ...common, ...values }),
    /** The first of these keys that exists, or "". @param {string[]} keys @param {Record<string, string | number>} [values] */
    first(keys, values) {
      const key = keys.find((one) => Object.hasOwn(catalogue, one));
      return key ? fill(catalogue[key], { ...common, ...values }) : "";
    },
    /** @param {number} value @param {number} [digits] most decimals */
    number: (value, digits = 1) => new Intl.NumberFormat(REGION[lang], { maximumFractionDigits: digits }).format(value),
    /** @param {string | Date} when @param {Intl.DateTimeFormatOptions} options */
    date: (when, options) => new Intl.DateTimeFormat(REGION[lang], options).format(new Date(when)),
    /** "2 hours ago", by whole units. @param {number} seconds how long ago */
    ago(seconds) {
      const format = new Intl.RelativeTimeFormat(REGION[lang], { numeric: "always" });
      if (seconds < 60) return fill(catalogue["time.just_now"] ?? "time.just_now");
      if (seconds < 3600) return format.format(-Math.floor(seconds / 60), "minute");
      if (seconds < 86400) return format.format(-Math.floor(seconds / 3600), "hour");
      return format.format(-Math.floor(seconds / 86400), "day");
    },
  };
}

/** @typedef {ReturnType<typeof createTexts>} Texts */

/**
 * @param {string} base the versioned folder of static files @param {Lang} lang
 * @returns {Promise<Record<string, string>>}
 */
export async function loadCatalogue(base, lang) {
  const response = await fetch(`${base}/locales/${lang}.json`);
  if (!response.ok) throw new Error(`catalogue ${lang}: ${response.status}`);
  return response.json();
}

/**
 * Put words into every element that names its text by `data-t`, and into labels named by `data-t-label`.
 * @param {ParentNode} root @param {Texts} texts
 */
export function applyTexts(root, texts) {
  for (const element of root.querySelectorAll("[data-t]")) {
    const text = texts.t(element.getAttribute("data-t") ?? "");
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of root.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", texts.t(element.getAttribute("data-t-label") ?? ""));
  }
}
