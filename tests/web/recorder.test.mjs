/** Capture of the microphone where the browser stands in the way: WebAudio/web-audio-api-v2#124, 100mslive/web-sdks#3728. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openRecorder } from "../../web/selftest/js/audio.js";
import * as picture from "../../web/selftest/js/checks/picture.js";
import * as sound from "../../web/selftest/js/checks/sound.js";
import { StepFault } from "../../web/selftest/js/clock.js";
import { adviceWords } from "../../web/selftest/js/advice.js";
import { createTexts } from "../../web/shared/i18n.js";
import { catalogue, fakeClock, LANGS } from "./support.mjs";

const error = (name) => Object.assign(new Error(name), { name });
const never = () => new Promise(() => undefined);
const node = () => ({ connect: (next) => next, disconnect() {}, port: {} });
globalThis.GainNode ??= class {
  connect(next) {
    return next;
  }
};
let ports = [];
globalThis.AudioWorkletNode = class {
  constructor() {
    if (AudioWorkletNode.refuses) throw error("InvalidStateError");
    this.port = {};
    ports.push(this.port);
  }
  connect(next) {
    return next;
  }
  disconnect() {}
};

/** A context that takes sources of `takes` Hz only, where it is choosy, and answers `addModule` by turns. */
function context({ sampleRate = 48_000, takes = null, modules = [], currentTime = 0 } = {}) {
  let tries = 0;
  return {
    sampleRate, currentTime, closed: false, destination: node(), tries: () => tries,
    audioWorklet: { addModule: () => (modules[tries++] ?? (async () => undefined))() },
    createMediaStreamSource() {
      if (takes !== null && sampleRate !== takes) throw error("NotSupportedError");
      return node();
    },
    async resume() {},
    async close() {
      this.closed = true;
    },
  };
}
const stream = (settings) => ({ getAudioTracks: () => [{ getSettings: () => settings }] });

/** @returns the recorder or the fault's code, and the contexts that were made */
async function record(first, { settings = {}, make = () => context(), ms = 0 } = {}) {
  const made = [];
  const clock = fakeClock();
  ports = [];
  const create = (sampleRate) => {
    made.push(make(sampleRate));
    return made.at(-1);
  };
  const running = openRecorder(first, stream(settings), "worklet.js", { clock, create }).catch((fault) => fault);
  await clock.pass(ms);
  const found = await running;
  return { found, made };
}

test("a context that takes the microphone is used as it is", async () => {
  const { found, made } = await record(context());
  assert.equal(found.sampleRate, 48_000);
  assert.deepEqual(made, []);
});

test("a source that is refused is tried with the rate of the track, and the two clocks are told apart", async () => {
  const { found, made } = await record(context({ takes: 16_000, currentTime: 30 }), { settings: { sampleRate: 16_000 }, make: (sampleRate) => context({ sampleRate, takes: 16_000, currentTime: 2 }) });
  assert.deepEqual(made.map(({ sampleRate }) => sampleRate), [16_000]);
  assert.equal(found.sampleRate, 16_000);
  ports[0].onmessage({ data: { origin_s: 1 } });
  assert.equal(found.at(30.5), 1500);
});

test("where the track does not tell its rate, those that microphones have are tried; what is refused is closed", async () => {
  const { found, made } = await record(context({ takes: 16_000 }), { make: (sampleRate) => context({ sampleRate, takes: 16_000 }) });
  assert.deepEqual(made.map(({ sampleRate }) => sampleRate), [44_100, 16_000]);
  assert.deepEqual(made.map(({ closed }) => closed), [true, false]);
  assert.equal(found.sampleRate, 16_000);
});

test("a source that no context takes is told as such, and so is a rate that no context can have", async () => {
  const refused = await record(context({ takes: 1 }), { make: (sampleRate) => context({ sampleRate, takes: 1 }) });
  assert.ok(refused.found instanceof StepFault);
  assert.deepEqual([refused.found.code, refused.found.where], ["sound_refused", "NotSupportedError"]);
  const none = await record(context({ takes: 1 }), { make: () => { throw error("NotSupportedError"); } });
  assert.equal(none.found.code, "sound_refused");
});

test("a module that does not load is tried twice, whether it is refused or never comes, and then told", async () => {
  const refused = async () => { throw error("AbortError"); };
  const blocked = context({ modules: [refused, refused, refused] });
  assert.equal((await record(blocked)).found.code, "sound_blocked");
  assert.equal(blocked.tries(), 2);
  assert.equal((await record(context({ modules: [never, never] }), { ms: 10_000 })).found.code, "sound_blocked");
  assert.equal((await record(context({ modules: [refused] }))).found.sampleRate, 48_000);
  assert.equal((await record({ ...context(), audioWorklet: undefined })).found.code, "sound_blocked");
});

test("an audio thread without our module is told", async () => {
  AudioWorkletNode.refuses = true;
  assert.equal((await record(context())).found.code, "sound_blocked");
  AudioWorkletNode.refuses = false;
});

const QUIET = { signal: new AbortController().signal, onHint: () => () => undefined, asked: () => null, onProgress: () => undefined };

test("a context that never runs is told as no sound that came in", async () => {
  const clock = fakeClock();
  const recorder = { now: () => 0, at: () => 0, sampleRate: 48_000, listen() {}, close() {} };
  const running = sound.run({ ...QUIET, recorder, processed: false, clock, mark: () => undefined, sendPcm: () => undefined }).catch((fault) => fault);
  await clock.pass(4000);
  assert.equal((await running).code, "sound_stopped");
});

const look = (clock, source, asked = () => null) =>
  picture.run({ ...QUIET, asked, source, planned: 1, people: () => 0, clock, watch: () => () => undefined, sendStill: () => undefined }).catch((fault) => fault);

test("a picture that never comes out of the browser, or comes with an error, is told as hidden; a camera that shows none is not", async () => {
  for (const toJpeg of [never, async () => { throw error("SecurityError"); }]) {
    const clock = fakeClock();
    const running = look(clock, { toJpeg });
    await clock.pass(25_000);
    assert.equal((await running).code, "picture_hidden");
  }
  const clock = fakeClock();
  const running = look(clock, { toJpeg: async () => new Uint8Array() });
  await clock.pass(25_000);
  assert.equal((await running).ended_by, "timeout");
});

test("what failed twice is not asked for a third time", () => {
  const names = { os: "windows", browser: "chrome" };
  for (const lang of LANGS) {
    const texts = createTexts(lang, catalogue(lang), { phone: "22 33 44 55" });
    for (const code of ["camera.not_measured", "microphone.not_measured", "network.not_measured", "microphone.sound_stopped", "camera.ended", "microphone.ended"]) {
      const [first, second] = [adviceWords(texts, code, names), adviceWords(texts, code, names, true)];
      assert.notEqual(first.remedy, second.remedy);
      assert.match(second.remedy, /22 33 44 55/);
    }
    const steady = adviceWords(texts, "camera.denied", names, true);
    assert.equal(steady.remedy, adviceWords(texts, "camera.denied", names).remedy);
  }
});
