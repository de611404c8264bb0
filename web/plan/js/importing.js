/**
 * Imports meetings from a file: all or nothing, unless bad rows are to be skipped.
 * @typedef {import("./person.js").Page} Page
 */
import { find, make, say } from "../../shared/dom.js";
import { field, problem } from "./person.js";

/** @param {Page} page */
export function showImport({ api, texts: t }) {
  /** @param {boolean} skipBad */
  async function send(skipBad) {
    const file = field("#file").files?.[0];
    if (!file) return;
    say(find("#said"), t.t("board.working"));
    find("#bad").hidden = find("#noted").hidden = true;
    try {
      const answer = await api(`/api/v1/meetings/import?${new URLSearchParams({ skip_bad: skipBad ? "1" : "0", invite: field("#invite").checked ? "1" : "0" })}`, file);
      const { made, changed, bad, notes } = answer;
      say(find("#said"), bad.length && !skipBad ? t.t("plan.nothing_imported") : t.t("plan.imported", { made: count(made), changed: count(changed) }));
      draw("#bad", "#rows", bad);
      draw("#noted", "#notes", notes);
    } catch (error) {
      say(find("#said"), problem(t, error));
      find("details.card").setAttribute("open", "");
    }
  }

  /**
   * @param {string} box
   * @param {string} rows
   * @param {{ row: number, reason: string, field?: string, found?: string }[]} told
   */
  function draw(box, rows, told) {
    find(box).hidden = !told.length;
    find(rows).replaceChildren(...told.map(({ row, reason, field: column, found }) => {
      const line = make("tr");
      const why = [column && (t.first([`plan.column.${column}`]) || column), found, t.first([`error.${reason}`]) || reason].filter(Boolean).join(": ");
      line.append(make("th", { scope: "row" }, String(row)), make("td", {}, why));
      return line;
    }));
  }

  find("#import").addEventListener("submit", (event) => {
    event.preventDefault();
    send(false);
  });
  find("#skip").addEventListener("click", () => send(true));
}

/** A number, or the length of a list: the service may send either. @param {number | unknown[]} value */
const count = (value) => (Array.isArray(value) ? value.length : value);
