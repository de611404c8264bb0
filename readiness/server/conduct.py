"""One live self-test: passes what the page sends to its media worker and gets the finished phases kept.

Measures nothing and judges nothing itself: numbers come from the worker and from `probes`, hints and the verdict from
`reports`. Every finished phase is committed before the next message is read, so that a test can go on elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from probes.camera import (
    frame_rate_measurement,
    frozen_measurement,
    noise_measurement,
    picture_measurements,
    with_second_look,
)
from probes.capture import device_measurements
from probes.measurement import Measurement
from probes.path import path_measurements, relay_measurements
from probes.service import service_measurement
from probes.speaker import speaker_measurement
from readiness.logs import log_event
from readiness.media.heavy import Heavy
from readiness.media.pool import MediaWorker
from readiness.server.admission import Lines
from readiness.server.headroom import Downstream, Upstream
from readiness.server.phases import PHASE_CHECKS, PRACTICAL, died, phase_json
from reports.guidance import Hint, PictureGuidance, SoundGuidance, picture_window
from reports.model import SkipReason
from reports.profile import Profile

__all__ = ["SelfTestRun", "WorkerLost"]

log = logging.getLogger(__name__)

RESULT_TIMEOUT_S = 8.0
"""The worker has its figures by then, or the step counts as died."""
STILLS_SETTLE_S = 2.0
"""How long the last stills may take after the picture step ended."""
LOOK_AGAIN_S = 1.0
"""How long a still waits for the helper's second look, s; usually 0.2."""
SKIPS = {"no_sound": SkipReason.NO_SOUND, "declined": SkipReason.DECLINED}
MAX_EVENTS = 40
LONGEST_LINE_S = 90.0
"""A page that began to measure and never went on keeps its place no longer than this."""
CONNECTED_WITHIN_S = 1.0
"""The page may know of its connection a little before the worker has told us."""
LOAD_PHASES = {"downlink": "down", "uplink": "up"}
"""Phases that load the line, and the direction of each."""
LIMIT_EVENT = "limit_reached"
"""The peer used more than a test may, and was closed."""

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
SendBytes = Callable[[bytes], Awaitable[None]]
Keep = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class WorkerLost(Exception):  # noqa: N818 - a state, not an input error
    """The media worker ended before the test did; `cause` is the report's cause."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class SelfTestRun:
    """The middle between one page's socket and one media worker."""

    def __init__(
        self,
        *,
        profile: Profile,
        expected_people: int,
        worker: MediaWorker,
        send: Send,
        send_bytes: SendBytes,
        keep: Keep,
        keep_phone: Callable[[str], Awaitable[None]],
        phases: dict[str, Mapping[str, Any]],
        digits: Sequence[Sequence[int]],
        lines: Lines,
        heavy: Heavy,
        voices: Mapping[str, str] | None = None,
        invited: bool = True,
    ) -> None:
        self._digits = digits
        self._profile, self._expected_people = profile, expected_people
        self._worker, self._send, self._keep, self._keep_phone = worker, send, keep, keep_phone
        self.phases = phases
        self.phase = "devices"
        """The phase that the page is in, as far as is known."""
        self._stills: list[Mapping[str, Any]] = []
        self._stills_out = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._picture = PictureGuidance(profile, expected_people=expected_people)
        self._sound = SoundGuidance(profile)
        self._began: dict[str, float] = {}
        self._results: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._downstream = Downstream(send_bytes)
        self._upstream: Upstream | None = None
        self._lines, self._invited = lines, invited
        self._connected = asyncio.Event()
        """Whether media flows to the page: there is nothing to measure on a line that is not there."""
        self.stepped_at_s = time.monotonic()
        """When the last step was finished, by the monotonic clock."""
        self._heavy = heavy
        self._voices = voices or {}
        """Folder of the spoken digits' recordings, by language."""
        self._looked: asyncio.Queue[tuple[Mapping[str, Any], bytes]] = asyncio.Queue()
        self._place: asyncio.Task[bool] | None = None
        self._place_ends: asyncio.TimerHandle | None = None
        self._loading: set[str] = set()
        self._idle_runs = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- from the page

    async def on_message(self, message: Mapping[str, Any]) -> bool:
        """Handle one checked message. Returns whether the page is finished."""
        if message["type"] == "offer":
            path = {"path": message["path"]} if "path" in message else {}
            self._begin("paths" if path else "connect")
            await self._worker.send({"op": "offer", "sdp": message["sdp"], **path})
            return False
        if message["type"] != "samples":
            return False
        phase, kind, data = message["phase"], message["kind"], message["data"]
        if kind == "event":
            await self._on_event(data)
        elif phase == "finish":
            return True
        elif phase in self.phases:
            log_event(log, logging.INFO, "phase.repeated", phase=phase)
        elif kind == "died":
            await self._finish(phase, died(phase, data["cause"], seconds=self._took(phase)))
        else:
            await self._on_samples(phase, kind, data)
        return False

    async def on_still(self, t_ms: int, jpeg: bytes) -> None:
        """Pass a still on to the worker; its numbers come back as hints."""
        if "picture" not in self.phases:
            self._begin("picture")
            self._stills_out += 1
            self._settled.clear()
            await self._worker.send({"op": "still", "t_ms": t_ms, "expected_people": self._expected_people}, jpeg)

    async def on_sound(self, t_ms: int, pcm: bytes) -> None:
        """Pass a piece of sound on to the worker: of the sound step or, after it, of the digits."""
        if "sound" not in self.phases:
            self._begin("sound")
            await self._worker.send({"op": "pcm", "t_ms": t_ms}, pcm)
        elif "echo" not in self.phases:
            self._begin("echo")
            await self._worker.send({"op": "ear", "t_ms": t_ms}, pcm)

    async def on_headroom(self, size_bytes: int) -> None:
        """Count what arrived of the uplink's TCP headroom; say so when enough is proven."""
        if self._upstream is not None and self._upstream.arrived(size_bytes, time.monotonic()):
            await self._end_upstream()

    # ---- from the worker

    async def follow_worker(self) -> None:
        """Handle the worker's messages until it ends. Raises WorkerLost."""
        self._spawn(self._follow_stills())
        async for message, payload in self._worker.messages():
            await self._on_worker(message, payload)
        raise WorkerLost(self._worker.end_cause or "worker_died")

    async def _on_worker(self, message: Mapping[str, Any], payload: bytes) -> None:
        match message["op"]:
            case "answer" | "rejected":
                await self._on_answer(message)
            case "still":
                self._looked.put_nowait((message["numbers"], payload))
            case "still_rejected":
                self._one_settled()
            case "sound":
                so_far = [Measurement.from_json(item) for item in message.get("measured", ())]
                await self._hint(self._sound.add(message["numbers"], so_far))
            case "net":
                await self._on_net(message)
            case "peer":
                (self._connected.set if message["state"] == "connected" else self._connected.clear)()
                if str(message.get("code") or "").startswith("budget."):
                    await self._on_event({"code": LIMIT_EVENT})
            case "measured":
                self._on_measured(message)

    async def _on_answer(self, message: Mapping[str, Any]) -> None:
        path = {"path": message["path"]} if "path" in message else {}
        if message["op"] == "answer":
            await self._send({"type": "answer", "sdp": message["sdp"], **path})
            return
        phase = "paths" if path else "connect"
        await self._send({"type": "phase", "phase": phase, "state": "failed", "code": message["code"], "values": path})

    def _on_measured(self, message: Mapping[str, Any]) -> None:
        waiting = self._results.get(message["phase"])
        if waiting and not waiting.done():
            waiting.set_result(dict(message))

    async def _on_net(self, message: Mapping[str, Any]) -> None:
        told = {name: message[name] for name in ("phase", "state", "values", "code") if name in message}
        await self._send({"type": "phase", **told})
        if message["state"] == "ended" and message["phase"] in LOAD_PHASES:
            self._loaded(message["phase"])

    def _one_settled(self) -> None:
        self._stills_out -= 1
        if self._stills_out <= 0:
            self._settled.set()

    async def _follow_stills(self) -> None:
        """Take the stills' numbers in their order; where people are missing the shared helper looks first.

        A still that others already wait behind goes without: hints must not lag.
        """
        while True:
            numbers, jpeg = await self._looked.get()
            if jpeg and "picture" not in self.phases and self._looked.empty():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        numbers = with_second_look(numbers, await self._heavy.ask("faces", jpeg) or ())
            await self._on_still_numbers(numbers)
            self._one_settled()

    async def _on_still_numbers(self, numbers: Mapping[str, Any]) -> None:
        self._stills.append(numbers)
        if "picture" not in self.phases:
            await self._hint(self._picture.add(numbers))

    async def _hint(self, hint: Hint | None) -> None:
        if hint is not None:
            await self._send({"type": "hint", "check": hint.check, "code": hint.code, "values": dict(hint.values)})

    # ---- phases

    async def _on_samples(self, phase: str, kind: str, data: Mapping[str, Any]) -> None:
        self._begin(phase)
        match phase, kind:
            case "sound", "mark":
                if data["step"] == "speech_start":
                    self._sound.speech_asked()
                await self._worker.send({"op": "mark", "step": data["step"], "t_ms": data["t_ms"]})
            case "clock", "start":
                self._spawn(self._start_idle())
            case "downlink" | "uplink", "start":
                self._spawn(self._start_load(phase))
            case "clock" | "downlink" | "uplink", "mark":
                await self._worker.send({"op": "net", "step": "mark", "phase": phase, "data": dict(data)})
            case "tcp_down", "start":
                self._spawn(self._run_downstream())
            case "tcp_up", "start":
                await self._start_upstream()
            case _, "final":
                await self._on_final(phase, data)

    async def _on_final(self, phase: str, data: Mapping[str, Any]) -> None:
        match phase:
            case "devices":
                figures = {"other_device": bool(data.get("other_device"))}
                await self._finish(phase, phase_json(device_measurements(data), figures=figures))
            case "picture":
                await self._finish(phase, await self._picture_phase(data))
            case "sound" | "echo":
                await self._finish(phase, await self._sound_phase(phase, data))
            case "clock" | "downlink" | "uplink":
                await self._finish(phase, await self._from_worker(phase, data))
            case "connect" | "paths":
                await self._finish(phase, self._path_phase(phase, data))
            case "speaker" | "service":
                of_phase = _speaker_phase(data, self._digits) if phase == "speaker" else self._service_phase(data)
                await self._finish(phase, of_phase)
            case "tcp_down":
                self._downstream.stop()
                down_mbps = self._downstream.rate_mbps(data["points"])
                await self._finish(phase, phase_json(figures={"tcp_mbps": down_mbps}, seconds=self._took(phase)))
            case "tcp_up":
                mbps = self._upstream.rate_mbps if self._upstream else None
                await self._finish(phase, phase_json(figures={"tcp_mbps": mbps}, seconds=self._took(phase)))
            case "practical":
                await self._practical(data["answers"])

    def _path_phase(self, phase: str, data: Mapping[str, Any]) -> dict[str, Any]:
        if phase == "paths":
            return phase_json(relay_measurements(data["tried"], direct=data["direct"]), seconds=self._took(phase))
        figures = {"connection": data.get("connection", "unknown")}
        return phase_json(path_measurements(data), figures=figures, seconds=self._took(phase))

    def _service_phase(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return phase_json([service_measurement(data)], seconds=self._took("service"))

    async def _picture_phase(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if data["ended_by"] == "no_camera":
            return died("picture", "no_camera")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STILLS_SETTLE_S):
                await self._settled.wait()
        window = picture_window(self._stills)
        measured = [
            *picture_measurements(window, self._expected_people),
            noise_measurement(data.get("noise_sigma", ())),
            frozen_measurement(self._stills),
            frame_rate_measurement(data["capture_ms"]),
        ]
        return phase_json(measured, seconds=self._took("picture"))

    async def _sound_phase(self, phase: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the worker heard; without digits nothing can come back of them."""
        if data["ended_by"] == "no_microphone":
            return died(phase, "no_microphone")
        if data["ended_by"] == "not_played":
            return phase_json(skipped={"microphone.echo": SkipReason.NOT_ASKED})
        folder = {"voice": self._voices.get(data.get("lang", ""), "")} if phase == "echo" else {}
        return await self._from_worker(phase, {**data, **folder})

    async def _from_worker(self, phase: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the worker for a phase's measurements; a worker that does not answer makes the step `step_died`."""
        waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._results[phase] = waiting
        await self._worker.send({"op": "finish", "phase": phase, "data": dict(data)})
        try:
            async with asyncio.timeout(RESULT_TIMEOUT_S):
                message = await waiting
        except TimeoutError:
            return died(phase, "step_died", seconds=self._took(phase))
        if message.get("error"):
            return died(phase, "step_died", seconds=self._took(phase))
        measurements = [Measurement.from_json(item) for item in message["measurements"]]
        kept = [m for m in measurements if m.check in PHASE_CHECKS[phase]]
        figures = dict(message.get("numbers") or {})
        if series := message.get("series"):
            await self._finish("series", series)
        return phase_json(kept, figures=figures, seconds=self._took(phase))

    async def _practical(self, answers: Mapping[str, Any]) -> None:
        """Keep the answers; the phone number itself goes only into the encrypted contact field."""
        measured = [
            Measurement(f"practical.{question}", answers[question], samples=1)
            for question in PRACTICAL
            if question != "phone" and question in answers
        ]
        if answers.get("phone", "").strip():
            await self._keep_phone(answers["phone"].strip())
            measured.append(Measurement("practical.phone", "given", samples=1))
        given = {m.check for m in measured}
        left_out = {check: SkipReason.NOT_ASKED for check in PHASE_CHECKS["practical"] if check not in given}
        await self._finish("practical", phase_json(measured, skipped=left_out))

    async def _take_place(self) -> None:
        """Wait for a place among the lines that this machine can time at once; a test takes one, once.

        Who is not connected takes none: the worker says at once that there is no line.
        """
        if "connect" in self._began:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONNECTED_WITHIN_S):
                    await self._connected.wait()
        if not self._connected.is_set():
            return
        if self._place is None:
            self._place = asyncio.create_task(self._lines.acquire(invited=self._invited))
            self._place_ends = asyncio.get_running_loop().call_later(LONGEST_LINE_S, self._give_place_back)
        await asyncio.wait({self._place})

    async def _start_idle(self) -> None:
        await self._take_place()
        await self._worker.send({"op": "net", "step": "idle", "again": self._idle_runs > 0})
        self._idle_runs += 1

    async def _start_load(self, phase: str) -> None:
        """Begin the trials of one direction."""
        self._loading.add(phase)
        await self._take_place()
        profile = self._profile
        await self._worker.send(
            {
                "op": "net",
                "step": "load",
                "ways": [LOAD_PHASES[phase]],
                "tiers": [[tier.name, tier.need_mbps] for tier in profile.tiers],
                "need_mbps": profile.need_mbps,
                "factor": profile.probe_factor,
            }
        )

    def _loaded(self, phase: str) -> None:
        """One direction is through; when both are, it is somebody else's turn."""
        self._loading.discard(phase)
        if not self._loading:
            self._give_place_back()

    def _give_place_back(self) -> None:
        place, self._place = self._place, None
        if self._place_ends is not None:
            self._place_ends.cancel()
        if place is None:
            return
        if place.done() and not place.cancelled():
            self._lines.release(invited=self._invited)
        place.cancel()

    async def _run_downstream(self) -> None:
        await self._send({"type": "phase", "phase": "tcp_down", "state": "started"})
        await self._downstream.run(self._profile.probe_mbps)
        await self._send({"type": "phase", "phase": "tcp_down", "state": "ended"})

    async def _start_upstream(self) -> None:
        self._upstream = Upstream(self._profile.probe_mbps)
        await self._send({"type": "phase", "phase": "tcp_up", "state": "started"})
        self._spawn(self._watch_upstream(self._upstream))

    async def _watch_upstream(self, upstream: Upstream) -> None:
        await asyncio.sleep(upstream.LONGEST_S)
        if not upstream.is_over:
            await self._end_upstream()

    async def _end_upstream(self) -> None:
        if self._upstream is not None:
            self._upstream.is_over = True
            values = {"mbps": self._upstream.rate_mbps}
            await self._send({"type": "phase", "phase": "tcp_up", "state": "ended", "values": values})

    async def _on_event(self, data: Mapping[str, Any]) -> None:
        codes: list[str] = list(self.phases.get("events", {}).get("codes", ()))
        if data["code"] not in codes and len(codes) < MAX_EVENTS:
            kept = {"codes": [*codes, data["code"]]}
            self.phases["events"] = kept
            await self._keep("events", kept)

    async def _finish(self, phase: str, result: Mapping[str, Any]) -> None:
        await self._keep(phase, result)
        self.phases[phase] = result
        self.stepped_at_s = time.monotonic()

    def _begin(self, phase: str) -> None:
        self._began.setdefault(phase, time.monotonic())
        self.phase = phase

    def _took(self, phase: str) -> float:
        return time.monotonic() - self._began[phase] if phase in self._began else 0.0

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop what still runs on behalf of this test."""
        self._downstream.stop()
        self._give_place_back()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _speaker_phase(data: Mapping[str, Any], digits: Sequence[Sequence[int]]) -> dict[str, Any]:
    found = speaker_measurement(data, digits)
    if found.cause in SKIPS:
        return phase_json(skipped={"speaker.heard": SKIPS[found.cause]})
    return phase_json([found])
