/**
 * The list of all figures below the answer, and the way to delete it. Loaded with the first answer.
 * @typedef {import("../../shared/types").Check} Check
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 */
import { call } from "../../shared/api.js";
import { copyOf, find, say } from "../../shared/dom.js";
import { icon, TONES } from "../../shared/icons.js";
import { FIGURES, figureWords } from "./figures.js";

/** Below the list: everything that is held of the person, as a file. @param {HTMLElement} list @param {Texts} texts */
function offerData(list, texts) {
  const link = list.parentElement?.querySelector("a.own-data") ?? document.createElement("a");
  link.className = "own-data";
  link.setAttribute("href", `/api/v1/sessions/${location.pathname.split("/")[2]}/data`);
  link.setAttribute("download", "");
  link.textContent = texts.t("speed.own_data");
  list.after(link);
}

/** @param {HTMLElement} list @param {Check[]} checks @param {Texts} texts */
export function drawFigures(list, checks, texts) {
  list.replaceChildren(...checks.map((check) => {
    const item = copyOf("figure-item");
    const { value, limits } = figureWords(texts, FIGURES, check);
    item.dataset.check = check.id;
    find(".outcome", item).dataset.tone = TONES[check.outcome];
    icon(find("svg", item), TONES[check.outcome]);
    say(find(".name", item), texts.t(`check.${check.id}`));
    say(find(".outcome span", item), texts.t(`outcome.${check.outcome}`));
    say(find(".value", item), value);
    say(find(".limits", item), limits);
    return item;
  }));
  offerData(list, texts);
}

/**
 * Delete the person's answer at once: here, where nothing else of it stays, on the leader's board and in the database.
 * @param {string} session @param {Texts} texts
 */
export async function deleteReport(session, texts) {
  if (!session) return;
  const gone = await call(`/api/v1/sessions/${encodeURIComponent(session)}/report`, {}, "DELETE").then(() => true, () => false);
  say(find("#deleted"), texts.t(gone ? "answer.deleted" : "answer.not_deleted"));
  if (!gone) return;
  find("#figures").replaceChildren();
  find("#figures").closest("details")?.setAttribute("hidden", "");
  say(find("#sent"), "");
}
