/**
 * Entry of the page for typed codes: opens the same page as the letter's link.
 */
import { ApiError, call, meta } from "../../shared/api.js";
import { find } from "../../shared/dom.js";
import { createTexts, langOf, loadCatalogue, phoneIn } from "../../shared/i18n.js";
import { clean, grouped, isWhole } from "./typed.js";

const lang = langOf(document.documentElement.lang);
const form = /** @type {HTMLFormElement} */ (find("#form"));
const field = /** @type {HTMLInputElement} */ (find("#typed"));
const problem = /** @type {HTMLElement} */ (find("#problem"));
const button = /** @type {HTMLButtonElement} */ (find("button", form));

/** @param {string[]} keys the first one with words is shown */
async function complain(keys) {
  const phone = phoneIn(lang, meta("readiness-phone"));
  const texts = createTexts(lang, await loadCatalogue(meta("readiness-static"), lang, "staff/"), { phone });
  problem.hidden = false;
  problem.textContent = texts.first([...keys, "error.internal"]);
  field.setAttribute("aria-invalid", "true");
  field.select();
}

async function open() {
  if (!isWhole(field.value)) return complain(["code.malformed"]);
  button.disabled = true;
  try {
    const { path } = await call("/api/v1/links/redeem", { organisation: meta("readiness-organisation"), code: clean(field.value) });
    location.assign(path + location.search);
  } catch (error) {
    button.disabled = false;
    const { code, status } = error instanceof ApiError ? error : { code: "internal", status: 500 };
    await complain(status === 404 ? ["code.unknown"] : [`error.${code}`]);
  }
  return undefined;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  open();
});
field.addEventListener("blur", () => {
  if (isWhole(field.value)) field.value = grouped(field.value);
});
field.addEventListener("input", () => field.removeAttribute("aria-invalid"));
