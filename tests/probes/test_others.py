"""Others: many voices around somebody are noise, though they are speech; one more voice with pauses is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from probes.microphone import SoundAnalyser
from probes.others import over_others_db
from probes.speech import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from reports.profile import load_profile
from reports.verdict import judge_check
from tests.probes.test_microphone import Script, by_check, heard, noise

SILENCE, ASKED = 93, 310
"""Windows of asked silence (3 s) and of the time to speak (10 s)."""
BABBLE_DBFS = -30.0

Sound = NDArray[np.float64]


def babble(windows: int, dbfs: float = BABBLE_DBFS) -> Sound:
    """Noise that rises and falls by 3 dB either way every second, as many voices do."""
    count = windows * WINDOW_SAMPLES
    swing = 10 ** (3 * np.sin(2 * np.pi * np.arange(count) / SAMPLE_RATE_HZ) / 20)
    return noise(dbfs, windows * 0.032)[:count] * swing


def told(silence: Sound, asked: Sound) -> str | None:
    """Return what is told where the detector takes all of it for speech."""
    analyser = SoundAnalyser(Script(*[0.9] * (SILENCE + ASKED)))
    analyser.mark("silence_start", 0)
    heard(analyser, silence)
    analyser.mark("silence_end", 3000)
    analyser.mark("speech_start", 3000)
    heard(analyser, asked)
    return judge_check(
        by_check(analyser)["microphone.speech"], load_profile("consultation").checks["microphone.speech"]
    ).advice


@pytest.mark.parametrize(
    ("over_db", "advice"),
    [(-6, "microphone.drowned"), (0, "microphone.drowned"), (12, "microphone.others_talk")],
)
def test_whoever_drowns_in_other_voices_is_told_so(over_db: float, advice: str) -> None:
    """No pause tells the noise, the asked silence does: as loud as the voices fails, well over them is asked about."""
    person = noise(BABBLE_DBFS + over_db, ASKED * 0.032, seed=2)[: ASKED * WINDOW_SAMPLES]
    person[: ASKED * WINDOW_SAMPLES // 3] = 0
    assert told(babble(SILENCE), babble(ASKED) + person) == advice


def test_who_talks_too_early_does_not_drown_in_the_own_voice() -> None:
    """As loud in the asked silence as after it, but with moments between the words, as everybody has."""
    words = np.repeat(np.arange(SILENCE) % 4 > 0, WINDOW_SAMPLES)
    early = noise(-30, SILENCE * 0.032)[: SILENCE * WINDOW_SAMPLES] * np.where(words, 1, 0.01)
    asked = noise(-30, ASKED * 0.032)[: ASKED * WINDOW_SAMPLES]
    assert told(early, asked) == "microphone.others_talk"


def test_nothing_is_said_before_the_person_had_time_to_begin() -> None:
    """Asked for as long as silence was; and never of nothing or of digital silence."""
    assert over_others_db([1e-4] * 93, [1e-3] * 92) is None
    assert over_others_db([1e-4] * 93, [1e-3] * 93) == pytest.approx(10 * np.log10(10**0.7 - 1), abs=0.1)
    assert over_others_db([], [1e-3] * 93) is None
    assert over_others_db([0.0] * 93, [1e-3] * 93) is None
    assert over_others_db([1e-4] * 93, [0.0] * 93) is None
