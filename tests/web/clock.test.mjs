import assert from "node:assert/strict";
import { test } from "node:test";
import { linked, pausableClock, StepTimeout, systemClock, withWatchdog } from "../../web/selftest/js/clock.js";
import { fakeClock, settle } from "./support.mjs";

test("time does not pass while the page is hidden", async () => {
  const base = fakeClock();
  const clock = pausableClock(base);
  let awake = false;
  clock.sleep(1000).then(() => {
    awake = true;
  });
  await base.pass(500);
  clock.pause();
  await base.pass(60_000);
  assert.equal(clock.now(), 500);
  assert.equal(awake, false);
  clock.resume();
  await base.pass(400);
  assert.equal(awake, false);
  await base.pass(200);
  assert.equal(awake, true);
});

test("a watchdog ends a step that takes too long, and tells the step", async () => {
  const clock = fakeClock();
  let told;
  const work = (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject((told = signal.reason))));
  const outcome = assert.rejects(withWatchdog({ clock, limit_ms: 1000, what: "sound", signal: new AbortController().signal }, work), StepTimeout);
  await clock.pass(1001);
  await outcome;
  await settle();
  assert.equal(told.name, "AbortError");
});

test("a step that is done in time leaves no timer behind", async () => {
  const clock = fakeClock();
  assert.equal(await withWatchdog({ clock, limit_ms: 1000, what: "x", signal: new AbortController().signal }, async () => 7), 7);
  await clock.pass(5000);
});

test("a watchdog passes on that the whole test was ended", async () => {
  const outer = new AbortController();
  const clock = fakeClock();
  const outcome = assert.rejects(withWatchdog({ clock, limit_ms: 1000, what: "x", signal: outer.signal }, (signal) => clock.sleep(500, signal)), /over/);
  outer.abort(new Error("over"));
  await outcome;
});

test("linked signals end with the first of them", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  const both = linked(a.signal, b.signal);
  b.abort("gone");
  assert.equal(both.signal.reason, "gone");
  assert.equal(linked(a.signal, b.signal).signal.aborted, true);
});

test("sleep on the system's clock ends at once when it is aborted", async () => {
  const controller = new AbortController();
  const sleeping = assert.rejects(systemClock().sleep(60_000, controller.signal), /stop/);
  controller.abort(new Error("stop"));
  await sleeping;
});
