/**
 * Draws the board. Elements are kept from one drawing to the next, so that a finger or a focus on them is not lost.
 * @typedef {import("../../shared/types").Board} Board
 * @typedef {import("../../shared/types").BoardPart} BoardPart
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 */
import { copyOf, find, make, say } from "../../shared/dom.js";
import { phoneIn } from "../../shared/i18n.js";
import { icon, TONES } from "../../shared/icons.js";
import { arrangeIn } from "../../shared/lists.js";
import { actions, byNeed, countdown, facts, isNear, sentence, summary } from "./rows.js";

/** @param {string} number */
const tel = (number) => `tel:${number.replaceAll(/[^+\d]/g, "")}`;

/** @param {string} number @param {Texts} t */
const callLink = (number, t) => make("a", { class: "button tap", href: tel(number) }, t.t("board.call", { number: phoneIn(t.lang, number) }));

/**
 * @param {BoardPart} part the meeting to read @param {Board} board @param {Texts} t @param {number} now ms, by the server's clock
 * @param {Map<string, string>} said what came of a tap, by participant
 */
export function drawMeeting({ meeting, participants }, board, t, now, said) {
  const { organisation } = board;
  const phone = meeting.support_phone || organisation.support_phone;
  say(find("#organisation"), organisation.name);
  find(".help").hidden = !phone;
  find(".help").setAttribute("href", tel(phone));
  say(find(".help strong"), phoneIn(t.lang, phone));
  say(find("#support-hours"), organisation.support_hours);
  const when = `${t.at(meeting.starts_at, meeting.time_zone)}–${t.clock(meeting.ends_at, meeting.time_zone)}`;
  say(find("#meeting"), meeting.title ? `${meeting.title}: ${when}` : when);
  say(find("#countdown"), countdown(t, meeting, now));
  find("#countdown").hidden = !find("#countdown").textContent;
  const { ready, total } = summary(participants);
  find("#summary").removeAttribute("data-t");
  say(find("#summary"), t.t(total ? "board.summary" : "board.nobody", { ready, total }));
  find("#quick").hidden = false;
  const join = find("#join");
  join.hidden = !meeting.join_link || meeting.state !== "planned";
  if (meeting.join_link) join.setAttribute("href", meeting.join_link);
  drawSettled(meeting, participants, t);
  find("#open-host").hidden = board.you !== "technical_host";
  const patients = participants.filter(({ role, room }) => role === "patient" && !room);
  const where = find("#where");
  where.hidden = !isNear(meeting, now) || !patients.length;
  if (where.dataset.meeting !== meeting.id) /** @type {HTMLInputElement} */ (find("#address")).value = "";
  where.dataset.meeting = meeting.id;
  drawReach(participants, t);
  const list = find("#participants");
  const before = new Map([...list.children].map((item) => [item.getAttribute("data-id"), item]));
  const items = byNeed(participants).map((participant) => {
    const item = before.get(participant.id) ?? copyOf("participant");
    item.setAttribute("data-id", participant.id);
    drawParticipant(item, participant, meeting.state, t, now, said.get(participant.id) ?? "");
    return item;
  });
  arrangeIn(list, items);
}

/** Address and numbers in the emergency procedure, where both are known. @param {BoardPart["participants"]} participants @param {Texts} t */
function drawReach(participants, t) {
  if (!document.querySelector("#emergency")) return;  // a page without an organisation has no guides
  const address = /** @type {HTMLInputElement} */ (find("#address")).value.trim();
  find("#address-now").hidden = !address;
  say(find("#address-now"), address ? t.t("board.address_is", { address }) : "");
  const known = participants.flatMap(({ label, role, phones }) => (phones ?? []).map((number) => ({ name: label || t.first([`role.${role}`]), number })));
  const list = find("#reach");
  list.hidden = known.length === 0;
  const key = JSON.stringify([t.lang, known]);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...known.map(({ name, number }) => {
    const item = make("li", {}, `${name} `);
    item.append(callLink(number, t));
    return item;
  }));
}

/** What was settled before the meeting, and what an interpreter needs. @param {BoardPart["meeting"]} meeting @param {BoardPart["participants"]} participants @param {Texts} t */
function drawSettled({ assessed_by: name, agenda_sent: sent, companion }, participants, t) {
  const lines = [
    name && t.t("board.assessed_by", { name }),
    sent && t.t("board.agenda_sent"),
    companion && t.t("board.companion", { name: companion }),
    participants.some(({ role }) => role === "interpreter") && t.t("board.interpreter_time"),
  ].filter((line) => typeof line === "string" && line);
  const list = find("#settled");
  list.hidden = lines.length === 0;
  if (list.dataset.key === lines.join("\n")) return;
  list.dataset.key = lines.join("\n");
  list.replaceChildren(...lines.map((line) => make("li", {}, String(line))));
}

/**
 * @param {Element} element @param {BoardPart["participants"][number]} participant @param {string} meetingState
 * @param {Texts} t @param {number} now @param {string} said
 */
function drawParticipant(element, participant, meetingState, t, now, said) {
  const item = /** @type {HTMLElement} */ (element);
  item.dataset.tone = TONES[participant.state] ?? "calm";
  item.dataset.state = participant.state;
  const role = t.first([`role.${participant.role}`]) || participant.role;
  const name = participant.label || role;
  say(item.querySelector("h3"), name);
  say(item.querySelector(".role"), name === role ? "" : role);
  icon(find("svg", item), item.dataset.tone);
  say(item.querySelector("strong"), t.t(`state.${participant.state}`));
  say(item.querySelector(".todo"), participant.state === "ready" ? "" : sentence(t, participant));
  say(item.querySelector(".facts"), facts(t, participant, now));
  drawTaps(find(".taps", item), participant, meetingState, t, name);
  say(item.querySelector(".said"), said);
}

/** @param {HTMLElement} box @param {BoardPart["participants"][number]} participant @param {string} meetingState @param {Texts} t @param {string} name */
function drawTaps(box, participant, meetingState, t, name) {
  const wanted = actions(participant, meetingState);
  const numbers = wanted.includes("call") ? (participant.phones ?? []) : [];
  const keys = [...numbers.map((number) => `call:${number}`), ...wanted.filter((tap) => tap !== "call")];
  const before = new Map([...box.children].map((item) => [item.getAttribute("data-key"), item]));
  const items = keys.map((key) => {
    const isCall = key.startsWith("call:");
    const number = key.slice("call:".length);
    const item = before.get(key) ?? (isCall ? make("a", { class: "button tap", href: tel(number) }) : make("button", { type: "button", class: "button tap", "data-tap": key }));
    item.setAttribute("data-key", key);
    const text = isCall ? t.t("board.call", { number: phoneIn(t.lang, number) }) : t.t(`board.tap.${key}`);
    say(item, text);
    item.setAttribute("aria-label", `${text}: ${name}`);
    return item;
  });
  arrangeIn(box, items);
}

/**
 * Draw those who lead and run the meeting, with their own tests; whoever reads the board tests with one tap.
 * @param {BoardPart} part @param {Texts} t @param {number} now @param {string} said what came of the tap
 */
export function drawHosts({ meeting }, t, now, said) {
  const hosts = meeting.state === "planned" && Date.parse(meeting.ends_at) > now ? (meeting.hosts ?? []) : [];
  find("#leading").hidden = hosts.length === 0;
  arrangeIn(find("#leaders"), hosts.map((host, place) => {
    const item = /** @type {HTMLElement} */ (find("#leaders").children[place] ?? copyOf("participant"));
    item.dataset.tone = TONES[host.state] ?? "calm";
    item.dataset.state = host.state;
    const role = t.t(`host.${host.role}`);
    say(item.querySelector("h3"), host.label || role);
    say(item.querySelector(".role"), host.label ? role : "");
    icon(find("svg", item), item.dataset.tone);
    say(item.querySelector("strong"), t.t(`state.${host.state}`));
    say(item.querySelector(".facts"), facts(t, host, now));
    const box = find(".taps", item);
    if (!host.own) box.replaceChildren();
    else if (!box.firstElementChild) box.append(make("button", { type: "button", class: "button tap", "data-test": "own" }));
    if (host.own) say(box.firstElementChild, t.t(host.tested_at ? "board.own.again" : "board.own.test"));
    say(item.querySelector(".said"), host.own ? said : "");
    return item;
  }));
}

/** Draw the leader's other meetings with time, title and how many are ready; a tap shows one. @param {BoardPart[]} others @param {Texts} t @param {number} now */
export function drawOthers(others, t, now) {
  find("#others").hidden = !others.length;
  const before = new Map([...find("#meetings").children].map((item) => [item.getAttribute("data-id"), item]));
  const items = others.map(({ meeting, participants }) => {
    const item = before.get(meeting.id) ?? make("li", { "data-id": meeting.id });
    const button = item.firstElementChild ?? item.appendChild(make("button", { type: "button", class: "button other", "data-meeting": meeting.id }));
    const { ready, total } = summary(participants);
    const isOpen = meeting.state === "planned" && Date.parse(meeting.ends_at) > now;
    const told = isOpen ? t.t("board.summary", { ready, total }) : countdown(t, meeting, now);
    const tone = !isOpen ? "calm" : ready === total ? "good" : "warn";
    button.setAttribute("data-tone", tone);
    const svg = button.querySelector("svg") ?? button.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
    for (const [name, value] of [["class", "icon"], ["viewBox", "0 0 24 24"], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
    icon(svg, tone);
    const text = button.querySelector("span") ?? button.appendChild(make("span"));
    say(text, [t.at(meeting.starts_at, meeting.time_zone), meeting.title, told].filter(Boolean).join(" · "));
    return item;
  });
  arrangeIn(find("#meetings"), items);
}

/**
 * Draw the section of phone numbers: how to see them, and the technical hosts. Within the hour of the meeting they are asked
 * for at the top: in an emergency nobody has time for a code. @param {BoardPart} part @param {Board} board @param {Texts} t @param {number} now
 */
export function drawNumbers({ meeting }, board, t, now) {
  const isWanted = isNear(meeting, now) && Boolean(board.pin) && !board.unlocked;
  const section = find("#numbers");
  if (section.hasAttribute("data-soon") !== isWanted) {
    section.toggleAttribute("data-soon", isWanted);
    if (!section.contains(document.activeElement)) (isWanted ? find("#quick") : find("#where")).after(section);
  }
  const hosts = (meeting.hosts ?? []).filter(({ role }) => role === "technical_host");
  find("#numbers").hidden = !board.unlocked && !board.pin && !hosts.length;
  say(find("#numbers-text"), t.t(isWanted ? "board.pin.soon" : board.unlocked ? "board.pin.open" : board.pin ? `board.pin.why_${board.pin}` : "board.pin.none"));
  find("#ask-pin").hidden = Boolean(board.unlocked || !board.pin);
  if (board.unlocked) find("#pin").hidden = true;
  const key = JSON.stringify([t.lang, hosts]);
  if (find("#hosts").dataset.key === key) return;
  find("#hosts").dataset.key = key;
  const items = hosts.map(({ label, phones }) => {
    const item = make("li", {}, `${t.t("host.technical_host")}: ${label}`);
    for (const number of phones ?? []) item.append(callLink(number, t));
    return item;
  });
  find("#hosts").replaceChildren(...items);
}

/**
 * Draw the question after the meeting, with the answer.
 * @param {number | null | undefined} score @param {{ problem: string, whose: string }} answer @param {Texts} t @param {readonly string[]} problems
 * @param {BoardPart} part the meeting that is asked about
 */
export function drawAfterwards(score, { problem, whose }, t, problems, { participants }) {
  find("#afterwards").hidden = score === null || score === undefined;
  if (find("#afterwards").hidden) return;
  fillChoices(find("#scores"), "score", [5, 4, 3, 2, 1].map(String), String(score), (value) => t.t(`board.after.score_${value}`));
  find("#problems").hidden = !score || score >= 4;
  fillChoices(find("#problem-buttons"), "problem", problems, problem, (value) => t.t(`board.after.problem_${value}`));
  find("#whose").hidden = find("#problems").hidden || !problem;
  const people = ["self", ...new Set(participants.map(({ role }) => role))];
  fillChoices(find("#whose-buttons"), "whose", people, whose, (value) => (value === "self" ? t.t("board.after.whose_self") : t.first([`role.${value}`]) || value));
  say(find("#thanks"), score ? t.t("board.after.thanks") : "");
}

/** @param {Element} box @param {string} name @param {readonly string[]} values @param {string} chosen @param {(value: string) => string} word */
function fillChoices(box, name, values, chosen, word) {
  const items = values.map((value, place) => {
    const item = box.children[place] ?? make("button", { type: "button", class: "button", [`data-${name}`]: value });
    say(item, word(value));
    item.setAttribute("aria-pressed", String(value === chosen));
    return item;
  });
  arrangeIn(box, items);
}

/** Put a box to tick on each point of the checklists; ticks are not kept. */
export function makeTickable() {
  for (const point of document.querySelectorAll(":is(#checklist, #technical_host) .guide-text li")) {
    const label = make("label");
    label.append(make("input", { type: "checkbox" }), make("span"));
    label.lastElementChild?.append(...point.childNodes);
    point.replaceChildren(label);
  }
}
