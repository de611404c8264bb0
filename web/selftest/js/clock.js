/**
 * Time for the checks. Budgets count machine time, so the clock of a test stands still while the page is hidden,
 * and waiting for a person is bounded by the person only.
 * @typedef {import("../../shared/types").Clock} Clock
 */

/** How often a paused clock checks itself, ms. */
const TICK_MS = 100;

/** Thrown if a step exceeds its machine time. */
export class StepTimeout extends Error {
  /** @param {string} what */
  constructor(what) {
    super(`${what} took too long`);
    this.name = "StepTimeout";
  }
}

/** @returns {Clock} the browser's monotonic clock */
export function systemClock() {
  return {
    now: () => performance.now(),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const stop = () => {
          clearTimeout(timer);
          reject(signal?.reason);
        };
        const timer = setTimeout(() => {
          signal?.removeEventListener("abort", stop);
          resolve();
        }, ms);
        signal?.addEventListener("abort", stop, { once: true });
        return undefined;
      }),
  };
}

/**
 * A clock that can stand still.
 * @param {Clock} base @returns {Clock & { pause(): void, resume(): void, readonly paused: boolean }}
 */
export function pausableClock(base) {
  let lost = 0;
  /** @type {number | null} */
  let since = null;
  const now = () => (since ?? base.now()) - lost;
  return {
    now,
    get paused() {
      return since !== null;
    },
    pause() {
      since ??= base.now();
    },
    resume() {
      if (since !== null) lost += base.now() - since;
      since = null;
    },
    async sleep(ms, signal) {
      const end = now() + ms;
      for (let left = ms; left > 0; left = end - now()) await base.sleep(Math.min(left, TICK_MS), signal);
    },
  };
}

/**
 * A controller that is aborted when any of the signals is.
 * @param {AbortSignal[]} signals @returns {AbortController}
 */
export function linked(...signals) {
  const controller = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    else signal.addEventListener("abort", () => controller.abort(signal.reason), { once: true, signal: controller.signal });
  }
  return controller;
}

/**
 * Run a piece of work under a watchdog; the work's own signal is aborted when time is up.
 * @template T
 * @param {{ clock: Clock, limit_ms: number, what: string, signal: AbortSignal }} options
 * @param {(signal: AbortSignal) => Promise<T>} work
 * @returns {Promise<T>} rejects with StepTimeout
 */
export async function withWatchdog({ clock, limit_ms, what, signal }, work) {
  const inner = linked(signal);
  const watch = clock.sleep(limit_ms, inner.signal).then(() => {
    throw new StepTimeout(what);
  });
  watch.catch(() => undefined);
  try {
    return await Promise.race([work(inner.signal), watch]);
  } finally {
    inner.abort(new DOMException("step is over", "AbortError"));
  }
}

/**
 * The result of `work`, or undefined if it exceeds the limit. The caller has to dispose of a late result.
 * @template T @param {{ clock: Clock, limit_ms: number }} options @param {Promise<T>} work
 * @returns {Promise<T | undefined>} rejects as `work` does
 */
export async function within({ clock, limit_ms }, work) {
  const over = new AbortController();
  const late = clock.sleep(limit_ms, over.signal).then(() => undefined);
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort(new DOMException("no longer waited for", "AbortError"));
  }
}

/** Thrown if a step is impossible here; `code` is the report's cause. */
export class StepFault extends Error {
  /** @param {string} code @param {unknown} [error] the browser's error */
  constructor(code, error) {
    super(code);
    this.name = "StepFault";
    this.code = code;
    this.where = String(/** @type {Error} */ (error)?.name ?? code);
  }
}
