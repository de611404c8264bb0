/**
 * Many meetings from a file: all or nothing, unless told to leave out the bad rows.
 * @typedef {import("./dom.js").Page} Page
 */
import { field, find, problem, say } from "./dom.js";

/** @param {Page} page */
export function showImport({ api, texts: t }) {
  /** @param {boolean} skipBad */
  async function send(skipBad) {
    const file = field("#file").files?.[0];
    if (!file) return;
    say(find("#said"), t.t("board.working"));
    find("#bad").hidden = true;
    try {
      const answer = await api(`/api/v1/meetings/import?${new URLSearchParams({ skip_bad: skipBad ? "1" : "0", invite: field("#invite").checked ? "1" : "0" })}`, file);
      const { made, changed, bad } = answer;
      say(find("#said"), bad.length && !skipBad ? t.t("plan.nothing_imported") : t.t("plan.imported", { made: count(made), changed: count(changed) }));
      drawBad(bad);
    } catch (error) {
      say(find("#said"), problem(t, error));
    }
  }

  /** @param {{ row: number, reason: string, field?: string }[]} bad */
  function drawBad(bad) {
    find("#bad").hidden = !bad.length;
    find("#rows").replaceChildren(...bad.map(({ row, reason, field: column }) => {
      const line = document.createElement("tr");
      const number = document.createElement("th");
      number.scope = "row";
      number.textContent = String(row);
      const why = document.createElement("td");
      const said = t.first([`error.${reason}`]) || reason;
      why.textContent = column ? `${column}: ${said}` : said;
      line.append(number, why);
      return line;
    }));
  }

  find("#import").addEventListener("submit", (event) => {
    event.preventDefault();
    send(false);
  });
  find("#skip").addEventListener("click", () => send(true));
}

/** The service may tell how many, or which. @param {number | unknown[]} value */
const count = (value) => (Array.isArray(value) ? value.length : value);
