import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../web/shared/api.js";
import { createTexts } from "../../web/shared/i18n.js";
import { CALL_MS, createPatience, LONGER_MS, persistently, waitWords } from "../../web/selftest/js/patience.js";
import { initial, reduce } from "../../web/selftest/js/session.js";
import { catalogue, fakeClock, LANGS, plan } from "./support.mjs";

test("a wait is told as long after 8 s and as time to call after 45 s, each once", async () => {
  const clock = fakeClock();
  const told = [];
  const watch = createPatience({ clock, tell: (level) => told.push([level, clock.now()]) });
  watch("lost");
  await clock.pass(5000);
  watch("lost");
  await clock.pass(120_000);
  assert.deepEqual(told, [[1, 8000], [2, 45_000]]);
  assert.ok(LONGER_MS <= 8000 && CALL_MS <= 45_000);
});

test("a wait that ends in time is not told, and another one is counted from its own beginning", async () => {
  const clock = fakeClock();
  const told = [];
  const watch = createPatience({ clock, tell: (level) => told.push([level, clock.now()]) });
  watch("connecting");
  await clock.pass(7000);
  watch("queued");
  await clock.pass(7000);
  watch(null);
  await clock.pass(60_000);
  assert.deepEqual(told, []);
});

test("a request that finds nobody is made again until it does; an answer that is no is passed on", async () => {
  const clock = fakeClock();
  const signal = new AbortController().signal;
  let tries = 0;
  const request = async () => {
    tries += 1;
    if (tries < 4) throw new ApiError(tries === 1 ? "unreachable" : "internal", tries === 1 ? 0 : 502);
    return "there";
  };
  const waiting = persistently(request, clock, signal);
  await clock.pass(60_000);
  assert.equal(await waiting, "there");
  await assert.rejects(persistently(() => Promise.reject(new ApiError("link.not_valid", 404)), clock, signal), /link.not_valid/);
});

test("who has left is not asked for any more", async () => {
  const clock = fakeClock();
  const left = new AbortController();
  const waiting = persistently(() => Promise.reject(new ApiError("unreachable", 0)), clock, left.signal);
  const ended = assert.rejects(waiting, /left/);
  await clock.pass(1500);
  left.abort(new Error("left"));
  await ended;
});

const ready = { camera: { status: "present" }, microphone: { status: "present" }, browser: { missing: [] }, stream: null };
const begun = [{ type: "start" }, { type: "prompt", state: "answered" }, { type: "devices", result: ready }];
const session = (kind) => ({ type: "session", session: { session: "s", kind, practical: [] } });
const words = (lang, ...actions) => waitWords(actions.reduce(reduce, initial()), createTexts(lang, catalogue(lang), { phone: "22 00 00 00" }));
const lost = { type: "connection", state: "lost" };

for (const lang of LANGS) {
  test(`every wait has words of its own, and later words say more: ${lang}`, () => {
    const seen = new Set();
    for (const level of [0, 1, 2]) {
      const { title, text, later } = words(lang, session("participant"), ...begun, { type: "plan", plan: plan() }, lost, { type: "patience", level });
      assert.ok(title && text && !`${title}${text}${later}`.includes("waiting."), text);
      assert.equal(later !== "", level === 2, "how to go on later is said when it is time to call");
      seen.add(text);
    }
    assert.equal(seen.size, 3);
    const queue = (place, eta_s) => ({ type: "connection", state: "queued", queue: { place, eta_s } });
    const short = words(lang, ...begun, queue(2, 45));
    const long = words(lang, ...begun, queue(20, 300));
    assert.match(short.text, /2.*45/);
    assert.match(long.text, /20.* 5 /);
    assert.ok(!/[{}]/.test(short.text + long.text));
    assert.notEqual(short.action, words(lang, ...begun, lost).action, "a queue is left, a dead line is given up");
    const again = words(lang, ...begun, queue(1, 45), lost, queue(2, 45));
    assert.ok(again.text.length > short.text.length, "a new place is told as new");
  });
}

test("a person without a link is not told to open it again, and nothing is promised that nobody began", () => {
  const invited = words("en", session("participant"), ...begun, { type: "plan", plan: plan() }, lost, { type: "patience", level: 2 });
  const passing = words("en", session("drop_in"), ...begun, { type: "plan", plan: plan() }, lost, { type: "patience", level: 2 });
  assert.match(invited.later, /same link.*ten minutes/);
  assert.doesNotMatch(passing.later, /link/);
  assert.doesNotMatch(words("en", session("participant"), ...begun, { type: "patience", level: 2 }).later, /ten minutes/);
});

test("what was waited in vain before anybody knew counts", async () => {
  const clock = fakeClock();
  const told = [];
  createPatience({ clock, tell: (level) => told.push([level, clock.now()]) })("lost", 20_000);
  await clock.pass(60_000);
  assert.deepEqual(told, [[1, 0], [2, 25_000]]);
});

test("a blocked line is told with where to find the code, in every language", () => {
  for (const lang of LANGS) {
    const told = words(lang, ...begun, { type: "prompt", state: "answered" }, { type: "blocked", code: "K7MB2Q" });
    assert.equal(told.tone, "warn");
    assert.ok(told.later.length > 10 && told.text.length > 20);
  }
});
