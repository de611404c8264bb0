/**
 * The session socket: one WebSocket, reopened for up to ten minutes, every message checked against shared/protocol.json.
 * What is sent while the line is down is dropped on purpose: after a reconnect the server says what it has.
 * @typedef {import("../../shared/types").Plan} Plan
 * @typedef {import("../../shared/types").Clock} Clock
 * @typedef {import("../../shared/types").PhaseName} PhaseName
 * @typedef {import("../../shared/types").Kind} Kind
 * @typedef {"connecting" | "queued" | "open" | "lost" | "closed"} LinkState
 */
import { messageProblem } from "../../shared/validate.js";
import { frame } from "./wire.js";

const RESUME_MS = 10 * 60_000;
/** Before the first plan there is nothing to resume: give up sooner and say so. */
const FIRST_MS = 45_000;
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000];
/** Codes of `error` and `bye` after which coming back is right. */
const COME_BACK = new Set(["server.busy", "shutting_down", "store.unavailable"]);

/** The session is over for good; `code` is looked up as error.<code>. */
export class LinkClosed extends Error {
  /** @param {string} code */
  constructor(code) {
    super(code);
    this.name = "LinkClosed";
    this.code = code;
  }
}

/** The line was lost in the middle of something; the flow starts again where the server says. */
export class LinkLost extends Error {
  constructor() {
    super("connection lost");
    this.name = "LinkLost";
  }
}

/**
 * @param {{ url: string, hello: () => object, protocol: Record<string, any>, clock: Clock,
 *   WebSocketClass?: typeof WebSocket, onState: (state: LinkState, detail?: { place?: number, eta_s?: number, code?: string }) => void }} options
 */
export function openLink({ url, hello, protocol, clock, WebSocketClass = WebSocket, onState }) {
  /** @type {WebSocket | null} */
  let socket = null;
  /** @type {Plan | null} */
  let plan = null;
  /** @type {string | null} */
  let test = null;
  /** @type {LinkClosed | null} */
  let closed = null;
  let lost = new AbortController();
  let attempt = 0;
  let downSince = clock.now();
  let notBefore = 0;
  /** @type {Set<{ type: string, handler: (message: any) => void }>} */
  const handlers = new Set();
  /** @type {Set<() => void>} */
  const waiting = new Set();

  const wake = () => waiting.forEach((look) => look());
  const emit = (/** @type {string} */ type, /** @type {any} */ message) => {
    for (const one of [...handlers]) if (one.type === type) one.handler(message);
  };

  function connect() {
    if (closed) return;
    const ws = new WebSocketClass(url);
    socket = ws;
    ws.binaryType = "arraybuffer";
    ws.onopen = () => ws.send(JSON.stringify(checked({ ...hello(), ...(test ? { resume: test } : {}) })));
    ws.onmessage = ({ data }) => (typeof data === "string" ? onText(data) : emit("binary", new Uint8Array(data)));
    ws.onclose = () => onClose(ws);
  }

  /** @param {WebSocket} ws */
  function onClose(ws) {
    if (ws !== socket || closed) return;
    socket = null;
    if (plan) {
      plan = null;
      downSince = clock.now();
      lost.abort(new LinkLost());
      lost = new AbortController();
    }
    if (clock.now() - downSince > (test ? RESUME_MS : FIRST_MS)) return finish(test ? "connection_lost" : "unreachable");
    onState(test ? "lost" : "connecting");
    const wait = Math.max(BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] * (0.75 + Math.random() / 2), notBefore - clock.now());
    attempt += 1;
    clock.sleep(wait).then(connect);
    return undefined;
  }

  /** @param {string} code */
  function finish(code) {
    if (closed) return;
    closed = new LinkClosed(code);
    lost.abort(closed);
    socket?.close();
    onState("closed", { code });
    wake();
  }

  /** @param {string} text */
  function onText(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    const found = messageProblem(message, protocol);
    if (found) {
      console.warn("message refused", message?.type, found);
      if (message?.type === "plan") finish("protocol.invalid");
      return;
    }
    receive(message);
  }

  /** @param {any} message */
  function receive(message) {
    if (message.type === "plan") {
      plan = message;
      test = message.test;
      attempt = 0;
      onState("open");
      wake();
    } else if (message.type === "queued") onState("queued", message);
    else if (message.type === "error") onError(message);
    else if (message.type === "bye" && !COME_BACK.has(message.code ?? "")) finish(message.code ?? "done");
    emit(message.type, message);
  }

  /** @param {{ code: string, fatal?: boolean, retry_after_s?: number }} error */
  function onError({ code, fatal, retry_after_s }) {
    if (retry_after_s) notBefore = clock.now() + retry_after_s * 1000;
    if (fatal && !COME_BACK.has(code)) finish(code);
  }

  /** @template {object} T @param {T} message @returns {T} */
  function checked(message) {
    const found = messageProblem(message, protocol);
    if (found) console.error("message of ours breaks the protocol", found);
    return message;
  }

  /** @param {object} message */
  function sendJson(message) {
    checked(message);
    if (plan && socket?.readyState === 1) socket.send(JSON.stringify(message));
  }

  connect();
  return {
    /** @param {PhaseName} phase @param {Kind} kind @param {object} data */
    send(phase, kind, data) {
      const end = kind === "final" || kind === "died" ? { final: true } : {};
      sendJson({ type: "samples", phase, kind, data, ...end });
    },
    /** @param {string} sdp */
    /** @param {string} sdp @param {string} [path] of a way that is only tried */
    sendOffer: (sdp, path) => sendJson({ type: "offer", sdp, ...(path ? { path } : {}) }),
    /** @param {number} kind @param {number} t_ms @param {Uint8Array} payload */
    sendBinary(kind, t_ms, payload) {
      if (plan && socket?.readyState === 1) socket.send(/** @type {Uint8Array<ArrayBuffer>} */ (frame(kind, t_ms, payload)));
    },
    /** @param {Uint8Array} chunk */
    sendChunk(chunk) {
      if (plan && socket?.readyState === 1) socket.send(/** @type {Uint8Array<ArrayBuffer>} */ (chunk));
    },
    get bufferedAmount() {
      return socket?.bufferedAmount ?? 0;
    },
    /** @param {string} type @param {(message: any) => void} handler @returns {() => void} take the handler off again */
    on(type, handler) {
      const one = { type, handler };
      handlers.add(one);
      return () => void handlers.delete(one);
    },
    /** @param {string} type @param {(message: any) => boolean} match @param {AbortSignal} signal @returns {Promise<any>} */
    wait(type, match, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const stop = this.on(type, (message) => {
          if (!match(message)) return;
          stop();
          resolve(message);
        });
        signal.addEventListener("abort", () => (stop(), reject(signal.reason)), { once: true });
        return undefined;
      });
    },
    /** The plan, once the line is open, and a signal that is aborted when this line is lost.
     * @param {AbortSignal} signal @returns {Promise<{ plan: Plan, lost: AbortSignal }>} */
    ready(signal) {
      return new Promise((resolve, reject) => {
        const look = () => {
          if (!closed && !plan && !signal.aborted) return;
          waiting.delete(look);
          if (signal.aborted) reject(signal.reason);
          else if (closed) reject(closed);
          else if (plan) resolve({ plan, lost: lost.signal });
        };
        waiting.add(look);
        signal.addEventListener("abort", look, { once: true });
        look();
      });
    },
    /** @param {string} reason */
    close(reason) {
      if (closed) return;
      if (socket?.readyState === 1) socket.send(JSON.stringify({ type: "bye", reason }));
      closed = new LinkClosed(reason);
      socket?.close();
    },
  };
}

/** @typedef {ReturnType<typeof openLink>} SessionLink */
