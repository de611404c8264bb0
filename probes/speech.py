"""Speech detection: silero VAD version 6 (MIT, `models/README.md`) in onnxruntime, on a stream.

Detects whether someone speaks, never what is said. Keeps no more sound than one window.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MODEL", "SAMPLE_RATE_HZ", "WINDOW_S", "WINDOW_SAMPLES", "SpeechDetector"]

MODEL: Final = Path(__file__).with_name("models") / "silero_vad.onnx"
SAMPLE_RATE_HZ: Final = 16_000
WINDOW_SAMPLES: Final = 512
"""Samples per probability; the model was trained on windows of exactly this length."""
WINDOW_S: Final = WINDOW_SAMPLES / SAMPLE_RATE_HZ
"""Seconds per probability: 0.032."""
CONTEXT_SAMPLES: Final = 64
"""Samples of the previous window that the model sees again."""

Samples = NDArray[np.float32]


class SpeechDetector:
    """Holds the model's memory of one stream of sound; a new stream needs `reset`. Not for use from two threads."""

    def __init__(self, session: Any = None) -> None:
        self._session = session or _session()
        self._rate = np.array(SAMPLE_RATE_HZ, np.int64)
        self.reset()

    def twin(self) -> SpeechDetector:
        """Return a detector for another stream, with the same weights in memory."""
        return SpeechDetector(self._session)

    def reset(self) -> None:
        """Forget the stream so far."""
        self._state: Samples = np.zeros((2, 1, 128), np.float32)
        self._context: Samples = np.zeros(CONTEXT_SAMPLES, np.float32)
        self._waiting: Samples = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> list[float]:
        """Take mono samples (-1 to 1, 16 kHz), return a speech probability for each window that became full.

        Samples that fill no window wait for the next call. Non-finite samples count as silence.
        """
        clean = np.nan_to_num(np.asarray(samples, np.float32).ravel(), nan=0.0, posinf=0.0, neginf=0.0)
        pending = np.concatenate([self._waiting, clean])
        full = len(pending) // WINDOW_SAMPLES * WINDOW_SAMPLES
        self._waiting = pending[full:].copy()
        return [self._probability(pending[i : i + WINDOW_SAMPLES]) for i in range(0, full, WINDOW_SAMPLES)]

    def _probability(self, window: Samples) -> float:
        sound = np.concatenate([self._context, window])[None, :]
        found: list[Any] = self._session.run(None, {"input": sound, "state": self._state, "sr": self._rate})
        self._state = found[1]
        self._context = window[-CONTEXT_SAMPLES:].copy()
        return float(found[0][0, 0])


def _session() -> Any:
    import onnxruntime  # noqa: PLC0415 - lazy: never to be loaded by the web process

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
