/**
 * How long anybody waits without a word. Whatever the page waits for, it says after 8 s that it takes longer, and after
 * 45 s whom to call and how to go on later; nothing else on the page counts these times.
 * @typedef {import("../../shared/types").Clock} Clock
 * @typedef {import("./session.js").State} State
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 */
import { ApiError } from "../../shared/api.js";
import { waitOf } from "./session.js";

/** How long "just a moment" is all that is said. */
export const LONGER_MS = 8000;
/** From this time on the page says whom to call. */
export const CALL_MS = 45_000;
/** Pauses between tries of a request without an answer; the last one repeats. */
const AGAIN_MS = [1000, 2000, 4000, 8000];
const GATEWAY_AWAY = 502;

/**
 * @param {{ clock: Clock, tell: (level: 1 | 2) => void }} options
 * @returns {(wait: string | null, spent_ms?: number) => void} told what is waited for, each time something changed, and
 *   how long in vain before anybody knew
 */
export function createPatience({ clock, tell }) {
  /** @type {string | null} */
  let current = null;
  let over = new AbortController();
  const later = (/** @type {number} */ ms, /** @type {1 | 2} */ level) => {
    clock.sleep(ms, over.signal).then(() => tell(level), () => undefined);
  };
  return (wait, spent_ms = 0) => {
    if (wait === current) return;
    current = wait;
    over.abort();
    over = new AbortController();
    if (wait === null) return;
    later(Math.max(0, LONGER_MS - spent_ms), 1);
    later(Math.max(0, CALL_MS - spent_ms), 2);
  };
}

/**
 * Repeat a request while nobody answers, until `signal` is aborted. Any other error is passed on.
 * @template T @param {() => Promise<T>} request @param {Clock} clock @param {AbortSignal} signal @returns {Promise<T>}
 */
export async function persistently(request, clock, signal) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await request();
    } catch (error) {
      const away = error instanceof ApiError && (error.code === "unreachable" || error.status >= GATEWAY_AWAY);
      if (!away || signal.aborted) throw error;
    }
    await clock.sleep(AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)], signal);
  }
}

/** From this long a wait on, the time in a queue is given in minutes, s. */
const IN_MINUTES_S = 90;

/** @param {State} state @param {Texts} texts */
function queueWords({ queue, requeued }, texts) {
  const { place = 1, eta_s = 0 } = queue ?? {};
  const seconds = Math.round(eta_s);
  const minutes = Math.round(eta_s / 60);
  const when = eta_s < IN_MINUTES_S ? texts.plural("waiting.seconds", seconds, { seconds }) : texts.plural("waiting.minutes", minutes, { minutes });
  const words = texts.t("waiting.queued", { place, when });
  return requeued ? `${texts.t("waiting.requeued")} ${words}` : words;
}

/**
 * @param {State} state @param {Texts} texts
 * @returns {{ title: string, text: string, later: string, tone: "calm" | "warn", action: string }} `later` is empty until it is time to call
 */
export function waitWords(state, texts) {
  const wait = waitOf(state) ?? "connecting";
  if (wait === "queued" || wait === "busy") {
    const text = wait === "queued" ? queueWords(state, texts) : texts.t("waiting.busy");
    return { title: texts.t("waiting.queued_title"), text, later: "", tone: "calm", action: texts.t("waiting.leave_queue") };
  }
  if (wait === "blocked") {
    return { title: texts.t("waiting.blocked_title"), text: texts.t("waiting.blocked"), later: texts.t("waiting.blocked_told"), tone: "warn", action: texts.t("waiting.leave") };
  }
  const began = state.plan !== null;
  const lostPlace = wait === "lost" && state.queue ? "waiting.lost_place" : `waiting.${wait}`;
  const key = ["", "waiting.longer", "waiting.call"][state.patience] || lostPlace;
  const again = state.session?.kind === "drop_in" ? "waiting.later_here" : "waiting.later";
  const later = state.patience < 2 ? "" : [texts.t(again), began ? texts.t("waiting.kept") : ""].join(" ").trim();
  return { title: texts.t(`waiting.${wait}_title`), text: texts.t(key), later, tone: "warn", action: texts.t("waiting.leave") };
}
