import assert from "node:assert/strict";
import { test } from "node:test";
import { lumaOf, noiseSigma, rawNoise } from "../../web/selftest/js/preview.js";

/** Pseudo-random normal numbers, the same every time. */
function normal(seed) {
  let state = seed;
  const uniform = () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return (state + 1) / 4294967297;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

function wall(sigma, level = 120, width = 320, height = 192) {
  const next = normal(7);
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i += 1) rgba.fill(Math.round(level + sigma * next()), 4 * i, 4 * i + 3);
  return noiseSigma(lumaOf(rgba, width * height), width, height);
}

test("the noise that was added is found within a tenth", () => {
  for (const sigma of [2, 5, 12]) assert.ok(Math.abs(wall(sigma) - sigma) < 0.12 * sigma, `${sigma}: ${wall(sigma)}`);
});

test("an even wall has no noise, and a black picture hides it", () => {
  assert.equal(wall(0), 0);
  assert.equal(wall(0, 0), null);
  assert.equal(wall(0, 255), null);
});

test("a picture smaller than a block says nothing", () => {
  assert.equal(noiseSigma(new Float32Array(30 * 30), 30, 30), null);
});

test("the raw picture is looked at in its own pixels, in the upper middle", () => {
  const drawn = [];
  const canvas = { width: 0, height: 0 };
  const next = normal(3);
  const context = {
    canvas,
    drawImage: (_video, ...places) => drawn.push(places),
    getImageData: (_x, _y, width, height) => {
      const data = new Uint8ClampedArray(4 * width * height);
      for (let i = 0; i < width * height; i += 1) data.fill(Math.round(90 + 9 * next()), 4 * i, 4 * i + 3);
      return { data };
    },
  };
  const sigma = rawNoise({ videoWidth: 1280, videoHeight: 720 }, context);
  assert.ok(Math.abs(sigma - 9) < 1, sigma);
  assert.deepEqual(drawn, [[320, 0, 640, 360, 0, 0, 640, 360]]);
  assert.equal(rawNoise({ videoWidth: 0, videoHeight: 0 }, context), null);
  assert.equal(rawNoise({ videoWidth: 320, videoHeight: 240 }, null), null);
});
