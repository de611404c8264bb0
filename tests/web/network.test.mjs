/** The network part of the page against a server, a peer and a worker of our own making. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { headroomProven, PingLog, run } from "../../web/selftest/js/checks/network.js";
import { frameAccess, openUplink } from "../../web/selftest/js/uplink.js";
import { HEADROOM_DOWN, IDLE } from "../../web/selftest/js/wire.js";
import { messageProblem } from "../../web/shared/validate.js";
import { fakeClock, plan, protocol, settle } from "./support.mjs";

const PHASES = ["connect", "clock", "downlink", "uplink", "tcp_down", "tcp_up"];
const SCOPE = ["RTCRtpScriptTransform", "RTCRtpSender", "Worker", "location", "trustedTypes"];
const kept = new Map();

/** The page's uplink worker: counts what it is told. */
class FakeWorker {
  static made = [];
  constructor(url) {
    Object.assign(this, { url, told: [], ended: false, sent: 150 });
    FakeWorker.made.push(this);
  }
  postMessage(message) {
    this.told.push(message);
    if (message.kind === "stop" && this.sent !== null) queueMicrotask(() => this.onmessage?.({ data: { run: 1, sent: this.sent } }));
  }
  terminate() {
    this.ended = true;
  }
}

beforeEach(() => {
  for (const name of SCOPE) kept.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
  FakeWorker.made = [];
  const scope = { RTCRtpScriptTransform: class {}, Worker: FakeWorker, location: new URL("https://test.example/selftest/") };
  for (const [name, value] of Object.entries(scope)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
});
afterEach(() => {
  for (const [name, found] of kept) {
    if (found) Object.defineProperty(globalThis, name, found);
    else delete globalThis[name];
  }
});

/** A peer connection whose clock channel opens with the answer and answers each ping after 10 ms. */
function fakePeer(clock) {
  const channel = {
    bufferedAmount: 0, pings: 0,
    send(ping) {
      channel.pings += 1;
      const pong = new DataView(new ArrayBuffer(40));
      new Uint8Array(pong.buffer).set(new Uint8Array(ping));
      pong.setUint8(0, 2);
      clock.sleep(10).then(() => channel.onmessage?.({ data: pong.buffer }));
    },
  };
  const peer = {
    channel, received: 0, closed: false, connectionState: "new", senders: [],
    createDataChannel: () => channel,
    addTransceiver(what, { direction }) {
      const sender = {};
      if (typeof what !== "string") peer.senders.push({ sender, track: what, direction });
      return { sender };
    },
    createOffer: async () => ({ type: "offer", sdp: "v=0" }),
    setLocalDescription: async () => undefined,
    setRemoteDescription: async () => void queueMicrotask(() => channel.onopen()),
    getStats: async () => new Map([["V", { type: "inbound-rtp", kind: "video", packetsReceived: peer.received }]]),
    close: () => (peer.closed = true),
  };
  return peer;
}

/** The server's side of the session socket. `answers` says what a message of the page leads to. */
function fakeLink(answers) {
  const handlers = new Set();
  const link = {
    sent: [], offers: 0, bufferedAmount: 0, chunks: 0,
    tell: (message) => [...handlers].filter(({ type }) => type === message.type).forEach(({ handler }) => handler(message)),
    say: (phase, state, values, code) => link.tell({ type: "phase", phase, state, ...(values ? { values } : {}), ...(code ? { code } : {}) }),
    send(phase, kind, data) {
      const end = kind === "final" || kind === "died" ? { final: true } : {};
      assert.equal(messageProblem({ type: "samples", phase, kind, data, ...end }, protocol), null, `${phase} ${kind} ${JSON.stringify(data)}`);
      link.sent.push([phase, kind, data]);
      queueMicrotask(() => answers(phase, kind, data, link));
    },
    sendOffer() {
      link.offers += 1;
      queueMicrotask(() => answers("offer", "", {}, link));
    },
    sendChunk: () => (link.chunks += 1),
    on(type, handler) {
      const one = { type, handler };
      handlers.add(one);
      return () => handlers.delete(one);
    },
    wait(type, match, signal) {
      return new Promise((resolve, reject) => {
        const stop = link.on(type, (message) => match(message) && (stop(), resolve(message)));
        signal.addEventListener("abort", () => (stop(), reject(signal.reason)));
      });
    },
    of: (phase, kind) => link.sent.filter(([one, other]) => one === phase && other === kind).map(([, , data]) => data),
    order: () => link.sent.map(([phase, kind]) => `${phase} ${kind}`),
  };
  return link;
}

/** A server that measures both ways by media: an idle run, one run each way, and TCP where it is asked for. */
function server(change = {}) {
  const settings = { again: 0, measured: { downlink: true, uplink: true }, refuse: false, lost: false, silent: [], ...change };
  let idles = 0;
  return (phase, kind, data, link) => {
    if (settings.silent.includes(phase)) return;
    if (phase === "offer") link.tell(settings.refuse ? { type: "phase", phase: "connect", state: "failed", code: "sdp.media" } : { type: "answer", sdp: "v=0" });
    if (phase === "clock" && kind === "start") {
      if (settings.lost) link.say("clock", "failed", undefined, "disconnected");
      else link.say("clock", "started", { run: (idles += 1), ms: 1500, tracks: 1, bytes: 62 });
    }
    if (phase === "clock" && kind === "mark") link.say("clock", "ended", { again: idles <= settings.again });
    if ((phase === "downlink" || phase === "uplink") && kind === "start") {
      const run = phase === "uplink" ? 11 : 12;
      link.say(phase, "run", phase === "uplink" ? { run, tracks: 2, bytes: 1100, ms: 3000 } : { run });
      queueMicrotask(() => link.say(phase, "stop", { run }));
    }
    if ((phase === "downlink" || phase === "uplink") && kind === "mark") link.say(phase, "ended", { measured: settings.measured[phase] });
    if (phase === "tcp_down" && kind === "start") {
      for (let i = 0; i < 80; i += 1) link.tell({ type: "binary", 0: HEADROOM_DOWN, length: 16384 });
      link.say("tcp_down", "ended");
    }
    if (phase === "tcp_up" && kind === "start") link.say("tcp_up", "ended", { mbps: 3 });
  };
}

/** Run the network part to its end, or for a minute of the fake clock. */
async function network(answers, change = {}, planned = {}) {
  const clock = fakeClock();
  const link = fakeLink(answers);
  const peer = fakePeer(clock);
  const progress = {};
  const died = [];
  let track = { clone: () => ({ ...track }), stop: () => (track.stopped = true) };
  let over = false;
  const options = {
    link, plan: plan(planned), createPeer: (config) => Object.assign(peer, { config }), clock, signal: new AbortController().signal,
    sound: () => track, workerUrl: "https://test.example/selftest/js/uplink-worker.js",
    onProgress: (phase, state) => (progress[phase] = state), died: (...gone) => died.push(gone), ...change,
  };
  const ended = run(options).then(() => (over = true));
  for (let i = 0; i < 600 && !over; i += 1) await clock.pass(100);
  await ended;
  return { link, peer, progress, died, worker: FakeWorker.made[0], track, ms: clock.now() };
}

test("a good line is measured by media both ways, and TCP is left alone", async () => {
  const { link, peer, progress, died, worker, track } = await network(server());
  assert.deepEqual(progress, Object.fromEntries(PHASES.map((phase) => [phase, "done"])));
  assert.deepEqual(died, []);
  assert.deepEqual(link.order(), [
    "connect final", "clock start", "clock mark", "clock final", "downlink start", "uplink start", "uplink mark", "downlink mark", "downlink final", "uplink final",
  ]);
  const [idle] = link.of("clock", "mark");
  assert.equal(idle.run, 1);
  assert.equal(idle.sent, 150);
  assert.equal(idle.hidden, false);
  assert.ok(idle.rows.length >= 70 && idle.rows.length <= 76, `${idle.rows.length} pings in 1.5 s`);
  assert.deepEqual(link.of("uplink", "mark"), [{ run: 11, sent: 150 }]);
  assert.equal(link.of("downlink", "mark")[0].run, 12);
  assert.ok(link.of("uplink", "final")[0].rows.length > 0, "pings went on under load");
  assert.deepEqual(worker.told.filter(({ kind }) => kind === "run").map(({ run: one, tracks, bytes, ms }) => [one, tracks, bytes, ms]), [[1, 1, 62, 1500], [11, 2, 1100, 3000]]);
  assert.equal(peer.senders.length, 2);
  assert.ok(peer.senders.every(({ sender, direction }) => sender.transform && direction === "sendonly"));
  assert.ok(peer.closed && worker.ended && track.stopped, "nothing is left open");
});

test("the idle line is measured once more where the server was late itself, with fresh rows", async () => {
  const { link, progress } = await network(server({ again: 1 }));
  const marks = link.of("clock", "mark");
  assert.deepEqual(marks.map((mark) => mark.run), [1, 2]);
  const [first, second] = marks.map((mark) => new Set(mark.rows.map(([seq]) => seq)));
  assert.ok(second.size > 60 && [...second].every((seq) => !first.has(seq)), "each row is told once");
  assert.equal(link.of("clock", "final").length, 1);
  assert.equal(progress.clock, "done");
});

test("a browser that can not touch frames measures the way up by TCP alone", async () => {
  delete globalThis.RTCRtpScriptTransform;
  assert.equal(frameAccess(), null);
  const { link, progress, peer } = await network(server());
  assert.equal(link.of("uplink", "start").length, 0);
  assert.equal(link.of("clock", "mark")[0].sent, 0);
  assert.equal(peer.senders.length, 0);
  assert.equal(link.of("tcp_down", "start").length, 0, "the way down was measured");
  assert.equal(link.of("tcp_up", "final").length, 1);
  assert.ok(link.of("uplink", "final")[0].rows.length > 0, "pings under the load down are told all the same");
  assert.equal(progress.tcp_up, "done");
});

test("no sound track means no uplink by media, and nothing breaks", async () => {
  const { link } = await network(server(), { sound: () => null });
  assert.equal(link.of("uplink", "start").length, 0);
  assert.equal(link.of("tcp_up", "start").length, 1);
});

test("TCP serves each way that media was not measured in", async () => {
  for (const measured of [{ downlink: false, uplink: true }, { downlink: true, uplink: false }, { downlink: false, uplink: false }]) {
    FakeWorker.made = [];
    const { link, progress } = await network(server({ measured }));
    assert.equal(link.of("tcp_down", "final").length, measured.downlink ? 0 : 1);
    assert.equal(link.of("tcp_up", "final").length, measured.uplink ? 0 : 1);
    assert.ok(Object.values(progress).every((state) => state === "done"));
  }
});

test("by TCP no more goes up than the server says is left, and nothing where the plan has nothing for it", async () => {
  delete globalThis.RTCRtpScriptTransform;
  const rest = server({ silent: ["tcp_up"] });
  const answers = (phase, kind, data, link) => (phase === "tcp_up" && kind === "start" ? link.say(phase, "started", { bytes: 100_000 }) : rest(phase, kind, data, link));
  const { link } = await network(answers);
  assert.equal(link.chunks, Math.floor(100_000 / 16_384));
  const phases = plan().phases.map((phase) => (phase.name === "tcp_up" ? { ...phase, budget_bytes: 0 } : phase));
  assert.equal((await network(rest, {}, { phases })).link.chunks, 0);
});

test("an offer that is refused leaves media not reached, and TCP both ways", async () => {
  const { link, progress, died, peer } = await network(server({ refuse: true }));
  assert.equal(link.of("connect", "final")[0].state, "failed");
  assert.deepEqual(died.map(([phase, cause]) => [phase, cause]), [["clock", "not_reached"], ["downlink", "not_reached"], ["uplink", "not_reached"]]);
  assert.equal(progress.connect, "failed");
  assert.ok(link.of("tcp_down", "final").length === 1 && link.of("tcp_up", "final").length === 1);
  assert.ok(peer.closed && FakeWorker.made[0].ended);
});

test("a media path that is lost fails the idle line and goes on", async () => {
  const { progress, died, link } = await network(server({ lost: true }));
  assert.equal(progress.clock, "failed");
  assert.deepEqual(died[0].slice(0, 2), ["clock", "step_died"]);
  assert.equal(link.of("downlink", "final").length, 1);
});

test("a server that never answers the load is not waited for for ever", async () => {
  const { progress, died, link, ms } = await network(server({ silent: ["downlink", "uplink"] }));
  assert.deepEqual(died.map(([phase, cause]) => [phase, cause]), [["downlink", "step_died"], ["uplink", "step_died"]]);
  assert.deepEqual([progress.downlink, progress.uplink], ["failed", "failed"]);
  assert.ok(link.of("tcp_up", "final").length === 1 && ms < 40_000);
});

test("a worker that does not answer counts as nothing sent, after a second", async () => {
  const silent = class extends FakeWorker {
    constructor(url) {
      super(url);
      this.sent = null;
    }
  };
  globalThis.Worker = silent;
  const { link, progress } = await network(server());
  assert.equal(link.of("clock", "mark")[0].sent, 0);
  assert.deepEqual(link.of("uplink", "mark"), [{ run: 11, sent: 0 }]);
  assert.equal(progress.uplink, "done");
});

test("the count of what came down is told when it stands still, and not before", async () => {
  const clock = fakeClock();
  let peer;
  const arrive = async () => {
    for (let i = 0; i < 8; i += 1) {
      await clock.sleep(100);
      peer.received += 10;
    }
  };
  const answers = server();
  const link = fakeLink((phase, kind, data, one) => {
    answers(phase, kind, data, one);
    if (phase === "downlink" && kind === "start") arrive();
  });
  peer = fakePeer(clock);
  let over = false;
  const ended = run({
    link, plan: plan(), createPeer: () => peer, clock, signal: new AbortController().signal, sound: () => null, workerUrl: "", onProgress: () => {}, died: () => {},
  }).then(() => (over = true));
  for (let i = 0; i < 200 && !over; i += 1) await clock.pass(100);
  await ended;
  assert.equal(link.of("downlink", "mark")[0].received, 80);
});

test("a test that goes on after the network is done opens nothing", async () => {
  const { link, progress } = await network(server(), {}, { done: ["connect", "clock", "downlink", "uplink", "tcp_down", "tcp_up"] });
  assert.equal(link.offers, 0);
  assert.deepEqual(link.sent, []);
  assert.deepEqual([progress.tcp_down, progress.tcp_up], ["done", "done"]);
});

test("the end of the whole test is passed on", async () => {
  const clock = fakeClock();
  const controller = new AbortController();
  const peer = fakePeer(clock);
  const ended = run({
    link: fakeLink(server({ silent: ["clock"] })), plan: plan(), createPeer: () => peer, clock, signal: controller.signal, sound: () => null, workerUrl: "",
    onProgress: () => {}, died: () => assert.fail("a test that was ended did not die"),
  });
  const outcome = assert.rejects(ended, /over/);
  await clock.pass(1000);
  controller.abort(new Error("over"));
  await settle();
  await clock.pass(100);
  await outcome;
  assert.ok(peer.closed);
});

test("pings are counted, never queue up in the browser, and are told once", () => {
  const sent = [];
  const channel = { bufferedAmount: 0, send: (data) => sent.push(data) };
  const log = new PingLog(channel, () => 1_000_000);
  log.ping(IDLE);
  channel.bufferedAmount = 24;
  log.ping(IDLE);
  channel.bufferedAmount = 0;
  log.ping(IDLE);
  assert.equal(sent.length, 2);
  log.pong(new ArrayBuffer(3));
  const pong = new DataView(new ArrayBuffer(40));
  pong.setUint8(0, 2);
  log.pong(pong.buffer);
  log.late.push(1, 9, 2);
  assert.deepEqual(log.take(), { rows: [[0, 0, 0, 0, 1_000_000]], lag_ms: 9, hidden: false });
  assert.deepEqual(log.take(), { rows: [], lag_ms: 0, hidden: false });
});

test("a page that was hidden while it pinged says so, once", () => {
  let hidden = true;
  const log = new PingLog({ bufferedAmount: 0, send: () => {} }, () => 0, () => hidden);
  log.ping(IDLE);
  hidden = false;
  log.ping(IDLE);
  assert.deepEqual([log.take().hidden, log.take().hidden], [true, false]);
});

test("the usual round trip is the middle one", () => {
  const log = new PingLog({ bufferedAmount: 0, send: () => {} }, () => 0);
  assert.equal(log.trip(), 0);
  log.rows = [[0, 0, 500, 1500, 31_000], [1, 0, 0, 0, 10_000], [2, 0, 0, 0, 900_000]];
  assert.equal(log.trip(), 30);
});

test("headroom is proven at the rate that is asked, or by the bytes that may be used", () => {
  assert.equal(headroomProven(300_000, 400, 1.875), false);
  assert.equal(headroomProven(300_000, 900, 1.875), true);
  assert.equal(headroomProven(300_000, 2000, 1.875), false);
  assert.equal(headroomProven(1_000_000, 50, 1.875), true);
});

test("only our own script becomes a worker, and Chromium's older way is used where the new one is missing", () => {
  const track = { clone: () => track, stop: () => {} };
  const streams = { readable: "in", writable: "out" };
  const peer = { addTransceiver: () => ({ sender: { createEncodedStreams: () => streams } }) };
  const options = { source: () => track, workerUrl: "https://evil.example/worker.js", tracks: 1 };
  const warn = console.warn;
  console.warn = () => {};
  assert.equal(openUplink(peer, options), null);
  console.warn = warn;
  assert.deepEqual(FakeWorker.made, []);
  delete globalThis.RTCRtpScriptTransform;
  globalThis.RTCRtpSender = class {
    createEncodedStreams() {}
  };
  assert.equal(frameAccess(), "streams");
  const uplink = openUplink(peer, { ...options, workerUrl: "/selftest/js/uplink-worker.js" });
  assert.ok(uplink);
  assert.deepEqual(FakeWorker.made[0].told, [{ kind: "streams", track: 0, ...streams }]);
});

test("a browser that asks for it gets the address by a policy", () => {
  const made = [];
  globalThis.trustedTypes = { createPolicy: (name, rules) => (made.push(name), { createScriptURL: (url) => `trusted ${rules.createScriptURL(url)}` }) };
  const track = { clone: () => track };
  const peer = { addTransceiver: () => ({ sender: {} }) };
  openUplink(peer, { source: () => track, workerUrl: "/selftest/js/uplink-worker.js", tracks: 3 });
  assert.deepEqual(made, ["readiness-worker"]);
  assert.equal(FakeWorker.made[0].url, "trusted /selftest/js/uplink-worker.js");
});
