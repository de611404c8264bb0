"""Real speech and synthetic noise for the sound benchmark, and the truth about them.

Speech: Debian's ``asterisk-core-sounds-{en,es,fr,it,ru}-g722`` (CC-BY-SA-3.0), five voices in five languages, and
``pocketsphinx-testdata`` (LibriVox); fetched by name with ``apt-get download`` into ``.cache/sound``, never committed.
Levels are ITU-T P.56 active speech levels by our own code. Sentences with an even number are for tuning, those with an
odd one for reporting.
"""

from __future__ import annotations

import base64
import functools
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, resample_poly, sosfilt  # type: ignore[import-untyped]

__all__ = [
    "LANGUAGES",
    "NOISES",
    "RATE_HZ",
    "RAW_HZ",
    "Clip",
    "active_level",
    "clips",
    "fetch",
    "gain",
    "noise",
    "opus",
    "page",
    "page_whole",
    "pcm",
    "telephone",
    "to_raw",
    "true_snr_db",
]

ROOT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = ROOT / ".cache" / "sound"
LANGUAGES: Final = {
    "en": "en_US_f_Allison",
    "es": "es_MX_f_Allison",
    "fr": "fr_CA_f_June",
    "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}
PACKAGES: Final = (*(f"asterisk-core-sounds-{language}-g722" for language in LANGUAGES), "pocketsphinx-testdata")
RATE_HZ: Final = 16_000
RAW_HZ: Final = 48_000
SILENCE_S: Final = 3.0
"""Asked silence before the person speaks."""
SPEECH_S: Final = 10.0
LEVEL_DBFS: Final = -26.0
G722_BYTES: Final = (12_000, 60_000)
"""Sentences of 1.5 to 7.5 s."""
NOISES: Final = ("white", "pink", "fan", "hum50", "babble", "keys", "music")

Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Clip:
    """Three seconds of silence, then sentences with pauses; -26 dBFS of active speech."""

    language: str
    sound: Sound
    truth: NDArray[np.bool_]
    """Whether there is speech, for each 10 ms."""


def fetch(packages: Iterable[str] = PACKAGES) -> Path:
    """Return the folder with the unpacked packages, fetching them first where they are missing."""
    folder = CACHE / "x"
    for package in packages:
        if not any(CACHE.glob(f"{package}_*.deb")):
            CACHE.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                ["apt-get", "download", "-q", package], cwd=CACHE, check=True, capture_output=True, timeout=300
            )
            (archive,) = CACHE.glob(f"{package}_*.deb")
            subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True, timeout=120)
    return folder / "usr" / "share"


@functools.cache
def clips(part: str, per_language: int) -> tuple[Clip, ...]:
    """Return clips of `part` ("tune" or "report"): no sentence is in both."""
    random = np.random.default_rng(20_261_122 + (part == "report"))
    made = []
    for language, voice in LANGUAGES.items():
        found = sorted((fetch() / "asterisk" / "sounds" / voice).rglob("*.g722"))
        fitting = [path for path in found if G722_BYTES[0] < path.stat().st_size < G722_BYTES[1]]
        speech = [path for path in fitting if not {"silence", "beep", "monkey"} & set(path.stem.split("-"))]
        own = speech[part == "report" :: 2]
        made += [_clip(language, [own[i] for i in random.permutation(len(own))], random) for _ in range(per_language)]
    recorded = sorted((fetch() / "pocketsphinx").rglob("librivox/*.wav"))[part == "report" :: 2]
    return (*made, _clip("en (recorded)", recorded, random)) if recorded else tuple(made)


def _clip(language: str, paths: list[Path], random: np.random.Generator) -> Clip:
    speech: Sound = np.zeros(0)
    for path in paths:
        sentence = _decoded(path)
        loud = sentence[np.abs(sentence) > 0.01]
        sentence = sentence / max(1e-6, float(np.sqrt(np.mean(loud**2)) if loud.size else 1.0)) * 0.1
        speech = np.concatenate([speech, sentence, np.zeros(int(RATE_HZ * random.uniform(0.5, 1.3)))])
        if len(speech) > SPEECH_S * RATE_HZ:
            break
    sound = np.concatenate([np.zeros(int(SILENCE_S * RATE_HZ)), speech[: int(SPEECH_S * RATE_HZ)]])
    sound *= gain(LEVEL_DBFS - active_level(sound))
    return Clip(language, sound, _truth(sound))


def _truth(sound: Sound) -> NDArray[np.bool_]:
    """Return whether each 10 ms is speech: within 32 dB of the loud parts of the clean sound."""
    level = np.sqrt(np.convolve(sound**2, np.ones(320) / 320, "same"))[::160]
    return np.asarray(level > np.percentile(level, 95) * gain(-32))


@functools.cache
def _decoded(path: Path) -> Sound:
    return _ffmpeg(["-i", str(path), "-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-"])


def _ffmpeg(arguments: list[str], data: bytes = b"") -> Sound:
    return np.frombuffer(_run_ffmpeg(arguments, data), "<i2").astype(np.float64) / 32768


def _run_ffmpeg(arguments: list[str], data: bytes) -> bytes:
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-threads", "1", *arguments]
    return subprocess.run(command, input=data, check=True, capture_output=True, timeout=120).stdout


def opus(sound: Sound, kbit_s: int) -> Sound:
    """Return `sound` (16 kHz) after libopus at `kbit_s`, in step with it."""
    source = ["-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-i", "-"]
    packed = _run_ffmpeg(
        [*source, "-c:a", "libopus", "-b:a", f"{kbit_s}k", "-application", "voip", "-f", "ogg", "-"], pcm(sound)
    )
    back = _ffmpeg(["-i", "-", "-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-"], packed)
    return np.concatenate([back, np.zeros(max(0, len(sound) - len(back)))])[: len(sound)]


def pcm(sound: Sound) -> bytes:
    """Return s16le samples, cut at full scale."""
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2").tobytes()


def to_raw(sound: Sound) -> Sound:
    """Return 16 kHz sound at 48 kHz."""
    return np.asarray(resample_poly(sound, RAW_HZ // RATE_HZ, 1))


def page(raw: Sound) -> dict[str, Any]:
    """Return what the page makes of raw 48 kHz sound: its blocks, by the page's own code in Node."""
    script = Path(__file__).with_name("page_sound.mjs")
    answer = subprocess.run(
        ["node", str(script)], input=raw.astype("<f4").tobytes(), check=True, capture_output=True, timeout=60
    )
    return {"blocks": json.loads(answer.stdout)["blocks"], "processed": False}


def page_pcm(raw: Sound) -> bytes:
    """Return the 16 kHz PCM that the page makes of raw 48 kHz sound."""
    return bytes(page_whole(raw)["pcm"])


def page_whole(raw: Sound) -> dict[str, Any]:
    """Return both: the blocks and the PCM that the page makes of raw 48 kHz sound."""
    script = Path(__file__).with_name("page_sound.mjs")
    answer = subprocess.run(
        ["node", str(script), "pcm"], input=raw.astype("<f4").tobytes(), check=True, capture_output=True, timeout=60
    )
    found = json.loads(answer.stdout)
    return {"blocks": found["blocks"], "pcm": base64.b64decode(found["pcm"])}


def true_snr_db(speech: Sound, noise: Sound) -> float:
    """Return the active level of speech over the RMS of noise, both within 300-3400 Hz where they matter."""
    return active_level(_voice_band(speech)) - 10 * float(np.log10(np.mean(_voice_band(noise) ** 2)))


def _voice_band(sound: Sound) -> Sound:
    spectrum = np.fft.rfft(sound)
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    spectrum[(frequency < 300) | (frequency > 3400)] = 0
    return np.fft.irfft(spectrum, len(sound))


def gain(decibel: float) -> float:
    """Return the factor on amplitudes."""
    return float(10 ** (decibel / 20))


MARGIN_DB: Final = 15.9
ENVELOPE_S: Final = 0.03
HANGOVER_S: Final = 0.2


def active_level(sound: Sound, rate_hz: int = RATE_HZ) -> float:
    """Return the active speech level in dBFS by ITU-T P.56 method B."""
    smooth = np.exp(-1 / (rate_hz * ENVELOPE_S))
    once = lfilter([1 - smooth], [1, -smooth], np.abs(sound))
    envelope = lfilter([1 - smooth], [1, -smooth], once)
    energy, count, hangover = float(np.sum(sound**2)), len(sound), int(HANGOVER_S * rate_hz + 0.5)
    before: tuple[float, float] | None = None
    for threshold in 2.0 ** np.arange(-15, 1):
        active = _active_samples(envelope >= threshold, count, hangover)
        if not active:
            break
        level = 10 * np.log10(max(energy, 1e-20) / active)
        margin = level - 20 * np.log10(threshold)
        if before and margin <= MARGIN_DB:
            share = (before[1] - MARGIN_DB) / (before[1] - margin + 1e-9)
            return float(before[0] + share * (level - before[0]))
        before = (level, margin)
    return before[0] if before else -100.0


def _active_samples(over: NDArray[np.bool_], count: int, hangover: int) -> int:
    if not over.any():
        return 0
    last = np.where(over, np.arange(count), -(10**9))
    return int(np.count_nonzero(np.arange(count) - np.maximum.accumulate(last) <= hangover))


def noise(kind: str, count: int, random: np.random.Generator, part: str = "report") -> Sound:
    """Return `count` samples of noise at 16 kHz with an RMS of 1."""
    time = np.arange(count) / RATE_HZ
    white = random.standard_normal(count)
    if kind == "white":
        made = white
    elif kind in ("pink", "fan"):
        made = _coloured(white, kind, time)
    elif kind in ("hum50", "hum60"):
        parts = ((1, 1.0), (2, 0.5), (3, 0.6), (5, 0.3), (7, 0.2))
        made = sum(share * np.sin(2 * np.pi * int(kind[3:]) * k * time + k) for k, share in parts) + 0.02 * white
    elif kind == "babble":
        pool = [clip.sound for clip in clips(part, 2)]
        chosen = random.choice(len(pool), 7, replace=False)
        made = np.sum(
            [np.resize(np.roll(pool[i][int(SILENCE_S * RATE_HZ) :], random.integers(count)), count) for i in chosen], 0
        )
    elif kind == "keys":
        made = 0.01 * white
        for _ in range(int(count / RATE_HZ * 6)):
            start = random.integers(count - 700)
            click = random.standard_normal(700) * np.exp(-np.arange(700) / random.uniform(30, 130))
            made[start : start + 700] += random.uniform(0.5, 1) * click
    else:
        made = _music(count, random)
    return np.asarray(made / np.sqrt(np.mean(made**2)))


def _coloured(white: Sound, kind: str, time: Sound) -> Sound:
    frequency = np.fft.rfftfreq(len(white), 1 / RATE_HZ)
    shape = np.sqrt(np.maximum(frequency, 20)) if kind == "pink" else np.maximum(frequency, 60)
    made = np.fft.irfft(np.fft.rfft(white) / shape, len(white))
    made /= made.std()
    tone = 0.4 * np.sin(2 * np.pi * 118 * time) + 0.2 * np.sin(2 * np.pi * 236 * time) if kind == "fan" else 0.0
    return np.asarray(made + tone)


def _music(count: int, random: np.random.Generator) -> Sound:
    """Return plucked chords of a small tune, with harmonics."""
    made = np.zeros(count)
    beat = int(0.4 * RATE_HZ)
    for start in range(0, count, beat):
        root = 220 * 2 ** (random.choice([0, 2, 4, 5, 7, 9]) / 12)
        length = min(3 * beat, count - start)
        time = np.arange(length) / RATE_HZ
        for step in (0, 4, 7):
            for k in range(1, 6):
                made[start : start + length] += (
                    np.sin(2 * np.pi * root * 2 ** (step / 12) * k * time) * np.exp(-time * (2 + k)) / k**1.5
                )
    return made


def telephone(sound: Sound) -> Sound:
    """Return `sound` as a headset with an 8 kHz link gives it: 300-3400 Hz, then 16 kHz again."""
    narrow = resample_poly(sound, 1, 2)
    shaped = sosfilt(butter(4, [250, 3500], "bandpass", fs=RATE_HZ // 2, output="sos"), narrow)
    return np.asarray(resample_poly(shaped, 2, 1))[: len(sound)]
