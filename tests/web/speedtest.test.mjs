import assert from "node:assert/strict";
import { test } from "node:test";
import { rateOf, run } from "../../web/selftest/js/speedtest.js";
import { fakeClock } from "./support.mjs";

/** A line of `mbps` each way on a clock of its own; counts what was asked for. */
function line(clock, { down_mbps, up_mbps, status = 200 }) {
  const seen = { down: 0, up: 0, statuses: [status].flat() };
  const chunk = down_mbps < 10 ? 1448 : 16_384;
  let downFree = 0;
  let upFree = 0;
  const wait = (free, bytes, mbps) => Math.max(clock.now(), free) + bytes * 8 / 1000 / mbps;
  const fetch = async (path, { body, signal }) => {
    if (path.includes("latency")) {
      const code = seen.statuses.length > 1 ? seen.statuses.shift() : seen.statuses[0];
      return { ok: code === 200, status: code, json: async () => ({ error: { code: "server.busy" } }) };
    }
    if (body) {
      upFree = wait(upFree, body.size, up_mbps);
      await clock.sleep(upFree - clock.now(), signal);
      seen.up += body.size;
      return { ok: true, text: async () => `size=${body.size}` };
    }
    let left = 7_907_740;
    const read = async () => {
      const size = Math.min(chunk, left);
      if (size === 0) return { done: true };
      downFree = wait(downFree, size, down_mbps);
      await clock.sleep(downFree - clock.now(), signal);
      left -= size;
      seen.down += size;
      return { done: false, value: new Uint8Array(size) };
    };
    return { ok: true, body: { getReader: () => ({ read }) } };
  };
  return { seen, fetch };
}

async function measured(truth, most_bytes = 60e6) {
  const clock = fakeClock();
  const { seen, fetch } = line(clock, truth);
  const phases = [];
  let over = false;
  const controller = new AbortController();
  const running = run({ fetch, clock, session: "s", most_bytes, signal: controller.signal, onPhase: (phase) => phases.push(phase) });
  running.catch(() => undefined).then(() => { over = true; });
  while (!over) await clock.pass(20);
  return { found: await running, seen, phases, took_ms: clock.now() };
}

test("bytes count by how much of their time lies in the window", () => {
  const pieces = [{ from_ms: 0, to_ms: 1000, bytes: 125_000 }, { from_ms: 1000, to_ms: 1000, bytes: 125_000 }];
  assert.equal(rateOf(pieces, 500, 1500), (62_500 + 125_000) * 8 / 1e6);
  assert.equal(rateOf([], 0, 1000), null);
  assert.equal(rateOf(pieces, 1000, 1000), null);
});

for (const [down_mbps, up_mbps] of [[20, 10], [3, 1.5], [0.5, 0.3], [100, 50]]) {
  test(`a line of ${down_mbps}/${up_mbps} Mbit/s reads as that, each way by itself`, async () => {
    const { found, phases, took_ms, seen } = await measured({ down_mbps, up_mbps });
    assert.ok(Math.abs(found.down_mbps / down_mbps - 1) < 0.03, String(found.down_mbps));
    assert.ok(Math.abs(found.up_mbps / up_mbps - 1) < (up_mbps < 1 ? 0.12 : 0.06), String(found.up_mbps));
    assert.deepEqual(phases, ["down", "up"]);
    assert.ok(took_ms < 17_000, String(took_ms));
    assert.ok(seen.down + seen.up < 60e6);
  });
}

test("bytes are bounded", async () => {
  const { seen, found } = await measured({ down_mbps: 500, up_mbps: 500 }, 5e6);
  assert.ok(seen.down + seen.up < 5e6, `${seen.down} and ${seen.up}`);
  assert.ok(found.down_mbps > 300 && found.up_mbps > 300);
});

test("where there is no room, it asks once more and then says so", async () => {
  const again = await measured({ down_mbps: 20, up_mbps: 20, status: [503, 200] });
  assert.ok(again.found.down_mbps > 19);
  await assert.rejects(measured({ down_mbps: 20, up_mbps: 20, status: 503 }), { code: "server.busy" });
});
