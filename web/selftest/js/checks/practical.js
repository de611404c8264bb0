/**
 * Practical questions, each of them optional. An answer that was not given is not sent.
 */

const MAX_PEOPLE = 50;

/** @param {string} text @returns {string} digits, spaces and a plus; "" where there is no number in it */
export function tidyPhone(text) {
  const kept = text.replace(/[^+0-9 ]/g, "").trim().slice(0, 20);
  return /\d{4}/.test(kept.replaceAll(" ", "")) ? kept : "";
}

/**
 * @param {Record<string, string>} form raw field values by name @param {string[]} asked names of the questions
 * @returns {{ private_room?: "yes" | "no" | "unknown", people?: number, phone?: string }}
 */
export function answersOf(form, asked) {
  /** @type {{ private_room?: "yes" | "no" | "unknown", people?: number, phone?: string }} */
  const answers = {};
  const room = form.private_room;
  if (asked.includes("private_room") && (room === "yes" || room === "no" || room === "unknown")) answers.private_room = room;
  const people = Number.parseInt(form.people ?? "", 10);
  if (asked.includes("people") && people >= 1 && people <= MAX_PEOPLE) answers.people = people;
  const phone = tidyPhone(form.phone ?? "");
  if (asked.includes("phone") && phone) answers.phone = phone;
  return answers;
}

/**
 * @param {{ asked: string[], answer: (signal: AbortSignal) => Promise<Record<string, string>>, signal: AbortSignal }} options
 * @returns {Promise<{ answers: ReturnType<typeof answersOf> }>}
 */
export async function run({ asked, answer, signal }) {
  return { answers: answersOf(await answer(signal), asked) };
}
