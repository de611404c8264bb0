/**
 * The person's presses, for checks to wait for.
 * @typedef {{ action: string, data: Record<string, string> }} Input
 */

export function createInputs() {
  /** @type {Set<{ actions: string[], resolve: (input: Input) => void }>} */
  const waiting = new Set();
  /** @type {Input[]} */
  let pressed = [];

  return {
    /** @param {string} action @param {Record<string, string>} [data] */
    press(action, data = {}) {
      const input = { action, data };
      const one = [...waiting].find(({ actions }) => actions.includes(action));
      if (!one) {
        pressed = [...pressed.slice(-4), input];
        return;
      }
      waiting.delete(one);
      one.resolve(input);
    },
    /** The next press of one of these. @param {string[]} actions @param {AbortSignal} signal @returns {Promise<Input>} */
    next(actions, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const one = { actions, resolve };
        waiting.add(one);
        signal.addEventListener("abort", () => (waiting.delete(one), reject(signal.reason)), { once: true });
        return undefined;
      });
    },
    /** A press that came before anybody waited for it; returned once. @param {string[]} actions @returns {string | null} */
    take(actions) {
      const found = pressed.find(({ action }) => actions.includes(action));
      pressed = pressed.filter((one) => one !== found);
      return found?.action ?? null;
    },
    /** Forget presses of an earlier step. */
    clear() {
      pressed = [];
    },
  };
}

/** @typedef {ReturnType<typeof createInputs>} Inputs */
