/**
 * The page of one meeting: invitations, tests, and all changes.
 * @typedef {import("./person.js").Page} Page
 * @typedef {import("../../shared/types").PlannedMeeting} Meeting
 * @typedef {import("../../shared/types").PlannedPerson} Person
 * @typedef {import("../../shared/types").PlannedHost} Host
 */
import { copyOf, find, make, say } from "../../shared/dom.js";
import { announce, keepFocus } from "../../shared/heard.js";
import { phoneIn } from "../../shared/i18n.js";
import { icon, TONES } from "../../shared/icons.js";
import { arrangeIn } from "../../shared/lists.js";
import { fillAbout, readAbout, showCalls, watchAbout } from "./about.js";
import { check, clearWrong } from "./fields.js";
import { complain, field, personFields, problem, readFields, tellField } from "./person.js";
import { channelOf, knows, mayBeTold, minutesOf, notInvited } from "./plan.js";

/** How often the page is refreshed while it is visible. */
const LOOK_MS = 8000;

/** @param {Page} page */
export async function showMeeting(page) {
  const { api, texts: t, zone } = page;
  const place = `/api/v1/meetings/${encodeURIComponent(page.meeting)}`;
  /** @type {Meeting} */
  let meeting = await api(place);
  /** @type {{ kind: "participant" | "host", one: Person | Host | null }} */
  let edited = { kind: "participant", one: null };
  /** The result of a tap, by person. @type {Map<string, string>} */
  const done = new Map();

  /** Where reading continues if a button is gone: at its person, or the list. @param {Element} place */
  const after = (place) => place.closest("li.person")?.querySelector("h3") ?? place.closest("section")?.querySelector("h2") ?? find("#title");
  const draw = () => keepFocus(drawAll, after);

  function drawAll() {
    const isPlanned = meeting.state === "planned";
    find("#shown").hidden = false;
    say(find("#title"), meeting.title || t.t("plan.meeting.title"));
    say(find("#when"), `${t.at(meeting.starts_at, zone)}–${t.clock(meeting.ends_at, zone)}`);
    const chosen = [.../** @type {HTMLSelectElement} */ (find("#solution")).options].find(({ value }) => value === meeting.solution);
    const about = [chosen?.text, t.first([`plan.profile.${meeting.profile}`]), t.plural("plan.minutes", minutesOf(meeting)), meeting.support_phone && `${t.t("plan.support_phone")}: ${meeting.support_phone}`];
    say(find("#about"), about.filter(Boolean).join(" · "));
    find("#cancelled").hidden = isPlanned;
    showCalls(t, meeting, zone);
    for (const part of ["#more-people", "#more-hosts"]) find(part).hidden = !isPlanned;
    for (const button of find("#tools").querySelectorAll("button")) button.hidden = !isPlanned;
    find("#letters").hidden = !isPlanned || !meeting.participants.length;
    /** @type {HTMLAnchorElement} */ (find("#repeat")).href = `${page.home}/new?like=${encodeURIComponent(meeting.id)}${page.asked.replace("?", "&")}`;
    drawCards("#participants", "participant", meeting.participants, isPlanned);
    drawCards("#hosts", "host", meeting.hosts, isPlanned);
  }

  /** @param {string} list @param {"participant" | "host"} kind @param {(Person | Host)[]} people @param {boolean} isPlanned */
  function drawCards(list, kind, people, isPlanned) {
    const before = new Map([...find(list).children].map((item) => [item.getAttribute("data-id"), /** @type {HTMLElement} */ (item)]));
    arrangeIn(find(list), people.map((person) => {
      const item = before.get(person.id) ?? copyOf("card");
      item.dataset.id = person.id;
      item.dataset.kind = kind;
      drawCard(item, person, kind, isPlanned);
      return item;
    }));
  }

  /** @param {HTMLElement} item @param {Person | Host} person @param {"participant" | "host"} kind @param {boolean} isPlanned */
  function drawCard(item, person, kind, isPlanned) {
    const role = t.first([`${kind === "host" ? "host" : "role"}.${person.role}`]) || person.role;
    const name = person.label || role;
    say(item.querySelector("h3"), name);
    say(item.querySelector(".role"), name === role ? "" : role);
    const state = "state" in person ? person.state : undefined;
    const chip = find(".state", item);
    chip.hidden = !state;
    if (state) {
      item.dataset.tone = chip.dataset.tone = TONES[state] ?? "calm";
      icon(find("svg", chip), chip.dataset.tone);
      say(chip.querySelector("strong"), t.t(`state.${state}`));
    }
    say(item.querySelector(".reach"), [person.mail, person.phone && phoneIn(t.lang, person.phone)].filter(Boolean).join(" · ") || t.t("plan.no_reach"));
    say(item.querySelector(".sent"), knows(t, person, zone));
    say(item.querySelector(".done"), done.get(person.id) ?? "");
    const taps = isPlanned ? [...(channelOf(person) ? ["send"] : []), "link", ...(kind === "participant" ? ["letter", "replace"] : []), ...(mayBeTold(person) ? ["told"] : []), "change", "remove"] : [];
    const box = find(".taps", item);
    if (box.dataset.shown === taps.join()) return;
    box.dataset.shown = taps.join();
    box.replaceChildren(...taps.map((tap) => {
      const words = t.t(`plan.tap.${tap}`);
      return make("button", { type: "button", class: `button tap${tap === "send" ? "" : " quiet"}`, "data-tap": tap, "aria-label": `${words}: ${name}` }, words);
    }));
  }

  /** @param {string} id @param {"participant" | "host"} kind @returns {Person | Host} */
  const personOf = (id, kind) => /** @type {Person | Host} */ ((kind === "host" ? meeting.hosts : meeting.participants).find((one) => one.id === id));
  /** @param {string} id @param {string} channel @param {boolean} replace */
  const invite = async (id, channel, replace) => (await api(`${place}/invitations`, { people: [id], channel, replace })).invitations?.[0];
  const look = async () => {
    meeting = await api(place);
    draw();
  };

  /** @type {Record<string, (person: Person | Host, kind: "participant" | "host") => Promise<string>>} */
  const taps = {
    async send(person) {
      const made = await invite(person.id, String(channelOf(person)), false);
      return t.t(notInvited(made) || "plan.done.send");
    },
    async link(person) {
      showLink(person, await invite(person.id, "link", false));
      return "";
    },
    async replace(person) {
      if (!confirm(t.t("plan.replace_sure"))) return "";
      const channel = channelOf(person);
      const made = await invite(person.id, channel ?? "link", true);
      if (!channel) showLink(person, made);
      if (notInvited(made)) showLink(person, await invite(person.id, "link", true));
      return t.t("plan.done.replace");
    },
    async letter(person) {
      await openLetters([person.id]);
      return "";
    },
    async told(person) {
      await api(`${place}/told/${encodeURIComponent(person.id)}`, {});
      return t.t("plan.done.told");
    },
    async change(person, kind) {
      openPerson(kind, person);
      return "";
    },
    async remove(person, kind) {
      if (!confirm(t.t("plan.remove_sure", { name: person.label || t.first([`role.${person.role}`, `host.${person.role}`]) }))) return "";
      await api(`${place}/${kind}s/${encodeURIComponent(person.id)}`, undefined, "DELETE");
      announce(t.t("plan.removed"));
      return "";
    },
  };

  /** @param {HTMLElement} button */
  async function tap(button) {
    const item = /** @type {HTMLElement} */ (button.closest("[data-id]"));
    const { id = "", kind } = item.dataset;
    const isHost = kind === "host" ? "host" : "participant";
    say(item.querySelector(".done"), t.t("board.working"));
    try {
      done.set(id, await taps[button.dataset.tap ?? ""](personOf(id, isHost), isHost));
      await look();
    } catch (error) {
      done.set(id, problem(t, error));
      draw();
    }
  }

  /** Fetch and open letters. The request has the session's header, so that a link on another site can't make it. @param {string[]} people */
  async function openLetters(people) {
    const file = await api(`${place}/letters.pdf?people=${people.map(encodeURIComponent).join(",")}`);
    const link = make("a");
    link.href = URL.createObjectURL(file);
    link.download = t.t("plan.letters_file");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), LOOK_MS);
  }

  /** @param {Person | Host} person @param {{ link?: string, code?: string }} [made] */
  function showLink(person, made) {
    say(find("#link-who"), person.label);
    field("#link-text").value = made?.link ?? "";
    find("#link-code").hidden = !made?.code;
    say(find("#link-code"), made?.code ? `${t.t("plan.link_code")} ${made.code.replace(/^.{5}/, "$&-")}` : "");
    say(find("#link-said"), "");
    /** @type {HTMLDialogElement} */ (find("#link")).showModal();
    field("#link-text").select();
  }

  /** @param {"participant" | "host"} kind @param {Person | Host | null} one */
  function openPerson(kind, one) {
    edited = { kind, one };
    find("#person .fields").replaceChildren(personFields(kind, one ?? {}));
    open("person");
  }

  /** @param {string} name of a dialog */
  function open(name) {
    const dialog = /** @type {HTMLDialogElement} */ (find(`#${name}`));
    complain(find("[data-problem]", dialog), "");
    clearWrong(dialog);
    if (name === "move") {
      field("#date").value = meeting.local_start.slice(0, 10);
      field("#time").value = meeting.local_start.slice(11, 16);
      const length = String(minutesOf(meeting));
      const list = /** @type {HTMLSelectElement} */ (find("#minutes"));
      if (![...list.options].some(({ value }) => value === length)) list.append(new Option(t.plural("plan.minutes", Number(length)), length));
      list.value = length;
    }
    if (name === "correct") fillAbout(meeting, t);
    dialog.showModal();
  }

  /** Whoever can be reached and has not been invited yet. */
  async function inviteAll() {
    const waiting = [...meeting.participants, ...meeting.hosts].filter((one) => !one.invitation && channelOf(one));
    if (waiting.length) await api(`${place}/invitations`, { people: waiting.map(({ id }) => id), channel: "auto" });
    say(find("#said"), waiting.length ? t.plural("plan.done.invite_all", waiting.length) : t.t("plan.nobody_to_invite"));
    await look();
  }

  /** Somebody among those to call knows it now. @param {string} id @param {boolean} isOut whether they are in the meeting no more */
  async function told(id, isOut) {
    meeting = await (isOut ? api(`${place}/taken-out/${encodeURIComponent(id)}`, undefined, "DELETE") : api(`${place}/told/${encodeURIComponent(id)}`, {}));
    draw();
  }

  /** @type {Record<string, () => Promise<any>>} */
  const answers = {
    move: () => api(place, { local_start: `${field("#date").value}T${field("#time").value}`, minutes: Number(field("#minutes").value) }, "PATCH"),
    correct: () => api(place, readAbout(meeting.reminders), "PATCH"),
    cancel: () => api(place, undefined, "DELETE"),
    person() {
      const fields = readFields(find("#person"));
      const folder = `${place}/${edited.kind}s`;
      return edited.one ? api(`${folder}/${encodeURIComponent(edited.one.id)}`, fields, "PATCH") : api(folder, fields);
    },
  };

  for (const name of Object.keys(answers)) {
    const dialog = /** @type {HTMLDialogElement} */ (find(`#${name}`));
    const form = /** @type {HTMLFormElement} */ (find("form", dialog));
    form.noValidate = true;
    form.addEventListener("submit", async (event) => {
      if (/** @type {HTMLButtonElement | null} */ (event.submitter)?.value !== "yes") return;
      event.preventDefault();
      const wrong = check(t, dialog);
      complain(find("[data-problem]", dialog), wrong);
      if (wrong) return;
      try {
        await answers[name]();
        dialog.close();
        say(find("#said"), t.t(`plan.done.${name}`));
        await look();
      } catch (error) {
        complain(find("[data-problem]", dialog), tellField(t, error, dialog));
      }
    });
  }
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? /** @type {HTMLElement | null} */ (event.target.closest("[data-tap], [data-open], [data-letters], [data-told], [data-forget]")) : null;
    if (!button) return;
    const { told: here, forget: out } = button.dataset;
    if (here || out) told(String(here ?? out), Boolean(out)).catch((error) => say(find("#said"), problem(t, error)));
    else if (button.dataset.letters) openLetters(meeting.participants.map(({ id }) => id)).catch((error) => say(find("#said"), problem(t, error)));
    else if (button.dataset.open === "person") openPerson(button.dataset.host ? "host" : "participant", null);
    else if (button.dataset.open) open(button.dataset.open);
    else tap(button);
  });
  find("#invite-all").addEventListener("click", () => inviteAll().catch((error) => say(find("#said"), problem(t, error))));
  watchAbout(t, () => meeting.participants.length + meeting.hosts.length);
  find("#copy").addEventListener("click", () => {
    navigator.clipboard.writeText(field("#link-text").value).then(() => "board.copied", () => "board.not_copied").then((key) => say(find("#link-said"), t.t(key)));
  });
  setInterval(() => {
    if (document.visibilityState === "visible") look().catch(() => undefined);
  }, LOOK_MS);
  draw();
}
