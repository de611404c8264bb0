/**
 * Picture: stills for the server to look at, and the camera's own frame times. No opinion; the picture is never stored.
 * @typedef {import("../../../shared/types").Clock} Clock
 * @typedef {import("../../../shared/types").Hint} Hint
 * @typedef {{ toJpeg(quality: number, longSide_px: number): Promise<Uint8Array>, noise?: () => number | null }} StillSource
 *   grabs the newest frame, at most so long on its long side; `noise` is that of the newest raw picture, before any codec
 */
import { StepFault, systemClock, within } from "../clock.js";

/**
 * @typedef {{ longSide_px: number, bytes: number, every_ms: number }} StillKind
 * @type {StillKind} stills of one person
 */
export const NEAR = { longSide_px: 640, bytes: 40_000, every_ms: 500 };
/** Stills of several people, who sit further away: shrunk to 640 px half of the faces of a room are lost. Fewer of them. */
export const ROOM = { longSide_px: 1280, bytes: 60_000, every_ms: 1000 };
const QUALITIES = [0.8, 0.65, 0.5, 0.35, 0.2];
/** Shares of the long side: a lively room at 1280 px may be too large at the lowest quality. Smaller is better than nothing. */
const SHARES = [1, 0.8, 0.64, 0.5];
/** So many times slower once half of the promised bytes are used: somebody who needs more time is still looked at. */
const SLOWER = 3;
/** Qualities to try for a shrunk picture. */
const LOW_QUALITIES = [0.35, 0.2];
/** The picture has to be good for this long before the test goes on by itself. */
const GOOD_MS = 2000;
const ENOUGH_MS = 15_000;
const MORE_MS = 60_000;
const MAX_TIMES = 600;
/** Limit for reading a picture, which takes a few ms, on an old phone 0.3 s; slower ones are left out. */
const READ_MS = 4000;
/** Noise is measured in one of this many stills, and this many figures are kept. */
const NOISE_EVERY = 3;
const MAX_NOISE = 40;
/** Interval of counting frames, ms: a sixth of the interval of 30 fps, hardly more often than timers fire. */
const COUNT_EVERY_MS = 5;
/** How often a browser that calls is watched, ms: the slowest camera that does not fail, of 5 fps, gives a frame in it. */
const LOOK_EVERY_MS = 250;
/** Looks without a call, while frames came, after which the call is given up; a single one may be a busy moment. */
const SILENT_LOOKS = 3;

/** @param {number} width @param {number} height @param {number} longSide_px */
export function stillSize(width, height, longSide_px) {
  const scale = Math.min(1, longSide_px / Math.max(width, height, 1));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/**
 * A JPEG that is small enough: of lower quality first, then shrunk too. Null where there is no picture, or not even that is enough.
 * @param {StillSource} source @param {StillKind} kind @returns {Promise<Uint8Array | null>}
 */
export async function smallStill(source, kind) {
  for (const share of SHARES) {
    for (const quality of share === 1 ? QUALITIES : LOW_QUALITIES) {
      const jpeg = await source.toJpeg(quality, Math.round(share * kind.longSide_px));
      if (jpeg.length === 0) return null;
      if (jpeg.length <= kind.bytes) return jpeg;
    }
  }
  return null;
}

/**
 * Frame times, in order and from the first one. Frames that were shown while the page was too busy to be called are
 * put in between, evenly: the camera did deliver them.
 */
export class FrameTimes {
  constructor() {
    /** @type {number[]} */
    this.times = [];
    this.frames = -1;
  }

  /** Forget all times, because a better watch begins. */
  restart() {
    this.times.length = 0;
    this.frames = -1;
  }

  /** @param {number} t_ms @param {number} [presentedFrames] the browser's own count */
  add(t_ms, presentedFrames) {
    const last = this.times.at(-1);
    if (last !== undefined && t_ms <= last) return;
    const skipped = presentedFrames !== undefined && this.frames >= 0 ? Math.min(presentedFrames - this.frames - 1, 30) : 0;
    for (let i = 1; last !== undefined && i <= skipped; i += 1) this.times.push(last + ((t_ms - last) * i) / (skipped + 1));
    this.times.push(t_ms);
    if (presentedFrames !== undefined) this.frames = presentedFrames;
  }

  /** The newest frame times relative to the first of them, ms. @returns {number[]} */
  list() {
    const newest = this.times.slice(-MAX_TIMES);
    return newest.map((t_ms) => Math.round(10 * (t_ms - newest[0])) / 10);
  }
}

/**
 * Watch the frames of a playing video: by the browser's call for each of them, which knows when it was captured. WebKit that
 * paints without graphics hardware has the call and never makes it, and one that is short of time makes it once and then no
 * more: before the first call, and for good after a silence while frames came, the browser's count of frames is read often
 * instead. `currentTime` would not do, as it goes with the clock whether frames come or not.
 * @param {HTMLVideoElement} video @param {FrameTimes} times @param {Clock} [clock] @returns {() => void} stop
 */
export function watchFrames(video, times, clock = systemClock()) {
  const over = new AbortController();
  let called = false;
  let calls = 0;
  let silentLooks = 0;
  let givenUp = false;
  /** @param {number} now @param {any} frame metadata of the video frame */
  const onFrame = (now, frame) => {
    if (over.signal.aborted || givenUp) return;
    if (!called) times.restart();
    called = true;
    calls += 1;
    times.add(frame.captureTime ?? now, frame.presentedFrames);
    video.requestVideoFrameCallback(onFrame);
  };
  const count = async () => {
    let before = framesOf(video);
    while (before !== undefined) {
      const frames = framesOf(video) ?? before;
      if (called) {
        silentLooks = frames > before && calls === 0 ? silentLooks + 1 : 0;
        calls = 0;
        if (silentLooks === SILENT_LOOKS) {
          givenUp = true;
          called = false;
          times.restart();
        }
      } else if (frames > before) times.add(clock.now(), frames);
      before = frames;
      await clock.sleep(called ? LOOK_EVERY_MS : COUNT_EVERY_MS, over.signal);
    }
  };
  video.requestVideoFrameCallback?.(onFrame);
  count().catch(() => undefined);
  return () => over.abort();
}

/** @param {HTMLVideoElement} video @returns {number | undefined} frames so far, shown or not */
const framesOf = (video) => video.getVideoPlaybackQuality?.().totalVideoFrames;

/**
 * Decides when the picture step is over, from hints and the time. Pure.
 */
export class PictureEnd {
  /** @param {number} now */
  constructor(now) {
    this.deadline = now + ENOUGH_MS;
    /** @type {number | null} */
    this.goodSince = null;
  }

  /** @param {string} code @param {number} now */
  hint(code, now) {
    this.goodSince = code === "good" ? (this.goodSince ?? now) : null;
  }

  /** @param {number} now */
  more(now) {
    this.deadline = now + MORE_MS;
  }

  /** Judge anew, by another number of people; time that was given stays. @param {number} now */
  anew(now) {
    this.deadline = Math.max(this.deadline, now + ENOUGH_MS);
    this.goodSince = null;
  }

  /** @param {number} now @returns {"good" | "timeout" | null} */
  over(now) {
    if (this.goodSince !== null && now - this.goodSince >= GOOD_MS) return "good";
    return now >= this.deadline ? "timeout" : null;
  }
}

/**
 * @param {{ source: StillSource, planned: number, people: () => number, clock: Clock, signal: AbortSignal, watch: (times: FrameTimes) => () => void,
 *   most_bytes?: number, sendStill: (t_ms: number, jpeg: Uint8Array) => void, onHint: (handler: (hint: Hint) => void) => () => void,
 *   onPeople: (people: number) => void,
 *   asked: () => "next" | "more" | null, onProgress: (hint: Hint) => void }} options
 *   `planned` is how many are expected, `people` how many they say they are, 0 while nothing was said; `onPeople` is told once
 *   they have said it, before this step or in it, and when it changes; `asked` tells, and forgets, which button was pressed
 * @returns {Promise<{ people: number, capture_ms: number[], noise_sigma: number[], ended_by: "good" | "timeout" | "next" }>} rejects with
 *   StepFault "picture_hidden" where the browser gave no picture out
 */
export async function run({ source, planned, people, clock, signal, watch, most_bytes = Infinity, sendStill, onHint, onPeople, asked, onProgress }) {
  const kind = () => ((said || planned) > 1 ? ROOM : NEAR);
  const times = new FrameTimes();
  const stopWatching = watch(times);
  const start = clock.now();
  const end = new PictureEnd(start);
  /** @type {number[]} */
  const noise = [];
  let [said, stills, unread, bytes] = [0, 0, 0, 0];
  const result = (/** @type {"good" | "timeout" | "next"} */ ended_by) => {
    if (stills === 0 && unread > 0) throw new StepFault("picture_hidden");
    return { people: said || planned, capture_ms: times.list(), noise_sigma: noise.slice(-MAX_NOISE), ended_by };
  };
  const stopHints = onHint((hint) => {
    if (!hint.check.startsWith("camera")) return;
    end.hint(hint.code, clock.now());
    onProgress(hint);
  });
  try {
    for (;;) {
      const round = clock.now();
      if (people() !== said) {
        said = people();
        end.anew(round);
        onPeople(said);
      }
      const jpeg = await within({ clock, limit_ms: READ_MS }, smallStill(source, kind()).catch(() => undefined));
      if (jpeg === undefined) unread += 1;
      if (jpeg) sendStill(clock.now() - start, jpeg);
      bytes += jpeg?.length ?? 0;
      const sigma = jpeg && stills++ % NOISE_EVERY === 0 ? (source.noise?.() ?? null) : null;
      if (sigma !== null) noise.push(Math.round(100 * sigma) / 100);
      const answer = asked();
      if (answer === "next") return result("next");
      if (answer === "more") end.more(clock.now());
      const over = end.over(clock.now()) ?? (bytes + kind().bytes > most_bytes ? "timeout" : null);
      if (over) return result(over);
      const every_ms = kind().every_ms * (2 * bytes > most_bytes ? SLOWER : 1);
      await clock.sleep(Math.max(50, every_ms - (clock.now() - round)), signal);
    }
  } finally {
    stopWatching();
    stopHints();
  }
}
