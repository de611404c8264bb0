/** Camera and microphone that fail in the ways that people report: aws/amazon-chime-sdk-js#1351, w3c/mediacapture-main#541 and #1011, webrtc/samples#1191, electron/electron#23281. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asOne, devicesAdvice } from "../../web/selftest/js/advice.js";
import * as devices from "../../web/selftest/js/checks/devices.js";
import { statusOf } from "../../web/selftest/js/checks/refusal.js";
import { canReadBack, FRAME_MS, firstFrame, matches } from "../../web/selftest/js/preview.js";
import { fakeClock, settle } from "./support.mjs";

const error = (name, message = name) => Object.assign(new Error(message), { name });
const never = () => new Promise(() => undefined);
globalThis.MediaStream ??= class {
  constructor(tracks) {
    this.tracks = tracks;
  }
  getTracks() {
    return this.tracks;
  }
  getVideoTracks() {
    return this.tracks.filter(({ kind }) => kind === "video");
  }
  getAudioTracks() {
    return this.tracks.filter(({ kind }) => kind === "audio");
  }
};
const SCOPE = { WebSocket: 1, RTCPeerConnection: class { close() {} }, AudioWorkletNode: 1, MediaStream: 1, isSecureContext: true };

function track(kind, settings = {}, label = "") {
  return {
    kind, label, readyState: "live", getSettings: () => settings,
    stop() {
      this.readyState = "ended";
    },
  };
}
const microphone = () => track("audio", { echoCancellation: "all", sampleRate: 48000 }, "Karis AirPods");
const camera = () => track("video", { width: 1280, height: 720, frameRate: 30 }, "FaceTime HD");

/** A browser whose getUserMedia answers by what was asked for ("av", "a", "v"; "v!" without any wish): an error, a stream, or a promise. */
function browser(answers) {
  const asked = [];
  return {
    asked,
    getUserMedia({ audio, video }) {
      const kind = `${audio ? "a" : ""}${video ? "v" : ""}${audio === true || video === true ? "!" : ""}`;
      asked.push(kind);
      const found = answers[kind];
      const answer = typeof found === "function" ? found() : found;
      if (answer instanceof Error) return Promise.reject(answer);
      if (answer) return answer;
      return Promise.resolve(new MediaStream([...(audio ? [microphone()] : []), ...(video ? [camera()] : [])]));
    },
  };
}

/** Permissions as the browser tells them. */
function permissions([forCamera, forMicrophone = forCamera]) {
  return { query: async ({ name }) => ({ state: name === "camera" ? forCamera : forMicrophone }) };
}

/** The whole machine, with as much time as `ms` gives it. */
async function open(answers, { ms = 0, ...change } = {}) {
  const media = browser(answers);
  const clock = fakeClock();
  const stages = [];
  const controller = new AbortController();
  const running = devices.run({
    media, clock, signal: controller.signal, scope: { ...SCOPE, navigator: { mediaDevices: media } },
    look: async () => ({ state: "frames" }), readable: async () => true, onProgress: (stage) => stages.push(stage), ...change,
  });
  await clock.pass(ms);
  const found = await Promise.race([running, settle().then(settle).then(() => null)]);
  return { found, asked: media.asked, stages, clock, controller, running };
}
const statuses = ({ found }) => [found.camera.status, found.microphone.status];

test("camera and microphone are opened by one question, and the list of devices is not believed before", async () => {
  const seen = await open({});
  assert.deepEqual(seen.asked, ["av"]);
  assert.deepEqual(seen.found.camera, { status: "present", width_px: 1280, height_px: 720, frame_rate_fps: 30, device_class: "built_in" });
  assert.deepEqual(seen.found.microphone, { status: "present", echo_cancellation: true, sample_rate_hz: 48000, device_class: "bluetooth_headset" });
  assert.equal(seen.found.stream.getTracks().length, 2);
  assert.deepEqual(seen.found.browser.missing, []);
  assert.deepEqual(seen.stages, ["asking", "looking", "answered"]);
});

/** [what happened, answers, what is known, camera, microphone, asked] */
const FAILURES = [
  ["no camera", { av: error("NotFoundError"), v: error("NotFoundError") }, {}, "NotFoundError", "present", "av a v"],
  ["neither is there", { av: error("NotFoundError"), a: error("NotFoundError"), v: error("NotFoundError") }, {}, "NotFoundError", "NotFoundError", "av a v"],
  ["another program has the camera", { av: error("NotReadableError"), v: error("NotReadableError") }, {}, "NotReadableError", "present", "av a v"],
  ["another program has the microphone", { av: error("NotReadableError"), a: error("NotReadableError") }, {}, "present", "NotReadableError", "av a v"],
  ["Firefox and a camera in use", { av: error("AbortError", "Starting videoinput failed"), v: error("AbortError") }, {}, "AbortError", "present", "av a v"],
  ["Chromium and a camera that never starts", { av: error("AbortError", "Timeout starting video source"), v: error("AbortError") }, {}, "AbortError", "present", "av a v"],
  ["an error that nobody knows", { av: error("UnknownError"), v: error("UnknownError") }, {}, "failed", "present", "av a v"],
  ["a wrapper that throws at once", { av: () => { throw new TypeError("x"); }, v: () => { throw new TypeError("x"); } }, {}, "failed", "present", "av a v"],
  ["wishes that no camera has", { av: error("OverconstrainedError"), v: error("OverconstrainedError") }, {}, "present", "present", "av a v v!"],
  ["a camera that suits nobody", { av: error("OverconstrainedError"), v: error("OverconstrainedError"), "v!": error("OverconstrainedError") }, {}, "OverconstrainedError", "present", "av a v v!"],
  ["the browser has both forbidden", { av: error("NotAllowedError") }, { permissions: permissions(["denied"]) }, "NotAllowedError", "NotAllowedError", "av"],
  ["the browser has the camera forbidden", { av: error("NotAllowedError") }, { permissions: permissions(["denied", "granted"]) }, "NotAllowedError", "present", "av a"],
  ["the microphone has not been asked for", { av: error("NotAllowedError") }, { permissions: permissions(["denied", "prompt"]) }, "NotAllowedError", "present", "av a"],
  ["the question was closed", { av: error("NotAllowedError", "Permission dismissed") }, { permissions: permissions(["prompt"]) }, "dismissed", "dismissed", "av"],
  ["a browser without permissions says no", { av: error("NotAllowedError"), a: error("NotAllowedError"), v: error("NotAllowedError") }, {}, "NotAllowedError", "NotAllowedError", "av a v"],
  ["the system keeps the camera", { av: error("NotAllowedError"), v: error("NotAllowedError") }, { permissions: permissions(["granted"]) }, "denied_by_system", "present", "av a v"],
  ["the system keeps both, Chromium says so", { av: error("NotAllowedError", "Permission denied by system"), a: error("NotAllowedError", "Permission denied by system"), v: error("NotAllowedError", "Permission denied by system") }, {}, "denied_by_system", "denied_by_system", "av a v"],
  ["a policy keeps both", { av: error("NotAllowedError"), a: error("NotAllowedError"), v: error("NotAllowedError") }, { allows: () => false }, "SecurityError", "SecurityError", "av a v"],
  ["media is switched off", { av: error("SecurityError"), a: error("SecurityError"), v: error("SecurityError") }, {}, "SecurityError", "SecurityError", "av a v"],
  ["an old Chromium says no", { av: error("PermissionDeniedError"), a: error("PermissionDeniedError"), v: error("PermissionDeniedError") }, { permissions: undefined }, "NotAllowedError", "NotAllowedError", "av a v"],
  ["an old Chromium and a camera in use", { av: error("TrackStartError"), v: error("TrackStartError") }, {}, "NotReadableError", "present", "av a v"],
  ["permissions that break", { av: error("NotReadableError"), v: error("NotReadableError") }, { permissions: { query() { throw new TypeError("camera"); } } }, "NotReadableError", "present", "av a v"],
  ["a camera that has ended when it comes", { av: () => Promise.resolve(new MediaStream([microphone(), { ...camera(), readyState: "ended" }])) }, {}, "present", "present", "av v"],
  ["a camera that ends each time", { av: () => Promise.resolve(new MediaStream([microphone(), { ...camera(), readyState: "ended" }])), v: () => Promise.resolve(new MediaStream([{ ...camera(), readyState: "ended" }])) }, {}, "ended", "present", "av v"],
  ["an answer without a microphone", { av: () => Promise.resolve(new MediaStream([camera()])), a: () => Promise.resolve(new MediaStream([])) }, {}, "present", "NotFoundError", "av a"],
];
for (const [name, answers, known, ofCamera, ofMicrophone, asked] of FAILURES) {
  test(`each device by itself: ${name}`, async () => {
    const seen = await open(answers, known);
    assert.deepEqual(statuses(seen), [ofCamera, ofMicrophone]);
    assert.equal(seen.asked.join(" "), asked);
    assert.equal(seen.found.stream?.getTracks().length ?? 0, [ofCamera, ofMicrophone].filter((one) => one === "present").length);
    assert.equal(seen.stages.at(-1), "answered");
  });
}

test("an insecure page and an app without capture are told apart", async () => {
  const insecure = await open({}, { media: undefined, scope: { ...SCOPE, isSecureContext: false } });
  assert.deepEqual(statuses(insecure), ["insecure", "insecure"]);
  const app = await open({}, { media: undefined, scope: SCOPE });
  assert.equal(app.found.microphone.status, "unsupported");
  assert.deepEqual(app.found.browser.missing, ["getUserMedia"]);
});

test("a person who takes 20 s to answer is waited for", async () => {
  const clock = fakeClock();
  const media = browser({ av: () => clock.sleep(20_000).then(() => new MediaStream([microphone(), camera()])) });
  const seen = await open({}, { media, clock, permissions: permissions(["prompt"]) });
  await clock.pass(20_000);
  const found = await seen.running;
  assert.deepEqual([found.camera.status, found.microphone.status], ["present", "present"]);
});

test("a question that is never answered is told after 30 s, and an answer after that is taken or closed", async () => {
  for (const gone of [false, true]) {
    let answer;
    const tracks = [microphone(), camera()];
    const seen = await open({ av: () => new Promise((resolve) => (answer = resolve)) }, { ms: devices.ASK_MS });
    assert.deepEqual(statuses(seen), ["no_answer", "no_answer"]);
    assert.deepEqual(asOne(devicesAdvice(seen.found)), ["permission.no_answer"]);
    if (gone) seen.controller.abort(new Error("gone on without"));
    answer(new MediaStream(tracks));
    if (gone) await assert.rejects(seen.found.late, /gone on without/);
    else assert.equal((await seen.found.late).camera.status, "present");
    assert.deepEqual(tracks.map(({ readyState }) => readyState), Array(2).fill(gone ? "ended" : "live"));
  }
});

test("a device that hangs though it is allowed holds the other one up for 12 s, and what it gives later is closed", async () => {
  const late = track("video");
  let answer;
  const seen = await open({ av: never(), v: () => new Promise((resolve) => (answer = resolve)) }, { ms: 2 * devices.OPEN_MS, permissions: permissions(["granted"]) });
  assert.deepEqual(statuses(seen), ["failed", "present"]);
  answer(new MediaStream([late]));
  await settle();
  assert.equal(late.readyState, "ended");
});

test("permissions that never answer hold nobody up for more than 2 s", async () => {
  const seen = await open({}, { ms: 2000, permissions: { query: never } });
  assert.deepEqual(statuses(seen), ["present", "present"]);
});

test("a live camera without a picture is named, and taken when the picture comes", async () => {
  let comes;
  const seen = await open({}, { look: async () => ({ state: "no_frames", later: new Promise((resolve) => (comes = resolve)) }) });
  assert.deepEqual(statuses(seen), ["no_frames", "present"]);
  assert.deepEqual(devicesAdvice(seen.found), ["camera.no_frames"]);
  comes(true);
  assert.equal((await seen.found.late).camera.status, "present");
});

test("a picture that the browser hides is the browser's doing: the camera is there", async () => {
  for (const readable of [async () => false, async () => { throw error("SecurityError"); }, never]) {
    const seen = await open({}, { readable, ms: 3000 });
    assert.deepEqual(statuses(seen), ["present", "present"]);
    assert.deepEqual(devicesAdvice(seen.found), ["camera.picture_hidden"]);
  }
  assert.deepEqual(devicesAdvice((await open({})).found), []);
});

test("one thing that concerns both devices is told once", () => {
  for (const end of ["denied", "denied_system", "denied_policy", "dismissed", "no_answer"]) {
    assert.deepEqual(asOne([`camera.${end}`, "network.slow", `microphone.${end}`]), [`permission.${end}`, "network.slow"]);
  }
  assert.deepEqual(asOne(["camera.denied_system", "microphone.denied"]), ["camera.denied_system", "microphone.denied"]);
});

/** Own cases: [what the browser or an extension tells of its tracks, figures of the camera, of the microphone] */
const ODD_SETTINGS = [
  ["nothing", () => undefined, {}, {}],
  ["an error", () => { throw new TypeError("hidden"); }, {}, {}],
  ["no numbers", () => ({ width: NaN, height: Infinity, frameRate: "30", sampleRate: "48000", echoCancellation: "browser" }), {}, { echo_cancellation: true }],
  ["a size before the first picture", () => ({ width: 0, height: 0, frameRate: 0, sampleRate: 0 }), {}, {}],
  ["fractions", () => ({ width: 1279.6, height: 720, frameRate: 29.97, sampleRate: 44099.9 }), { width_px: 1280, height_px: 720, frame_rate_fps: 29.97 }, { sample_rate_hz: 44100 }],
];
for (const [what, getSettings, ofCamera, ofMicrophone] of ODD_SETTINGS) {
  test(`a device whose figures are ${what} is there all the same, and tells what the protocol takes`, async () => {
    const stream = new MediaStream([{ ...microphone(), getSettings }, { ...camera(), getSettings }]);
    const { found } = await open({ av: () => Promise.resolve(stream) });
    assert.deepEqual(found.camera, { status: "present", ...ofCamera, device_class: "built_in" });
    assert.deepEqual(found.microphone, { status: "present", ...ofMicrophone, device_class: "bluetooth_headset" });
  });
}

test("an unknown exception is a failure, never a pass", () => {
  for (const one of ["what", null, undefined, {}, error("UnheardOfError")]) assert.equal(statusOf(one), "failed");
  assert.equal(statusOf(error("NotAllowedError", "The request is not allowed by the user agent or the platform in the current context.")), "NotAllowedError");
});

/** A preview whose `play` answers by turns, and that shows a picture from `from_ms` on. */
function preview(clock, { from_ms = 0, plays = [] } = {}) {
  return {
    stream: null, given: 0, played: 0,
    get srcObject() {
      return this.stream;
    },
    set srcObject(stream) {
      this.stream = stream;
      if (stream) this.given += 1;
    },
    play() {
      return (plays[this.played++] ?? (async () => undefined))();
    },
    get readyState() {
      return clock.now() >= from_ms ? 4 : 0;
    },
    get videoWidth() {
      return clock.now() >= from_ms ? 1280 : 0;
    },
  };
}
async function watchFirst(change, ms, options = {}) {
  const clock = fakeClock();
  const video = preview(clock, change);
  const controller = new AbortController();
  const running = firstFrame(video, new MediaStream([]), { clock, signal: controller.signal, ...options });
  await clock.pass(ms);
  return { look: await Promise.race([running, settle().then(() => null)]), video, clock, controller, running };
}

test("the first picture ends the wait; none for 4 s is told, and one that comes later too", async () => {
  assert.equal((await watchFirst({ from_ms: 900 }, 1000)).look.state, "frames");
  const seen = await watchFirst({ from_ms: 7000, plays: [never] }, FRAME_MS);
  assert.equal(seen.look.state, "no_frames");
  await seen.clock.pass(4000);
  assert.equal(await seen.look.later, true);
  const left = await watchFirst({ from_ms: Infinity }, FRAME_MS);
  left.controller.abort(new Error("left"));
  assert.equal(await left.look.later, false);
});

test("a video that shows nothing is given its stream anew, but not while it is out of view (WebKitGTK 2.54)", async () => {
  const seen = await watchFirst({ from_ms: Infinity, plays: [never] }, 3500);
  assert.equal(seen.video.given, 3, "at once, and each 1.5 s");
  const hidden = await watchFirst({ from_ms: Infinity, plays: [never] }, 3500, { isHidden: () => true });
  assert.equal(hidden.video.given, 1);
});

test("a start that is broken off is made again, and a start that never settles decides nothing", async () => {
  const refused = async () => { throw error("AbortError"); };
  const seen = await watchFirst({ from_ms: 1500, plays: [refused, refused] }, 2000);
  assert.equal(seen.look.state, "frames");
  assert.equal(seen.video.played, 3);
  assert.equal((await watchFirst({ from_ms: 100, plays: [never] }, 300)).look.state, "frames");
});

test("a page out of view is not held against the camera", async () => {
  let hidden = true;
  const seen = await watchFirst({ from_ms: 20_000 }, 2 * FRAME_MS, { isHidden: () => hidden });
  assert.equal(seen.look, null);
  hidden = false;
  await seen.clock.pass(FRAME_MS + 100);
  assert.equal((await seen.running).state, "no_frames");
});

/** A canvas that gives back what was drawn, changed by `lie`; `toBlob` hands the pixels on. */
function canvas({ lie = (rgba) => rgba, jpeg = (rgba) => rgba, toBlob } = {}) {
  const pixels = new Uint8ClampedArray(4 * 64 * 48).fill(255);
  const context = {
    fillStyle: "",
    fillRect(left, top, width, height) {
      const level = Number(/\d+/.exec(this.fillStyle)[0]);
      for (let y = top; y < Math.min(48, top + height); y += 1) for (let x = left; x < Math.min(64, left + width); x += 1) pixels.fill(level, 4 * (y * 64 + x), 4 * (y * 64 + x) + 3);
    },
    drawImage: (image) => pixels.set(image),
    getImageData: () => ({ data: lie(pixels.slice()) }),
  };
  return { getContext: () => context, toBlob: toBlob ?? ((done) => done(jpeg(pixels.slice()))) };
}
const reads = (change, open = async (blob) => blob) => canReadBack({ make: () => canvas(change), open });
const noise = (rgba) => rgba.map((_, i) => (i % 4 === 3 ? 255 : (i * 7919) % 256));

test("a picture that we drew is known again, also with a shield that turns the lowest bits", async () => {
  assert.equal(await reads({}), true);
  assert.equal(await reads({}, undefined), true);
  assert.equal(await reads({ lie: (rgba) => rgba.map((value, i) => (i % 4 === 3 ? value : value ^ (i % 3))) }), true);
});

test("white, black, noise, one colour and another picture are not what we drew, as pixels and as JPEG", async () => {
  const fills = [(rgba) => rgba.fill(255), (rgba) => rgba.fill(0), noise, (rgba) => rgba.fill(128), (rgba) => rgba.slice().reverse(), () => new Uint8ClampedArray(4)];
  for (const lie of fills) {
    assert.equal(await reads({ lie }), false);
    if (lie(new Uint8ClampedArray(4 * 64 * 48)).length > 4) assert.equal(await reads({ jpeg: lie }), false);
  }
  assert.equal(await reads({ toBlob: (done) => done(null) }), false);
  assert.equal(await canReadBack({ make: () => ({ getContext: () => null }) }), false);
  await assert.rejects(reads({ lie: () => { throw error("SecurityError"); } }));
  assert.equal(matches(new Uint8ClampedArray(0)), false);
});
