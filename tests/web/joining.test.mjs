import assert from "node:assert/strict";
import { test } from "node:test";
import { renderJoin } from "../../web/selftest/js/joining.js";

/** A document of which only the parts that are asked for exist. */
function page() {
  const parts = {};
  const part = () => ({ hidden: true, textContent: "", href: "", removeAttribute() { this.href = ""; } });
  globalThis.document = { querySelector: (place) => (parts[place] ??= part()), documentElement: { toggleAttribute: () => {} } };
  return parts;
}

const texts = { t: (key) => key, plural: (key) => key, at: () => "" };
const meeting = { starts_at: "2026-12-01T09:00:00Z", time_zone: "Europe/Oslo" };
const session = (more) => ({ meeting, join: { opens_at: "2026-12-01T08:45:00Z", open: true, begun: false, link: "https://meet.example/1", here: true, from: "", ...more } });
const shown = (found, step = "welcome") => {
  const parts = page();
  renderJoin(found, { form: "phone" }, texts, step);
  const seen = (place) => parts[place]?.hidden === false;
  return { way: seen("#join"), begun: seen("#join-begun"), go: seen("#join-go"), href: parts["#join-go"]?.href ?? "" };
};

test("who comes late is told that the meeting has begun, above the button", () => {
  assert.deepEqual(shown(session({ begun: true })), { way: true, begun: true, go: true, href: "https://meet.example/1" });
  assert.deepEqual(shown(session({})), { way: true, begun: false, go: true, href: "https://meet.example/1" });
  assert.deepEqual(shown(session({ begun: true, link: null, here: false })), { way: true, begun: true, go: false, href: "" });
});

test("nothing is said while a test measures or before the way in opens", () => {
  assert.equal(shown(session({ begun: true }), "network").way, false);
  assert.equal(shown(session({ open: false, link: null })).way, false);
});
