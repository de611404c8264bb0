/**
 * The few HTTP calls of the pages, and how a link's secret becomes a session:
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

/** The public session id of an address such as /t/<id>. @param {string} path @param {"t" | "board"} kind */
export function sessionOf(path, kind) {
  const [, folder, id] = path.split("/");
  return folder === kind && id ? decodeURIComponent(id) : null;
}

/**
 * Swap the secret in the address for a session. Reads the address once, before anything else can.
 * @param {string} organisation @returns {Promise<{ session: string, link: string } | null>} null where there is no secret
 */
export async function redeem(organisation) {
  const token = location.hash.slice(1);
  if (!token) return null;
  const link = location.href;
  try {
    const { session, path } = await call("/api/v1/links/redeem", { organisation, token });
    history.replaceState(null, "", path + location.search);
    return { session, link };
  } catch (error) {
    const refused = error instanceof ApiError && error.status === 404;
    if (refused) history.replaceState(null, "", location.pathname + location.search);
    throw error;
  }
}

/** Remember the language in the address, and nowhere else: it outlives a reload. @param {string} lang */
export function keepLanguage(lang) {
  history.replaceState(null, "", `${location.pathname}?lang=${lang}${location.hash}`);
}
