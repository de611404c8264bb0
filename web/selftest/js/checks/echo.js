/**
 * Echo: the microphone's sound while the digits are played. Kept here until the line has been measured, so that it
 * does not get in the way, then judged by the server, which knows what the digits sound like.
 * @typedef {import("../../../shared/types").Clock} Clock
 * @typedef {import("../../../shared/types").Recorder} Recorder
 * @typedef {{ lasts_ms: number, onsets_s: number[], lang: string }} Playing
 * @typedef {{ pieces: { t_ms: number, samples: Int16Array }[], figures: Figures }} Heard
 * @typedef {{ ended_by: "played", lang: string, digits: number[], starts_ms: number[], gain_db: number }
 *   | { ended_by: "not_played" | "no_microphone" }} Figures
 */

/** How long after the digits their echo may come and ring, ms. */
const TAIL_MS = 1000;
/** Longest wait for the end of that, ms; the recorder may have stopped. */
const PATIENCE_MS = 6000;

/**
 * @param {{ recorder: () => Promise<Recorder | null>, play: (digits: number[], gain_db: number) => Promise<Playing>, clock: Clock }} options
 */
export function createEar({ recorder, play, clock }) {
  /** @type {Heard} */
  let heard = { pieces: [], figures: { ended_by: "not_played" } };
  /** @type {Promise<void>} */
  let whole = Promise.resolve();

  return {
    /** Play the digits and listen to them. @param {number[]} digits @param {number} gain_db @returns {Promise<number>} their length, ms */
    async play(digits, gain_db) {
      const ear = await recorder().catch(() => null);
      /** @type {Heard["pieces"]} */
      const pieces = [];
      let until_ms = Infinity;
      /** @type {() => void} */
      let end = () => undefined;
      const ended = new Promise((/** @type {(value: void) => void} */ resolve) => {
        end = resolve;
      });
      ear?.listen(null, (t_ms, samples) => {
        pieces.push({ t_ms, samples });
        if (t_ms < until_ms) return;
        ear.listen(null, null);
        end();
      });
      const { lasts_ms, onsets_s, lang } = await play(digits, gain_db);
      if (!ear) {
        heard = { pieces, figures: { ended_by: "no_microphone" } };
        return lasts_ms;
      }
      const starts_ms = onsets_s.map((onset) => Math.max(0, Math.round(10 * ear.at(onset)) / 10));
      until_ms = ear.now() + lasts_ms + TAIL_MS;
      heard = { pieces, figures: { ended_by: "played", lang, digits, starts_ms, gain_db } };
      whole = ended;
      return lasts_ms;
    },
    /** The microphone's sound during the last digits. @param {AbortSignal} signal @returns {Promise<Heard>} */
    async heard(signal) {
      await Promise.race([whole, clock.sleep(PATIENCE_MS, signal)]);
      return heard;
    },
  };
}

/** @typedef {ReturnType<typeof createEar>} Ear */
