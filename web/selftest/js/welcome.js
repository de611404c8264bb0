/**
 * What the first page says of this very meeting: whether a short check will do, what the meeting's own page is, and that
 * the meeting is over. The words of the rest stand in render.js.
 * @typedef {import("../../shared/types").Session} Session
 * @typedef {import("../../shared/types").Platform} Platform
 * @typedef {import("../../shared/types").Report} Report
 * @typedef {import("../../shared/i18n.js").Texts} Texts
 */
import { find, say } from "../../shared/dom.js";

/** @param {string} browser @returns {string} its name without the version */
const program = (browser) => browser.split(" ")[0];

/**
 * Whether a short check will do here: an answer speaks for one kind of device, one system and one browser.
 * @param {Pick<Session, "recheck"> | null} session @param {Platform} here
 */
export function shortWillDo(session, here) {
  const there = session?.recheck?.client;
  return Boolean(there && there.form === here.form && there.os === here.os && program(there.browser) === program(here.browser));
}

/** @param {Session | null} session @param {Platform} here @param {Texts} texts */
export function renderMeeting(session, here, texts) {
  const short = shortWillDo(session, here);
  document.documentElement.toggleAttribute("data-short", short);
  find("#recheck").hidden = !session?.recheck;
  say(find("#recheck-text"), texts.t(short ? "recheck.text" : "recheck.other_device"));
  find("#recheck-start").hidden = !short;
  find("#start").classList.toggle("primary", !short);
  say(find("#start"), texts.t(short ? "recheck.full" : "welcome.start"));
  find("#last-report").hidden ||= Boolean(session?.recheck);
  find("#service").hidden = !session?.service;
  const { title = "", host = "" } = session?.service ?? {};
  say(find("#service-text"), texts.t("service.ask", { title, host }));
}

/**
 * A test that was left in the middle, or that runs in another window or on another device. To go on is the first choice
 * then; where the test has just been reloaded in this tab, the server may not know yet that the old page is gone.
 * @param {Session | null} session @param {Texts} texts
 */
export function renderUnfinished(session, texts) {
  const left = session?.unfinished;
  find("#unfinished").hidden = !left;
  find("#show-answer").hidden = find("#last-report").hidden || Boolean(left);
  if (!left) return;
  document.documentElement.toggleAttribute("data-short", true);
  const elsewhere = left.live && history.state?.test !== left.test;
  const where = left.here ? "resume.other_window" : "resume.other_device";
  say(find("#unfinished-text"), texts.t(elsewhere ? where : "resume.middle"));
  find("#resume").hidden = !left.here;
  say(find("#resume"), texts.t(elsewhere ? "resume.here" : "resume.go_on"));
  find("#recheck").hidden = true;
  find("#last-report").hidden = true;
  find("#start").classList.toggle("primary", !left.here);
  say(find("#start"), texts.t(left.here ? "resume.anew" : "welcome.start"));
}

/** Whether the person agreed to ask the meeting's own page. */
export const mayAsk = () => !find("#service").hidden && /** @type {HTMLInputElement} */ (find("#service-ok")).checked;

/** What no browser can try, and that the answer rests on an earlier test. @param {Report | null} report @param {Session | null} session @param {Texts} texts */
export function renderRest(report, session, texts) {
  const missing = report?.not_tested?.includes("meeting_program") ?? false;
  find("#not-tested").hidden = !missing;
  say(find("#not-tested"), missing ? texts.t("service.not_tested", { title: session?.solution?.title ?? "" }) : "");
  const short = report?.mode === "recheck" && report.verdict.startsWith("ready");
  find("#carried").hidden = !short;
  say(find("#carried"), short ? texts.t("recheck.carried") : "");
}

/** The pages to read are those of the organisation, in the language of this one. @param {string} slug empty: as it was @param {string} lang */
export function pointPages(slug, lang) {
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("a[data-page]"))) {
    const known = slug || /\/o\/([^/]+)/.exec(link.href)?.[1];
    if (known) link.href = `/o/${known}/${link.dataset.page}?lang=${lang}`;
  }
}
