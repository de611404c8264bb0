"""How well sound is judged, on real speech: what is found, what is wrongly found, how far figures are off, echo, cost.

``python -m tests.bench --area sound`` prints the table; ``python -m tests.bench.sound [--quick] [--part tune|report]
[--only SECTION]`` prints one part, or one section of it. Thresholds were set on the part "tune"; what is claimed is
measured on "report": other sentences of the same five voices and other rooms, recordings likewise.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from probes.echo import echo_measurement, from_onset
from probes.measurement import Measurement
from probes.microphone import SoundAnalyser
from probes.speech import SpeechDetector
from readiness.media.digits import spoken_digit
from readiness.texts import LANGUAGES
from reports.model import Outcome
from reports.profile import load_profile
from reports.verdict import judge_check
from tests.bench import sound_data as data
from tests.bench.figures import Figure, table
from tests.bench.sound_data import Clip, Sound
from tests.bench.sound_rooms import ROOMS, Room, response, through

__all__ = ["figures", "run"]

SNRS: Final = (0, 10, 20, 30, 40)
PIECE: Final = 3200
BABBLE: Final = "babble"
"""Voices of others are speech: left out where noise must not be called speech. Recorded reading likewise has no bar for
what is missed: by energy alone its truth counts breaths as speech."""
MISS_PCT, FALSE_PCT = 2.0, 2.0
FAULT_FOUND_PCT, FAULT_FALSE_PCT = 97.0, 1.0
SNR_ERROR_DB: Final = 1.5
LEVEL_ERROR_DB: Final = 1.0
ECHO_LEVEL_DB, ECHO_DELAY_MS = 3.0, 5.0
ECHO_ROOM_DBFS: Final = -65.0
"""A quiet room, for the bars of echo; the digits are played at -20 dBFS."""
COST_S: Final = 20.0
COST_BAR_CPU_S: Final = 1.5
"""For sound and picture together."""
MIN_LOST: Final = 2
"""Packets lost within speech that make sound with dropouts: in a pause nobody hears them."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the product makes of one piece of sound."""

    speech: NDArray[np.bool_]
    """For each 32 ms."""
    found: Mapping[str, Measurement]


class Bench:
    """Runs one part of the data through the product's analyser and its profile."""

    def __init__(self, part: str, *, quick: bool) -> None:
        self.part = part
        self.quick = quick
        self.clips = data.clips(part, 1 if quick else 2)
        self.snrs = (0, 20, 40) if quick else SNRS
        self.random = np.random.default_rng(7)
        self._detector = SpeechDetector()
        self._profile = load_profile("consultation")

    def heard(self, sound: Sound, raw: Mapping[str, Any] | None = None) -> Heard:
        """Return what the analyser says about a whole step: silence asked, then speech."""
        self._detector.reset()
        analyser = SoundAnalyser(self._detector)
        pcm = data.pcm(sound)
        analyser.mark("silence_start", 0)
        for start in range(0, len(pcm), 2 * PIECE):
            if start // 2 == int(data.SILENCE_S * data.RATE_HZ) // PIECE * PIECE:
                analyser.mark("speech_start", start // 32)
            analyser.feed(pcm[start : start + 2 * PIECE], start // 32)
        found = {each.check: each for each in analyser.measurements(raw or {"processed": False})}
        return Heard(np.array([window.speech for window in analyser._windows]), found)

    def warned(self, check: str, measurement: Measurement) -> bool:
        """Return whether the profile finds fault with it."""
        return judge_check(measurement, self._profile.checks[check]).outcome in {Outcome.WARN, Outcome.FAIL}

    def mixed(self, clip: Clip, kind: str, snr_db: float) -> Sound:
        """Return the clip with noise under it."""
        return clip.sound + self.noise(clip, kind, snr_db)

    def noise(self, clip: Clip, kind: str, snr_db: float) -> Sound:
        """Return noise `snr_db` under the clip's active level."""
        return data.noise(kind, len(clip.sound), self.random, self.part) * data.gain(data.LEVEL_DBFS - snr_db)

    def hum(self, sound: Sound) -> bool:
        """Return whether hum is told of; speech has no part in that."""
        analyser = SoundAnalyser(Deaf())
        pcm = data.pcm(sound)
        for start in range(0, len(pcm), 2 * PIECE):
            analyser.feed(pcm[start : start + 2 * PIECE], start // 32)
        found = {each.check: each for each in analyser.measurements({})}
        return self.warned("microphone.hum", found["microphone.hum"])


async def run(*, quick: bool) -> list[Figure]:
    """Return the table of the part that was not tuned on."""
    return await asyncio.to_thread(figures, quick)


def figures(quick: bool = False, *, part: str = "report", only: str = "") -> list[Figure]:
    """Return the table of one part of the data, or of one of its sections."""
    bench = Bench(part, quick=quick)
    sections = {
        "speech": _speech,
        "codec": _codec,
        "level": _levels,
        "hum": _hum,
        "bandwidth": _bandwidth,
        "raw": _raw,
        "echo": _echo,
        "cost": _cost,
    }
    return [figure for name, section in sections.items() if only in ("", name) for figure in section(bench)]


def _speech(bench: Bench) -> Iterator[Figure]:
    """Speech found, and the signal-to-noise ratio, over every noise and level."""
    miss: dict[float, list[float]] = {}
    by_language: dict[str, list[float]] = {}
    errors: dict[float, list[float]] = {}
    silent = 0
    for clip in bench.clips:
        for kind in data.NOISES:
            for snr in bench.snrs:
                noise = bench.noise(clip, kind, snr)
                heard = bench.heard(clip.sound + noise)
                missed = _missed_pct(clip, heard)
                if clip.language in data.LANGUAGES:
                    miss.setdefault(snr, []).append(missed)
                by_language.setdefault(clip.language, []).append(missed)
                told = heard.found["microphone.noise"].metric("snr_db")
                if isinstance(told, (int, float)):
                    errors.setdefault(snr, []).append(float(told) - data.true_snr_db(clip.sound, noise))
                else:
                    silent += 1
    yield from (
        _at_most(f"speech missed at {snr} dB SNR", np.mean(found), MISS_PCT, "%") for snr, found in miss.items()
    )
    for name, lost in by_language.items():
        figure = _at_most(f"speech missed, {name}", np.mean(lost), MISS_PCT, "%")
        yield figure if name in data.LANGUAGES else replace(figure, at_most=None)
    for kind in data.NOISES:
        called = np.mean([_false_pct(bench, kind) for _ in range(4)])
        figure = _at_most(f"{kind} alone called speech", called, FALSE_PCT, "%")
        yield figure if kind != BABBLE else replace(figure, at_most=None)
    for level, found in errors.items():
        yield _at_most(
            f"SNR at {level} dB, mean error", np.mean(np.abs(found)), SNR_ERROR_DB, "dB", bias=float(np.mean(found))
        )
    every = np.concatenate([np.array(found) for found in errors.values()])
    yield _at_most("SNR, mean error over all", np.mean(np.abs(every)), SNR_ERROR_DB, "dB", bias=float(np.mean(every)))
    yield _at_most("SNR without an answer", 100 * silent / (silent + len(every)), None, "%")


def _missed_pct(clip: Clip, heard: Heard) -> float:
    middle = np.minimum((np.arange(len(clip.truth)) * 160 + 80) // 512, len(heard.speech) - 1)
    said = heard.speech[middle]
    return float(100 * np.mean(~said[clip.truth]))


def _false_pct(bench: Bench, kind: str) -> float:
    noise = data.noise(kind, 10 * data.RATE_HZ, bench.random, bench.part) * data.gain(-40)
    return float(100 * np.mean(bench.heard(noise).speech))


def _codec(bench: Bench) -> Iterator[Figure]:
    """The same ratio after Opus; our own sound comes without a codec, so this is for the meeting's sake."""
    for kbit_s in (24, 32):
        errors = []
        for clip in bench.clips[:: 2 if len(bench.clips) > 6 else 1]:
            for kind in ("white", "pink", "fan", "music")[: 2 if bench.quick else 4]:
                for snr in (10, 30) if bench.quick else (10, 20, 30):
                    noise = bench.noise(clip, kind, snr)
                    heard = bench.heard(data.opus(clip.sound + noise, kbit_s))
                    told = heard.found["microphone.noise"].metric("snr_db")
                    if isinstance(told, (int, float)):
                        errors.append(float(told) - data.true_snr_db(clip.sound, noise))
        yield _at_most(
            f"SNR after Opus {kbit_s} kbit/s, mean error",
            np.mean(np.abs(errors)),
            SNR_ERROR_DB,
            "dB",
            bias=float(np.mean(errors)),
        )


def _levels(bench: Bench) -> Iterator[Figure]:
    """The level of speech, against ITU-T P.56."""
    errors = []
    for clip in bench.clips:
        for level in (-16.0, -26.0, -46.0):
            sound = clip.sound * data.gain(level - data.LEVEL_DBFS)
            sound = sound + data.noise("pink", len(sound), bench.random) * data.gain(level - 40)
            value = bench.heard(sound).found["microphone.level"].value
            errors.append(float(value) - data.active_level(sound) if isinstance(value, (int, float)) else 99.0)
    worst = max(np.abs(errors))
    yield _at_most(
        "active level against P.56, mean error",
        np.mean(np.abs(errors)),
        LEVEL_ERROR_DB,
        "dB",
        bias=float(np.mean(errors)),
    )
    yield _at_most("active level against P.56, worst", worst, LEVEL_ERROR_DB, "dB")


def _hum(bench: Bench) -> Iterator[Figure]:
    for snr in (10, 20, 30):
        found = [bench.hum(bench.mixed(clip, kind, snr)) for clip in bench.clips for kind in ("hum50", "hum60")]
        bar = FAULT_FOUND_PCT if snr <= 20 else None
        yield _at_least(f"hum found at {snr} dB under speech", 100 * np.mean(found), bar)
    false = [
        bench.hum(bench.mixed(clip, kind, snr))
        for clip in bench.clips
        for kind in data.NOISES
        if not kind.startswith("hum")
        for snr in (10, 40)
    ]
    yield _at_most("hum found where there is none", 100 * np.mean(false), FAULT_FALSE_PCT, "%")


def _bandwidth(bench: Bench) -> Iterator[Figure]:
    def told(sound: Sound) -> bool:
        return bench.warned("microphone.bandwidth", bench.heard(sound).found["microphone.bandwidth"])

    narrow, wide = [], []
    for clip in bench.clips:
        for kind, snr in (("pink", 40), ("fan", 20), ("white", 20)):
            mixed = bench.mixed(clip, kind, snr)
            thin = data.telephone(clip.sound) + (mixed - clip.sound) * data.gain(-20)
            narrow += [told(data.telephone(mixed)), told(thin)]
            wide.append(told(mixed))
        wide.append(told(data.opus(clip.sound, 32)))
        narrow.append(told(data.opus(data.telephone(clip.sound), 32)))
    yield _at_least("narrow band found", 100 * np.mean(narrow), FAULT_FOUND_PCT)
    yield _at_most("narrow band found where there is none", 100 * np.mean(wide), FAULT_FALSE_PCT, "%")


def _raw(bench: Bench) -> Iterator[Figure]:
    """Faults that only raw capture shows, through the page's own code."""
    found: dict[str, list[bool]] = {"clipping": [], "clipping, turned down": [], "digital zeros": [], "dropouts": []}
    false: dict[str, list[bool]] = {"clipping": [], "digital zeros": [], "dropouts": []}
    for clip in bench.clips:
        quiet = data.noise("pink", len(clip.sound), bench.random) * data.gain(-70)
        raw = data.to_raw(clip.sound + quiet)
        for excess in (3, 6, 12):
            clipped = np.clip(raw / np.max(np.abs(raw)) * data.gain(excess), -1, 32767 / 32768)
            found["clipping"].append(_raw_warned(bench, "clipping", clipped))
            found["clipping, turned down"].append(_raw_warned(bench, "clipping", clipped * data.gain(-10)))
        found["digital zeros"].append(_raw_warned(bench, "level", np.zeros(len(raw))))
        for share in (0.01, 0.02, 0.05):
            lossy, heard = _lossy(clip, raw, share, bench.random)
            if heard >= MIN_LOST:
                found["dropouts"].append(_raw_warned(bench, "dropouts", lossy))
        for sound in _clean(bench, clip, raw):
            told = _raw_faults(bench, sound)
            for fault, warned in false.items():
                warned.append(told["level" if fault == "digital zeros" else fault])
    yield from (_at_least(f"{fault} found", 100 * np.mean(warned), FAULT_FOUND_PCT) for fault, warned in found.items())
    yield from (
        _at_most(f"{fault} found where there is none", 100 * np.mean(warned), FAULT_FALSE_PCT, "%")
        for fault, warned in false.items()
    )


def _clean(bench: Bench, clip: Clip, raw: Sound) -> Iterator[Sound]:
    """Sound without fault: as it is, just under full scale, quiet, with pauses of digital zero, in noise."""
    yield raw
    yield raw / np.max(np.abs(raw)) * data.gain(-1)
    yield np.rint(raw * data.gain(-20) * 32768) / 32768
    gated = data.to_raw(clip.sound)
    yield np.where(np.abs(gated) < data.gain(-60), 0.0, gated)
    yield data.to_raw(bench.mixed(clip, "fan", 20))


def _raw_warned(bench: Bench, check: str, raw: Sound) -> bool:
    """Return whether the profile finds the fault in the page's blocks; the stream itself is not needed for it."""
    return _raw_faults(bench, raw)[check]


def _raw_faults(bench: Bench, raw: Sound) -> dict[str, bool]:
    """Return which of level (exact zeros), clipping and dropouts the profile finds fault with."""
    sent = np.rint(raw * 32768) / 32768
    by_check = {each.check: each for each in SoundAnalyser(Deaf()).measurements(data.page(sent))}
    zeros = by_check["microphone.level"].metric("digital_zero_pct")
    found = {
        name: bench.warned(f"microphone.{name}", by_check[f"microphone.{name}"]) for name in ("clipping", "dropouts")
    }
    return {**found, "level": isinstance(zeros, (int, float)) and zeros > 99}


class Deaf:
    """No stream at all."""

    def feed(self, _samples: NDArray[np.float32], /) -> list[float]:
        return []


def _lossy(clip: Clip, raw: Sound, share: float, random: np.random.Generator) -> tuple[Sound, int]:
    """Return the sound with `share` of its 20 ms packets lost (zeros), and how many of those were speech."""
    frame = data.RAW_HZ // 50
    lost, speech = raw.copy(), 0
    for index in np.flatnonzero(random.random(len(raw) // frame) < share):
        lost[index * frame : (index + 1) * frame] = 0
        speech += bool(clip.truth[2 * index : 2 * index + 2].all())
    return lost, speech


def _echo(bench: Bench) -> Iterator[Figure]:
    """Digits played into rooms and heard by a microphone there, at several levels and in several noises."""
    levels: list[float] = []
    delays: list[float] = []
    missed: list[bool] = []
    louder: dict[tuple[str, float], list[bool]] = {}
    false: list[bool] = []
    random = np.random.default_rng(11 if bench.part == "tune" else 12)
    for room in ROOMS[:: 2 if bench.quick else 1]:
        for language in LANGUAGES:
            sound = _Played(room, language, random)
            for level in (-10.0, -25.0, -40.0):
                found = sound.heard(level, data.noise("pink", sound.count, random) * data.gain(ECHO_ROOM_DBFS))
                missed.append(found.metric("heard") is not True)
                if not missed[-1]:
                    levels.append(abs(float(found.value or 0.0) - sound.true_db - level))
                    delays.append(abs(float(found.metric("delay_ms") or 0.0) - sound.delay_ms))
            for kind, dbfs in (("pink", -50.0), ("fan", -50.0), ("keys", -50.0), (BABBLE, -50.0)):
                noise = data.noise(kind, sound.count, random, bench.part) * data.gain(dbfs)
                louder.setdefault((kind, dbfs), []).append(sound.heard(-25.0, noise).metric("sounded") is True)
                false.append(bench.warned("microphone.echo", sound.heard(-200.0, noise)))
    yield Figure("echo return, error (worst)", "dB", levels, at_most=ECHO_LEVEL_DB)
    yield Figure("echo delay, error (worst)", "ms", delays, at_most=ECHO_DELAY_MS)
    yield _at_most("echo of -10 to -40 dB missed in a quiet room", 100 * np.mean(missed), FALSE_PCT, "%")
    for (kind, dbfs), heard in louder.items():
        yield _at_least(f"echo of -25 dB found in {kind} of {dbfs:.0f} dBFS", 100 * np.mean(heard), None)
    yield _at_most("echo told where there is none", 100 * np.mean(false), FAULT_FALSE_PCT, "%")


class _Played:
    """Three digits, played into a room after some delay of the device."""

    def __init__(self, room: Room, language: str, random: np.random.Generator) -> None:
        self._digits = [spoken_digit(language, int(digit)) for digit in random.permutation(10)[:3]]
        words = [from_onset(digit) for digit in self._digits]
        ends_s = np.cumsum([len(word) / data.RATE_HZ + 0.3 for word in words])
        self._starts_ms = [float(1000 * start) for start in (0.2, *(0.2 + ends_s[:-1]))]
        self.count = int((0.2 + ends_s[-1] + 1.0) * data.RATE_HZ)
        played: Sound = np.zeros(self.count)
        for word, start in zip(words, self._starts_ms, strict=True):
            begin = round(start * data.RATE_HZ / 1000)
            played[begin : begin + len(word)] += word
        device = int(random.uniform(0.02, 0.35) * data.RATE_HZ)
        self.delay_ms = 1000 * device / data.RATE_HZ + room.delay_ms
        back = through(played, response(room, random))
        self._back = np.concatenate([np.zeros(device), back])[: self.count]
        second = round(self._starts_ms[1] * data.RATE_HZ / 1000)
        self.true_db = _band_db(back[second:]) - _band_db(played[second:])

    def heard(self, level_db: float, noise: Sound) -> Measurement:
        """Return what is found in what comes back `level_db` under its strength."""
        sound = self._back * data.gain(level_db) + noise
        return echo_measurement(np.rint(sound * 32768) / 32768, self._digits, self._starts_ms)


def _band_db(sound: Sound) -> float:
    """Return the energy within 200-6500 Hz, where digits have sound, dB."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / data.RATE_HZ)
    return 10 * float(np.log10(np.sum(power[(frequency > 200) & (frequency < 6500)])))


def _cost(bench: Bench) -> Iterator[Figure]:
    """Processor time of the whole sound part: 20 s of speech, and the digits' echo."""
    clip = bench.clips[0]
    sound = np.resize(clip.sound, int(COST_S * data.RATE_HZ))
    bench.heard(sound[: data.RATE_HZ])
    began = time.process_time()
    bench.heard(sound)
    yield _at_most("processor time for 20 s of sound", time.process_time() - began, COST_BAR_CPU_S, "s")
    played = _Played(ROOMS[0], "nb", np.random.default_rng(1))
    began = time.process_time()
    played.heard(-20.0, data.noise("pink", played.count, bench.random) * data.gain(-60))
    yield _at_most("processor time for the echo of the digits", time.process_time() - began, None, "s")


def _at_most(name: str, measured: Any, bar: float | None, unit: str, *, bias: float | None = None) -> Figure:
    more = f", bias {bias:+.2f}" if bias is not None else ""
    return Figure(f"{name}{more}", unit, [float(measured)], at_most=bar)


def _at_least(name: str, measured: Any, bar: float | None) -> Figure:
    return Figure(name, "%", [float(measured)], at_least=bar)


def main(arguments: list[str]) -> int:
    """Print the table; 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", choices=("tune", "report"), default="report")
    parser.add_argument("--only", default="", help="one section: speech, codec, level, hum, bandwidth or raw")
    options = parser.parse_args(arguments)
    found = figures(options.quick, part=options.part, only=options.only)
    print(table(f"sound, part {options.part}", found))
    return int(any(figure.verdict not in {"", "ok"} for figure in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
