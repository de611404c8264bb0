import assert from "node:assert/strict";
import { test } from "node:test";
import { channelOf, dayOf, invited, isBlank, minutesOf, nextWorkday, notInvited, tally } from "../../web/plan/js/plan.js";
import { createTexts } from "../../web/shared/i18n.js";
import { catalogue } from "./support.mjs";

const nb = createTexts("nb", catalogue("nb"));
const OSLO = "Europe/Oslo";

test("a day is the organisation's own, over both clock changes", () => {
  assert.equal(dayOf("2026-03-28T23:30:00Z", OSLO), "2026-03-29");
  assert.equal(dayOf("2026-03-29T22:30:00Z", OSLO), "2026-03-30");
  assert.equal(dayOf("2026-10-25T22:59:00Z", OSLO), "2026-10-25");
  assert.equal(dayOf("2026-10-25T23:00:00Z", OSLO), "2026-10-26");
});

test("a new meeting is on the next working day", () => {
  for (const [now, next] of [["2026-11-25T10:00:00Z", "2026-11-26"], ["2026-11-27T10:00:00Z", "2026-11-30"], ["2026-11-28T10:00:00Z", "2026-11-30"], ["2026-11-29T23:30:00Z", "2026-12-01"]]) {
    assert.equal(nextWorkday(Date.parse(now), OSLO), next, now);
  }
});

test("somebody is invited by mail where there is an address, and else by SMS", () => {
  assert.equal(channelOf({ mail: "a@b.example", phone: "1" }), "mail");
  assert.equal(channelOf({ mail: "", phone: "2" }), "sms");
  assert.equal(channelOf({ mail: "", phone: "" }), null);
  assert.ok(isBlank({ label: "", mail: "", phone: "" }) && !isBlank({ label: "Lars", mail: "", phone: "" }));
});

test("a list tells how many are ready, and is red only where somebody is not", () => {
  assert.deepEqual(tally({ ready: 2, ready_with_warnings: 1 }), { ready: 3, total: 3, tone: "warn" });
  assert.deepEqual(tally({ ready: 2 }), { ready: 2, total: 2, tone: "good" });
  assert.deepEqual(tally({ ready: 1, not_tested: 1, stale: 1 }), { ready: 1, total: 3, tone: "calm" });
  assert.deepEqual(tally({ ready: 1, not_ready: 1 }), { ready: 1, total: 2, tone: "bad" });
  assert.deepEqual(tally({}), { ready: 0, total: 0, tone: "calm" });
});

test("what became of an invitation is said in words, with why it did not arrive", () => {
  assert.equal(invited(nb, null, OSLO), nb.t("plan.not_invited"));
  const sent = { channel: "mail", state: "sent", sent_at: "2026-12-01T08:00:00Z", error: null };
  assert.ok(invited(nb, sent, OSLO).includes("09.00"));
  for (const state of ["waiting", "sending", "failed", "dropped", "open"]) {
    const said = invited(nb, { ...sent, state, sent_at: null, error: state === "failed" ? "unheard_of" : null }, OSLO);
    assert.ok(said.length > 10 && !said.includes("plan.") && !said.includes("delivery."), said);
  }
});

test("the length of a meeting is counted in minutes", () => {
  assert.equal(minutesOf({ starts_at: "2026-10-25T00:30:00Z", ends_at: "2026-10-25T02:00:00Z" }), 90);
});

test("who could not be invited that way is told why", () => {
  for (const language of ["nb", "nn", "en"]) {
    const words = catalogue(language);
    for (const state of ["no_mail", "no_phone", "no_mobile"]) assert.ok(words[notInvited({ state })], `${language} ${state}`);
  }
  assert.equal(notInvited({ state: "waiting" }), "");
  assert.equal(notInvited(undefined), "");
});
