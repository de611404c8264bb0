"""Make the spoken digits of the loudspeaker check: ``python -m tests.data.make_digits [web/selftest/audio [STAMPS]]``.

Human voices: the recordings in Debian's ``tuxpaint-stamps-default`` (GPL-2), found below ``STAMPS``; the package need
only be unpacked, not installed. Where there are none of a language, ``synthetic`` makes them with ``espeak-ng``. Needs
``ffmpeg``. Each file: one digit, mono MP3 at 24 kHz and 32 kbit/s, 40 ms of silence and a 20 ms fade at either end,
active speech level -20 dBFS. Syllables over -18 dBFS are turned down by half of what they are over it, and peaks kept
under -1 dBFS by a limiter that looks ahead: one recording (nn/6) begins 12 dB louder than it ends.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.data.clips import active_power, ffmpeg, spoken

__all__ = ["MADE_FROM", "SOURCES", "STAMPS", "at_level", "edition", "human", "main", "synthetic", "trimmed"]

RATE_HZ: Final = 24_000
LEVEL_DBFS: Final = -20.0
MAX_PEAK: Final = 0.89
"""-1 dBFS: MP3 overshoots a little."""
MARGIN_S: Final = 0.040
FADE_S: Final = 0.020
AUDIBLE_DB: Final = -32.0
"""What is this much quieter than the word's loudest 10 ms is cut off at either end: the recordings' own noise."""
LEADS_S: Final = 0.030
"""... but so much stays, for the breath of an f, s or t."""
RUMBLE_HZ: Final = 60.0
LOUD_DBFS: Final = -18.0
"""Syllables louder than this are turned down by half of what they are over it."""
SYLLABLE_S: Final = 0.020
LIMITER_S: Final = 0.003
TIMES: Final = 4
"""How often it is coded; what a decoder gives back corrects the level of the next time."""
STAMPS: Final = Path("/usr/share/tuxpaint/stamps")
SOURCES: Final = {"nb": "nb", "nn": "nn", "en": "en_GB"}
"""Locale to the language in the names of the recordings, ``symbols/math/<digit>_<language>.ogg``."""
MADE_FROM: Final = {
    "nb": "ebfa2b3f4ff88de51811b1cba712d6c04e5639d5fbc9e35d966694b0cd1f2e20",
    "nn": "6d81cf23a8d1cbd3e15bae47103ae5117ae4a43a1e77569f064822b74642db12",
    "en": "7d0ccd257a4b31d8b134eb271eadb9d2ee789d126e9476d1b95de6d7997b0e03",
}
"""What `edition` returns for the recordings that the shipped files were made from, ``tuxpaint-stamps-default``
2022.06.04; the edition of 2025 (Debian 13) holds the same recordings, coded anew in half the bytes."""
WORDS: Final = {
    "nb": ("nb", ("null", "én", "to", "tre", "fire", "fem", "seks", "sju", "åtte", "ni")),
    "nn": ("nb", ("null", "ein", "to", "tre", "fire", "fem", "seks", "sju", "åtte", "ni")),
    "en": ("en-gb", ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")),
}
"""Locale to eSpeak NG voice and words, for languages without a human voice."""

Sound = NDArray[np.float64]


def human(locale: str, digit: int, stamps: Path = STAMPS) -> Sound:
    """Return the digit as a person recorded it, without rumble; raises FileNotFoundError without the recording."""
    source = _recording(locale, digit, stamps).read_bytes()
    clean = ["-af", f"highpass=f={RUMBLE_HZ:g}:poles=2"]
    pcm = ffmpeg(["-f", "ogg", "-i", "-", *clean, "-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-"], source)
    return np.frombuffer(pcm, "<i2").astype(np.float64) / 32768


def edition(locale: str, stamps: Path = STAMPS) -> str:
    """Return the SHA-256 of a locale's ten recordings, one after the other."""
    return hashlib.sha256(b"".join(_recording(locale, digit, stamps).read_bytes() for digit in range(10))).hexdigest()


def _recording(locale: str, digit: int, stamps: Path) -> Path:
    return stamps / "symbols" / "math" / f"{digit}_{SOURCES[locale]}.ogg"


def synthetic(locale: str, digit: int) -> Sound:
    """Return the digit as eSpeak NG speaks it."""
    voice, words = WORDS[locale]
    return spoken(words[digit], voice, RATE_HZ, words_per_minute=120)


def trimmed(sound: Sound) -> Sound:
    """Return the word with even syllables, faded ends and a margin of silence."""
    envelope = _envelope(sound, 0.010)
    loud = np.flatnonzero(envelope > np.max(envelope) * 10 ** (AUDIBLE_DB / 20))
    leads = int(LEADS_S * RATE_HZ)
    word = sound[max(0, loud[0] - leads) : loud[-1] + leads].copy()
    ramp = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, int(FADE_S * RATE_HZ)))
    word[: len(ramp)] *= ramp
    word[-len(ramp) :] *= ramp[::-1]
    margin = np.zeros(int(MARGIN_S * RATE_HZ))
    return np.concatenate([margin, evened(word * _to_level(word)), margin])


def _to_level(sound: Sound) -> float:
    return float(10 ** (LEVEL_DBFS / 20) / np.sqrt(active_power(sound, RATE_HZ)))


def evened(sound: Sound) -> Sound:
    """Return `sound` with its loud syllables turned down: a compressor, 2 to 1, that looks both ways."""
    over = np.maximum(1.0, _envelope(sound, SYLLABLE_S) / 10 ** (LOUD_DBFS / 20))
    return np.asarray(sound * over**-0.5)


def _envelope(sound: Sound, width_s: float) -> Sound:
    window = np.hanning(int(width_s * RATE_HZ) | 1)
    return np.sqrt(np.maximum(0.0, np.convolve(sound**2, window / np.sum(window), "same")))


def limited(sound: Sound) -> Sound:
    """Return `sound` with its peaks turned down to the most there may be, smoothly and looking ahead."""
    reach = int(LIMITER_S * RATE_HZ)
    needed = np.minimum(1.0, MAX_PEAK / np.maximum(np.abs(sound), 1e-9))
    padded = np.pad(needed, reach, constant_values=1.0)
    least = np.min(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)
    smooth = np.hanning(2 * reach + 1)
    return np.asarray(sound * np.convolve(np.pad(least, reach, mode="edge"), smooth / np.sum(smooth), "valid"))


def at_level(sound: Sound) -> bytes:
    """Return `sound` in the page's format, at its level as it comes out of a decoder."""
    gain = 1.0
    for _ in range(TIMES - 1):
        coded = mp3(limited(sound * gain))
        pcm = ffmpeg(["-f", "mp3", "-i", "-", "-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-"], coded)
        gain *= _to_level(np.frombuffer(pcm, "<i2").astype(np.float64) / 32768)
    return mp3(limited(sound * gain))


def mp3(sound: Sound) -> bytes:
    """Return `sound` as the page's format."""
    pcm = np.rint(sound * 32767).astype("<i2").tobytes()
    source = ["-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-i", "-"]
    target = ["-c:a", "libmp3lame", "-b:a", "32k", "-map_metadata", "-1", "-write_xing", "0"]
    return ffmpeg([*source, *target, "-id3v2_version", "0", "-fflags", "+bitexact", "-f", "mp3", "-"], pcm)


def main(arguments: list[str]) -> int:
    """Write every locale's ten digits under the folder named by the first argument."""
    folder = Path(arguments[0]) if arguments else Path("web/selftest/audio")
    stamps = Path(arguments[1]) if arguments[1:] else STAMPS
    for locale in WORDS:
        (folder / locale).mkdir(parents=True, exist_ok=True)
        for digit in range(10):
            sound = human(locale, digit, stamps) if locale in SOURCES else synthetic(locale, digit)
            (folder / locale / f"{digit}.mp3").write_bytes(at_level(trimmed(sound)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
