import assert from "node:assert/strict";
import { test } from "node:test";
import { createEar } from "../../web/selftest/js/checks/echo.js";
import { FrameTimes, NEAR, PictureEnd, ROOM, smallStill, stillSize, watchFrames } from "../../web/selftest/js/checks/picture.js";
import * as picture from "../../web/selftest/js/checks/picture.js";
import { answersOf, tidyPhone } from "../../web/selftest/js/checks/practical.js";
import * as sound from "../../web/selftest/js/checks/sound.js";
import * as speaker from "../../web/selftest/js/checks/speaker.js";
import { candidatePair, packetsReceived } from "../../web/selftest/js/checks/stats.js";
import { figureWords } from "../../web/selftest/js/figures.js";
import { createInputs } from "../../web/selftest/js/inputs.js";
import { hearPeople } from "../../web/selftest/js/preview.js";
import { frame } from "../../web/selftest/js/wire.js";
import { createTexts } from "../../web/shared/i18n.js";
import { catalogue, fakeClock, figures, plan, settle } from "./support.mjs";

test("a still is at most 640 px long and 40 kB, that of several people 1280 px and 60 kB, or is not sent", async () => {
  assert.deepEqual(stillSize(1280, 720, NEAR.longSide_px), { width: 640, height: 360 });
  assert.deepEqual(stillSize(720, 1280, NEAR.longSide_px), { width: 360, height: 640 });
  assert.deepEqual(stillSize(320, 240, NEAR.longSide_px), { width: 320, height: 240 });
  assert.deepEqual(stillSize(1920, 1080, ROOM.longSide_px), { width: 1280, height: 720 });
  const source = { toJpeg: async (quality, longSide) => new Uint8Array((quality * 100_000 * longSide) / 640) };
  const near = await smallStill(source, NEAR);
  assert.ok(near.length <= 40_000 && near.length > 30_000);
  const room = await smallStill(source, ROOM);
  assert.ok(room.length <= 60_000 && room.length > 30_000);
  assert.equal(await smallStill({ toJpeg: async () => new Uint8Array(50_000) }, NEAR), null);
});

test("a picture too lively for the lowest quality is sent shrunk, the least that is needed; without a picture nothing is tried twice", async () => {
  /** @type {[number, number][]} */
  const tried = [];
  const lively = (/** @type {number} */ bytes) => ({
    toJpeg: async (/** @type {number} */ quality, /** @type {number} */ longSide) => {
      tried.push([quality, longSide]);
      return new Uint8Array(bytes * (longSide / 1280) ** 2 * (0.8 + quality));
    },
  });
  const still = await smallStill(lively(70_000), ROOM);
  assert.ok(still && still.length <= ROOM.bytes);
  assert.deepEqual(tried.at(-1), [0.35, 1024]);
  assert.ok((await smallStill(lively(180_000), ROOM))?.length);
  assert.deepEqual(tried.at(-1), [0.35, 640]);
  tried.length = 0;
  assert.equal(await smallStill({ toJpeg: async (quality) => (tried.push([quality, 0]), new Uint8Array()) }, ROOM), null);
  assert.equal(tried.length, 1);
});

test("frame times start at nought, never go back, and count frames the page missed", () => {
  const times = new FrameTimes();
  times.add(1000, 1);
  times.add(1033, 2);
  times.add(1033, 3);
  times.add(1132, 5);
  assert.deepEqual(times.list(), [0, 33, 66, 99, 132]);
  const many = new FrameTimes();
  for (let i = 0; i < 1000; i += 1) many.add(i * 33);
  assert.equal(many.list().length, 600);
  assert.equal(many.list()[0], 0);
});

/** A camera of 25 fps on `clock` whose frames a browser counts, and calls for so many of them. */
function fakeVideo(clock, { calls = 0, counts = true } = {}) {
  const frames = () => Math.floor(clock.now() / 40);
  let asked = null;
  let left = calls;
  return {
    requestVideoFrameCallback: (callback) => (asked = callback),
    ...(counts ? { getVideoPlaybackQuality: () => ({ totalVideoFrames: frames() }) } : {}),
    async run(ms) {
      for (let end = clock.now() + ms; clock.now() < end; ) {
        await clock.pass(40);
        if (left-- > 0) asked?.(clock.now(), { captureTime: clock.now() - 7, presentedFrames: frames() });
      }
    },
  };
}

test("frames are timed by the browser's calls, or by its count where it never calls, and not at all where it does neither", async () => {
  for (const [can, expected] of [[{ calls: Infinity }, 25], [{}, 25], [{ counts: false }, 0], [{ calls: Infinity, counts: false }, 25]]) {
    const clock = fakeClock();
    const video = fakeVideo(clock, can);
    const times = new FrameTimes();
    const stop = watchFrames(video, times, clock);
    await video.run(1000);
    stop();
    const seen = times.list();
    assert.ok(Math.abs(seen.length - expected) <= 1, `${JSON.stringify(can)}: ${seen.length}`);
    for (let i = 1; i < seen.length; i += 1) assert.ok(Math.abs(seen[i] - seen[i - 1] - 40) <= 5, `${seen}`);
    await video.run(200);
    assert.equal(times.list().length, seen.length, "stopped");
  }
});

test("a browser that stops calling while frames come is counted from then on, and a camera that stops is not mistaken for it", async () => {
  const clock = fakeClock();
  const video = fakeVideo(clock, { calls: 2 });
  const times = new FrameTimes();
  const stop = watchFrames(video, times, clock);
  await video.run(3000);
  const seen = times.list();
  assert.ok(seen.length > 45, `${seen.length} of 75 frames`);
  for (let i = 1; i < seen.length; i += 1) assert.ok(Math.abs(seen[i] - seen[i - 1] - 40) <= 5, `${seen}`);
  stop();

  const still = new FrameTimes();
  const frozen = { ...fakeVideo(clock), getVideoPlaybackQuality: () => ({ totalVideoFrames: 7 }) };
  let call;
  frozen.requestVideoFrameCallback = (callback) => (call = callback);
  const end = watchFrames(frozen, still, clock);
  call(clock.now(), { captureTime: 1, presentedFrames: 1 });
  await clock.pass(5000);
  call(clock.now(), { captureTime: 5000, presentedFrames: 2 });
  assert.deepEqual(still.list(), [0, 4999], "the gap is the camera's, and is kept");
  end();
});

test("the picture goes on after two good seconds, after fifteen seconds, or when the person says so", () => {
  const good = new PictureEnd(0);
  good.hint("camera.dark", 1000);
  good.hint("good", 2000);
  assert.equal(good.over(3999), null);
  assert.equal(good.over(4000), "good");
  const lost = new PictureEnd(0);
  lost.hint("good", 1000);
  lost.hint("camera.nobody", 2000);
  assert.equal(lost.over(14_999), null);
  assert.equal(lost.over(15_000), "timeout");
  lost.more(15_000);
  assert.equal(lost.over(70_000), null);
});

test("stills go out twice a second while the picture is looked at", async () => {
  const clock = fakeClock();
  const sent = [];
  let hint;
  const run = picture.run({
    source: { toJpeg: async () => new Uint8Array(10) }, planned: 1, people: () => 0, clock, signal: new AbortController().signal, watch: () => () => {},
    sendStill: (t_ms) => sent.push(t_ms), onHint: (handler) => ((hint = handler), () => {}), asked: () => null, onProgress: () => {},
  });
  await clock.pass(2000);
  assert.deepEqual(sent, [0, 500, 1000, 1500, 2000]);
  hint({ check: "camera", code: "good" });
  await clock.pass(3000);
  assert.equal((await run).ended_by, "good");
});

test("stills slow down at half of the promised bytes, and the step ends before it goes beyond them", async () => {
  const clock = fakeClock();
  const [sent, most_bytes] = [[], 400_000];
  const run = picture.run({
    source: { toJpeg: async () => new Uint8Array(40_000) }, planned: 1, people: () => 0, clock, signal: new AbortController().signal, watch: () => () => {}, most_bytes,
    sendStill: (t_ms, jpeg) => sent.push([t_ms, jpeg.length]), onHint: () => () => {}, asked: () => "more", onProgress: () => {},
  });
  await clock.pass(20_000);
  assert.equal((await run).ended_by, "timeout");
  assert.deepEqual(sent.map(([t_ms]) => t_ms), [0, 500, 1000, 1500, 2000, 2500, 4000, 5500, 7000, 8500]);
  assert.ok(sent.reduce((sum, [, length]) => sum + length, 0) <= most_bytes);
});

test("several people are looked at once a second, in larger stills", async () => {
  const clock = fakeClock();
  const sent = [];
  const sides = new Set();
  const stop = new AbortController();
  const run = picture.run({
    source: { toJpeg: async (_quality, longSide) => (sides.add(longSide), new Uint8Array(10)) }, planned: 3, people: () => 0, clock, signal: stop.signal,
    watch: () => () => {}, sendStill: (t_ms) => sent.push(t_ms), onHint: () => () => {}, asked: () => (sent.length > 2 ? "next" : null), onProgress: () => {},
  });
  await clock.pass(3000);
  assert.equal((await run).ended_by, "next");
  assert.deepEqual(sent, [0, 1000, 2000]);
  assert.deepEqual([...sides], [1280]);
});

test("whoever says that they are two is looked at anew, in larger stills, and the server is told", async () => {
  const clock = fakeClock();
  const [sides, told] = [[], []];
  let people = 0;
  let hint;
  const run = picture.run({
    source: { toJpeg: async (_quality, longSide) => (sides.push(longSide), new Uint8Array(10)) }, planned: 1, people: () => people, clock, signal: new AbortController().signal,
    watch: () => () => {}, sendStill: () => {}, onHint: (handler) => ((hint = handler), () => {}), onPeople: (count) => told.push(count), asked: () => null, onProgress: () => {},
  });
  await clock.pass(500);
  hint({ check: "camera", code: "good" });
  people = 2;
  await clock.pass(3000);
  assert.deepEqual(told, [2]);
  assert.deepEqual([sides[0], sides.at(-1)], [640, 1280]);
  hint({ check: "camera", code: "good" });
  await clock.pass(4000);
  assert.deepEqual([(await run).people, (await run).ended_by], [2, "good"]);
});

/** The picture step of somebody for whom one is planned; what the server was told, and the number of stills before each time. */
function peopleStep(more) {
  const clock = fakeClock();
  const [stills, told] = [[], []];
  const run = picture.run({
    source: { toJpeg: async () => new Uint8Array(10) }, planned: 1, clock, signal: new AbortController().signal, watch: () => () => {},
    sendStill: (t_ms) => stills.push(t_ms), onHint: () => () => {}, onPeople: (count) => told.push([count, stills.length]), asked: () => null, onProgress: () => {}, ...more,
  });
  return { clock, told, run };
}

test("whoever says the number that was planned has said it: the server is told, once", async () => {
  let people = 0;
  const { clock, told } = peopleStep({ people: () => people });
  await clock.pass(1000);
  assert.deepEqual(told, []);
  people = 1;
  await clock.pass(2000);
  assert.deepEqual(told.map(([count]) => count), [1]);
});

test("what was said before the step is told before its first still, as after \"test again\"", async () => {
  const { clock, told, run } = peopleStep({ people: () => 2 });
  await clock.pass(20_000);
  assert.deepEqual(told, [[2, 0]]);
  assert.equal((await run).people, 2);
});

test("a tap on a number counts also where that number is chosen already", () => {
  const choice = { value: "1", checked: true };
  const heard = [];
  globalThis.document = { querySelectorAll: () => [choice] };
  hearPeople((people) => heard.push(people));
  delete globalThis.document;
  choice.onclick({});
  assert.deepEqual(heard, [1]);
  for (const key of ["Tab", " "]) choice.onkeyup({ key });
  assert.deepEqual(heard, [1, 1], "the space bar counts too: browsers give no click there");
});

test("more time that was asked for stays when the number is changed", async () => {
  let people = 0;
  const answers = ["more"];
  const { clock, run } = peopleStep({ people: () => people, asked: () => answers.pop() ?? null });
  let ended = null;
  run.then(({ ended_by }) => (ended = [ended_by, clock.now()]));
  await clock.pass(3000);
  people = 2;
  await clock.pass(52_000);
  assert.equal(ended, null, "fifteen seconds after the change would be 18 s");
  await clock.pass(10_000);
  assert.equal(ended?.[0], "timeout");
});

/** A recorder that a test can make sound with. */
function fakeRecorder() {
  let handlers = [null, null];
  let captured = 0;
  return {
    sampleRate: 48000, now: () => captured, close() {},
    listen: (...given) => (handlers = given),
    give(zero_pct = 0) {
      handlers[0]?.([captured, -30, -20, zero_pct, 0]);
      captured += 100;
    },
  };
}

/** The sound step with a fake clock and recorder; what is shown and marked, and a way to send hints. */
function soundStep(more = {}) {
  const [clock, recorder, shown, marks] = [fakeClock(), fakeRecorder(), [], []];
  let hear;
  const run = sound.run({
    recorder, processed: false, clock, signal: new AbortController().signal, mark: (step) => marks.push(step), sendPcm: () => {},
    onHint: (handler) => ((hear = handler), () => {}), asked: () => null, onProgress: (progress) => shown.push(progress), ...more,
  });
  recorder.give();
  const hint = (code, values = {}) => hear({ check: "microphone.speech", code, values });
  return { clock, recorder, shown, marks, run, hint };
}

test("no more sound is sent than was promised, and the step ends there", async () => {
  const sent = [];
  let send;
  const recorder = { ...fakeRecorder(), listen: (_block, pcm) => (send = pcm) };
  const { clock, run } = soundStep({ recorder: { ...recorder, now: () => 1, give() {} }, most_bytes: 100_000, sendPcm: (_t_ms, samples) => sent.push(samples.byteLength), asked: () => "more" });
  await clock.pass(3100);
  for (let round = 0; round < 40; round += 1) send?.(round, new Int16Array(1600));
  await clock.pass(200);
  assert.equal((await run).ended_by, "timeout");
  assert.equal(sent.reduce((sum, bytes) => sum + bytes, 0), 99_200);
});

test("sound marks the silence and the speech, praises while one speaks and ends at the pause after it", async () => {
  const { clock, recorder, shown, marks, run, hint } = soundStep();
  hint("heard", { done: true });
  await clock.pass(3100);
  recorder.give();
  assert.deepEqual(marks, ["silence_start", "silence_end", "speech_start"]);
  hint("heard", { done: false });
  await clock.pass(3000);
  assert.equal(shown.at(-1).heard, true);
  assert.equal(marks.at(-1), "speech_start");
  hint("heard", { done: true });
  await clock.pass(200);
  const found = await run;
  assert.equal(found.ended_by, "heard");
  assert.equal(found.blocks.length, 2);
  assert.equal(marks.at(-1), "speech_end");
});

test("a voice that would fail is told so, not praised, and the step waits for it to be mended", async () => {
  const { clock, shown, marks, run, hint } = soundStep();
  await clock.pass(3100);
  hint("microphone.too_quiet", { done: false });
  await clock.pass(2000);
  assert.deepEqual([shown.at(-1).told, shown.at(-1).heard], ["microphone.too_quiet", false]);
  assert.equal(marks.at(-1), "speech_start");
  hint("heard", { done: true });
  await clock.pass(200);
  assert.deepEqual([shown.at(-1).told, shown.at(-1).heard, (await run).ended_by], ["", true, "heard"]);
});

test("noise and others who talk are told in the asked silence; after others silence is asked for once more", async () => {
  const { clock, shown, marks, run, hint } = soundStep();
  hint("microphone.others_talk", { others: true, quiet_s: 1 });
  assert.equal(shown.at(-1).told, "microphone.others_talk");
  await clock.pass(3100);
  hint("heard", { done: true, others: true, quiet_s: 1 });
  await clock.pass(300);
  assert.deepEqual([shown.at(-1).stage, shown.at(-1).again], ["quiet", "others"]);
  await clock.pass(3000);
  assert.equal((await run).ended_by, "heard");
  assert.deepEqual(marks, ["silence_start", "silence_end", "speech_start", "speech_end", "silence_start", "silence_end"]);
});

test("whoever is not heard after four seconds is told, and still has time to speak up", async () => {
  const { clock, shown, run, hint } = soundStep();
  await clock.pass(6900);
  assert.equal(shown.at(-1).faint, undefined);
  await clock.pass(300);
  assert.equal(shown.at(-1).faint, true);
  hint("heard", { done: true });
  await clock.pass(200);
  assert.equal((await run).ended_by, "heard");
});

test("where no sound is captured at all the step dies instead of calling the person silent", async () => {
  const clock = fakeClock();
  const run = sound.run({
    recorder: fakeRecorder(), processed: false, clock, signal: new AbortController().signal, mark: () => {}, sendPcm: () => {},
    onHint: () => () => {}, asked: () => null, onProgress: () => {},
  });
  const outcome = assert.rejects(run, /sound_stopped/);
  await clock.pass(4000);
  await outcome;
});

test("a microphone that gives exact zeros is noticed at once", () => {
  const watch = new sound.ZeroWatch();
  const seen = Array.from({ length: 20 }, () => watch.add([0, -120, -120, 100, 0]));
  assert.equal(seen.indexOf(true), 14);
  assert.equal(watch.add([0, -60, -50, 3, 0]), false);
});

/** Run the speaker step with answers given in order, each so long after it was waited for. */
async function speak(answers, play = async () => 1000, after_ms = 3000) {
  const clock = fakeClock();
  const shown = [];
  const gains = [];
  const run = speaker.run({
    plan: plan(), clock, signal: new AbortController().signal, onProgress: (progress) => shown.push(progress),
    play: (digits, gain_db) => (gains.push(gain_db), play(digits)),
    answer: () => new Promise((resolve) => clock.sleep(after_ms).then(() => answers.length && resolve(answers.shift()))),
  });
  for (let i = 0; i < 20; i += 1) await clock.pass(500);
  return { result: await run, shown, gains };
}
const digits = (text) => ({ action: "heard-digits", digits: [...text].map(Number) });

test("the right digits end the step at once", async () => {
  const { result } = await speak([digits("371")]);
  assert.deepEqual(result, { played: [3, 7, 1], answer: "digits", heard: [3, 7, 1], plays: 1 });
});

test("wrong once gives new digits; wrong twice is told as it is", async () => {
  const { result, shown } = await speak([digits("123"), digits("456")]);
  assert.deepEqual(result, { played: [2, 9, 4], answer: "digits", heard: [4, 5, 6], plays: 2 });
  assert.ok(shown.some(({ note, attempt }) => note === "wrong" && attempt === 1));
});

test("the first time nothing is heard it is played louder; the second time is the answer", async () => {
  const { result, gains } = await speak([{ action: "heard-nothing" }, { action: "heard-nothing" }]);
  assert.equal(result.answer, "nothing");
  assert.deepEqual(gains, [0, 6]);
});

test("nobody has heard nothing before the numbers sounded", async () => {
  // Pressed every 400 ms: three times while we wait, twice while they sound, once after; and once more when it was louder.
  const early = Array.from({ length: 20 }, () => ({ action: "heard-nothing" }));
  const { result, gains, shown } = await speak(early, undefined, 400);
  assert.deepEqual(result, { played: [3, 7, 1], answer: "nothing", heard: null, plays: 2 });
  assert.deepEqual(gains, [0, 6]);
  assert.deepEqual(shown.map(({ state }) => state), ["waiting", "playing", "played", "waiting", "playing", "played"]);
});

test("no sound, skipping and a player that fails are three different answers", async () => {
  assert.equal((await speak([{ action: "no-sound" }])).result.answer, "no_sound");
  assert.equal((await speak([{ action: "skip" }])).result.answer, "skip");
  assert.equal((await speak([], async () => Promise.reject(new Error("no file")))).result.answer, "failed");
});

test("an answer is taken while the player still hangs", async () => {
  assert.equal((await speak([{ action: "no-sound" }], () => new Promise(() => {}))).result.answer, "no_sound");
});

/** A recorder whose line began 10 s into the context's life. */
function fakeEar() {
  let onPcm = null;
  let now = 0;
  const recorder = {
    sampleRate: 48000, now: () => now, at: (context_s) => 1000 * (context_s - 10), close() {}, listen: (_block, pcm) => (onPcm = pcm),
    hear(ms) {
      for (const end = now + ms; now < end; now += 200) onPcm?.(now, new Int16Array(3200));
    },
    listening: () => onPcm !== null,
  };
  return recorder;
}
const playing = async () => ({ lasts_ms: 2000, onsets_s: [10.2, 11, 11.8], lang: "nb" });

test("what the microphone hears of the digits is kept to the end of their echo, on one line of time", async () => {
  const [clock, recorder] = [fakeClock(), fakeEar()];
  const ear = createEar({ recorder: async () => recorder, play: playing, clock });
  assert.equal(await ear.play([3, 7, 1], 6), 2000);
  const heard = ear.heard(new AbortController().signal);
  recorder.hear(4000);
  const { pieces, figures } = await heard;
  assert.deepEqual(figures, { ended_by: "played", lang: "nb", digits: [3, 7, 1], starts_ms: [200, 1000, 1800], gain_db: 6 });
  assert.equal(recorder.listening(), false, "nothing is listened to for longer");
  assert.ok(pieces.length >= 15 && pieces.length <= 17, `${pieces.length}`);
});

test("digits played again are heard anew, and a recorder that stopped keeps nobody waiting", async () => {
  const [clock, recorder] = [fakeClock(), fakeEar()];
  const ear = createEar({ recorder: async () => recorder, play: playing, clock });
  await ear.play([3, 7, 1], 0);
  recorder.hear(1000);
  await ear.play([2, 9, 4], 6);
  recorder.hear(400);
  const heard = ear.heard(new AbortController().signal);
  await clock.pass(7000);
  const { pieces, figures } = await heard;
  assert.deepEqual([figures.digits, pieces.length], [[2, 9, 4], 2]);
});

test("without a microphone, and without digits, there is no echo to hear", async () => {
  const clock = fakeClock();
  const signal = new AbortController().signal;
  const deaf = createEar({ recorder: async () => null, play: playing, clock });
  await deaf.play([1, 2, 3], 0);
  assert.equal((await deaf.heard(signal)).figures.ended_by, "no_microphone");
  const unplayed = createEar({ recorder: async () => fakeEar(), play: playing, clock });
  assert.equal((await unplayed.heard(signal)).figures.ended_by, "not_played");
});

test("an answer that was not given is not sent, and a question that was not asked neither", () => {
  assert.deepEqual(answersOf({}, ["private_room", "people", "phone"]), {});
  assert.deepEqual(answersOf({ private_room: "no", people: "2", phone: "abc +47 22 00" }, ["people", "phone"]), { phone: "+47 22 00" });
  assert.deepEqual(answersOf({ private_room: "maybe", people: "0" }, ["private_room", "people"]), {});
  assert.equal(tidyPhone("ring meg"), "");
  assert.equal(tidyPhone("1".repeat(40)).length, 20);
});

test("only candidate types and protocols are read from the statistics", () => {
  const stats = new Map([
    ["T", { type: "transport", selectedCandidatePairId: "P" }], ["P", { type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R" }],
    ["L", { type: "local-candidate", candidateType: "relay", protocol: "udp", relayProtocol: "tls", address: "10.0.0.1" }],
    ["R", { type: "remote-candidate", candidateType: "host", protocol: "udp", address: "10.0.0.2" }],
    ["V", { type: "inbound-rtp", kind: "video", packetsReceived: 10, packetsLost: -1, bytesReceived: 999 }],
  ]);
  assert.deepEqual(candidatePair(stats), { local_candidate_type: "relay", remote_candidate_type: "host", protocol: "udp", relay_protocol: "tls" });
  assert.equal(packetsReceived(stats), 10);
  assert.equal(packetsReceived(new Map([["A", { type: "inbound-rtp", kind: "audio", packetsReceived: 3 }], ["V", { type: "inbound-rtp", kind: "video" }]])), 0);
  assert.deepEqual(candidatePair(new Map()), { local_candidate_type: "unknown", remote_candidate_type: "unknown", protocol: "unknown" });
});

test("a press of an earlier step never answers a later one", async () => {
  const inputs = createInputs();
  inputs.press("next");
  inputs.clear();
  assert.equal(inputs.take(["next"]), null);
  const waiting = inputs.next(["skip"], new AbortController().signal);
  inputs.press("next");
  inputs.press("skip", { digits: "1" });
  assert.equal((await waiting).action, "skip");
  assert.equal(inputs.take(["next"]), "next");
  await settle();
  assert.equal(frame(1, 0, new Uint8Array()).length, 5);
});

test("an echo that nobody heard is told so, without a number or a limit", () => {
  const texts = createTexts("nb", catalogue("nb"));
  const check = { id: "microphone.echo", outcome: "pass", value: 2.64, unit: "db", pass: -46, fail: -35, cause: null, details: { heard: false } };
  assert.deepEqual(figureWords(texts, figures, check), { value: "Ikke hørt", limits: "" });
  assert.match(figureWords(texts, figures, { ...check, outcome: "fail", value: -20, details: { heard: true } }).value, /20/);
});
