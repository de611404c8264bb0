/**
 * One test from the tap to the answer. Runs the checks in order, sends their results, and after a lost line continues where
 * the server says. A check that dies is reported as dead, and the test goes on.
 * @typedef {import("../../shared/types").Plan} Plan
 * @typedef {import("../../shared/types").PhaseName} PhaseName
 * @typedef {import("../../shared/types").Report} Report
 * @typedef {import("../../shared/types").DevicesResult} DevicesResult
 * @typedef {import("./socket.js").SessionLink} SessionLink
 * @typedef {import("./session.js").Action} Action
 */
import { createEar } from "./checks/echo.js";
import * as picture from "./checks/picture.js";
import * as sound from "./checks/sound.js";
import * as speaker from "./checks/speaker.js";
import { linked, StepFault, StepTimeout, withWatchdog } from "./clock.js";
import { PCM_UP, STILL_UP } from "./wire.js";

/** Longest time of a step while the page is visible, ms; a button gives a person more. */
const LIMIT_MS = { picture: 90_000, sound: 90_000 };
/** How long the answer may take after the last byte has left, before the line counts as dead; a slow line takes half of it. */
const REPORT_MS = 45_000;
/** Earliest notice of a slow line, ms: before that the last message has only just been handed over. */
const SLOW_MS = 3000;
const SENDING_MS = 500;
/** After this many lines in a row without a report the fault is ours. */
const MOST_SILENT = 3;

/**
 * @typedef {object} Tools
 * @property {SessionLink} link
 * @property {ReturnType<typeof import("./clock.js").pausableClock>} clock
 * @property {import("../../shared/types").Clock} wall a clock that never pauses: the network does not wait for eyes
 * @property {import("./inputs.js").Inputs} inputs
 * @property {(action: Action) => void} dispatch
 * @property {() => Promise<DevicesResult>} devices resolves when the person has settled camera and microphone
 * @property {() => Promise<import("../../shared/types").Recorder>} recorder
 * @property {(voices: string, digits: number[], gain_db: number) => Promise<import("./checks/echo.js").Playing>} play
 * @property {() => Promise<void>} offerOutputs show the way to another loudspeaker where there is one
 * @property {() => Promise<void> | undefined} nextOutput play through the next loudspeaker
 * @property {picture.StillSource} stills
 * @property {(times: picture.FrameTimes) => () => void} watchFrames
 * @property {(config: RTCConfiguration) => RTCPeerConnection} createPeer
 * @property {() => MediaStreamTrack | null} silence a track of sound with nothing in it, whose frames carry the probe
 * @property {() => boolean} isHidden whether the page is out of view: its timers are slow then
 * @property {string} uplinkWorker address of the worker that fills them
 * @property {() => Promise<typeof import("./checks/network.js")>} network the part that measures the line, once it is here
 * @property {() => number} people how many the person says they are; 0 while nothing was said
 * @property {() => boolean} otherDevice
 * @property {() => Promise<object | null>} service asks for the meeting's own page, where the person said yes
 * @property {import("../../shared/types").Platform} platform
 */

/** Answers of the person that are kept, so that a lost line never makes anyone answer twice.
 * @typedef {{ speaker?: speaker.Result, ear?: import("./checks/echo.js").Ear, practical?: Awaited<ReturnType<typeof import("./checks/practical.js").run>>,
 *   silent: number }} Kept `silent`: lines on which no report came */

/**
 * Run the test. The server may answer at any time; if its worker broke, it does so at once.
 * @param {Tools} tools @param {AbortSignal} signal @returns {Promise<Report>}
 */
export async function run(tools, signal) {
  const reported = tools.link.wait("report", () => true, signal).then(({ report }) => report);
  const ran = rounds(tools, signal);
  reported.catch(() => undefined);
  ran.catch(() => undefined);
  return Promise.race([reported, ran]);
}

/** Go through the steps, again after each lost line. @param {Tools} tools @param {AbortSignal} signal @returns {Promise<Report>} */
async function rounds(tools, signal) {
  /** @type {Kept} */
  const kept = { silent: 0 };
  const devices = await tools.devices();
  for (;;) {
    const { plan, lost } = await tools.link.ready(signal);
    const line = linked(signal, lost);
    try {
      tools.dispatch({ type: "plan", plan });
      return await steps(tools, plan, devices, kept, line.signal);
    } catch (error) {
      if (!lost.aborted || signal.aborted) throw error;
    } finally {
      line.abort(new DOMException("line is over", "AbortError"));
    }
  }
}

/** @param {Tools} tools @param {Plan} plan @param {DevicesResult} devices @param {Kept} kept @param {AbortSignal} signal */
async function steps(tools, plan, devices, kept, signal) {
  const todo = (/** @type {PhaseName} */ phase) => !plan.done.includes(phase);
  if (todo("devices")) {
    const { camera, microphone, browser } = devices;
    tools.link.send("devices", "final", { camera, microphone, browser, other_device: tools.otherDevice() });
  }
  const asking = todo("service") ? serviceCheck(tools) : null;
  if (todo("picture")) await pictureStep(tools, plan, devices, signal);
  if (todo("sound")) await soundStep(tools, plan, devices, signal);
  const network = await tools.network();
  const measuring = network.run(networkOptions(tools, plan, signal));
  measuring.catch(() => undefined);
  if (todo("speaker")) await speakerStep(tools, plan, devices, kept, signal);
  tools.dispatch({ type: "step", step: "network" });
  await Promise.all([measuring, asking]);
  if (todo("echo")) await echoStep(tools, kept, signal);
  if (todo("practical")) await practicalStep(tools, plan, kept, signal);
  return answer(tools, kept, signal);
}

/** Check the meeting's own page while the person is busy with something else. @param {Tools} tools */
async function serviceCheck(tools) {
  const found = await tools.service().catch(() => null);
  if (found) tools.link.send("service", "final", found);
}

/** @param {Tools} tools @param {import("./session.js").Step} step */
function enter(tools, step) {
  tools.inputs.clear();
  tools.dispatch({ type: "step", step });
}

/** The person's wish to go on, or for more time. @param {Tools} tools @returns {"next" | "more" | null} */
function asked({ inputs }) {
  const action = inputs.take(["next", "more-time"]);
  return action === "more-time" ? "more" : /** @type {"next" | null} */ (action);
}

/** @param {Tools} tools @param {PhaseName} phase @param {unknown} error */
function died(tools, phase, error) {
  console.warn("step died", phase, error);
  const fault = error instanceof StepFault ? error : null;
  const where = fault?.where ?? (error instanceof StepTimeout ? "timeout" : String(/** @type {Error} */ (error)?.name ?? "error"));
  tools.link.send(phase, "died", { cause: fault?.code ?? "step_died", where: where.slice(0, 80) });
}

/**
 * @param {Tools} tools @param {"picture" | "sound"} phase @param {AbortSignal} signal
 * @param {(signal: AbortSignal) => Promise<object>} work
 */
async function guarded(tools, phase, signal, work) {
  try {
    const found = await withWatchdog({ clock: tools.clock, limit_ms: LIMIT_MS[phase], what: phase, signal }, work);
    tools.link.send(phase, "final", found);
  } catch (error) {
    if (signal.aborted) throw error;
    died(tools, phase, error);
  }
}

/** Most bytes of a phase. @param {Plan} plan @param {PhaseName} phase */
const bytesOf = ({ phases }, phase) => phases.find(({ name }) => name === phase)?.budget_bytes ?? 0;

/** @param {Tools} tools @param {Plan} plan @param {DevicesResult} devices @param {AbortSignal} signal */
async function pictureStep(tools, plan, devices, signal) {
  const { link, clock } = tools;
  if (devices.camera.status !== "present") return link.send("picture", "final", { capture_ms: [], ended_by: "no_camera" });
  if (devices.hidden) return died(tools, "picture", new StepFault("picture_hidden"));
  tools.dispatch({ type: "hint", code: "" });
  enter(tools, "picture");
  return guarded(tools, "picture", signal, (inner) =>
    picture.run({
      source: tools.stills, planned: plan.ask.expected_people, people: tools.people, clock, signal: inner, watch: tools.watchFrames, asked: () => asked(tools),
      most_bytes: bytesOf(plan, "picture"),
      sendStill: (t_ms, jpeg) => link.sendBinary(STILL_UP, t_ms, jpeg),
      onHint: (handler) => link.on("hint", handler),
      onPeople: (people) => {
        link.send("picture", "mark", { people });
        tools.dispatch({ type: "hint", code: "" });
      },
      onProgress: ({ code, values }) => tools.dispatch({ type: "hint", code, values }),
    }));
}

/**
 * Whether the browser kept its own processing on. Apple's echo canceller brings gain control and noise suppression with it
 * and does not tell.
 * @param {DevicesResult["microphone"]} microphone @param {import("../../shared/types").Platform} platform
 */
function isProcessed({ noise_suppression, auto_gain_control, echo_cancellation }, { os, browser }) {
  const apple = os === "iOS" || browser.startsWith("Safari");
  return Boolean(noise_suppression || auto_gain_control || (apple && echo_cancellation !== false));
}

/** @param {Tools} tools @param {Plan} plan @param {DevicesResult} devices @param {AbortSignal} signal */
async function soundStep(tools, plan, devices, signal) {
  const { link, clock } = tools;
  if (devices.microphone.status !== "present") return link.send("sound", "final", { blocks: [], ended_by: "no_microphone" });
  enter(tools, "sound");
  return guarded(tools, "sound", signal, async (inner) =>
    sound.run({
      recorder: await tools.recorder(), processed: isProcessed(devices.microphone, tools.platform), clock, signal: inner,
      device_class: devices.microphone.device_class, muted: () => devices.stream?.getAudioTracks()[0]?.muted === true,
      asked: () => asked(tools), most_bytes: bytesOf(plan, "sound"),
      mark: (step, t_ms) => link.send("sound", "mark", { step, t_ms }),
      sendPcm: (t_ms, samples) => link.sendBinary(PCM_UP, t_ms, new Uint8Array(samples.buffer)),
      onHint: (handler) => link.on("hint", handler),
      onProgress: (progress) => tools.dispatch({ type: "sound", progress }),
    }));
}

/** @param {Tools} tools @param {Plan} plan @param {AbortSignal} signal */
function networkOptions(tools, plan, signal) {
  const { link, createPeer, dispatch, wall, silence, uplinkWorker, isHidden } = tools;
  return {
    link, plan, createPeer, signal, clock: wall, sound: silence, workerUrl: uplinkWorker, isHidden,
    onProgress: (/** @type {PhaseName} */ phase, /** @type {"running" | "done" | "failed"} */ state) => dispatch({ type: "network", phase, state }),
    died: (/** @type {PhaseName} */ phase, /** @type {string} */ cause, /** @type {string} */ where) =>
      link.send(phase, "died", { cause, where: where.slice(0, 80) }),
  };
}

/** @param {Tools} tools @param {AbortSignal} signal @returns {Promise<speaker.Answer>} */
async function speakerAnswer({ inputs, nextOutput }, signal) {
  const ways = ["heard-digits", "heard-nothing", "no-sound", "skip", "play-again", "other-output"];
  const { action, data } = await inputs.next(ways, signal);
  if (action === "other-output") await nextOutput();
  const digits = (data.digits ?? "").split("").map(Number);
  return { action: /** @type {speaker.Answer["action"]} */ (action), digits };
}

/** @param {Tools} tools @param {Plan} plan @param {DevicesResult} devices @param {Kept} kept @param {AbortSignal} signal */
async function speakerStep(tools, plan, devices, kept, signal) {
  if (!kept.speaker) {
    tools.dispatch({ type: "speaker", progress: { attempt: 0, digits: plan.digits[0] ?? [], choices: plan.choices[0] ?? [], state: "waiting", note: null } });
    enter(tools, "speaker");
    tools.offerOutputs().catch(() => undefined);
    const ear = createEar({ recorder: async () => (devices.microphone.status === "present" ? tools.recorder() : null), play: (digits, gain_db) => tools.play(plan.voices, digits, gain_db), clock: tools.wall });
    kept.ear = ear;
    kept.speaker = await speaker.run({
      plan, play: ear.play, clock: tools.clock, signal, answer: (inner) => speakerAnswer(tools, inner),
      onProgress: (progress) => tools.dispatch({ type: "speaker", progress }),
    });
  }
  tools.link.send("speaker", "final", kept.speaker);
}

/** Send the sound of the digits once the line has been measured. @param {Tools} tools @param {Kept} kept @param {AbortSignal} signal */
async function echoStep({ link }, { ear }, signal) {
  const { pieces, figures } = (await ear?.heard(signal)) ?? { pieces: [], figures: { ended_by: "not_played" } };
  if (figures.ended_by === "played") for (const { t_ms, samples } of pieces) link.sendBinary(PCM_UP, t_ms, new Uint8Array(samples.buffer));
  link.send("echo", "final", figures);
}

/** @param {Tools} tools @param {Plan} plan @param {Kept} kept @param {AbortSignal} signal */
async function practicalStep(tools, plan, kept, signal) {
  const questions = plan.ask.practical;
  if (questions.length > 0 && !kept.practical) {
    const practical = await import("./checks/practical.js");
    enter(tools, "practical");
    const answerOf = async (/** @type {AbortSignal} */ inner) => {
      const { action, data } = await tools.inputs.next(["next", "skip"], inner);
      return action === "skip" ? {} : data;
    };
    kept.practical = await practical.run({ asked: questions, answer: answerOf, signal });
  }
  tools.link.send("practical", "final", kept.practical ?? { answers: {} });
}

/**
 * Ask for the report, and show how much is still to be sent. A line that brings no report is broken
 * off, and the test goes on over a new one. @param {Tools} tools @param {Kept} kept @param {AbortSignal} signal @returns {Promise<Report>}
 */
async function answer(tools, kept, signal) {
  tools.dispatch({ type: "judging" });
  const over = linked(signal);
  const waiting = tools.link.wait("report", () => true, over.signal).then(({ report }) => report);
  waiting.catch(() => undefined);
  tools.link.send("finish", "final", {});
  const silence = sending(tools, over.signal).then(() => {
    kept.silent += 1;
    if (kept.silent >= MOST_SILENT) throw new StepTimeout("report");
    tools.link.reopen();
    return waiting;
  });
  silence.catch(() => undefined);
  try {
    return await Promise.race([waiting, silence]);
  } finally {
    over.abort(new DOMException("the answer is there", "AbortError"));
  }
}

/**
 * Show what has left this machine, if that takes a while; ends when nothing has moved for too long.
 * @param {Tools} tools @param {AbortSignal} signal
 */
async function sending({ link, wall, dispatch }, signal) {
  await wall.sleep(SLOW_MS, signal);
  const whole = link.bufferedAmount;
  let left = whole;
  for (let since = wall.now(); wall.now() - since < REPORT_MS; ) {
    const now = link.bufferedAmount;
    if (now < left) since = wall.now();
    left = now;
    dispatch({ type: "sending", sent_pct: whole > 0 ? Math.min(100, Math.floor(10 * (1 - left / whole)) * 10) : 100 });
    await wall.sleep(SENDING_MS, signal);
  }
}
