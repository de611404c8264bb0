import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkClosed, openLink } from "../../web/selftest/js/socket.js";
import { fakeClock, plan, protocol, report, settle } from "./support.mjs";

const HELLO = { type: "hello", version: 1, client: { kind: "browser" }, locale: "nb", session: "s1" };

/** A link over sockets that the test opens, feeds and breaks. */
function setUp(options = {}) {
  const clock = fakeClock();
  const sockets = [];
  const states = [];
  class FakeSocket {
    constructor() {
      Object.assign(this, { sent: [], readyState: 0, bufferedAmount: 0 });
      sockets.push(this);
    }
    send(data) {
      this.sent.push(typeof data === "string" ? JSON.parse(data) : data);
    }
    close() {
      this.readyState = 3;
    }
    open() {
      this.readyState = 1;
      this.onopen();
    }
    give(message) {
      this.onmessage({ data: typeof message === "string" ? message : JSON.stringify(message) });
    }
    drop() {
      this.readyState = 3;
      this.onclose();
    }
  }
  const details = [];
  const onState = (state, detail) => (states.push([state, detail?.code]), details.push(detail));
  const link = openLink({ url: "ws://x", hello: () => HELLO, protocol, clock, WebSocketClass: FakeSocket, onState, ...options });
  return { clock, sockets, states, details, link, signal: new AbortController().signal };
}

test("the page says hello and waits for the plan before it sends anything else", async () => {
  const { sockets, link, signal } = setUp();
  sockets[0].open();
  link.send("finish", "final", {});
  assert.deepEqual(sockets[0].sent, [HELLO]);
  sockets[0].give(plan());
  assert.equal((await link.ready(signal)).plan.test, "t1");
  link.send("finish", "final", {});
  assert.deepEqual(sockets[0].sent[1], { type: "samples", phase: "finish", kind: "final", data: {}, final: true });
});

test("a lost line comes back with the test's id, and what ran on the old line is told", async () => {
  const { clock, sockets, states, link, signal } = setUp();
  sockets[0].open();
  sockets[0].give(plan());
  const { lost } = await link.ready(signal);
  sockets[0].drop();
  assert.equal(lost.aborted, true);
  assert.equal(states.at(-1)[0], "lost");
  await clock.pass(1000);
  sockets[1].open();
  assert.equal(sockets[1].sent[0].resume, "t1");
  sockets[1].give(plan({ done: ["devices"] }));
  assert.deepEqual((await link.ready(signal)).plan.done, ["devices"]);
});

test("after ten minutes the page gives up and says so", async () => {
  const { clock, sockets, states, link, signal } = setUp();
  sockets[0].open();
  sockets[0].give(plan());
  sockets[0].drop();
  for (let i = 0; i < 120 && states.at(-1)[0] !== "closed"; i += 1) {
    await clock.pass(10_000);
    if (sockets.at(-1).readyState === 0) sockets.at(-1).drop();
  }
  assert.deepEqual(states.at(-1), ["closed", "connection_lost"]);
  assert.ok(clock.now() >= 600_000 && clock.now() < 640_000);
  await assert.rejects(link.ready(signal), LinkClosed);
});

test("a service that never answers is tried for ten minutes, and a first line that comes late is taken", async () => {
  const never = setUp();
  for (let i = 0; i < 90 && never.states.at(-1)?.[0] !== "closed"; i += 1) {
    never.sockets.at(-1).drop();
    await never.clock.pass(10_000);
  }
  assert.deepEqual(never.states.at(-1), ["closed", "unreachable"]);
  assert.ok(never.clock.now() >= 600_000 && never.clock.now() < 640_000);
  const late = setUp();
  for (let i = 0; i < 12; i += 1) {
    late.sockets.at(-1).drop();
    await late.clock.pass(10_000);
  }
  late.sockets.at(-1).open();
  late.sockets.at(-1).give(plan());
  assert.equal((await late.link.ready(late.signal)).plan.test, "t1");
});

test("of the queue's message the page gets place and estimate, and nothing that could be taken for something else", () => {
  const { sockets, states, details } = setUp();
  sockets[0].open();
  sockets[0].give({ type: "queued", place: 3, eta_s: 45, state: "open", code: "x" });
  assert.deepEqual(states.at(-1), ["queued", undefined]);
  assert.deepEqual(details.at(-1), { queue: { place: 3, eta_s: 45 } });
});

test("a server that goes away after minutes in the queue is lost, not unreachable, and is queued at again", async () => {
  const { clock, sockets, states } = setUp();
  sockets[0].open();
  for (let i = 0; i < 60; i += 1) {
    sockets[0].give({ type: "queued", place: 2, eta_s: 90 });
    await clock.pass(2000);
  }
  sockets[0].drop();
  assert.equal(states.at(-1)[0], "lost");
  await clock.pass(1000);
  sockets[1].open();
  assert.equal("resume" in sockets[1].sent[0], false);
  sockets[1].give({ type: "queued", place: 4, eta_s: 180 });
  assert.equal(states.at(-1)[0], "queued");
});

test("a line that is broken off for being dead is lost at once, and its end changes nothing any more", async () => {
  const { clock, sockets, states, link, signal } = setUp();
  sockets[0].open();
  sockets[0].give(plan());
  const { lost } = await link.ready(signal);
  link.reopen();
  assert.equal(lost.aborted, true);
  assert.equal(sockets[0].readyState, 3);
  const told = states.length;
  sockets[0].drop();
  assert.equal(states.length, told);
  await clock.pass(1000);
  assert.equal(sockets.length, 2);
});

test("who asks for it is not kept waiting for the next try, and a closed line tries no more", async () => {
  const { clock, sockets, link } = setUp();
  for (let i = 0; i < 5; i += 1) {
    sockets.at(-1).drop();
    link.retryNow();
    await settle();
    assert.equal(sockets.length, i + 2);
  }
  sockets.at(-1).drop();
  link.close("left");
  await clock.pass(60_000);
  assert.equal(sockets.length, 6);
});

test("a page that goes on with a test says so in its first word", () => {
  const { sockets } = setUp({ resume: "t9" });
  sockets[0].open();
  assert.equal(sockets[0].sent[0].resume, "t9");
});

test("a fatal error ends it by its code; a busy server is come back to when it says", async () => {
  const fatal = setUp();
  fatal.sockets[0].open();
  fatal.sockets[0].give({ type: "error", code: "session.not_valid", fatal: true });
  assert.deepEqual(fatal.states.at(-1), ["closed", "session.not_valid"]);
  const busy = setUp();
  busy.sockets[0].open();
  busy.sockets[0].give({ type: "error", code: "server.busy", fatal: true, retry_after_s: 20 });
  busy.sockets[0].drop();
  await busy.clock.pass(19_000);
  assert.equal(busy.sockets.length, 1);
  await busy.clock.pass(2000);
  assert.equal(busy.sockets.length, 2);
});

test("messages that break the protocol are not acted on", async () => {
  const { sockets, states, link, signal } = setUp();
  sockets[0].open();
  for (const bad of ["{", "[]", { type: "hint" }, { type: "nonsense" }, { type: "report", report: { id: "r" } }]) sockets[0].give(bad);
  assert.deepEqual(states, []);
  const waiting = link.wait("report", () => true, signal);
  sockets[0].give(plan());
  sockets[0].give({ type: "report", report: report() });
  assert.equal((await waiting).report.code, "K7MB2Q");
});

test("a goodbye of another window ends this one; a restarting server does not", async () => {
  const replaced = setUp();
  replaced.sockets[0].open();
  replaced.sockets[0].give({ type: "bye", code: "replaced" });
  assert.deepEqual(replaced.states.at(-1), ["closed", "replaced"]);
  const restarting = setUp();
  restarting.sockets[0].open();
  restarting.sockets[0].give({ type: "bye", code: "shutting_down" });
  restarting.sockets[0].drop();
  await restarting.clock.pass(1000);
  assert.equal(restarting.sockets.length, 2);
  await settle();
});

test("a line on which the server falls silent is told after 10 s, and is broken off after 20 s", async () => {
  const silences = [];
  const { clock, sockets, states } = setUp({ onSilent: (silent) => silences.push(silent) });
  sockets[0].open();
  sockets[0].give(plan());
  for (let i = 0; i < 5; i += 1) {
    sockets[0].give({ type: "alive" });
    await clock.pass(4000);
  }
  assert.deepEqual(silences, []);
  await clock.pass(7000);
  assert.deepEqual(silences, [true]);
  sockets[0].give({ type: "hint", check: "camera.light", code: "good" });
  assert.deepEqual(silences, [true, false]);
  await clock.pass(21_000);
  assert.equal(states.at(-1)[0], "lost");
  assert.equal(sockets[0].readyState, 3);
  await clock.pass(1000);
  assert.equal(sockets.length, 2);
  assert.deepEqual(silences, [true, false, true]);
});

test("a server that was never heard to make itself heard is not called silent", async () => {
  const { clock, sockets, states } = setUp();
  sockets[0].open();
  sockets[0].give(plan());
  await clock.pass(120_000);
  assert.equal(states.at(-1)[0], "open");
});

test("a line that can't even be tried is tried again, and that nothing was heard can be asked", async () => {
  let refused = 2;
  const clock = fakeClock();
  const sockets = [];
  class Choosy {
    constructor() {
      if (refused-- > 0) throw new DOMException("blocked", "SecurityError");
      sockets.push(this);
    }
    close() {}
  }
  const states = [];
  const link = openLink({ url: "ws://x", hello: () => HELLO, protocol, clock, WebSocketClass: Choosy, onState: (state) => states.push(state) });
  const asked = link.unheard(6000);
  await clock.pass(6000);
  assert.equal(await asked, true);
  assert.deepEqual(states, ["connecting", "connecting"]);
  assert.equal(sockets.length, 1);
  sockets[0].onmessage({ data: JSON.stringify({ type: "queued", place: 1, eta_s: 30 }) });
  const then = link.unheard(0);
  await clock.pass(0);
  assert.equal(await then, false);
});
