/** A participant's states in which the meeting can be held; the same as `READY_VERDICTS` in `reports/model.py`. */
export const READY = ["ready", "ready_with_warnings"];
