/**
 * Entry of the organiser's pages: exchanges the link's secret for a session once, then shows the requested page.
 */
import { ApiError, call, meta, redeem } from "../../shared/api.js";
import { find, say } from "../../shared/dom.js";
import { createTexts, langOf, loadCatalogue, phoneIn } from "../../shared/i18n.js";
import { showForm } from "./form.js";
import { showImport } from "./importing.js";
import { showList } from "./list.js";
import { showMeeting } from "./meeting.js";
import { problem } from "./person.js";

/** @type {Record<string, (page: import("./person.js").Page) => void | Promise<void>>} */
const VIEWS = { list: showList, new: showForm, meeting: showMeeting, import: showImport };

const lang = langOf(document.documentElement.lang);
const session = meta("readiness-session");

/** Call the API, which wants the session's id beside its cookie. @param {string} path @param {object} [body] a File is sent as it is @param {string} [method] */
async function api(path, body, method) {
  const headers = { "Readiness-Session": session };
  const isFile = body instanceof File;
  if (!isFile && !path.includes(".pdf")) return call(path, body, method, headers);
  const type = isFile && /\.ics$/i.test(body.name) ? "text/calendar" : "text/csv";
  const response = await fetch(path, isFile ? { method: "POST", headers: { ...headers, "content-type": type }, body } : { headers }).catch(() => {
    throw new ApiError("unreachable", 0);
  });
  if (response.ok && !isFile) return response.blob();
  const answer = await response.json().catch(() => null);
  if (answer?.bad) return answer;
  if (!response.ok) throw new ApiError(answer?.error?.code ?? "internal", response.status);
  return answer;
}

async function open() {
  if (!(await redeem(meta("readiness-organisation")))) throw new ApiError("link.cut", 404);
  location.reload(); // the address is the session's by now
}

async function start() {
  const phone = phoneIn(lang, meta("readiness-phone"));
  const texts = createTexts(lang, await loadCatalogue(meta("readiness-static"), lang, "staff/"), { phone });
  const asked = new URLSearchParams(location.search).get("lang");
  const page = { texts, api, zone: meta("readiness-zone"), home: `/plan/${encodeURIComponent(session)}`, asked: asked ? `?lang=${lang}` : "", meeting: meta("readiness-meeting") };
  if (session && history.state?.seen) (await import("../../shared/renew.js")).offerRenewal(session, texts);
  try {
    await (session ? VIEWS[meta("readiness-view")]?.(page) : open());
  } catch (error) {
    if (!session && error instanceof ApiError) say(find("#title"), texts.first([`error.${error.code}.title`, "error.page.title"]));
    say(find("#said"), problem(texts, error));
  }
}

start();
