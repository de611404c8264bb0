/**
 * The page's sound: one AudioContext for capture and for the spoken digits.
 * The microphone is connected to a worklet only, never to the loudspeaker.
 * @typedef {import("../../shared/types").Recorder} Recorder
 * @typedef {import("../../shared/types").Block} Block
 */

/** Between two spoken digits, seconds: enough to tell them apart. */
const GAP_S = 0.3;
/** A digit begins with the first sample over this, on the server as here, so that decoders' leads do not matter. */
const ONSET = 0.02;
/** Firefox leaves the context suspended for ever where the computer has no sound output; others are there in a moment. */
const RESUME_MS = 4000;

/**
 * Capture of the raw microphone.
 * @param {AudioContext} context @param {MediaStream} stream @param {string} workletUrl
 * @returns {Promise<Recorder>}
 */
export async function openRecorder(context, stream, workletUrl) {
  await context.audioWorklet.addModule(workletUrl);
  const source = context.createMediaStreamSource(stream);
  const node = new AudioWorkletNode(context, "readiness-sound", { numberOfInputs: 1, numberOfOutputs: 1, channelCount: 1 });
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
  return {
    now: () => captured_ms,
    at: (context_s) => 1000 * (context_s - origin_s),
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

/** A track of silence: the page measures the way up with its frames. @param {AudioContext} context @returns {MediaStreamTrack | null} */
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

/** @param {AudioContext} context @returns {Promise<void>} rejects where the sound output does not start */
async function resumed(context) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error("no sound output")), RESUME_MS);
  });
  await Promise.race([context.resume(), late]);
}

/**
 * Plays spoken digits. Files are fetched and decoded ahead, so that playing never waits for the network.
 * @param {AudioContext} context @param {string} base folder of <lang>/<digit>.mp3
 */
export function createPlayer(context, base) {
  /** @type {Map<string, Promise<AudioBuffer>>} */
  const buffers = new Map();

  /** @param {string} lang @param {number} digit */
  function buffer(lang, digit) {
    const name = `${lang}/${digit}`;
    const known = buffers.get(name);
    if (known) return known;
    const loading = fetch(`${base}/${name}.mp3`).then(async (response) => {
      if (!response.ok) throw new Error(`digit ${name}: ${response.status}`);
      return context.decodeAudioData(await response.arrayBuffer());
    });
    loading.catch(() => buffers.delete(name));
    buffers.set(name, loading);
    return loading;
  }

  return {
    /** @param {string} lang @param {number[]} digits */
    preload: (lang, digits) => Promise.all(digits.map((digit) => buffer(lang, digit))),
    /**
     * @param {string} lang @param {number[]} digits @param {number} gain_db
     * @returns {Promise<{ lasts_ms: number, onsets_s: number[] }>} how long the digits sound, and when each begins on the context's clock
     */
    async play(lang, digits, gain_db) {
      const clips = await Promise.all(digits.map((digit) => buffer(lang, digit)));
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
