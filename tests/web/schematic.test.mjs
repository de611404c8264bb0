import assert from "node:assert/strict";
import { test } from "node:test";
import { facesOf, schematic } from "../../web/selftest/js/schematic.js";

const checks = (places, light = { luma_left: 40, luma_right: 200 }) => [
  { id: "camera.light", details: light },
  { id: "camera.people", details: { places } },
];

test("faces are drawn where the person saw them: mirrored", () => {
  const { shapes, count, left, right } = schematic(checks("10 20 20 30;70 25 10 15"));
  assert.deepEqual([count, left, right], [2, 200, 40]);
  const faces = shapes.slice(3).map(([, box]) => [box.x, box.y, box.width, box.height]);
  assert.deepEqual(faces, [[112, 20, 32, 30], [32, 25, 16, 15]]);
});

test("an empty room is drawn empty, and without figures nothing is drawn", () => {
  assert.equal(schematic(checks("")).count, 0);
  assert.equal(schematic([]), null);
  assert.equal(schematic(checks("10 20 20 30", {})), null);
});

test("what is no list of boxes gives none", () => {
  assert.deepEqual(facesOf("1 2 3;a b c d;5 6 7 8"), [[5, 6, 7, 8]]);
  assert.deepEqual(facesOf(null), []);
});
