import assert from "node:assert/strict";
import { test } from "node:test";
import { createTexts } from "../../web/shared/i18n.js";
import { byNeed, facts, sentence, summary, TONES } from "../../web/board/js/rows.js";
import { catalogue, LANGS } from "./support.mjs";

const nb = createTexts("nb", catalogue("nb"));
const STATES = ["ready", "ready_with_warnings", "not_ready", "incomplete", "not_tested", "stale"];

test("every state has a word, a sentence and a tone in every language", () => {
  for (const lang of LANGS) {
    const texts = createTexts(lang, catalogue(lang));
    for (const state of STATES) {
      assert.ok(texts.has(`state.${state}`) && sentence(texts, { state }).length > 5, `${lang} ${state}`);
      assert.ok(TONES[state]);
    }
  }
});

test("the sentence names what is wrong, and who can mend it", () => {
  assert.equal(sentence(nb, { state: "not_ready", area: "network", responsible: "local_it" }), nb.t("leader.do.network.local_it"));
  assert.equal(sentence(nb, { state: "not_ready", area: "network", responsible: "participant" }), nb.t("leader.do.network"));
  assert.equal(sentence(nb, { state: "incomplete", area: "camera", responsible: "service" }), nb.t("leader.do.service"));
  assert.equal(sentence(nb, { state: "not_ready", area: "from_the_future" }), nb.t("leader.not_ready"));
});

test("an old answer is told as old, whatever it said", () => {
  assert.equal(sentence(nb, { state: "stale", area: "camera", responsible: "participant" }), nb.t("leader.stale"));
});

test("age, other device and taking part without sound are told; no figure is", () => {
  const now = Date.parse("2026-11-22T10:00:00Z");
  const told = facts(nb, { state: "ready", tested_at: "2026-11-22T08:00:00Z", other_device: true, without_sound: true, running: true }, now);
  for (const key of ["board.running", "board.without_sound", "board.other_device"]) assert.ok(told.includes(nb.t(key)));
  assert.ok(told.includes("for 2 timer siden"));
  assert.equal(facts(nb, { state: "not_tested" }, now), "");
});

test("a clock that is behind never gives an age in the future", () => {
  assert.ok(facts(nb, { state: "ready", tested_at: "2026-11-22T12:00:00Z" }, Date.parse("2026-11-22T10:00:00Z")).includes(nb.t("time.just_now")));
});

test("those who need somebody come first, and the count is of those who can meet", () => {
  const people = STATES.map((state, i) => ({ id: String(i), state }));
  assert.equal(byNeed(people)[0].state, "not_ready");
  assert.equal(byNeed(people).at(-1).state, "ready");
  assert.deepEqual(summary(people), { ready: 2, total: 6 });
});
