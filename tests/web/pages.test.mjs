import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { catalogue, filesBelow, readJson, ROOT, WEB } from "./support.mjs";

const PAGES = ["selftest", "board", "support", "code", "plan", "rooms"];
const html = (page) => readFileSync(join(WEB, page, "index.html"), "utf8");
const SOURCE = readFileSync(join(ROOT, "readiness/texts.py"), "utf8");
/** Beginnings of participants' keys that the self-test does not load. */
const ELSEWHERE = /ON_OTHER_PAGES = \(([^)]+)\)/.exec(SOURCE)[1].match(/[a-z_.]+/g);
const LOADED = Object.keys(readJson("locales/nb/participant.json")).filter((key) => !ELSEWHERE.some((start) => key.startsWith(start)));
const MISSING = Object.keys(catalogue("nb")).filter((key) => !LOADED.includes(key));
const areaOf = (key) => key.split(".")[0];
/** Areas of which the self-test loads nothing. */
const STAFF = [...new Set(MISSING.map(areaOf))].filter((area) => !LOADED.map(areaOf).includes(area));

/** Every module that an entry reaches, as paths below web/. */
function graph(entry) {
  const seen = new Set();
  const visit = (path) => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const [, found] of readFileSync(path, "utf8").matchAll(/from "(\.[^"]+)"/g)) visit(join(dirname(path), found));
  };
  visit(join(WEB, entry));
  return [...seen].map((path) => relative(WEB, path));
}

test("a page preloads exactly the modules it needs", () => {
  for (const page of PAGES) {
    const listed = [...(/set modules = \[([^\]]+)\]/.exec(html(page))?.[1] ?? "").matchAll(/"([^"]+)"/g)].map(([, path]) => path);
    const needed = graph(`${page}/js/main.js`).filter((path) => path !== `${page}/js/main.js`);
    assert.deepEqual(listed, needed.sort());
  }
});

test("checks and pure modules never touch the DOM", () => {
  const pure = [...filesBelow(join(WEB, "selftest/js/checks"), ".js"), ...["session.js", "flow.js", "clock.js", "dsp.js", "wire.js", "socket.js", "platform.js", "inputs.js", "advice.js", "figures.js"].map((name) => join(WEB, "selftest/js", name)), join(WEB, "shared/validate.js"), join(WEB, "board/js/rows.js"), join(WEB, "plan/js/plan.js"), join(WEB, "code/js/typed.js")];
  for (const path of pure) assert.doesNotMatch(readFileSync(path, "utf8"), /\bdocument\.[a-z]|\bwindow\.[a-z]/, path);
});

test("nothing is ever parsed as markup or run as text, and nothing is stored in the browser", () => {
  const banned = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|localStorage|sessionStorage|indexedDB|document\.cookie/;
  for (const path of filesBelow(WEB, ".js")) assert.doesNotMatch(readFileSync(path, "utf8"), banned, path);
});

test("no script, style or address of others stands in a page", () => {
  for (const path of filesBelow(WEB, ".html")) {
    const source = readFileSync(path, "utf8");
    assert.doesNotMatch(source, /\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)/, path);
    assert.doesNotMatch(source, /(?:src|href)="(?:https?:)?\/\//, path);
  }
  for (const path of [...filesBelow(WEB, ".css"), ...filesBelow(WEB, ".js")]) assert.doesNotMatch(readFileSync(path, "utf8").replace("http://www.w3.org/2000/svg", ""), /https?:\/\/|@import|url\(/, path);
});

test("the self-test asks for no text that only staff's pages load", () => {
  for (const area of ["board", "plan", "code", "mail"]) assert.ok(STAFF.includes(area), area);
  assert.ok(MISSING.includes("error.auth.required") && !MISSING.includes("error.meeting.over"));
  const asked = new RegExp(`["\`](?:${STAFF.join("|")})\\.(?!over)[a-z$]`);
  assert.match('t.t("board.title")', asked);
  const scripts = filesBelow(join(WEB, "selftest"), ".js").concat(filesBelow(join(WEB, "shared"), ".js"));
  for (const path of [...scripts, join(WEB, "selftest/index.html")]) {
    const source = readFileSync(path, "utf8");
    assert.doesNotMatch(source, asked, path);
    const named = [...source.matchAll(/["`]([a-z_]+(?:\.[a-z_]+)+)["`]/g)].map(([, key]) => key);
    // renew.js fetches the whole catalogue when it is needed.
    if (!path.endsWith("renew.js")) assert.deepEqual(named.filter((key) => MISSING.includes(key)), [], path);
  }
});

test("a message of the server never becomes an action of the page as a whole", () => {
  for (const path of filesBelow(join(WEB, "selftest/js"), ".js")) assert.doesNotMatch(readFileSync(path, "utf8"), /dispatch\(\{[^}]*\.\.\.|onState\("[a-z]+", message\)/, path);
});

test("every step of the test has one section, and controls that say what they do", () => {
  const source = html("selftest");
  const steps = [...source.matchAll(/data-step="([a-z]+)"/g)].map(([, step]) => step);
  assert.deepEqual(steps, ["welcome", "devices", "picture", "sound", "speaker", "network", "practical", "answer", "waiting", "stopped"]);
  for (const action of ["start", "next", "retry", "heard-digits", "heard-nothing", "no-sound", "skip", "copy-link", "resume", "show-answer", "try-now", "leave"]) assert.ok(source.includes(`data-action="${action}"`), action);
});
