/**
 * A link whose secret others may have read on the way makes place for a new one, at a person's press: a scanner that runs the page
 * presses nothing, and takes nobody's link away. Afterwards the old one opens in this browser only. Loaded where it is needed.
 */
import { call } from "./api.js";
import { make } from "./dom.js";

/** @param {string} session @returns {Promise<string>} the link that takes the place of the one that opened this session */
export async function renewLink(session) {
  const { link } = await call(`/api/v1/sessions/${encodeURIComponent(session)}/link`, {});
  history.replaceState({ ...history.state, seen: false }, "");
  return link;
}

/** A person's own link: at the first press, without a word. @param {string} session @param {(link: string) => void} renewed */
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
 * An office's link, of which nobody can be reminded: it is shown when it is made, to be saved.
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
