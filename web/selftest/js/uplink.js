/**
 * The way up: tracks of sound whose frames a worker overwrites. Works alike in all browsers that let a page touch encoded
 * frames (RTCRtpScriptTransform, or the older encoded streams of Chromium); the others measure by TCP alone.
 * @typedef {import("../../shared/types").Clock} Clock
 * @typedef {{ run: number, tracks: number, bytes: number, ms: number }} Run
 */

const REPLY_MS = 1000;

/** @returns {"script" | "streams" | null} this browser's interface to encoded frames */
export function frameAccess() {
  const scope = /** @type {any} */ (globalThis);
  if (typeof scope.RTCRtpScriptTransform === "function") return "script";
  return typeof scope.RTCRtpSender?.prototype?.createEncodedStreams === "function" ? "streams" : null;
}

/** @type {any} */
let policy = null;

/** Return a script's address for starting it; only one of our own origin. @param {string} url @returns {any} */
export function ownScript(url) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (new URL(url, location.href).origin !== location.origin) throw new TypeError("a worker of another origin");
  if (!types) return url;
  policy ??= types.createPolicy("readiness-worker", { createScriptURL: (/** @type {string} */ own) => own });
  return policy.createScriptURL(url);
}

/** @param {any} sender @param {Worker} worker @param {number} track */
function attach(sender, worker, track) {
  const scope = /** @type {any} */ (globalThis);
  if (frameAccess() === "script") {
    sender.transform = new scope.RTCRtpScriptTransform(worker, { track });
    return;
  }
  const { readable, writable } = sender.createEncodedStreams();
  worker.postMessage({ kind: "streams", track, readable, writable }, [readable, writable]);
}

/**
 * @param {RTCPeerConnection} peer @param {{ source: () => MediaStreamTrack | null, workerUrl: string, tracks: number }} options
 * @returns {Uplink | null} null where this browser can't: then the way up is measured by TCP
 */
export function openUplink(peer, options) {
  try {
    return opened(peer, options);
  } catch (error) {
    console.warn("no uplink by media", error);
    return null;
  }
}

/** @param {RTCPeerConnection} peer @param {Parameters<typeof openUplink>[1]} options */
function opened(peer, { source, workerUrl, tracks }) {
  const track = frameAccess() ? source() : null;
  if (!track) return null;
  const worker = new Worker(ownScript(workerUrl));
  for (let index = 0; index < tracks; index += 1) {
    const { sender } = peer.addTransceiver(track.clone(), { direction: "sendonly" });
    attach(sender, worker, index);
  }
  return new Uplink(worker, track);
}

/** Starts and stops runs, and counts the frames sent. */
export class Uplink {
  /** @param {Worker} worker @param {MediaStreamTrack} track */
  constructor(worker, track) {
    this.worker = worker;
    this.track = track;
  }

  /** @param {Run} values */
  begin({ run, tracks, bytes, ms }) {
    this.worker.postMessage({ kind: "run", run, tracks, bytes, ms });
  }

  /** @param {Clock} clock @param {AbortSignal} signal @returns {Promise<number>} frames sent in the run */
  async stop(clock, signal) {
    const counted = new Promise((resolve) => {
      this.worker.onmessage = ({ data }) => resolve(data.sent);
    });
    this.worker.postMessage({ kind: "stop" });
    const late = clock.sleep(REPLY_MS, signal).then(() => 0);
    late.catch(() => undefined);
    return /** @type {Promise<number>} */ (Promise.race([counted, late]));
  }

  close() {
    this.worker.terminate();
    this.track.stop();
  }
}
