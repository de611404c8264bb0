/**
 * Why a device could not be opened. Browsers say it with few names and in words of their own; who said no is told by what
 * they know of the permission before and after. Pure.
 * @typedef {import("../../../shared/types").Status} Status
 */

/** Names that are reported as they are. @type {Set<string>} */
const NAMES = new Set(["NotAllowedError", "NotFoundError", "NotReadableError", "OverconstrainedError", "AbortError", "SecurityError"]);
/** What older engines call the same. @type {Record<string, string>} */
const OLD_NAMES = {
  PermissionDeniedError: "NotAllowedError", PermissionDismissedError: "NotAllowedError", DevicesNotFoundError: "NotFoundError",
  TrackStartError: "NotReadableError", SourceUnavailableError: "NotReadableError", MediaDeviceFailedDueToShutdown: "NotReadableError",
  ConstraintNotSatisfiedError: "OverconstrainedError",
};

/**
 * @param {unknown} error what `getUserMedia` was rejected with
 * @param {{ state?: string, allowed?: boolean }} [known] the browser's permission for this device after the error, where it
 *   tells, and whether this page's policy lets it ask at all
 * @returns {Status} never "present"
 */
export function statusOf(error, { state, allowed = true } = {}) {
  const { name = "", message = "" } = /** @type {{ name?: string, message?: string }} */ (error ?? {});
  const plain = OLD_NAMES[name] ?? name;
  if (plain === "NotAllowedError") return refusedBy(`${name} ${message}`, state, allowed);
  return NAMES.has(plain) ? /** @type {Status} */ (plain) : "failed";
}

/**
 * Chromium names the system in its message. A browser that has the person's leave and is refused all the same was refused
 * by the system, too. A question that can be asked again was closed without an answer.
 * @param {string} words @param {string | undefined} state @param {boolean} allowed @returns {Status}
 */
function refusedBy(words, state, allowed) {
  if (!allowed) return "SecurityError";
  if (/dismiss/i.test(words)) return "dismissed";
  if (/\bsystem\b/i.test(words) || state === "granted") return "denied_by_system";
  if (state === "prompt") return "dismissed";
  return "NotAllowedError";
}
