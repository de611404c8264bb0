/** Shapes that travel between the page and the server; the wire schema is shared/protocol.json. */

/** A code of `web/locales/languages.json`. */
export type Lang = string;
export type Outcome = "pass" | "warn" | "fail" | "skipped" | "not_measured";
export type Verdict = "ready" | "ready_with_warnings" | "not_ready" | "incomplete";
export type PhaseName =
  | "devices" | "connect" | "picture" | "sound" | "speaker" | "echo" | "clock"
  | "downlink" | "uplink" | "paths" | "tcp_down" | "tcp_up" | "service" | "practical" | "finish";
export type Kind = "start" | "mark" | "event" | "final" | "died";
export type Status =
  | "present" | "NotAllowedError" | "NotFoundError" | "NotReadableError" | "OverconstrainedError"
  | "AbortError" | "SecurityError" | "denied_by_system" | "dismissed" | "no_answer" | "no_frames"
  | "insecure" | "unsupported" | "failed" | "ended";

export interface Organisation { slug: string; name: string; support_phone: string; support_hours: string; languages?: string[]; time_zone?: string; /** while nobody answers */ opens_at?: string | null }
export interface Meeting {
  title?: string;
  starts_at: string;
  ends_at: string;
  time_zone: string;
  state?: "planned" | "cancelled";
  /** whom to call for another time or a meeting in person */
  clinic_phone?: string;
  /** who answers there */
  contact?: string;
}

export interface Session {
  session: string;
  kind: "participant" | "leader" | "drop_in";
  /** the language the person has in the meeting */
  locale?: string | null;
  organisation: Organisation;
  meeting?: Meeting;
  practical?: string[];
  last_report?: Report;
  /** Whether support may follow this session's tests. */
  followed?: boolean;
  /** the meeting is over, or cancelled: nothing is tested any more */
  over?: boolean;
  /** the question after the meeting, from its end on; score 0 where nothing was said yet */
  after?: { score: number; problem: string; satisfied?: number; again?: string } | null;
  solution?: { title: string; program_on: string[]; practice?: string };
  /** the way into the meeting: its link only once it is open, and only where it is given here */
  join?: { opens_at: string; open: boolean; begun: boolean; link: string | null; here: boolean; from: string } | null;
  /** the host of the meeting's own page, where it is known */
  service?: { title: string; host: string; url: string } | null;
  /** a short check will do, on the same kind of device */
  recheck?: { tested_at: string; client: { browser: string; os: string; form: string } } | null;
  /** the person's own test that is not finished: `live` while a page is at it, `here` where this browser began it */
  unfinished?: { session: string; test: string; live: boolean; here: boolean } | null;
  /** false while a part of the service itself is away */
  service_ready?: boolean;
}

export interface Plan {
  type: "plan";
  test: string;
  profile: string;
  mode: "full" | "recheck";
  phases: { name: PhaseName; budget_s: number; budget_bytes: number }[];
  done: PhaseName[];
  ice_servers: RTCIceServer[];
  ask: { practical: string[]; expected_people: number };
  digits: number[][];
  choices: number[][][];
  /** Folder of the digits' recordings: <voices>/<lang>/<digit>.mp3. */
  voices: string;
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
  /** when it was measured, where an earlier report said so */
  measured_at?: string | null;
  /** whether the organisation had set one of its limits itself */
  own_limits?: boolean;
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
  mode?: "full" | "recheck";
  not_tested?: string[];
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
export interface DevicesResult {
  camera: CameraResult;
  microphone: MicrophoneResult;
  browser: { missing: string[] };
  stream: MediaStream | null;
  /** the browser does not let a page read its pictures back */
  hidden?: boolean;
  /** what came after the time was up, if it comes */
  late?: Promise<DevicesResult>;
}

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
  running?: boolean;
  /** a meeting room, by its own newest check */
  room?: boolean;
  verdict?: string;
  tested_at?: string;
  other_device?: boolean;
  without_sound?: boolean;
  /** the class of device that the answer is for: phone, tablet or computer */
  device?: string | null;
  /** it is the day of the meeting, and a short check is still to come */
  recheck_due?: boolean;
  practical?: Record<string, string | number>;
  advice?: string;
  responsible?: string;
  area?: string;
  together?: number;
  /** an interpreter's language */
  interprets?: string;
  invitation?: { channel: string; state: string; sent_at: string | null; error?: string | null } | null;
  /** how the link can be sent again, null where no address is known */
  can_resend?: "mail" | "sms" | null;
  handed_over_at?: string | null;
  /** support has it, or had it */
  taken?: boolean;
  /** support is done with it */
  helped?: boolean;
  /** only while the leader has typed the PIN */
  phones?: string[];
}
export interface BoardHost {
  role: "leader" | "technical_host";
  label: string;
  state: string;
  running?: boolean;
  tested_at?: string;
  device?: string | null;
  /** it is who reads the board */
  own?: boolean;
  phones?: string[];
}
export interface BoardMeeting {
  id: string;
  title: string;
  starts_at: string;
  ends_at: string;
  time_zone: string;
  state: "planned" | "cancelled";
  solution?: string;
  join_link?: string;
  support_phone?: string;
  /** who judged that video suits, whether the agenda is sent, who is with the patient */
  assessed_by?: string;
  agenda_sent?: boolean;
  companion?: string;
  hosts?: BoardHost[];
}
export interface BoardPart { meeting: BoardMeeting; participants: BoardParticipant[] }
export interface Board extends BoardPart {
  organisation: Organisation;
  at?: string;
  /** the leader's other meetings of today and of the meeting's day */
  day?: BoardPart[];
  /** phone numbers are shown */
  unlocked?: boolean;
  /** what the reader is in the meeting */
  you?: "leader" | "technical_host";
  /** where the PIN would go; null: nobody knows the leader's own phone or mail */
  pin?: "sms" | "mail" | null;
  /** the question after the meeting: null before the end, 0 unanswered, 1-5 what was said */
  feedback?: number | null;
}

/** A meeting as the organiser's API gives it. */
export interface PlannedPerson {
  id: string;
  role: string;
  label: string;
  locale: string;
  together: number;
  interprets: string;
  phone: string;
  mail: string;
  state?: string;
  invitation?: { channel: string; state: string; sent_at: string | null; error: string | null } | null;
  /** how the link was last handed over */
  given?: { as: string; at: string } | null;
  told_at?: string | null;
  /** they may know of the meeting, and no message tells of the last change */
  call?: boolean;
}
/** Somebody who is in the meeting no more; `call` where no message tells them. */
export interface PlannedTakenOut { id: string; role: string; label: string; phone: string; given_as: string | null; call: boolean }
export interface PlannedHost { id: string; role: string; label: string; locale: string; phone: string; mail: string; call?: boolean; given?: PlannedPerson["given"]; told_at?: string | null; invitation?: PlannedPerson["invitation"] }
export interface PlannedMeeting {
  id: string;
  title: string;
  starts_at: string;
  ends_at: string;
  local_start: string;
  profile: string;
  solution: string;
  join_link: string;
  join_shown: string;
  join_from: string;
  support_phone: string;
  clinic_phone: string;
  contact: string;
  assessed_by: string;
  agenda_sent: boolean;
  companion: string;
  unit: string;
  state: "planned" | "cancelled";
  sequence: number;
  reminders: number[];
  practical: string[];
  expected_people: number;
  participants: PlannedPerson[];
  hosts: PlannedHost[];
  taken_out: PlannedTakenOut[];
  /** the meeting rooms that it is in, each with its newest check */
  rooms?: { id: string; name: string; building: string; state: string; checked_at: string | null }[];
}
export interface PlannedLine { id: string; title: string; starts_at: string; ends_at: string; state: string; counts: Record<string, number>; labels?: string[]; leaders?: string[] }

declare global {
  /** Scope of an audio worklet, missing in the DOM library. */
  const sampleRate: number;
  const currentTime: number;
  class AudioWorkletProcessor { readonly port: MessagePort; constructor(options?: unknown) }
  function registerProcessor(name: string, constructor: new (...args: any[]) => AudioWorkletProcessor): void;
}
