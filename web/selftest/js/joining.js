/**
 * The way into the meeting: when it opens here, the one large button once it is open, and what to do where it does not
 * work. What the test said never stands in its way.
 * @typedef {import("../../shared/types").Session} Session
 * @typedef {import("../../shared/types").Platform} Platform
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {{ tellWayIn: typeof tellWayIn, tellWhen: typeof tellWhen, renderJoin: typeof renderJoin }} Joining
 */

import { find, say } from "../../shared/dom.js";

const MINUTE_MS = 60_000;
/** How often an open page looks whether the meeting has opened, has moved or is off. */
const LOOK_MS = 30_000;

/** Whether nothing is measured, so that the page may change. @param {import("./session.js").State} state */
const restsAt = ({ step, judging }) => step === "welcome" || step === "stopped" || (step === "answer" && !judging);

/** Steps in which nothing is measured, so that the meeting may be opened. */
const ENDS = new Set(["welcome", "answer", "stopped", "waiting"]);
let watched = false;

/** @param {{ session: Session | null }} state */
const isOff = ({ session }) => session?.meeting?.state === "cancelled";

/**
 * The way in opens by itself, and a meeting that is off is told.
 * @param {{ setJoining: (joining: Joining) => void }} view
 * @param {import("./clock.js").Clock} clock @param {() => import("./session.js").State} stateOf @param {() => Promise<unknown>} refresh
 */
export async function attend(view, clock, stateOf, refresh) {
  view.setJoining({ tellWayIn, tellWhen, renderJoin });
  if (watched) return;
  watched = true;
  const look = async () => {
    const state = stateOf();
    if (state.session?.meeting && restsAt(state) && !document.hidden && !isOff(state)) await refresh();
  };
  document.addEventListener("visibilitychange", look);
  while (!isOff(stateOf())) {
    await clock.sleep(LOOK_MS);
    await look();
  }
}

/**
 * What is said of the way in: empty where there is no meeting to come.
 * @param {Session | null} session @param {Texts} texts
 */
export function joinWords(session, texts) {
  const { join, meeting } = session ?? {};
  if (!join || !meeting) return "";
  if (join.link) return "";
  if (!join.here) return texts.t(join.from ? "join.from" : "join.kept", { where: join.from });
  const minutes = Math.round((Date.parse(meeting.starts_at) - Date.parse(join.opens_at)) / MINUTE_MS);
  return texts.plural("join.later", minutes);
}

/** @param {string} place @param {string} words */
function tell(place, words) {
  find(place).hidden = !words;
  say(find(place), words);
}

/** On the first page: how to get in, until the button is there. @param {Session | null} session @param {Texts} texts */
export function tellWayIn(session, texts) {
  tell("#joining", session?.join?.open ? "" : joinWords(session, texts));
}

/** With the answer: when the meeting is, and how to get in. @param {object | null} report @param {Session | null} session @param {Texts} texts */
export function tellWhen(report, session, texts) {
  const { meeting, join } = session ?? {};
  const isAhead = report && meeting && join && !join.open;
  tell("#answer-joining", isAhead ? `${texts.t("answer.meeting", { when: texts.at(meeting.starts_at, meeting.time_zone) })} ${joinWords(session, texts)}` : "");
}

/**
 * @param {Session | null} session @param {Platform} here @param {Texts} texts
 * @param {string} step what is shown
 */
export function renderJoin(session, here, texts, step) {
  const { join, meeting, solution } = session ?? {};
  const place = find("#join");
  const open = Boolean(join?.open && meeting && ENDS.has(step));
  place.hidden = !open;
  document.documentElement.toggleAttribute("data-joins", Boolean(open && join?.link));
  if (!open || !join || !meeting) return;
  say(find("#join-title"), texts.t("join.title", { when: texts.at(meeting.starts_at, meeting.time_zone) }));
  find("#join-begun").hidden = !join.begun;
  const go = /** @type {HTMLAnchorElement} */ (find("#join-go"));
  go.hidden = !join.link;
  if (join.link) go.href = join.link;
  else go.removeAttribute("href");
  const needsProgram = Boolean(join.link && solution?.program_on.includes(here.form));
  find("#join-program").hidden = !needsProgram;
  say(find("#join-program"), needsProgram ? texts.t("join.program", { title: solution?.title ?? "" }) : "");
  find("#join-kept").hidden = Boolean(join.link);
  say(find("#join-kept"), joinWords(session, texts));
}
