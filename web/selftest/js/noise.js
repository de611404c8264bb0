/**
 * Noise of a raw picture, in luma steps: Immerkaer's estimate (1996) on the flattest quarter of 32 px blocks, the same as
 * the server's `probes/light.py`. Pure; here because JPEG takes away the noise that automatic gain makes of a dark room.
 */

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
