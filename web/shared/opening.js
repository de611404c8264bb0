/**
 * Pages that are the server's own markup: exchanges the secret of a link for a session once, and afterwards offers a new link if
 * others may have read it.
 */
import { ApiError, codeOf, meta, redeem, sessionOf } from "./api.js";
import { find, say } from "./dom.js";
import { createTexts, langOf, loadCatalogue, phoneIn } from "./i18n.js";

async function open() {
  if (!(await redeem(meta("readiness-organisation")))) throw new ApiError("link.cut", 404);
  location.reload(); // the address is the session's by now
}

/** @param {unknown} error */
async function fail(error) {
  const lang = langOf(document.documentElement.lang);
  const phone = phoneIn(lang, meta("readiness-phone"));
  const texts = createTexts(lang, await loadCatalogue(meta("readiness-static"), lang), { phone });
  const code = codeOf(error);
  say(find("#title"), texts.first([`error.${code}.title`, "error.page.title"]));
  say(find("#summary"), texts.first([`error.${code}`, "error.internal"]));
}

/** @param {"support" | "rooms"} page */
async function renew(page) {
  const session = sessionOf(location.pathname, page) ?? "";
  const lang = langOf(document.documentElement.lang);
  const texts = createTexts(lang, await loadCatalogue(meta("readiness-static"), lang, "staff/"));
  (await import("./renew.js")).offerRenewal(session, texts);
}

/** @param {"support" | "rooms"} page the first part of its session's address */
export function openPage(page) {
  if (meta("readiness-opening")) open().catch(fail);
  else if (history.state?.seen) renew(page).catch(() => undefined);
}
