/**
 * Entry of support's page: opens its link, copies what has a button for it, and brings news; the rest is the server's markup.
 */
import { openPage } from "../../shared/opening.js";
import { startDesk } from "./desk.js";
import { startFollowing } from "./follow.js";

/** @param {Element} button */
async function copy(button) {
  const text = document.getElementById(button.getAttribute("data-copy") ?? "")?.textContent ?? "";
  const said = document.querySelector("[data-copied]");
  const done = await navigator.clipboard.writeText(text).then(() => "done", () => "failed");
  if (said) said.textContent = said.getAttribute(`data-${done}`);
}

openPage("support");
startDesk();
startFollowing();
for (const button of document.querySelectorAll("[data-copy]")) {
  /** @type {HTMLElement} */ (button).hidden = !navigator.clipboard;
  button.addEventListener("click", () => copy(button));
}
