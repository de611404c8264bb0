"""Microphone: level, speech, noise, hum and band from sound that is looked at and let go.

Levels are dBFS with full scale at 1.0, so a full-scale sine reads -3.01. The server's 16 kHz stream tells speech from
pauses; the page's own figures of the raw 48 kHz capture tell zeros, clipping and dropouts (`probes.raw_sound`).
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

from probes.estimates import mean, pair, quantile
from probes.measurement import Measurement, Number, not_measured
from probes.raw_sound import (
    RawFigures,
    clipping_measurement,
    dropout_measurement,
    equipment_measurement,
    raw_figures,
)
from probes.sound_curve import sound_curve
from probes.spectrum import Bands, HumFinder, bandwidth_hz, mean_bands, window_bands

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
STILL_SPEECH: Final = 0.2
"""Speech goes on until a window is less probable than this: quiet ends of words belong to it. Silero's own default is
0.35; at 0 dB SNR that misses 2.2 % and this 1.8 %, and no noise is called speech the sooner (tuning part)."""
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
LOUD_SHARE: Final = 0.9
"""Share of the windows under the level that counts as what was heard while speech was asked for."""
GAPS_DB: Final = 0.3
"""Short gaps within words are speech for ITU-T P.56 and not for the detector; set on the benchmark's tuning part."""
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
    speech: bool
    voice: float
    """Power within 300-3400 Hz, where speech is."""
    bands: Bands


class SoundAnalyser:
    """Follows one stream of sound through the sound step. Holds figures, never sound longer than 300 ms."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._windows: deque[_Window] = deque(maxlen=MAX_WINDOWS)
        self._waiting: NDArray[np.float32] = np.zeros(0, np.float32)
        self._recent: NDArray[np.float32] = np.zeros(0, np.float32)
        self._marks: dict[str, float] = {}
        self._hum = HumFinder()
        self._count = 0
        self._speech_asked_at: int | None = None
        self._quiet = 0

    def feed(self, pcm_s16: bytes, t_ms: float) -> dict[str, Any]:
        """Take little-endian 16-bit mono PCM at 16 kHz, return t_ms, speech_s, level_dbfs, speaking and quiet_s.

        `quiet_s` is how much clear pause there has been so far; the noise floor needs a third of a second of it.

        Raises ValueError when the bytes are no whole samples or more than a second.
        """
        if len(pcm_s16) % 2 or len(pcm_s16) > MAX_PCM_BYTES:
            raise ValueError("sound is not whole samples of at most one second")
        samples = np.frombuffer(pcm_s16, "<i2").astype(np.float32) / np.float32(32768)
        self._recent = np.concatenate([self._recent, samples])[-LIVE_SAMPLES:]
        self._waiting = np.concatenate([self._waiting, samples])
        for probability in self._detector.feed(samples):
            window, self._waiting = self._waiting[:WINDOW_SAMPLES], self._waiting[WINDOW_SAMPLES:]
            self._windows.append(_window(window, probability, self._is_speech(probability)))
            self._count += 1
            self._quiet += _is_pause(self._windows, len(self._windows) - 1 - PAUSE_MARGIN)
        self._hum.feed(samples)
        return {"t_ms": t_ms, **self._live()}

    def _is_speech(self, probability: float) -> bool:
        before = self._windows[-1].speech if self._windows else False
        return probability > (STILL_SPEECH if before else SPEECH)

    def mark(self, step: str, t_ms: float) -> None:
        """Note when the person was asked for silence or speech. Raises ValueError for an unknown step."""
        if step not in STEPS:
            raise ValueError("unknown step of the sound check")
        self._marks[step] = t_ms
        if step == "speech_start":
            self._speech_asked_at = self._count

    def measurements(self, raw: Mapping[str, Any]) -> list[Measurement]:
        """Return level, speech, noise, clipping, dropouts, hum, bandwidth and equipment, each ``microphone.<name>``.

        `raw` is the page's view of the raw capture: ``{blocks: [...], processed, sample_rate_hz}``, see
        `probes.raw_sound`; it may be empty.
        """
        page = raw_figures(raw)
        windows = list(self._windows)
        pauses = _pauses(windows)
        floor = _floor(pauses)
        return [
            _level_measurement(windows, page, floor),
            self._speech_measurement(windows, floor),
            self._noise_measurement(windows, pauses, floor, page),
            clipping_measurement(page),
            dropout_measurement(page),
            self._hum_measurement(),
            _bandwidth_measurement(windows, pauses),
            equipment_measurement(raw, floor, _speech_to_noise(windows, pauses)),
        ]

    def speech_windows(self) -> list[bool]:
        """Return for each 32 ms whether it was speech."""
        return [window.speech for window in self._windows]

    def _speech_measurement(self, windows: Sequence[_Window], floor: float | None) -> Measurement:
        """Return the seconds of speech, and what else there was to hear while speech was asked for."""
        if len(windows) < MIN_WINDOWS:
            return not_measured("microphone.speech", "too_few_samples", "s")
        quietest = floor if floor is not None else _dbfs(quantile([window.power for window in windows], 0.1) or 0.0)
        details: _Details = {
            "listened_s": round(len(windows) * WINDOW_S, 3),
            "floor_dbfs": quietest,
            "rise_db": self._rise_db(windows, quietest),
            **sound_curve([(_dbfs(window.power), window.speech) for window in windows]),
        }
        return Measurement("microphone.speech", _speech_s(windows), "s", samples=len(windows), details=details)

    def _rise_db(self, windows: Sequence[_Window], floor: float) -> float:
        """Return how far sound rose over the floor while speech was asked for, dB; 0 where it was not asked for."""
        if self._speech_asked_at is None:
            return 0.0
        since = [window.power for window in windows[-max(1, self._count - self._speech_asked_at) :]]
        return max(0.0, _dbfs(quantile(since, LOUD_SHARE) or 0.0) - floor)

    def _hum_measurement(self) -> Measurement:
        """Return how far the mains' harmonics stand out of what is around them, dB on average; 0 is no hum."""
        hum = self._hum.hum()
        if hum is None:
            return not_measured("microphone.hum", "too_few_samples", "db")
        details: _Details = {
            "mains_hz": hum.mains_hz if hum.prominence_db else None,
            "harmonics": hum.harmonics,
            "level_dbfs": max(hum.level_dbfs, FLOOR_DBFS),
        }
        return Measurement("microphone.hum", hum.prominence_db, "db", samples=self._hum.segments, details=details)

    def _noise_measurement(
        self, windows: Sequence[_Window], pauses: Sequence[_Window], floor: float | None, page: RawFigures
    ) -> Measurement:
        """Return the noise floor in dBFS, from pauses anywhere in the step, and the distance of speech from it."""
        if len(windows) < MIN_WINDOWS:
            return not_measured("microphone.noise", "too_few_samples", "dbfs")
        if floor is None:
            return not_measured("microphone.noise", "no_pause", "dbfs")
        details: _Details = {
            "snr_db": _speech_to_noise(windows, pauses),
            "processed": page.processed,
            "quiet_s": round(len(pauses) * WINDOW_S, 3),
            "asked_silence_s": self._asked_silence_s(),
        }
        return Measurement("microphone.noise", floor, "dbfs", samples=len(pauses), details=details)

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
            "speaking": sum(1 for window in last if window.speech) >= needed,
            "quiet_s": round(self._quiet * WINDOW_S, 3),
        }


def _window(samples: NDArray[np.float32], probability: float, speech: bool) -> _Window:  # noqa: FBT001 - a figure
    voice, bands = window_bands(samples)
    return _Window(
        power=float(np.mean(samples**2)),
        peak=float(np.max(np.abs(samples))),
        zeros=int(np.count_nonzero(samples == 0)),
        probability=probability,
        speech=speech,
        voice=voice,
        bands=bands,
    )


def _level_measurement(windows: Sequence[_Window], page: RawFigures, floor: float | None) -> Measurement:
    """Return the level of speech alone in dBFS: within 0.1 dB of ITU-T P.56, however long the pauses are."""
    details: _Details = {
        "digital_zero_pct": page.zero_pct if page.blocks else _zero_pct(windows),
        "peak_dbfs": page.peak_dbfs if page.blocks else _peak_dbfs(windows),
        "noise_floor_dbfs": floor,
        "processed": page.processed,
        "muted": page.muted,
    }
    speech = [window.power for window in windows if window.speech]
    if len(speech) >= MIN_SPEECH_WINDOWS:
        return Measurement("microphone.level", _level(speech), "dbfs", samples=len(speech), details=details)
    cause = "no_speech" if len(windows) >= MIN_WINDOWS or page.blocks else "too_few_samples"
    return Measurement("microphone.level", None, "dbfs", samples=len(speech), cause=cause, details=details)


def _bandwidth_measurement(windows: Sequence[_Window], pauses: Sequence[_Window]) -> Measurement:
    """Return how far up the voice reaches, Hz; 16 kHz sound ends at 8000."""
    speech = [window.bands for window in windows if window.speech]
    if len(windows) < MIN_WINDOWS or len(speech) < MIN_SPEECH_WINDOWS:
        cause = "no_speech" if len(windows) >= MIN_WINDOWS else "too_few_samples"
        return not_measured("microphone.bandwidth", cause, "hz")
    quiet = [window.bands for window in pauses] if len(pauses) >= MIN_PAUSE_WINDOWS else []
    value = bandwidth_hz(mean_bands(speech), mean_bands(quiet))
    if value is None:
        return not_measured("microphone.bandwidth", "no_speech", "hz")
    return Measurement("microphone.bandwidth", value, "hz", samples=len(speech))


def _is_pause(windows: Sequence[_Window] | deque[_Window], index: int) -> bool:
    """Return whether the window at `index` and those within the margin around it are all quiet."""
    around = range(max(0, index - PAUSE_MARGIN), min(len(windows), index + PAUSE_MARGIN + 1))
    return index >= 0 and all(windows[near].probability < PAUSE for near in around)


def _pauses(windows: Sequence[_Window]) -> list[_Window]:
    """Return the windows well inside a pause, without those of exact zeros where others are left.

    Exact zeros are a device that has not started yet, not a quiet room.
    """
    inside = [window for index, window in enumerate(windows) if _is_pause(windows, index)]
    return [window for window in inside if window.zeros < WINDOW_SAMPLES] or inside


def _floor(pauses: Sequence[_Window]) -> float | None:
    """Return the noise floor in dBFS, or None where the pauses are too few to tell."""
    if len(pauses) < MIN_PAUSE_WINDOWS:
        return None
    powers = sorted(window.power for window in pauses)
    return _level(powers[: math.ceil(len(powers) * FLOOR_SHARE)])


def _speech_s(windows: Sequence[_Window] | deque[_Window]) -> float:
    return sum(1 for window in windows if window.speech) * WINDOW_S


def _speech_to_noise(windows: Sequence[_Window], pauses: Sequence[_Window]) -> float | None:
    """Return the signal-to-noise ratio within 300-3400 Hz, dB; the noise under the speech is taken out of it first."""
    voiced = [window.voice for window in windows if window.speech]
    if len(voiced) < MIN_SPEECH_WINDOWS or len(pauses) < MIN_PAUSE_WINDOWS:
        return None
    speech, noise = (
        mean(voiced) or 0.0,
        max(mean([window.voice for window in pauses]) or 0.0, 10 ** (FLOOR_DBFS / 10.0)),
    )
    return 10.0 * math.log10(max(speech - noise, 1e-3 * speech, 1e-15) / noise) - GAPS_DB


def _zero_pct(windows: Sequence[_Window]) -> float | None:
    return 100.0 * sum(window.zeros for window in windows) / (len(windows) * WINDOW_SAMPLES) if windows else None


def _peak_dbfs(windows: Sequence[_Window]) -> float | None:
    return _dbfs(max(window.peak for window in windows) ** 2) if windows else None


def _level(powers: Sequence[float]) -> float:
    return _dbfs(mean(powers) or 0.0)


def _dbfs(power: float) -> float:
    return max(FLOOR_DBFS, 10.0 * math.log10(power)) if power > 0 else FLOOR_DBFS
