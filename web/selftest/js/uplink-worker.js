/**
 * Writes our own bytes over each encoded frame of sound before it is encrypted and sent: a stamp, then zeros. So the page
 * sends at a constant rate that no browser slows down, and nothing of the sound is left. Runs in a worker of its own, so
 * that a busy page does not delay it. Layout: u32 magic, u16 run, u16 track, u32 number, u64 time in µs.
 */

const MAGIC = 0x52445955;
const WORD = 2 ** 32;

let run = 0;
let tracks = 0;
let bytes = 0;
let sent = 0;
let end = 0;

/** @param {number} track @returns {ArrayBuffer} */
function stamped(track) {
  const frame = new ArrayBuffer(bytes);
  const view = new DataView(frame);
  const now_us = Math.round(performance.now() * 1000);
  view.setUint32(0, MAGIC);
  view.setUint16(4, run);
  view.setUint16(6, track);
  view.setUint32(8, sent);
  view.setUint32(12, Math.floor(now_us / WORD));
  view.setUint32(16, now_us % WORD);
  return frame;
}

/** Nothing is sent outside a run, or on tracks that a run doesn't need. @param {number} track */
function padding(track) {
  return new TransformStream({
    transform(frame, controller) {
      if (run === 0 || track >= tracks || performance.now() >= end) return;
      frame.data = stamped(track);
      sent += 1;
      controller.enqueue(frame);
    },
  });
}

/** @param {{ readable: ReadableStream, writable: WritableStream }} streams @param {number} track */
function pipe({ readable, writable }, track) {
  readable.pipeThrough(padding(track)).pipeTo(writable).catch(() => undefined);
}

/** @param {any} event */
const attached = (event) => pipe(event.transformer, event.transformer.options.track);
Object.assign(self, { onrtctransform: attached });

self.addEventListener("message", ({ data }) => {
  if (data.kind === "streams") pipe(data, data.track);
  if (data.kind === "run") {
    ({ run, tracks, bytes } = data);
    sent = 0;
    end = performance.now() + data.ms;
  }
  if (data.kind === "stop") {
    self.postMessage({ run, sent });
    run = 0;
  }
});
