/**
 * Every way through a TURN server by itself: UDP, TCP, TLS. A blocked one shows an IT department what to open.
 * @typedef {import("../../../shared/types").Clock} Clock
 * @typedef {import("../../../shared/types").Link} Link
 * @typedef {import("../../../shared/types").Plan} Plan
 * @typedef {{ path: string, state: "open" | "blocked", setup_ms?: number, rtt_ms?: number }} Tried
 */
import { withWatchdog } from "../clock.js";
import { candidatePair, roundTrip } from "./stats.js";

/** Longest time for a way to open, ms; Whereby gives up at 5 s too. */
const OPEN_MS = 5000;

/** @param {string} url @returns {string} the path's name */
function pathOf(url) {
  if (url.startsWith("turns:")) return "relay-tls";
  return url.includes("transport=tcp") ? "relay-tcp" : "relay-udp";
}

/** The first TURN address of each kind. @param {Plan["ice_servers"]} servers @returns {Map<string, RTCIceServer>} */
export function relays(servers) {
  const found = new Map();
  for (const server of servers) {
    for (const url of [server.urls].flat().filter((one) => one.startsWith("turn"))) {
      if (!found.has(pathOf(url))) found.set(pathOf(url), { ...server, urls: [url] });
    }
  }
  return found;
}

/**
 * @param {{ link: Link, plan: Plan, createPeer: (config: RTCConfiguration) => RTCPeerConnection, clock: Clock, signal: AbortSignal }} options
 * @returns {Promise<Tried[]>}
 */
export function tryRelays(options) {
  return Promise.all([...relays(options.plan.ice_servers)].map(([path, server]) => tryOne(options, path, server)));
}

/** @param {Parameters<typeof tryRelays>[0]} options @param {string} path @param {RTCIceServer} server @returns {Promise<Tried>} */
async function tryOne({ link, createPeer, clock, signal }, path, server) {
  const peer = createPeer({ iceServers: [server], iceTransportPolicy: "relay" });
  try {
    return await withWatchdog({ clock, limit_ms: OPEN_MS, what: path, signal }, async (inner) => {
      const channel = peer.createDataChannel("clock", { ordered: false, maxRetransmits: 0 });
      const opened = new Promise((resolve) => {
        channel.onopen = resolve;
      });
      const answered = link.wait("answer", (message) => message.path === path, inner);
      answered.catch(() => undefined);
      await peer.setLocalDescription(await peer.createOffer());
      const start = clock.now();
      link.sendOffer(peer.localDescription?.sdp ?? "", path);
      await peer.setRemoteDescription({ type: "answer", sdp: (await answered).sdp });
      await opened;
      const setup_ms = Math.round(clock.now() - start);
      const stats = await peer.getStats();
      const { local_candidate_type } = candidatePair(stats);
      return { path, state: local_candidate_type === "relay" ? "open" : "blocked", setup_ms, ...roundTrip(stats) };
    });
  } catch (error) {
    if (signal.aborted) throw error;
    return { path, state: "blocked" };
  } finally {
    peer.close();
  }
}
