/**
 * Arithmetic of raw capture, free of the audio worklet's scope so that it can be tested anywhere.
 * Levels are dBFS of amplitude 1.0: a full-scale sine has an RMS of -3.01.
 * @typedef {import("../../shared/types").Block} Block
 */

/** Floor of levels, because silence has no logarithm. */
export const FLOOR_DBFS = -120;
/** A run of this many samples at full scale is clipping. */
const CLIP_RUN = 3;
/** Full scale: just under the largest value of 16-bit capture. */
const CLIP_LEVEL = 0.999;
const BLOCK_S = 0.1;
const CLIP_FRAMES = 5;

/** @param {number} amplitude */
export function toDbfs(amplitude) {
  return amplitude > 1e-6 ? Math.round(200 * Math.log10(amplitude)) / 10 : FLOOR_DBFS;
}

/** A run within this share of the block's own peak is flat: clipped somewhere, and turned down afterwards. */
const FLAT_SHARE = 0.999;
/** Least peak of a flat run: -40 dBFS. */
const FLAT_LEAST = 0.01;
/** Length of a dropout, 3 to 300 ms: a shorter gap may be chance, a longer one is a mute or a noise gate. */
const DROPOUT_S = [0.003, 0.3];
/**
 * In a gap nothing changes by more than half a step of 16 bits from one sample to the next, which no live microphone does.
 * Exact zeros would be too much to ask: the high-pass of the browser's echo canceller smears them (own measurement).
 */
const STILL = 0.5 / 32768;
const STILL_MOST = 0.001;
/**
 * Both sides of a dropout are in the middle of sound: at least -50 dBFS at most so long before and after it, s, and before
 * it not far under what there was lately: a noise gate lets sound die away first.
 */
const EDGE_S = [0.014, 0.002];
const LATELY_S = 0.1;
const LATELY_SHARE = 0.4;
const EDGE_LEAST = 0.003;

/** @param {Float32Array} samples @param {number} from @param {number} to @param {number} level */
function runsAt(samples, from, to, level) {
  let run = 0;
  for (let i = from; i < to; i += 1) {
    run = Math.abs(samples[i]) >= level ? run + 1 : 0;
    if (run >= CLIP_RUN) return true;
  }
  return false;
}

/** @param {Float32Array} samples @param {number} level share of 20 ms frames with a run at `level`, percent */
function framesAt(samples, level) {
  let found = 0;
  const part = Math.floor(samples.length / CLIP_FRAMES);
  for (let i = 0; i < CLIP_FRAMES; i += 1) if (runsAt(samples, i * part, (i + 1) * part, level)) found += 1;
  return (100 * found) / CLIP_FRAMES;
}

/** Finds dropouts in the middle of sound, across blocks. */
export class DropoutCounter {
  /** @param {number} rate_hz */
  constructor(rate_hz) {
    this.shortest = rate_hz * DROPOUT_S[0];
    this.longest = rate_hz * DROPOUT_S[1];
    this.edges = EDGE_S.map((edge) => Math.round(rate_hz * edge));
    this.run = 0;
    this.since_loud = Infinity;
    this.waiting = 0;
    this.near = false;
    this.last = 0;
    this.lately = 0;
    this.fading = Math.exp(-1 / (rate_hz * LATELY_S));
    this.found = 0;
  }

  /** @param {number} value */
  add(value) {
    const size = Math.abs(value);
    const still = Math.abs(value - this.last) <= STILL && size < STILL_MOST;
    this.last = value;
    this.lately = Math.max(size, this.lately * this.fading);
    if (still) {
      if (this.run === 0) this.near = this.since_loud <= this.edges[0];
      this.run += 1;
      return;
    }
    if (this.run >= this.shortest && this.run <= this.longest && this.near) this.waiting = this.edges[1];
    this.since_loud += this.run + 1;
    this.run = 0;
    const loud = size >= EDGE_LEAST;
    if (loud && size >= LATELY_SHARE * this.lately) this.since_loud = 0;
    if (this.waiting > 0) {
      if (loud) this.found += 1;
      this.waiting = loud ? 0 : this.waiting - 1;
    }
  }

  /** @returns {number} dropouts found since the last call */
  take() {
    const { found } = this;
    this.found = 0;
    return found;
  }
}

/**
 * @param {Float32Array} samples 100 ms of raw capture @param {number} t_ms where the block starts @param {number} dropouts that ended in it
 * @returns {Block}
 */
export function measureBlock(samples, t_ms, dropouts = 0) {
  let sum = 0;
  let peak = 0;
  let zeros = 0;
  for (const value of samples) {
    sum += value * value;
    if (value === 0) zeros += 1;
    const size = Math.abs(value);
    if (size > peak) peak = size;
  }
  const zero_pct = Math.round((1000 * zeros) / samples.length) / 10;
  const flat_pct = peak >= FLAT_LEAST ? framesAt(samples, FLAT_SHARE * peak) : 0;
  const levels = [toDbfs(Math.sqrt(sum / samples.length)), toDbfs(peak)];
  return [Math.round(t_ms), levels[0], levels[1], zero_pct, framesAt(samples, CLIP_LEVEL), dropouts, flat_pct];
}

/** Collects samples of any piece size into blocks of 100 ms. */
export class BlockMeter {
  /** @param {number} rate_hz */
  constructor(rate_hz) {
    this.rate_hz = rate_hz;
    this.samples = new Float32Array(Math.round(rate_hz * BLOCK_S));
    this.dropouts = new DropoutCounter(rate_hz);
    this.filled = 0;
    this.total = 0;
  }

  /** @param {Float32Array} input @returns {Block[]} the blocks that are full */
  feed(input) {
    const blocks = [];
    for (const value of input) {
      this.samples[this.filled] = value;
      this.dropouts.add(value);
      this.filled += 1;
      this.total += 1;
      if (this.filled === this.samples.length) {
        const start_ms = (1000 * (this.total - this.filled)) / this.rate_hz;
        blocks.push(measureBlock(this.samples, start_ms, this.dropouts.take()));
        this.filled = 0;
      }
    }
    return blocks;
  }
}

/** The rate of sound sent to the server. */
export const OUT_HZ = 16000;
/** Zero crossings of the filter on each side; 24 keeps aliasing under -60 dB. */
const CROSSINGS = 24;
/** Positions between two input samples in the filter's table. */
const PHASES = 160;

/**
 * A windowed-sinc low-pass, one row of taps per phase.
 * @param {number} cutoff share of the input rate, at most 0.5 @param {number} half taps on each side
 */
function filterTable(cutoff, half) {
  const table = [];
  for (let phase = 0; phase <= PHASES; phase += 1) {
    const row = new Float32Array(2 * half);
    let sum = 0;
    for (let i = 0; i < row.length; i += 1) {
      const x = i - half + 1 - phase / PHASES;
      const angle = 2 * Math.PI * cutoff * x;
      const sinc = x === 0 ? 2 * cutoff : Math.sin(angle) / (Math.PI * x);
      const window = 0.42 + 0.5 * Math.cos((Math.PI * x) / half) + 0.08 * Math.cos((2 * Math.PI * x) / half);
      row[i] = Math.abs(x) < half ? sinc * window : 0;
      sum += row[i];
    }
    for (let i = 0; i < row.length; i += 1) row[i] /= sum;
    table.push(row);
  }
  return table;
}

/** Any rate to 16 kHz, with a low-pass that leaves speech up to 7 kHz alone. */
export class Resampler {
  /** @param {number} rate_hz */
  constructor(rate_hz) {
    const cutoff = (0.47 * Math.min(OUT_HZ, rate_hz)) / rate_hz;
    this.half = Math.ceil(CROSSINGS / (2 * cutoff));
    this.table = filterTable(cutoff, this.half);
    this.step = rate_hz / OUT_HZ;
    /** The delay of the output against the input, ms. */
    this.early_ms = (1000 * this.half) / rate_hz;
    this.history = new Float32Array(2 * this.half);
    this.position = this.half;
  }

  /** @param {Float32Array} input @returns {Int16Array} */
  feed(input) {
    const samples = new Float32Array(this.history.length + input.length);
    samples.set(this.history);
    samples.set(input, this.history.length);
    const out = [];
    while (this.position + this.half < samples.length) {
      out.push(this.at(samples, this.position));
      this.position += this.step;
    }
    const keep = Math.min(samples.length, 2 * this.half);
    this.position -= samples.length - keep;
    this.history = samples.slice(samples.length - keep);
    return Int16Array.from(out);
  }

  /** @param {Float32Array} samples @param {number} position @returns {number} one 16-bit sample */
  at(samples, position) {
    const whole = Math.floor(position);
    const row = this.table[Math.round((position - whole) * PHASES)];
    let sum = 0;
    for (let i = 0; i < row.length; i += 1) sum += row[i] * samples[whole - this.half + 1 + i];
    return Math.max(-32768, Math.min(32767, Math.round(sum * 32767)));
  }
}
