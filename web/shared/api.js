/**
 * The pages' HTTP calls, and the exchange of a link's secret for a session:
 * it stands in the address's fragment, is posted once, and is taken out of the address at once.
 */

/** `code` is looked up as error.<code>. */
export class ApiError extends Error {
  /** @param {string} code @param {number} status @param {string} [field] what is wrong, such as participants.0.mail */
  constructor(code, status, field = "") {
    super(code);
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    this.field = field;
  }
}

/** @param {unknown} error @returns {string} its code; "internal" for any fault of ours */
export const codeOf = (error) => (error instanceof ApiError ? error.code : "internal");

/**
 * @param {string} path @param {object} [body] posted as JSON where given @param {string} [method]
 * @param {Record<string, string>} [headers] @returns {Promise<any>}
 */
export async function call(path, body, method = body ? "POST" : "GET", headers = {}) {
  const sent = body ? { headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) } : { headers };
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, { method, ...sent });
  } catch {
    throw new ApiError("unreachable", 0);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(answer?.error?.code ?? "internal", response.status, answer?.error?.field);
  return answer;
}

/** @param {string} name of a meta element @returns {string} */
export function meta(name) {
  return document.querySelector(`meta[name="${name}"]`)?.getAttribute("content") ?? "";
}

/** The public session id of an address such as /t/<id>. @param {string} path @param {"t" | "board" | "support" | "rooms"} kind */
export function sessionOf(path, kind) {
  const [, folder, id] = path.replace(/^\/+/, "/").split("/");
  return folder === kind && id ? decodeURIComponent(id) : null;
}

/** A link as we make it; any other address is examined closely. */
const AS_GIVEN = /^\/o\/[^/]+\/(?:t|try|board|plan|support|rooms)$/;
const PLAIN = /^\?lang=\w*$/;
const TOKEN = /^#[A-Za-z0-9_-]{43}$/;
/** Least length of a secret. A link pasted over the address of the same page changes only its fragment and loads nothing by itself. */
const LEAST_SECRET = 16;

/**
 * The secret of this address, and whether servers have read it; null without any. A mangled address is repaired.
 * @param {string} organisation @returns {Promise<{ token: string, seen: boolean, home: string } | null>}
 */
async function secretHere(organisation) {
  const { hash, pathname, search } = location;
  if (AS_GIVEN.test(pathname) && (!hash || TOKEN.test(hash)) && (hash || !search || PLAIN.test(search))) return hash ? { token: hash.slice(1), seen: false, home: pathname } : null;
  if (!hash && !pathname.slice(1).toLowerCase().includes("o/")) return null;
  const { pageOf, secretOf } = await import("./token.js");
  const secret = secretOf({ hash, pathname, search });
  const page = pageOf(pathname)?.page;
  const home = page ? `/o/${organisation}/${page}` : pathname;
  if (!secret && page) history.replaceState(null, "", home + askedFor());
  return secret && { ...secret, home };
}

/** The part of the query that is kept: the language. */
const askedFor = () => {
  const lang = new URLSearchParams(location.search).get("lang");
  return lang ? `?lang=${encodeURIComponent(lang)}` : "";
};

/**
 * Exchange the secret in the address for a session. Reads the address once, before anything else can. If servers on the way have
 * read the secret too, the address remembers that for this tab (`history.state.seen`), and a person's press renews the link (renew.js).
 * @param {string} organisation
 * @returns {Promise<{ session: string, link: string, seen: boolean } | null>} null where there is no secret; `link` is "" where it
 *   is not to be passed on
 */
export async function redeem(organisation) {
  window.addEventListener("hashchange", () => location.hash.length > LEAST_SECRET && location.reload());
  const secret = await secretHere(organisation);
  if (!secret) return null;
  try {
    const { session, path, replaced } = await call("/api/v1/links/redeem", { organisation, token: secret.token });
    const seen = secret.seen || replaced === true;
    history.replaceState(seen ? { seen } : null, "", path + askedFor());
    return { session, link: seen ? "" : `${location.origin}${secret.home}${askedFor()}#${secret.token}`, seen };
  } catch (error) {
    const refused = error instanceof ApiError && error.status === 404;
    if (refused) history.replaceState(null, "", secret.home + askedFor());
    throw error;
  }
}

/** Keep the language in the address, and nowhere else, so that it survives a reload. @param {string} lang */
export function keepLanguage(lang) {
  history.replaceState(history.state, "", `${location.pathname}?lang=${lang}${location.hash}`);
}
