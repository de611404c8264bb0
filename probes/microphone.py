"""Microphone: level, speech, noise, hum and bandwidth, from sound that is analysed and discarded.

Levels are dBFS with full scale at 1.0, so a full-scale sine reads -3.01. The server's 16 kHz stream separates speech
from pauses; the page's own figures of the raw 48 kHz capture show zeros, clipping and dropouts (`probes.raw_sound`).
No sound is kept, only the energy and the speech probability of each 32 ms window.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from probes.estimates import mean, pair, quantile
from probes.hearing import Detector, Hearing
from probes.measurement import Measurement, Number, not_measured
from probes.others import OTHERS_S, over_others_db
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
"""Level of digital silence; one step of 16 bits is -90."""
WINDOW_SAMPLES: Final = 512
WINDOW_S: Final = 0.032
"""One window of the speech detector: 512 samples at 16 kHz."""
LIVE_SAMPLES: Final = 4800
"""300 ms: the span of the live level."""
MAX_PCM_BYTES: Final = 32_000
"""Longest piece of sound accepted at a time: one second."""
MAX_WINDOWS: Final = 3750
"""Two minutes; after that new windows replace the oldest."""
SPEECH: Final = 0.25
"""Probability above which a window is speech. Silero's default is 0.5; high voices and whispers stay below that."""
STILL_SPEECH: Final = 0.15
"""Speech continues until the probability falls below this: quiet ends of words are part of it."""
CLEAR_WINDOWS: Final = 38
"""1.2 s of speech that the first detector found alone since it was asked for: the second one may rest. It has to go on
where only the second one hears the voice, or the rest of that would count as noise between the words."""
SOME_WINDOWS: Final = 3
"""0.1 s of speech since it was asked for: from here on what sounds like a whisper may be one. Of 29 recorded animals
four are taken for somebody with it or without; were nothing asked for first, thirteen would be (own measurement)."""
PAUSE: Final = 0.2
"""Probability below which a window is a pause; anything between counts as neither."""
PAUSE_MARGIN: Final = 3
"""Windows (96 ms) cut from both ends of a pause, where breath, reverberation and late starts are."""
MIN_WINDOWS: Final = 31
"""One second of sound before there is any result."""
NEWEST_PAUSES: Final = 125
"""The noise floor rests on the newest 4 s of pauses at most, so that a fan that was turned off no longer counts."""
MIN_SPEECH_WINDOWS: Final = 10
MIN_PAUSE_WINDOWS: Final = 10
"""A third of a second of speech for a level, or of pauses for a noise floor."""
SPEAKING: Final = (3, 6)
"""Speaking now: at least 3 of the last 6 windows (0.2 s) are speech."""
FLOOR_SHARE: Final = 0.9
"""Quietest share of the pause windows, on which the noise rests, to exclude coughs and late starts."""
LOUD_SHARE: Final = 0.9
"""Share of windows below the level that counts as the sound while speech was asked for."""
GAPS_DB: Final = 0.3
"""ITU-T P.56 counts short gaps within words as speech, the detector does not; set on the benchmark's tuning part."""
STEPS: Final = ("silence_start", "silence_end", "speech_start", "speech_end")

_Details = dict[str, Number | str | bool | None]


@dataclass(frozen=True, slots=True)
class _Window:
    power: float
    """Mean power above 80 Hz, because offset and rumble are inaudible."""
    peak: float
    zeros: int
    probability: float
    speech: bool
    voice: float
    """Power within 300-3400 Hz, where speech is."""
    bands: Bands


class SoundAnalyser:
    """Follows one stream of sound through the sound step. Holds figures, and at most 300 ms of sound."""

    def __init__(self, detector: Detector, slowed: Detector | None = None) -> None:
        self._hearing = Hearing(detector, slowed)
        self._windows: deque[_Window] = deque(maxlen=MAX_WINDOWS)
        self._waiting: NDArray[np.float32] = np.zeros(0, np.float32)
        self._recent: NDArray[np.float32] = np.zeros(0, np.float32)
        self._marks: dict[str, float] = {}
        self._hum = HumFinder()
        self._count = 0
        self._speech_asked_at: int | None = None
        self._quiet = 0
        self._pauses: deque[_Window] = deque(maxlen=NEWEST_PAUSES)
        self._dead_pauses: deque[_Window] = deque(maxlen=NEWEST_PAUSES)
        """Pauses of exact zeros at the start: a device that has not started yet, or one with a noise gate."""
        self._has_started = False
        self._is_silence_asked = False
        self._silence_speech = 0
        """Windows of speech in the newest requested silence."""
        self._silence: deque[float] = deque(maxlen=MAX_WINDOWS)
        self._asked: deque[float] = deque(maxlen=MAX_WINDOWS)
        """Power within 300-3400 Hz in the newest requested silence, and while speech was asked for."""
        self._since_speech = 0
        self._heard_since = 0
        """Windows of speech since it was asked for."""
        self._heard_alone = 0
        """Those of them that the first detector would have found alone."""

    def feed(self, pcm_s16: bytes, t_ms: float) -> dict[str, Any]:
        """Analyse little-endian 16-bit mono PCM at 16 kHz; return t_ms and the live figures.

        They are speech_s, level_dbfs, speaking, quiet_s, pause_s and silence_speech_s. `quiet_s` is the length of clear
        pauses so far (the noise floor needs a third of a second), `pause_s` the time since the last speech,
        `silence_speech_s` the speech in the newest requested silence.

        Raises ValueError if the bytes are not whole samples or are more than a second.
        """
        if len(pcm_s16) % 2 or len(pcm_s16) > MAX_PCM_BYTES:
            raise ValueError("sound is not whole samples of at most one second")
        samples = np.frombuffer(pcm_s16, "<i2").astype(np.float32) / np.float32(32768)
        self._recent = np.concatenate([self._recent, samples])[-LIVE_SAMPLES:]
        self._waiting = np.concatenate([self._waiting, samples])
        while len(self._waiting) >= WINDOW_SAMPLES:
            window, self._waiting = self._waiting[:WINDOW_SAMPLES], self._waiting[WINDOW_SAMPLES:]
            probability = self._hearing.probability(
                window, listen_again=self._is_hard_to_hear(), with_pitch=self._heard_since >= SOME_WINDOWS
            )
            self._windows.append(_window(window, probability, self._is_speech(probability)))
            self._follow(self._windows[-1])
        self._hum.feed(samples)
        return {"t_ms": t_ms, **self._live()}

    def _is_hard_to_hear(self) -> bool:
        """Whether speech was asked for and the first detector alone heard hardly any of it yet."""
        return self._speech_asked_at is not None and self._heard_alone < CLEAR_WINDOWS

    def _follow(self, window: _Window) -> None:
        """Count the newest window; only now is it known whether an earlier one was a pause."""
        self._count += 1
        self._heard_since += self._speech_asked_at is not None and window.speech
        self._heard_alone += self._speech_asked_at is not None and window.speech and self._hearing.alone > STILL_SPEECH
        self._has_started |= window.speech
        self._since_speech = 0 if window.speech else self._since_speech + 1
        self._silence_speech += self._is_silence_asked and window.speech
        if self._is_silence_asked:
            self._silence.append(window.voice)
        elif self._speech_asked_at is not None:
            self._asked.append(window.voice)
        index = len(self._windows) - 1 - PAUSE_MARGIN
        if _is_pause(self._windows, index):
            self._quiet += 1
            pause = self._windows[index]
            self._has_started |= pause.zeros < WINDOW_SAMPLES
            (self._pauses if self._has_started else self._dead_pauses).append(pause)

    def _is_speech(self, probability: float) -> bool:
        before = self._windows[-1].speech if self._windows else False
        return probability > (STILL_SPEECH if before else SPEECH)

    def mark(self, step: str, t_ms: float) -> None:
        """Note when the person was asked for silence or speech. Raises ValueError for an unknown step."""
        if step not in STEPS:
            raise ValueError("unknown step of the sound check")
        self._marks[step] = t_ms
        if step == "silence_start":
            self._is_silence_asked, self._silence_speech = True, 0
            self._silence.clear()
        elif step == "silence_end":
            self._is_silence_asked = False
        elif step == "speech_start":
            self._speech_asked_at = self._count

    def measurements(self, raw: Mapping[str, Any]) -> list[Measurement]:
        """Return level, speech, noise, clipping, dropouts, hum, bandwidth and equipment, each ``microphone.<name>``.

        `raw` is the page's view of the raw capture: ``{blocks: [...], processed, sample_rate_hz}``, see
        `probes.raw_sound`; it may be empty.
        """
        page = raw_figures(raw)
        level, speech, noise, bandwidth = self.so_far(page)
        pauses = self._quiet_windows()
        return [
            level,
            speech,
            noise,
            clipping_measurement(page),
            dropout_measurement(page),
            self._hum_measurement(),
            bandwidth,
            equipment_measurement(raw, _floor(pauses), _speech_to_noise(self._windows, pauses)),
        ]

    def so_far(self, page: RawFigures | None = None) -> list[Measurement]:
        """Return level, speech, noise and bandwidth of the sound so far, for hints while the person speaks.

        Without the page's figures the sound counts as processed.
        """
        page = page or raw_figures({})
        windows, pauses = list(self._windows), self._quiet_windows()
        floor = _floor(pauses)
        snr_db = _speech_to_noise(windows, pauses)
        return [
            _level_measurement(windows, page, floor, _speech_to_noise(windows, pauses, FLOOR_SHARE)),
            self._speech_measurement(windows, floor, snr_db),
            self._noise_measurement(windows, pauses, snr_db, page),
            _bandwidth_measurement(windows, pauses),
        ]

    def _quiet_windows(self) -> list[_Window]:
        """Return the newest windows well inside a pause, without exact zeros at the start if enough others are left.

        Zeros at the start mean that the device has not started yet. Later ones come from a noise gate, and other
        people hear them too.
        """
        live = list(self._pauses)
        return live if len(live) >= MIN_PAUSE_WINDOWS else [*self._dead_pauses, *live]

    def _speech_measurement(self, windows: Sequence[_Window], floor: float | None, snr_db: float | None) -> Measurement:
        """Return the seconds of speech, with details of other sound while speech was asked for."""
        if len(windows) < MIN_WINDOWS:
            return not_measured("microphone.speech", "too_few_samples", "s")
        quietest = floor if floor is not None else _dbfs(quantile([window.power for window in windows], 0.1) or 0.0)
        snr_db = self._over_others(snr_db)
        details: _Details = {
            "listened_s": round(len(windows) * WINDOW_S, 3),
            "floor_dbfs": quietest,
            "rise_db": self._rise_db(windows, quietest),
            "snr_known": snr_db is not None,
            "snr_db": snr_db,
            "silence_speech_s": round(self._silence_speech * WINDOW_S, 3),
            **sound_curve([(_dbfs(window.power), window.speech) for window in windows]),
        }
        return Measurement("microphone.speech", _speech_s(windows), "s", samples=len(windows), details=details)

    def _over_others(self, snr_db: float | None) -> float | None:
        """Return the signal-to-noise ratio, or the ratio to other voices in the requested silence if that is lower."""
        others = self._silence_speech * WINDOW_S > OTHERS_S
        over_db = over_others_db(self._silence, self._asked) if others else None
        return min((one for one in (snr_db, over_db) if one is not None), default=None)

    def _rise_db(self, windows: Sequence[_Window], floor: float) -> float:
        """Return how far sound rose above the floor while speech was asked for, dB; 0 if it was not."""
        if self._speech_asked_at is None:
            return 0.0
        since = [window.power for window in windows[-max(1, self._count - self._speech_asked_at) :]]
        return max(0.0, _dbfs(quantile(since, LOUD_SHARE) or 0.0) - floor)

    def _hum_measurement(self) -> Measurement:
        """Return the average prominence of the mains' harmonics over their surroundings, dB; 0 means no hum."""
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
        self, windows: Sequence[_Window], pauses: Sequence[_Window], snr_db: float | None, page: RawFigures
    ) -> Measurement:
        """Return the noise floor in dBFS, from pauses anywhere in the step, with the distance of speech from it."""
        if len(windows) < MIN_WINDOWS:
            return not_measured("microphone.noise", "too_few_samples", "dbfs")
        floor = _floor(pauses)
        if floor is None:
            return not_measured("microphone.noise", "no_pause", "dbfs")
        details: _Details = {
            "snr_db": snr_db,
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
            "pause_s": round(self._since_speech * WINDOW_S, 3),
            "silence_speech_s": round(self._silence_speech * WINDOW_S, 3),
        }


def _window(samples: NDArray[np.float32], probability: float, speech: bool) -> _Window:  # noqa: FBT001 - a figure
    power, voice, bands = window_bands(samples)
    return _Window(
        power=power,
        peak=float(np.max(np.abs(samples))),
        zeros=int(np.count_nonzero(samples == 0)),
        probability=probability,
        speech=speech,
        voice=voice,
        bands=bands,
    )


def _level_measurement(
    windows: Sequence[_Window], page: RawFigures, floor: float | None, snr_db: float | None
) -> Measurement:
    """Return the level of the speech alone, dBFS: within 0.1 dB of ITU-T P.56, however long the pauses are."""
    details: _Details = {
        "digital_zero_pct": page.zero_pct if page.blocks else _zero_pct(windows),
        "peak_dbfs": page.peak_dbfs if page.blocks else _peak_dbfs(windows),
        "noise_floor_dbfs": floor,
        "snr_known": snr_db is not None,
        "snr_db": snr_db,
        "processed": page.processed,
        "muted": page.muted,
    }
    speech = [window.power for window in windows if window.speech]
    if len(speech) >= MIN_SPEECH_WINDOWS:
        return Measurement("microphone.level", _level(speech), "dbfs", samples=len(speech), details=details)
    cause = "no_speech" if len(windows) >= MIN_WINDOWS or page.blocks else "too_few_samples"
    return Measurement("microphone.level", None, "dbfs", samples=len(speech), cause=cause, details=details)


def _bandwidth_measurement(windows: Sequence[_Window], pauses: Sequence[_Window]) -> Measurement:
    """Return the highest frequency of the voice, Hz; sound at 16 kHz ends at 8000."""
    speech = [window.bands for window in windows if window.speech]
    if len(windows) < MIN_WINDOWS or len(speech) < MIN_SPEECH_WINDOWS:
        cause = "no_speech" if len(windows) >= MIN_WINDOWS else "too_few_samples"
        return not_measured("microphone.bandwidth", cause, "hz")
    quiet = [window.bands for window in pauses] if len(pauses) >= MIN_PAUSE_WINDOWS else []
    value, by_noise = bandwidth_hz(mean_bands(speech), mean_bands(quiet))
    if value is None:
        return not_measured("microphone.bandwidth", "no_speech", "hz")
    details: _Details = {"noise_reaches_higher": by_noise}
    return Measurement("microphone.bandwidth", value, "hz", samples=len(speech), details=details)


def _is_pause(windows: Sequence[_Window], index: int) -> bool:
    """Return whether the window at `index` and those within the margin around it are all quiet."""
    around = range(max(0, index - PAUSE_MARGIN), min(len(windows), index + PAUSE_MARGIN + 1))
    return index >= 0 and all(windows[near].probability < PAUSE for near in around)


def _floor(pauses: Sequence[_Window]) -> float | None:
    """Return the noise floor in dBFS, or None if there are too few pauses."""
    if len(pauses) < MIN_PAUSE_WINDOWS:
        return None
    powers = sorted(window.power for window in pauses)
    return _level(powers[: math.ceil(len(powers) * FLOOR_SHARE)])


def _speech_s(windows: Sequence[_Window]) -> float:
    return sum(1 for window in windows if window.speech) * WINDOW_S


def _speech_to_noise(windows: Sequence[_Window], pauses: Sequence[_Window], share: float = 1.0) -> float | None:
    """Return the signal-to-noise ratio within 300-3400 Hz, dB: the noise is that of the quietest `share` of the pauses.

    Less than all leaves out words that nothing took for speech, but also the loud moments of others who talk.
    """
    voiced = [window.voice for window in windows if window.speech]
    if len(voiced) < MIN_SPEECH_WINDOWS or len(pauses) < MIN_PAUSE_WINDOWS:
        return None
    noises = sorted(window.voice for window in pauses)[: math.ceil(len(pauses) * share)]
    speech, noise = mean(voiced) or 0.0, max(mean(noises) or 0.0, 10 ** (FLOOR_DBFS / 10.0))
    return 10.0 * math.log10(max(speech - noise, 1e-3 * speech, 1e-15) / noise) - GAPS_DB


def _zero_pct(windows: Sequence[_Window]) -> float | None:
    return 100.0 * sum(window.zeros for window in windows) / (len(windows) * WINDOW_SAMPLES) if windows else None


def _peak_dbfs(windows: Sequence[_Window]) -> float | None:
    return _dbfs(max(window.peak for window in windows) ** 2) if windows else None


def _level(powers: Sequence[float]) -> float:
    return _dbfs(mean(powers) or 0.0)


def _dbfs(power: float) -> float:
    return max(FLOOR_DBFS, 10.0 * math.log10(power)) if power > 0 else FLOOR_DBFS
