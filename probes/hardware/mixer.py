"""Mute and volume of the default sound devices, read by the system's own programs; nothing is changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from probes.room_sound import Mixer

__all__ = ["ask_program", "measure_mixer", "read_macos", "read_pulse", "read_wireplumber"]

ANSWER_S: Final = 2.0
"""Longest wait for one program."""
Run = Callable[[Sequence[str]], str | None]


def measure_mixer(_request: object) -> dict[str, Any]:
    """Return a `Mixer` as plain values; all None if the system has no program that we know (Windows)."""
    if sys.platform == "darwin":
        return asdict(read_macos(ask_program))
    for program, read in (("wpctl", read_wireplumber), ("pactl", read_pulse)):
        if shutil.which(program):
            return asdict(read(ask_program))
    return asdict(Mixer())


def read_wireplumber(run: Run) -> Mixer:
    """Read PipeWire's session manager: ``Volume: 0.40 [MUTED]``."""
    speaker = run(("wpctl", "get-volume", "@DEFAULT_AUDIO_SINK@")) or ""
    microphone = run(("wpctl", "get-volume", "@DEFAULT_AUDIO_SOURCE@")) or ""
    volume = re.search(r"Volume: ([\d.]+)", speaker)
    return Mixer(
        speaker_muted="[MUTED]" in speaker if volume else None,
        speaker_pct=100.0 * float(volume[1]) if volume else None,
        microphone_muted="[MUTED]" in microphone if "Volume:" in microphone else None,
    )


def read_pulse(run: Run) -> Mixer:
    """Read PulseAudio, or PipeWire in its place: ``Mute: yes``, ``front-left: 32768 /  50% / -18.06 dB``."""
    volumes = re.findall(r"(\d+)%", run(("pactl", "get-sink-volume", "@DEFAULT_SINK@")) or "")
    return Mixer(
        speaker_muted=_yes(run(("pactl", "get-sink-mute", "@DEFAULT_SINK@"))),
        speaker_pct=max(float(volume) for volume in volumes) if volumes else None,
        microphone_muted=_yes(run(("pactl", "get-source-mute", "@DEFAULT_SOURCE@"))),
    )


def read_macos(run: Run) -> Mixer:
    """Read ``output volume:62, input volume:75, alert volume:100, output muted:false``."""
    said = run(("osascript", "-e", "get volume settings")) or ""
    output, recorded = re.search(r"output volume:(\d+)", said), re.search(r"input volume:(\d+)", said)
    muted = re.search(r"output muted:(true|false)", said)
    return Mixer(
        speaker_muted=muted[1] == "true" if muted else None,
        speaker_pct=float(output[1]) if output else None,
        microphone_muted=recorded[1] == "0" if recorded else None,
    )


def _yes(said: str | None) -> bool | None:
    found = re.search(r"Mute: (yes|no)", said or "")
    return found[1] == "yes" if found else None


def ask_program(argv: Sequence[str]) -> str | None:
    """Return what a program prints, in the words it has without a language, or None where it does not answer."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs with fixed arguments
            argv, capture_output=True, text=True, timeout=ANSWER_S, check=True, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout
