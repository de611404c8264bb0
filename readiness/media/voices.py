"""Rules for recordings of the spoken digits, our own and an organisation's alike.

A set is a folder named as a language of `VOICES` that holds ``0.mp3`` to ``9.mp3``. Below a voices folder it stands
directly, for every organisation, or in a folder named as an organisation's slug, for that one. Decoding needs a media
library that the web process never loads, so the server runs this module: ``python -m readiness.media.voices FOLDER``
prints what is wrong with each set as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from readiness.media.digits import decoded, opened
from readiness.texts import VOICES

__all__ = ["Fault", "active_power", "faults_of_set", "faults_of_sound", "sets_below"]

RATE_HZ: Final = 24_000
"""Sample rate at which recordings are judged."""
LEAST_RATE_HZ: Final = 16_000
"""Without the hiss of f, s and t, spoken digits are hard to tell apart."""
MOST_BYTES: Final = 12_000
"""A second at 96 kbit/s; a phone loads three to six of them."""
SHORTEST_S: Final = 0.3
LONGEST_S: Final = 1.2
LEVEL_DBFS: Final = -20.0
LEVEL_WITHIN_DB: Final = 1.5
"""A step of 3 dB between two words goes unnoticed, so no digit is easier to hear than another."""
HIGHEST_PEAK: Final = 0.99
LOWEST_PEAK: Final = 0.1
EDGE_S: Final = 0.020
EDGE_PEAK: Final = 0.02
"""A recording must begin and end this quietly, or it clicks."""
ALIKE: Final = 0.95
"""Correlation above which two recordings count as the same one."""
FRAME_S: Final = 0.020
MARGIN: Final = 10**-1.59
"""Frames 15.9 dB below the level are pauses (ITU-T P.56)."""

Sound = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a recording."""

    code: str
    """For example ``too_quiet``; the command line has the words for it."""
    values: Mapping[str, float | str] = field(default_factory=dict)
    """Values for the placeholders in those words."""
    file: str = ""
    """File name within its set, such as ``7.mp3``."""


def active_power(sound: Sound, rate_hz: int) -> float:
    """Return the mean power of speech without its pauses: frames less than 15.9 dB below it (after ITU-T P.56)."""
    frame = int(rate_hz * FRAME_S)
    powers = np.mean(np.asarray(sound[: len(sound) // frame * frame], np.float64).reshape(-1, frame) ** 2, axis=1)
    level = float(np.mean(powers))
    for _ in range(20):
        level = float(np.mean(powers[powers > level * MARGIN])) if level > 0 else 0.0
    return level


def sets_below(folder: Path) -> list[Path]:
    """Return the sets in a voices folder, or the folder itself where it is one."""
    if folder.name in VOICES and not any((folder / language).is_dir() for language in VOICES):
        return [folder]
    below = [path for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    return [path for parent in (folder, *below) for language in VOICES if (path := parent / language).is_dir()]


def faults_of_set(folder: Path) -> list[Fault]:
    """Return the faults of one language's recordings; an empty list if they can be used."""
    faults: list[Fault] = []
    sounds: dict[str, Sound] = {}
    for digit in range(10):
        name = f"{digit}.mp3"
        path = folder / name
        if not path.is_file():
            faults.append(Fault("missing", file=name))
            continue
        found, sound = _faults_of_file(path)
        faults += [replace(fault, file=name) for fault in found]
        if sound is not None:
            sounds[name] = sound
    return faults + _repeated(sounds)


def faults_of_sound(sound: Sound, rate_hz: int) -> list[Fault]:
    """Return the faults of a recording's sound; an empty list if there are none."""
    seconds, peak, edge = len(sound) / rate_hz, float(np.max(np.abs(sound), initial=0.0)), int(EDGE_S * rate_hz)
    if seconds < SHORTEST_S:
        return [Fault("too_short", {"seconds": seconds, "limit": SHORTEST_S})]
    faults = [Fault("too_long", {"seconds": seconds, "limit": LONGEST_S})] if seconds > LONGEST_S else []
    if peak < LOWEST_PEAK:
        return [*faults, Fault("silent")]
    if peak > HIGHEST_PEAK:
        faults.append(Fault("clipped"))
    off_db = 10.0 * float(np.log10(active_power(sound, rate_hz))) - LEVEL_DBFS
    if abs(off_db) > LEVEL_WITHIN_DB:
        values = {"level": LEVEL_DBFS + off_db, "limit": LEVEL_DBFS, "off": abs(off_db)}
        faults.append(Fault("too_loud" if off_db > 0 else "too_quiet", values))
    edges = (("begins_with_sound", sound[:edge]), ("ends_with_sound", sound[-edge:]))
    return faults + [Fault(code) for code, part in edges if float(np.max(np.abs(part))) >= EDGE_PEAK]


def _faults_of_file(path: Path) -> tuple[list[Fault], Sound | None]:
    size = path.stat().st_size
    faults = [Fault("too_heavy", {"bytes": size, "limit": MOST_BYTES})] if size > MOST_BYTES else []
    try:
        with opened(path) as recording:
            codec = recording.streams.audio[0].codec_context
            name, rate_hz, channels = codec.name, codec.sample_rate, codec.channels
        sound = decoded(path, RATE_HZ)
    except (OSError, ValueError, IndexError):  # FFmpeg's errors are of these kinds
        return [*faults, Fault("unreadable")], None
    if not name.startswith("mp3"):
        faults.append(Fault("not_mp3", {"codec": name}))
    if channels != 1:
        faults.append(Fault("not_mono", {"channels": channels}))
    if rate_hz < LEAST_RATE_HZ:
        faults.append(Fault("low_rate", {"rate": rate_hz, "limit": LEAST_RATE_HZ}))
    return faults + faults_of_sound(sound, RATE_HZ), sound


def _repeated(sounds: Mapping[str, Sound]) -> list[Fault]:
    """Return a fault for each recording with the same sound as an earlier one."""
    size = 1 << (2 * int(LONGEST_S * RATE_HZ)).bit_length()
    spectra: dict[str, NDArray[np.complex128]] = {}
    faults = []
    for name, sound in sounds.items():
        spectrum = np.fft.rfft(sound, size)
        energy = float(np.sum(np.fft.irfft(spectrum) ** 2))
        spectrum = spectrum / np.sqrt(max(energy, 1e-12))
        twin = next((o for o, s in spectra.items() if np.max(np.fft.irfft(s * np.conj(spectrum))) > ALIKE), None)
        if twin:
            faults.append(Fault("repeated", {"other": twin}, name))
        spectra[name] = spectrum
    return faults


def main(folder: Path) -> int:
    """Print the faults of every set below `folder`, by the set's path there; return 0."""
    found = {
        each.relative_to(folder).as_posix(): [f"{fault.file} {fault.code}" for fault in faults_of_set(each)]
        for each in sets_below(folder)
    }
    sys.stdout.write(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
