/**
* Entry of support's page: exchanges the link's secret for a session once; everything else is the server's markup.
 */
import { ApiError, codeOf, meta, redeem, sessionOf } from "../../shared/api.js";
import { find, say } from "../../shared/dom.js";
import { createTexts, langOf, loadCatalogue } from "../../shared/i18n.js";

async function open() {
  if (!(await redeem(meta("readiness-organisation")))) throw new ApiError("link.cut", 404);
  location.reload(); // the address is the session's by now
}

/** @param {unknown} error */
async function fail(error) {
  const lang = langOf(document.documentElement.lang);
  const phone = meta("readiness-phone").replaceAll(" ", "\u00a0");
  const texts = createTexts(lang, await loadCatalogue(meta("readiness-static"), lang), { phone });
  const code = codeOf(error);
  say(find("#title"), texts.first([`error.${code}.title`, "error.page.title"]));
  say(find("#summary"), texts.first([`error.${code}`, "error.internal"]));
}

/** @param {Element} button */
async function copy(button) {
  const text = document.getElementById(button.getAttribute("data-copy") ?? "")?.textContent ?? "";
  const said = document.querySelector("[data-copied]");
  const done = await navigator.clipboard.writeText(text).then(() => "done", () => "failed");
  if (said) said.textContent = said.getAttribute(`data-${done}`);
}

/** Offer a new link if others may have read this page's one. */
async function renew() {
  const session = sessionOf(location.pathname, "support") ?? "";
  const lang = langOf(document.documentElement.lang);
  const texts = createTexts(lang, await loadCatalogue(meta("readiness-static"), lang, "staff/"));
  (await import("../../shared/renew.js")).offerRenewal(session, texts);
}

if (meta("readiness-opening")) open().catch(fail);
else if (history.state?.seen) renew().catch(() => undefined);
for (const button of document.querySelectorAll("[data-copy]")) {
  /** @type {HTMLElement} */ (button).hidden = !navigator.clipboard;
  button.addEventListener("click", () => copy(button));
}
