"""``readiness voices``: judges an operator's own recordings of the spoken digits."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from readiness.texts import VOICES

__all__ = ["add_voices"]

VOICE_FAULTS = {
    "missing": "is missing; record this digit and save it as MP3 under this name",
    "unreadable": "holds no sound that can be read; save it as MP3",
    "not_mp3": "is {codec}, not MP3; save it as MP3",
    "not_mono": "has {channels} channels; save it as mono",
    "low_rate": "has a sample rate of {rate} Hz; record it with at least {limit} Hz",
    "too_heavy": "weighs {bytes} bytes, the most is {limit}; save it as mono MP3 with 32 kbit/s",
    "too_short": "lasts {seconds:.2f} s, the shortest is {limit:g} s; record the word again, with a little silence",
    "too_long": "lasts {seconds:.2f} s, the longest is {limit:g} s; cut the silence off at both ends",
    "silent": "is nearly silent; record it again, nearer to the microphone",
    "clipped": "is clipped; record it again at a lower level, a limiter afterwards does not mend it",
    "too_quiet": "is at {level:.1f} dBFS, not {limit:g}; make it {off:.1f} dB louder",
    "too_loud": "is at {level:.1f} dBFS, not {limit:g}; make it {off:.1f} dB quieter",
    "begins_with_sound": "begins with sound; leave 40 ms of silence there and fade the word over 20 ms",
    "ends_with_sound": "ends with sound; leave 40 ms of silence there and fade the word over 20 ms",
    "repeated": "holds the same sound as {other}; record this digit",
}
"""Faults of a recording, and what to do about each."""


def add_voices(commands: Any) -> argparse.ArgumentParser:
    """Add the command with its subcommands; return the one that takes settings."""
    voices = commands.add_parser("voices", help="judge recordings of the spoken digits of your own")
    actions = voices.add_subparsers(title="commands", required=True, metavar="command")
    check: argparse.ArgumentParser = actions.add_parser("check", help="say what is wrong with each recording")
    check.add_argument("folder", type=Path, help="folder with languages, or with folders named as organisations")
    check.set_defaults(run=_voices_check)
    return check


def _voices_check(_settings: object, options: argparse.Namespace) -> int:
    from readiness.media.voices import faults_of_set, sets_below  # noqa: PLC0415 - loads the media library

    sets = sets_below(options.folder)
    if not sets:
        print(f"{options.folder}: no folder named {' or '.join(VOICES)}, with 0.mp3 to 9.mp3", file=sys.stderr)  # noqa: T201
    faults = {each: faults_of_set(each) for each in sets}
    for each, found in faults.items():
        for fault in found:
            print(f"{each / fault.file} {VOICE_FAULTS[fault.code].format_map(fault.values)}")  # noqa: T201
        if not found:
            print(f"{each} is fine: ten digits")  # noqa: T201
    return int(not sets or any(faults.values()))
