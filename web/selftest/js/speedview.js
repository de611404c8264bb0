/**
 * The measurement of full speed in the answer: its button, and the result in plain words.
 * Loaded with speedtest.js, when the button is pressed first.
 */
import { codeOf, meta } from "../../shared/api.js";
import { find } from "../../shared/dom.js";
import { systemClock } from "./clock.js";
import { run } from "./speedtest.js";

/** A meeting's need each way, Mbit/s, with sound, and the factor over it that is asked for; the same as in the profiles. */
const NEEDS = /** @type {const} */ ([["1080p", 3.8], ["group", 2.6], ["720p", 1.5], ["360p", 0.65], ["audio", 0.1]]);
const FACTOR = 1.25;
const MB = 1e6;

/** @type {AbortController | null} */
let running = null;

/** @param {number} mbps the slower way @returns {string} the name of what it is good for */
export function goodFor(mbps) {
  return NEEDS.find(([, need]) => mbps >= need * FACTOR)?.[0] ?? "nothing";
}

/** @param {import("../../shared/i18n.js").Texts} texts @param {{ down_mbps: number | null, up_mbps: number | null }} found */
function words(texts, { down_mbps, up_mbps }) {
  if (down_mbps === null || up_mbps === null) return texts.t("cause.no_value");
  const number = (/** @type {number} */ value) => texts.number(value, value < 10 ? 1 : 0);
  const speed = texts.t("speed.found", { down: number(down_mbps), up: number(up_mbps) });
  return `${speed} ${texts.t(`speed.for_${goodFor(Math.min(down_mbps, up_mbps))}`)}`;
}

/** Start or stop a measurement. @param {HTMLElement} button @param {string} session @param {() => import("../../shared/i18n.js").Texts} texts */
export async function press(button, session, texts) {
  if (running) return running.abort(new DOMException("stopped by the person", "AbortError"));
  const said = find("#speed-said");
  const controller = running = new AbortController();
  const label = (/** @type {string} */ key) => {
    button.dataset.t = key;
    button.textContent = texts().t(key);
  };
  label("speed.stop");
  said.textContent = texts().t("speed.down");
  try {
    const found = await run({
      fetch: window.fetch.bind(window), clock: systemClock(), session, most_bytes: Number(meta("readiness-speed-mb")) * MB,
      signal: controller.signal, onPhase: (phase) => { said.textContent = texts().t(`speed.${phase}`); },
    });
    said.textContent = words(texts(), found);
    document.dispatchEvent(new CustomEvent("readiness:speed", { detail: found, bubbles: true }));
  } catch (error) {
    said.textContent = controller.signal.aborted ? texts().t("speed.stopped") : texts().first([`error.${codeOf(error)}`, "error.internal"]);
  } finally {
    running = null;
    label("speed.start");
  }
  return undefined;
}

/** Stop the measurement because the person goes on to something else. */
export function stop() {
  running?.abort(new DOMException("a new test begins", "AbortError"));
}
