/**
 * Bytes on the wire: binary messages of the session socket, and pings on the data channel "clock".
 * All numbers are big endian; layouts are those of the protocol document.
 */

export const STILL_UP = 0x01;
export const PCM_UP = 0x02;
export const HEADROOM_DOWN = 0x10;
export const HEADROOM_UP = 0x11;
export const HEADROOM_BYTES = 16 * 1024;

export const IDLE = 0;
export const LOADED = 1;
const PING = 1;
const PONG = 2;
const PING_BYTES = 24;
const PONG_BYTES = 40;
const WORD = 2 ** 32;

/** @param {DataView} view @param {number} offset @param {number} value up to 2^53 */
function setU64(view, offset, value) {
  view.setUint32(offset, Math.floor(value / WORD));
  view.setUint32(offset + 4, value % WORD);
}

/** @param {DataView} view @param {number} offset */
function getU64(view, offset) {
  return view.getUint32(offset) * WORD + view.getUint32(offset + 4);
}

/**
 * @param {number} kind STILL_UP or PCM_UP @param {number} t_ms @param {Uint8Array} payload
 * @returns {Uint8Array}
 */
export function frame(kind, t_ms, payload) {
  const bytes = new Uint8Array(5 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, Math.max(0, Math.round(t_ms)));
  bytes.set(payload, 5);
  return bytes;
}

/** A 16 KiB message of noise, which no link can compress. @returns {Uint8Array} */
export function headroomChunk() {
  const bytes = crypto.getRandomValues(new Uint8Array(HEADROOM_BYTES));
  bytes.fill(0, 0, 16);
  bytes[0] = HEADROOM_UP;
  return bytes;
}

/** @param {number} tag IDLE or LOADED @param {number} seq @param {number} t1_us @returns {ArrayBuffer} */
export function encodePing(tag, seq, t1_us) {
  const view = new DataView(new ArrayBuffer(PING_BYTES));
  view.setUint8(0, PING);
  view.setUint8(1, tag);
  view.setUint32(4, seq);
  setU64(view, 8, Math.round(t1_us));
  return /** @type {ArrayBuffer} */ (view.buffer);
}

/**
 * @param {ArrayBuffer} data
 * @returns {{ tag: number, seq: number, t1_us: number, t2_us: number, t3_us: number } | null} null for anything else
 */
export function decodePong(data) {
  if (data.byteLength !== PONG_BYTES) return null;
  const view = new DataView(data);
  if (view.getUint8(0) !== PONG) return null;
  return { tag: view.getUint8(1), seq: view.getUint32(4), t1_us: getU64(view, 8), t2_us: getU64(view, 16), t3_us: getU64(view, 24) };
}
