/**
 * Sound: three seconds of asked silence, then a sentence read aloud. Figures of raw capture here, speech on the server.
 * @typedef {import("../../../shared/types").Clock} Clock
 * @typedef {import("../../../shared/types").Block} Block
 * @typedef {import("../../../shared/types").Recorder} Recorder
 * @typedef {import("../../../shared/types").Hint} Hint
 * @typedef {{ stage: "quiet" | "speak", left_s?: number, level_dbfs?: number, silent?: boolean, heard?: boolean, told?: string, faint?: boolean, again?: "no_pause" | "others" }} Progress
 */
import { StepFault } from "../clock.js";

const QUIET_S = 3;
const SPEAK_MS = 10_000;
const MORE_MS = 60_000;
/** After this long without speech the person is told. */
const FAINT_MS = 4000;
const TICK_MS = 100;
const MAX_BLOCKS = 600;
/** Blocks of exact zeros after which the microphone counts as muted: 1.5 s. */
const ZERO_BLOCKS = 15;
const ZERO_PCT = 99;

/** Least clear pause for the server's noise floor, s: 10 windows of 32 ms. */
const PAUSE_S = 0.32;

/** Watches for a microphone without any sound. */
export class ZeroWatch {
  constructor() {
    this.run = 0;
  }

  /** @param {Block} block @returns {boolean} whether the microphone has been dead silent for a while */
  add(block) {
    this.run = block[3] > ZERO_PCT ? this.run + 1 : 0;
    return this.run >= ZERO_BLOCKS;
  }
}

/**
 * @param {{ recorder: Recorder, processed: boolean, muted?: () => boolean, device_class?: string, clock: Clock,
 *   signal: AbortSignal, mark: (step: string, t_ms: number) => void, most_bytes?: number, sendPcm: (t_ms: number, samples: Int16Array) => void,
 *   onHint: (handler: (hint: Hint) => void) => () => void, asked: () => "next" | "more" | null,
 *   onProgress: (progress: Progress) => void }} options
 * @returns {Promise<{ blocks: Block[], processed: boolean, muted: boolean, sample_rate_hz: number, device_class?: string, ended_by: "heard" | "timeout" | "next" }>}
 */
export async function run({ recorder, processed, muted = () => false, device_class, clock, signal, mark, most_bytes = Infinity, sendPcm, onHint, asked, onProgress }) {
  /** @type {Block[]} */
  const blocks = [];
  const zeros = new ZeroWatch();
  /** @type {Progress} */
  const progress = { stage: "quiet", left_s: QUIET_S };
  const tell = (/** @type {Partial<Progress>} */ change) => onProgress({ ...Object.assign(progress, change) });
  /** @type {number | null} what the server has heard of pause so far; null where it does not tell */
  let quiet_s = null;
  /** Others were heard in the asked silence; and: clear speech, a pause after it, and nothing that one could still mend. */
  let [others, done, bytes] = [false, false, 0];
  const stopHints = onHint(({ check, code, values }) => {
    if (check !== "microphone.speech") return;
    if (typeof values?.quiet_s === "number") quiet_s = values.quiet_s;
    others = values?.others === true;
    done = progress.stage === "speak" && values?.done === true;
    tell({ heard: code === "heard", told: code.startsWith("microphone.") ? code : "" });
  });
  recorder.listen((block) => {
    blocks.push(block);
    tell({ level_dbfs: block[1], silent: zeros.add(block) });
  }, (t_ms, samples) => {
    bytes += samples.byteLength;
    if (bytes <= most_bytes) sendPcm(t_ms, samples);
  });
  try {
    const early = await quiet({ recorder, clock, signal, mark, asked, tell });
    tell({ stage: "speak", left_s: undefined });
    const ended_by = early ?? (await speak({ recorder, clock, signal, mark, asked, tell, done: () => done, spent: () => bytes > most_bytes }));
    const again = others ? "others" : quiet_s !== null && quiet_s < PAUSE_S ? "no_pause" : null;
    if (ended_by === "heard" && again) {
      tell({ stage: "quiet", again, told: "" });
      await quiet({ recorder, clock, signal, mark, asked, tell });
    }
    const figures = { blocks: blocks.slice(-MAX_BLOCKS), processed, muted: muted(), sample_rate_hz: recorder.sampleRate, ended_by };
    return device_class ? { ...figures, device_class } : figures;
  } finally {
    recorder.listen(null, null);
    stopHints();
  }
}

/**
 * @param {{ recorder: Recorder, clock: Clock, signal: AbortSignal, mark: (step: string, t_ms: number) => void,
 *   asked: () => "next" | "more" | null, tell: (change: Partial<Progress>) => void }} options
 * @returns {Promise<"next" | null>} "next" where the person would not wait
 */
async function quiet({ recorder, clock, signal, mark, asked, tell }) {
  mark("silence_start", recorder.now());
  const end = clock.now() + QUIET_S * 1000;
  let next = false;
  while (clock.now() < end && !next) {
    await clock.sleep(TICK_MS, signal);
    tell({ left_s: Math.max(1, Math.ceil((end - clock.now()) / 1000)) });
    next = asked() === "next";
  }
  if (recorder.now() === 0) throw new StepFault("sound_stopped");
  mark("silence_end", recorder.now());
  return next ? "next" : null;
}

/**
 * @param {{ recorder: Recorder, clock: Clock, signal: AbortSignal, mark: (step: string, t_ms: number) => void,
 *   asked: () => "next" | "more" | null, tell: (change: Partial<Progress>) => void, done: () => boolean, spent: () => boolean }} options
 * @returns {Promise<"heard" | "timeout" | "next">}
 */
async function speak({ recorder, clock, signal, mark, asked, tell, done, spent }) {
  mark("speech_start", recorder.now());
  const start = clock.now();
  let end = start + SPEAK_MS;
  /** @type {"heard" | "timeout" | "next"} */
  let ended_by = "timeout";
  while (clock.now() < end && !spent()) {
    await clock.sleep(TICK_MS, signal);
    const answer = asked();
    if (answer === "more") end = clock.now() + MORE_MS;
    if (answer === "next") ended_by = "next";
    if (done()) ended_by = "heard";
    if (ended_by !== "timeout") break;
    if (clock.now() - start >= FAINT_MS) tell({ faint: true });
  }
  mark("speech_end", recorder.now());
  return ended_by;
}
