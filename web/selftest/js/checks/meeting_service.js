/**
 * Whether this browser reaches the meeting's own page. Only if the person agreed, because the other side then sees that
 * somebody came by. Tells what happened, and leaves out what it cannot know.
 * @typedef {{ state: "reached" | "silent" | "unable", ms: number }} Answer
 * @typedef {{ host: string, url: string }} Service
 * @typedef {{ reached: boolean, own: boolean, tries: number, ms?: number }} Found
 */
import { ownScript } from "../uplink.js";

/** Longest wait for our own page, ms. */
const OWN_MS = 4000;
/** Longest wait for any word of a worker, ms. */
const WORKER_MS = 7000;

/**
 * Once, and where nobody answers once more, with a look at our own page in between: a line that is down blames nobody.
 * @param {{ ask: () => Promise<Answer>, own: () => Promise<boolean> }} options
 * @returns {Promise<Found | null>} null if this browser cannot ask
 */
export async function run({ ask, own }) {
  const first = await ask();
  if (first.state === "unable") return null;
  if (first.state === "reached") return { reached: true, own: true, tries: 1, ms: first.ms };
  const answered = await own();
  const second = await ask();
  if (second.state === "reached") return { reached: true, own: answered, tries: 2, ms: second.ms };
  return second.state === "unable" ? null : { reached: false, own: answered, tries: 2 };
}

/** The way in which a browser asks: by a worker of this session. @param {string} session @param {Service} service @returns {Parameters<typeof run>[0]} */
export function browserAsks(session, { url }) {
  return {
    ask: () => askWorker(`/t/${encodeURIComponent(session)}/reach.js`, url),
    own: () => fetch("/robots.txt", { cache: "no-store", signal: AbortSignal.timeout?.(OWN_MS) }).then(({ ok }) => ok, () => false),
  };
}

/** @param {string} script @param {string} url @returns {Promise<Answer>} */
function askWorker(script, url) {
  return new Promise((resolve) => {
    const worker = new Worker(ownScript(script));
    const end = (/** @type {Answer} */ answer) => {
      clearTimeout(timer);
      worker.terminate();
      resolve(answer);
    };
    const timer = setTimeout(() => end({ state: "unable", ms: 0 }), WORKER_MS);
    worker.onmessage = ({ data }) => end(data);
    worker.onerror = () => end({ state: "unable", ms: 0 });
    worker.postMessage({ url });
  });
}
