/**
 * Pages of rooms: swaps the secret of the link for a session once, and keeps a display on a wall fresh. Everything else is
 * the server's own markup.
 */
import { ApiError, meta, redeem, sessionOf } from "../../shared/api.js";
import { createTexts, langOf, loadCatalogue } from "../../shared/i18n.js";

/** @param {string} selector @param {string} text */
function say(selector, text) {
  const element = document.querySelector(selector);
  if (element) element.textContent = text;
}

async function open() {
  if (!(await redeem(meta("readiness-organisation")))) throw new ApiError("link.cut", 404);
  location.reload(); // the address is the session's by now
}

/** @param {unknown} error */
async function fail(error) {
  const lang = langOf(document.documentElement.lang);
  const phone = meta("readiness-phone").replaceAll(" ", "\u00a0");
  const texts = createTexts(lang, await loadCatalogue(meta("readiness-static"), lang), { phone });
  const code = error instanceof ApiError ? error.code : "internal";
  say("#title", texts.first([`error.${code}.title`, "error.page.title"]));
  say("#summary", texts.first([`error.${code}`, "error.internal"]));
}

/** The session of this page, which others may have the link of. */
async function renew() {
  const session = sessionOf(location.pathname, "rooms") ?? "";
  const lang = langOf(document.documentElement.lang);
  const texts = createTexts(lang, await loadCatalogue(meta("readiness-static"), lang, "staff/"));
  (await import("../../shared/renew.js")).offerRenewal(session, texts);
}

/**
 * Load the page again where the server answers. Where it does not, what is shown gets old: say so and try again.
 * @param {number} everyMs
 */
async function refresh(everyMs) {
  const well = await fetch(location.href, { cache: "no-store" }).then((answer) => answer.ok, () => false);
  if (well) return location.reload();
  const lost = document.querySelector("[data-lost]");
  if (lost instanceof HTMLElement) lost.hidden = false;
  setTimeout(refresh, everyMs, everyMs);
}

if (meta("readiness-opening")) open().catch(fail);
else if (history.state?.seen) renew().catch(() => undefined);
const everyMs = 1000 * Number(document.body.dataset.wall ?? 0);
if (everyMs) setTimeout(refresh, everyMs, everyMs);
