"""Photographs that stand for a room's picture, and what happens before a camera: harmless changes, and faults.

The limits of `probes/reference_view.py` were set on five photographs of scikit-image and those of Debian's
mate-backgrounds; the bench measures on the photographs of `picture_data`, none of which was looked at for that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
SIZE = (640, 480)
MARGIN = 0.16
"""Of the photograph on each side: what comes into view as the camera is moved."""


class Scene:
    """One photograph as a place that a camera is pointed at."""

    def __init__(self, photograph: Picture, seed: int) -> None:
        wide, high = round(SIZE[0] / (1 - 2 * MARGIN)), round(SIZE[1] / (1 - 2 * MARGIN))
        scale = max(wide / photograph.shape[1], high / photograph.shape[0])
        whole = cv2.resize(
            photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
        top, left = (whole.shape[0] - high) // 2, (whole.shape[1] - wide) // 2
        self.whole = whole[top : top + high, left : left + wide]
        self.rng = np.random.default_rng(seed)

    def view(self, *, right: float = 0.0, down: float = 0.0, turn_deg: float = 0.0, zoom: float = 1.0) -> Picture:
        """What the camera sees: moved by shares of the picture's width, turned, zoomed."""
        middle = np.array([self.whole.shape[1] / 2 + right * SIZE[0], self.whole.shape[0] / 2 + down * SIZE[0]])
        matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), turn_deg, zoom)
        matrix[:, 2] += np.array(SIZE) / 2 - middle
        return cv2.warpAffine(self.whole, matrix, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    def noisy(self, picture: Picture, sigma: float = 2.0) -> Picture:
        return np.clip(picture + self.rng.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)

    def lit(self, picture: Picture, gain: float, noise: float = 3.0) -> Picture:
        return self.noisy(np.clip(picture * gain, 0, 255), noise)

    def with_people(self, picture: Picture, count: int) -> Picture:
        """People as they sit: head and shoulders, a fifth of the width each, with clothes of some pattern."""
        found = picture.copy()
        for number in range(count):
            middle = int(SIZE[0] * (number + 1) / (count + 1) + self.rng.integers(-40, 40))
            body = np.zeros(SIZE[::-1], np.uint8)
            cv2.ellipse(body, (middle, 480), (62, 170), 0, 0, 360, 255, -1)
            cv2.circle(body, (middle, 280), 36, 255, -1)
            cloth = cv2.resize(self.rng.integers(50, 140, (30, 40, 3), np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
            found[body > 0] = cloth[body > 0]
        return found


def gamma(picture: Picture, power: float) -> Picture:
    return (255 * (picture / 255.0) ** power).astype(np.uint8)


def sun_patch(scene: Scene, picture: Picture) -> Picture:
    patch = np.zeros(SIZE[::-1], np.uint8)
    corner = scene.rng.integers(50, 300)
    cv2.fillConvexPoly(
        patch, np.array([[corner, 200], [corner + 170, 180], [corner + 260, 400], [corner + 60, 430]]), 255
    )
    found = picture.astype(np.float32)
    found[patch > 0] *= 2.2
    return np.clip(found, 0, 255).astype(np.uint8)


def glare(picture: Picture) -> Picture:
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    halo = 255 * np.exp(-(((x - 560) / 130.0) ** 2 + ((y - 120) / 150.0) ** 2))
    return np.clip(picture + halo[..., None], 0, 255).astype(np.uint8)


def jpeg(picture: Picture, quality: int) -> Picture:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def boxed(scene: Scene, picture: Picture) -> Picture:
    """A cardboard box before 60 % of the picture, from one side."""
    found, wide = picture.copy(), int(0.6 * SIZE[0])
    left = 0 if scene.rng.random() < 0.5 else SIZE[0] - wide
    found[:, left : left + wide] = (90, 130, 170)
    cv2.line(found, (left, 200), (left + wide, 210), (60, 90, 120), 5)
    return found


def wall(scene: Scene) -> Picture:
    """Plaster with a gradient and the camera's noise."""
    light = np.linspace(120, 170, SIZE[0])[None, :, None] + np.linspace(-15, 15, SIZE[1])[:, None, None]
    return scene.noisy(light + np.zeros((SIZE[1], SIZE[0], 3)), 2.5)


def cloth(scene: Scene) -> Picture:
    """A cloth or a hand right before the lens: some light, no edges."""
    soft = cv2.resize(scene.rng.integers(20, 90, (3, 4, 3), np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    return scene.noisy(soft, 2.5)


Change = Callable[[Scene], Picture]


def _seen(scene: Scene, change: Callable[[Picture], Picture]) -> Picture:
    return scene.noisy(change(scene.view()))


BENIGN: dict[str, Change] = {
    "again": lambda scene: scene.noisy(scene.view()),
    "a third of the light": lambda scene: scene.lit(scene.view(), 0.35, 4.0),
    "a sixth of the light": lambda scene: scene.lit(scene.view(), 0.16, 2.0),
    "too bright": lambda scene: scene.lit(scene.view(), 1.6),
    "gamma 0.5": partial(_seen, change=partial(gamma, power=0.5)),
    "gamma 2": partial(_seen, change=partial(gamma, power=2.0)),
    "sun on the floor": lambda scene: scene.noisy(sun_patch(scene, scene.view())),
    "sun in a window": partial(_seen, change=glare),
    "one person": lambda scene: scene.noisy(scene.with_people(scene.view(), 1)),
    "three people": lambda scene: scene.noisy(scene.with_people(scene.view(), 3)),
    "vibration": lambda scene: scene.noisy(scene.view(right=4 / 640, down=-3 / 640)),
    "jpeg 30": lambda scene: jpeg(scene.noisy(scene.view()), 30),
    "two people at dusk": lambda scene: scene.lit(scene.with_people(scene.view(), 2), 0.3, 3.0),
}
FAULTS: dict[str, tuple[str, Change]] = {
    "shift 11 %": ("moved", lambda scene: scene.noisy(scene.view(right=0.11))),
    "shift 11 % up": ("moved", lambda scene: scene.noisy(scene.view(down=-0.11))),
    "shift 15 % at dusk": ("moved", lambda scene: scene.lit(scene.view(right=-0.15), 0.3, 3.0)),
    "turned 8 degrees": ("moved", lambda scene: scene.noisy(scene.view(turn_deg=8.0))),
    "zoomed 1.25": ("moved", lambda scene: scene.noisy(scene.view(zoom=1.25))),
    "to the wall": ("covered", wall),
    "cloth": ("covered", cloth),
    "box before 60 %": ("covered", lambda scene: scene.noisy(boxed(scene, scene.view()))),
    "lights off": ("lights_off", lambda scene: scene.lit(scene.view(), 0.03, 1.5)),
    "out of focus": ("defocused", lambda scene: scene.noisy(cv2.GaussianBlur(scene.view(), (0, 0), 8.0))),
}
"""What it is called, and the state that has to come of it."""
