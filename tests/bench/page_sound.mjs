/**
 * The page's own arithmetic outside the page: raw sound at 48 kHz (float32, mono) on standard input, JSON on standard
 * output: the blocks that the page would send and, in base64, the 16 kHz PCM. Pieces of 128 samples, as in the browser.
 */
import { BlockMeter, Resampler } from "../../web/selftest/js/dsp.js";

const RATE = 48000;
const PIECE = 128;
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const bytes = Buffer.concat(chunks);
const sound = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const meter = new BlockMeter(RATE);
const resampler = new Resampler(RATE);
const blocks = [];
const pcm = [];
for (let i = 0; i < sound.length; i += PIECE) {
  const piece = sound.subarray(i, i + PIECE);
  blocks.push(...meter.feed(piece));
  if (process.argv[2] === "pcm") pcm.push(Buffer.from(resampler.feed(piece).buffer));
}
process.stdout.write(JSON.stringify({ blocks, pcm: Buffer.concat(pcm).toString("base64") }));
