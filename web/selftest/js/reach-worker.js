/**
 * Asks one host of a video solution for a small file, and says whether anything answered. Served for one session, under a
 * policy of its own that names this host alone; the answer cannot be read, and is not.
 */
const TIMEOUT_MS = 5000;
/** How long after a failure the browser may report that a policy caused it, ms. */
const EVENT_MS = 100;

/** @param {MessageEvent<{ url: string }>} event */
self.onmessage = async ({ data: { url } }) => {
  const start = performance.now();
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), TIMEOUT_MS);
  /** What the policy stopped: our own page's, where a browser gives a worker no policy of its own, or a redirection. */
  let stopped = "";
  self.addEventListener("securitypolicyviolation", ({ originalPolicy }) => (stopped = originalPolicy));
  const got = await fetch(url, {
    mode: "no-cors", credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer", signal: controller.signal,
  }).then(() => true, () => false);
  clearTimeout(timer);
  if (!got) await new Promise((resolve) => setTimeout(resolve, EVENT_MS));
  const redirected = stopped.includes(new URL(url).host);
  const state = got || redirected ? "reached" : stopped ? "unable" : "silent";
  self.postMessage({ state, ms: Math.round(performance.now() - start) });
};
