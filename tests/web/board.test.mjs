import assert from "node:assert/strict";
import { test } from "node:test";
import { createTexts } from "../../web/shared/i18n.js";
import { actions, arrange, byNeed, countdown, facts, sentence, summary } from "../../web/board/js/rows.js";
import { TONES } from "../../web/shared/icons.js";
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

const NOW = Date.parse("2026-12-01T08:48:00Z");
const meeting = (id, starts, change = {}) => ({
  meeting: { id, title: id, state: "planned", time_zone: "Europe/Oslo", starts_at: `2026-12-01T${starts}:00Z`, ends_at: `2026-12-01T${starts.slice(0, 3)}50:00Z`, ...change }, participants: [],
});

test("one tap does what helps this one: call, send again, hand over; who is ready or testing needs no more than a call", () => {
  const one = { state: "not_tested", can_resend: "sms", phones: ["+47 900 00 000"] };
  assert.deepEqual(actions(one, "planned"), ["call", "resend", "handover"]);
  assert.deepEqual(actions({ ...one, phones: undefined, can_resend: null }, "planned"), ["handover"]);
  assert.deepEqual(actions({ ...one, handed_over_at: "2026-12-01T08:00:00Z" }, "planned"), ["call", "resend"]);
  for (const change of [{ state: "ready" }, { state: "ready_with_warnings" }, { running: true }]) assert.deepEqual(actions({ ...one, ...change }, "planned"), ["call"]);
  assert.deepEqual(actions(one, "cancelled"), ["call"]);
});

test("minutes are counted in the last hour, and a meeting that is over or cancelled says so", () => {
  const told = (starts, change) => countdown(nb, meeting("m", starts, change).meeting, NOW);
  assert.equal(told("08:50"), nb.plural("board.in_minutes", 2));
  assert.equal(told("08:49"), nb.plural("board.in_minutes", 1));
  assert.equal(told("08:48"), nb.t("board.now"));
  assert.equal(told("09:49"), "");
  assert.equal(told("07:00"), nb.t("board.over"));
  assert.equal(told("09:00", { state: "cancelled" }), nb.t("board.cancelled"));
});

test("the meeting to read now comes first: the link's own, the one that starts sooner within the hour, or the chosen one", () => {
  const own = meeting("own", "12:00");
  const soon = meeting("soon", "09:00");
  const later = meeting("later", "11:00");
  const over = meeting("over", "06:00");
  assert.equal(arrange(own, [later, over], NOW).shown, own);
  assert.equal(arrange(own, [later, soon], NOW).shown, soon);
  assert.equal(arrange(own, [later, soon], NOW, "own").shown, own);
  assert.equal(arrange(over, [later], NOW).shown, later, "after its end the next one");
  assert.equal(arrange(over, [], NOW).shown, over);
  assert.equal(arrange(own, [meeting("gone", "09:00", { state: "cancelled" })], NOW).shown, own);
  assert.deepEqual(arrange(own, [later, over], NOW).others.map((one) => one.meeting.id), ["over", "later"]);
});

test("how the invitation goes is told until there is a test; who sits together and who was handed over too", () => {
  const invitation = { channel: "mail", state: "sent", sent_at: "2026-12-01T06:48:00Z" };
  assert.ok(facts(nb, { state: "not_tested", invitation, together: 3 }, NOW).includes("for 2 timer siden"));
  assert.ok(facts(nb, { state: "not_tested", invitation, together: 3 }, NOW).includes(nb.t("board.together", { count: 3 })));
  assert.equal(facts(nb, { state: "not_tested", invitation: { ...invitation, state: "failed" } }, NOW), nb.t("board.invitation.failed"));
  assert.ok(!facts(nb, { state: "ready", tested_at: "2026-12-01T07:48:00Z", invitation }, NOW).includes(nb.t("board.invited", { when: "" }).slice(0, 6)));
  assert.ok(facts(nb, { state: "not_ready", handed_over_at: "2026-12-01T08:47:00Z" }, NOW).includes("for 1 minutt siden"));
  const given = { state: "not_ready", handed_over_at: "2026-12-01T08:47:00Z", taken: true };
  assert.equal(facts(nb, given, NOW), nb.t("board.taken"));
  assert.equal(facts(nb, { ...given, helped: true }, NOW), nb.t("board.helped"));
});
