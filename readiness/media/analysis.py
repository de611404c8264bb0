"""Analyses the picture and sound of one test in one low-priority thread, so as not to disturb the clock echo.

Nothing is written to disk and only numbers are kept: a still or a piece of sound is dropped once it is analysed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from probes.measurement import Measurement
from readiness.media.limits import MAX_EAR_BYTES, MAX_PCM_BYTES, MAX_STILL_BYTES, SOUND_INTERVAL_S

__all__ = ["Analysis"]

_NICENESS = 10
_MAX_PIECES = 120
"""Most pieces of sound that may wait: a minute's worth at two a second."""


class Emit(Protocol):
    """Sends one message, with its payload if it has one."""

    def __call__(self, message: Mapping[str, Any], payload: bytes = b"", /) -> None: ...


class Analysis:
    """Takes stills and sound as they arrive. Only the newest still waits; no sound is skipped."""

    def __init__(self, emit: Emit, *, on_memory_error: Callable[[], None]) -> None:
        self.dropped_stills = 0
        self.dropped_pieces = 0
        self._emit = emit
        self._on_memory_error = on_memory_error
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="analysis", initializer=_be_nice)
        self._still: tuple[int, bytes, int] | None = None
        self._pieces: deque[tuple[str | None, int, bytes]] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._runner: asyncio.Task[None] | None = None
        self._picture: Any = None
        self._sound: Any = None
        self._sound_told_s = 0.0
        self._ear: list[bytes] = []
        self._ear_bytes = 0
        self._ear_from_ms: int | None = None

    def prepare(self) -> None:
        """Load the models in the background, before the first still arrives."""
        self._run()
        self._submit(self._load_quietly)

    def still(self, t_ms: int, jpeg: bytes, *, expected_people: int = 1) -> None:
        """Analyse a still, or let it wait in place of an older one. Each still is answered exactly once."""
        if len(jpeg) > MAX_STILL_BYTES:
            self._emit({"op": "still_rejected", "t_ms": t_ms, "code": "still.too_long"})
            return
        if self._still is not None:
            self.dropped_stills += 1
            self._emit({"op": "still_rejected", "t_ms": self._still[0], "code": "still.superseded"})
        self._still = (t_ms, jpeg, expected_people)
        self._work()

    def pcm(self, t_ms: int, data: bytes) -> None:
        """Analyse a piece of 16 kHz mono sound (s16le)."""
        if len(data) > MAX_PCM_BYTES or len(data) % 2:
            self._emit({"op": "pcm_rejected", "t_ms": t_ms, "code": "pcm.length"})
            return
        self._queue(None, t_ms, data)

    def mark(self, step: str, t_ms: int) -> None:
        """Note the beginning or end of a step of the sound test, in sequence with the sound."""
        self._queue(step, t_ms, b"")

    def ear(self, t_ms: int, data: bytes) -> None:
        """Keep a piece of the sound recorded while the digits played, until `finish_echo`; at most 8 s in all."""
        if len(data) > MAX_PCM_BYTES or len(data) % 2 or self._ear_bytes + len(data) > MAX_EAR_BYTES:
            self._emit({"op": "pcm_rejected", "t_ms": t_ms, "code": "pcm.length"})
            return
        if self._ear_from_ms is None:
            self._ear_from_ms = t_ms
        self._ear.append(data)
        self._ear_bytes += len(data)

    async def finish_echo(self, data: Mapping[str, Any]) -> tuple[list[Measurement], dict[str, Any]]:
        """Return how much of the digits came back as echo, and discard the sound."""
        heard, self._ear, self._ear_bytes = b"".join(self._ear), [], 0
        return [await self._submit(_echo, heard, self._ear_from_ms or 0, data)], {}

    async def finish_sound(self, raw: Mapping[str, Any]) -> tuple[list[Measurement], dict[str, Any]]:
        """Return the microphone's measurements once all queued sound is analysed."""
        await self._idle.wait()
        found: list[Measurement] = await self._submit(self._measure_sound, raw)
        return found, {"dropped_pieces": self.dropped_pieces}

    def _queue(self, step: str | None, t_ms: int, data: bytes) -> None:
        if len(self._pieces) >= _MAX_PIECES:
            self.dropped_pieces += 1
            return
        self._pieces.append((step, t_ms, data))
        self._work()

    def _work(self) -> None:
        self._idle.clear()
        self._wake.set()
        self._run()

    def _run(self) -> None:
        if self._runner is None:
            self._runner = asyncio.get_running_loop().create_task(self._loop())

    async def _loop(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pieces or self._still:
                await self._one()
            self._idle.set()

    async def _one(self) -> None:
        """Analyse the next piece of sound, or else the waiting still."""
        if self._pieces:
            answer = await self._submit(self._hear, *self._pieces.popleft())
            if answer:
                self._emit(answer)
        elif self._still:
            still, self._still = self._still, None
            answer = await self._submit(self._look, *still)
            self._emit(answer, still[1] if answer.get("look_again") else b"")

    def _submit(self, work: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Run `work` in the thread. If the thread cannot be started, memory is exhausted."""
        try:
            return asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except RuntimeError:
            self._on_memory_error()
            raise

    def _look(self, t_ms: int, jpeg: bytes, expected_people: int) -> dict[str, Any]:
        try:
            picture = self._load_picture()
            numbers, look_again = picture(jpeg, t_ms, expected_people)
            return {"op": "still", "t_ms": t_ms, "numbers": numbers, "look_again": look_again}
        except MemoryError:
            self._on_memory_error()
            raise
        except ValueError:
            return {"op": "still_rejected", "t_ms": t_ms, "code": "still.rejected"}
        except Exception as error:  # noqa: BLE001 - ours, not the participant's: say so
            return {"op": "still_rejected", "t_ms": t_ms, "code": "still.failed", "error": type(error).__name__}

    def _hear(self, step: str | None, t_ms: int, data: bytes) -> dict[str, Any] | None:
        try:
            sound = self._load_sound()
            if step is not None:
                sound.mark(step, t_ms)
                return None
            numbers = sound.feed(data, t_ms)
        except MemoryError:
            self._on_memory_error()
            raise
        except Exception as error:  # noqa: BLE001 - ours or nonsense: the test goes on
            return {"op": "pcm_rejected", "t_ms": t_ms, "code": "pcm.failed", "error": type(error).__name__}
        now = time.perf_counter()
        if now - self._sound_told_s < SOUND_INTERVAL_S:
            return None
        self._sound_told_s = now
        so_far = [measurement.to_json() for measurement in sound.so_far()]
        return {"op": "sound", "t_ms": t_ms, "numbers": numbers, "measured": so_far}

    def _measure_sound(self, raw: Mapping[str, Any]) -> list[Measurement]:
        return list(self._load_sound().measurements(raw))

    def _load_quietly(self) -> None:
        try:
            self._load_picture()
            self._load_sound()
        except MemoryError:
            self._on_memory_error()
        except Exception:  # noqa: BLE001 - said with the first still or sound instead
            return

    def _load_picture(self) -> Callable[[bytes, int, int], tuple[dict[str, Any], bool]]:
        if self._picture is None:
            from probes.camera import wants_second_look  # noqa: PLC0415 - with the rest
            from probes.faces import FaceFinder  # noqa: PLC0415
            from probes.picture import PictureAnalyser, decode_still  # noqa: PLC0415 - heavy

            analyser = PictureAnalyser(FaceFinder())

            def look(jpeg: bytes, t_ms: int, expected_people: int) -> tuple[dict[str, Any], bool]:
                still = analyser.numbers(decode_still(jpeg), t_ms)
                return still.to_json(), wants_second_look(still, expected_people)

            self._picture = look
        return self._picture  # type: ignore[no-any-return]

    def _load_sound(self) -> Any:
        if self._sound is None:
            from probes.microphone import SoundAnalyser  # noqa: PLC0415
            from probes.speech import SpeechDetector  # noqa: PLC0415

            detector = SpeechDetector()
            self._sound = SoundAnalyser(detector, detector.twin())
        return self._sound


def _echo(heard: bytes, from_ms: int, data: Mapping[str, Any]) -> Measurement:
    import numpy as np  # noqa: PLC0415 - heavy, and in the thread

    from probes.echo import echo_measurement  # noqa: PLC0415
    from readiness.media.digits import spoken_digit  # noqa: PLC0415

    lang, folder = str(data.get("lang")), str(data.get("voice") or "")
    samples = np.frombuffer(heard, "<i2").astype(np.float32) / np.float32(32768)
    digits = [spoken_digit(lang, int(digit), folder) for digit in data.get("digits", ())]
    starts_ms = [float(start) - from_ms for start in data.get("starts_ms", ())]
    return echo_measurement(samples, digits, starts_ms, float(data.get("gain_db", 0.0)))


def _be_nice() -> None:
    """Lower this thread's priority (Linux accepts a thread id where the call says process)."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
