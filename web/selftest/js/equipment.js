/**
 * Camera, microphone and sound output of this page: opened from a tap, shown in the preview, kept for "test again", let go of; and
 * what happens around them meanwhile: tracks that end, a page that is hidden, a network that changes. Those are codes only.
 * @typedef {import("../../shared/types").DevicesResult} DevicesResult
 * @typedef {import("../../shared/types").Recorder} Recorder
 * @typedef {import("./session.js").Action} Action
 * @typedef {import("./session.js").State} State
 */
import { devicesAdvice } from "./advice.js";
import { createOutputs, createPlayer, openRecorder } from "./audio.js";
import * as devices from "./checks/devices.js";
import { linked } from "./clock.js";
import { canReadBack, firstFrame } from "./preview.js";
import { deviceProblem } from "./session.js";

/**
 * @param {{ worklet: string, clock: import("../../shared/types").Clock, inputs: import("./inputs.js").Inputs,
 *   dispatch: (action: Action) => void, findWords: (codes: string[]) => Promise<void>, stateOf: () => State, preview: () => HTMLVideoElement }} options
 *   `worklet` is the address of the audio thread's module
 */
export function createEquipment({ worklet, clock, inputs, dispatch, findWords, stateOf, preview }) {
  /** @type {AudioContext | null} */
  let audio = null;
  /** @type {import("./audio.js").Player | null} */
  let player = null;
  /** @type {Promise<Recorder> | null} */
  let recorder = null;
  /** @type {import("./audio.js").Outputs | null} */
  let outputs = null;
  /** @type {Promise<DevicesResult> | null} */
  let reopened = null;
  /** The open question to the browser, while its answer is awaited. */
  let asking = new AbortController();

  const stop = (/** @type {MediaStreamTrack[]} */ tracks) => tracks.forEach((track) => track.stop());

  /** @returns {Promise<DevicesResult>} the live stream of an earlier run if it is complete */
  async function open() {
    const known = stateOf().devices;
    const live = known?.stream?.getTracks().every(({ readyState }) => readyState === "live");
    if (known && live && !deviceProblem(stateOf())) return known;
    asking.abort(new DOMException("asked anew", "AbortError"));
    asking = new AbortController();
    stop(known?.stream?.getTracks() ?? []);
    recorder = null;
    return devices.run({
      media: navigator.mediaDevices, permissions: navigator.permissions, allows, clock, signal: asking.signal,
      look: (stream) => firstFrame(eye(), stream, { clock, signal: asking.signal, isHidden: () => document.hidden }),
      readable: () => canReadBack({ make: () => document.createElement("canvas"), open: globalThis.createImageBitmap && ((blob) => createImageBitmap(blob)) }),
      onProgress: (prompt) => dispatch({ type: "prompt", state: prompt }),
    });
  }

  /**
   * Where the camera is looked at before the picture has its place on the page. In view, if only just: some browsers show
   * nothing in a video that is not.
   */
  function eye() {
    const video = document.querySelector("video.eye") ?? document.createElement("video");
    Object.assign(video, { className: "eye", muted: true, playsInline: true, ariaHidden: "true", tabIndex: -1 });
    document.body.append(video);
    return /** @type {HTMLVideoElement} */ (video);
  }

  /** @param {string} feature whether the page's own policy lets it ask; browsers without such a policy always do */
  function allows(feature) {
    const policy = /** @type {any} */ (document).permissionsPolicy ?? /** @type {any} */ (document).featurePolicy;
    return policy?.allowsFeature?.(feature) ?? true;
  }

  /** @param {MediaStream | null} stream */
  function attach(stream) {
    const video = preview();
    const picture = stream?.getVideoTracks().length ? stream : null;
    document.querySelector("video.eye")?.remove();
    if (!picture) video.srcObject = null;
    else if (video.srcObject !== picture) {
      const isHidden = () => document.hidden || video.getClientRects().length === 0;
      firstFrame(video, picture, { clock, signal: asking.signal, isHidden }).catch(() => undefined);
    } else if (video.paused) video.play().catch(() => undefined);
    if (stream?.getAudioTracks().length && audio && !recorder) {
      recorder = openRecorder(audio, new MediaStream(stream.getAudioTracks()), worklet, { clock });
      recorder.catch(() => undefined);
    }
  }

  return {
    get audio() {
      return audio;
    },
    get player() {
      return player;
    },
    recorder: () => recorder ?? Promise.reject(new Error("no recorder")),
    otherOutputs: async () => (await outputs?.possible()) ?? false,
    nextOutput: async () => outputs?.next(),

    /** Open everything that a browser allows only within a tap: sound output, camera and microphone. */
    openFromTap() {
      try {
        audio ??= new AudioContext({ latencyHint: "interactive" });
        audio.resume().catch(() => undefined);
        player ??= createPlayer(audio);
        outputs ??= createOutputs(audio, navigator.mediaDevices);
      } catch (error) {
        console.warn("no sound", error);
      }
      return open();
    },

    /** Ask once more, as the person wants. */
    reopen() {
      reopened = this.openFromTap();
      inputs.press("reopen");
    },

    /**
     * Camera and microphone as the person has settled them: with all there is, or knowingly without. What comes late is taken
     * as if it had come in time.
     * @param {Promise<DevicesResult>} opening @param {AbortSignal} signal
     */
    async settle(opening, signal) {
      for (let next = opening; ; ) {
        const result = await next;
        if (deviceProblem({ devices: result })) await findWords(devicesAdvice(result));
        dispatch({ type: "devices", result });
        attach(result.stream);
        if (!deviceProblem(stateOf())) return result;
        const turn = linked(signal);
        const pressed = inputs.next(["reopen", "next"], turn.signal);
        pressed.catch(() => undefined);
        /** @type {Promise<DevicesResult>} */
        const never = new Promise(() => undefined);
        const came = await Promise.race([pressed, (result.late ?? never).catch(() => never)]);
        turn.abort(new DOMException("answered", "AbortError"));
        if ("action" in came && came.action === "next") {
          asking.abort(new DOMException("gone on without", "AbortError"));
          if (result.camera.status !== "present") stop(result.stream?.getVideoTracks() ?? []);
          return result;
        }
        next = "action" in came ? (reopened ?? opening) : Promise.resolve(came);
      }
    },

    /** Switch camera and microphone off. */
    release() {
      asking.abort(new DOMException("switched off", "AbortError"));
      stop(stateOf().devices?.stream?.getTracks() ?? []);
    },
  };
}

/** @typedef {ReturnType<typeof createEquipment>} Equipment */

// ---- events meanwhile

/** @typedef {(code: string) => void} Report */

/** @param {MediaStreamTrack} track @param {Report} report @param {AbortSignal} signal */
function watchTrack(track, report, signal) {
  const name = track.kind === "video" ? "camera" : "microphone";
  track.addEventListener("ended", () => report(`${name}_ended`), { signal });
  track.addEventListener("mute", () => report(`${name}_muted`), { signal });
}

/**
 * @param {{ stream: MediaStream | null, context: AudioContext | null, report: Report, onHidden: (hidden: boolean) => void,
 *   signal: AbortSignal }} options
 */
export function watch({ stream, context, report, onHidden, signal }) {
  for (const track of stream?.getTracks() ?? []) watchTrack(track, report, signal);
  const visible = () => {
    onHidden(document.hidden);
    report(document.hidden ? "tab_hidden" : "tab_visible");
  };
  document.addEventListener("visibilitychange", visible, { signal });
  window.addEventListener("online", () => report("online"), { signal });
  window.addEventListener("offline", () => report("offline"), { signal });
  navigator.mediaDevices?.addEventListener?.("devicechange", () => report("device_changed"), { signal });
  const { connection } = /** @type {any} */ (navigator);
  connection?.addEventListener?.("change", () => report("network_changed"), { signal });
  context?.addEventListener("statechange", () => {
    if (/** @type {string} */ (context.state) === "interrupted") report("interrupted");
  }, { signal });
  context?.addEventListener("sinkchange", () => report("audio_route_changed"), { signal });
}

/** Keep the screen on while the test runs, if the browser can. @param {AbortSignal} signal */
export function keepAwake(signal) {
  const { wakeLock } = /** @type {any} */ (navigator);
  if (!wakeLock) return;
  /** @type {any} */
  let lock = null;
  const take = async () => {
    if (!document.hidden && !signal.aborted) lock = await wakeLock.request("screen").catch(() => null);
  };
  take();
  document.addEventListener("visibilitychange", take, { signal });
  signal.addEventListener("abort", () => lock?.release?.().catch(() => undefined), { once: true });
}
