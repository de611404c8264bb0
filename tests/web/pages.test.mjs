import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { catalogue, filesBelow, ROOT, WEB } from "./support.mjs";

const PAGES = ["selftest", "board", "support", "code", "plan"];
const html = (page) => readFileSync(join(WEB, page, "index.html"), "utf8");
const SOURCE = readFileSync(join(ROOT, "readiness/texts.py"), "utf8");
/** @param {string} name of a set of keys in texts.py */
const listed = (name) => new RegExp(`${name} = frozenset\\(\\s*\\{([^}]+)\\}`).exec(SOURCE)[1].match(/[a-z_.]+/g);
/** Beginnings of keys that the self-test does not load. */
const STAFF = listed("STAFF_AREAS");
const isForStaff = (key) => !listed("FOR_ALL").includes(key) && STAFF.some((area) => key.startsWith(`${area}.`));

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
    const listed = [...html(page).matchAll(/rel="modulepreload" href="\{\{ static \}\}\/([^"]+)"/g)].map(([, path]) => path);
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
  assert.ok(STAFF.includes("board") && STAFF.includes("plan"));
  const asked = new RegExp(`["\`](?:${STAFF.join("|")})\\.(?!over)[a-z$]`);
  assert.match('t.t("board.title")', asked);
  const scripts = filesBelow(join(WEB, "selftest"), ".js").concat(filesBelow(join(WEB, "shared"), ".js"));
  for (const path of [...scripts, join(WEB, "selftest/index.html")]) assert.doesNotMatch(readFileSync(path, "utf8"), asked, path);
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
