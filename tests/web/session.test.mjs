import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceProblem, initial, progressOf, reduce, shownOf, waitOf } from "../../web/selftest/js/session.js";
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

test("how many they are is kept through a test and the next one", () => {
  const two = after({ type: "people", people: 2 }, { type: "start" });
  assert.equal(initial().people, 0);
  assert.equal(two.people, 2);
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
  const waiting = after({ type: "start" }, { type: "connection", state: "queued", queue: { place: 2, eta_s: 20 } });
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

test("an action that nobody knows is refused aloud, and never makes the state undefined", () => {
  for (const type of ["queued", "plan!", undefined, "constructor"]) assert.throws(() => reduce(initial(), { type }), TypeError);
});

const ready = devices("present", "present");
const begun = [{ type: "start" }, { type: "prompt", state: "answered" }, { type: "devices", result: ready }];

test("a place in the queue stands alone on the page, and a new place after a lost line is told as new", () => {
  const queued = (place) => ({ type: "connection", state: "queued", queue: { place, eta_s: 45 } });
  const first = after(...begun, queued(1));
  assert.equal(shownOf(first), "waiting");
  assert.equal(first.requeued, false);
  const lost = reduce(first, { type: "connection", state: "lost" });
  assert.deepEqual(lost.queue, { place: 1, eta_s: 45 }, "the page can say what was lost");
  const again = reduce(lost, queued(3));
  assert.equal(again.requeued, true);
  assert.deepEqual(again.queue, { place: 3, eta_s: 45 });
  assert.equal(reduce(again, { type: "plan", plan: plan() }).requeued, false);
});

test("a lost line hides the step that cannot go on, and the step comes back with the line", () => {
  for (const step of ["picture", "sound", "speaker", "network", "practical"]) {
    const lost = after(...begun, { type: "plan", plan: plan() }, { type: "step", step }, { type: "connection", state: "lost" });
    assert.equal(shownOf(lost), "waiting", step);
    assert.equal(shownOf(reduce(lost, { type: "plan", plan: plan() })), step);
  }
  const judging = after(...begun, { type: "plan", plan: plan() }, { type: "judging" }, { type: "connection", state: "lost" });
  assert.equal(shownOf(judging), "waiting");
  assert.equal(shownOf(after(...begun, { type: "report", report: report() }, { type: "connection", state: "lost" })), "answer");
});

test("the person's own question comes before the line: permission, or a device that is missing", () => {
  const lost = { type: "connection", state: "lost" };
  assert.equal(shownOf(after({ type: "start" }, { type: "prompt", state: "asking" }, lost)), "devices");
  const missing = after({ type: "start" }, { type: "prompt", state: "answered" }, { type: "devices", result: devices("NotFoundError", "present") }, lost);
  assert.equal(waitOf(missing), null);
});

test("a wait that is another one begins anew, and the same one goes on", () => {
  const slow = after(...begun, { type: "patience", level: 1 });
  assert.equal(waitOf(slow), "connecting");
  assert.equal(shownOf(slow), "waiting", "just a moment does not stand alone for long");
  const queued = reduce(slow, { type: "connection", state: "queued", queue: { place: 1, eta_s: 45 } });
  assert.equal(queued.patience, 0);
  const called = [{ type: "connection", state: "lost" }, { type: "patience", level: 2 }, { type: "connection", state: "lost" }].reduce(reduce, queued);
  assert.equal(called.patience, 2);
});

test("who leaves is on the first page, with the session and without a test", () => {
  const left = after({ type: "session", session: { session: "s1", practical: ["people"] } }, ...begun, { type: "connection", state: "lost" }, { type: "left" });
  assert.equal(waitOf(initial()), "loading", "a first page that is not there yet is a wait too");
  assert.equal(waitOf(after({ type: "loaded" })), null);
  assert.equal(left.step, "welcome");
  assert.equal(left.session.session, "s1");
  assert.equal(waitOf(left), null);
});

test("asking for more time shows until the next step", () => {
  const asked = after(...begun, { type: "step", step: "picture" }, { type: "more" });
  assert.equal(asked.more, true);
  assert.equal(reduce(asked, { type: "step", step: "sound" }).more, false);
});

test("a server that says nothing for a while is told, and a line that comes back takes the word back", () => {
  const silent = after(...begun, { type: "plan", plan: plan() }, { type: "silent", value: true });
  assert.equal(silent.silent, true);
  assert.equal(reduce(silent, { type: "plan", plan: plan() }).silent, false);
});

test("a line that is blocked while the page gets through is told by itself, until somebody is heard", () => {
  const begun = [{ type: "start" }, { type: "prompt", state: "answered" }, { type: "devices", result: devices("present", "present") }, { type: "connection", state: "connecting" }];
  const blocked = [...begun, { type: "blocked", code: "K7MB2Q" }].reduce(reduce, initial());
  assert.equal(waitOf(blocked), "blocked");
  assert.equal(shownOf(blocked), "waiting");
  assert.equal(waitOf(reduce(blocked, { type: "connection", state: "connecting" })), "blocked");
  for (const heard of [{ type: "connection", state: "queued", queue: { place: 1, eta_s: 9 } }, { type: "plan", plan: plan() }]) {
    assert.equal(reduce(blocked, heard).blocked, "");
  }
  const asking = [{ type: "start" }, { type: "prompt", state: "asking" }, { type: "blocked", code: "K7MB2Q" }].reduce(reduce, initial());
  assert.equal(waitOf(asking), "asking");
});

test("a picture that the browser hides waits for the person, and what the test before said is remembered", () => {
  assert.equal(deviceProblem({ devices: { ...devices("present", "present"), hidden: true } }), true);
  const state = [{ type: "report", report: report({ advice: ["camera.not_measured"] }) }, { type: "start" }].reduce(reduce, initial());
  assert.deepEqual(state.before, ["camera.not_measured"]);
});
