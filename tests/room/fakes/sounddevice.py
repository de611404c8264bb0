"""A sound card that is none, in place of the `sounddevice` package: what is played comes back, as fast as can be.

``FAKE_CARD`` says how it behaves: ``works``, ``blocks`` (opening never returns), ``stalls`` (takes no sound), ``busy``,
``refuses``, ``renames`` (another device opens) or ``flags`` (samples are lost in every block).
"""

from __future__ import annotations

import os
import threading
import time
from types import SimpleNamespace

import numpy as np

BLOCK = 4800
LATE = 2 * BLOCK
MARK = os.environ.get("FAKE_CARD_MARK", "")
"""In the names of all devices: what must be found nowhere else."""
DEVICES = [
    {"name": f"Room speakerphone{MARK}", "hostapi": 0, "max_input_channels": 2, "max_output_channels": 2},
    {"name": f"Camera microphone{MARK}", "hostapi": 0, "max_input_channels": 1, "max_output_channels": 0},
    {"name": f"Television{MARK}", "hostapi": 0, "max_input_channels": 0, "max_output_channels": 2},
    {"name": f"Room speakerphone{MARK}", "hostapi": 1, "max_input_channels": 2, "max_output_channels": 2},
]
default = SimpleNamespace(device=(0, 0))


class PortAudioError(Exception):
    """As the package's own: a sentence, a code, and what the system said."""


def mode() -> str:
    return os.environ.get("FAKE_CARD", "works")


def query_hostapis():
    return [{"name": "ALSA"}, {"name": "JACK"}]


def query_devices(index=None):
    if index is None:
        return DEVICES
    return {**DEVICES[index], "name": "Another one"} if mode() == "renames" else DEVICES[index]


class Stream:
    """Half of what each loudspeaker plays reaches every microphone, two blocks late, in faint noise."""

    def __init__(self, *, samplerate, device, channels, dtype, latency, callback):
        if mode() == "blocks":
            time.sleep(3600)
        if mode() == "busy":
            raise PortAudioError("Error opening Stream: Device unavailable", -9985)
        if mode() == "refuses":
            raise PortAudioError("Error opening Stream: Invalid sample rate", -9997)
        assert (samplerate, dtype) == (48000, "float32")
        assert 0.1 <= latency <= 0.3
        self.device, self.channels, self._callback = device, channels, callback
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        if mode() != "stalls":
            self._thread.start()

    def _run(self):
        rng = np.random.default_rng(1)
        line = np.zeros(LATE)
        lost = mode() == "flags"
        status = SimpleNamespace(
            input_underflow=False, input_overflow=lost, output_underflow=False, output_overflow=False
        )
        while not self._is_over.is_set():
            faint = rng.standard_normal((BLOCK, self.channels[0])) * 1e-3
            heard = (line[:BLOCK, None] + faint).astype(np.float32)
            played = np.ones((BLOCK, self.channels[1]), np.float32)
            self._callback(heard, played, BLOCK, None, status)
            line = np.concatenate([line[BLOCK:], 0.5 * played.sum(axis=1)])

    def abort(self):
        self._is_over.set()

    def close(self):
        if self._thread.is_alive():
            self._thread.join()
