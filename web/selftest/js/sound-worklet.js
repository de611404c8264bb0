/**
 * Raw capture in the audio thread: one block of figures each 100 ms, and 16 kHz PCM in pieces of 200 ms.
 * Nothing is kept here after it has been posted.
 */
import { BlockMeter, Resampler } from "./dsp.js";

const PIECE = 3200;

class SoundProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.meter = new BlockMeter(sampleRate);
    this.resampler = new Resampler(sampleRate);
    this.piece = new Int16Array(PIECE);
    this.filled = 0;
    this.start_ms = 0;
    this.silence = new Float32Array(128);
  }

  /** @param {Float32Array[][]} inputs @returns {boolean} true: keep the processor alive */
  process(inputs) {
    const samples = inputs[0]?.[0] ?? this.silence;
    for (const block of this.meter.feed(samples)) this.port.postMessage({ block });
    for (const value of this.resampler.feed(samples)) this.push(value);
    return true;
  }

  /** @param {number} value */
  push(value) {
    if (this.filled === 0) this.start_ms = (1000 * this.meter.total) / sampleRate;
    this.piece[this.filled] = value;
    this.filled += 1;
    if (this.filled < PIECE) return;
    const pcm = this.piece.slice();
    this.port.postMessage({ t_ms: Math.round(this.start_ms), pcm }, [pcm.buffer]);
    this.filled = 0;
  }
}

registerProcessor("readiness-sound", SoundProcessor);
