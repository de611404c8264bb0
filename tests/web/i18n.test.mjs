import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createTexts, fill, langOf, phoneIn } from "../../web/shared/i18n.js";
import { adviceWords, remedyKeys, statusAdvice } from "../../web/selftest/js/advice.js";
import { catalogue, filesBelow, LANGS, phones, protocol, readJson, ROOT, WEB } from "./support.mjs";

const catalogues = Object.fromEntries(LANGS.map((lang) => [lang, catalogue(lang)]));
const keys = Object.keys(catalogues.nb);
const placeholders = (text) => [...text.matchAll(/\{([a-z_]+)\}/g)].map(([, name]) => name).sort();
/** Advice that stands in a report besides the rules of the profiles. */
const GENERAL = ["camera.not_measured", "microphone.not_measured", "microphone.no_pause", "microphone.sound_blocked", "microphone.sound_refused", "microphone.sound_stopped", "camera.picture_hidden", "network.socket_blocked", "speaker.not_measured", "network.not_measured", "server.busy", "service.fault", "speaker.no_sound"];

/** The profiles of meetings and of rooms, or those whose path fits: a room has no live hints. */
function profiles(fits = /./) {
  return filesBelow(join(ROOT, "reports/profiles"), ".toml").filter((path) => fits.test(path)).map((path) => readFileSync(path, "utf8"));
}

test("all catalogues have the same keys besides plural forms, in order, and every text says something", () => {
  assert.deepEqual(keys, [...keys].sort());
  const said = (names) => [...new Set(names.map((key) => key.split("#")[0]))].sort();
  for (const lang of LANGS) {
    assert.deepEqual(said(Object.keys(catalogues[lang])), said(keys), lang);
    for (const [key, text] of Object.entries(catalogues[lang])) assert.ok(text.trim().length > 0 && text === text.trim(), `${lang} ${key}`);
  }
});

test("a text has the same placeholders in every language", () => {
  for (const key of keys.filter((name) => !name.includes("#"))) for (const lang of LANGS) assert.deepEqual(placeholders(catalogues[lang][key]), placeholders(catalogues.nb[key]), `${lang} ${key}`);
});

test("every advice code of every profile has a title and a remedy", () => {
  const codes = new Set([...GENERAL, ...profiles().flatMap((text) => [...text.matchAll(/advice = "([^"]+)"/g)].map(([, code]) => code))]);
  assert.ok(codes.size > 50);
  for (const code of codes) for (const end of ["title", "do"]) assert.ok(keys.includes(`advice.${code}.${end}`), `advice.${code}.${end}`);
});

test("every live hint of the camera has its short words", () => {
  const codes = profiles(/\/profiles\/\w+\.toml$/).flatMap((text) => [...text.matchAll(/\[checks\."camera\.(?:light|frozen|people|backlight|framing)"\][^[]*(?:\[[^\]]*\][^[]*?)*?(?=\n\[checks|$)/g)].flatMap(([block]) => [...block.matchAll(/advice = "([^"]+)"/g)].map(([, code]) => code)));
  assert.ok(codes.includes("camera.backlit") && codes.includes("camera.frozen"));
  for (const code of codes) assert.ok(keys.includes(`hint.${code}`), `hint.${code}`);
});

test("every check of every profile, every outcome, verdict and event has a name", () => {
  const checks = profiles().flatMap((text) => [...text.matchAll(/^\[checks\."([^"]+)"\]/gm)].map(([, id]) => `check.${id}`));
  const outcomes = ["pass", "warn", "fail", "skipped", "not_measured"].map((name) => `outcome.${name}`);
  const verdicts = ["ready", "ready_with_warnings", "not_ready", "incomplete"].flatMap((name) => ["title", "text", "short"].map((end) => `verdict.${name}.${end}`));
  const events = protocol.$defs["event.data"].properties.code.enum.map((code) => `event.${code}`);
  for (const key of [...checks, ...outcomes, ...verdicts, ...events]) assert.ok(keys.includes(key), key);
});

test("every text that pages and scripts name is there", () => {
  for (const path of [...filesBelow(WEB, ".html"), ...filesBelow(WEB, ".js")]) {
    const source = readFileSync(path, "utf8");
    const named = [...source.matchAll(/data-t(?:-label)?="([^"{}]+)"|\bt\[["']([^"'~]+)["']\]|(?:texts|t)\.t\("([^"]+)"/g)];
    for (const [, a, b, c] of named) assert.ok(keys.includes(a ?? b ?? c), `${path}: ${a ?? b ?? c}`);
  }
});

/** Läsbarhetsindex: words a sentence, plus the share of words of more than six letters. */
function lix(texts) {
  const words = texts.join(" ").match(/\p{L}+/gu) ?? [];
  const sentences = texts.reduce((sum, text) => sum + Math.max(1, (text.match(/[.!?…](?:\s|$)/g) ?? []).length), 0);
  return words.length / sentences + (100 * words.filter((word) => word.length > 6).length) / words.length;
}

test("what people read is easy: LIX at most 35, and at most two sentences a message", () => {
  const read = keys.filter((key) => !/^(?:check|unit|value|limit|role|state|phase|time)\b/.test(key));
  for (const lang of LANGS) {
    const texts = read.map((key) => catalogues[lang][key]);
    assert.ok(lix(texts) <= 35, `${lang}: ${lix(texts)}`);
    for (const key of read) {
      const sentences = catalogues[lang][key].match(/[.!?](?:\s|$)/g) ?? [];
      assert.ok(sentences.length <= 2, `${lang} ${key}: ${sentences.length} sentences`);
    }
    for (const key of read.filter((name) => name.startsWith("advice.") || (name.startsWith("error.") && !/^error\.(?:import\.column|person\.role)$/.test(name)))) { // these list words of a file
      const [text] = [catalogues[lang][key]];
      if (text.split(" ").length >= 8) assert.ok(lix([text]) <= 50, `${lang} ${key}: ${lix([text])}`);
    }
  }
});

test("no text mentions illness or names a medical field", () => {
  const namesRoles = /^(?:role\.|error\.person\.role$|plan\.columns_)/;
  const banned = /pasient(?!$)|diagnos|sykdom|sjukdom|syk\b|sjuk\b|illness|disease|behandling|treatment|lege\b|doctor/i;
  for (const lang of LANGS) for (const [key, text] of Object.entries(catalogues[lang])) assert.ok(namesRoles.test(key) || !banned.test(text), `${lang} ${key}`);
});

test("a placeholder that nobody fills stays visible, and user text is never taken for one", () => {
  assert.equal(fill("Ring {phone}", {}), "Ring {phone}");
  assert.equal(fill("{a} og {b}", { a: "{b}", b: 2 }), "{b} og 2");
  assert.equal(createTexts("nb", {}).t("no.such.key"), "no.such.key");
});

test("a page's language tag finds its catalogue", () => {
  for (const [tag, lang] of [["nb-NO", "nb"], ["nn", "nn"], ["no", "nb"], ["en-GB", "en"], ["de", "nb"], ["", "nb"], [null, "nb"]]) assert.equal(langOf(tag), lang);
});

test("the table's plural rules, which the server goes by, are CLDR's, which browsers go by", () => {
  for (const lang of LANGS) {
    const { tag, plural } = readJson("locales/languages.json")[lang];
    const rules = new Intl.PluralRules(tag);
    assert.deepEqual([...plural.categories].sort(), [...rules.resolvedOptions().pluralCategories].sort(), lang);
    const which = new Function("n", `return Number(${plural.which})`); // C and JavaScript write these alike
    for (const n of [...Array(1000).keys(), 1000, 10 ** 6]) assert.equal(plural.categories[which(n)], rules.select(n), `${lang} ${n}`);
  }
});

test("a count has the form of its category, else that for others, else the only one", () => {
  const { plural } = createTexts("en", { "a#one": "{count} cow", "a#other": "{count} cows", "b#other": "{count} sheep", c: "fish: {count} {of}" });
  assert.deepEqual([plural("a", 1), plural("a", 0), plural("a", 2), plural("b", 1), plural("c", 1, { of: "x" })], ["1 cow", "0 cows", "2 cows", "1 sheep", "fish: 1 x"]);
});

test("ages are told in whole units", () => {
  const { ago } = createTexts("en", catalogues.en);
  assert.equal(ago(10), "just now");
  assert.equal(ago(61), "1 minute ago");
  assert.equal(ago(7300), "2 hours ago");
  assert.equal(ago(200_000), "2 days ago");
});

test("days and ages are in the catalogue's own language, in the meeting's own zone", () => {
  const when = "2026-11-23T23:30:00Z";
  assert.equal(createTexts("nn", catalogues.nn).at(when, "Europe/Oslo"), "tysdag 24. november kl. 00.30");
  assert.equal(createTexts("nb", catalogues.nb).at(when, "UTC"), "mandag 23. november kl. 23.30");
  assert.equal(createTexts("en", catalogues.en).at(when, "Europe/Oslo"), "Tuesday 24 November, 00:30");
  assert.equal(createTexts("nn", catalogues.nn).ago(7300), "for 2 timar sidan");
});

test("the remedy of this very system and browser comes first", () => {
  const texts = createTexts("nb", { "advice.x.title": "T", "advice.x.do": "any", "advice.x.do.ios": "ios", "advice.x.do.ios_safari": "ios safari", "advice.x.do.firefox": "firefox" });
  assert.equal(adviceWords(texts, "x", { os: "ios", browser: "safari" }).remedy, "ios safari");
  assert.equal(adviceWords(texts, "x", { os: "ios", browser: "chrome" }).remedy, "ios");
  assert.equal(adviceWords(texts, "x", { os: "linux", browser: "firefox" }).remedy, "firefox");
  assert.equal(adviceWords(texts, "x", { os: "linux", browser: "chrome" }).remedy, "any");
  assert.equal(remedyKeys("x", { os: "a", browser: "b" }).length, 4);
});

test("an advice code from a newer server is told as our fault, never as a bare code", () => {
  const texts = createTexts("nb", catalogues.nb);
  assert.equal(adviceWords(texts, "camera.from_the_future", { os: "ios", browser: "safari" }).title, catalogues.nb["advice.service.fault.title"]);
});

test("each way a device can fail has its own advice", () => {
  const codes = new Set();
  for (const device of ["camera", "microphone"]) {
    for (const status of protocol.$defs.status.enum) {
      const code = statusAdvice(device, status);
      if (status === "present") assert.equal(code, null);
      else assert.ok(keys.includes(`advice.${code}.title`), code);
      codes.add(code);
    }
  }
  assert.equal(codes.size, 1 + 2 * 10 + 1 + 2);
});

test("a phone number is grouped as at home and never broken", () => {
  for (const [lang, number, shown] of phones) assert.equal(phoneIn(lang, number), shown.replaceAll(" ", "\u00a0"), `${lang} ${number}`);
});
