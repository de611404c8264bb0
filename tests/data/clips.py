"""Camera and microphone clips for the browser tests, made here from freely licensed material.

Pictures: the portrait is ``skimage.data.astronaut()`` (NASA, public domain, no known copyright restrictions), the
picture on the wall ``skimage.data.coffee()`` (CC0, Rachel Michetti); the room around them is drawn. Voices: eSpeak NG
(GPL-3.0-or-later program; what it speaks is not covered by its licence), sentences of our own. Noise is drawn from
seeded generators. Nobody was recorded for this.

``python -m tests.data.clips OUTDIR`` writes them all; what is there already stays. Chromium takes them by
``--use-file-for-fake-video-capture`` (YUV4MPEG2, 640x480, 20 fps; decoding Motion JPEG takes it half a second of
processor and more a walk) and ``--use-file-for-fake-audio-capture`` (WAV, 48 kHz, 16 bits, mono); both loop.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from readiness.media.voices import active_power

__all__ = [
    "CAMERAS",
    "MICROPHONES",
    "active_power",
    "camera_clip",
    "camera_frames",
    "ffmpeg",
    "main",
    "microphone_clip",
    "microphone_sound",
    "spoken",
]

WIDTH: Final = 640
HEIGHT: Final = 480
FPS: Final = 20
FRAMES: Final = 60
"""Three seconds; the movement comes round in that time, so that the loop has no jump."""
RATE_HZ: Final = 48_000
NOISE_SIGMA: Final = 2.0
"""Sensor noise in luma steps, an ordinary webcam in a lit room."""
MOVE_PX: Final = 3.0
"""How far the person sways."""
VERSION: Final = "9"
"""Part of the file names: raise it when a clip changes, so that an old cache is not taken for it."""

_FACE_X, _EYE_Y, _FACE_HEIGHT = 223.0, 102.0, 113.0
"""Where YuNet sees the face in the portrait: middle, eye line and box height in px."""
_BODY_LEFT = ((20, 512), (23, 400), (38, 292), (75, 236), (112, 206), (118, 182), (148, 155), (181, 150), (181, 128))
_HEAD_LEFT = ((165, 106), (154, 92), (153, 60), (165, 36), (190, 17), (230, 11))
_HEAD_RIGHT = ((270, 24), (296, 48), (301, 82), (290, 112), (270, 132), (258, 150), (256, 172))
_BODY_RIGHT = ((292, 198), (305, 236), (330, 262), (350, 292), (360, 360), (380, 512))
"""Outline of the person in the portrait, clockwise from the lower left; helmet and rocket are left out."""

Picture = NDArray[np.uint8]
Light = NDArray[np.float32]
"""A picture before it is rounded, 0 to 255."""
Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scene:
    """What the camera sees. Shares count from the upper left corner of the frame."""

    person: bool = True
    face_share: float = 0.30
    """Height of the face box over that of the frame."""
    face_x: float = 0.5
    eye_y: float = 0.38
    window: bool = False
    """A bright window instead of the wall."""
    person_gain: float = 1.0
    gain: float = 1.0
    noise_sigma: float = NOISE_SIGMA
    moves: bool = True
    veil: float = 0.0
    """Share of an even light over everything: a greasy lens, haze."""
    blur_px: float = 0.0
    """Sigma of a lens out of focus, at 640x480."""
    covered: float = 0.0
    """Share of the frame that a half closed slider hides, from the left."""
    bands: float = 0.0
    """Share of the light that a flickering lamp takes, in three bands that move."""
    quarter_turns: int = 0
    """Counter-clockwise, the frame's size kept."""
    signal: bool = True
    """False is a camera that sends one even colour."""
    neighbour_x: float | None = None
    """Where a second person is, who may be cut by the edge."""
    lamp_luma: float = 0.0
    """Of something bright in a lower corner, that lights nobody's face."""
    shrunk_to: int = HEIGHT
    """Height of the clip in px; 640x480 is its shape."""
    fps: int = FPS


CAMERAS: Final = {
    "good": Scene(),
    "black": Scene(gain=0.0, noise_sigma=0.8),
    "empty_room": Scene(person=False),
    "backlit": Scene(window=True, person_gain=0.28),
    "frozen": Scene(moves=False),
    "dark": Scene(gain=0.25),
    "off_side": Scene(face_x=0.80),
    "far": Scene(face_share=0.085, eye_y=0.45),
    "close": Scene(face_share=0.66, eye_y=0.45),
    "head_cut": Scene(face_share=0.34, eye_y=0.08),
    "chin_cut": Scene(face_share=0.36, eye_y=0.86),
    "low_down": Scene(face_share=0.22, eye_y=0.68),
    "high_up": Scene(face_share=0.20, eye_y=0.14),
    "off_other_side": Scene(face_x=0.20),
    "face_dark": Scene(person_gain=0.72, gain=0.3, lamp_luma=170.0),
    "silhouette": Scene(person_gain=0.13, gain=0.55),
    "over_exposed": Scene(gain=1.8),
    "haze": Scene(veil=0.72),
    "grainy": Scene(gain=0.6, noise_sigma=14.0),
    "blurred": Scene(blur_px=5.0),
    "covered": Scene(face_x=0.7, covered=0.36),
    "flicker": Scene(bands=0.6),
    "turned": Scene(quarter_turns=1),
    "no_signal": Scene(person=False, signal=False, noise_sigma=0.8),
    "someone_at_edge": Scene(face_x=0.45, neighbour_x=0.99),
    "pair": Scene(face_share=0.26, face_x=0.27, neighbour_x=0.73),
    "small": Scene(shrunk_to=180),
    "slow": Scene(fps=4),
}
"""Clip name to scene."""


def camera_frames(name: str, count: int = FRAMES) -> Iterator[Picture]:
    """Yield the first `count` BGR frames of the clip `name`; the same ones every time."""
    scene = CAMERAS[name]
    random = np.random.default_rng(20_261_121)
    still: Picture | None = None
    for index in range(count):
        if still is not None and not scene.moves:
            yield still
            continue
        sway = MOVE_PX * np.sin(2 * np.pi * index / FRAMES) if scene.moves else 0.0
        seen = _drawn(scene, float(sway))
        if scene.covered or scene.bands:
            seen *= _lens(scene, index)
        still = _exposed(seen, scene, random)
        yield still


def camera_clip(name: str, folder: Path) -> Path:
    """Write the clip `name` into `folder` unless it is there, and return its path."""
    scene = CAMERAS[name]
    path = folder / f"{name}-{VERSION}.y4m"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    frames = b"".join(frame.tobytes() for frame in camera_frames(name))
    source = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-"]
    # Full range: Chromium stretches the luma of whatever it is given.
    scale = f"scale={WIDTH * scene.shrunk_to // HEIGHT}:{scene.shrunk_to}:out_range=full"
    target = ["-vf", scale, "-pix_fmt", "yuv420p", "-r", str(scene.fps), "-f", "yuv4mpegpipe"]
    _written(path, lambda part: ffmpeg([*source, *target, str(part)], frames))
    return path


def _drawn(scene: Scene, sway: float) -> Light:
    if not scene.signal:
        return np.full((HEIGHT, WIDTH, 3), (120.0, 60.0, 40.0), np.float32)
    room = (_window() if scene.window else _room()).astype(np.float32)
    if not scene.person:
        return room
    if scene.neighbour_x is not None:
        room = _placed(room, scene, scene.neighbour_x, sway)
    return _placed(room, scene, scene.face_x, sway)


def _lens(scene: Scene, index: int) -> Light:
    """Return what is left of each pixel by a cover before the lens, soft at its edge, and by the lamp's bands."""
    across = np.arange(WIDTH)[None, :, None] / WIDTH
    down = np.arange(HEIGHT)[:, None, None] / HEIGHT
    clear = (
        1 / (1 + np.exp(-np.clip((across - scene.covered) / 0.012, -40, 40))) if scene.covered else np.ones((1, 1, 1))
    )
    lamp = 1 - scene.bands * (0.5 + 0.5 * np.sin(2 * np.pi * (3 * down + index * 10 / 3)))
    return np.asarray(clear * lamp ** (1 / 2.2), np.float32)


def _placed(room: Light, scene: Scene, face_x: float, sway: float) -> Light:
    """Put the person into the room, with the face's middle at `face_x` of the width."""
    portrait, mask = _portrait()
    scale = scene.face_share * HEIGHT / _FACE_HEIGHT
    place = np.array(
        [
            [scale, 0.0, face_x * WIDTH + sway - _FACE_X * scale],
            [0.0, scale, scene.eye_y * HEIGHT + sway / 3 - _EYE_Y * scale],
        ]
    )
    size = (WIDTH, HEIGHT)
    picture: Light = cv2.warpAffine(portrait, place, size, flags=cv2.INTER_AREA).astype(np.float32)
    cover = cv2.warpAffine(mask, place, size, flags=cv2.INTER_LINEAR).astype(np.float32)[:, :, None] / np.float32(255)
    if scene.person_gain != 1.0:
        picture *= scene.person_gain
    picture -= room  # in place from here on: this is most of what making a clip takes
    picture *= cover
    picture += room
    end = int(place[1, 2] + 512 * scale)
    if end < HEIGHT:
        picture[end - 12 :] = (60, 90, 125)  # a table hides where the portrait ends
    return picture


def _exposed(lit: Light, scene: Scene, random: np.random.Generator) -> Picture:
    if scene.gain != 1.0:
        lit *= scene.gain
        np.clip(lit, 0, 255, out=lit)
    if scene.blur_px:
        lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), scene.blur_px), np.float32)
    if scene.veil:
        lit = lit * np.float32(1 - scene.veil) + np.float32(200.0 * scene.veil)
    if scene.lamp_luma:
        lit[300:, 500:] = scene.lamp_luma
    lit += random.normal(0.0, scene.noise_sigma, (HEIGHT, WIDTH, 1)).astype(np.float32)
    exposed = np.clip(np.rint(lit, out=lit), 0, 255, out=lit).astype(np.uint8)
    if not scene.quarter_turns:
        return exposed
    return np.asarray(cv2.resize(np.rot90(exposed, scene.quarter_turns), (WIDTH, HEIGHT)), np.uint8)


@functools.cache
def _portrait() -> tuple[Picture, Picture]:
    """Return the portrait and the mask of the person in it, with a soft edge."""
    portrait = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    picture = np.asarray(cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR), np.uint8)
    outline = np.array([*_BODY_LEFT, *_HEAD_LEFT, *_HEAD_RIGHT, *_BODY_RIGHT], np.int32)
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [outline], 255)
    return picture, np.asarray(cv2.GaussianBlur(mask, (0, 0), 2.0), np.uint8)


@functools.cache
def _room() -> Picture:
    """Return a room with a light wall, a door, a picture of a cup, and a darker floor line."""
    across = np.linspace(205, 165, WIDTH)[None, :, None]
    down = np.linspace(1.0, 0.85, HEIGHT)[:, None, None]
    room: Picture = (across * down * np.array([0.90, 0.97, 1.0])).astype(np.uint8)
    cv2.rectangle(room, (20, 90), (140, HEIGHT), (70, 105, 140), -1)
    cv2.rectangle(room, (32, 104), (128, 270), (60, 92, 125), 3)
    cv2.circle(room, (128, 300), 5, (190, 200, 205), -1)
    coffee = skimage.data.coffee()  # type: ignore[no-untyped-call]
    cup = np.asarray(cv2.cvtColor(coffee, cv2.COLOR_RGB2BGR), np.uint8)
    cv2.rectangle(room, (462, 62), (608, 164), (40, 40, 45), -1)
    room[68:158, 468:602] = cv2.resize(cup, (134, 90), interpolation=cv2.INTER_AREA)
    cv2.rectangle(room, (0, 440), (WIDTH, HEIGHT), (55, 70, 90), -1)
    return room


@functools.cache
def _window() -> Picture:
    """Return a wall that is mostly bright window; not quite white, because Chromium stretches the clip's luma."""
    wall = (_room() * 0.35).astype(np.uint8)
    cv2.rectangle(wall, (40, 0), (WIDTH - 40, 400), (217, 216, 213), -1)
    cv2.rectangle(wall, (WIDTH // 2 - 6, 0), (WIDTH // 2 + 6, 400), (120, 125, 130), -1)
    return wall


SENTENCES: Final = {
    "nb": "Jeg leser denne setningen høyt.",
    "en-gb": "I am reading this sentence aloud.",
}
PAUSE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Voice:
    """What the microphone hears: speech, a pause, and white noise under both. Levels in dBFS; None is none of it.

    A third of the noise's power is left at 16 kHz: noise_dbfs reads 4.8 dB lower there.
    """

    speech_dbfs: float | None = -24.0
    noise_dbfs: float | None = -70.0
    language: str = "nb"
    """eSpeak NG voice."""
    pause_s: float = PAUSE_S
    """After the sentence."""
    hum_dbfs: float | None = None
    """Of the mains: 50 Hz and its harmonics."""
    highest_hz: float | None = None
    """A telephone's band ends here."""
    gaps_per_s: float = 0.0
    """Exact zeros of 20 ms, as a loose plug or a bad radio link leaves them."""
    knocks: bool = False
    """Something is heard where there should be speech, but nobody speaks."""


MICROPHONES: Final = {
    "voice_good": Voice(),
    "voice_good_en": Voice(language="en-gb"),
    "silence_zeros": Voice(speech_dbfs=None, noise_dbfs=None),
    "noise_only": Voice(speech_dbfs=None, noise_dbfs=-65.0),
    "quiet": Voice(speech_dbfs=-55.0, noise_dbfs=-82.0),
    "noisy": Voice(noise_dbfs=-36.0),
    "clipped": Voice(speech_dbfs=-4.0, noise_dbfs=-60.0),
    "muted": Voice(speech_dbfs=None, noise_dbfs=-92.0),
    "faint": Voice(speech_dbfs=-43.0, noise_dbfs=-82.0),
    "loud": Voice(speech_dbfs=-9.0, noise_dbfs=-62.0),
    "hum": Voice(hum_dbfs=-45.0),
    "telephone": Voice(highest_hz=3400.0),
    "dropouts": Voice(gaps_per_s=3.0, noise_dbfs=-48.0),
    "knocks": Voice(speech_dbfs=None, noise_dbfs=-62.0, knocks=True),
    "no_pause": Voice(pause_s=0.0),
}
"""Clip name to voice; ``clipped`` asks for more than full scale holds and is cut off there."""


def microphone_sound(name: str) -> Sound:
    """Return one round of the clip `name` at 48 kHz, -1 to 1; the same every time."""
    voice = MICROPHONES[name]
    random = np.random.default_rng(20_261_122)
    speech = _speech(voice.language)
    sound = np.concatenate([speech, np.zeros(int(voice.pause_s * RATE_HZ))])
    sound *= 10 ** (voice.speech_dbfs / 20) if voice.speech_dbfs is not None else 0.0
    if voice.highest_hz is not None:
        sound = _low_pass(sound, voice.highest_hz)
    if voice.noise_dbfs is not None:
        sound += random.standard_normal(len(sound)) * 10 ** (voice.noise_dbfs / 20)
    if voice.hum_dbfs is not None:
        sound += _hum(len(sound)) * 10 ** (voice.hum_dbfs / 20)
    if voice.knocks:
        sound += _knocks(len(sound), random)
    if voice.gaps_per_s:
        for start in random.integers(0, len(sound) - 960, int(voice.gaps_per_s * len(sound) / RATE_HZ)):
            sound[start : start + 960] = 0.0
    return np.asarray(np.clip(sound, -1.0, 32767 / 32768))


def microphone_clip(name: str, folder: Path) -> Path:
    """Write the clip `name` into `folder` unless it is there, and return its path."""
    path = folder / f"{name}-{VERSION}.wav"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        samples = np.rint(microphone_sound(name) * 32768).clip(-32768, 32767).astype("<i2")
        _written(path, lambda part: _wave(part, samples))
    return path


@functools.cache
def _speech(language: str) -> Sound:
    """Return the sentence in `language` at 48 kHz with an active level of 0 dBFS."""
    sound = spoken(SENTENCES[language], language, RATE_HZ, words_per_minute=150)
    loud = np.flatnonzero(np.abs(sound) > 0.003)
    sound = sound[loud[0] : loud[-1] + 1]
    return np.asarray(sound / np.sqrt(active_power(sound, RATE_HZ)))


def _low_pass(sound: Sound, highest_hz: float) -> Sound:
    """Return the sound without anything above `highest_hz`."""
    spectrum = np.fft.rfft(sound)
    spectrum[np.fft.rfftfreq(len(sound), 1 / RATE_HZ) > highest_hz] = 0.0
    return np.asarray(np.fft.irfft(spectrum, len(sound)))


def _hum(count: int) -> Sound:
    """Return mains hum of power 1: 50 Hz and the harmonics that a rectifier makes."""
    times = np.arange(count) / RATE_HZ
    tones = [np.sin(2 * np.pi * hz * times) / part for part, hz in enumerate((50, 100, 150, 200, 250, 300), 1)]
    hum = np.sum(tones, axis=0)
    return np.asarray(hum / np.sqrt(np.mean(hum**2)))


def _knocks(count: int, random: np.random.Generator) -> Sound:
    """Return a door being knocked at and things put on a table: short bursts that die away."""
    sound = np.zeros(count)
    burst = random.standard_normal(4800) * np.exp(-np.arange(4800) / 900) * 0.2
    for start in range(2400, count - 4800, RATE_HZ // 3):
        sound[start : start + 4800] += burst
    return sound


def spoken(text: str, voice: str, rate_hz: int, *, words_per_minute: int) -> Sound:
    """Return `text` as eSpeak NG speaks it, at `rate_hz`, -1 to 1."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "--stdout", text]
    speech = subprocess.run(command, check=True, capture_output=True, timeout=150).stdout
    pcm = ffmpeg(["-f", "wav", "-i", "-", "-f", "s16le", "-ac", "1", "-ar", str(rate_hz), "-"], speech)
    return np.frombuffer(pcm, "<i2").astype(np.float64) / 32768


def _wave(path: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())


def _written(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside `path` and move into place, so that a half-written clip is never taken for a whole one."""
    part = path.with_suffix(f".{os.getpid()}{path.suffix}")
    write(part)
    part.replace(path)


def ffmpeg(arguments: list[str], data: bytes) -> bytes:
    """Run ffmpeg with `data` on its standard input, return its standard output."""
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-threads", "1", *arguments]
    return subprocess.run(command, input=data, check=True, capture_output=True, timeout=120).stdout


def main(arguments: list[str]) -> int:
    """Write every clip into the folder named by the first argument."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tests.data.clips OUTDIR\n")
        return 2
    folder = Path(arguments[0])
    paths = [camera_clip(name, folder) for name in CAMERAS] + [microphone_clip(name, folder) for name in MICROPHONES]
    for path in paths:
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
