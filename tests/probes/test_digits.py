"""The spoken digits of the loudspeaker check: each is there, short, equally loud and without clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.clips import active_power, ffmpeg

AUDIO = Path(__file__).parents[2] / "web" / "selftest" / "audio"
FILES = [AUDIO / locale / f"{digit}.mp3" for locale in ("nb", "nn", "en") for digit in range(10)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_digit_is_short_and_as_loud_as_the_others(path: Path) -> None:
    """Every digit lasts half a second or so, weighs at most 6 kB, peaks under full scale and begins and ends silent."""
    assert path.stat().st_size <= 6000
    pcm = ffmpeg(["-f", "mp3", "-i", "-", "-f", "s16le", "-ac", "1", "-ar", "24000", "-"], path.read_bytes())
    sound = np.frombuffer(pcm, "<i2") / 32768
    assert 0.3 <= len(sound) / 24000 <= 1.2
    assert 10 * np.log10(active_power(sound, 24000)) == pytest.approx(-20, abs=1.5)
    assert 0.1 < np.max(np.abs(sound)) < 0.99
    assert np.max(np.abs(sound[:480])) < 0.02
    assert np.max(np.abs(sound[-480:])) < 0.02


def test_no_two_digits_of_a_locale_are_the_same_file() -> None:
    """Which digit was heard can be told at all."""
    for locale in ("nb", "nn", "en"):
        assert len({path.read_bytes() for path in (AUDIO / locale).glob("*.mp3")}) == 10
