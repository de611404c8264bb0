/**
 * Replaces a link whose secret others may have read on the way, at a person's press: a scanner that runs the page
 * presses nothing, and so takes nobody's link away. Afterwards the old one opens in this browser only. Loaded when needed.
 */
import { call } from "./api.js";
import { make } from "./dom.js";

/** @param {string} session @returns {Promise<string>} the link that replaces the one that opened this session */
export async function renewLink(session) {
  const { link } = await call(`/api/v1/sessions/${encodeURIComponent(session)}/link`, {});
  history.replaceState({ ...history.state, seen: false }, "");
  return link;
}

/** Renew a person's own link at the first press, silently. @param {string} session @param {(link: string) => void} renewed */
export function renewAtPress(session, renewed) {
  const over = new AbortController();
  const press = (/** @type {Event} */ event) => {
    if (!event.isTrusted) return;
    over.abort();
    renewLink(session).then(renewed, () => undefined);
  };
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, press, { capture: true, signal: over.signal });
}

/**
 * Offer to renew an office's link. The new one is shown once, to be saved, because nobody gets it by mail.
 * @param {string} session @param {import("./i18n.js").Texts} texts
 */
export function offerRenewal(session, texts) {
  const box = make("div");
  const said = make("p", { role: "status" }, texts.t("link.seen"));
  const button = make("button", { type: "button", class: "button" }, texts.t("link.renew"));
  const notice = make("div", { class: "notice", id: "renewal", "data-tone": "warn" });
  button.addEventListener("click", async () => {
    const link = await renewLink(session).catch(() => "");
    said.textContent = texts.t(link ? "link.renewed" : "error.internal");
    if (!link) return;
    button.remove();
    box.append(make("p", { class: "renewed" }, link));
  });
  box.append(said, button);
  notice.append(box);
  document.querySelector("main")?.prepend(notice);
}
