/**
 * The self-test as one pure reducer: what the page shows follows from this state and from nothing else.
 * @typedef {import("../../shared/types").Plan} Plan
 * @typedef {import("../../shared/types").Report} Report
 * @typedef {import("../../shared/types").Session} Session
 * @typedef {import("../../shared/types").DevicesResult} DevicesResult
 * @typedef {import("../../shared/types").PhaseName} PhaseName
 * @typedef {"welcome" | "devices" | "picture" | "sound" | "speaker" | "network" | "practical" | "answer" | "stopped"} Step
 */

/** Steps a person goes through, in order; welcome and answer are not counted. */
export const COUNTED = /** @type {const} */ (["devices", "picture", "sound", "speaker", "network", "practical"]);
/** Those of a short check. @type {Set<Step>} */
const SHORT = new Set(["devices", "network"]);
const NETWORK = /** @type {const} */ (["connect", "clock", "downlink", "uplink", "tcp_down", "tcp_up"]);

/**
 * @typedef {object} State
 * @property {Step} step
 * @property {boolean} started
 * @property {Session | null} session
 * @property {string[]} practical questions that will be asked
 * @property {Plan | null} plan
 * @property {"idle" | "connecting" | "queued" | "open" | "lost" | "closed"} connection
 * @property {{ place: number, eta_s: number } | null} queue
 * @property {"idle" | "asking" | "answered"} prompt
 * @property {DevicesResult | null} devices
 * @property {string} hint advice code of the picture, "good", or "" before the first one
 * @property {Record<string, any>} hintValues figures for the hint's words
 * @property {import("./checks/sound.js").Progress | null} sound
 * @property {import("./checks/speaker.js").Progress | null} speaker
 * @property {Record<string, "waiting" | "running" | "done" | "failed">} network
 * @property {boolean} paused the page is hidden
 * @property {string[]} events what went wrong on the way and still is wrong
 * @property {boolean} judging
 * @property {Report | null} report
 * @property {string} error code, on the step "stopped"
 */

/** @returns {State} */
export function initial() {
  return {
    step: "welcome", started: false, session: null, practical: [], plan: null, connection: "idle", queue: null, prompt: "idle",
    devices: null, hint: "", hintValues: {}, sound: null, speaker: null, network: Object.fromEntries(NETWORK.map((name) => [name, "waiting"])),
    paused: false, events: [], judging: false, report: null, error: "",
  };
}

/**
 * @typedef {{ type: "session", session: Session }
 *   | { type: "start" } | { type: "step", step: Step } | { type: "prompt", state: "asking" | "answered" }
 *   | { type: "devices", result: DevicesResult } | { type: "plan", plan: Plan } | { type: "hint", code: string, values?: Record<string, any> }
 *   | { type: "connection", state: State["connection"], place?: number, eta_s?: number }
 *   | { type: "sound", progress: NonNullable<State["sound"]> } | { type: "speaker", progress: NonNullable<State["speaker"]> }
 *   | { type: "network", phase: string, state: "waiting" | "running" | "done" | "failed" }
 *   | { type: "paused", value: boolean } | { type: "event", code: string }
 *   | { type: "judging" } | { type: "report", report: Report } | { type: "stopped", code: string }} Action
 */

/** Events that another one takes back. @type {Record<string, string>} */
const TAKEN_BACK = { online: "offline", tab_visible: "tab_hidden" };
/** Events that the person should read. */
const SHOWN = new Set(["camera_ended", "microphone_ended", "camera_muted", "microphone_muted", "offline", "interrupted"]);

/** @param {string[]} events @param {string} code */
function withEvent(events, code) {
  const left = events.filter((one) => one !== code && one !== TAKEN_BACK[code]);
  return SHOWN.has(code) ? [...left, code] : left;
}

/** @param {State} state @param {Action} action @returns {State} */
export function reduce(state, action) {
  switch (action.type) {
    case "session":
      return { ...state, session: action.session, practical: action.session.practical ?? [] };
    case "start": {
      const kept = { session: state.session, practical: state.session?.practical ?? [], paused: state.paused, devices: state.devices };
      return { ...initial(), ...kept, started: true, step: "devices", connection: "connecting" };
    }
    case "step":
      return state.step === "stopped" ? state : { ...state, step: action.step };
    case "prompt":
      return { ...state, prompt: action.state };
    case "devices":
      return { ...state, devices: action.result };
    case "plan": {
      const practical = action.plan.done.includes("practical") ? [] : action.plan.ask.practical;
      return { ...state, plan: action.plan, practical, connection: "open", queue: null };
    }
    case "connection":
      return {
        ...state, connection: action.state,
        queue: action.state === "queued" ? { place: action.place ?? 0, eta_s: action.eta_s ?? 0 } : null,
      };
    case "hint":
      return state.hint === action.code ? state : { ...state, hint: action.code, hintValues: action.values ?? {} };
    case "sound":
      return { ...state, sound: action.progress };
    case "speaker":
      return { ...state, speaker: action.progress };
    case "network":
      return { ...state, network: { ...state.network, [action.phase]: action.state } };
    case "paused":
      return { ...state, paused: action.value };
    case "event":
      return { ...state, events: withEvent(state.events, action.code) };
    case "judging":
      return { ...state, step: "answer", judging: true };
    case "report":
      return { ...state, step: "answer", judging: false, report: action.report };
    case "stopped":
      return state.report ? state : { ...state, step: "stopped", error: action.code };
  }
}

/** Where the person is, such as 2 of 6; null outside the counted steps. @param {State} state */
export function progressOf({ step, practical, plan }) {
  const short = plan?.mode === "recheck";
  const steps = COUNTED.filter((name) => (short ? SHORT.has(name) : name !== "practical" || practical.length > 0));
  const at = steps.findIndex((name) => name === step);
  return at < 0 ? null : { number: at + 1, total: steps.length };
}

/** Whether a device needs the person before the test can go on. @param {State} state */
export function deviceProblem({ devices }) {
  return devices !== null && (devices.camera.status !== "present" || devices.microphone.status !== "present");
}
