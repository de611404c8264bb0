"""People at their microphones for the truth bench: recorded voices, simulated rooms and devices, and what is true.

Voices, fetched by name with ``apt-get download`` and never committed: ``klettres-data`` and ``ktuberling-data``
(GPL-2+, letters and words in 25 languages, Norwegian among them), ``tuxpaint-stamps-default`` (GPL-2, digits),
``fillets-ng-data-cs`` and ``-nl`` (GPL-2, spoken dialogue), ``hedgewars-data`` (GPL-2, actors), ``gcin-voice`` (GPL-2,
Chinese syllables), and the sentences of `sound_data`. A voice is on one side only: even pools tune, odd ones report;
those that came later are split by a hash of their name. What is true is worked out from the separate tracks before
anything is judged.
"""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.signal import butter, lfilter, resample_poly, sosfilt  # type: ignore[import-untyped]

from tests.bench import sound_data as data
from tests.bench.figures import half_of
from tests.bench.sound_data import RATE_HZ, RAW_HZ, Sound
from tests.bench.sound_rooms import through

__all__ = ["KINDS", "Session", "fetch", "pools", "session"]

PACKAGES: Final = (
    "klettres-data",
    "ktuberling-data",
    "tuxpaint-stamps-default",
    "fillets-ng-data-cs",
    "fillets-ng-data-nl",
    "hedgewars-data",
    "gcin-voice",
)
ONE_SERB: Final = "ktuberling/sounds sr@latin"
"""One speaker stands in four folders, which had come into both halves; kept in the one that was tuned on."""
STAMPS: Final = ("fr", "ru", "ro", "ca", "bg", "es", "be", "el", "da", "lt", "nl")
"""Languages in which a person says what is on the stamps of ``tuxpaint-stamps-default``."""
ACTORS: Final = {
    *("British", "Classic", "Default", "Default_es", "Default_pl", "Default_ru", "Default_uk", "HillBilly", "Mobster"),
    *("Pirate", "Russian", "Russian_pl", "Surfer"),
}
"""Voices of ``hedgewars-data`` that speak; one sings, one is a machine's."""
LONG_S: Final = 17.0
"""A session as it is made: three seconds of asked silence, a sentence, and time after it."""
QUIET_S: Final = 3.0
SENTENCE_S: Final = 4.5
ROOM_DBFS: Final = (-75.0, -60.0)


HIGH_HZ: Final = (280.0, 420.0)
"""Median pitch of high voices: small children speak with 300 to 400 Hz."""
MOST_RAISED: Final = 1.75
"""By more than this a raised voice is no person's any more."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Recordings of one person."""

    name: str
    files: tuple[Path, ...]
    part: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One person's step: what the page sees of it, and the truth."""

    kind: str
    voice: str
    blocks: list[list[float]]
    pcm: bytes
    truth: str
    """Whether others will understand: yes, barely or no."""
    faults: frozenset[str]
    """Faults that were planted."""
    figures: Mapping[str, float]
    """level_dbfs, snr_db, c50_db of the separate tracks."""


def fetch() -> Path:
    """Return the folder with the unpacked packages, fetching them first where they are missing."""
    data.fetch()
    return data.fetch(PACKAGES)


@functools.cache
def pools(part: str) -> tuple[Pool, ...]:
    """Return the voices of `part` ("tune" or "report")."""
    share = fetch()
    found = [
        Pool(f"asterisk {voice}", _g722(share / "asterisk" / "sounds" / voice)) for voice in data.LANGUAGES.values()
    ]
    for game, pattern in (("klettres", "*/*.ogg"), ("ktuberling/sounds", "*.o*")):
        folders = sorted((share / game).iterdir())
        found += [Pool(f"{game} {folder.name}", tuple(sorted(folder.glob(pattern)))) for folder in folders]
    math = share / "tuxpaint" / "stamps" / "symbols" / "math"
    digits = ("nb", "nn", "sv", "en_GB")
    found += [Pool(f"tuxpaint {one}", tuple(sorted(math.glob(f"[0-9]_{one}.ogg")))) for one in digits]
    for language in ("cs", "nl"):
        for fish in ("m", "v"):
            told = (share / "games" / "fillets-ng" / "sound").rglob(f"{language}/*-{fish}-*.ogg")
            found.append(Pool(f"fillets {language} {fish}", tuple(sorted(told))))
    found.append(Pool("librivox", tuple(sorted((share / "pocketsphinx").rglob("librivox/*.wav")))))
    whole = [pool for pool in found if len(pool.files) >= 5][part == "report" :: 2]
    once = [pool for pool in whole if not pool.name.startswith("ktuberling/sounds sr") or pool.name == ONE_SERB]
    return (*once, *(pool for pool in _later_pools(share) if half_of(pool.name) == part))


def _later_pools(share: Path) -> list[Pool]:
    """Return voices that nobody had tuned on when the rules of 2026-11-29 were set."""
    stamps = share / "tuxpaint" / "stamps"
    found = [Pool(f"stamps {one}", tuple(sorted(stamps.rglob(f"*_desc_{one}.ogg")))) for one in STAMPS]
    actors = sorted((share / "games" / "hedgewars" / "Data" / "Sounds" / "voices").iterdir())
    found += [Pool(f"hedgewars {one.name}", tuple(sorted(one.glob("*.ogg")))) for one in actors if one.name in ACTORS]
    syllables = sorted((share / "gcin-voice" / "ogg").rglob("*.ogg"))
    takes = sorted({path.stem for path in syllables})
    return [*found, *(Pool(f"gcin {one}", tuple(path for path in syllables if path.stem == one)) for one in takes)]


def _g722(folder: Path) -> tuple[Path, ...]:
    least, most = data.G722_BYTES
    return tuple(path for path in sorted(folder.rglob("*.g722")) if least < path.stat().st_size < most)


@functools.lru_cache(maxsize=400)
def _decoded(path: Path) -> Sound:
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-i", str(path), "-f", "f32le", "-ac", "1"]
    raw = subprocess.run([*command, "-ar", str(RATE_HZ), "-"], check=True, capture_output=True, timeout=60).stdout
    return np.frombuffer(raw, "<f4").astype(np.float64)


def _sentence(pool: Pool, random: np.random.Generator, seconds: float, gap_s: float = 0.15) -> Sound:
    """Return recordings of one person, one after the other as somebody reads, at -26 dBFS."""
    made: list[Sound] = []
    for _ in range(60):
        word = _decoded(pool.files[random.integers(len(pool.files))])
        if word.size and (peak := float(np.max(np.abs(word)))) > 0.01:
            loud = np.flatnonzero(np.abs(word) > 0.03 * peak)
            word = word[max(0, loud[0] - 800) : loud[-1] + 1600]
            made += [word / data.gain(data.active_level(word) + 26), np.zeros(int(gap_s * RATE_HZ))]
        if sum(map(len, made)) > seconds * RATE_HZ:
            break
    return np.concatenate(made)[: int((seconds + 1) * RATE_HZ)]


@functools.cache
def pitch_hz(pool: Pool) -> float:
    """Return the median pitch of some recordings' loud half, by autocorrelation of 40 ms between 70 and 500 Hz."""
    found: list[float] = []
    for path in pool.files[:: max(1, len(pool.files) // 4)]:
        sound = _decoded(path)[: 2 * RATE_HZ]
        frames = sound[: len(sound) // 640 * 640].reshape(-1, 640)
        power = np.sum(frames**2, axis=1)
        for frame in frames[power > max(1e-4, float(np.median(power)))] if len(frames) else ():
            spectrum = np.abs(np.fft.rfft(frame * np.hanning(640), 2048)) ** 2
            auto = np.fft.irfft(spectrum)[:320] / np.fft.irfft(np.abs(np.fft.rfft(np.hanning(640), 2048)) ** 2)[:320]
            tops = [lag for lag in range(32, 229) if auto[lag - 1] < auto[lag] > auto[lag + 1]]
            most = max((auto[lag] for lag in tops), default=0.0)
            found += [RATE_HZ / next(lag for lag in tops if auto[lag] > 0.9 * most)] if most > 0.5 * auto[0] else []
    return float(np.median(found)) if found else 0.0


def whispered(sound: Sound) -> Sound:
    """Return speech with noise in the place of the voice: linear prediction of 16 poles, 20 ms frames."""
    order, size, hop = 16, 400, 160
    shape, made = np.hanning(size), np.zeros(len(sound) + size)
    random = np.random.default_rng(len(sound))
    for start in range(0, len(sound) - size, hop):
        frame = sound[start : start + size] * shape
        auto = np.correlate(frame, frame, "full")[size - 1 : size + order]
        if auto[0] < 1e-6:
            continue
        auto[0] *= 1.0001
        matrix = auto[np.abs(np.subtract.outer(np.arange(order), np.arange(order)))]
        poles = np.linalg.solve(matrix, auto[1:])
        excited = lfilter([1], np.concatenate([[1], -poles]), random.standard_normal(size))
        made[start : start + size] += excited * np.sqrt(auto[0] / max(float(np.sum(excited**2)), 1e-12)) * shape
    return np.asarray(made[: len(sound)] - lfilter([0, 0.7], [1], made[: len(sound)]))


def higher(sound: Sound, factor: float) -> Sound:
    """Return speech with pitch and formants raised by `factor`, as long as it was: a child's or a high voice."""
    chain = f"asetrate={round(RATE_HZ * factor)},aresample={RATE_HZ},atempo={1 / factor:.5f}"
    command = [
        "ffmpeg",
        "-hide_banner",
        "-loglevel",
        "error",
        "-f",
        "f32le",
        "-ar",
        str(RATE_HZ),
        "-ac",
        "1",
        "-i",
        "-",
    ]
    raw = sound.astype("<f4").tobytes()
    out = subprocess.run(
        [*command, "-af", chain, "-f", "f32le", "-"], input=raw, check=True, capture_output=True, timeout=60
    )
    return np.frombuffer(out.stdout, "<f4").astype(np.float64)


def room_taps(metres: float, rt60_s: float, random: np.random.Generator) -> Sound:
    """Return the response of a room of 50 cubic metres: direct sound, then a diffuse tail (Polack's model).

    The tail is as strong as the direct sound at the critical distance, 0.057 * sqrt(volume / reverberation time).
    """
    critical_m = 0.057 * np.sqrt(50.0 / rt60_s)
    time = np.arange(int(RATE_HZ * (rt60_s + 0.05))) / RATE_HZ
    tail = random.standard_normal(len(time)) * np.exp(-6.908 * time / rt60_s) * (time > 0.0015)
    tail *= metres / critical_m / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return np.asarray(tail / np.sqrt(np.sum(tail**2)))


@dataclass(slots=True)
class _Made:
    """The separate tracks, at 16 kHz and then as the device gives them at 48 kHz."""

    speech: Sound
    noise: Sound
    c50_db: float = 30.0
    clipped_pct: float = 0.0
    lost_pct: float = 0.0
    spoken: bool = True


Recipe = Callable[["_Maker"], Sound]


class _Maker:
    """Makes one session; each kind of `KINDS` calls what it needs."""

    def __init__(self, part: str, seed: int) -> None:
        self.part = part
        self.random = np.random.default_rng([seed, part == "report"])
        every = pools(part)
        self.pool = every[self.random.integers(len(every))]
        self.count = int(LONG_S * RATE_HZ)
        self.tracks = _Made(np.zeros(self.count), np.zeros(self.count))
        self.faults: set[str] = set()

    def between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def voice(self, pool: Pool | None = None, seconds: float = SENTENCE_S, gap_s: float = 0.15) -> Sound:
        return _sentence(pool or self.pool, self.random, seconds, gap_s)

    def put(
        self, speech: Sound, level_dbfs: float, metres: float = 0.6, rt60_s: float = 0.35, at_s: float | None = None
    ) -> None:
        """Let somebody speak in a room, so that the microphone has `level_dbfs` of speech."""
        taps = room_taps(metres, rt60_s, self.random)
        heard = through(np.concatenate([speech, np.zeros(len(taps))]), taps)
        heard *= data.gain(level_dbfs - data.active_level(heard))
        begin = int((QUIET_S + self.between(0.3, 1.5) if at_s is None else at_s) * RATE_HZ)
        heard = heard[: self.count - begin]
        self.tracks.speech[begin : begin + len(heard)] += heard
        self.tracks.c50_db = _c50_db(taps)

    def room(self, dbfs: float | None = None) -> None:
        self.add("pink", self.between(*ROOM_DBFS) if dbfs is None else dbfs)

    def add(self, kind: str, dbfs: float) -> None:
        self.tracks.noise += data.noise(kind, self.count, self.random, self.part) * data.gain(dbfs)

    def others(self, dbfs: float, begin_s: float = 0.0, end_s: float = LONG_S) -> None:
        """Let a television talk: somebody else, with a little music under it."""
        every = [pool for pool in pools(self.part) if pool.name != self.pool.name and "klettres" not in pool.name]
        talk = self.voice(every[self.random.integers(len(every))], LONG_S, 0.25)
        talk = through(np.resize(talk, self.count), room_taps(2.5, 0.5, self.random))
        talk *= data.gain(dbfs - data.active_level(talk))
        talk += data.noise("music", self.count, self.random) * data.gain(dbfs - 15)
        talk[: int(begin_s * RATE_HZ)] = 0
        talk[int(end_s * RATE_HZ) :] = 0
        self.tracks.noise += talk

    def mixed(self) -> Sound:
        """Return both tracks together at 48 kHz, as a converter of 16 bits gives them."""
        return data.to_raw(self.tracks.speech + self.tracks.noise)


def _c50_db(taps: Sound) -> float:
    direct = int(np.argmax(np.abs(taps)))
    early = direct + int(0.05 * RATE_HZ)
    return float(10 * np.log10(np.sum(taps[:early] ** 2) / max(float(np.sum(taps[early:] ** 2)), 1e-12)))


def _plain(
    low: float, high: float, metres: tuple[float, float], change: Callable[[Sound], Sound] = lambda s: s
) -> Recipe:
    def make(to: _Maker) -> Sound:
        to.put(change(to.voice()), to.between(low, high), to.between(*metres))
        to.room()
        return to.mixed()

    return make


def _gated(noise: tuple[float, float]) -> Recipe:
    """A suppressor as in many headsets and drivers: bands that hold no voice go, and exact zeros between words."""

    def make(to: _Maker) -> Sound:
        to.put(to.voice(), to.between(-32, -18), to.between(0.05, 0.6))
        to.add("fan" if to.random.random() < 0.5 else "pink", to.between(*noise))
        size = 320
        count = to.count // size * size
        for track in (to.tracks.speech, to.tracks.noise):
            track[count:] = 0
        power = np.mean(to.tracks.speech[:count].reshape(-1, size) ** 2, axis=1)
        loud = 10 * np.log10(power + 1e-12) > data.active_level(to.tracks.speech) - 28
        held = np.convolve(loud, np.ones(7), "same") > 0
        shape = np.repeat(held.astype(float), size)
        shape = np.minimum(1, np.convolve(shape, np.ones(160) / 160, "same") * 1.0)
        shape[shape < 0.02] = 0
        to.tracks.speech[:count] *= shape
        to.tracks.noise[:count] *= shape * data.gain(-14)
        return np.rint(to.mixed() * np.repeat(np.resize(shape, to.count) > 0, 3) * 32767) / 32768

    return make


def _noisy(low: float, high: float) -> Recipe:
    def make(to: _Maker) -> Sound:
        level = to.between(-32, -20)
        to.put(to.voice(), level, to.between(0.3, 0.8))
        kinds = ("white", "pink", "fan", "babble", "keys", "music")
        to.room()
        to.add(kinds[to.random.integers(len(kinds))], level - to.between(low, high))
        return to.mixed()

    return make


def _television(*, person: bool) -> Recipe:
    def make(to: _Maker) -> Sound:
        level = to.between(-32, -20)
        if person:
            to.put(to.voice(), level, 0.6)
        else:
            to.tracks.spoken = False
        to.room()
        to.others(level - to.between(6, 20) if person else to.between(-48, -28))
        return to.mixed()

    return make


def _alone(*kinds: str) -> Recipe:
    def make(to: _Maker) -> Sound:
        to.tracks.spoken = False
        to.room()
        if kinds:
            to.add(kinds[to.random.integers(len(kinds))], to.between(-50, -25))
        return to.mixed()

    return make


def _clipped(then: str) -> Recipe:
    def make(to: _Maker) -> Sound:
        to.faults.add("clipping")
        to.put(to.voice(), -26.0, to.between(0.1, 0.6))
        to.room(-72)
        raw = to.mixed()
        loud = raw / np.max(np.abs(raw)) * data.gain(to.between(4, 12))
        made = np.clip(loud, -1, 32767 / 32768)
        to.tracks.clipped_pct = 5.0
        if then == "high-pass":
            made = sosfilt(butter(2, 100, "high", fs=RAW_HZ, output="sos"), made * data.gain(-8))
        elif then == "44.1 kHz":
            low = resample_poly(np.clip(resample_poly(loud, 147, 160), -1, 1), 160, 147)[: len(made)]
            made = low * data.gain(-6)
        elif then == "turned down":
            made = made * data.gain(-10)
        return np.asarray(made)

    return make


def _gaps(how: str) -> Recipe:
    def make(to: _Maker) -> Sound:
        to.faults.add("dropouts")
        to.put(to.voice(), to.between(-30, -20), to.between(0.1, 0.6))
        to.room()
        raw = to.mixed()
        made, frame = raw.copy(), RAW_HZ // 50
        to.tracks.lost_pct = 3.0
        at = int(3.2 * RAW_HZ)
        while (at := at + int(to.between(0.8, 1.8) * RAW_HZ)) < len(raw) - 4 * frame:
            length = int(to.between(0.5, 2) * frame)
            if how == "zeros":
                made[at : at + length] = 0
            elif how == "repeated":
                made[at : at + length] = made[at - length : at]
            elif how == "held":
                made[at : at + length] = made[at - 1]
            else:
                made[at : len(made) - length] = made[at + length :]
        if to.random.random() < 0.5:
            made = np.asarray(sosfilt(butter(2, 100, "high", fs=RAW_HZ, output="sos"), made))
        return made

    return make


def _telephone(to: _Maker) -> Sound:
    to.faults.add("telephone")
    to.put(to.voice(), to.between(-30, -20), 0.05, 0.3)
    to.room()
    narrow = [data.telephone(track) for track in (to.tracks.speech, to.tracks.noise)]
    return data.to_raw(narrow[0] + narrow[1])


def _hummed(to: _Maker) -> Sound:
    to.faults.add("hum")
    to.put(to.voice(), to.between(-30, -20))
    to.room()
    to.add("hum50", to.between(-55, -42))
    return to.mixed()


def _offset(to: _Maker) -> Sound:
    raw = _plain(-30, -20, (0.3, 0.7))(to)
    return raw + data.gain(to.between(-45, -30))


def _early(to: _Maker) -> Sound:
    speech = to.voice(seconds=9.0)
    to.put(speech, to.between(-30, -20), 0.5, at_s=to.between(0.3, 1.2))
    to.room()
    return to.mixed()


def _one_word(to: _Maker) -> Sound:
    to.put(to.voice(seconds=0.5), to.between(-30, -20), 0.5)
    to.room()
    return to.mixed()


def _far(to: _Maker) -> Sound:
    to.put(to.voice(), to.between(-42, -30), to.between(1.2, 2.8), to.between(0.35, 0.8))
    to.room()
    return to.mixed()


def _slow(to: _Maker) -> Sound:
    to.put(to.voice(seconds=7.0, gap_s=to.between(0.7, 1.6)), to.between(-30, -20), 0.5)
    to.room()
    return to.mixed()


def _high(to: _Maker) -> Sound:
    """A child's or a high voice of 280 to 420 Hz, made of a woman's or a child's."""
    fitting = [pool for pool in pools(to.part) if HIGH_HZ[0] / MOST_RAISED < pitch_hz(pool) < HIGH_HZ[1]]
    to.pool = fitting[to.random.integers(len(fitting))]
    own_hz = pitch_hz(to.pool)
    band = to.between(4000, 7500)
    lower = butter(6, band, fs=RATE_HZ, output="sos")
    factor = max(1.0, to.between(HIGH_HZ[0], min(HIGH_HZ[1], MOST_RAISED * own_hz)) / own_hz)
    return _plain(-30, -20, (0.3, 0.7), lambda sound: np.asarray(sosfilt(lower, higher(sound, factor))))(to)


KINDS: Final[Mapping[str, tuple[int, Recipe]]] = {
    "laptop": (24, _plain(-34, -20, (0.4, 0.8))),
    "headset": (14, _plain(-27, -16, (0.05, 0.1))),
    "phone": (12, _plain(-30, -18, (0.2, 0.4))),
    "clean, -34 to -29": (20, _plain(-34, -29, (0.3, 0.8))),
    "quiet, -46 to -34": (16, _plain(-46, -34, (0.3, 0.8))),
    "too quiet": (10, _plain(-60, -52, (0.3, 0.8))),
    "loud": (8, _plain(-17, -11, (0.1, 0.4))),
    "gated": (16, _gated((-70, -60))),
    "gated in noise": (10, _gated((-55, -42))),
    "high voice": (16, _high),
    "whisper": (16, _plain(-42, -28, (0.1, 0.5), whispered)),
    "far": (12, _far),
    "slow": (10, _slow),
    "talks early": (10, _early),
    "one word": (8, _one_word),
    "DC": (6, _offset),
    "noise, 12 to 25 dB": (14, _noisy(12, 25)),
    "noise, 4 to 12 dB": (12, _noisy(4, 12)),
    "noise, under 3 dB": (24, _noisy(-12, 2.5)),
    "person and TV": (16, _television(person=True)),
    "TV alone": (24, _television(person=False)),
    "room alone": (10, _alone()),
    "noise alone": (24, _alone("white", "pink", "fan", "keys", "music", "hum50")),
    "clipped": (8, _clipped("")),
    "clipped, turned down": (8, _clipped("turned down")),
    "clipped, high-pass": (12, _clipped("high-pass")),
    "clipped, 44.1 kHz": (12, _clipped("44.1 kHz")),
    "dropouts, zeros": (10, _gaps("zeros")),
    "dropouts, repeated": (10, _gaps("repeated")),
    "dropouts, skipped": (10, _gaps("skipped")),
    "dropouts, held": (8, _gaps("held")),
    "telephone": (14, _telephone),
    "hum": (8, _hummed),
}
"""Each kind with how many sessions of it a full run makes of either part."""


def session(kind: str, part: str, seed: int) -> Session:
    """Return one session of `kind`; the same for the same part and seed."""
    maker = _Maker(part, seed * 100 + list(KINDS).index(kind))
    raw = KINDS[kind][1](maker)
    sent = np.clip(np.rint(raw * 32768), -32768, 32767) / 32768
    page: dict[str, Any] = data.page_whole(sent)
    truth, figures = _truth(maker.tracks)
    return Session(kind, maker.pool.name, page["blocks"], page["pcm"], truth, frozenset(maker.faults), figures)


def _truth(made: _Made) -> tuple[str, dict[str, float]]:
    """Return whether others will understand, by the worst of level, noise, clipping, loss and room.

    A meeting's own gain control lifts by up to 30 dB, so -42 dBFS is enough; 12 dB over the noise within 300-3400 Hz
    are understood without effort and under 4 hardly at all; C50 under 3 dB is a hall.
    """
    if not made.spoken or not np.any(made.speech):
        return "no", {}
    level = data.active_level(made.speech)
    snr = data.true_snr_db(made.speech, made.noise) if np.any(made.noise) else 60.0
    grades = [
        0 if level >= -42 else 1 if level >= -52 else 2,
        0 if snr >= 12 else 1 if snr >= 4 else 2,
        int(made.clipped_pct > 3),
        int(made.lost_pct > 1),
        int(made.c50_db < 3),
    ]
    figures = {"level_dbfs": round(level, 1), "snr_db": round(snr, 1), "c50_db": round(made.c50_db, 1)}
    return ("yes", "barely", "no")[max(grades)], figures
