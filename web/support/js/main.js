/**
 * Entry of support's page: opens its link, and copies what has a button for it; everything else is the server's markup.
 */
import { openPage } from "../../shared/opening.js";

/** @param {Element} button */
async function copy(button) {
  const text = document.getElementById(button.getAttribute("data-copy") ?? "")?.textContent ?? "";
  const said = document.querySelector("[data-copied]");
  const done = await navigator.clipboard.writeText(text).then(() => "done", () => "failed");
  if (said) said.textContent = said.getAttribute(`data-${done}`);
}

openPage("support");
for (const button of document.querySelectorAll("[data-copy]")) {
  /** @type {HTMLElement} */ (button).hidden = !navigator.clipboard;
  button.addEventListener("click", () => copy(button));
}
