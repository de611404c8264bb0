/**
 * Typed codes: ten characters of Crockford's base32, read off a letter. Pure.
 */

/** Characters of a code. */
export const LENGTH = 10;
const GROUP = 5;
const ALPHABET = /^[0-9A-HJKMNP-TV-Z]+$/;
/** What looks alike on paper. @type {Record<string, string>} */
const MISREAD = { O: "0", I: "1", L: "1", U: "V" };

/** @param {string} typed @returns {string} its letters and digits, as in the code */
export function clean(typed) {
  const plain = typed.normalize("NFKC").toUpperCase().replaceAll(/[^A-Z0-9]/g, "");
  return plain.replaceAll(/[OILU]/g, (letter) => MISREAD[letter]);
}

/** @param {string} typed @returns {boolean} could it be a code? */
export function isWhole(typed) {
  const code = clean(typed);
  return code.length === LENGTH && ALPHABET.test(code);
}

/** The code as printed on the letter. @param {string} typed */
export function grouped(typed) {
  const code = clean(typed);
  return code.length > GROUP ? `${code.slice(0, GROUP)}-${code.slice(GROUP)}` : code;
}
