import assert from "node:assert/strict";
import { test } from "node:test";
import * as service from "../../web/selftest/js/checks/meeting_service.js";
import * as network from "../../web/selftest/js/checks/network.js";
import { answersOf } from "../../web/selftest/js/checks/practical.js";
import { facts } from "../../web/board/js/rows.js";
import { initial, progressOf, reduce } from "../../web/selftest/js/session.js";
import { shortWillDo } from "../../web/selftest/js/welcome.js";
import { fakeClock, plan } from "./support.mjs";

const answers = (...states) => () => Promise.resolve({ state: states.shift(), ms: 40 });
const own = (ok) => () => Promise.resolve(ok);

test("the meeting's page is asked twice before anybody says that it is blocked", async () => {
  const reached = { reached: true, own: true, tries: 1, ms: 40 };
  assert.deepEqual(await service.run({ ask: answers("reached"), own: own(false) }), reached);
  assert.deepEqual(await service.run({ ask: answers("silent", "reached"), own: own(true) }), { ...reached, tries: 2 });
  assert.deepEqual(await service.run({ ask: answers("silent", "silent"), own: own(true) }), { reached: false, own: true, tries: 2 });
  assert.deepEqual(await service.run({ ask: answers("silent", "silent"), own: own(false) }), { reached: false, own: false, tries: 2 });
});

test("a browser that cannot ask says nothing at all", async () => {
  assert.equal(await service.run({ ask: answers("unable"), own: own(true) }), null);
  assert.equal(await service.run({ ask: answers("silent", "unable"), own: own(true) }), null);
});

test("a short check will do on the same kind of device, system and browser only", () => {
  const session = { recheck: { tested_at: "", client: { browser: "Chrome 142", os: "Android", form: "phone" } } };
  const here = { browser: "Chrome 143", os: "Android", form: "phone" };
  assert.equal(shortWillDo(session, here), true);
  for (const change of [{ browser: "Firefox 142" }, { os: "iOS" }, { form: "computer" }]) assert.equal(shortWillDo(session, { ...here, ...change }), false);
  assert.equal(shortWillDo({ recheck: null }, here), false);
  assert.equal(shortWillDo(null, here), false);
});

test("practical answers are choices: what is not asked, or not one of them, is not sent", () => {
  const form = { private_room: "no", company: "family", interpreter: "yes", equipment: "Anna", people: "3", phone: "+47 22 00 00 00" };
  const all = ["private_room", "people", "company", "interpreter", "equipment", "phone"];
  assert.deepEqual(answersOf(form, all), { private_room: "no", company: "family", interpreter: "yes", phone: "+47 22 00 00 00" });
  assert.deepEqual(answersOf(form, ["people"]), {}, "asked beside the picture");
});

test("a short check counts two steps and asks nothing", () => {
  const short = { ...plan(), mode: "recheck", done: ["picture", "sound", "speaker", "practical"] };
  const state = reduce(reduce(initial(), { type: "plan", plan: short }), { type: "step", step: "network" });
  assert.deepEqual(state.practical, []);
  assert.deepEqual(progressOf(state), { number: 2, total: 2 });
});

test("a short check opens the media path and closes it again; nothing is timed, loaded or tried by TCP", async () => {
  const sent = [];
  const closed = [];
  const createPeer = () => {
    throw closed.push("no media here") && new Error("no media here");
  };
  const link = { send: (phase, kind, data) => sent.push([phase, kind, data.state]), on: () => () => undefined, wait: () => new Promise(() => undefined) };
  const short = { ...plan(), mode: "recheck", done: ["picture", "sound", "clock", "downlink", "uplink", "tcp_down", "tcp_up", "speaker", "practical"] };
  const options = { link, plan: short, createPeer, clock: fakeClock(), signal: new AbortController().signal, sound: () => null, workerUrl: "", onProgress: () => undefined, died: () => assert.fail("nothing else was tried") };
  await network.run(options);
  assert.deepEqual(sent, [["connect", "final", "failed"]]);
  await network.run({ ...options, plan: { ...short, done: [...short.done, "connect", "paths"] } });
  assert.equal(sent.length, 1, "nothing is left to do");
});

test("the leader reads which device the answer is for, that a short check is still to come, and what was answered", () => {
  const texts = { t: (key, values) => [key, ...Object.values(values ?? {})].join(" "), plural: (key, count) => `${key} ${count}`, first: (keys) => (keys[0].endsWith(".yes") && keys[0].includes("private") ? "" : keys[0]), ago: () => "1 day" };
  const tested = { id: "a", label: "Anna", role: "patient", state: "ready", tested_at: "2026-11-23T10:00:00Z", device: "computer", recheck_due: true };
  const said = facts(texts, { ...tested, practical: { private_room: "yes", company: "family", people: 3 } }, Date.parse("2026-11-24T10:00:00Z"));
  for (const words of ["board.device.computer", "board.recheck", "board.practical.company.family", "board.together 3"]) assert.ok(said.includes(words), said);
  assert.ok(!said.includes("private_room"));
  assert.ok(!facts(texts, { ...tested, recheck_due: false, device: null }, 0).includes("board.recheck"));
});
