import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceProblem, initial, progressOf, reduce } from "../../web/selftest/js/session.js";
import { plan, report } from "./support.mjs";

const after = (...actions) => actions.reduce(reduce, initial());
const devices = (camera, microphone) => ({ camera: { status: camera }, microphone: { status: microphone }, browser: { missing: [] }, stream: null });

test("a test begins at the welcome and goes to the devices at the tap", () => {
  assert.equal(initial().step, "welcome");
  const state = after({ type: "start" });
  assert.equal(state.step, "devices");
  assert.equal(state.connection, "connecting");
});

test("steps are counted without welcome and answer, and without questions that are not asked", () => {
  const asked = after({ type: "start" }, { type: "plan", plan: plan() }, { type: "step", step: "picture" });
  assert.deepEqual(progressOf(asked), { number: 2, total: 6 });
  const unasked = after({ type: "start" }, { type: "plan", plan: plan({ ask: { practical: [], expected_people: 1 } }) });
  assert.deepEqual(progressOf(unasked), { number: 1, total: 5 });
  assert.equal(progressOf(initial()), null);
});

test("a new start forgets the old answer and keeps the devices and whose test it is", () => {
  const session = { session: "s1", practical: ["people"] };
  const first = after({ type: "session", session }, { type: "start" }, { type: "devices", result: devices("present", "present") }, { type: "report", report: report() });
  const again = reduce(first, { type: "start" });
  assert.equal(again.report, null);
  assert.equal(again.session, session);
  assert.equal(again.devices, first.devices);
});

test("an answer that was given stays, whatever happens to the line afterwards", () => {
  const state = after({ type: "start" }, { type: "report", report: report() }, { type: "stopped", code: "connection_lost" });
  assert.equal(state.step, "answer");
});

test("a stopped test cannot wander on to a later step", () => {
  const state = after({ type: "start" }, { type: "stopped", code: "link.not_valid" }, { type: "step", step: "sound" });
  assert.equal(state.step, "stopped");
  assert.equal(state.error, "link.not_valid");
});

test("the place in the queue shows while waiting and is gone with the plan", () => {
  const waiting = after({ type: "start" }, { type: "connection", state: "queued", place: 2, eta_s: 20 });
  assert.deepEqual(waiting.queue, { place: 2, eta_s: 20 });
  assert.equal(reduce(waiting, { type: "plan", plan: plan() }).queue, null);
});

test("being online again takes the word about being offline back", () => {
  const offline = after({ type: "event", code: "offline" });
  assert.deepEqual(offline.events, ["offline"]);
  assert.deepEqual(reduce(offline, { type: "event", code: "online" }).events, []);
});

test("events that say nothing to the person are not shown, and none is shown twice", () => {
  const state = after({ type: "event", code: "device_changed" }, { type: "event", code: "camera_ended" }, { type: "event", code: "camera_ended" });
  assert.deepEqual(state.events, ["camera_ended"]);
});

test("a device that is missing is a problem; before the answer there is none", () => {
  assert.equal(deviceProblem(initial()), false);
  assert.equal(deviceProblem(after({ type: "devices", result: devices("present", "present") })), false);
  assert.equal(deviceProblem(after({ type: "devices", result: devices("NotAllowedError", "present") })), true);
  assert.equal(deviceProblem(after({ type: "devices", result: devices("present", "NotFoundError") })), true);
});

test("the reducer changes nothing in place", () => {
  const state = Object.freeze(after({ type: "start" }));
  for (const action of [{ type: "hint", code: "good" }, { type: "network", phase: "clock", state: "done" }, { type: "paused", value: true }, { type: "judging" }]) {
    assert.notEqual(reduce(state, action), state);
  }
  assert.equal(state.network.clock, "waiting");
});
