/**
 * What happens around a test: tracks that end, a page that is hidden, a network that changes. Reports codes only.
 */

/** @typedef {(code: string) => void} Report */

/** @param {MediaStreamTrack} track @param {Report} report @param {AbortSignal} signal */
function watchTrack(track, report, signal) {
  const name = track.kind === "video" ? "camera" : "microphone";
  track.addEventListener("ended", () => report(`${name}_ended`), { signal });
  track.addEventListener("mute", () => report(`${name}_muted`), { signal });
}

/**
 * @param {{ stream: MediaStream | null, context: AudioContext | null, report: Report, onHidden: (hidden: boolean) => void,
 *   signal: AbortSignal }} options
 */
export function watch({ stream, context, report, onHidden, signal }) {
  for (const track of stream?.getTracks() ?? []) watchTrack(track, report, signal);
  const visible = () => {
    onHidden(document.hidden);
    report(document.hidden ? "tab_hidden" : "tab_visible");
  };
  document.addEventListener("visibilitychange", visible, { signal });
  window.addEventListener("online", () => report("online"), { signal });
  window.addEventListener("offline", () => report("offline"), { signal });
  navigator.mediaDevices?.addEventListener?.("devicechange", () => report("device_changed"), { signal });
  const { connection } = /** @type {any} */ (navigator);
  connection?.addEventListener?.("change", () => report("network_changed"), { signal });
  context?.addEventListener("statechange", () => {
    if (/** @type {string} */ (context.state) === "interrupted") report("interrupted");
  }, { signal });
  context?.addEventListener("sinkchange", () => report("audio_route_changed"), { signal });
}

/** Keep the screen on while the test runs, where the browser can. @param {AbortSignal} signal */
export function keepAwake(signal) {
  const { wakeLock } = /** @type {any} */ (navigator);
  if (!wakeLock) return;
  /** @type {any} */
  let lock = null;
  const take = async () => {
    if (!document.hidden && !signal.aborted) lock = await wakeLock.request("screen").catch(() => null);
  };
  take();
  document.addEventListener("visibilitychange", take, { signal });
  signal.addEventListener("abort", () => lock?.release?.().catch(() => undefined), { once: true });
}
