import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockMeter, DropoutCounter, FLOOR_DBFS, measureBlock, Resampler, toDbfs } from "../../web/selftest/js/dsp.js";

const sine = (hz, seconds, rate, amplitude = 1) => Float32Array.from({ length: Math.round(seconds * rate) }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rate));
const rms = (samples) => Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
/** RMS of the steady part of what comes out of a resampler, relative to full scale, dB. */
function through(rate, hz) {
  const out = new Resampler(rate).feed(sine(hz, 1, rate, 0.5));
  const steady = [...out.slice(1000, 15000)].map((value) => value / 32767);
  return 20 * Math.log10(rms(steady) / rms(sine(hz, 1, rate, 0.5)));
}

test("a full-scale sine has an RMS of -3 dBFS and a peak of 0", () => {
  const [, rms_dbfs, peak_dbfs] = measureBlock(sine(1000, 0.1, 48000, 0.998), 0);
  assert.equal(rms_dbfs, -3);
  assert.equal(peak_dbfs, -0);
});

test("digital silence is the floor, and all of it is zeros", () => {
  assert.deepEqual(measureBlock(new Float32Array(4800), 200), [200, FLOOR_DBFS, FLOOR_DBFS, 100, 0, 0, 0]);
  assert.equal(toDbfs(0), FLOOR_DBFS);
});

test("clipping is a run of samples at full scale; one loud sample is none", () => {
  const one = new Float32Array(4800);
  one[100] = 1;
  assert.equal(measureBlock(one, 0)[4], 0);
  const clipped = sine(200, 0.1, 48000, 2).map((value) => Math.max(-1, Math.min(1, value)));
  assert.equal(measureBlock(clipped, 0)[4], 100);
});

test("a low clean tone near full scale does not count as clipped", () => {
  assert.equal(measureBlock(sine(60, 0.1, 48000, 0.95), 0)[4], 0);
});

/** A voice-like tone with noise, with gaps of 20 ms where `cut` says so, and what an echo canceller's high-pass makes of it. */
function spoken({ cut = [], fade = 0, highPass = false, rate = 48000 }) {
  let state = 1;
  const noise = () => (state = (state * 1664525 + 1013904223) % 4294967296) / 4294967296 - 0.5;
  const samples = sine(180, 1, rate, 0.05).map((value) => value + 0.002 * noise());
  for (const at of cut) {
    for (let i = 0; i < fade; i += 1) samples[at - fade + i] *= Math.exp((-6 * i) / fade);
    samples.fill(0, at, at + 0.02 * rate);
  }
  if (!highPass) return samples;
  let [before, out] = [0, 0];
  return samples.map((value) => ([out, before] = [0.985 * (out + value - before), value])[0]);
}

test("a gap in the middle of sound is a dropout, also behind a high-pass; a pause and steady sound are none", () => {
  for (const highPass of [false, true]) {
    assert.equal(dropouts(spoken({ highPass })), 0);
    assert.equal(dropouts(spoken({ cut: [9000, 24000, 40000], highPass })), 3);
    assert.equal(dropouts(spoken({ cut: [9000], fade: 2400, highPass: true })), 0);
  }
  assert.equal(dropouts(new Float32Array(48000)), 0);
  assert.equal(dropouts(sine(60, 1, 48000, 2).map((value) => Math.max(-1, Math.min(1, value)))), 0);
});

test("blocks come every 100 ms whatever the size of the pieces, at any rate", () => {
  for (const rate of [16000, 44100, 48000]) {
    const meter = new BlockMeter(rate);
    const blocks = [];
    const samples = sine(440, 1, rate);
    for (let i = 0; i < samples.length; i += 128) blocks.push(...meter.feed(samples.subarray(i, i + 128)));
    assert.equal(blocks.length, 10);
    assert.deepEqual(blocks.map(([t_ms]) => t_ms), [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
  }
});

test("16 kHz comes out of any usual rate, in pieces as in one", () => {
  for (const rate of [8000, 16000, 44100, 48000, 96000]) {
    const samples = sine(440, 1, rate, 0.5);
    const whole = new Resampler(rate).feed(samples);
    assert.ok(Math.abs(whole.length - 16000) < 60, `${rate}: ${whole.length}`);
    const pieces = new Resampler(rate);
    const joined = [];
    for (let i = 0; i < samples.length; i += 128) joined.push(...pieces.feed(samples.subarray(i, i + 128)));
    assert.deepEqual(joined.slice(0, 8000), [...whole.slice(0, 8000)]);
  }
});

test("speech passes the low-pass whole, and what would alias is 50 dB down", () => {
  for (const rate of [44100, 48000]) {
    for (const hz of [100, 1000, 4000, 6500]) assert.ok(Math.abs(through(rate, hz)) < 0.5, `${rate} ${hz}: ${through(rate, hz)}`);
    for (const hz of [9500, 12000, 20000]) assert.ok(through(rate, hz) < -50, `${rate} ${hz}: ${through(rate, hz)}`);
  }
});

test("samples over full scale are cut, not wrapped", () => {
  const out = new Resampler(16000).feed(new Float32Array(2000).fill(3));
  assert.equal(Math.max(...out), 32767);
  assert.ok(Math.min(...out) >= -32768);
});

/** Dropouts that are found in `samples`, fed in one go. */
function dropouts(samples, rate = 48000) {
  const counter = new DropoutCounter(rate);
  for (const value of samples) counter.add(value);
  return counter.take();
}

test("zeros in the middle of sound are a dropout; a pause, a mute and a single zero are none", () => {
  const gap = (from, to) => sine(440, 1, 48000, 0.3).map((value, i) => (i >= from && i < to ? 0 : value));
  assert.equal(dropouts(sine(440, 1, 48000, 0.3)), 0);
  assert.equal(dropouts(gap(20_020, 20_980)), 1, "a lost packet of 20 ms");
  assert.equal(dropouts(gap(20_020, 20_120)), 0, "2 ms may be chance");
  assert.equal(dropouts(gap(10_000, 40_000)), 0, "0.6 s is a mute");
  const gated = sine(440, 1, 48000, 0.3).map((value, i) => (i < 20_000 ? value * Math.max(0, 1 - i / 19_000) : i < 21_000 ? 0 : value));
  assert.equal(dropouts(gated), 0, "a noise gate lets sound die away first");
});

test("a dropout across two blocks is counted once, where it ends", () => {
  const meter = new BlockMeter(48000);
  const samples = sine(440, 0.3, 48000, 0.3).map((value, i) => (i >= 4500 && i < 5460 ? 0 : value));
  assert.deepEqual(meter.feed(samples).map((block) => block[5]), [0, 1, 0]);
});

test("sound that was clipped and turned down afterwards is flat at its own peak", () => {
  const clean = measureBlock(sine(200, 0.1, 48000, 0.3), 0);
  const turnedDown = measureBlock(sine(200, 0.1, 48000, 2).map((value) => 0.3 * Math.max(-1, Math.min(1, value))), 0);
  assert.equal(turnedDown[4], 0);
  assert.equal(turnedDown[6], 100);
  assert.ok(clean[6] < 100 || clean[2] < -10);
});

test("the resampler says how early its first sample is", () => {
  assert.ok(Math.abs(new Resampler(48000).early_ms - 1.6) < 0.1);
});
