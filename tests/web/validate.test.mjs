import assert from "node:assert/strict";
import { test } from "node:test";
import { messageProblem, problem } from "../../web/shared/validate.js";
import { plan, protocol, report } from "./support.mjs";

const hello = { type: "hello", version: 1, client: { kind: "browser", browser: "Chrome 142", os: "Android", form: "phone" }, locale: "nb", session: "abc" };
const samples = (phase, kind, data) => ({ type: "samples", phase, kind, data, ...(kind === "final" || kind === "died" ? { final: true } : {}) });

test("messages of the protocol are let through", () => {
  const good = [
    hello, { ...hello, resume: "t1" }, plan(), { type: "report", report: report() }, { type: "answer", sdp: "v=0" },
    { type: "queued", place: 2, eta_s: 20 }, { type: "hint", check: "camera.light", code: "camera.dark", values: {} },
    samples("sound", "mark", { step: "silence_start", t_ms: 12.5 }), samples("picture", "event", { code: "tab_hidden", t_ms: 1 }),
    samples("clock", "died", { cause: "step_died", where: "timeout" }), samples("downlink", "start", {}),
    { type: "phase", phase: "uplink", state: "run", values: { run: 2, tracks: 2, bytes: 1100, ms: 3000 } }, { type: "phase", phase: "downlink", state: "stop", values: { run: 2 } },
    samples("speaker", "final", { played: [3, 7, 1], answer: "nothing", heard: null, plays: 2 }),
    samples("practical", "final", { answers: { private_room: "yes", people: 2, phone: "+47 22 00 00 00" } }),
    samples("finish", "final", {}),
  ];
  for (const message of good) assert.equal(messageProblem(message, protocol), null, JSON.stringify(message));
});

test("a broken message is refused, with the place and the rule", () => {
  const cases = [
    [null, "/type: unknown"], [{ type: "constructor" }, "/type: unknown"], [{ ...hello, version: 2 }, "/version: const"],
    [{ ...hello, extra: 1 }, "/extra: additionalProperties"], [{ ...hello, locale: "x".repeat(13) }, "/locale: maxLength"],
    [{ type: "queued", place: -1, eta_s: 1 }, "/place: minimum"], [{ type: "queued", place: 1.5, eta_s: 1 }, "/place: type"],
    [{ type: "queued", place: 1 }, "/eta_s: required"], [plan({ digits: [[1, 12]] }), "/digits/0/1: maximum"],
    [samples("sound", "mark", { step: "nap", t_ms: 1 }), "/data/step: enum"], [samples("devices", "mark", {}), "/kind: devices has no mark"], [samples("clock", "mark", { rows: [] }), "/data/run: required"],
    [samples("uplink", "mark", { run: 0, sent: 1 }), "/data/run: minimum"], [samples("downlink", "mark", { run: 1 }), "/data/received: required"],
    [samples("practical", "final", { answers: { phone: "call me" } }), "/data/answers/phone: pattern"],
    [samples("sound", "final", { blocks: [[1, 2, 3]], ended_by: "next" }), "/data/blocks/0: minItems"],
    [samples("speaker", "final", { played: [1], answer: "digits", heard: "371", plays: 1 }), "/data/heard: anyOf"],
  ];
  for (const [message, expected] of cases) assert.equal(messageProblem(message, protocol), expected);
});

test("numbers that are no numbers are refused", () => {
  assert.equal(problem(NaN, { type: "number" }, {}), ": type");
  assert.equal(problem(Infinity, { type: "number" }, {}), ": type");
});

test("a keyword we do not know is our own mistake and not passed over", () => {
  assert.throws(() => problem("x", { format: "email" }, {}), /format/);
});

test("every definition of the protocol uses only what the validator knows", () => {
  const values = [null, {}, [], "", 1];
  for (const schema of Object.values(protocol.$defs)) for (const value of values) problem(value, schema, protocol);
});
