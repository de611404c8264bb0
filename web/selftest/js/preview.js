/**
 * The camera's picture in this page: whether a first one comes, and whether the browser lets a page read it.
 *
 * A track may be live and give nothing at all, and then `play()` never settles: it is started and started again, and what decides is
 * whether a frame comes. And some browsers hide pictures from pages (Firefox that resists fingerprinting, Brave with all its shields
 * up): the page gets white or noise, and would say that of the camera. So we draw what we know, and look.
 *
 * Noise of a raw picture, in luma steps: Immerkaer's estimate (1996) on the flattest quarter of 32 px blocks, the same as the
 * server's `probes/light.py`; here because JPEG takes away the noise that automatic gain makes of a dark room.
 * @typedef {import("../../shared/types").Clock} Clock
 */
import { stillSize } from "./checks/picture.js";

/** After this long without a picture the camera has failed; most need under 1 s, a few webcams 2 to 3 s. */
export const FRAME_MS = 4000;
const TICK_MS = 100;
/** After this long without a picture a video gets its stream anew: WebKit may never start one that was out of view at first. */
const STUCK_MS = 1500;
/** Most repeats of an interrupted start (another stream, a hidden page). */
const AGAIN_MS = 500;
/** HTMLMediaElement.HAVE_CURRENT_DATA: there is a picture to show. */
const HAVE_PICTURE = 2;

/** @typedef {Pick<HTMLVideoElement, "play" | "readyState" | "videoWidth" | "srcObject">} Preview */

/**
 * Show `stream` and wait for its first picture.
 * @param {Preview} video @param {MediaStream} stream
 * @param {{ clock: Clock, signal: AbortSignal, isHidden?: () => boolean }} options time does not count while the page is out of view
 * @returns {Promise<import("./checks/devices.js").Look>}
 */
export async function firstFrame(video, stream, { clock, signal, isHidden = () => false }) {
  let [playing, since, given] = [false, -AGAIN_MS, 0];
  const give = () => {
    video.srcObject = stream;
    [playing, given] = [false, clock.now()];
  };
  const start = () => {
    playing = true;
    since = clock.now();
    Promise.resolve(video.play()).catch(() => {
      playing = false;
    });
  };
  const shows = () => video.readyState >= HAVE_PICTURE && video.videoWidth > 0;
  const tick = async () => {
    if (clock.now() - given >= STUCK_MS && !isHidden()) {
      video.srcObject = null;
      give();
    }
    if (!playing && clock.now() - since >= AGAIN_MS) start();
    await clock.sleep(TICK_MS, signal);
  };
  give();
  start();
  for (let left = FRAME_MS; left > 0; left -= isHidden() ? 0 : TICK_MS) {
    if (shows()) return { state: "frames" };
    await tick();
  }
  const later = (async () => {
    while (!shows()) await tick();
    return true;
  })();
  return { state: "no_frames", later: later.catch(() => false) };
}

const WIDTH = 64;
const HEIGHT = 48;
const CELL_PX = 16;
/** Luma steps between what was drawn and what was read, on average over a field. JPEG and a shield that flips the lowest bits stay under 6. */
const MOST_OFF = 24;
/** Fields in no order that a plain answer could be mistaken for: row by row, each a level of grey. */
const LEVELS = [30, 200, 90, 230, 160, 60, 220, 110, 240, 130, 40, 180];

/** @param {number} x @param {number} y @returns {number} the level drawn there */
const levelAt = (x, y) => LEVELS[Math.floor(y / CELL_PX) * (WIDTH / CELL_PX) + Math.floor(x / CELL_PX)];

/** @param {Uint8ClampedArray} rgba of 64 x 48 px @returns {boolean} whether the picture that was read is the one that was drawn */
export function matches(rgba) {
  const off = new Float64Array(LEVELS.length);
  if (rgba.length !== 4 * WIDTH * HEIGHT) return false;
  for (let y = 0; y < HEIGHT; y += 1) {
    for (let x = 0; x < WIDTH; x += 1) {
      const i = 4 * (y * WIDTH + x);
      const read = (rgba[i] + rgba[i + 1] + rgba[i + 2]) / 3;
      off[LEVELS.indexOf(levelAt(x, y))] += Math.abs(read - levelAt(x, y)) / CELL_PX ** 2;
    }
  }
  return off.every((mean) => mean <= MOST_OFF);
}

/** @param {CanvasRenderingContext2D} context */
function paint(context) {
  LEVELS.forEach((level, field) => {
    context.fillStyle = `rgb(${level},${level},${level})`;
    context.fillRect((field % (WIDTH / CELL_PX)) * CELL_PX, Math.floor(field / (WIDTH / CELL_PX)) * CELL_PX, CELL_PX, CELL_PX);
  });
}

/**
 * Both ways in which a picture is read here: as pixels, and as a JPEG, which is taken apart again.
 * @param {{ make: () => HTMLCanvasElement, open?: (blob: Blob) => Promise<CanvasImageSource> }} browser
 * @returns {Promise<boolean>} rejects where the browser throws, and may never settle
 */
export async function canReadBack({ make, open }) {
  const canvas = Object.assign(make(), { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return false;
  const read = () => context.getImageData(0, 0, WIDTH, HEIGHT).data;
  paint(context);
  if (!matches(read())) return false;
  if (!open) return true;
  const blob = await new Promise((resolve) => {
    canvas.toBlob(resolve, "image/jpeg", 0.9);
  });
  if (!blob) return false;
  const opened = await open(blob);
  context.fillStyle = "rgb(0,0,0)";
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.drawImage(opened, 0, 0);
  return matches(read());
}

const BLOCK_PX = 32;
/** Blocks darker or brighter than this are clipped and hide their noise. */
const LEAST = 16;
const MOST = 235;

/** @param {Uint8ClampedArray} rgba @param {number} pixels @returns {Float32Array} BT.601 luma */
export function lumaOf(rgba, pixels) {
  const luma = new Float32Array(pixels);
  for (let i = 0; i < pixels; i += 1) luma[i] = 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2];
  return luma;
}

/** @param {Float32Array} luma @param {number} width @param {number} left @param {number} top */
function blockFigures(luma, width, left, top) {
  let rough = 0;
  let bright = 0;
  for (let y = top; y < top + BLOCK_PX; y += 1) {
    for (let x = left; x < left + BLOCK_PX; x += 1) {
      const i = y * width + x;
      const corners = luma[i - width - 1] + luma[i - width + 1] + luma[i + width - 1] + luma[i + width + 1];
      const sides = luma[i - width] + luma[i + width] + luma[i - 1] + luma[i + 1];
      rough += Math.abs(corners - 2 * sides + 4 * luma[i]);
      bright += luma[i];
    }
  }
  return { rough: rough / BLOCK_PX ** 2, bright: bright / BLOCK_PX ** 2 };
}

/** @param {Float32Array} luma @param {number} width @param {number} height @returns {number | null} null where every block is clipped */
export function noiseSigma(luma, width, height) {
  const found = [];
  for (let top = 1; top + BLOCK_PX < height; top += BLOCK_PX) {
    for (let left = 1; left + BLOCK_PX < width; left += BLOCK_PX) {
      const { rough, bright } = blockFigures(luma, width, left, top);
      if (bright > LEAST && bright < MOST) found.push(rough);
    }
  }
  if (found.length === 0) return null;
  found.sort((one, other) => one - other);
  const place = 0.25 * (found.length - 1);
  const low = Math.floor(place);
  const quarter = found[low] + (place - low) * ((found[low + 1] ?? found[low]) - found[low]);
  return (quarter * Math.sqrt(Math.PI / 2)) / 6;
}

/** Most of the picture that is looked at, in its own pixels: shrinking a picture averages its noise away. */
const CUT_PX = { width: 640, height: 360 };

/**
 * Noise of the newest frame of a playing video, on its upper middle: walls are there, not moving hands.
 * @param {HTMLVideoElement} video @param {CanvasRenderingContext2D | null} context of a canvas of our own
 * @returns {number | null} luma steps
 */
export function rawNoise(video, context) {
  const width = Math.min(video.videoWidth, CUT_PX.width);
  const height = Math.min(video.videoHeight, CUT_PX.height);
  if (!context || width < 2 * BLOCK_PX || height < 2 * BLOCK_PX) return null;
  const { canvas } = context;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.drawImage(video, Math.floor((video.videoWidth - width) / 2), 0, width, height, 0, 0, width, height);
  return noiseSigma(lumaOf(context.getImageData(0, 0, width, height).data, width * height), width, height);
}

/** Stills of the preview: drawn to a canvas and made into a JPEG, in memory only. @param {HTMLVideoElement} video the preview @returns {import("./checks/picture.js").StillSource} */
export function stillSource(video) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const rawContext = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  return {
    noise() {
      try {
        return rawNoise(video, rawContext);
      } catch {
        return null;
      }
    },
    toJpeg(quality, longSide_px) {
      const { width, height } = stillSize(video.videoWidth, video.videoHeight, longSide_px);
      if (!context || video.videoWidth === 0) return Promise.resolve(new Uint8Array());
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      context.drawImage(video, 0, 0, width, height);
      return new Promise((resolve) => {
        canvas.toBlob(async (blob) => resolve(new Uint8Array((await blob?.arrayBuffer()) ?? [])), "image/jpeg", quality);
      });
    },
  };
}

/** The last choice of how many they are: so many, or as many as were planned where those are more. */
const MANY = 5;

const choices = () => /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[name=people]"));

/** Show how many they are. @param {number} people as they said, or 0 @param {number} planned */
export function showPeople(people, planned) {
  for (const [at, choice] of choices().entries()) {
    choice.value = String(at < MANY - 1 ? at + 1 : Math.max(MANY, planned));
    choice.checked = Number(choice.value) === (people || planned);
  }
}

/** @param {(people: number) => void} tell called with how many they say they are, also where that is the number shown already */
export function hearPeople(tell) {
  // The space bar gives no click where a choice is chosen already.
  for (const choice of choices()) choice.onclick = choice.onkeyup = (/** @type {any} */ { key = " " }) => key === " " && tell(Number(choice.value));
}
