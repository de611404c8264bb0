/**
 * The fields of one person, and errors of the service, shown at their place.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {{ texts: Texts, zone: string, home: string, asked: string, meeting: string, api: (path: string, body?: object, method?: string) => Promise<any> }} Page
 * @typedef {{ role: string, label: string, locale: string, mail: string, phone: string, together?: number }} Fields
 */
import { ApiError } from "../../shared/api.js";
import { copyOf, find, say } from "../../shared/dom.js";
import { refused } from "./fields.js";

/** @param {string} selector @param {ParentNode} [root] @returns {HTMLInputElement} */
export const field = (selector, root) => find(selector, root);

/** @param {Texts} t @param {unknown} error */
export function problem(t, error) {
  if (!(error instanceof ApiError)) throw error;
  return t.first([`error.${error.code}`, "error.internal"]);
}

/**
 * Mark the field that the service refused, and go there. @param {Texts} t @param {unknown} error @param {ParentNode} root
 * @param {Element[]} [hosts] the boxes of the hosts in the request, in order @returns {string} words for the whole form
 */
export function tellField(t, error, root, hosts = []) {
  const text = problem(t, error);
  const [group, place, name] = error instanceof ApiError ? error.field.split(".") : [""];
  const boxes = group === "hosts" ? hosts : [...root.querySelectorAll("#people > li")];
  const box = name ? boxes[Number(place)] : root;
  const selector = `[data-field="${CSS.escape(name ?? group)}"]${name ? "" : `, #${CSS.escape(FIELDS[group] ?? group)}`}`;
  return refused(t, root, group ? box?.querySelector(selector) : null, text);
}

/** Where the page calls a field otherwise than the service. @type {Record<string, string>} */
const FIELDS = { local_start: "time", starts: "time", join_link: "join", title: "name", support_phone: "support", clinic_phone: "clinic", join_from: "join-from", join_shown: "shown-to", assessed_by: "assessed" };

/** Show an error in its place; an empty text hides it. @param {Element} place @param {string} text */
export function complain(place, text) {
  const element = /** @type {HTMLElement} */ (place);
  element.hidden = !text;
  say(element, text);
}

/** Fields for a participant or a host. @param {"participant" | "host"} kind @param {Partial<Fields>} [values] @returns {HTMLElement} */
export function personFields(kind, values = {}) {
  const fields = copyOf("fields");
  for (const other of fields.querySelectorAll(`[data-only]:not([data-only=${kind}])`)) other.remove();
  for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (fields.querySelectorAll("[data-field]"))) {
    const value = /** @type {Record<string, unknown>} */ (values)[input.dataset.field ?? ""];
    if (value !== undefined && value !== "") input.value = String(value);
  }
  const role = fields.querySelector("select[data-field=role]");
  role?.addEventListener("change", () => showOwn(fields));
  showOwn(fields);
  return fields;
}

/** Show what is asked of one role alone, such as an interpreter's language. @param {Element} fields */
function showOwn(fields) {
  const role = /** @type {HTMLSelectElement | null} */ (fields.querySelector("select[data-field=role]"))?.value;
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (fields.querySelectorAll("[data-of]"))) {
    part.hidden = part.dataset.of !== role;
    if (part.hidden) for (const input of part.querySelectorAll("input")) input.value = "";
  }
}

/** The values of the fields below `root`. @param {ParentNode} root @returns {any} */
export function readFields(root) {
  /** @type {Record<string, string | number>} */
  const read = {};
  for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (root.querySelectorAll("[data-field]"))) {
    read[input.dataset.field ?? ""] = input.type === "number" ? Number(input.value || 1) : input.value.trim();
  }
  return read;
}
