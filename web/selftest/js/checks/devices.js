/**
 * Camera and microphone: opened once, from the person's tap, and kept to the end.
 * Reports W3C error names and device classes; labels and device ids never leave this module.
 * @typedef {import("../../../shared/types").DevicesResult} DevicesResult
 * @typedef {import("../../../shared/types").Status} Status
 * @typedef {Pick<MediaDevices, "getUserMedia" | "enumerateDevices">} Media
 * @typedef {{ camera: boolean, microphone: boolean }} Kinds
 */
import { cameraClass, microphoneClass, missingInterfaces } from "../platform.js";

/** The voice is measured as it is: only the echo canceller, which a call needs, stays on. */
const AUDIO = { echoCancellation: true, noiseSuppression: false, autoGainControl: false };
const VIDEO = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, facingMode: "user" };

/** Errors of one device that say nothing about the other. */
const ONE_SIDED = new Set(["NotFoundError", "NotReadableError", "OverconstrainedError"]);
const NAMES = new Set([...ONE_SIDED, "NotAllowedError"]);

/** @param {unknown} error @returns {Status} */
export function statusOf(error) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  return NAMES.has(name) ? /** @type {Status} */ (name) : "failed";
}

/**
 * Which kinds of device there are; both where the browser does not tell before it has asked.
 * @param {Media | undefined} media @returns {Promise<Kinds>}
 */
export async function survey(media) {
  const devices = (await media?.enumerateDevices?.().catch(() => [])) ?? [];
  if (devices.length === 0) return { camera: true, microphone: true };
  return {
    camera: devices.some(({ kind }) => kind === "videoinput"),
    microphone: devices.some(({ kind }) => kind === "audioinput"),
  };
}

/** Which devices the person has already said no to. @param {Permissions | undefined} permissions @returns {Promise<Kinds>} */
async function denied(permissions) {
  const ask = async (/** @type {string} */ name) => {
    const query = permissions?.query({ name: /** @type {PermissionName} */ (name) });
    return (await query?.catch(() => undefined))?.state === "denied";
  };
  return { camera: await ask("camera"), microphone: await ask("microphone") };
}

/** @param {Media} media @param {Kinds} want @returns {Promise<MediaStream>} */
function open(media, want) {
  return media.getUserMedia({ audio: want.microphone ? AUDIO : false, video: want.camera ? VIDEO : false });
}

/**
 * Open what there is. One call; a second one only where the first failed for one device alone.
 * @param {Media} media @param {Kinds} kinds @param {Permissions | undefined} permissions
 * @returns {Promise<{ stream: MediaStream | null, camera: Status, microphone: Status }>}
 */
async function openAll(media, kinds, permissions) {
  const missing = /** @type {Status} */ ("NotFoundError");
  if (!kinds.camera && !kinds.microphone) return { stream: null, camera: missing, microphone: missing };
  try {
    const stream = await open(media, kinds);
    return { stream, camera: kinds.camera ? "present" : missing, microphone: kinds.microphone ? "present" : missing };
  } catch (error) {
    const status = statusOf(error);
    if (!kinds.camera) return { stream: null, camera: missing, microphone: status };
    if (!kinds.microphone) return { stream: null, camera: status, microphone: missing };
    return openApart(media, status, permissions);
  }
}

/** @param {Media} media @param {Status} status @param {Permissions | undefined} permissions */
async function openApart(media, status, permissions) {
  const no = status === "NotAllowedError" ? await denied(permissions) : { camera: false, microphone: false };
  const oneSided = ONE_SIDED.has(status) || no.camera !== no.microphone;
  if (!oneSided) return { stream: null, camera: status, microphone: status };
  const one = async (/** @type {Kinds} */ want) => {
    if ((want.camera && no.camera) || (want.microphone && no.microphone)) return { stream: null, status };
    return open(media, want).then(
      (stream) => ({ stream, status: /** @type {Status} */ ("present") }),
      (error) => ({ stream: null, status: statusOf(error) }),
    );
  };
  const microphone = await one({ camera: false, microphone: true });
  const camera = await one({ camera: true, microphone: false });
  const tracks = [...(microphone.stream?.getTracks() ?? []), ...(camera.stream?.getTracks() ?? [])];
  return { stream: tracks.length ? new MediaStream(tracks) : null, camera: camera.status, microphone: microphone.status };
}

/** @param {MediaStream | null} stream @param {Status} status @returns {DevicesResult["camera"]} */
function cameraFigures(stream, status) {
  const track = stream?.getVideoTracks()[0];
  if (!track) return { status };
  const { width, height, frameRate } = track.getSettings();
  return tidy({
    status, width_px: width && Math.round(width), height_px: height && Math.round(height),
    frame_rate_fps: frameRate, device_class: cameraClass(track.label),
  });
}

/** @param {MediaStream | null} stream @param {Status} status @returns {DevicesResult["microphone"]} */
function microphoneFigures(stream, status) {
  const track = stream?.getAudioTracks()[0];
  if (!track) return { status };
  const settings = track.getSettings();
  return tidy({
    status, echo_cancellation: asFlag(settings.echoCancellation), noise_suppression: asFlag(settings.noiseSuppression),
    auto_gain_control: asFlag(settings.autoGainControl), sample_rate_hz: settings.sampleRate, device_class: microphoneClass(track.label),
  });
}

/** Newer browsers name a kind of echo canceller instead of `true`. @param {unknown} value */
const asFlag = (value) => (value === undefined ? undefined : Boolean(value));

/** Drop what the browser did not tell. @template {object} T @param {T} figures @returns {T} */
function tidy(figures) {
  return /** @type {T} */ (Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined && value !== null)));
}

/**
 * @param {{ media: Media | undefined, kinds: Kinds, permissions?: Permissions, scope?: any,
 *   onProgress?: (state: "asking" | "answered") => void }} options
 * @returns {Promise<DevicesResult>} never rejects: no camera is a finding, not an abort
 */
export async function run({ media, kinds, permissions, scope = globalThis, onProgress }) {
  const browser = { missing: missingInterfaces(scope) };
  if (!media?.getUserMedia) {
    onProgress?.("answered");
    const status = scope.isSecureContext === false ? "insecure" : "unsupported";
    return { camera: { status }, microphone: { status }, browser, stream: null };
  }
  onProgress?.("asking");
  const { stream, camera, microphone } = await openAll(media, kinds, permissions);
  onProgress?.("answered");
  return { camera: cameraFigures(stream, camera), microphone: microphoneFigures(stream, microphone), browser, stream };
}
