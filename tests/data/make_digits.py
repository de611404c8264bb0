"""Make the spoken digits of the loudspeaker check: ``python -m tests.data.make_digits [web/selftest/audio]``.

Needs ``espeak-ng`` and ``ffmpeg``. Each file: one digit, mono MP3 at 24 kHz and 32 kbit/s, 40 ms of silence and a 20 ms
fade at either end, active speech level -20 dBFS (within what the peak allows).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.data.clips import active_power, ffmpeg, spoken

__all__ = ["WORDS", "main", "trimmed"]

RATE_HZ: Final = 24_000
LEVEL_DBFS: Final = -20.0
MAX_PEAK: Final = 0.89
"""-1 dBFS: MP3 overshoots a little."""
MARGIN_S: Final = 0.040
FADE_S: Final = 0.020
AUDIBLE: Final = 0.004
"""Quieter samples at either end are cut off."""

WORDS: Final = {
    "nb": ("nb", ("null", "én", "to", "tre", "fire", "fem", "seks", "sju", "åtte", "ni")),
    "nn": ("nb", ("null", "ein", "to", "tre", "fire", "fem", "seks", "sju", "åtte", "ni")),
    "en": ("en-gb", ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")),
}
"""Locale to eSpeak NG voice and words. There is no voice for nynorsk: the bokmål one speaks its words."""


def trimmed(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the word at its level, with faded ends and a margin of silence."""
    loud = np.flatnonzero(np.abs(sound) > AUDIBLE)
    word = sound[loud[0] : loud[-1] + 1].copy()
    ramp = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, int(FADE_S * RATE_HZ)))
    word[: len(ramp)] *= ramp
    word[-len(ramp) :] *= ramp[::-1]
    gain = 10 ** (LEVEL_DBFS / 20) / np.sqrt(active_power(word, RATE_HZ))
    margin = np.zeros(int(MARGIN_S * RATE_HZ))
    return np.concatenate([margin, word * min(gain, MAX_PEAK / np.max(np.abs(word))), margin])


def main(arguments: list[str]) -> int:
    """Write every locale's ten digits under the folder named by the first argument."""
    folder = Path(arguments[0]) if arguments else Path("web/selftest/audio")
    for locale, (voice, words) in WORDS.items():
        (folder / locale).mkdir(parents=True, exist_ok=True)
        for digit, word in enumerate(words):
            sound = trimmed(spoken(word, voice, RATE_HZ, words_per_minute=120))
            pcm = np.rint(sound * 32767).astype("<i2").tobytes()
            source = ["-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-i", "-"]
            target = ["-c:a", "libmp3lame", "-b:a", "32k", "-map_metadata", "-1", "-write_xing", "0"]
            data = ffmpeg([*source, *target, "-id3v2_version", "0", "-fflags", "+bitexact", "-f", "mp3", "-"], pcm)
            (folder / locale / f"{digit}.mp3").write_bytes(data)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
