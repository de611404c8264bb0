/**
 * All of the page's DOM: state in, elements out. Words come from the catalogue and go in by textContent only.
 * @typedef {import("./session.js").State} State
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 * @typedef {import("../../shared/types").Report} Report
 */
import { copyOf, find, make, say } from "../../shared/dom.js";
import { announce, keepFocus, readFrom } from "../../shared/heard.js";
import { applyTexts, writtenIn } from "../../shared/i18n.js";
import { icon, TONES } from "../../shared/icons.js";
import { adviceWords, asOne, devicesAdvice } from "./advice.js";
import { draw } from "./drawing.js";
import { showPeople } from "./preview.js";
import { deviceProblem, progressOf, shownOf, waitOf } from "./session.js";
import { waitWords } from "./patience.js";
import { pointPages, renderMeeting, renderRest, renderUnfinished } from "./welcome.js";

const PHASE_ICONS = { waiting: "waiting", running: "running", done: "good", failed: "warn" };
/** Errors that trying again does not mend. */
const FINAL = new Set(["meeting.over", "meeting.off", "link.cut", "link.not_valid", "session.not_valid", "drop_in.not_allowed"]);
const MOST_ADVICE = 3;
/** Why silence is asked for once more. @type {Record<string, string>} */
const AGAIN = { no_pause: "sound.quiet_again", others: "sound.quiet_others" };
/** The level meter runs from a whisper's floor to full scale. */
const METER_DBFS = 60;

/** @param {{ names: import("./advice.js").Names, platform: import("../../shared/types").Platform, findLater: () => Promise<void> }} options the words of this system's and browser's remedies, and what loads those of the figures */
export function createView({ names, platform, findLater }) {
  /** @type {Texts} */
  let texts;
  let phone = "";
  let shown = "";
  let drawnReport = "";
  let copyable = false;
  /** Present if this browser lacks something. @type {import("./elsewhere.js").Elsewhere | null} */
  let elsewhere = null;
  /** Where there is a meeting. @type {import("./joining.js").Joining | null} */
  let joining = null;
  /** How often in a row camera or microphone were asked for in vain. */
  let vain = 0;
  let hadProblem = false;

  /** @param {string[]} codes @param {HTMLElement} list @param {string[]} [before] the advice of the test before this one */
  function renderAdvice(codes, list, before = []) {
    const key = `${texts.lang} ${copyable} ${codes.join(" ")}`;
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(...codes.map((code) => {
      const item = copyOf("advice-item");
      const { title, remedy } = adviceWords(texts, code, names, before.includes(code));
      item.dataset.advice = code;
      draw(find("svg", item), code);
      say(find(".advice-title", item), title);
      say(find(".remedy", item), remedy);
      elsewhere?.addCopy(item, code, texts, copyable);
      return item;
    }));
  }

  /** @param {State} state */
  function renderNotices({ paused, silent, connection, events }) {
    /** @type {[string, string][]} */
    const lines = [];
    if (paused) lines.push(["calm", texts.t("notice.paused")]);
    if (silent && connection === "open") lines.push(["warn", texts.t("notice.silent")]);
    for (const code of events) lines.push(["warn", texts.t(`event.${code}`)]);
    const list = find("#notices");
    const key = lines.map(([, text]) => text).join("|");
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(...lines.map(([tone, text]) => {
      const item = copyOf("notice-item");
      item.dataset.tone = tone;
      icon(find("svg", item), tone);
      say(find("p", item), text);
      return item;
    }));
  }

  /** @param {State} state */
  function renderWelcome({ session }) {
    const meeting = session?.meeting;
    find("#meeting").hidden = !meeting;
    if (meeting) {
      const when = texts.at(meeting.starts_at, meeting.time_zone);
      say(find("#meeting"), texts.t("welcome.meeting", { when }));
    }
    const last = session?.last_report;
    find("#last-report").hidden = !last;
    if (last) say(find("#last-report"), texts.t("welcome.last", { verdict: texts.t(`verdict.${last.verdict}.short`) }));
    joining?.tellWayIn(session, texts);
    renderMeeting(session, platform, texts);
    renderUnfinished(session, texts);
    elsewhere?.warn(names, texts, copyable);
  }

  /** Advice that did not help is not repeated: a refusal by the browser's administrator can't be told from one by the person. @param {State} state */
  function vainWords({ devices }) {
    if (vain < 2) return texts.t("devices.problem");
    const denied = [devices?.camera.status, devices?.microphone.status].includes("NotAllowedError");
    return texts.t(denied ? "devices.denied_again" : "devices.problem_again");
  }

  /** @param {State} state */
  function renderDevices(state) {
    const problem = state.prompt === "answered" && deviceProblem(state);
    const asking = state.prompt === "asking";
    if (state.prompt === "idle") vain = 0;
    else if (problem && problem !== hadProblem) vain += 1;
    hadProblem = problem;
    say(find("#devices-title"), texts.t(problem ? "devices.problem_title" : asking ? "devices.asking_title" : "devices.title"));
    const asked = texts.first([`devices.asking.${names.os}`, "devices.asking"]);
    say(find("#devices-text"), problem ? vainWords(state) : asking ? asked : texts.t("devices.wait"));
    find("#devices-long").hidden = !asking || state.patience === 0;
    find("#devices-prompt").hidden = !asking;
    find("#devices-actions").hidden = !problem;
    const told = problem && state.devices ? devicesAdvice(state.devices) : [];
    renderAdvice(asOne(told), find("#devices-problems"));
    find("#devices-copy").hidden = !problem || !copyable || told.some((code) => elsewhere?.isFor(code));
  }

  /**
   * What the test says right now, with a drawing of what to do where there is something to do. The last sentence is the
   * largest: it says what to do.
   * @param {string} place id of the block @param {"good" | "warn" | "calm" | "running"} tone @param {string} words
   * @param {string} [code] whose drawing is shown instead of the icon
   */
  function tell(place, tone, words, code = "") {
    const block = find(`#${place}`);
    block.dataset.tone = tone === "running" ? "calm" : tone;
    const [sign, drawing] = block.querySelectorAll("svg");
    sign.toggleAttribute("hidden", code !== "");
    drawing.toggleAttribute("hidden", code === "");
    icon(sign, tone);
    if (code && drawing.dataset.code !== code) draw(drawing, code);
    drawing.dataset.code = code;
    const said = find("[role=status]", block);
    if (said.textContent === words) return;
    const [, why = "", what = words] = (tone !== "calm" && /^(.*[.!?]\s)(\S[^.!?]*[.!?])$/.exec(words)) || [];
    said.replaceChildren(make("span", { class: "why" }, why), what);
  }

  /** @param {State} state */
  function renderPicture({ hint, hintValues, more, people, plan }) {
    say(find("#picture-more"), more ? texts.t("action.more_time_given") : "");
    showPeople(people, plan?.ask.expected_people ?? 1);
    const tone = hint === "good" ? "good" : hint && hint !== "camera.more_people" ? "warn" : "calm";
    find("#mirror").dataset.tone = tone;
    const thanks = tone === "warn" && hintValues.obeyed ? `${texts.t("hint.obeyed")} ` : "";
    tell("picture-told", hint ? tone : "running", thanks + texts.first([`hint.${hint || "looking"}`, "hint.looking"], hintValues), tone === "warn" ? hint : "");
  }

  /** @param {State} state */
  function renderSound({ sound, more }) {
    say(find("#sound-given"), more ? texts.t("action.more_time_given") : "");
    const stage = sound?.stage ?? "quiet";
    const speaking = stage === "speak";
    say(find("#sound-title"), texts.t(`sound.${stage}_title`));
    if (speaking && find("#sentence").hidden) announce(texts.t("sound.sentence"));
    if (sound?.silent) tell("sound-told", "warn", texts.t("hint.microphone.muted"), "microphone.muted");
    else if (sound?.told) tell("sound-told", "warn", texts.t(`hint.${sound.told}`), sound.told);
    else if (sound?.heard && speaking) tell("sound-told", "good", texts.t("sound.heard"));
    else if (sound?.faint && speaking) tell("sound-told", "warn", texts.t("hint.microphone.faint"), "sound.speak");
    else tell("sound-told", "calm", texts.t(speaking ? "sound.speak" : AGAIN[sound?.again ?? ""] ?? "sound.quiet"), `sound.${stage}`);
    find("#countdown").hidden = speaking || sound?.left_s === undefined;
    say(find("#countdown-number"), String(sound?.left_s ?? ""));
    find("#sentence").hidden = !speaking;
    find("#sound-more").hidden = !speaking;
    renderMeter(sound?.level_dbfs ?? -METER_DBFS);
  }

  /** @param {number} level_dbfs */
  function renderMeter(level_dbfs) {
    const share = Math.max(0, Math.min(1, 1 + level_dbfs / METER_DBFS));
    find("#meter-bar").style.transform = `scaleX(${share.toFixed(2)})`;
    const words = texts.t(share < 0.25 ? "sound.level_low" : share < 0.9 ? "sound.level_good" : "sound.level_high");
    for (const [name, value] of [["aria-valuenow", String(Math.round(share * 100))], ["aria-valuetext", words]]) find("#meter").setAttribute(name, value);
    say(find("#meter-words"), words);
  }

  /** @param {State} state */
  function renderSpeaker({ speaker }) {
    if (!speaker) return;
    const section = find('[data-step="speaker"]');
    section.dataset.digits = speaker.digits.join("");
    const notes = { wrong: "speaker.wrong", louder: "speaker.louder", other: "speaker.other" };
    const state = texts.t(`speaker.${speaker.state}`);
    const words = speaker.note && speaker.state !== "played" ? texts.t(notes[speaker.note]) : state;
    tell("speaker-told", "calm", words, speaker.state === "played" ? "speaker.choose" : "speaker.listen");
    const choices = find("#choices");
    const key = `${texts.lang} ${speaker.attempt} ${speaker.choices.join(" ")}`;
    if (choices.dataset.key !== key) {
      choices.dataset.key = key;
      choices.replaceChildren(...speaker.choices.map((digits) => {
        const button = copyOf("choice-item");
        button.dataset.digits = digits.join("");
        say(button, digits.join(" "));
        return button;
      }));
    }
    for (const button of choices.querySelectorAll("button")) button.disabled = speaker.state === "waiting";
    /** @type {HTMLButtonElement} */ (find("[data-action=heard-nothing]", section)).disabled = speaker.state !== "played";
  }

  /** @param {State} state */
  function renderNetwork({ network }) {
    const phases = Object.entries(network);
    const done = phases.filter(([, state]) => state === "done" || state === "failed").length;
    /** @type {HTMLProgressElement} */ (find("#network-progress")).value = done;
    const key = `${texts.lang} ${phases.join(" ")}`;
    const list = find("#network-phases");
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(...phases.map(([phase, state]) => {
      const item = copyOf("phase-item");
      icon(find("svg", item), PHASE_ICONS[state]);
      say(find(".name", item), texts.t(`phase.${phase}`));
      say(find(".state", item), texts.t(`phase_state.${state}`));
      return item;
    }));
    const running = phases.find(([, state]) => state === "running");
    say(find("#network-text"), running ? texts.t(`phase.${running[0]}`) : "");
  }

  /** @param {State} state */
  function renderPractical({ practical }) {
    for (const question of document.querySelectorAll("[data-question]")) {
      /** @type {HTMLElement} */ (question).hidden = !practical.includes(question.getAttribute("data-question") ?? "");
    }
  }

  /** @param {State} state */
  function renderAnswer({ report, session, patience, sent_pct, before }) {
    const card = find("#verdict");
    card.dataset.tone = report ? TONES[report.verdict] : "calm";
    icon(find("#verdict-icon"), report ? TONES[report.verdict] : "running");
    say(find("#answer-title"), texts.t(report ? `verdict.${report.verdict}.title` : "answer.judging"));
    const sending = sent_pct < 100 ? texts.t("answer.sending", { percent: sent_pct }) : texts.t(patience > 0 ? "answer.judging_long" : "answer.judging_text");
    say(find("#answer-text"), report ? texts.t(`verdict.${report.verdict}.text`) : sending);
    find("#answer-body").hidden = !report;
    joining?.tellWhen(report, session, texts);
    renderEquipment(report);
    const key = report ? `${texts.lang} ${report.id}` : "";
    if (!report || drawnReport === key) return;
    drawnReport = key;
    renderAdvice(asOne(report.advice).slice(0, MOST_ADVICE), find("#todo"), before);
    find("#todo-title").hidden = report.advice.length === 0;
    find('#answer-body [data-action="retry"]').classList.toggle("primary", report.verdict !== "ready");
    say(find("#code"), report.code);
    setCall(find("#call"), report.verdict === "ready" ? "help.call_us" : "answer.call");
    find("#fallback").hidden = report.verdict === "ready";
    say(find("#sent"), texts.t(session?.kind === "drop_in" ? "answer.drop_in" : "answer.sent"));
    say(find("#deleted"), "");
    find("#figures").closest("details")?.removeAttribute("hidden");
    renderRest(report, session, texts);
    renderFigures(report).catch(() => find("#figures").closest("details")?.setAttribute("hidden", ""));
  }

  /** The equipment of the test, which the meeting should have too. @param {Report | null} report */
  function renderEquipment(report) {
    const classOf = (/** @type {string} */ device) => report?.checks.find(({ id, value }) => id === `${device}.present` && value === "present")?.details?.device_class;
    const words = ["camera", "microphone"].map((device) => texts.first([`equipment.${device}.${classOf(device)}`])).filter(Boolean);
    const [first = "", second = ""] = words;
    find("#equipment").hidden = words.length === 0;
    say(find("#equipment"), texts.t(second ? "answer.equipment" : "answer.equipment_one", { first, second }));
  }

  /** @param {HTMLElement} link @param {string} key @param {string} [number] */
  function setCall(link, key, number = phone) {
    link.hidden = !number;
    link.setAttribute("href", number === phone ? find(".help").getAttribute("href") ?? "" : `tel:${number.replaceAll(" ", "")}`);
    say(link, texts.t(key));
  }

  /** Their script and words are loaded with the first answer: nobody reads them before. @param {Report} report */
  async function renderFigures({ checks }) {
    const [drawn, { drawFigures }] = [drawnReport, await import("./figureview.js"), await findLater()];
    applyTexts(find("#answer-body details"), texts);
    if (drawnReport === drawn) drawFigures(find("#figures"), checks, texts);
  }

  /** @param {State} state */
  function renderStopped({ error, session }) {
    say(find("#stopped-title"), texts.first([`error.${error}.title`, "stopped.title"]));
    say(find("#stopped-text"), texts.first([`error.${error}`, "error.internal"]));
    find("#stopped-retry").hidden = FINAL.has(error);
    find("#stopped-code").hidden = !error.startsWith("link.");
    say(find("#stopped-retry"), texts.t(error === "replaced" ? "resume.here" : "answer.retry"));
    const clinic = error === "meeting.off" ? session?.meeting?.clinic_phone : "";
    setCall(find("#stopped-call"), clinic ? "help.call_clinic" : "help.call_us", clinic || phone);
    find("#stopped-fallback").hidden = error.startsWith("meeting.");
  }

  /** @param {State} state */
  function renderWaiting(state) {
    const { title, text, later, tone, action } = waitWords(state, texts);
    find("#waiting").dataset.tone = tone;
    icon(find("#waiting-icon"), tone === "calm" ? "running" : tone);
    say(find("#waiting-title"), title);
    say(find("#waiting-text"), text);
    say(find("#waiting-later"), later);
    const code = state.blocked || (state.session?.last_report?.code ?? "");
    find("#waiting-code").hidden = !later || !code;
    say(find("#waiting-code strong"), code);
    setCall(find("#waiting-call"), "help.call_us");
    if (state.patience < 2 && !state.blocked) find("#waiting-call").hidden = true;
    find("#waiting-now").hidden = state.connection === "queued" || (state.patience === 0 && !state.blocked);
    say(find("#waiting-leave"), action);
  }

  /** @param {State} state */
  const headingOf = (state) => find(`[data-step="${shownOf(state)}"] h1`);

  const renderers = {
    welcome: renderWelcome, devices: renderDevices, picture: renderPicture, sound: renderSound, speaker: renderSpeaker,
    network: renderNetwork, practical: renderPractical, answer: renderAnswer, stopped: renderStopped,
    waiting: renderWaiting,
  };

  /** A name of the part on show; when it changes, there is something new to read from its heading on. @param {State} state */
  function partOf(state) {
    const parts = {
      sound: state.sound?.stage ?? "quiet", devices: state.prompt === "answered" && deviceProblem(state) ? "problem" : state.prompt === "looking" ? "answered" : state.prompt,
      answer: state.report?.id ?? "", stopped: state.error, waiting: waitOf(state),
    };
    const step = shownOf(state);
    return `${step} ${/** @type {Record<string, string | null>} */ (parts)[step] ?? ""}`;
  }

  /** Show one section; focus goes to its heading, so that a screen reader starts where the eye does. @param {State} state */
  function show(state) {
    const progress = shownOf(state) === "waiting" ? null : progressOf(state);
    find("#progress").hidden = !progress;
    if (progress) say(find("#progress"), texts.t("progress.step", progress));
    const step = shownOf(state);
    const key = partOf(state);
    if (key === shown) return;
    const first = shown === "";
    shown = key;
    for (const section of document.querySelectorAll("[data-step]")) {
      /** @type {HTMLElement} */ (section).hidden = section.getAttribute("data-step") !== step;
    }
    if (first && step === "welcome") return;
    window.scrollTo(0, 0);
    readFrom(headingOf(state));
  }

  return {
    /** @param {Texts} next @param {string} number whom to call @param {string | null} [opens] when, where nobody answers now; not known before there is a session */
    setTexts(next, number, opens) {
      if (opens !== undefined) find("#closed").hidden = !opens;
      if (opens) say(find("#closed"), next.t("help.closed", { when: opens }));
      [texts, phone] = [next, number];
      say(find(".help strong"), number);
      drawnReport = "";
      writtenIn(next.lang);
      document.title = next.t("page.title");
      applyTexts(document, next);
      pointPages("", next.lang);
    },
    /** @param {import("../../shared/types").Organisation} organisation */
    setOrganisation({ slug, name, support_phone, support_hours, languages }) {
      pointPages(slug, texts?.lang ?? document.documentElement.lang);
      say(find(".organisation"), name);
      find(".help").hidden = !support_phone;
      find(".help").setAttribute("href", `tel:${support_phone.replaceAll(" ", "")}`);
      say(find("#support-hours"), support_hours);
      for (const button of document.querySelectorAll("[data-lang]")) {
        const lang = button.getAttribute("data-lang") ?? "";
        /** @type {HTMLElement} */ (button).hidden = languages !== undefined && !languages.includes(lang);
      }
    },
    /** @param {import("./elsewhere.js").Elsewhere} module */
    setElsewhere: (module) => void (elsewhere = module),
    /** @param {import("./joining.js").Joining} module */
    setJoining: (module) => void (joining = module),
    printedPhone: () => find(".help strong").textContent ?? "",
    /** @param {State} state */
    render(state) {
      keepFocus(() => {
        renderers[shownOf(state)](state);
        renderNotices(state);
        joining?.renderJoin(state.session, platform, texts, shownOf(state));
      }, () => (partOf(state) === shown ? headingOf(state) : null));
      show(state);
      if (state.report) document.documentElement.dataset.verdict = state.report.verdict;
      else delete document.documentElement.dataset.verdict;
    },
    /** Report beside the pressed button. @param {Element} button @param {string | null} link the link itself where it could not be copied */
    copied(button, link) {
      const place = button.closest(".copy")?.querySelector(".copied");
      if (place) say(place, link ?? texts.t("link.copied"));
    },
    /** @param {boolean} possible */
    setCopyable(possible) {
      copyable = possible;
      for (const place of document.querySelectorAll("[data-copy]")) /** @type {HTMLElement} */ (place).hidden = !possible;
    },
    /** The place of the question after the meeting. @param {boolean} alone nothing is tested any more */
    after(alone) {
      document.documentElement.toggleAttribute("data-over", alone);
      say(find("#welcome-title"), texts.t(alone ? "after.title" : "welcome.title"));
      return find("#after");
    },
    /** Works before any words are loaded, because the server wrote these. @param {boolean} shown */
    slow(shown) {
      find("#start-slow").hidden = !shown;
    },
    enableStart() {
      /** @type {HTMLButtonElement} */ (find('[data-action="start"]')).disabled = false;
    },
    /** @param {boolean} possible */
    offerOutputs(possible) {
      find('[data-action="other-output"]').hidden = !possible;
    },
    preview: () => /** @type {HTMLVideoElement} */ (find("#preview")),
    otherDevice: () => /** @type {HTMLInputElement} */ (find("#other-device")).checked,
    practicalForm: () => /** @type {HTMLFormElement} */ (find("#practical")),
  };
}

/** @typedef {ReturnType<typeof createView>} View */
