/**
 * Loudspeaker: three spoken digits, and which of them the person heard. The person decides, never the page.
 * @typedef {import("../../../shared/types").Clock} Clock
 * @typedef {import("../../../shared/types").Plan} Plan
 * @typedef {{ action: "heard-digits" | "heard-nothing" | "no-sound" | "skip" | "play-again" | "other-output", digits?: number[] }} Answer
 * @typedef {{ attempt: number, digits: number[], choices: number[][], state: "waiting" | "playing" | "played", note: "wrong" | "louder" | "other" | null }} Progress
 * @typedef {{ played: number[], answer: "digits" | "nothing" | "no_sound" | "skip" | "failed", heard: number[] | null, plays: number }} Result
 */

import { linked } from "../clock.js";

const LOUDER_DB = 6;
/** Pause after the step's words, so that a screen reader and the digits do not talk at the same time. */
const BEFORE_MS = 1500;

/** @param {number[]} a @param {number[]} b */
const same = (a, b) => a.join() === b.join();

/**
 * @param {{ plan: Pick<Plan, "digits" | "choices">, play: (digits: number[], gain_db: number) => Promise<number>,
 *   clock: Clock, signal: AbortSignal, answer: (signal: AbortSignal) => Promise<Answer>,
 *   onProgress: (progress: Progress) => void }} options
 * @returns {Promise<Result>}
 */
export async function run({ plan, play, clock, signal, answer, onProgress }) {
  let plays = 0;
  let gain_db = 0;
  let nothing = 0;
  /** @type {Progress["note"]} */
  let note = null;
  for (let attempt = 0; ; ) {
    const digits = plan.digits[attempt];
    const tell = (/** @type {Progress["state"]} */ state) => onProgress({ attempt, digits, choices: plan.choices[attempt], state, note });
    const sound = async () => {
      tell("playing");
      const lasts_ms = await play(digits, gain_db);
      plays += 1;
      return lasts_ms;
    };
    tell("waiting");
    const given = await heard({ sound, clock, signal, answer, played: () => tell("played") });
    if (!given) return { played: digits, answer: "failed", heard: null, plays };
    if (given.action === "skip") return { played: digits, answer: "skip", heard: null, plays };
    if (given.action === "no-sound") return { played: digits, answer: "no_sound", heard: null, plays };
    if (given.action === "heard-digits") {
      const heardDigits = given.digits ?? [];
      const last = attempt + 1 >= plan.digits.length;
      if (same(heardDigits, digits) || last) return { played: digits, answer: "digits", heard: heardDigits, plays };
      attempt += 1;
      note = "wrong";
      continue;
    }
    if (given.action === "other-output") {
      note = "other";
      continue;
    }
    nothing += given.action === "heard-nothing" ? 1 : 0;
    if (nothing > 1) return { played: digits, answer: "nothing", heard: null, plays };
    gain_db = LOUDER_DB;
    note = "louder";
  }
}

/**
 * The person's answer, which may come before the digits sound ("I don't use sound") and while they do. Nobody can have
 * heard nothing before they sounded: until then that answer is passed over.
 * @param {{ sound: () => Promise<number>, clock: Clock, signal: AbortSignal, answer: (signal: AbortSignal) => Promise<Answer>, played: () => void }} options
 * @returns {Promise<Answer | null>} null where nothing could be played
 */
async function heard({ sound, clock, signal, answer, played }) {
  const inner = linked(signal);
  let sounded = false;
  const given = (async () => {
    for (;;) {
      const one = await answer(inner.signal);
      if (sounded || one.action !== "heard-nothing") return one;
    }
  })();
  given.catch(() => undefined);
  const orAfter = async (/** @type {number} */ wait_ms) => Promise.race([given, clock.sleep(wait_ms, inner.signal).then(() => null)]);
  try {
    const early = await orAfter(BEFORE_MS);
    if (early) return early;
    const begun = await Promise.race([given, sound().catch(() => null)]);
    if (typeof begun !== "number") return begun;
    const during = await orAfter(begun);
    if (during) return during;
    sounded = true;
    played();
    return await given;
  } finally {
    inner.abort(new DOMException("answered", "AbortError"));
  }
}
