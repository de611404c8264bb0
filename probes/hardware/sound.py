"""Sound cards through PortAudio (``sounddevice``), chosen by name at each run, never by number, and verified.

Numbers change when a device is plugged in, and the sound would then come from another loudspeaker.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from probes.acoustics import RATE_HZ
from probes.canceller import clap_db
from probes.loop import LOUDEST_DBFS, Recording, Somebody, Sound, Spoiled, listen
from probes.speech import SAMPLE_RATE_HZ, WINDOW_S, SpeechDetector

__all__ = ["SoundDevice", "find_device", "measure_clap", "measure_sound", "sound_devices", "speech_s"]

CLAP_S: Final = 6.0
"""Time in which somebody claps once."""
LATENCY_S: Final = 0.2
"""Long buffers: short ones lose samples on a busy machine and have no benefit here."""
SPARE_S: Final = 5.0
"""How much longer than the sound and its buffers a card may take."""
CHANNELS: Final = (8, 6, 4, 2, 1)
"""Numbers of channels at which sound systems do not mix channels by their positions."""
UNAVAILABLE: Final = -9985
"""PortAudio's paDeviceUnavailable."""
HOST_ERROR: Final = -9999
IN_USE: Final = frozenset({-2004287478})
"""Windows' AUDCLNT_E_DEVICE_IN_USE, behind PortAudio's host error."""
PROBABLE: Final = 0.5
SPEECH_S: Final = 0.5
"""So much speech in three seconds is somebody; a chair or a door is taken for less (`sound.md`)."""
FLAGS: Final = ("input_underflow", "input_overflow", "output_underflow", "output_overflow")


@dataclass(frozen=True, slots=True)
class SoundDevice:
    """One device as PortAudio lists it."""

    host_api: str
    name: str
    inputs: int
    outputs: int
    is_default_input: bool
    is_default_output: bool
    index: int
    """PortAudio's number, valid in this process only."""


def sound_devices() -> list[SoundDevice]:
    """Return the system's sound devices. Raises OSError without PortAudio."""
    library = importlib.import_module("sounddevice")
    apis = library.query_hostapis()
    default_input, default_output = library.default.device
    return [
        SoundDevice(
            host_api=str(apis[device["hostapi"]]["name"]),
            name=str(device["name"]),
            inputs=int(device["max_input_channels"]),
            outputs=int(device["max_output_channels"]),
            is_default_input=index == default_input,
            is_default_output=index == default_output,
            index=index,
        )
        for index, device in enumerate(library.query_devices())
    ]


def find_device(
    devices: Sequence[SoundDevice], name: str, host_api: str, *, records: bool
) -> tuple[str, SoundDevice | None]:
    """Return (``present``, device), or (``not_found`` or ``ambiguous``, None).

    Without a name it is the system's default. A full name is preferred to a part of one; case does not matter.
    """
    able = [device for device in devices if (device.inputs if records else device.outputs) > 0]
    able = [device for device in able if host_api.lower() in device.host_api.lower()]
    if not name:
        found = [device for device in able if (device.is_default_input if records else device.is_default_output)]
    else:
        wanted = name.lower()
        found = [device for device in able if device.name.lower() == wanted]
        found = found or [device for device in able if wanted in device.name.lower()]
    if len(found) == 1:
        return "present", found[0]
    return ("ambiguous" if found else "not_found"), None


def measure_sound(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{microphone, speaker, cause, figures}``: the state of each device, and the loop test's figures.

    `request` has ``microphone``, ``speaker`` and ``host_api`` (names, empty for the default), ``channels`` (how many to
    record, else as many as a device of that size has), ``reference`` (one of them, from 1), ``loudest_dbfs``, and
    ``people``: whether to play nothing where somebody speaks; the cause is then ``people``.
    """
    try:
        devices = sound_devices()
    except (ImportError, OSError):
        return {"microphone": None, "speaker": None, "cause": "not_installed", "figures": None}
    host_api = str(request.get("host_api") or "")
    microphone, source = find_device(devices, str(request.get("microphone") or ""), host_api, records=True)
    speaker, sink = find_device(devices, str(request.get("speaker") or ""), host_api, records=False)
    found: dict[str, Any] = {"microphone": microphone, "speaker": speaker, "cause": None, "figures": None}
    if source is None or sink is None:
        return found
    try:
        return found | _test(source, sink, request)
    except Somebody:
        cause = "people"
    except Spoiled:
        cause = "device_busy"
    except TimeoutError:
        cause = "hung"
    except importlib.import_module("sounddevice").PortAudioError as error:
        cause = _cause(error)
    return found | {"cause": cause}


def measure_clap(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{clap_db}``: how far the loudest moment of some seconds stood out, or a cause in ``error``.

    `request` names the devices as that of `measure_sound` does. Nothing is played.
    """
    try:
        devices = sound_devices()
        host_api = str(request.get("host_api") or "")
        _, source = find_device(devices, str(request.get("microphone") or ""), host_api, records=True)
        _, sink = find_device(devices, str(request.get("speaker") or ""), host_api, records=False)
        if source is None or sink is None:
            return {"error": "no_microphone"}
        channels = request.get("channels")
        with _Card(source, sink, int(channels) if channels else None) as card:
            heard = card.play(np.zeros((round(CLAP_S * RATE_HZ), card.speakers), np.float32))
    except TimeoutError:
        return {"error": "hung"}
    except (ImportError, OSError):
        return {"error": "not_installed"}
    reference = request.get("reference")
    microphones = [one for one in range(card.channels) if not reference or one != int(reference) - 1]
    return {"clap_db": clap_db(heard.sound[:, microphones])}


def _test(source: SoundDevice, sink: SoundDevice, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the loop's figures, or a cause if other devices opened. Raises Spoiled and PortAudio's errors."""
    reference = request.get("reference")
    channels = request.get("channels")
    with _Card(source, sink, int(channels) if channels else None) as card:
        if not card.is_the_asked_one():
            return {"cause": "other_device"}
        if reference and int(reference) > card.channels:
            return {"cause": "no_channel"}
        figures = listen(
            card,
            reference=int(reference) - 1 if reference else None,
            loudest_dbfs=float(request.get("loudest_dbfs") or LOUDEST_DBFS),
            is_speech=_is_speech if request.get("people") else lambda _sound: False,
        )
    return {"figures": figures.to_json()}


class _Card:
    """One duplex stream: recording and playing have one clock."""

    def __init__(self, source: SoundDevice, sink: SoundDevice, channels: int | None) -> None:
        self._library = importlib.import_module("sounddevice")
        self._asked = (source, sink)
        self.channels = channels or _most(source.inputs)
        self.speakers = min(2, sink.outputs)
        self._job: _Job | None = None
        self._stream = self._library.Stream(
            samplerate=RATE_HZ,
            device=(source.index, sink.index),
            channels=(self.channels, self.speakers),
            dtype="float32",
            latency=LATENCY_S,
            callback=self._turn,
        )

    def __enter__(self) -> Self:
        self._stream.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The process ends after this test, which frees the device even if the library's own stop would hang.
        self._stream.abort()
        self._stream.close()

    def is_the_asked_one(self) -> bool:
        """Return whether the opened devices have the requested names."""
        names = [str(self._library.query_devices(index)["name"]) for index in self._stream.device]
        return names == [device.name for device in self._asked]

    def play(self, sound: Sound) -> Recording:
        """Play and record. Raises TimeoutError if the card stops taking sound."""
        job = _Job(sound, np.zeros((len(sound), self.channels), np.float32))
        self._job = job
        if not job.done.wait(len(sound) / RATE_HZ + SPARE_S):
            raise TimeoutError("the sound card stands still")
        return Recording(job.heard, tuple(job.flags))

    def _turn(self, heard: Sound, played: Sound, frames: int, _time: Any, status: Any) -> None:
        """Copy sound and note flags; anything slower here would cause the next flag."""
        job = self._job
        played.fill(0.0)
        if job is None:
            return
        if any(getattr(status, flag) for flag in FLAGS):
            job.flags.append(job.at)
        count = min(frames, len(job.sound) - job.at)
        played[:count] = job.sound[job.at : job.at + count]
        job.heard[job.at : job.at + count] = heard[:count]
        job.at += count
        if job.at >= len(job.sound):
            self._job = None
            job.done.set()


class _Job:
    """The sound being played, and the recording so far."""

    def __init__(self, sound: Sound, heard: Sound) -> None:
        self.sound, self.heard = sound, heard
        self.at = 0
        self.flags: list[int] = []
        self.done = threading.Event()


def speech_s(sound: Sound) -> float:
    """Return how many seconds of mono sound at 48 kHz are speech."""
    step = round(RATE_HZ / SAMPLE_RATE_HZ)
    whole = sound[: len(sound) // step * step].reshape(-1, step)
    # The mean of three samples folds a little back: no matter for whether somebody speaks.
    return WINDOW_S * sum(one >= PROBABLE for one in SpeechDetector().feed(whole.mean(axis=1)))


def _is_speech(sound: Sound) -> bool:
    return speech_s(sound) >= SPEECH_S


def _most(offered: int) -> int:
    """Return how many channels to open; sound systems that offer dozens really have two."""
    return next((count for count in CHANNELS if count <= offered), 1) if offered <= max(CHANNELS) else 2


def _cause(error: Exception) -> str:
    """Return why PortAudio could not open a device or go on."""
    code, *host = [*error.args[1:], None]
    if code == UNAVAILABLE:
        return "in_use"
    if code == HOST_ERROR and host and isinstance(host[0], tuple) and set(host[0]) & IN_USE:
        return "in_use"
    return "failed"
