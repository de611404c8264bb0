import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkClosed, openLink } from "../../web/selftest/js/socket.js";
import { fakeClock, plan, protocol, report, settle } from "./support.mjs";

const HELLO = { type: "hello", version: 1, client: { kind: "browser" }, locale: "nb", session: "s1" };

/** A link over sockets that the test opens, feeds and breaks. */
function setUp() {
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
  const link = openLink({ url: "ws://x", hello: () => HELLO, protocol, clock, WebSocketClass: FakeSocket, onState: (state, detail) => states.push([state, detail?.code]) });
  return { clock, sockets, states, link, signal: new AbortController().signal };
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

test("a service that never answers is told within a minute", async () => {
  const { clock, sockets, states } = setUp();
  for (let i = 0; i < 12 && states.at(-1)?.[0] !== "closed"; i += 1) {
    sockets.at(-1).drop();
    await clock.pass(10_000);
  }
  assert.deepEqual(states.at(-1), ["closed", "unreachable"]);
  assert.ok(clock.now() < 80_000);
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
