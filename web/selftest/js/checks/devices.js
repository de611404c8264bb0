/**
 * Camera and microphone: asked for once, from the person's tap, and kept to the end. One machine with a time limit on every
 * wait: ask for both, then for each alone after any failure, then see whether the camera gives a picture that can be read.
 * What comes too late is taken as long as the person has not gone on. Reports W3C error names and device classes; labels
 * and device ids never leave this module.
 * @typedef {import("../../../shared/types").Clock} Clock
 * @typedef {import("../../../shared/types").DevicesResult} DevicesResult
 * @typedef {import("../../../shared/types").Status} Status
 * @typedef {Pick<MediaDevices, "getUserMedia">} Media
 * @typedef {"camera" | "microphone"} Device
 * @typedef {"asking" | "looking" | "answered"} Stage
 * @typedef {{ state: "frames" | "no_frames", later?: Promise<boolean> }} Look `later`: whether frames come after all
 */
import { cameraClass, microphoneClass, missingInterfaces } from "../platform.js";
import { within } from "../clock.js";

/** The voice is measured unprocessed, except for the echo canceller, which a call needs. */
const AUDIO = { echoCancellation: true, noiseSuppression: false, autoGainControl: false };
const VIDEO = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, facingMode: "user" };
/** How long a person may look for the browser's question, or for help with it, before we offer a way on. */
export const ASK_MS = 30_000;
/** Limit if nobody is asked; longer than the 10 s after which Chromium gives a device up. */
export const OPEN_MS = 12_000;
/** Longest wait for the browser's present permissions. */
const QUERY_MS = 1000;
/** Limit for a picture that is drawn and read back; browsers take less than 0.1 s. */
const READ_MS = 3000;
const DEVICES = /** @type {Device[]} */ (["microphone", "camera"]);

/**
 * @typedef {object} Tools
 * @property {Media | undefined} media
 * @property {Pick<Permissions, "query"> | undefined} [permissions]
 * @property {(feature: string) => boolean} [allows] whether the page's own policy lets it ask
 * @property {Clock} clock
 * @property {AbortSignal} signal aborted when the person goes on or asks again: what comes later is closed at once
 * @property {(stream: MediaStream) => Promise<Look>} look whether pictures come
 * @property {() => Promise<boolean>} readable whether the browser lets a page read a picture back
 * @property {any} [scope] usually `globalThis`
 * @property {(stage: Stage) => void} [onProgress]
 */

/** @typedef {{ tracks: MediaStreamTrack[], status: Record<Device, Status>, late?: Promise<MediaStream> }} Opened */

/** @param {Tools} tools @param {Device} device @returns {Promise<string | undefined>} the browser's permission, if it tells */
async function permissionOf({ permissions, clock }, device) {
  const asked = (async () => permissions?.query({ name: /** @type {PermissionName} */ (/** @type {string} */ (device)) }))();
  return (await within({ clock, limit_ms: QUERY_MS }, asked.catch(() => undefined)))?.state;
}

/** @param {Tools} tools @param {Device[]} wanted @param {boolean} [plain] without any wish @returns {Promise<MediaStream>} */
async function ask({ media }, wanted, plain = false) {
  const audio = wanted.includes("microphone") && (plain || AUDIO);
  const video = wanted.includes("camera") && (plain || VIDEO);
  return /** @type {Media} */ (media).getUserMedia({ audio, video });
}

/** @param {MediaStream} stream */
const close = (stream) => stream.getTracks().forEach((track) => track.stop());

/** Close a stream that comes when nobody waits for it any more. @param {Promise<MediaStream>} asked */
function forget(asked) {
  asked.then(close, () => undefined);
}

/** @param {Device} device @param {Status} status @returns {Opened} */
function without(device, status) {
  return { tracks: [], status: /** @type {Record<Device, Status>} */ ({ [device]: status }) };
}

/** The status for a refusal; its module is loaded only then. @param {Tools} tools @param {unknown} error @param {Device} device @param {string | undefined} state */
async function reasonOf({ allows }, error, device, state) {
  const { statusOf } = await import("./refusal.js");
  return statusOf(error, { state, allowed: allows?.(device) ?? true });
}

/**
 * One device by itself. A device that is refused for what we wish of it is asked for without any wish.
 * @param {Tools} tools @param {Device} device @param {string | undefined} state @param {boolean} [plain] @returns {Promise<Opened>}
 */
async function openAlone(tools, device, state, plain = false) {
  const asked = ask(tools, [device], plain);
  const limit_ms = state === "granted" ? OPEN_MS : ASK_MS;
  try {
    const stream = await within({ clock: tools.clock, limit_ms }, asked);
    if (stream) return { tracks: liveOf(stream, device), status: /** @type {Record<Device, Status>} */ ({ [device]: statusIn(stream, device) }) };
  } catch (error) {
    const status = await reasonOf(tools, error, device, await permissionOf(tools, device)).catch(() => /** @type {Status} */ ("failed"));
    return status === "OverconstrainedError" && !plain ? openAlone(tools, device, state, true) : without(device, status);
  }
  forget(asked);
  return without(device, state === "granted" ? "failed" : "no_answer");
}

/** @param {MediaStream} stream @param {Device} device */
const tracksOf = (stream, device) => (device === "camera" ? stream.getVideoTracks() : stream.getAudioTracks());
/** @param {MediaStream} stream @param {Device} device */
const liveOf = (stream, device) => tracksOf(stream, device).filter(({ readyState }) => readyState !== "ended");

/** @param {MediaStream} stream @param {Device} device @returns {Status} */
function statusIn(stream, device) {
  if (liveOf(stream, device).length) return "present";
  return tracksOf(stream, device).length ? "ended" : "NotFoundError";
}

/** @param {Tools} tools @returns {Promise<Opened>} both by one question, or each alone if that failed */
async function openAll(tools) {
  const asked = ask(tools, DEVICES);
  asked.catch(() => undefined);
  const before = { microphone: await permissionOf(tools, "microphone"), camera: await permissionOf(tools, "camera") };
  const granted = DEVICES.every((device) => before[device] === "granted");
  /** @type {unknown} */
  let error = null;
  try {
    const stream = await within({ clock: tools.clock, limit_ms: granted ? OPEN_MS : ASK_MS }, asked);
    if (stream) return openEnded(tools, stream, before);
    if (!granted) return { tracks: [], status: { camera: "no_answer", microphone: "no_answer" }, late: asked };
    forget(asked);
  } catch (caught) {
    error = caught;
  }
  return openApart(tools, error);
}

/** The devices of one answer; one that has ended already, or is missing, is tried once more. @param {Tools} tools @param {MediaStream} stream @param {Record<Device, string | undefined>} state @returns {Promise<Opened>} */
async function openEnded(tools, stream, state) {
  /** @type {Opened[]} */
  const found = [];
  for (const device of DEVICES) {
    const live = liveOf(stream, device);
    found.push(live.length ? { tracks: live, status: /** @type {any} */ ({ [device]: "present" }) } : await openAlone(tools, device, state[device]));
  }
  return joined(found);
}

/**
 * A no is a no: a question that was closed for both is not asked again, and a device that the browser itself keeps from us
 * is not asked for. Whatever else went wrong may be the fault of one device only.
 * @param {Tools} tools @param {unknown} error null where nothing came @returns {Promise<Opened>}
 */
async function openApart(tools, error) {
  const state = { microphone: await permissionOf(tools, "microphone"), camera: await permissionOf(tools, "camera") };
  const reasons = DEVICES.map(async (device) => [device, await reasonOf(tools, error, device, state[device]).catch(() => "failed")]);
  const reason = /** @type {Record<Device, Status>} */ (Object.fromEntries(await Promise.all(reasons)));
  if (DEVICES.every((device) => reason[device] === "dismissed")) return { tracks: [], status: reason };
  /** @type {Opened[]} */
  const found = [];
  for (const device of DEVICES) {
    const kept = state[device] === "denied" && reason[device] === "NotAllowedError";
    found.push(kept ? without(device, reason[device]) : await openAlone(tools, device, state[device]));
  }
  return joined(found);
}

/** @param {Opened[]} parts @returns {Opened} */
function joined(parts) {
  return { tracks: parts.flatMap(({ tracks }) => tracks), status: Object.assign({}, ...parts.map(({ status }) => status)) };
}

/** What the browser tells of a track; extensions that hide the device let this fail. @param {MediaStreamTrack | undefined} track @returns {MediaTrackSettings} */
export function settingsOf(track) {
  try {
    return track?.getSettings?.() ?? {};
  } catch {
    return {};
  }
}

/** @param {MediaStream | null} stream @param {Status} status @returns {DevicesResult["camera"]} */
function cameraFigures(stream, status) {
  const track = stream?.getVideoTracks()[0];
  if (!track || status !== "present") return { status };
  const { width, height, frameRate } = settingsOf(track);
  return tidy({
    status, width_px: whole(width), height_px: whole(height),
    frame_rate_fps: amount(frameRate), device_class: cameraClass(track.label),
  });
}

/** @param {MediaStream | null} stream @param {Status} status @returns {DevicesResult["microphone"]} */
function microphoneFigures(stream, status) {
  const track = stream?.getAudioTracks()[0];
  if (!track) return { status };
  const settings = settingsOf(track);
  return tidy({
    status, echo_cancellation: asFlag(settings.echoCancellation), noise_suppression: asFlag(settings.noiseSuppression),
    auto_gain_control: asFlag(settings.autoGainControl), sample_rate_hz: whole(settings.sampleRate), device_class: microphoneClass(track.label),
  });
}

/** Newer browsers give a kind of echo canceller instead of `true`. @param {unknown} value */
const asFlag = (value) => (value === undefined ? undefined : Boolean(value));

/** A figure above 0, which it is before the first frame; else none. @param {any} value @returns {number | undefined} */
const amount = (value) => (Number.isFinite(value) && value > 0 ? value : undefined);
/** @param {any} value */
const whole = (value) => amount(value) && Math.round(value);

/** Drop the figures that the browser did not give. @template {object} T @param {T} figures @returns {T} */
function tidy(figures) {
  return /** @type {T} */ (Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined && value !== null)));
}

/**
 * What comes after the answer was given, for as long as anybody waits for it; else it is closed at once.
 * @template T @param {Tools} tools @param {Promise<T>} coming @param {(came: T) => Promise<DevicesResult>} then @param {(came: T) => void} drop
 * @returns {Promise<DevicesResult>}
 */
function later({ signal }, coming, then, drop) {
  const result = coming.then((came) => {
    if (signal.aborted) drop(came);
    signal.throwIfAborted();
    return then(came);
  });
  result.catch(() => undefined);
  return result;
}

/** @param {Tools} tools @param {Opened} opened @returns {Promise<DevicesResult>} */
async function looked(tools, { tracks, status, late }) {
  const { look, readable, clock, onProgress, scope = globalThis } = tools;
  const browser = { missing: missingInterfaces(scope) };
  const stream = tracks.length ? new MediaStream(tracks) : null;
  const result = (/** @type {Status} */ camera) => ({
    camera: cameraFigures(stream, camera), microphone: microphoneFigures(stream, status.microphone), browser, stream,
  });
  if (!stream || status.camera !== "present") {
    onProgress?.("answered");
    if (!late) return result(status.camera);
    const unknown = { camera: undefined, microphone: undefined };
    return { ...result(status.camera), late: later(tools, late, async (came) => looked(tools, await openEnded(tools, came, unknown)), close) };
  }
  onProgress?.("looking");
  const seeing = look(stream).catch(() => /** @type {Look} */ ({ state: "no_frames" }));
  const [seen, isReadable] = await Promise.all([seeing, within({ clock, limit_ms: READ_MS }, readable().catch(() => false))]);
  onProgress?.("answered");
  if (seen.state === "frames") return { ...result("present"), hidden: !isReadable };
  if (!seen.later) return result("no_frames");
  const frames = async () => ({ ...result("present"), hidden: !isReadable });
  return { ...result("no_frames"), late: later(tools, seen.later, (came) => (came ? frames() : new Promise(() => undefined)), () => undefined) };
}

/** @param {Tools} tools @returns {Promise<DevicesResult>} never rejects: a missing camera is a result */
export async function run(tools) {
  const { media, scope = globalThis, onProgress } = tools;
  if (!media?.getUserMedia) {
    onProgress?.("answered");
    const status = scope.isSecureContext === false ? "insecure" : "unsupported";
    return { camera: { status }, microphone: { status }, browser: { missing: missingInterfaces(scope) }, stream: null };
  }
  onProgress?.("asking");
  return looked(tools, await openAll(tools));
}
