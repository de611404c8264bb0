/**
 * The question after the meeting: five steps, and a word for a problem. Loaded when there is something to ask.
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {{ score: number, problem: string, satisfied?: number, again?: string }} Answer
 */
import { call } from "../../shared/api.js";
import { make } from "../../shared/dom.js";

const SCORES = [5, 4, 3, 2, 1];
const PROBLEMS = ["sound", "picture", "connection", "other"];
const AGAIN = ["yes", "maybe", "no"];
/** From this score on it worked, and nobody is asked about problems. */
const WORKED = 4;

/** @param {string} text @param {boolean} pressed @param {() => void} press */
function choice(text, pressed, press) {
  const button = make("button", { type: "button", class: "button", "aria-pressed": String(pressed) }, text);
  button.addEventListener("click", press);
  return button;
}

/**
 * @param {string} session @param {Answer} given @param {() => Texts} texts
 * @returns {(place: HTMLElement) => void} draws it in the present language
 */
export function afterwards(session, given, texts) {
  let answer = given;
  let said = "";

  /** @param {HTMLElement} place @param {Answer} next */
  async function send(place, next) {
    const focused = document.activeElement?.textContent;
    const before = answer;
    answer = next;
    said = await call(`/api/v1/sessions/${encodeURIComponent(session)}/feedback`, next).then(() => "after.thanks", () => "after.not_sent");
    if (said !== "after.thanks" && answer === next) answer = before;
    draw(place);
    [...place.querySelectorAll("button")].find(({ textContent }) => textContent === focused)?.focus();
  }

  /** @param {HTMLElement} place */
  function draw(place) {
    const { t } = texts();
    const scores = make("div", { class: "actions" });
    scores.append(...SCORES.map((score) => choice(t(`after.score_${score}`), answer.score === score, () => void send(place, { ...answer, score, problem: score >= WORKED ? "" : answer.problem }))));
    const words = make("div", { class: "actions" });
    words.hidden = answer.score === 0 || answer.score >= WORKED;
    words.append(make("p", {}, t("after.problem")), ...PROBLEMS.map((problem) => choice(t(`after.problem_${problem}`), answer.problem === problem, () => void send(place, { ...answer, problem }))));
    const more = make("div");
    more.hidden = answer.score === 0;
    const satisfied = make("div", { class: "actions" });
    satisfied.append(...SCORES.map((step) => choice(t(`after.satisfied_${step}`), answer.satisfied === step, () => void send(place, { ...answer, satisfied: step }))));
    const again = make("div", { class: "actions" });
    again.append(...AGAIN.map((word) => choice(t(`after.again_${word}`), answer.again === word, () => void send(place, { ...answer, again: word }))));
    more.append(make("h2", {}, t("after.satisfied")), satisfied, make("h2", {}, t("after.again")), again);
    const status = make("p", { role: "status" }, said ? t(said) : "");
    place.replaceChildren(make("h2", {}, t("after.question")), scores, words, more, status);
    place.hidden = false;
  }

  return draw;
}
