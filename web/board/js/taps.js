/**
 * The leader's taps: sending a link again, handing somebody over to support, asking for phone numbers.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 */
import { call, codeOf } from "../../shared/api.js";
import { find, say } from "../../shared/dom.js";

/** @param {Texts} t @param {unknown} error */
export function problem(t, error) {
  return t.first([`error.${codeOf(error)}`, "error.internal"]);
}

/**
 * @param {string} session @param {() => Texts} texts
 * @param {(participant: string, text: string) => void} tell @param {() => Promise<void>} refresh
 */
export function createTaps(session, texts, tell, refresh) {
  const base = `/api/v1/boards/${encodeURIComponent(session)}`;

  /** @param {HTMLElement} button */
  async function tap(button) {
    const name = button.dataset.tap ?? "";
    const participant = button.closest("li")?.dataset.id ?? "";
    button.setAttribute("aria-disabled", "true");
    tell(participant, texts().t("board.working"));
    try {
      await call(`${base}/${name}`, { participant });
      tell(participant, texts().t(`board.done.${name}`));
      await refresh();
    } catch (error) {
      tell(participant, problem(texts(), error));
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }

  async function askPin() {
    const said = find("#pin-said");
    try {
      const { channel } = await call(`${base}/pin`, {});
      say(said, texts().t(`board.pin.sent_${channel}`));
      find("#pin").hidden = false;
      find("#pin-digits").focus();
    } catch (error) {
      say(said, problem(texts(), error));
    }
  }

  /** @param {HTMLFormElement} form */
  async function checkPin(form) {
    const field = /** @type {HTMLInputElement} */ (form.querySelector("input"));
    try {
      await call(`${base}/pin/check`, { pin: field.value.replaceAll(/\D/g, "") });
      field.value = "";
      field.removeAttribute("aria-invalid");
      say(find("#pin-said"), "");
      await refresh();
      find("#numbers-title").scrollIntoView({ block: "nearest" });
    } catch (error) {
      say(find("#pin-said"), problem(texts(), error));
      field.setAttribute("aria-invalid", "true");
      field.select();
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-tap], #send-pin") : null;
    if (!(button instanceof HTMLElement) || button.getAttribute("aria-disabled")) return;
    if (button.id === "send-pin") askPin();
    else tap(button);
  });
  find("#pin").addEventListener("submit", (event) => {
    event.preventDefault();
    checkPin(/** @type {HTMLFormElement} */ (event.currentTarget));
  });
}
