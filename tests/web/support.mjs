/** Helpers for the tests of the pages' pure modules. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { webcrypto } from "node:crypto";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { LANGUAGES } from "../../web/shared/i18n.js";

globalThis.crypto ??= webcrypto; // every browser has it; Node from version 20 on

export const WEB = fileURLToPath(new URL("../../web/", import.meta.url));
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export const readJson = (path) => JSON.parse(readFileSync(join(WEB, path), "utf8"));
Object.assign(LANGUAGES, readJson("locales/languages.json")); // as the server does when it serves the script
export const LANGS = Object.keys(LANGUAGES);
/** All texts of a language in the order of their keys, those for staff from what it falls back to where it has none. */
export function catalogue(lang) {
  const own = (part) => existsSync(join(WEB, `locales/${lang}/${part}.json`));
  const from = (part) => (own(part) ? lang : LANGUAGES[lang].fallback);
  const parts = ["participant", "messages", "staff"].map((part) => readJson(`locales/${from(part)}/${part}.json`));
  return Object.fromEntries(Object.entries(Object.assign({}, ...parts)).sort(([a], [b]) => (a < b ? -1 : 1)));
}
export const protocol = readJson("shared/protocol.json");
/** Every check's figure near its limits, in the words of each language; pytest reads the same file. */
export const told = JSON.parse(readFileSync(join(ROOT, "tests/data/figures.json"), "utf8"));
/** Phone numbers as each language writes them; pytest reads the same file. */
export const phones = JSON.parse(readFileSync(join(ROOT, "tests/data/phones.json"), "utf8"));
/** The table that the server puts into `figures.js`: pytest holds the two together. */
export const { figures } = told;

/** Every file below `folder` whose name ends so. */
export function filesBelow(folder, ending) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** A clock that moves only when somebody sleeps on it. */
export function fakeClock() {
  let now = 0;
  let waiting = [];
  const clock = {
    now: () => now,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const stop = () => {
          waiting = waiting.filter((other) => other !== one);
          reject(signal?.reason);
        };
        const wake = () => {
          signal?.removeEventListener("abort", stop);
          resolve();
        };
        const one = { at: now + Math.max(0, ms), wake };
        waiting.push(one);
        signal?.addEventListener("abort", stop, { once: true });
        return undefined;
      });
    },
    /** Let `ms` pass; everything that wakes up gets its turn in order. */
    async pass(ms) {
      const end = now + ms;
      for (;;) {
        await settle();
        const next = waiting.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        waiting = waiting.filter((one) => one !== next);
        now = Math.max(now, next.at);
        next.wake();
      }
      now = end;
      await settle();
    },
  };
  return clock;
}

/** Let every promise that can go on go on. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A plan as the server sends it. */
export function plan(change = {}) {
  const names = ["devices", "picture", "sound", "connect", "clock", "downlink", "uplink", "tcp_down", "tcp_up", "speaker", "practical"];
  return {
    type: "plan", test: "t1", profile: "consultation", mode: "full", phases: names.map((name) => ({ name, budget_s: 5, budget_bytes: 2_000_000 })),
    done: [], ice_servers: [], ask: { practical: ["private_room"], expected_people: 1 }, digits: [[3, 7, 1], [2, 9, 4]],
    choices: [[[3, 7, 1], [1, 2, 3], [4, 5, 6], [7, 8, 9]], [[2, 9, 4], [1, 2, 3], [4, 5, 6], [7, 8, 0]]], voices: "/static/v/selftest/audio",
    probe: { need_mbps: 1.5, rate_mbps: 1.875, up_tracks: 2 }, data_mb: 10, ...change,
  };
}

/** A report as the server sends it. */
export function report(change = {}) {
  return { schema: "readiness.report/1", id: "r1", code: "K7MB2Q", verdict: "ready", started_at: "2026-11-21T08:00:00Z", checks: [], advice: [], ...change };
}
