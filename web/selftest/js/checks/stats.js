/**
 * The test's part of WebRTC statistics: candidate types and protocols only; addresses never leave the browser.
 */

const TYPES = new Set(["host", "srflx", "prflx", "relay"]);

/** @param {any} value */
const typeOf = (value) => (TYPES.has(value) ? value : "unknown");

/** @param {Iterable<[string, any]>} stats @returns {any} the pair in use, or undefined */
function selectedPair(stats) {
  const all = new Map(stats);
  for (const report of all.values()) {
    if (report.type === "transport" && report.selectedCandidatePairId) return all.get(report.selectedCandidatePairId);
  }
  const pairs = [...all.values()].filter(({ type }) => type === "candidate-pair");
  return pairs.find(({ selected }) => selected) ?? pairs.find(({ nominated, state }) => nominated && state === "succeeded");
}

/**
 * @param {RTCStatsReport} stats
 * @returns {{ local_candidate_type: string, remote_candidate_type: string, protocol: string, relay_protocol?: string }}
 */
export function candidatePair(stats) {
  const all = new Map(/** @type {any} */ (stats));
  const pair = selectedPair(all);
  const local = all.get(pair?.localCandidateId);
  const remote = all.get(pair?.remoteCandidateId);
  const protocol = local?.protocol === "udp" || local?.protocol === "tcp" ? local.protocol : "unknown";
  const found = { local_candidate_type: typeOf(local?.candidateType), remote_candidate_type: typeOf(remote?.candidateType), protocol };
  return ["udp", "tcp", "tls"].includes(local?.relayProtocol) ? { ...found, relay_protocol: local.relayProtocol } : found;
}

/** Round trip of the pair in use, ms, if the browser has measured it. @param {RTCStatsReport} stats @returns {{ rtt_ms?: number }} */
export function roundTrip(stats) {
  const { totalRoundTripTime, responsesReceived } = selectedPair(new Map(/** @type {any} */ (stats))) ?? {};
  return responsesReceived > 0 ? { rtt_ms: Math.round((totalRoundTripTime / responsesReceived) * 10_000) / 10 } : {};
}

/** Packets of the paced video, by the receiver's own running count. @param {RTCStatsReport} stats */
export function packetsReceived(stats) {
  let received = 0;
  for (const report of new Map(/** @type {any} */ (stats)).values()) {
    if (report.type === "inbound-rtp" && report.kind === "video") received += report.packetsReceived ?? 0;
  }
  return received;
}

const KINDS = new Set(["wifi", "cellular", "ethernet"]);

/** The kind of network, if the browser tells (Chrome on Android does). @returns {{ connection: string }} */
export function connectionKind() {
  const type = /** @type {any} */ (globalThis.navigator)?.connection?.type;
  return { connection: KINDS.has(type) ? type : "unknown" };
}
