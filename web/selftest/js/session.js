/**
 * The self-test as one pure reducer: the page shows this state and nothing else.
 * @typedef {import("../../shared/types").Plan} Plan
 * @typedef {import("../../shared/types").Report} Report
 * @typedef {import("../../shared/types").Session} Session
 * @typedef {import("../../shared/types").DevicesResult} DevicesResult
 * @typedef {import("../../shared/types").PhaseName} PhaseName
 * @typedef {"welcome" | "devices" | "picture" | "sound" | "speaker" | "network" | "practical" | "answer" | "stopped"} Step
 * @typedef {"loading" | "asking" | "busy" | "queued" | "lost" | "connecting" | "judging" | "blocked"} Wait what the page waits for
 */

/** Steps a person goes through, in order; welcome and answer are not counted. */
export const COUNTED = /** @type {const} */ (["devices", "picture", "sound", "speaker", "network", "practical"]);
/** Those of a short check. @type {Set<Step>} */
const SHORT = new Set(["devices", "network"]);
const NETWORK = /** @type {const} */ (["connect", "clock", "downlink", "uplink", "tcp_down", "tcp_up"]);

/**
 * @typedef {object} State
 * @property {Step} step
 * @property {boolean} loaded the first page is ready to start from
 * @property {boolean} started
 * @property {Session | null} session
 * @property {string[]} practical questions that will be asked
 * @property {Plan | null} plan
 * @property {"idle" | "connecting" | "queued" | "open" | "lost" | "closed"} connection
 * @property {{ place: number, eta_s: number } | null} queue the place, also while the line is lost meanwhile
 * @property {boolean} requeued the place in the queue is a new one: the first went with the line
 * @property {boolean} silent nothing has come from the server for a while, though the line stands
 * @property {boolean} busy the service has no room, and the page comes back by itself
 * @property {string} blocked the report's code where the page reaches us and the line of the test does not
 * @property {0 | 1 | 2} patience how long the same wait has lasted: 1 longer than usual, 2 so long that it is time to call
 * @property {number} sent_pct how much of what was measured has left this machine, while the answer is made
 * @property {"idle" | "asking" | "looking" | "answered"} prompt `looking`: opened, and not seen to give a picture yet
 * @property {DevicesResult | null} devices
 * @property {boolean} more the person has asked for more time in this step, and has it
 * @property {number} people how many they say they are; 0 while nothing was said
 * @property {string} hint advice code of the picture, "good", or "" before the first one
 * @property {Record<string, any>} hintValues figures for the hint's words
 * @property {import("./checks/sound.js").Progress | null} sound
 * @property {import("./checks/speaker.js").Progress | null} speaker
 * @property {Record<string, "waiting" | "running" | "done" | "failed">} network
 * @property {boolean} paused the page is hidden
 * @property {string[]} events what went wrong on the way and still is wrong
 * @property {string[]} before advice of the test before this one, to which "test again" was no help
 * @property {boolean} judging
 * @property {Report | null} report
 * @property {string} error code, on the step "stopped"
 */

/** @returns {State} */
export function initial() {
  return {
    step: "welcome", loaded: false, started: false, session: null, practical: [], plan: null, connection: "idle", queue: null, requeued: false, silent: false, busy: false, blocked: "",
    patience: 0, sent_pct: 100, prompt: "idle",
    devices: null, more: false, people: 0, hint: "", hintValues: {}, sound: null, speaker: null, network: Object.fromEntries(NETWORK.map((name) => [name, "waiting"])),
    paused: false, events: [], before: [], judging: false, report: null, error: "",
  };
}

/**
 * @typedef {{ type: "session", session: Session }
 *   | { type: "start" } | { type: "step", step: Step } | { type: "prompt", state: "asking" | "looking" | "answered" }
 *   | { type: "devices", result: DevicesResult } | { type: "plan", plan: Plan } | { type: "hint", code: string, values?: Record<string, any> }
 *   | { type: "connection", state: State["connection"], queue?: { place: number, eta_s: number }, code?: string }
 *   | { type: "patience", level: 0 | 1 | 2 } | { type: "sending", sent_pct: number } | { type: "left" } | { type: "loaded" } | { type: "more" } | { type: "people", people: number } | { type: "silent", value: boolean } | { type: "blocked", code: string }
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

/**
 * @param {State} state @param {Action} action
 * @returns {State} a wait that is another one than before begins anew; throws at an action that nobody knows
 */
export function reduce(state, action) {
  const next = changed(state, action);
  return action.type === "patience" || waitOf(next) === waitOf(state) ? next : { ...next, patience: 0 };
}

/** @param {State} state @param {Action} action @returns {State} */
function changed(state, action) {
  switch (action.type) {
    case "session":
      if (action.session.meeting?.state === "cancelled") return { ...state, session: action.session, step: "stopped", error: "meeting.off", report: null, judging: false };
      return { ...state, session: action.session, practical: action.session.practical ?? [] };
    case "start": {
      const kept = { session: state.session, practical: state.session?.practical ?? [], paused: state.paused, devices: state.devices, people: state.people, before: (state.report ?? state.session?.last_report)?.advice ?? [] };
      return { ...initial(), ...kept, loaded: true, started: true, step: "devices", connection: "connecting" };
    }
    case "step":
      return state.step === "stopped" ? state : { ...state, step: action.step, more: false };
    case "more":
      return { ...state, more: true };
    case "people":
      return { ...state, people: action.people };
    case "prompt":
      return { ...state, prompt: action.state, devices: action.state === "asking" ? null : state.devices };
    case "devices":
      return { ...state, devices: action.result };
    case "plan": {
      const practical = action.plan.done.includes("practical") ? [] : action.plan.ask.practical;
      return { ...state, plan: action.plan, practical, connection: "open", queue: null, requeued: false, silent: false, busy: false, blocked: "" };
    }
    case "blocked":
      return { ...state, blocked: action.code };
    case "connection":
      return {
        ...state, connection: action.state, queue: action.queue ?? state.queue, busy: action.code === "server.busy", blocked: action.state === "connecting" ? state.blocked : "",
        requeued: state.requeued || Boolean(action.queue && state.queue && state.connection !== "queued"),
      };
    case "loaded":
      return { ...state, loaded: true };
    case "silent":
      return { ...state, silent: action.value };
    case "patience":
      return { ...state, patience: action.level };
    case "sending":
      return { ...state, sent_pct: action.sent_pct };
    case "left":
      return { ...initial(), loaded: true, session: state.session, practical: state.session?.practical ?? [], devices: state.devices };
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
    default:
      throw new TypeError(`the page knows no action ${/** @type {any} */ (action).type}`);
  }
}

/**
 * What the page waits for that is not the person's own doing; null where the person is at work, or all is over.
 * @param {State} state @returns {Wait | null}
 */
export function waitOf({ step, loaded, prompt, devices, connection, busy, blocked, judging, report }) {
  if (report || step === "stopped") return null;
  if (step === "welcome") return loaded ? null : "loading";
  if (step === "devices" && prompt === "asking") return "asking";
  if (step === "devices" && deviceProblem({ devices })) return null;
  if (busy && connection !== "queued") return "busy";
  if (blocked) return "blocked";
  if (connection === "queued" || connection === "lost") return connection;
  if (judging) return "judging";
  return connection === "connecting" || step === "devices" ? "connecting" : null;
}

/** The section to show; a step that needs the lost line gives way to the wait. @param {State} state */
export function shownOf(state) {
  const wait = waitOf(state);
  const alone = wait === "queued" || wait === "lost" || wait === "busy" || wait === "blocked" || (wait === "connecting" && state.patience > 0);
  return alone ? "waiting" : state.step;
}

/** The person's progress, such as 2 of 6; null outside the counted steps. @param {State} state */
export function progressOf({ step, practical, plan }) {
  const short = plan?.mode === "recheck";
  const steps = COUNTED.filter((name) => (short ? SHORT.has(name) : name !== "practical" || practical.length > 0));
  const at = steps.findIndex((name) => name === step);
  return at < 0 ? null : { number: at + 1, total: steps.length };
}

/** Whether the person has to do something about a device before the test can go on. @param {Pick<State, "devices">} state */
export function deviceProblem({ devices }) {
  return devices !== null && (devices.camera.status !== "present" || devices.microphone.status !== "present" || devices.hidden === true);
}
