/**
 * The full speed of the line, on demand: the bytes of a few seconds, down and then up, over the routes of
 * Speedtest Mini. Counted at the receiver. Stores nothing, judges nothing; loaded only when somebody asks for it.
 * @typedef {import("../../shared/types").Clock} Clock
 * @typedef {{ fetch: typeof fetch, clock: Clock, session: string, most_bytes: number, signal: AbortSignal, onPhase: (phase: "down" | "up") => void }} Options
 */
import { ApiError } from "../../shared/api.js";

/** Each way, ms. */
const LASTS_MS = 5000;
/** Share of the time, not counted, in which connections reach their speed; and its most, ms. */
const RAMP_SHARE = 0.25;
const RAMP_MS = 1000;
/** Parallel transfers; a single one does not fill a long line. */
const STREAMS = 4;
/** Share of the bytes for the way down; bytes on their way at the end come on top, out of the rest, shared with up. */
const DOWN_SHARE = 0.6;
const UP_SHARE = 0.3;
/** Side of the picture to download: 8 MB. */
const DOWN_SIZE = 2000;
/** Uploads grow until each takes this long, ms, from the first size to the last, bytes. */
const UPLOAD_MS = 300;
const FIRST_UPLOAD = 32 * 1024;
const LAST_UPLOAD = 1024 * 1024;
/** How long uploads on their way may take after the end, ms. */
const GRACE_MS = 6000;
/** Most bytes that a browser makes at random in one go. */
const RANDOM_BYTES = 65_536;
/** Pause before a second try: the server may still be closing the self-test that has just ended. */
const AGAIN_MS = 3000;

/** @typedef {{ from_ms: number, to_ms: number, bytes: number }} Piece bytes that came evenly between two moments */

/**
 * @param {Piece[]} pieces @param {number} from_ms @param {number} to_ms
 * @returns {number | null} Mbit/s between the two moments, or null where nothing came
 */
export function rateOf(pieces, from_ms, to_ms) {
  let bytes = 0;
  for (const piece of pieces) {
    const lasts = piece.to_ms - piece.from_ms;
    const inside = Math.min(piece.to_ms, to_ms) - Math.max(piece.from_ms, from_ms);
    if (inside >= 0 && lasts > 0) bytes += piece.bytes * inside / lasts;
    else if (inside >= 0) bytes += piece.bytes;
  }
  return bytes > 0 && to_ms > from_ms ? bytes * 8 / 1000 / (to_ms - from_ms) : null;
}

/** @param {Piece[]} pieces @param {number} begun_ms @param {number} ended_ms @returns {number | null} Mbit/s without the start */
function settled(pieces, begun_ms, ended_ms) {
  return rateOf(pieces, begun_ms + Math.min(RAMP_MS, RAMP_SHARE * (ended_ms - begun_ms)), ended_ms);
}

/** @param {Response} response @returns {Promise<Response>} */
async function accepted(response) {
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  throw new ApiError(answer?.error?.code ?? "internal", response.status);
}

/** @param {Options} options @param {string} name @param {RequestInit} init */
async function ask({ fetch, session }, name, init) {
  const path = `/mini/speedtest/${name}?session=${encodeURIComponent(session)}`;
  const response = await fetch(path, { ...init, cache: "no-store" }).catch((error) => {
    throw error?.name === "AbortError" ? error : new ApiError("unreachable", 0);
  });
  return accepted(response);
}

/** Let `stream` run several times side by side until the time is over; an end that we made is no error.
 * @param {Options} options @param {AbortController} over @param {() => Promise<void>} stream */
async function together({ clock, signal }, over, stream) {
  const stop = () => over.abort(signal.reason);
  signal.addEventListener("abort", stop);
  clock.sleep(LASTS_MS, over.signal).then(() => over.abort(), () => undefined);
  try {
    await Promise.all(Array.from({ length: STREAMS }, stream));
  } catch (error) {
    if (signal.aborted || !over.signal.aborted) throw error;
  } finally {
    over.abort();
    signal.removeEventListener("abort", stop);
  }
  if (signal.aborted) throw signal.reason;
}

/** @param {Options} options @returns {Promise<number | null>} Mbit/s to the person */
async function down(options) {
  const { clock, most_bytes } = options;
  const over = new AbortController();
  /** @type {Piece[]} */
  const pieces = [];
  const begun = clock.now();
  let total = 0;
  await together(options, over, async () => {
    while (!over.signal.aborted) {
      const response = await ask(options, `random${DOWN_SIZE}x${DOWN_SIZE}.jpg`, { signal: over.signal });
      const reader = response.body?.getReader();
      if (!reader) throw new ApiError("internal", 0);
      for (let last = clock.now(), read = await reader.read(); !read.done; read = await reader.read()) {
        const now = clock.now();
        pieces.push({ from_ms: last, to_ms: now, bytes: read.value.length });
        last = now;
        total += read.value.length;
        if (total >= most_bytes * DOWN_SHARE) over.abort();
      }
    }
  });
  return settled(pieces, begun, clock.now());
}

/** Noise, which can't be compressed on the way; a blob, because Chromium sends bytes of a page's memory slowly. */
function noise() {
  const bytes = new Uint8Array(LAST_UPLOAD);
  for (let at = 0; at < bytes.length; at += RANDOM_BYTES) crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES));
  return new Blob([bytes]);
}

/** Uploads that have begun are let finish for a while: how far one has come is not known here.
 * @param {Options} options @returns {Promise<number | null>} Mbit/s from the person */
async function up(options) {
  const { clock, most_bytes, signal } = options;
  const over = new AbortController();
  const cut = new AbortController();
  signal.addEventListener("abort", () => cut.abort(signal.reason));
  over.signal.addEventListener("abort", () => clock.sleep(GRACE_MS, signal).then(() => cut.abort(), () => undefined));
  const body = noise();
  /** @type {Piece[]} */
  const pieces = [];
  const begun = clock.now();
  let ended = begun;
  let total = 0;
  await together(options, over, async () => {
    let size = FIRST_UPLOAD;
    while (!over.signal.aborted) {
      total += size;
      if (total > most_bytes * UP_SHARE) over.abort();
      const from_ms = clock.now();
      const response = await ask(options, "upload.php", { method: "POST", body: body.slice(0, size), signal: cut.signal });
      await response.text();
      const to_ms = clock.now();
      pieces.push({ from_ms, to_ms, bytes: size });
      if (!over.signal.aborted) ended = to_ms;
      if (to_ms - from_ms < UPLOAD_MS) size = Math.min(LAST_UPLOAD, 2 * size);
    }
  });
  return settled(pieces, begun, ended > begun ? ended : pieces.at(-1)?.to_ms ?? begun);
}

/** Begin a test; if there is no room, try once more after a moment. @param {Options} options */
async function enter(options) {
  const { clock, signal } = options;
  try {
    await ask(options, "latency.txt", { signal });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 503) throw error;
    await clock.sleep(AGAIN_MS, signal);
    await ask(options, "latency.txt", { signal });
  }
}

/**
 * @param {Options} options
 * @returns {Promise<{ down_mbps: number | null, up_mbps: number | null }>} throws ApiError, or the signal's reason
 */
export async function run(options) {
  await enter(options);
  options.onPhase("down");
  const down_mbps = await down(options);
  options.onPhase("up");
  return { down_mbps, up_mbps: await up(options) };
}
