/**
 * The secret of a link as it arrives: mail programs and their scanners write `#` as `%23`, cut it off, put signs around it or
 * break it in the middle. Pure.
 */

/** Characters of a token: 256 bits in base64url. */
const LENGTH = 43;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;
/** A secret this short was cut off by some program. */
const LEAST = 16;
/** A Safe Link inside a redirect inside a mail is encoded three times. */
const MOST_DECODED = 4;
const PAGE = /^\/*o\/+[^/]+\/+(try|t|board|plan|support|code|rooms)(?=[^a-z0-9_-]|$|[a-z0-9_-]{43}$)(.*)$/is;

/** @param {string} text @returns {string} percent-decoded as often as it was encoded; bytes that are no UTF-8 stay */
function decoded(text) {
  let found = text;
  for (let i = 0; i < MOST_DECODED; i += 1) {
    found = found.replace(/(?:%[0-9a-f]{2})+/gi, (piece) => {
      try {
        return decodeURIComponent(piece);
      } catch {
        return piece;
      }
    });
  }
  return found;
}

/** Without mails' line breaks (also `=` at the end of a line), spaces and invisible characters. @param {string} text */
const joined = (text) => text.replace(/=?[\r\n]+\s*|&shy;/g, "").replace(/[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "");

/**
 * Undo an editor's typography: dashes for hyphens, one long one for two, and Markdown's `\\_`.
 * @param {string} text @param {string} long the hyphens that a long dash stands for
 */
const typed = (text, long) => text.replace(/\\(?=[_-])/g, "").replace(/[\u2013\u2014]/g, long).replace(/[\u2010-\u2012\u2212\ufe63\uff0d]/g, "-");

/** Return a token at either end of a run. Signs that mails put around a link may be a token's letters too, so nothing else may be left. @param {string} run */
function fitting(run) {
  if (TOKEN.test(run)) return run;
  const over = run.length - LENGTH;
  if (over < 0 || over > 4) return null;
  for (const front of [over / 2, 0, over].map(Math.floor)) {
    const found = run.slice(front, front + LENGTH);
    if (TOKEN.test(found) && /^[_*~-]*$/.test(run.slice(0, front) + run.slice(front + LENGTH))) return found;
  }
  return null;
}

/** @param {string} text a fragment, or the end of a path @returns {string | null} the whole token in it */
export function tokenIn(text) {
  const plain = joined(decoded(text));
  const asSent = [plain.replace(/=/g, ""), joined(plain.replace(/=([0-9A-F]{2})/gi, (_, digits) => String.fromCharCode(parseInt(digits, 16)))), plain];
  const pieces = [...asSent, ...["-", "--"].map((sign) => typed(plain, sign))];
  for (const piece of pieces) {
    for (const run of piece.split(/[^A-Za-z0-9_-]+/)) {
      const found = fitting(run);
      if (found) return found;
    }
  }
  return null;
}

/** The page that an address means, whatever was appended to it. @param {string} pathname @returns {{ page: string, rest: string } | null} */
export function pageOf(pathname) {
  const [, page, rest] = PAGE.exec(joined(decoded(pathname))) ?? [];
  return page ? { page: page.toLowerCase(), rest } : null;
}

/**
 * The secret of this address. `seen`: it was in a part that servers and proxies read.
 * @param {{ hash: string, pathname: string, search: string }} address
 * @returns {{ token: string, seen: boolean } | null} null without one, or if too little of it is left
 */
export function secretOf({ hash, pathname, search }) {
  const fragment = hash.slice(1);
  const whole = tokenIn(fragment);
  if (whole) return { token: whole, seen: false };
  const meant = pageOf(pathname);
  if (!meant) return null;
  const query = joined(decoded(search)).replace(/^\?/, "");
  const inQuery = query.includes("#") ? query.slice(query.indexOf("#") + 1) : query;
  const seen = tokenIn(meant.rest) ?? (query.includes("#") || TOKEN.test(inQuery) ? tokenIn(inQuery) : null);
  if (seen) return { token: seen, seen: true };
  return fragment.length >= LEAST ? { token: fragment, seen: false } : null;
}
