import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, grouped, isWhole } from "../../web/code/js/typed.js";

test("a code is read as people type it: small letters, spaces, dashes, and what looks alike on paper", () => {
  for (const typed of ["k7mb2-q0a1v", " K7MB2 QOAIU ", "k7mb2\u2013qoalu", "K7MB2Q0A1V", "ｋ７ＭＢ２ｑ０ａ１ｖ"]) {
    assert.equal(clean(typed), "K7MB2Q0A1V");
    assert.ok(isWhole(typed));
    assert.equal(grouped(typed), "K7MB2-Q0A1V");
  }
});

test("what is too short, too long or empty is no code", () => {
  for (const typed of ["", "K7MB2", "K7MB2Q0A1V9", "æøåæøåæøåæ", "----------"]) assert.ok(!isWhole(typed), typed);
  assert.equal(grouped("k7m"), "K7M");
});
