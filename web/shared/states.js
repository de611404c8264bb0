/** States of a participant in which the meeting can be held as things are; as `READY_VERDICTS` in `reports/model.py`. */
export const READY = ["ready", "ready_with_warnings"];
