/**
 * Network: opens the media path, times pings on an idle and on a loaded line, counts what was received, and proves TCP
 * headroom each way. Returns when all is measured; what could not be reached is told, never guessed.
 * @typedef {import("../../../shared/types").Clock} Clock
 * @typedef {import("../../../shared/types").Link} Link
 * @typedef {import("../../../shared/types").Plan} Plan
 * @typedef {import("../../../shared/types").PhaseName} PhaseName
 */
import { linked, StepTimeout, withWatchdog } from "../clock.js";
import { decodePong, encodePing, HEADROOM_BYTES, HEADROOM_DOWN, headroomChunk, IDLE, LOADED } from "../wire.js";
import { candidatePair, inboundVideo } from "./stats.js";

const CONNECT_MS = 15_000;
const IDLE_MS = 4000;
const IDLE_EVERY_MS = 20;
const LOADED_EVERY_MS = 50;
/** Pongs of the last pings are still on their way. */
const LAST_PONGS_MS = 600;
const MAX_ROWS = 900;
const MAX_POINTS = 200;
const POINT_EVERY_MS = 20;
const TCP_MS = 4000;
/** Headroom is proven by this much at the rate that is asked, or by this many bytes at any: a test, not a search. */
const PROOF_MS = 800;
const PROOF_BYTES = 256 * 1024;
const MOST_BYTES = 1_000_000;
const MAX_BUFFERED = 256_000;
/** Up, as the server does down: at most this many times the probe rate, so that the line's queue stays short. */
const SEND_AHEAD = 4;
/** How much longer than its own budget a phase may take before we stop waiting for the server. */
const GRACE_MS = 5000;

/** Sends pings and keeps the rows of those that were answered. */
export class PingLog {
  /** @param {Pick<RTCDataChannel, "send" | "bufferedAmount">} channel @param {() => number} now_us */
  constructor(channel, now_us) {
    this.channel = channel;
    this.now_us = now_us;
    this.sent = 0;
    /** @type {number[][]} */
    this.rows = [];
    /** @type {{ idle?: [number, number], loaded?: [number, number] }} */
    this.tags = {};
  }

  /** @param {number} tag */
  ping(tag) {
    if (this.channel.bufferedAmount > 0 || this.sent >= MAX_ROWS) return;
    const seq = this.sent;
    this.channel.send(encodePing(tag, seq, this.now_us()));
    this.sent += 1;
    const name = tag === LOADED ? "loaded" : "idle";
    this.tags[name] = [this.tags[name]?.[0] ?? seq, seq];
  }

  /** @param {ArrayBuffer} data */
  pong(data) {
    const t4_us = Math.round(this.now_us());
    const pong = decodePong(data);
    if (pong && this.rows.length < MAX_ROWS) this.rows.push([pong.seq, pong.t1_us, pong.t2_us, pong.t3_us, t4_us]);
  }

  figures() {
    return { rows: this.rows, sent: this.sent, tags: this.tags };
  }
}

/**
 * @param {{ link: Link, plan: Plan, createPeer: (config: RTCConfiguration) => RTCPeerConnection, clock: Clock, signal: AbortSignal,
 *   onProgress: (phase: PhaseName, state: "running" | "done" | "failed") => void, died: (phase: PhaseName, cause: string, where: string) => void }} options
 */
export async function run(options) {
  const { plan, onProgress, died } = options;
  const open = plan.done.includes("clock") && plan.done.includes("downlink") ? null : await connect(options);
  try {
    if (open?.peer) await throughMedia(options, open.peer, open.log);
    else if (open) for (const phase of /** @type {PhaseName[]} */ (["clock", "downlink"])) died(phase, "not_reached", "connect");
    for (const [phase, work] of /** @type {const} */ ([["tcp_down", tcpDown], ["tcp_up", tcpUp]])) {
      if (plan.done.includes(phase)) continue;
      onProgress(phase, "running");
      const ok = await guarded(options, phase, (inner) => work({ ...options, signal: inner }));
      onProgress(phase, ok ? "done" : "failed");
    }
  } finally {
    open?.peer?.close();
  }
}

/** Machine time a phase may take, by the plan. @param {Plan} plan @param {PhaseName} phase @param {number} otherwise_ms */
function budget_ms(plan, phase, otherwise_ms) {
  const found = plan.phases.find(({ name }) => name === phase);
  return (found ? found.budget_s * 1000 : otherwise_ms) + GRACE_MS;
}

/**
 * Run one phase; a phase that throws or takes too long is reported as dead, and the test goes on.
 * @param {Parameters<typeof run>[0]} options @param {PhaseName} phase @param {(signal: AbortSignal) => Promise<void>} work
 * @returns {Promise<boolean>}
 */
async function guarded({ plan, clock, signal, died }, phase, work) {
  try {
    await withWatchdog({ clock, limit_ms: budget_ms(plan, phase, 10_000), what: phase, signal }, work);
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    died(phase, "step_died", error instanceof StepTimeout ? "timeout" : String(/** @type {Error} */ (error)?.name));
    return false;
  }
}

/**
 * Offer at once, without waiting for candidates; the time counts from the offer to the open channel.
 * @param {Parameters<typeof run>[0]} options
 * @returns {Promise<{ peer: RTCPeerConnection | null, log: PingLog | null }>}
 */
async function connect({ link, plan, createPeer, clock, signal, onProgress }) {
  onProgress("connect", "running");
  const start = clock.now();
  /** @type {RTCPeerConnection | null} */
  let peer = null;
  try {
    peer = createPeer({ iceServers: plan.ice_servers });
    const pc = peer;
    const channel = pc.createDataChannel("clock", { ordered: false, maxRetransmits: 0 });
    channel.binaryType = "arraybuffer";
    pc.addTransceiver("video", { direction: "recvonly" });
    const log = new PingLog(channel, () => performance.now() * 1000);
    channel.onmessage = ({ data }) => log.pong(data);
    const sent = await withWatchdog({ clock, limit_ms: CONNECT_MS, what: "connect", signal }, (inner) => negotiate({ pc, channel, link, clock, signal: inner }));
    const setup_ms = Math.round(clock.now() - sent);
    link.send("connect", "final", { state: "connected", ...candidatePair(await pc.getStats()), setup_ms });
    onProgress("connect", "done");
    return { peer: pc, log };
  } catch (error) {
    peer?.close();
    if (signal.aborted) throw error;
    link.send("connect", "final", { state: "failed", setup_ms: Math.round(clock.now() - start) });
    onProgress("connect", "failed");
    return { peer: null, log: null };
  }
}

/**
 * @param {{ pc: RTCPeerConnection, channel: RTCDataChannel, link: Link, clock: Clock, signal: AbortSignal }} options
 * @returns {Promise<number>} when the offer was sent
 */
async function negotiate({ pc, channel, link, clock, signal }) {
  const opened = new Promise((resolve, reject) => {
    channel.onopen = resolve;
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === "failed") reject(new Error("media path failed"));
    };
  });
  opened.catch(() => undefined);
  const offer = await pc.createOffer();
  const answered = link.wait("answer", () => true, signal);
  const refused = link.wait("phase", ({ phase, state }) => phase === "connect" && state === "failed", signal).then(() => {
    throw new Error("offer refused");
  });
  refused.catch(() => undefined);
  await pc.setLocalDescription(offer);
  const sent = clock.now();
  link.sendOffer(offer.sdp ?? "");
  const { sdp } = await Promise.race([answered, refused]);
  await pc.setRemoteDescription({ type: "answer", sdp });
  await Promise.race([opened, refused]);
  return sent;
}

/** @param {Parameters<typeof run>[0]} options @param {RTCPeerConnection} peer @param {PingLog | null} log */
async function throughMedia(options, peer, log) {
  if (!log) return;
  const { link, clock, onProgress } = options;
  onProgress("clock", "running");
  await guarded(options, "clock", async (signal) => {
    const end = clock.now() + IDLE_MS;
    await pings(log, IDLE, IDLE_EVERY_MS, clock, signal, () => clock.now() >= end);
    await clock.sleep(LAST_PONGS_MS, signal);
  });
  onProgress("clock", "done");
  onProgress("downlink", "running");
  const ok = await guarded(options, "downlink", async (signal) => {
    const received = await downlink({ ...options, signal }, peer, log);
    link.send("clock", "final", log.figures());
    link.send("downlink", "final", received);
  });
  if (!ok) link.send("clock", "final", log.figures());
  onProgress("downlink", ok ? "done" : "failed");
}

/**
 * @param {PingLog} log @param {number} tag @param {number} every_ms @param {Clock} clock @param {AbortSignal} signal
 * @param {() => boolean} over
 */
async function pings(log, tag, every_ms, clock, signal, over) {
  let next = clock.now();
  while (!over()) {
    log.ping(tag);
    next = Math.max(next + every_ms, clock.now());
    await clock.sleep(next - clock.now(), signal);
  }
}

/** @param {Parameters<typeof run>[0]} options @param {RTCPeerConnection} peer @param {PingLog} log */
async function downlink({ link, clock, signal }, peer, log) {
  const before = inboundVideo(await peer.getStats());
  const started = link.wait("phase", ({ phase, state }) => phase === "downlink" && state === "started", signal);
  const ended = link.wait("phase", ({ phase, state }) => phase === "downlink" && state !== "started", signal);
  started.catch(() => undefined);
  ended.catch(() => undefined);
  link.send("downlink", "start", {});
  await Promise.race([started, ended]);
  const start = clock.now();
  let over = false;
  const end = ended.finally(() => {
    over = true;
  });
  await Promise.all([end, pings(log, LOADED, LOADED_EVERY_MS, clock, signal, () => over)]);
  const span_ms = Math.round(clock.now() - start);
  await clock.sleep(LAST_PONGS_MS, signal);
  const after = inboundVideo(await peer.getStats());
  return {
    packets_received: after.packets_received - before.packets_received,
    packets_lost: after.packets_lost - before.packets_lost,
    bytes_received: after.bytes_received - before.bytes_received,
    span_ms,
  };
}

/** Enough has come through to prove what the meeting needs. @param {number} bytes @param {number} ms @param {number} rate_mbps */
export function headroomProven(bytes, ms, rate_mbps) {
  const proven = ms >= PROOF_MS && bytes >= PROOF_BYTES && (bytes * 8) / (ms * 1000) >= rate_mbps;
  return proven || bytes >= MOST_BYTES;
}

/** @param {Parameters<typeof run>[0]} options */
async function tcpDown({ link, plan, clock, signal }) {
  /** @type {[number, number][]} */
  const points = [];
  let bytes = 0;
  let first = -1;
  let enough = () => {};
  const proven = new Promise((resolve) => {
    enough = () => resolve(undefined);
  });
  const stop = link.on("binary", (/** @type {Uint8Array} */ data) => {
    if (data[0] !== HEADROOM_DOWN) return;
    const now = clock.now();
    if (first < 0) first = now;
    bytes += data.length;
    const t_ms = Math.round(now - first);
    const last = points.at(-1);
    if (last && t_ms - last[0] < POINT_EVERY_MS) last[1] = bytes;
    else if (points.length < MAX_POINTS) points.push([t_ms, bytes]);
    if (headroomProven(bytes, t_ms, plan.probe.rate_mbps)) enough();
  });
  const inner = linked(signal);
  try {
    const ended = link.wait("phase", ({ phase, state }) => phase === "tcp_down" && state !== "started", inner.signal);
    ended.catch(() => undefined);
    link.send("tcp_down", "start", {});
    await Promise.race([proven, ended, clock.sleep(TCP_MS, inner.signal)]);
    link.send("tcp_down", "final", { points });
  } finally {
    stop();
    inner.abort(new DOMException("phase is over", "AbortError"));
  }
}

/** @param {Parameters<typeof run>[0]} options */
async function tcpUp({ link, plan, clock, signal }) {
  const limit = plan.phases.find(({ name }) => name === "tcp_up")?.budget_bytes || 3_000_000;
  let ended = false;
  let bytes = 0;
  const stop = link.on("phase", ({ phase, state }) => {
    if (phase === "tcp_up" && state !== "started") ended = true;
  });
  try {
    link.send("tcp_up", "start", {});
    const start = clock.now();
    const bytes_per_ms = (plan.probe.rate_mbps * 1000 * SEND_AHEAD) / 8;
    while (!ended && clock.now() < start + TCP_MS) {
      const due = Math.min(limit, (clock.now() - start) * bytes_per_ms + HEADROOM_BYTES);
      while (!ended && bytes + HEADROOM_BYTES <= due && link.bufferedAmount + HEADROOM_BYTES <= MAX_BUFFERED) {
        link.sendChunk(headroomChunk());
        bytes += HEADROOM_BYTES;
      }
      await clock.sleep(5, signal);
    }
    link.send("tcp_up", "final", { bytes_sent: Math.max(0, bytes - link.bufferedAmount) });
  } finally {
    stop();
  }
}
