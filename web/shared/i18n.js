/**
 * Words for codes. One flat catalogue per language; `{name}` is a placeholder.
 * @typedef {import("./types").Lang} Lang
 */

/**
 * The languages, the default first. The server puts its own table here when it serves this file.
 * @type {Record<Lang, { tag: string, dir: string, voice: Lang, home: string }>}
 */
export const LANGUAGES = {};

/** @param {unknown} value @returns {value is Lang} */
export function isLang(value) {
  return typeof value === "string" && Object.hasOwn(LANGUAGES, value);
}

/** Mark the page's language and direction for the browser, and on the buttons for other languages. @param {Lang} lang */
export function writtenIn(lang) {
  document.documentElement.lang = lang;
  document.documentElement.dir = LANGUAGES[lang].dir;
  for (const button of document.querySelectorAll("[data-lang]")) button.setAttribute("aria-pressed", String(button.getAttribute("data-lang") === lang));
}

/**
 * The catalogue language for a browser's or a page's language tag; the default if none fits.
 * @param {string | null | undefined} tag @returns {Lang}
 */
export function langOf(tag) {
  const primary = (tag ?? "").toLowerCase().split("-")[0];
  return isLang(primary) ? primary : Object.keys(LANGUAGES)[0];
}

/**
 * @param {string} text @param {Record<string, string | number>} [values]
 * @returns {string} the text with its placeholders filled; an unknown placeholder stays as it is
 */
export function fill(text, values = {}) {
  return text.replace(/\{([a-z_]+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Units of an age, seconds. */
const AGES = /** @type {const} */ ([["days", 86400], ["hours", 3600], ["minutes", 60]]);
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** @param {string} when @param {string} timeZone @returns {{ weekday: number, day: number, month: number }} weekday 1 is Monday */
function dateParts(when, timeZone) {
  const format = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "numeric", timeZone });
  const parts = Object.fromEntries(format.formatToParts(new Date(when)).map(({ type, value }) => [type, value]));
  return { weekday: WEEKDAYS.indexOf(parts.weekday) + 1, day: Number(parts.day), month: Number(parts.month) };
}

/** @param {string | number} when @param {string} [timeZone] the reader's own by default */
function clockTime(when, timeZone) {
  return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone }).format(new Date(when));
}

/**
 * A phone number for readers of a language: without their own country's code, grouped, never broken.
 * @param {Lang} lang @param {string} number
 */
export function phoneIn(lang, number) {
  const { home } = LANGUAGES[lang];
  const digits = number.replace(/[^+\d]/g, "");
  const own = home && digits.startsWith(home) ? digits.slice(home.length) : digits;
  if (!home || !/^\d{8}$/.test(own)) return number.replaceAll(" ", "\u00a0");
  return own.replace(/[489]/.test(own[0]) ? /(...)(..)(...)/ : /(..)(..)(..)(..)/, (_, ...groups) => groups.slice(0, -2).join("\u00a0"));
}

/**
 * @param {Lang} lang @param {Record<string, string>} catalogue
 * @param {Record<string, string | number>} [common] placeholders every text may use, such as `phone`
 */
export function createTexts(lang, catalogue, common = {}) {
  /** The text of a key; the key itself if it is missing, so that nothing is ever blank.
   * @param {string} key @param {Record<string, string | number>} [values] */
  const t = (key, values) => fill(catalogue[key] ?? key, { ...common, ...values });
  /** The text of a key for a count: the form of its plural category (CLDR), else that for others, else the only one.
   * @param {string} key @param {number} count @param {Record<string, string | number>} [values] */
  const plural = (key, count, values) => {
    const forms = [`${key}#${new Intl.PluralRules(LANGUAGES[lang].tag).select(count)}`, `${key}#other`];
    return t(forms.find((form) => Object.hasOwn(catalogue, form)) ?? key, { count, ...values });
  };
  /** The time of day. @param {string | number} when @param {string} [timeZone] the reader's own by default */
  const clock = (when, timeZone) => {
    const [hour, minute] = clockTime(when, timeZone).split(":");
    return t("time.clock", { hour, minute });
  };
  return {
    lang,
    t,
    plural,
    /** @param {string} key */
    has: (key) => Object.hasOwn(catalogue, key),
    /** The first of these keys that exists, or "". @param {string[]} keys @param {Record<string, string | number>} [values] */
    first(keys, values) {
      const key = keys.find((one) => Object.hasOwn(catalogue, one));
      return key ? fill(catalogue[key], { ...common, ...values }) : "";
    },
    /** @param {number} value @param {number} [digits] most decimals */
    number: (value, digits = 1) => new Intl.NumberFormat(LANGUAGES[lang].tag, { maximumFractionDigits: digits }).format(value),
    /** Day and time in a zone, in the catalogue's words, because browsers seldom know nynorsk.
     * @param {string} when RFC 3339 @param {string} timeZone */
    at(when, timeZone) {
      const { weekday, day, month } = dateParts(when, timeZone);
      return t("time.at", { weekday: t(`time.weekday_${weekday}`), day, month: t(`time.month_${month}`), time: clock(when, timeZone) });
    },
    clock,
    /** "2 hours ago", by whole units. @param {number} seconds how long ago */
    ago(seconds) {
      const found = AGES.find(([, size]) => seconds >= size);
      if (!found) return t("time.just_now");
      return plural(`time.${found[0]}`, Math.floor(seconds / found[1]));
    },
  };
}

/** @typedef {ReturnType<typeof createTexts>} Texts */

/**
 * @param {string} base the versioned folder of static files @param {Lang} lang
 * @param {"" | "staff/" | Part} [folder] staff's pages have more words, and so have trouble, the answer and being followed
 * @returns {Promise<Record<string, string>>}
 */
export async function loadCatalogue(base, lang, folder = "") {
  const response = await fetch(`${base}/locales/${folder}${lang}.json`);
  if (!response.ok) throw new Error(`catalogue ${lang}: ${response.status}`);
  return response.json();
}

/**
 * Put words into every element that names its text by `data-t`, and into labels by `data-t-label`.
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

/**
 * The words of one language, by when they are needed: most at the start, those for what seldom happens in trouble, those of
 * figures and of the question afterwards with the answer, those of being followed with the offer.
 * @typedef {"trouble/" | "later/" | "follow/"} Part
 */

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
