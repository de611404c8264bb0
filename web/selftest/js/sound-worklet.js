/**
 * Raw capture in the audio thread: one block of figures each 100 ms, and 16 kHz PCM in pieces of 200 ms.
 * Nothing is kept here after it has been posted.
 */
import { BlockMeter, OUT_HZ, Resampler } from "./dsp.js";

const PIECE = 3200;

class SoundProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.meter = new BlockMeter(sampleRate);
    this.resampler = new Resampler(sampleRate);
    this.piece = new Int16Array(PIECE);
    this.filled = 0;
    this.pieces = 0;
    /** Time of the context in which this processor was not called; browsers skip some at the start. */
    this.missed_ms = 0;
    this.origin_s = NaN;
    this.silence = new Float32Array(128);
  }

  /** @param {Float32Array[][]} inputs @returns {boolean} true: keep the processor alive */
  process(inputs) {
    const samples = inputs[0]?.[0] ?? this.silence;
    if (this.meter.total === 0) {
      this.origin_s = currentTime;
      this.port.postMessage({ origin_s: currentTime });
    }
    this.missed_ms = 1000 * (currentTime - this.origin_s - this.meter.total / sampleRate);
    for (const block of this.meter.feed(samples)) this.port.postMessage({ block });
    for (const value of this.resampler.feed(samples)) this.push(value);
    return true;
  }

  /** @param {number} value */
  push(value) {
    this.piece[this.filled] = value;
    this.filled += 1;
    if (this.filled < PIECE) return;
    const pcm = this.piece.slice();
    const t_ms = Math.max(0, Math.round((this.pieces * 1000 * PIECE) / OUT_HZ + this.missed_ms - this.resampler.early_ms));
    this.port.postMessage({ t_ms, pcm }, [pcm.buffer]);
    this.filled = 0;
    this.pieces += 1;
  }
}

registerProcessor("readiness-sound", SoundProcessor);
