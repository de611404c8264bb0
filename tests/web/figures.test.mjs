import assert from "node:assert/strict";
import { test } from "node:test";
import { figureWords, rounded } from "../../web/selftest/js/figures.js";
import { createTexts } from "../../web/shared/i18n.js";
import { catalogue, figures, LANGS, told } from "./support.mjs";

for (const lang of LANGS) {
  test(`every check's figure is told in the server's words: ${lang}`, () => {
    const texts = createTexts(lang, catalogue(lang));
    for (const { check, words } of told.cases) {
      const { value, limits } = figureWords(texts, figures, check);
      assert.deepEqual([value, limits], words[lang], JSON.stringify(check));
    }
  });
}

test("the file tells of every check that has a figure", () => {
  assert.deepEqual(new Set(told.cases.map(({ check }) => check.id).filter((id) => id in figures)), new Set(Object.keys(figures)));
  assert.ok(Object.keys(figures).length > 25 && told.cases.length > 300);
});

test("nothing is told as minus nothing", () => {
  assert.ok(Object.is(rounded({ worse: ">", decimals: 1 }, -0.04), 0));
  assert.ok(Object.is(rounded({ worse: "<", decimals: 2 }, -0), 0));
});
