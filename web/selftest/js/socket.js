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

/** How long the page tries to reconnect; the server keeps finished phases for as long. For the words meanwhile see patience.js. */
const RESUME_MS = 10 * 60_000;
/** The server is heard every 2 s in the queue and every 4 s in a test. So many seconds without a word are told, and so many end the line. */
const SILENT_S = 10;
export const DEAD_S = 20;
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000];
/** Codes of `error` and `bye` after which the page should come back. */
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

/** Thrown when the line is lost; the flow continues where the server says. */
export class LinkLost extends Error {
  constructor() {
    super("connection lost");
    this.name = "LinkLost";
  }
}

/**
 * @param {{ url: string, hello: () => object, protocol: Record<string, any>, clock: Clock,
 *   resume?: string, WebSocketClass?: typeof WebSocket,
 *   onSilent?: (silent: boolean) => void, onState: (state: LinkState, detail?: { queue?: { place: number, eta_s: number }, code?: string }) => void }} options
 *   `resume` is the test to go on with; nothing of a message but what is named goes to `onState`
 */
export function openLink({ url, hello, protocol, clock, resume, WebSocketClass = WebSocket, onSilent = () => undefined, onState }) {
  /** @type {WebSocket | null} */
  let socket = null;
  /** @type {Plan | null} */
  let plan = null;
  /** @type {string | null} */
  let test = resume ?? null;
  /** Whether the server has sent anything yet; until then no line can be lost. */
  let heard = false;
  /** @type {LinkClosed | null} */
  let closed = null;
  let lost = new AbortController();
  let attempt = 0;
  let downSince = clock.now();
  let notBefore = 0;
  let pause = new AbortController();
  /** Why the server sent us away for a while. @type {string | undefined} */
  let busy;
  /** @type {Set<{ type: string, handler: (message: any) => void }>} */
  const handlers = new Set();
  /** @type {Set<() => void>} */
  const waiting = new Set();

  /** Seconds without a message, counted while the page runs, so that a phone's sleep does not count. */
  let silent_s = 0;
  const heardNow = () => {
    if (silent_s >= SILENT_S) onSilent(false);
    silent_s = 0;
  };

  /** Watch a line whose server sends regular messages. @param {WebSocket} ws */
  async function listen(ws) {
    while (ws === socket && !closed) {
      await clock.sleep(1000);
      if (ws !== socket || closed) return;
      silent_s += 1;
      if (silent_s === SILENT_S) onSilent(true);
      if (silent_s >= DEAD_S) reopen();
    }
  }

  const wake = () => waiting.forEach((look) => look());
  const emit = (/** @type {string} */ type, /** @type {any} */ message) => {
    for (const one of [...handlers]) if (one.type === type) one.handler(message);
  };

  function connect() {
    if (closed) return;
    /** @type {WebSocket} */
    let ws;
    try {
      ws = new WebSocketClass(url);
    } catch {
      return downAgain();
    }
    socket = ws;
    ws.binaryType = "arraybuffer";
    ws.onopen = () => ws.send(JSON.stringify(checked({ ...hello(), ...(test ? { resume: test } : {}) })));
    silent_s = 0;
    let listening = false;
    ws.onmessage = ({ data }) => {
      heardNow();
      const beats = typeof data === "string" && onText(data);
      if (typeof data !== "string") emit("binary", new Uint8Array(data));
      if (beats && !listening) listen(ws);
      listening ||= beats;
    };
    ws.onclose = () => onClose(ws);
  }

  /** @param {WebSocket} ws */
  function onClose(ws) {
    if (ws !== socket || closed) return;
    socket = null;
    downAgain();
  }

  /** Try again after a while; the line is down or could not be opened. */
  function downAgain() {
    if (plan) {
      plan = null;
      lost.abort(new LinkLost());
      lost = new AbortController();
    }
    if (clock.now() - downSince > RESUME_MS) return finish(heard ? "connection_lost" : "unreachable");
    onState(heard ? "lost" : "connecting", { code: busy });
    const wait = Math.max(BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] * (0.75 + Math.random() / 2), notBefore - clock.now());
    attempt += 1;
    pause = new AbortController();
    clock.sleep(wait, pause.signal).catch(() => undefined).then(connect);
  }

  /** Close this line, which may be dead unnoticed, and open another. */
  function reopen() {
    const old = socket;
    if (!old || closed) return;
    onClose(old);
    old.close();
  }

  /** @param {string} code */
  function finish(code) {
    if (closed) return;
    closed = new LinkClosed(code);
    lost.abort(closed);
    pause.abort();
    socket?.close();
    onState("closed", { code });
    wake();
  }

  /** @param {string} text @returns {boolean} whether it is of a kind that comes again and again */
  function onText(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return false;
    }
    const found = messageProblem(message, protocol);
    if (found) {
      console.warn("message refused", message?.type, found);
      if (message?.type === "plan") finish("protocol.invalid");
      return false;
    }
    receive(message);
    return message.type === "alive" || message.type === "queued";
  }

  /** @param {any} message */
  function receive(message) {
    heard = true;
    downSince = clock.now();
    if (message.type === "plan") {
      busy = undefined;
      plan = message;
      test = message.test;
      attempt = 0;
      onState("open");
      wake();
    } else if (message.type === "queued") {
      busy = undefined;
      onState("queued", { queue: { place: message.place, eta_s: message.eta_s } });
    }
    if (message.type === "error") onError(message);
    else if (message.type === "bye" && !COME_BACK.has(message.code ?? "")) finish(message.code ?? "done");
    emit(message.type, message);
  }

  /** @param {{ code: string, fatal?: boolean, retry_after_s?: number }} error */
  function onError({ code, fatal, retry_after_s }) {
    if (retry_after_s) notBefore = clock.now() + retry_after_s * 1000;
    if (fatal) busy = code;
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
    /** @param {string} type @param {(message: any) => void} handler @returns {() => void} removes the handler */
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
    reopen,
    /** Resolves after `ms` to whether the server has sent nothing yet while somebody still waits. @param {number} ms */
    async unheard(ms) {
      await clock.sleep(ms);
      return !heard && !closed;
    },
    /** Try again now instead of after the pause. */
    retryNow() {
      notBefore = 0;
      if (!socket) pause.abort();
    },
    /** @param {string} reason */
    close(reason) {
      if (closed) return;
      if (socket?.readyState === 1) socket.send(JSON.stringify({ type: "bye", reason }));
      closed = new LinkClosed(reason);
      pause.abort();
      socket?.close();
    },
  };
}

/** @typedef {ReturnType<typeof openLink>} SessionLink */
