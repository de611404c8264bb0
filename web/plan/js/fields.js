/**
 * Mistakes in a form: each field is marked and described, and the first gets the focus. And typed values,
 * kept with this entry of the tab's history: a reload or the back button brings it again, a closed tab forgets it.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {HTMLInputElement | HTMLSelectElement} Control
 */
import { make } from "../../shared/dom.js";

let numbered = 0;

/** @param {ParentNode} root @returns {Control[]} */
const controls = (root) => [...root.querySelectorAll("input, select")].map((one) => /** @type {Control} */ (one));

/** @param {Control} control @param {string} text */
export function markWrong(control, text) {
  const said = make("p", { class: "wrong small", id: `wrong-${numbered += 1}` }, text);
  control.setAttribute("aria-invalid", "true");
  const before = control.getAttribute("aria-describedby");
  if (before) control.dataset.described = before;
  control.setAttribute("aria-describedby", [said.id, before].filter(Boolean).join(" "));
  control.after(said);
}

/** @param {ParentNode} root */
export function clearWrong(root) {
  for (const control of root.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    const { described } = /** @type {HTMLElement} */ (control).dataset;
    if (described) control.setAttribute("aria-describedby", described);
    else control.removeAttribute("aria-describedby");
  }
  for (const said of root.querySelectorAll(".wrong")) said.remove();
}

/** The words for a mistake that the browser itself has found. @param {Texts} t @param {Control} control */
function reason(t, control) {
  const { validity, type, min, max } = /** @type {HTMLInputElement} */ (control);
  if (validity.valueMissing) return t.t("plan.wrong.missing");
  if (type === "email") return t.t("error.person.mail");
  if (type === "url") return t.t("error.meeting.link");
  if (type === "date" && validity.rangeUnderflow) return t.t("error.meeting.past");
  if (type === "number" && (validity.rangeUnderflow || validity.rangeOverflow)) return t.t("plan.wrong.range", { min, max });
  return t.t("error.request.malformed");
}

/** The name of a field, from its label. @param {Control} control */
function nameOf(control) {
  const label = control.labels?.[0];
  return (label?.firstChild?.textContent ?? "").trim();
}

/** Words for the whole form: the field with the mistake, or how many there are. @param {Texts} t @param {ParentNode} root */
function summary(t, root) {
  const wrong = controls(root).filter((one) => one.getAttribute("aria-invalid") === "true");
  return wrong.length === 1 ? t.t("plan.wrong.one", { field: nameOf(wrong[0]) }) : t.plural("plan.wrong.several", wrong.length);
}

/** Uncover the first wrong field and go there. @param {ParentNode} root */
function goToFirst(root) {
  const first = controls(root).find((one) => one.getAttribute("aria-invalid") === "true");
  first?.closest("details")?.setAttribute("open", "");
  first?.focus();
}

/** Check a form before it is sent. @param {Texts} t @param {ParentNode} root @returns {string} words for the whole form, empty if it is right */
export function check(t, root) {
  clearWrong(root);
  const wrong = controls(root).filter((one) => one.willValidate && !one.checkValidity());
  for (const control of wrong) markWrong(control, reason(t, control));
  if (!wrong.length) return "";
  goToFirst(root);
  return summary(t, root);
}

/**
 * Mark a field that the service has refused.
 * @param {Texts} t @param {ParentNode} root @param {Element | null | undefined} control @param {string} text @returns {string} words for the whole form
 */
export function refused(t, root, control, text) {
  clearWrong(root);
  if (!(control instanceof HTMLInputElement || control instanceof HTMLSelectElement)) return text;
  markWrong(control, text);
  goToFirst(root);
  return summary(t, root);
}

/**
 * Keep the values typed into `form`, and ask before it is left half filled.
 * @param {HTMLFormElement} form @param {() => unknown} read what to keep @returns {{ forget: () => void }}
 */
export function keepTyped(form, read) {
  let isTyped = Boolean(history.state?.typed);
  form.addEventListener("input", () => {
    isTyped = true;
    history.replaceState({ ...history.state, typed: read() }, "");
  });
  addEventListener("beforeunload", (event) => {
    if (isTyped) event.preventDefault();
  });
  return {
    forget() {
      isTyped = false;
      history.replaceState({ ...history.state, typed: undefined }, "");
    },
  };
}

/** The values typed before a reload, or before the page was left. @returns {any} */
export const typedBefore = () => history.state?.typed;
