/**
 * The list of meetings: today's, and the coming ones.
 * @typedef {import("../../shared/types").PlannedLine} Line
 * @typedef {import("./person.js").Page} Page
 */
import { copyOf, find, make, say } from "../../shared/dom.js";
import { announce, keepFocus } from "../../shared/heard.js";
import { icon } from "../../shared/icons.js";
import { field, problem } from "./person.js";
import { dayOf, spanOf, tally } from "./plan.js";

/** Meetings in one request. */
const MOST = 50;
const TYPING_MS = 250;

/** @param {Page} page */
export async function showList(page) {
  const { texts: t, zone } = page;
  /** @type {Line[]} */
  let lines = [];
  /** @type {string | null} */
  let next = null;

  let asked = 0;

  /** @param {string | null} after the last one shown; null from the start */
  async function load(after) {
    const mine = ++asked;
    const query = new URLSearchParams({ most: String(MOST), search: field("#words").value.trim() });
    if (after) query.set("after", after);
    const span = spanOf(field("#day").value, field("#past").checked, Date.now(), zone);
    for (const [name, value] of Object.entries(span)) query.set(name, value);
    const found = await page.api(`/api/v1/meetings?${query}`);
    if (mine !== asked) return; // something else was typed meanwhile
    lines = after ? [...lines, ...found.meetings] : found.meetings;
    next = found.next ?? null;
    keepFocus(draw, () => document.querySelector("#coming .line:last-child a"));
    if (after || mine > 1) announce(lines.length ? t.plural(next ? "plan.found_more" : "plan.found", lines.length) : t.t("plan.none_found"));
  }

  /** @param {string | null} after */
  const look = (after) => load(after).catch((error) => say(find("#said"), problem(t, error)));

  function draw() {
    const words = field("#words").value.trim();
    const today = field("#past").checked || field("#day").value ? "" : dayOf(Date.now(), zone);
    const parts = { today: lines.filter((line) => dayOf(line.starts_at, zone) <= today), coming: lines.filter((line) => dayOf(line.starts_at, zone) > today) };
    for (const [name, ones] of Object.entries(parts)) {
      const none = make("li", { class: "soft" }, t.t(words ? "plan.none_found" : `plan.none_${name}`));
      find(`#${name}-part`).hidden = name === "today" && !today;
      find(`#${name}`).replaceChildren(...(ones.length ? ones.map((line) => row(page, line, name === "today")) : [none]));
    }
    say(find("#coming-title"), field("#day").value ? t.t("plan.that_day") : t.t(field("#past").checked ? "plan.past" : "plan.coming"));
    find("#more").hidden = !next;
  }

  let typing = 0;
  field("#words").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => look(null), TYPING_MS);
  });
  for (const part of ["#day", "#past"]) field(part).addEventListener("change", () => look(null));
  find("#search").addEventListener("submit", (event) => {
    event.preventDefault();
    look(null);
  });
  find("#more").addEventListener("click", () => look(next));
  await load(null);
}

/** @param {Page} page @param {Line} line @param {boolean} isToday */
function row({ texts: t, zone, home, asked }, line, isToday) {
  const item = copyOf("line");
  const { ready, total, tone } = tally(line.counts ?? {});
  const gone = line.state === "cancelled";
  /** @type {HTMLAnchorElement} */ (find("a", item)).href = `${home}/meetings/${encodeURIComponent(line.id)}${asked}`;
  say(item.querySelector(".when"), isToday ? `${t.clock(line.starts_at, zone)}–${t.clock(line.ends_at, zone)}` : t.at(line.starts_at, zone));
  say(item.querySelector(".what"), [line.title, ...(line.leaders ?? [])].filter(Boolean).join(" · ") || t.t("plan.untitled"));
  const count = find(".count", item);
  count.dataset.tone = gone ? "calm" : tone;
  icon(find("svg", count), gone ? "calm" : tone);
  say(count.querySelector("span"), gone ? t.t("plan.cancelled_short") : t.t(total ? "board.summary" : "board.nobody", { ready, total }));
  return item;
}
