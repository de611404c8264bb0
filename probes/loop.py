"""A room's loop test: plays a sweep on each loudspeaker, records every microphone channel, keeps figures only.

A `Duplex` plays and records: a sound card, or in tests a room made of arrays. Sound is dropped as soon as it has been
analysed. The sweep starts far below audibility and is raised until the best microphone hears it as loud as the room's
own noise; it never exceeds the given level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from probes.acoustics import (
    LISTEN_S,
    RATE_HZ,
    SWEEPS,
    Arrival,
    Quiet,
    Response,
    arrival_of,
    clipped_pct,
    quiet_of,
    response_of,
    sweep,
)

__all__ = ["LOUDEST_DBFS", "Duplex", "LoopFigures", "Recording", "Somebody", "SoundPath", "Spoiled", "listen"]

QUIET_S: Final = 3.0
SETTLE_S: Final = 0.3
"""The beginning of a stream is not looked at: buffers fill, and flags there mean nothing."""
FIRST_DBFS: Final = -50.0
STEP_DB: Final = 6.0
LOUDEST_DBFS: Final = -20.0
"""Peak of the loudest sweep, relative to full scale: what comes out depends on the volume that the system is set to."""
ATTEMPTS: Final = 3
"""A recording with a flag is made again, so many times altogether ..."""
PLAIN_DB: Final = 24.0
"""A single recording in which the sweep stands out by so much has it: noise that comes and goes reaches 20 ..."""
SHIFT_MS: Final = 1.0
"""... and where two such recordings have it at moments this far apart, samples were lost that no flag tells of."""
MOST_REPEATED: Final = 6
"""... and no more than this many in one test."""

Sound = NDArray[np.float32]


class Spoiled(Exception):  # noqa: N818 - a state of the machine, not a fault of ours
    """The machine was too busy to play or record without gaps, again and again."""


class Somebody(Exception):  # noqa: N818 - a state of the room
    """Somebody speaks in the room: nothing was played."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What all channels heard, from the first sample on that was played."""

    sound: Sound
    """Frames x channels."""
    flags: tuple[int, ...] = ()
    """Frames at which samples were lost or made up (under-run, over-run)."""


class Duplex(Protocol):
    """A sound card that plays and records with one clock, 48 kHz."""

    @property
    def speakers(self) -> int:
        """Return how many loudspeakers can play alone."""

    @property
    def channels(self) -> int:
        """Return how many channels are recorded."""

    def play(self, sound: Sound) -> Recording:
        """Play frames x loudspeakers; return as many frames of all channels."""


@dataclass(frozen=True, slots=True)
class SoundPath(Arrival):
    """The sweep of one loudspeaker in one channel, with their numbers."""

    speaker: int
    channel: int


@dataclass(frozen=True, slots=True)
class LoopFigures:
    """The figures of a loop test; channels and loudspeakers count from 0."""

    quiet: tuple[Quiet, ...]
    """For each channel, the reference too. One that is 0 here but not during sweeps is alive; it has a noise gate."""
    clipped_pct: tuple[float, ...]
    """For each channel while sweeps were played."""
    paths: tuple[SoundPath, ...]
    played_dbfs: float
    """Peak of the sweep that was loud enough, or of the loudest."""
    reference: int | None
    """The channel with the sound that the machine played, if there is one."""
    repeated: int
    """Recordings that were repeated because of flags."""

    @property
    def microphones(self) -> tuple[int, ...]:
        """Return the channels that are microphones."""
        return tuple(channel for channel in range(len(self.quiet)) if channel != self.reference)

    def heard(self, *, speaker: int | None = None, channel: int | None = None) -> list[bool]:
        """Return whether the sweep was heard, for each path, optionally of one loudspeaker or channel."""
        return [path.is_heard for path in self.of_microphones(speaker=speaker, channel=channel)]

    def of_microphones(self, *, speaker: int | None = None, channel: int | None = None) -> Iterator[SoundPath]:
        """Yield the paths to microphones, optionally of one loudspeaker or channel."""
        for path in self.paths:
            if path.channel != self.reference and speaker in {None, path.speaker} and channel in {None, path.channel}:
                yield path

    def over_noise_db(self, path: SoundPath) -> float:
        """Return the level of the received sweep over the noise in its band, dB."""
        return _received_dbfs(path.gain_db, self.played_dbfs) - self.quiet[path.channel].band_dbfs

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LoopFigures:
        """Return the figures that `to_json` wrote. Raises KeyError and TypeError for anything else."""
        return cls(
            quiet=tuple(Quiet(**one) for one in data["quiet"]),
            clipped_pct=tuple(data["clipped_pct"]),
            paths=tuple(SoundPath(**{**one, "octaves_db": tuple(one["octaves_db"])}) for one in data["paths"]),
            played_dbfs=data["played_dbfs"],
            reference=data["reference"],
            repeated=data["repeated"],
        )


def listen(
    duplex: Duplex,
    *,
    reference: int | None = None,
    loudest_dbfs: float = LOUDEST_DBFS,
    is_speech: Callable[[Sound], bool] = lambda _sound: False,
) -> LoopFigures:
    """Return the figures of the loop. `reference` is the channel that carries what the machine played.

    Raises Spoiled where three recordings in a row had a flag, or six altogether, Somebody where `is_speech` of what any
    microphone heard before anything was played, and ValueError for a reference that is no channel.
    """
    if reference is not None and reference not in range(duplex.channels):
        raise ValueError(f"there is no channel {reference + 1}")
    test = _Test(duplex)
    silence = np.zeros((round((SETTLE_S + QUIET_S) * RATE_HZ), duplex.speakers), np.float32)
    before = test.record(silence, begin=round(SETTLE_S * RATE_HZ))
    quiet = tuple(quiet_of(np.ascontiguousarray(column)) for column in before.T)
    microphones = [channel for channel in range(duplex.channels) if channel != reference]
    if any(is_speech(np.ascontiguousarray(before[:, channel])) for channel in microphones):
        raise Somebody
    level_dbfs = _loud_enough(test, quiet, microphones, loudest_dbfs)
    paths: list[SoundPath] = []
    clipped, sounded = [0.0] * duplex.channels, [False] * duplex.channels
    for speaker in test.speakers:
        sounds, arrivals = test.sweeps(speaker, level_dbfs, microphones)
        for channel in range(duplex.channels):
            heard = [np.ascontiguousarray(sound[:, channel]) for sound in sounds]
            clipped[channel] = max(clipped[channel], *(clipped_pct(one) for one in heard))
            sounded[channel] = sounded[channel] or any(np.any(one) for one in heard)
            arrival = arrivals.get(channel) or _arrival(heard, level_dbfs)
            paths.append(SoundPath(**asdict(arrival), speaker=speaker, channel=channel))
    quiet = tuple(replace(one, is_zero=one.is_zero and not sounded[at]) for at, one in enumerate(quiet))
    return LoopFigures(quiet, tuple(clipped), tuple(paths), level_dbfs, reference, test.repeated)


class _Test:
    """Plays and records on one card, and repeats spoiled recordings."""

    def __init__(self, duplex: Duplex) -> None:
        self._duplex = duplex
        self.speakers = range(duplex.speakers)
        self.repeated = 0

    def record(self, sound: Sound, begin: int = 0) -> Sound:
        """Return a recording without flags from frame `begin` on. Raises Spoiled."""
        for _ in range(ATTEMPTS):
            heard = self._duplex.play(sound)
            if not any(flag >= begin for flag in heard.flags):
                return heard.sound[begin:]
            self._note_spoiled()
        raise Spoiled

    def _note_spoiled(self) -> None:
        self.repeated += 1
        if self.repeated >= MOST_REPEATED:
            raise Spoiled

    def sweeps(
        self, speaker: int, level_dbfs: float, microphones: Sequence[int]
    ) -> tuple[list[Sound], dict[int, Arrival]]:
        """Return recordings of sweeps on one loudspeaker, not shifted by lost samples, and each microphone's arrival.

        On an overloaded PC the sound system itself drops samples and tells nobody: taken together such recordings have
        no sweep, and the loudspeaker would count as silent. Raises Spoiled.
        """
        for _ in range(ATTEMPTS):
            sounds = [self.sweep([speaker], level_dbfs) for _ in range(SWEEPS)]
            arrivals: dict[int, Arrival] = {}
            for channel in microphones:
                responses = _responses([np.ascontiguousarray(one[:, channel]) for one in sounds], level_dbfs)
                arrivals[channel] = arrival_of(responses)
                if not arrivals[channel].is_heard and _is_shifted(responses):
                    break
            else:
                return sounds, arrivals
            self._note_spoiled()
        raise Spoiled

    def sweep(self, speakers: Sequence[int], level_dbfs: float) -> Sound:
        """Return the recording of a sweep on `speakers`. Raises Spoiled."""
        sound = np.zeros((round(LISTEN_S * RATE_HZ), len(self.speakers)), np.float32)
        for speaker in speakers:
            sound[: len(sweep()), speaker] = sweep() * np.float32(10.0 ** (level_dbfs / 20.0))
        return self.record(sound)


def _loud_enough(test: _Test, quiet: Sequence[Quiet], microphones: Sequence[int], loudest_dbfs: float) -> float:
    """Return the level at which the best microphone hears a sweep as loud as its noise, or the loudest allowed."""
    level_dbfs = min(FIRST_DBFS, loudest_dbfs)
    while level_dbfs < loudest_dbfs:
        sound = test.sweep(test.speakers, level_dbfs)
        over = []
        for channel in microphones:
            arrival = _arrival([np.ascontiguousarray(sound[:, channel])], level_dbfs)
            if arrival.is_heard:
                over.append(_received_dbfs(arrival.gain_db, level_dbfs) - quiet[channel].band_dbfs)
        if over and max(over) >= 0.0:
            return level_dbfs
        # A faint sweep shows how much is missing; an unheard one is raised step by step.
        missing_db = min(-max(over) + 1.0, 2.0 * STEP_DB) if over else STEP_DB
        level_dbfs = min(level_dbfs + max(missing_db, 1.0), loudest_dbfs)
    return loudest_dbfs


def _is_shifted(responses: Sequence[Response]) -> bool:
    """Return whether recordings that plainly have the sweep, each taken alone, have it at different moments."""
    alone = [arrival_of([one]) for one in responses]
    moments = [one.delay_ms for one in alone if one.stands_out_db >= PLAIN_DB]
    return len(moments) > 1 and max(moments) - min(moments) > SHIFT_MS


def _arrival(heard: Sequence[Sound], level_dbfs: float) -> Arrival:
    return arrival_of(_responses(heard, level_dbfs))


def _responses(heard: Sequence[Sound], level_dbfs: float) -> list[Response]:
    """Return what each recording has of the sweep, as though it had been played at full scale."""
    return [response_of(one * np.float32(10.0 ** (-level_dbfs / 20.0))) for one in heard]


def _received_dbfs(gain_db: float, played_dbfs: float) -> float:
    """Return the power of the received sweep; its peak is 3 dB higher."""
    return played_dbfs - 10.0 * float(np.log10(2.0)) + gain_db
