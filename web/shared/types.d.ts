/** Shapes that travel between the page and the server; the wire schema is shared/protocol.json. */

export type Lang = "nb" | "nn" | "en";
export type Outcome = "pass" | "warn" | "fail" | "skipped" | "not_measured";
export type Verdict = "ready" | "ready_with_warnings" | "not_ready" | "incomplete";
export type PhaseName =
  | "devices" | "connect" | "picture" | "sound" | "speaker" | "echo" | "clock"
  | "downlink" | "uplink" | "paths" | "tcp_down" | "tcp_up" | "practical" | "finish";
export type Kind = "start" | "mark" | "event" | "final" | "died";
export type Status =
  | "present" | "NotAllowedError" | "NotFoundError" | "NotReadableError" | "OverconstrainedError"
  | "insecure" | "unsupported" | "failed" | "ended";

export interface Organisation { slug: string; name: string; support_phone: string; support_hours: string; languages?: string[] }
export interface Meeting { title?: string; starts_at: string; ends_at: string; time_zone: string }

export interface Session {
  session: string;
  kind: "participant" | "leader" | "drop_in";
  organisation: Organisation;
  meeting?: Meeting;
  practical?: string[];
  last_report?: Report;
  /** false while a part of the service itself is away */
  service_ready?: boolean;
}

export interface Plan {
  type: "plan";
  test: string;
  profile: string;
  phases: { name: PhaseName; budget_s: number; budget_bytes: number }[];
  done: PhaseName[];
  ice_servers: RTCIceServer[];
  ask: { practical: string[]; expected_people: number };
  digits: number[][];
  choices: number[][][];
  probe: { need_mbps: number; rate_mbps: number; up_tracks: number };
  data_mb: number;
}

export interface Check {
  id: string;
  outcome: Outcome;
  value: number | string | null;
  unit: string | null;
  pass?: number | null;
  fail?: number | null;
  low?: number | null;
  high?: number | null;
  samples?: number | null;
  advice?: string | null;
  cause?: string | null;
  responsible?: string | null;
  details?: Record<string, unknown>;
}

export interface Report {
  schema: string;
  id: string;
  code: string;
  verdict: Verdict;
  complete?: boolean;
  started_at: string;
  checks: Check[];
  advice: string[];
  valid_until?: string;
  client?: { kind: string; browser?: string; os?: string; form?: string };
}

export interface Hint { check: string; code: string; values?: Record<string, unknown> }
export interface PhaseMessage { type: "phase"; phase: PhaseName; state: "started" | "run" | "stop" | "ended" | "failed"; code?: string; values?: Record<string, unknown> }

export interface Platform { browser: string; os: string; form: "phone" | "tablet" | "computer" }

export interface Clock {
  /** Milliseconds on a monotonic clock. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface CameraResult { status: Status; width_px?: number; height_px?: number; frame_rate_fps?: number; device_class?: string }
export interface MicrophoneResult {
  status: Status;
  echo_cancellation?: boolean;
  noise_suppression?: boolean;
  auto_gain_control?: boolean;
  sample_rate_hz?: number;
  device_class?: string;
}
export interface DevicesResult { camera: CameraResult; microphone: MicrophoneResult; browser: { missing: string[] }; stream: MediaStream | null }

/** One 100 ms block of raw capture: t_ms, rms_dbfs, peak_dbfs, zero_pct, clipped_frames_pct, dropouts, flat_frames_pct. */
export type Block = [number, number, number, number, number, number, number];

export interface Recorder {
  /** Milliseconds of sound captured so far, on the recorder's own time line. */
  now(): number;
  /** Where a moment of the audio context, s, lies on that line, ms. */
  at(context_s: number): number;
  sampleRate: number;
  listen(handler: ((block: Block) => void) | null, pcm: ((t_ms: number, samples: Int16Array) => void) | null): void;
  close(): void;
}

/** What a check needs of the session socket. */
export interface Link {
  send(phase: PhaseName, kind: Kind, data: object): void;
  sendOffer(sdp: string, path?: string): void;
  sendBinary(kind: number, t_ms: number, payload: Uint8Array): void;
  sendChunk(chunk: Uint8Array): void;
  readonly bufferedAmount: number;
  on(type: string, handler: (message: any) => void): () => void;
  wait(type: string, match: (message: any) => boolean, signal: AbortSignal): Promise<any>;
}

export interface BoardParticipant {
  id: string;
  label: string;
  role: string;
  state: string;
  verdict?: string;
  tested_at?: string;
  other_device?: boolean;
  advice?: string;
  responsible?: string;
  area?: string;
}
export interface Board { organisation: Organisation; meeting: Meeting; participants: BoardParticipant[] }

declare global {
  /** Scope of an audio worklet, missing in the DOM library. */
  const sampleRate: number;
  const currentTime: number;
  class AudioWorkletProcessor { readonly port: MessagePort; constructor(options?: unknown) }
  function registerProcessor(name: string, constructor: new (...args: any[]) => AudioWorkletProcessor): void;
}
