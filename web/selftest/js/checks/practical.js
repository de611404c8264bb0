/**
 * Practical questions, all optional. Only given answers are sent.
 */

/** @param {string} text @returns {string} digits, spaces and a plus; "" without a number in it */
export function tidyPhone(text) {
  const kept = text.replace(/[^+0-9 ]/g, "").trim().slice(0, 20);
  return /\d{4}/.test(kept.replaceAll(" ", "")) ? kept : "";
}

/** Questions with one of these words as their answer, never free text. */
const CHOICES = { private_room: ["yes", "no", "unknown"], company: ["alone", "family", "staff", "others"], interpreter: ["yes", "no"], equipment: ["yes", "no"] };

/** @typedef {Partial<Record<keyof typeof CHOICES, string>> & { phone?: string }} Answers */

/** @param {Record<string, string>} form raw field values by name @param {string[]} asked names of the questions @returns {Answers} */
export function answersOf(form, asked) {
  /** @type {Answers} */
  const answers = {};
  for (const [question, words] of Object.entries(CHOICES)) {
    const said = form[question] ?? "";
    if (asked.includes(question) && words.includes(said)) answers[/** @type {keyof typeof CHOICES} */ (question)] = said;
  }
  const phone = tidyPhone(form.phone ?? "");
  if (asked.includes("phone") && phone) answers.phone = phone;
  return answers;
}

/**
 * @param {{ asked: string[], answer: (signal: AbortSignal) => Promise<Record<string, string>>, signal: AbortSignal }} options
 * @returns {Promise<{ answers: Answers }>}
 */
export async function run({ asked, answer, signal }) {
  return { answers: answersOf(await answer(signal), asked) };
}
