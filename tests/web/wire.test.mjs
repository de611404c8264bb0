import assert from "node:assert/strict";
import { test } from "node:test";
import "./support.mjs";
import { decodePong, encodePing, frame, HEADROOM_BYTES, HEADROOM_UP, headroomChunk, LOADED, PCM_UP, STILL_UP } from "../../web/selftest/js/wire.js";

const hex = (bytes) => Buffer.from(bytes).toString("hex");

test("a ping is 24 bytes as the protocol says, with microseconds beyond 32 bits", () => {
  assert.equal(hex(encodePing(LOADED, 7, 2 ** 32 + 5)), "01010000" + "00000007" + "0000000100000005" + "0000000000000000");
});

test("a pong gives back its numbers exactly", () => {
  const view = new DataView(new ArrayBuffer(40));
  view.setUint8(0, 2);
  view.setUint32(4, 9);
  view.setBigUint64(8, 123456789012n);
  view.setBigUint64(16, 9007199254740000n);
  view.setBigUint64(24, 9007199254740991n);
  assert.deepEqual(decodePong(view.buffer), { tag: 0, seq: 9, t1_us: 123456789012, t2_us: 9007199254740000, t3_us: 9007199254740991 });
});

test("anything else on the channel is no pong", () => {
  assert.equal(decodePong(new ArrayBuffer(0)), null);
  assert.equal(decodePong(new ArrayBuffer(24)), null);
  assert.equal(decodePong(new ArrayBuffer(40)), null);
});

test("a still and a piece of sound carry kind and time before their bytes", () => {
  assert.equal(hex(frame(STILL_UP, 1500.4, Uint8Array.of(0xff, 0xd8))), "01" + "000005dc" + "ffd8");
  assert.equal(hex(frame(PCM_UP, -3, Uint8Array.of(1))), "02" + "00000000" + "01");
});

test("a headroom message is 16 KiB, known by its first byte, and new noise each time", () => {
  const [one, other] = [headroomChunk(), headroomChunk()];
  assert.equal(one.length, HEADROOM_BYTES);
  assert.equal(one[0], HEADROOM_UP);
  assert.notEqual(hex(one), hex(other));
});
