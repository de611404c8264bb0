"""Microphone: level, speech, noise and clipping from sound that is looked at and let go.

Levels are dBFS with full scale at 1.0, so a full-scale sine reads -3.01. The server's 16 kHz stream tells speech from
pauses; the page's own figures of the raw 48 kHz capture tell zeros and clipping, which resampling and codecs erase.
No sound is kept: only the energy and the speech probability of each 32 ms window.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from probes.estimates import finite, mean, pair
from probes.measurement import Measurement, Number, not_measured

__all__ = ["FLOOR_DBFS", "STEPS", "Detector", "SoundAnalyser"]

FLOOR_DBFS: Final = -100.0
"""What digital silence reads; one step of 16 bits is -90."""
WINDOW_SAMPLES: Final = 512
WINDOW_S: Final = 0.032
"""One window of the speech detector: 512 samples at 16 kHz."""
LIVE_SAMPLES: Final = 4800
"""300 ms: what the live level looks back on."""
MAX_PCM_BYTES: Final = 32_000
"""Longest piece of sound taken at a time: one second."""
MAX_WINDOWS: Final = 3750
"""Two minutes; later windows push out the first."""
SPEECH: Final = 0.5
"""Windows more probable than this are speech (silero's own default)."""
PAUSE: Final = 0.2
"""Windows less probable than this are pause; what lies between counts as neither."""
PAUSE_MARGIN: Final = 3
"""Windows (96 ms) next to anything else that a pause loses on either side: breath, echo of the room, late starts."""
MIN_WINDOWS: Final = 31
"""One second of sound before anything is said about it."""
MIN_SPEECH_WINDOWS: Final = 10
MIN_PAUSE_WINDOWS: Final = 10
"""A third of a second of speech for a level, and of pause for a noise floor."""
SPEAKING: Final = (3, 6)
"""Speaking now: at least 3 of the last 6 windows (0.2 s) are speech."""
FLOOR_SHARE: Final = 0.9
"""Share of the pause windows, the quietest ones, that make the noise floor: a cough or a late start is no floor."""
BLOCK_FIGURES: Final = 5
"""Figures in one of the page's blocks: t_ms, rms_dbfs, peak_dbfs, zero_pct, clipped_frames_pct."""
STEPS: Final = ("silence_start", "silence_end", "speech_start", "speech_end")

_Details = dict[str, Number | str | bool | None]


class Detector(Protocol):
    """Anything that gives one speech probability per 512 samples at 16 kHz, such as `probes.speech.SpeechDetector`."""

    def feed(self, samples: NDArray[np.float32], /) -> list[float]:
        """Take samples, return a probability for each window that became full."""


@dataclass(frozen=True, slots=True)
class _Window:
    power: float
    peak: float
    zeros: int
    probability: float


@dataclass(frozen=True, slots=True)
class _Raw:
    """The page's figures of the raw capture; None where it sent none that make sense."""

    peak_dbfs: float | None
    zero_pct: float | None
    clipped_pct: float | None
    blocks: int
    processed: bool


class SoundAnalyser:
    """Follows one stream of sound through the sound step. Holds figures, never sound longer than 300 ms."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._windows: deque[_Window] = deque(maxlen=MAX_WINDOWS)
        self._waiting: NDArray[np.float32] = np.zeros(0, np.float32)
        self._recent: NDArray[np.float32] = np.zeros(0, np.float32)
        self._marks: dict[str, float] = {}

    def feed(self, pcm_s16: bytes, t_ms: float) -> dict[str, Any]:
        """Take little-endian 16-bit mono PCM at 16 kHz, return live numbers: t_ms, speech_s, level_dbfs, speaking.

        Raises ValueError when the bytes are no whole samples or more than a second.
        """
        if len(pcm_s16) % 2 or len(pcm_s16) > MAX_PCM_BYTES:
            raise ValueError("sound is not whole samples of at most one second")
        samples = np.frombuffer(pcm_s16, "<i2").astype(np.float32) / np.float32(32768)
        self._recent = np.concatenate([self._recent, samples])[-LIVE_SAMPLES:]
        self._waiting = np.concatenate([self._waiting, samples])
        for probability in self._detector.feed(samples):
            window, self._waiting = self._waiting[:WINDOW_SAMPLES], self._waiting[WINDOW_SAMPLES:]
            self._windows.append(_window(window, probability))
        return {"t_ms": t_ms, **self._live()}

    def mark(self, step: str, t_ms: float) -> None:
        """Note when the person was asked for silence or speech. Raises ValueError for an unknown step."""
        if step not in STEPS:
            raise ValueError("unknown step of the sound check")
        self._marks[step] = t_ms

    def measurements(self, raw: Mapping[str, Any]) -> list[Measurement]:
        """Return microphone.level, microphone.speech, microphone.noise and microphone.clipping.

        `raw` is the page's view of the raw capture: ``{blocks: [[t_ms, rms_dbfs, peak_dbfs, zero_pct,
        clipped_frames_pct], ...], processed, sample_rate_hz}``; it may be empty. Unless the page says that processing
        was off, it counts as on.
        """
        page = _raw(raw)
        windows = list(self._windows)
        pauses = _pauses(windows)
        floor = _floor(pauses)
        level = _level_measurement(windows, page, floor)
        return [
            level,
            _speech_measurement(windows),
            self._noise_measurement(windows, len(pauses), floor, level, page),
            _clipping_measurement(page),
        ]

    def _noise_measurement(
        self, windows: Sequence[_Window], pauses: int, floor: float | None, level: Measurement, page: _Raw
    ) -> Measurement:
        """Return the noise floor in dBFS, from pauses anywhere in the step, and the distance of speech from it."""
        if len(windows) < MIN_WINDOWS:
            return not_measured("microphone.noise", "too_few_samples", "dbfs")
        if floor is None:
            return not_measured("microphone.noise", "no_pause", "dbfs")
        details: _Details = {
            "snr_db": _speech_to_noise(level.metric("value"), floor),
            "processed": page.processed,
            "quiet_s": round(pauses * WINDOW_S, 3),
            "asked_silence_s": self._asked_silence_s(),
        }
        return Measurement("microphone.noise", floor, "dbfs", samples=pauses, details=details)

    def _asked_silence_s(self) -> float | None:
        times = pair(self._marks.get("silence_start"), self._marks.get("silence_end"))
        return (times[1] - times[0]) / 1000.0 if times and times[1] > times[0] else None

    def _live(self) -> dict[str, Any]:
        power = float(np.mean(self._recent**2)) if self._recent.size else 0.0
        needed, looked_at = SPEAKING
        last = list(self._windows)[-looked_at:]
        return {
            "speech_s": round(_speech_s(self._windows), 3),
            "level_dbfs": round(_dbfs(power), 1),
            "speaking": sum(1 for window in last if window.probability > SPEECH) >= needed,
        }


def _window(samples: NDArray[np.float32], probability: float) -> _Window:
    return _Window(
        power=float(np.mean(samples**2)),
        peak=float(np.max(np.abs(samples))),
        zeros=int(np.count_nonzero(samples == 0)),
        probability=probability,
    )


def _level_measurement(windows: Sequence[_Window], page: _Raw, floor: float | None) -> Measurement:
    """Return the level of speech alone in dBFS: within 0.1 dB of ITU-T P.56, however long the pauses are."""
    details: _Details = {
        "digital_zero_pct": page.zero_pct if page.blocks else _zero_pct(windows),
        "peak_dbfs": page.peak_dbfs if page.blocks else _peak_dbfs(windows),
        "noise_floor_dbfs": floor,
        "processed": page.processed,
    }
    speech = [window.power for window in windows if window.probability > SPEECH]
    if len(speech) >= MIN_SPEECH_WINDOWS:
        return Measurement("microphone.level", _level(speech), "dbfs", samples=len(speech), details=details)
    cause = "no_speech" if len(windows) >= MIN_WINDOWS or page.blocks else "too_few_samples"
    return Measurement("microphone.level", None, "dbfs", samples=len(speech), cause=cause, details=details)


def _speech_measurement(windows: Sequence[_Window]) -> Measurement:
    if len(windows) < MIN_WINDOWS:
        return not_measured("microphone.speech", "too_few_samples", "s")
    details: _Details = {"listened_s": round(len(windows) * WINDOW_S, 3)}
    return Measurement("microphone.speech", _speech_s(windows), "s", samples=len(windows), details=details)


def _clipping_measurement(page: _Raw) -> Measurement:
    """Return the share of 20 ms frames with a run of samples at full scale, in percent; only the page can see it."""
    if page.clipped_pct is None:
        return not_measured("microphone.clipping", "too_few_samples", "pct")
    details: _Details = {"peak_dbfs": page.peak_dbfs}
    return Measurement("microphone.clipping", page.clipped_pct, "pct", samples=page.blocks, details=details)


def _pauses(windows: Sequence[_Window]) -> list[_Window]:
    """Return the windows well inside a pause, without those of exact zeros where others are left.

    Exact zeros are a device that has not started yet, not a quiet room.
    """
    quiet = [window.probability < PAUSE for window in windows]
    inside = [
        window
        for index, window in enumerate(windows)
        if all(quiet[max(0, index - PAUSE_MARGIN) : index + PAUSE_MARGIN + 1])
    ]
    return [window for window in inside if window.zeros < WINDOW_SAMPLES] or inside


def _floor(pauses: Sequence[_Window]) -> float | None:
    """Return the noise floor in dBFS, or None where the pauses are too few to tell."""
    if len(pauses) < MIN_PAUSE_WINDOWS:
        return None
    powers = sorted(window.power for window in pauses)
    return _level(powers[: math.ceil(len(powers) * FLOOR_SHARE)])


def _speech_s(windows: Sequence[_Window] | deque[_Window]) -> float:
    return sum(1 for window in windows if window.probability > SPEECH) * WINDOW_S


def _speech_to_noise(level: object, floor: float) -> float | None:
    """Return the signal-to-noise ratio in dB; the noise under the speech is taken out of the speech first."""
    if not isinstance(level, (int, float)):
        return None
    speech, noise = 10.0 ** (level / 10.0), 10.0 ** (floor / 10.0)
    return 10.0 * math.log10(max(speech - noise, 1e-3 * speech) / noise)


def _raw(raw: Mapping[str, Any]) -> _Raw:
    blocks = raw.get("blocks")
    rows = [row for block in blocks if (row := _block(block))] if isinstance(blocks, (list, tuple)) else []
    return _Raw(
        peak_dbfs=max((row[2] for row in rows), default=None),
        zero_pct=mean([row[3] for row in rows]),
        clipped_pct=mean([row[4] for row in rows]),
        blocks=len(rows),
        processed=raw.get("processed") is not False,
    )


def _block(block: Any) -> list[float] | None:
    """Return a block of five sensible numbers with its levels kept between the floor and +20 dBFS, else None."""
    if not isinstance(block, (list, tuple)) or len(block) != BLOCK_FIGURES:
        return None
    numbers = finite(block)
    if len(numbers) != BLOCK_FIGURES or not all(0.0 <= share / 100.0 <= 1.0 for share in numbers[3:]):
        return None
    t_ms, rms, peak, zeros, clipped = numbers
    return [t_ms, *(min(max(level, FLOOR_DBFS), 20.0) for level in (rms, peak)), zeros, clipped]


def _zero_pct(windows: Sequence[_Window]) -> float | None:
    return 100.0 * sum(window.zeros for window in windows) / (len(windows) * WINDOW_SAMPLES) if windows else None


def _peak_dbfs(windows: Sequence[_Window]) -> float | None:
    return _dbfs(max(window.peak for window in windows) ** 2) if windows else None


def _level(powers: Sequence[float]) -> float:
    return _dbfs(mean(powers) or 0.0)


def _dbfs(power: float) -> float:
    return max(FLOOR_DBFS, 10.0 * math.log10(power)) if power > 0 else FLOOR_DBFS
