/**
 * The page's sound: one AudioContext for capture and for the spoken digits.
 * The microphone is connected to a worklet only, never to the loudspeaker.
 * @typedef {import("../../shared/types").Recorder} Recorder
 * @typedef {import("../../shared/types").Block} Block
 * @typedef {import("../../shared/types").Clock} Clock
 */
import { settingsOf } from "./checks/devices.js";
import { StepFault, within } from "./clock.js";

/** Pause between two spoken digits, s; enough to tell them apart. */
const GAP_S = 0.3;
/** A digit begins with the first sample over this, also on the server, so that decoders' lead-ins do not matter. */
const ONSET = 0.02;
/** Firefox leaves the context suspended for ever without a sound output; otherwise it starts in a moment. */
const RESUME_MS = 4000;

/** The audio thread's module is a small file; if it has not loaded by then, something blocks it. */
const MODULE_MS = 5000;
/** Microphones' rates, Hz; Firefox accepts a microphone only in a context of the same rate, and Bluetooth has its own. */
const RATES_HZ = [48_000, 44_100, 16_000, 8000];

/** @param {AudioContext} context @param {string} url @param {Clock} clock */
async function loadModule(context, url, clock) {
  /** @type {unknown} */
  let why = null;
  for (let tries = 0; tries < 2; tries += 1) {
    const loading = (async () => context.audioWorklet.addModule(url))().then(() => true);
    const loaded = await within({ clock, limit_ms: MODULE_MS }, loading.catch((error) => {
      why = error;
      return false;
    }));
    if (loaded) return;
  }
  throw new StepFault("sound_blocked", why);
}

/**
 * Capture of the raw microphone. A context that refuses the microphone's rate is replaced by one with that rate.
 * @param {AudioContext} context @param {MediaStream} stream @param {string} workletUrl
 * @param {{ clock: Clock, create?: (sampleRate: number) => AudioContext }} options
 * @returns {Promise<Recorder>} rejects with StepFault: "sound_blocked" without the audio thread, "sound_refused" without a source
 */
export async function openRecorder(context, stream, workletUrl, { clock, create = (sampleRate) => new AudioContext({ sampleRate }) }) {
  await loadModule(context, workletUrl, clock);
  /** @type {unknown} */
  let refused;
  try {
    return capture(context, context.createMediaStreamSource(stream), context);
  } catch (error) {
    if (error instanceof StepFault) throw error;
    refused = error;
  }
  const rate = settingsOf(stream.getAudioTracks()[0]).sampleRate;
  for (const sampleRate of new Set([...(rate ? [rate] : []), ...RATES_HZ])) {
    if (sampleRate === context.sampleRate) continue;
    /** @type {AudioContext | null} */
    let own = null;
    try {
      own = create(sampleRate);
      const source = own.createMediaStreamSource(stream);
      own.resume().catch(() => undefined);
      await loadModule(own, workletUrl, clock);
      return capture(own, source, context);
    } catch (error) {
      own?.close().catch(() => undefined);
      if (error instanceof StepFault) throw error;
    }
  }
  throw new StepFault("sound_refused", refused);
}

/**
 * @param {AudioContext} context whose module is loaded @param {AudioNode} source @param {AudioContext} played whose times `at` is asked for
 * @returns {Recorder} throws StepFault where the audio thread takes no part
 */
function capture(context, source, played) {
  const node = workletNode(context);
  const mute = new GainNode(context, { gain: 0 });
  source.connect(node).connect(mute).connect(context.destination);
  let captured_ms = 0;
  let origin_s = 0;
  /** @type {((block: Block) => void) | null} */
  let onBlock = null;
  /** @type {((t_ms: number, samples: Int16Array) => void) | null} */
  let onPcm = null;
  node.port.onmessage = ({ data }) => {
    if ("origin_s" in data) ({ origin_s } = data);
    else if (data.block) {
      captured_ms = data.block[0] + 100;
      onBlock?.(data.block);
    } else onPcm?.(data.t_ms, data.pcm);
  };
  /** Two contexts have one clock with different beginnings. */
  const ahead_s = () => (played === context ? 0 : played.currentTime - context.currentTime);
  return {
    now: () => captured_ms,
    at: (context_s) => 1000 * (context_s - ahead_s() - origin_s),
    sampleRate: context.sampleRate,
    listen(block, pcm) {
      onBlock = block;
      onPcm = pcm;
    },
    close() {
      source.disconnect();
      node.disconnect();
    },
  };
}

/** @param {AudioContext} context */
function workletNode(context) {
  try {
    return new AudioWorkletNode(context, "readiness-sound", { numberOfInputs: 1, numberOfOutputs: 1, channelCount: 1 });
  } catch (error) {
    throw new StepFault("sound_blocked", error);
  }
}

/** A track of silence, whose frames measure the way up. @param {AudioContext} context @returns {MediaStreamTrack | null} */
export function silentTrack(context) {
  const output = context.createMediaStreamDestination();
  const silence = new ConstantSourceNode(context, { offset: 0 });
  silence.connect(output);
  silence.start();
  return output.stream.getAudioTracks()[0] ?? null;
}

/** @param {AudioBuffer} clip @returns {number} where its sound begins, s */
function onset_s(clip) {
  return Math.max(0, clip.getChannelData(0).findIndex((value) => Math.abs(value) > ONSET)) / clip.sampleRate;
}

/** @param {AudioContext} context @returns {Promise<void>} rejects if the sound output does not start */
async function resumed(context) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error("no sound output")), RESUME_MS);
  });
  await Promise.race([context.resume(), late]);
}

/** Plays spoken digits. The first ones are fetched and decoded ahead; more are needed only if those were not heard. @param {AudioContext} context */
export function createPlayer(context) {
  /** @type {Map<string, Promise<AudioBuffer>>} */
  const buffers = new Map();

  /** @param {string} voices folder of <lang>/<digit>.mp3 @param {string} lang @param {number} digit */
  function buffer(voices, lang, digit) {
    const name = `${voices}/${lang}/${digit}.mp3`;
    const known = buffers.get(name);
    if (known) return known;
    const loading = fetch(name).then(async (response) => {
      if (!response.ok) throw new Error(`digit ${name}: ${response.status}`);
      return context.decodeAudioData(await response.arrayBuffer());
    });
    loading.catch(() => buffers.delete(name));
    buffers.set(name, loading);
    return loading;
  }

  return {
    /** @param {string} voices @param {string} lang @param {number[]} digits */
    preload: (voices, lang, digits) => Promise.all(digits.map((digit) => buffer(voices, lang, digit))),
    /**
     * @param {string} voices @param {string} lang @param {number[]} digits @param {number} gain_db
     * @returns {Promise<{ lasts_ms: number, onsets_s: number[] }>} how long the digits sound, and when each begins on the context's clock
     */
    async play(voices, lang, digits, gain_db) {
      const clips = await Promise.all(digits.map((digit) => buffer(voices, lang, digit)));
      await resumed(context);
      const gain = new GainNode(context, { gain: 10 ** (gain_db / 20) });
      const limiter = new DynamicsCompressorNode(context, { threshold: -3, knee: 0, ratio: 20, attack: 0.002, release: 0.1 });
      gain.connect(limiter).connect(context.destination);
      const onsets_s = [];
      let at = context.currentTime + 0.1;
      for (const clip of clips) {
        const source = new AudioBufferSourceNode(context, { buffer: clip });
        source.connect(gain);
        source.start(at);
        onsets_s.push(at + onset_s(clip));
        at += clip.duration + GAP_S;
      }
      return { lasts_ms: (at - context.currentTime) * 1000, onsets_s };
    },
  };
}

/** @typedef {ReturnType<typeof createPlayer>} Player */

/** @typedef {AudioContext & { setSinkId?: (id: string) => Promise<void> }} OutputContext */

/** Entries in the list that are aliases of another device. */
const ALIASES = new Set(["", "default", "communications"]);

/**
 * The loudspeakers that the browser lets us choose between. Their names and ids never leave this function.
 * @param {OutputContext} context @param {Pick<MediaDevices, "enumerateDevices"> | undefined} media
 */
export function createOutputs(context, media) {
  let at = 0;
  const ids = async () => {
    if (!context.setSinkId) return [];
    const devices = (await media?.enumerateDevices().catch(() => [])) ?? [];
    return devices.filter(({ kind, deviceId }) => kind === "audiooutput" && !ALIASES.has(deviceId)).map(({ deviceId }) => deviceId);
  };
  return {
    /** @returns {Promise<boolean>} whether there is another loudspeaker to try */
    possible: async () => (await ids()).length > 1,
    /** Send the digits to the next loudspeaker that can be opened. */
    async next() {
      const found = await ids();
      if (found.length === 0) return;
      at = (at + 1) % found.length;
      await context.setSinkId?.(found[at]).catch(() => undefined);
    },
  };
}

/** @typedef {ReturnType<typeof createOutputs>} Outputs */
