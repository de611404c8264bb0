/**
 * Entry of the rooms' pages: opens their link, and keeps a display on a wall fresh. Everything else is the server's markup.
 */
import { meta } from "../../shared/api.js";
import { openPage } from "../../shared/opening.js";

/**
 * Load the page again where the server answers. Where it does not, what is shown gets old: say so and try again.
 * @param {number} everyMs
 */
async function refresh(everyMs) {
  const well = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(20_000) }).then((answer) => answer.ok, () => false);
  if (well) return location.reload();
  const lost = document.querySelector("[data-lost]");
  if (lost instanceof HTMLElement) lost.hidden = false;
  setTimeout(refresh, everyMs, everyMs);
}

openPage("rooms");
const everyMs = 1000 * Number(meta("readiness-refresh-s"));
if (everyMs) setTimeout(refresh, everyMs, everyMs);
