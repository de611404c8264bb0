"""Trials of the echo: three spoken digits, and what a microphone hears meanwhile, with the truth about it.

Voices and animals: Debian's ``ktuberling-data``, ``klettres-data`` (words and letters, GPL-2+),
``tuxpaint-stamps-default`` (spoken digits of some twenty languages, animals; GPL-2) and the voices of `sound_data`;
fetched by name into ``.cache``, never committed. A speaker belongs to one half, by the hash of their name. Rooms,
loudspeakers and cancellers are simulated.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt  # type: ignore[import-untyped]

from probes.echo import RATE_HZ, echo_measurement, from_onset
from probes.measurement import Measurement
from readiness.media.digits import decoded, spoken_digit
from readiness.texts import LANGUAGES
from tests.bench import sound_data as data
from tests.bench.figures import half_of
from tests.bench.sound_rooms import ROOMS, response, through
from tests.data.clips import spoken

__all__ = ["FALSE_KINDS", "REAL_KINDS", "Trial", "first_only", "nothing_comes_back", "something_comes_back"]

PACKAGES: Final = ("ktuberling-data", "klettres-data", "tuxpaint-stamps-default")
OURS: Final = {"nb", "nn", "en_GB"}
"""Speakers of the product's own digits."""
MOST_FILES: Final = 24
VOICE_DBFS: Final = (-40.0, -18.0)
ROOM_DBFS: Final = (-78.0, -62.0)
PLACES: Final = 3
"""Places of loudspeaker and microphone in each room."""
LEAD_S, GAP_S, TAIL_S = 0.2, 0.3, 1.0
FALSE_KINDS: Final = (
    "silence", "talks throughout", "begins late", "one word", "repeats each digit", "repeats in step",
    "any word after each", "speech synthesis repeats", "looped clip", "looped speech synthesis", "animal", "music",
    "keys",
)  # fmt: skip
REAL_KINDS: Final = (
    "linear", "Bluetooth, 150-400 ms", "small distorting loudspeaker", "clocks drift 50-200 ppm",
    "residue of a canceller",
)  # fmt: skip

Sound = NDArray[np.float64]
Random = np.random.Generator


@dataclass
class Trial:
    """What was played, and when."""

    random: Random
    part: str

    def __post_init__(self) -> None:
        self.language = str(self.random.choice(sorted(LANGUAGES)))
        self.numbers = [int(digit) for digit in self.random.permutation(10)[:3]]
        self.digits = [spoken_digit(self.language, number) for number in self.numbers]
        words = [from_onset(digit) for digit in self.digits]
        lengths = [len(digit) / RATE_HZ for digit in self.digits]
        leads = [(len(digit) - len(word)) / RATE_HZ for digit, word in zip(self.digits, words, strict=True)]
        begins = [LEAD_S + sum(lengths[:i]) + i * GAP_S for i in range(3)]
        self.starts_s = [begin + lead for begin, lead in zip(begins, leads, strict=True)]
        self.ends_s = [begin + length for begin, length in zip(begins, lengths, strict=True)]
        self.count = int((self.ends_s[-1] + GAP_S + TAIL_S) * RATE_HZ)
        self.played = np.zeros(self.count)
        for word, start in zip(words, self.starts_s, strict=True):
            begin = round(start * RATE_HZ)
            self.played[begin : begin + len(word)] += word

    @property
    def second(self) -> int:
        """The sample at which the second digit begins."""
        return round(self.starts_s[1] * RATE_HZ)

    def measured(self, heard: Sound) -> Measurement:
        """Return what the product makes of what was heard, in a room that is quiet but not silent."""
        room = data.noise("pink", self.count, self.random) * data.gain(self.random.uniform(*ROOM_DBFS))
        sent = np.clip(np.rint((heard + room) * 32768), -32768, 32767) / 32768
        return echo_measurement(sent, self.digits, [1000 * start for start in self.starts_s])

    def true_db(self, heard: Sound) -> float:
        """Return the level of the echo `heard` relative to what was played, second and third digit, 200-6500 Hz."""
        return _band_db(heard[self.second :]) - _band_db(self.played[self.second :])


def nothing_comes_back(trial: Trial, kind: str) -> Sound:
    """Return what a microphone hears of a person or a room of this kind, and nothing of the digits."""
    random, line = trial.random, np.zeros(trial.count)
    if kind == "silence":
        return line
    if kind in ("music", "keys"):
        return data.noise(kind, trial.count, random) * data.gain(random.uniform(*VOICE_DBFS))
    repeats = kind.startswith("repeats")
    if repeats or kind in ("any word after each", "speech synthesis repeats"):
        sounds = _repeated(trial, kind)
        reaction_s = random.uniform(0.0, 0.5)
        for sound, end_s in zip(sounds, trial.ends_s, strict=True):
            late_s = reaction_s + random.normal(0, 0.01) if kind == "repeats in step" else random.uniform(0.0, 0.6)
            _put(line, sound, end_s + late_s)
    elif kind == "animal":
        for _ in range(random.integers(1, 5)):
            _put(line, _one(_animals(trial.part), random), random.uniform(0.0, trial.ends_s[-1]))
    elif kind == "one word":
        _put(line, _word(trial), random.uniform(trial.starts_s[0], trial.starts_s[2]))
    elif kind.startswith("looped"):
        line = _looped(trial, synthetic="synthesis" in kind)
    else:
        at_s = 0.0 if kind == "talks throughout" else random.uniform(trial.starts_s[0], trial.starts_s[2])
        voice = _one(sorted(_voices(trial.part)), random)
        while at_s < trial.count / RATE_HZ:
            sound = _one(_voices(trial.part)[voice], random)
            _put(line, sound, at_s)
            at_s += len(sound) / RATE_HZ + random.uniform(0.02, 0.3)
    return _at_level(line, random)


def something_comes_back(trial: Trial, kind: str, level_db: float) -> Sound:
    """Return what comes back of the digits through a loudspeaker and a room of this kind, at `level_db`."""
    random = trial.random
    played = trial.played
    if kind.startswith("small"):
        small = sosfilt(butter(2, [500, 5000], "bandpass", fs=RATE_HZ, output="sos"), played)
        played = np.tanh(small * random.uniform(4.0, 10.0))
    device_s = random.uniform(0.15, 0.4) if kind.startswith("Bluetooth") else random.uniform(0.02, 0.12)
    heard = through(played, _response(int(random.integers(len(ROOMS))), int(random.integers(PLACES))))[: trial.count]
    if kind.startswith("clocks"):
        drift = random.choice([-1, 1]) * random.uniform(50e-6, 200e-6)
        heard = np.interp(np.arange(trial.count) * (1 + drift), np.arange(trial.count), heard)
    if kind.startswith("Bluetooth"):
        heard = sosfilt(butter(4, 7000, fs=RATE_HZ, output="sos"), heard)
    if kind.startswith("residue"):
        heard = _residue(heard, random)
    heard = np.concatenate([np.zeros(int(device_s * RATE_HZ)), heard])[: trial.count]
    return np.asarray(heard * data.gain(level_db - trial.true_db(heard)))


def first_only(trial: Trial, level_db: float) -> Sound:
    """Return an echo that its canceller has learned when the second digit comes."""
    heard = something_comes_back(trial, "linear", level_db)
    learned = round((trial.starts_s[1] - 0.05) * RATE_HZ)
    heard[learned:] = 0.0
    return heard


def _repeated(trial: Trial, kind: str) -> list[Sound]:
    """Return what the person says after each digit: the same digits, or any words."""
    if kind == "speech synthesis repeats":
        voice = {"nb": "nb", "nn": "nb", "en": "en-gb"}[trial.language]
        return [_synthetic(str(number), voice) for number in trial.numbers]
    if kind == "any word after each":
        return [_word(trial) for _ in trial.numbers]
    own = {"nb": ["nn", "sv"], "nn": ["nb", "sv"], "en": []}[trial.language]
    chosen = str(trial.random.choice(own)) if own and trial.random.random() < 0.5 else None
    said = _digits(trial.part)
    language = chosen or _one(sorted(said), trial.random)
    ten = said.get(language) or _decoded_digits(language)
    return [ten[number] for number in trial.numbers]


def _looped(trial: Trial, *, synthetic: bool) -> Sound:
    """Return a sentence and a pause of two seconds, over and over, as a fake microphone plays a clip."""
    if synthetic:
        voice = _one(["nb", "nb+f3", "en-gb", "sv", "de"], trial.random)
        sentence = _synthetic("I dag er det fint vær, og jeg kan høre deg godt.", voice)
    else:
        sentence = _one(_sentences(trial.part), trial.random)
    once = np.concatenate([sentence, np.zeros(2 * RATE_HZ)])
    return np.resize(np.roll(once, trial.random.integers(len(once))), trial.count)


def _word(trial: Trial) -> Sound:
    voices = _voices(trial.part)
    return _one(voices[_one(sorted(voices), trial.random)], trial.random)


@functools.cache
def _voices(part: str) -> dict[str, list[Sound]]:
    """Return the words of every speaker of this half."""
    share = data.fetch(PACKAGES)
    folders = [*(share / "ktuberling" / "sounds").iterdir(), *(share / "klettres").iterdir()]
    found = {}
    for folder in sorted(folder for folder in folders if folder.is_dir()):
        name = "/".join(folder.parts[-2:])
        files = sorted(path for path in folder.rglob("*") if path.suffix in (".ogg", ".opus", ".wav"))
        if len(files) >= 10 and half_of(name) == part:
            found[name] = _readable(files[:: max(1, len(files) // MOST_FILES)])
    return {name: words for name, words in found.items() if words}


def _readable(files: list[Path]) -> list[Sound]:
    """Return what the files hold; those that the decoder cannot read are named, and left out."""
    words = []
    for path in files:
        try:
            words.append(_clean(decoded(path)))
        except av.FFmpegError as error:
            print(f"  left out: {path.name}: {error.strerror}", file=sys.stderr)
    return words


@functools.cache
def _digits(part: str) -> dict[str, list[Sound]]:
    """Return the ten digits of every speaker of this half that is none of ours."""
    folder = data.fetch(PACKAGES) / "tuxpaint" / "stamps" / "symbols" / "math"
    languages = {path.stem.partition("_")[2] for path in folder.glob("0_*.ogg")} - OURS
    whole = [each for each in sorted(languages) if all((folder / f"{k}_{each}.ogg").exists() for k in range(10))]
    return {each: _decoded_digits(each) for each in whole if half_of(f"digits/{each}") == part}


@functools.cache
def _decoded_digits(language: str) -> list[Sound]:
    folder = data.fetch(PACKAGES) / "tuxpaint" / "stamps" / "symbols" / "math"
    return [_clean(decoded(folder / f"{digit}_{language}.ogg")) for digit in range(10)]


@functools.cache
def _animals(part: str) -> list[Sound]:
    folder = data.fetch(PACKAGES) / "tuxpaint" / "stamps" / "animals"
    files = sorted(path for path in folder.rglob("*.ogg") if "_" not in path.stem.replace("_flying", ""))
    return [_clean(decoded(path))[: 2 * RATE_HZ] for path in files if half_of(path.stem) == part]


@functools.cache
def _sentences(part: str) -> list[Sound]:
    return [clip.sound[int(data.SILENCE_S * RATE_HZ) :][: 3 * RATE_HZ] for clip in data.clips(part, 3)]


@functools.cache
def _synthetic(text: str, voice: str) -> Sound:
    return _clean(spoken(text, voice, RATE_HZ, words_per_minute=150))


def _clean(sound: Sound) -> Sound:
    """Return the sound without silent ends, at one level."""
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.max(np.abs(sound), initial=1e-9))
    cut = sound[loud[0] : loud[-1] + 1] if loud.size else np.zeros(RATE_HZ // 10)
    return np.asarray(cut / max(1e-6, float(np.sqrt(np.mean(cut**2)))) * 0.1)


def _put(line: Sound, sound: Sound, at_s: float) -> None:
    begin = max(0, round(at_s * RATE_HZ))
    part = sound[: max(0, len(line) - begin)]
    line[begin : begin + len(part)] += part


def _at_level(line: Sound, random: Random) -> Sound:
    """Return what a microphone half a metre away hears of it, at some level of active speech."""
    heard = through(line, _response(2, int(random.integers(PLACES))))[: len(line)] if random.random() < 0.5 else line
    loud = heard[np.abs(heard) > 0.02 * np.max(np.abs(heard), initial=1e-9)]
    level = float(np.sqrt(np.mean(loud**2))) if loud.size else 1.0
    return np.asarray(heard / level * data.gain(random.uniform(*VOICE_DBFS)))


@functools.cache
def _response(room: int, place: int) -> Sound:
    return response(ROOMS[room], np.random.default_rng([room, place]))


def _residue(heard: Sound, random: Random) -> Sound:
    """Return what a canceller leaves: whole bands gone for moments, phases disturbed."""
    frame = 320
    padded = np.pad(heard, (frame, 2 * frame))
    window = np.sqrt(np.hanning(2 * frame + 1)[:-1])
    made = np.zeros(len(padded))
    for begin in range(0, len(padded) - 2 * frame, frame):
        spectrum = np.fft.rfft(padded[begin : begin + 2 * frame] * window)
        bands = np.repeat(random.random(len(spectrum) // 16 + 1) < 0.4, 16)[: len(spectrum)]
        spectrum *= bands * np.exp(1j * random.normal(0, 0.6, len(spectrum)))
        made[begin : begin + 2 * frame] += np.fft.irfft(spectrum, 2 * frame) * window
    return made[frame : frame + len(heard)]


def _one(of: list[Any], random: Random) -> Any:
    return of[int(random.integers(len(of)))]


def _band_db(sound: Sound) -> float:
    """Return the energy within 200-6500 Hz, where digits have sound, dB."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    return 10 * float(np.log10(np.sum(power[(frequency > 200) & (frequency < 6500)]) + 1e-20))
