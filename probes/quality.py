"""Sound quality as listeners would rate it: DNSMOS P.835 (MIT, `models/README.md`), as information and never a verdict.

Reddy, Gopal, Cutler: "DNSMOS P.835: A non-intrusive perceptual objective speech quality metric to evaluate noise
suppressors", ICASSP 2022: three scores from 1 to 5 after ITU-T P.835. Of our figures it alone sees reverberation, which
a far microphone has. The model and the polynomials that map its output to scores are the published ones.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from probes.measurement import Measurement, not_measured
from probes.speech import SAMPLE_RATE_HZ, WINDOW_S, WINDOW_SAMPLES, SpeechDetector

__all__ = ["MODEL", "NEEDED_SAMPLES", "quality_measurement", "sound_quality"]

MODEL: Final = Path(__file__).with_name("models") / "dnsmos_sig_bak_ovr.onnx"
NEEDED_SAMPLES: Final = 144_160
"""9.01 s at 16 kHz: what the model was trained on. Sound is not repeated to fill it."""
MIN_SPEECH_S: Final = 3.0
SPEECH: Final = 0.5
LEVEL_DBFS: Final = -26.0
"""Speech is brought to this level first, because quiet speech rates lower; level has a check of its own."""
SCORES: Final[dict[str, tuple[float, float, float]]] = {
    "signal_mos": (-0.08397278, 1.22083953, 0.0052439),
    "background_mos": (-0.13166888, 1.60915514, -0.39604546),
    "overall_mos": (-0.06766283, 1.11546468, 0.04602535),
}
"""Score = polynomial of the model's output, highest power first; the order is that of the model's three outputs."""


def sound_quality(pcm_16k: bytes) -> dict[str, float] | None:
    """Return `SCORES` (1 to 5) of little-endian 16-bit mono PCM at 16 kHz, from its last 9 s.

    None where there are less than 9 s of sound, or less than 3 s of speech in them. Raises ValueError for half samples.
    """
    if len(pcm_16k) % 2:
        raise ValueError("sound is not whole samples")
    sound = np.frombuffer(pcm_16k, "<i2").astype(np.float32)[-NEEDED_SAMPLES:] / np.float32(32768)
    if len(sound) < NEEDED_SAMPLES:
        return None
    spoken = np.array(SpeechDetector().feed(sound)) > SPEECH
    if np.count_nonzero(spoken) * WINDOW_S < MIN_SPEECH_S:
        return None
    windows = sound[: len(spoken) * WINDOW_SAMPLES].reshape(-1, WINDOW_SAMPLES)[spoken]
    power = float(np.mean(windows**2))
    if not power > 0.0:
        return None
    level = np.clip(sound * np.float32(10 ** (LEVEL_DBFS / 20) / np.sqrt(power)), -1.0, 1.0)
    raw: NDArray[np.float32] = _session().run(None, {"input_1": level[None, :]})[0][0]
    return {name: float(np.polyval(SCORES[name], value)) for name, value in zip(SCORES, raw, strict=True)}


def quality_measurement(scores: dict[str, float] | None) -> Measurement:
    """Return ``microphone.quality``: the overall score, with the other two beside it."""
    if not scores:
        return not_measured("microphone.quality", "too_few_samples", "mos")
    details = {name: round(score, 2) for name, score in scores.items() if name != "overall_mos"}
    overall = round(scores["overall_mos"], 2)
    return Measurement("microphone.quality", overall, "mos", samples=NEEDED_SAMPLES // SAMPLE_RATE_HZ, details=details)


@cache
def _session() -> Any:
    import onnxruntime  # noqa: PLC0415 - lazy: never to be loaded by the web process

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
