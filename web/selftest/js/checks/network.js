/**
 * Network: opens the media path, times pings on an idle and on a loaded line, sends and counts what the server asks for,
 * and proves TCP headroom where media could not be tried. What could not be reached is told, never guessed.
 * @typedef {import("../../../shared/types").Clock} Clock
 * @typedef {import("../../../shared/types").Link} Link
 * @typedef {import("../../../shared/types").Plan} Plan
 * @typedef {import("../../../shared/types").PhaseName} PhaseName
 */
import { linked, StepTimeout, withWatchdog } from "../clock.js";
import { decodePong, encodePing, HEADROOM_BYTES, HEADROOM_DOWN, headroomChunk, IDLE, LOADED } from "../wire.js";
import { frameAccess, openUplink } from "../uplink.js";
import { relays, tryRelays } from "./paths.js";
import { candidatePair, connectionKind, packetsReceived } from "./stats.js";

const CONNECT_MS = 15_000;
const IDLE_EVERY_MS = 20;
const LOADED_EVERY_MS = 50;
/** Wait for the last pongs: this many usual round trips, within a least and a most time. */
const LAST_TRIPS = 2;
const LAST_PONGS_MS = /** @type {const} */ ([150, 1500]);
/** All packets have arrived once the count has stood still for this long; a full queue takes its time. */
const STILL_MS = 200;
const DRAIN_MS = 2000;
const MAX_ROWS = 900;
const PERCENTILE = 0.99;
const MAX_POINTS = 200;
const POINT_EVERY_MS = 20;
const TCP_MS = 4000;
/** Headroom is proven by this much time at the wanted rate, or by this many bytes at any rate. */
const PROOF_MS = 800;
const PROOF_BYTES = 256 * 1024;
const MOST_BYTES = 1_000_000;
const MAX_BUFFERED = 256_000;
/** Most rate upwards, in multiples of the probe rate, so that the line's queue stays short; the server does the same downwards. */
const SEND_AHEAD = 4;
/** How far a phase may exceed its budget before we stop waiting for the server. */
const GRACE_MS = 5000;

/** Sends pings and keeps a row for each answered one. */
export class PingLog {
  /** @param {Pick<RTCDataChannel, "send" | "bufferedAmount">} channel @param {() => number} now_us @param {() => boolean} isHidden */
  constructor(channel, now_us, isHidden = () => false) {
    this.channel = channel;
    this.now_us = now_us;
    this.isHidden = isHidden;
    this.sent = 0;
    /** @type {number[][]} */
    this.rows = [];
    /** How late our own timer was, ms. @type {number[]} */
    this.late = [];
    this.hidden = false;
  }

  /** @param {number} tag */
  ping(tag) {
    this.hidden ||= this.isHidden();
    if (this.channel.bufferedAmount > 0 || this.sent >= MAX_ROWS) return;
    this.channel.send(encodePing(tag, this.sent, this.now_us()));
    this.sent += 1;
  }

  /** @param {ArrayBuffer} data */
  pong(data) {
    const t4_us = Math.round(this.now_us());
    const pong = decodePong(data);
    if (pong && this.rows.length < MAX_ROWS) this.rows.push([pong.seq, pong.t1_us, pong.t2_us, pong.t3_us, t4_us]);
  }

  /** Median round trip so far, ms. */
  trip() {
    const trips = this.rows.map(([, t1_us, t2_us, t3_us, t4_us]) => (t4_us - t1_us - (t3_us - t2_us)) / 1000);
    return trips.sort((one, other) => one - other)[trips.length >> 1] ?? 0;
  }

  /** Answered pings and our own lateness since the last call. */
  take() {
    const late = this.late.sort((one, other) => one - other);
    const found = { rows: this.rows, lag_ms: late[Math.floor(late.length * PERCENTILE)] ?? 0, hidden: this.hidden };
    [this.rows, this.late, this.hidden] = [[], [], false];
    return found;
  }
}

const MEDIA = /** @type {PhaseName[]} */ (["clock", "downlink", "uplink"]);

/** @typedef {{ peer: RTCPeerConnection, log: PingLog, uplink: import("../uplink.js").Uplink | null }} Open */

/**
 * @param {{ link: Link, plan: Plan, createPeer: (config: RTCConfiguration) => RTCPeerConnection, clock: Clock, signal: AbortSignal,
 *   sound: () => MediaStreamTrack | null, workerUrl: string, isHidden?: () => boolean,
 *   onProgress: (phase: PhaseName, state: "running" | "done" | "failed") => void, died: (phase: PhaseName, cause: string, where: string) => void }} options
 */
export async function run(options) {
  const { plan, onProgress, died } = options;
  if (plan.mode === "recheck") return pathOnly(options);
  const tried = plan.done.includes("uplink");
  const open = tried ? null : await connect(options);
  const byMedia = { down: tried, up: tried };
  const ways = triedWays(options, open);
  ways.catch(() => undefined);
  try {
    if (open?.peer) await throughMedia(options, /** @type {Open} */ (open), byMedia);
    else if (!tried) for (const phase of MEDIA) died(phase, "not_reached", "connect");
    for (const [phase, way, work] of /** @type {const} */ ([["tcp_down", "down", tcpDown], ["tcp_up", "up", tcpUp]])) {
      if (plan.done.includes(phase) || byMedia[way]) {
        onProgress(phase, "done");
        continue;
      }
      onProgress(phase, "running");
      const ok = await guarded(options, phase, (inner) => work({ ...options, signal: inner }));
      onProgress(phase, ok ? "done" : "failed");
    }
    await ways;
  } finally {
    open?.uplink?.close();
    open?.peer?.close();
  }
}

/** The short check, whether media still gets through. Nothing is timed or loaded. @param {Parameters<typeof run>[0]} options */
async function pathOnly(options) {
  if (options.plan.done.includes("connect")) return;
  const open = await connect(options);
  try {
    await triedWays(options, open);
  } finally {
    open?.uplink?.close();
    open?.peer?.close();
  }
}

/** Try the ways through TURN, if any, while the line is measured; each takes a few packets. @param {Parameters<typeof run>[0]} options @param {Open | null} open */
async function triedWays(options, open) {
  const { plan, link } = options;
  const resumed = !open && plan.mode !== "recheck" && plan.done.includes("uplink");
  if (resumed || plan.done.includes("paths") || relays(plan.ice_servers).size === 0) return;
  const direct = open ? candidatePair(await open.peer.getStats()).local_candidate_type !== "relay" : false;
  link.send("paths", "final", { direct, tried: await tryRelays(options) });
}

/** The machine time of a phase by the plan. @param {Plan} plan @param {PhaseName} phase @param {number} otherwise_ms */
function budget_ms(plan, phase, otherwise_ms) {
  const found = plan.phases.find(({ name }) => name === phase);
  return (found ? found.budget_s * 1000 : otherwise_ms) + GRACE_MS;
}

/**
 * Run one phase. If it throws or takes too long, it is reported as dead, and the test goes on.
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
 * @returns {Promise<Open | null>}
 */
async function connect({ link, plan, createPeer, clock, signal, onProgress, sound, workerUrl, isHidden }) {
  onProgress("connect", "running");
  const start = clock.now();
  /** @type {RTCPeerConnection | null} */
  let peer = null;
  /** @type {import("../uplink.js").Uplink | null} */
  let uplink = null;
  try {
    const legacy = frameAccess() === "streams" ? { encodedInsertableStreams: true } : {};
    peer = createPeer({ iceServers: plan.ice_servers, ...legacy });
    const pc = peer;
    const channel = pc.createDataChannel("clock", { ordered: false, maxRetransmits: 0 });
    channel.binaryType = "arraybuffer";
    pc.addTransceiver("video", { direction: "recvonly" });
    uplink = openUplink(pc, { source: sound, workerUrl, tracks: plan.probe.up_tracks });
    const log = new PingLog(channel, () => performance.now() * 1000, isHidden);
    channel.onmessage = ({ data }) => log.pong(data);
    const sent = await withWatchdog({ clock, limit_ms: CONNECT_MS, what: "connect", signal }, (inner) => negotiate({ pc, channel, link, clock, signal: inner }));
    const setup_ms = Math.round(clock.now() - sent);
    link.send("connect", "final", { state: "connected", ...candidatePair(await pc.getStats()), ...connectionKind(), setup_ms });
    onProgress("connect", "done");
    return { peer: pc, log, uplink };
  } catch (error) {
    uplink?.close();
    peer?.close();
    if (signal.aborted) throw error;
    link.send("connect", "final", { state: "failed", ...connectionKind(), setup_ms: Math.round(clock.now() - start) });
    onProgress("connect", "failed");
    return null;
  }
}

/**
 * @param {{ pc: RTCPeerConnection, channel: RTCDataChannel, link: Link, clock: Clock, signal: AbortSignal }} options
 * @returns {Promise<number>} the time at which the offer was sent
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
  const answered = link.wait("answer", ({ path }) => path === undefined, signal);
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

/** @param {Parameters<typeof run>[0]} options @param {Open} open @param {{ down: boolean, up: boolean }} byMedia what was measured */
async function throughMedia(options, open, byMedia) {
  const { link, onProgress, died } = options;
  onProgress("clock", "running");
  const rested = await guarded(options, "clock", (signal) => idle({ ...options, signal }, open));
  onProgress("clock", rested ? "done" : "failed");
  onProgress("downlink", "running");
  onProgress("uplink", "running");
  const loaded = await guarded(options, "downlink", async (signal) => {
    Object.assign(byMedia, await load({ ...options, signal }, open));
    const { rows, lag_ms } = open.log.take();
    link.send("downlink", "final", { lag_ms });
    link.send("uplink", "final", { rows, lag_ms });
  });
  if (!loaded) died("uplink", "step_died", "downlink");
  onProgress("downlink", loaded ? "done" : "failed");
  onProgress("uplink", loaded ? "done" : "failed");
}

/** Measure the line at rest; once more if the server was late itself. @param {Parameters<typeof run>[0]} options @param {Open} open */
async function idle({ link, clock, signal }, { peer, log, uplink }) {
  for (let again = true; again; ) {
    const begun = phaseMessage(link, "clock", signal, (state) => state !== "ended");
    link.send("clock", "start", {});
    const { state, values } = await begun;
    if (state !== "started") throw new Error("media path lost");
    uplink?.begin(values);
    const end = clock.now() + values.ms;
    await pings(log, IDLE, IDLE_EVERY_MS, clock, signal, () => clock.now() >= end);
    const sent = (await uplink?.stop(clock, signal)) ?? 0;
    const [least, most] = LAST_PONGS_MS;
    await clock.sleep(Math.min(most, Math.max(least, LAST_TRIPS * log.trip())), signal);
    const ended = phaseMessage(link, "clock", signal, (state) => state === "ended");
    link.send("clock", "mark", { run: values.run, sent, received: packetsReceived(await peer.getStats()), ...log.take() });
    again = Boolean((await ended).values?.again);
  }
  link.send("clock", "final", {});
}

/**
 * Measure both directions under load: the server starts and stops the runs, we count.
 * @param {Parameters<typeof run>[0]} options @param {Open} open @returns {Promise<{ down: boolean, up: boolean }>} what was measured
 */
async function load({ link, clock, signal }, { peer, log, uplink }) {
  const inner = linked(signal);
  let running = uplink ? 2 : 1;
  const byMedia = { down: false, up: false };
  /** @type {Promise<void>[]} */
  const marks = [];
  const stop = link.on("phase", ({ phase, state, values }) => {
    if (phase === "uplink" && state === "run") uplink?.begin(values);
    else if (state === "stop") {
      const mark = phase === "uplink" ? uplinkMark(link, values.run, uplink, clock, inner.signal) : downlinkMark(link, values.run, peer, clock, inner.signal);
      mark.catch(() => undefined);
      marks.push(mark);
    } else if (state === "ended" && phase !== "clock") {
      running -= 1;
      byMedia[phase === "uplink" ? "up" : "down"] = Boolean(values?.measured);
    }
  });
  try {
    link.send("downlink", "start", {});
    if (uplink) link.send("uplink", "start", {});
    await pings(log, LOADED, LOADED_EVERY_MS, clock, signal, () => running <= 0);
    return byMedia;
  } finally {
    stop();
    inner.abort(new DOMException("phase is over", "AbortError"));
  }
}

/** @param {Link} link @param {number} run @param {Open["uplink"]} uplink @param {Clock} clock @param {AbortSignal} signal */
async function uplinkMark(link, run, uplink, clock, signal) {
  link.send("uplink", "mark", { run, sent: (await uplink?.stop(clock, signal)) ?? 0 });
}

/** Count the packets that came down once no more come. @param {Link} link @param {number} run @param {RTCPeerConnection} peer @param {Clock} clock @param {AbortSignal} signal */
async function downlinkMark(link, run, peer, clock, signal) {
  const start = clock.now();
  let received = packetsReceived(await peer.getStats());
  for (let since = start; clock.now() < since + STILL_MS && clock.now() < start + DRAIN_MS; ) {
    await clock.sleep(STILL_MS / 4, signal);
    const now = packetsReceived(await peer.getStats());
    if (now !== received) since = clock.now();
    received = now;
  }
  link.send("downlink", "mark", { run, received });
}

/**
 * @param {Link} link @param {string} wanted @param {AbortSignal} signal @param {(state: string) => boolean} match
 * @returns {Promise<{ state: string, values: any }>}
 */
function phaseMessage(link, wanted, signal, match) {
  const found = link.wait("phase", ({ phase, state }) => phase === wanted && match(state), signal);
  found.catch(() => undefined);
  return found;
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
    log.late.push(Math.max(0, clock.now() - next));
  }
}

/** Whether enough has come through to prove the meeting's need. @param {number} bytes @param {number} ms @param {number} rate_mbps */
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
  const budget = plan.phases.find(({ name }) => name === "tcp_up")?.budget_bytes ?? 3_000_000;
  let [limit, began, ended, bytes] = [0, 0, false, 0];
  const stop = link.on("phase", ({ phase, state, values }) => {
    if (phase === "tcp_up" && state === "started") [limit, began] = [Math.min(budget, values?.bytes ?? budget), clock.now()];
    else if (phase === "tcp_up") ended = true;
  });
  try {
    link.send("tcp_up", "start", {});
    const last = clock.now() + TCP_MS;
    const bytes_per_ms = (plan.probe.rate_mbps * 1000 * SEND_AHEAD) / 8;
    while (!ended && clock.now() < last) {
      const due = Math.min(limit, (clock.now() - began) * Math.min(bytes_per_ms, limit / PROOF_MS) + HEADROOM_BYTES);
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
