"""Measurements from the figures of a room's loop test: what works, and what has changed. Plain Python.

Causes are tried in a fixed order: a muted loudspeaker explains silence before a cable does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from probes.estimates import median
from probes.loop import LoopFigures, SoundPath
from probes.measurement import Measurement, Number, not_measured

__all__ = ["Baseline", "Mixer", "sound_measurements", "treble_db", "unmeasured_sound"]

QUIETEST_PCT: Final = 5.0
"""Below this volume a loudspeaker counts as muted; the scale is cubic, 10 % is -60 dB."""
NOISIER_DB: Final = 15.0
NOISY_DBFS: Final = -40.0
"""Noise this far over the usual, or over this level without a usual one, may drown a sweep."""
FLOOR_FALLEN_DB: Final = 20.0
"""A channel whose noise has fallen by this much is dead, though not exactly 0."""
TREBLE: Final = slice(3, 4)
BODY: Final = slice(0, 2)
"""The octave at 4 kHz, and those at 500 Hz and 1 kHz, in `acoustics.OCTAVES_HZ`."""
ASKED: Final = ("room.signal", "room.loop", "microphone.clipping", "microphone.noise", "microphone.hum")
"""Checks for every room; the others need earlier checks or a reference channel."""
UNITS: Final = {"microphone.clipping": "pct", "microphone.noise": "dbfs", "microphone.hum": "db"}
_Details = dict[str, Number | str | bool | None]


@dataclass(frozen=True, slots=True)
class Mixer:
    """The system's mute and volume; None if it does not tell."""

    speaker_muted: bool | None = None
    speaker_pct: float | None = None
    microphone_muted: bool | None = None

    @property
    def is_silent(self) -> bool:
        """Return whether the loudspeaker is silent according to the system."""
        return self.speaker_muted is True or (self.speaker_pct is not None and self.speaker_pct < QUIETEST_PCT)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The usual figures of this room, by loudspeaker and channel (``0-1``) and by channel (``1``)."""

    gains_db: Mapping[str, float] = field(default_factory=dict)
    treble_db: Mapping[str, float] = field(default_factory=dict)
    noise_dbfs: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, figures: LoopFigures) -> Baseline:
        """Return the figures of one check."""
        heard = [path for path in figures.of_microphones() if path.is_heard]
        return cls(
            {_key(path): path.gain_db for path in heard},
            {_key(path): treble_db(path) for path in heard},
            {str(channel): figures.quiet[channel].band_dbfs for channel in figures.microphones},
        )

    @classmethod
    def usual(cls, checks: Sequence[Baseline]) -> Baseline | None:
        """Return the median of several checks, or None without any."""
        if not checks:
            return None
        return cls(
            _medians(one.gains_db for one in checks),
            _medians(one.treble_db for one in checks),
            _medians(one.noise_dbfs for one in checks),
        )


def unmeasured_sound(cause: str) -> list[Measurement]:
    """Return the checks for every room without values, for this cause."""
    return [not_measured(check, cause, UNITS.get(check)) for check in ASKED]


def sound_measurements(figures: LoopFigures, *, mixer: Mixer, usual: Baseline | None, system: str) -> list[Measurement]:
    """Return the measurements of a loop test. `system` is ``sys.platform``; `usual` is None before a good check.

    Figures that need usual values or a reference channel are left out without them.
    """
    found = [_signal(figures, mixer, usual, system), _loop(figures, mixer, usual)]
    changes = _changes(figures, usual.gains_db if usual else {}, lambda path: path.gain_db)
    treble = _changes(figures, usual.treble_db if usual else {}, treble_db)
    if changes:
        details: _Details = {"lowest_change_db": min(changes.values()), "highest_change_db": max(changes.values())}
        found.append(
            Measurement("room.level", median([*changes.values()]), "db", samples=len(changes), details=details)
        )
    if treble:
        found.append(Measurement("room.dull", _worst_of_groups(treble), "db", samples=len(treble)))
    return [*found, *_delay(figures), *_noise(figures)]


def _signal(figures: LoopFigures, mixer: Mixer, usual: Baseline | None, system: str) -> Measurement:
    """Return whether the microphones give a signal. Exact zeros are no quiet: every microphone has noise."""
    dead = [channel for channel in figures.microphones if _is_dead(figures, channel, usual)]
    zero = [channel for channel in dead if figures.quiet[channel].is_zero]
    value = "signal"
    if len(zero) == len(figures.microphones):
        value = "no_permission" if system == "darwin" else "no_signal"
        value = "muted" if mixer.microphone_muted else value
    elif dead:
        value = "one_dead"
    details: _Details = {"channels": len(figures.microphones), "dead": _numbers(dead)}
    return Measurement("room.signal", value, samples=len(figures.microphones), details=details)


def _is_dead(figures: LoopFigures, channel: int, usual: Baseline | None) -> bool:
    floor = usual.noise_dbfs.get(str(channel)) if usual else None
    fallen = floor is not None and figures.quiet[channel].band_dbfs < floor - FLOOR_FALLEN_DB
    return figures.quiet[channel].is_zero or (fallen and not any(figures.heard(channel=channel)))


def _loop(figures: LoopFigures, mixer: Mixer, usual: Baseline | None) -> Measurement:
    """Return whether each live microphone hears each loudspeaker, and if not, why."""
    alive = [channel for channel in figures.microphones if not figures.quiet[channel].is_zero]
    if not alive:
        return not_measured("room.loop", "no_microphone")
    speakers = sorted({path.speaker for path in figures.paths})
    heard = [path for path in figures.of_microphones() if path.is_heard]
    deaf = [channel for channel in alive if not any(figures.heard(channel=channel))]
    silent = [speaker for speaker in speakers if not any(figures.heard(speaker=speaker))]
    details: _Details = {
        "deaf": _numbers(deaf),
        "silent": _numbers(silent),
        "over_noise_db": max((figures.over_noise_db(path) for path in heard), default=None),
        "stands_out_db": max((path.stands_out_db for path in figures.of_microphones()), default=None),
        "played_dbfs": figures.played_dbfs,
        "repeated": figures.repeated,
        "speaker_pct": mixer.speaker_pct,
    }
    value = "heard"
    if not heard:
        value = _why_silent(figures, mixer)
        if value == "unheard" and _is_noisy(figures, alive, usual):
            return Measurement("room.loop", None, cause="too_noisy", details=details)
    elif deaf:
        value = "one_deaf"
    elif silent:
        value = "one_silent"
    return Measurement("room.loop", value, samples=len(heard), details=details)


def _why_silent(figures: LoopFigures, mixer: Mixer) -> str:
    if mixer.is_silent:
        return "speaker_muted"
    if figures.reference is None:
        return "unheard"
    played = [path.is_heard for path in figures.paths if path.channel == figures.reference]
    return "unheard" if any(played) else "not_played"


def _is_noisy(figures: LoopFigures, alive: Sequence[int], usual: Baseline | None) -> bool:
    """Return whether even the best-placed microphone has too much noise to find a sweep."""
    limits = {
        channel: floor + NOISIER_DB if (floor := usual.noise_dbfs.get(str(channel)) if usual else None) is not None
        else NOISY_DBFS for channel in alive
    }  # fmt: skip
    return all(figures.quiet[channel].band_dbfs > limit for channel, limit in limits.items())


def _delay(figures: LoopFigures) -> list[Measurement]:
    """Return the delay from the machine's output to the microphones; needs the reference channel."""
    played = {
        path.speaker: path.delay_ms for path in figures.paths if path.channel == figures.reference and path.is_heard
    }
    delays = [
        path.delay_ms - played[path.speaker]
        for path in figures.of_microphones()
        if path.is_heard and path.speaker in played
    ]
    return [Measurement("room.delay", median(delays), "ms", samples=len(delays))] if delays else []


def _noise(figures: LoopFigures) -> list[Measurement]:
    """Return clipping, median noise and loudest hum of the live microphones."""
    alive = [channel for channel in figures.microphones if not figures.quiet[channel].is_zero]
    if not alive:
        checks = ("microphone.clipping", "microphone.noise", "microphone.hum")
        return [not_measured(check, "no_microphone", UNITS[check]) for check in checks]
    quiet = [figures.quiet[channel] for channel in alive]
    hum = max(quiet, key=lambda one: (one.hum_dbfs, one.hum_db))
    return [
        Measurement(
            "microphone.clipping", max(figures.clipped_pct[channel] for channel in alive), "pct", samples=len(alive)
        ),
        Measurement("microphone.noise", median([one.noise_dbfs for one in quiet]), "dbfs", samples=len(alive)),
        Measurement("microphone.hum", hum.hum_db, "db", samples=len(alive), details={"level_dbfs": hum.hum_dbfs}),
    ]


def _changes(figures: LoopFigures, usual: Mapping[str, float], of: Any) -> dict[tuple[int, int], float]:
    """Return the difference of each heard path from the usual, by (loudspeaker, channel)."""
    return {
        (path.speaker, path.channel): of(path) - usual[_key(path)]
        for path in figures.of_microphones()
        if path.is_heard and _key(path) in usual
    }


def _worst_of_groups(changes: Mapping[tuple[int, int], float]) -> float:
    """Return the lowest median over the paths of a loudspeaker or a channel, one of which may be covered."""
    groups = [
        [change for key, change in changes.items() if key[side] == number]
        for side in (0, 1)
        for number in {key[side] for key in changes}
    ]
    return min(middle for group in groups if (middle := median(group)) is not None)


def treble_db(path: SoundPath) -> float:
    """Return the level of the treble over the body of the sound; usually below 0."""
    treble, body = path.octaves_db[TREBLE], path.octaves_db[BODY]
    return sum(treble) / len(treble) - sum(body) / len(body)


def _medians(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    kept = [*rows]
    keys = {key for row in kept for key in row}
    found = {key: median([row[key] for row in kept if key in row]) for key in sorted(keys)}
    return {key: value for key, value in found.items() if value is not None}


def _key(path: SoundPath) -> str:
    return f"{path.speaker}-{path.channel}"


def _numbers(channels: Iterable[int]) -> str | None:
    """Return channels counted from 1; None without any."""
    return ", ".join(str(channel + 1) for channel in channels) or None
