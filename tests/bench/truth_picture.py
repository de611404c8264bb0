"""Right on strangers, picture: who is wrongly stopped or warned, and which faults are found, by skin, wall and window.

Material and its making: `strangers`. Limits of light were set on the tuning half (``python -m tests.bench.truth_picture
tune``), and the figures are those of the other. What counts is what the person meets: a required check that fails is
"not ready", and light counts as warned by any advice about light. Each still goes the page's way (JPEG, size), and
the surer detector looks again where the product would ask it to.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from probes.camera import picture_measurements
from probes.faces import Face
from reports.model import CheckResult, Level, Outcome
from reports.verdict import judge
from tests.bench import picture_data as data
from tests.bench import strangers
from tests.bench.figures import Figure, rate
from tests.bench.picture import BACKLIT, DARK, OVER, PROFILE, numbers_of
from tests.bench.picture_data import Picture
from tests.bench.strangers import Mask, Person

CHECKS = ("camera.light", "camera.backlight", "camera.people", "camera.framing")
LIGHT = DARK | OVER | BACKLIT | {"camera.haze"}
SKINS = ("light", "medium", "dark")
FACE_PCT = 32.0
"""Height of the face in the frames of 640 x 360, percent."""
CLOSE_PCT = (46.0, 51.0, 56.0)
"""Heights of faces at laptops, where nothing is lost."""
TILTS = (20, 30, 45, 60, 90)
SKIN_STOPS = (1.5, 2.2)
"""How much less dark skin (Monk 7-10) reflects than light skin: 1.5 to 2.5 stops."""
Random = np.random.Generator


@dataclass
class Seen:
    """What one made or real picture came to."""

    person: Person
    kind: str
    failed: bool
    codes: frozenset[str] = field(default_factory=frozenset)

    @property
    def lit_wrongly(self) -> bool:
        """Whether anything about light was told; of made pictures not haze, since many lose their dark clothes."""
        return bool(self.codes & (LIGHT if self.kind.startswith("usable") else LIGHT - {"camera.haze"}))


def results_of(picture: Picture) -> Mapping[str, CheckResult]:
    """Return the judged checks of the picture, as its still is sent and looked at."""
    numbers = numbers_of(data.still_of(picture))
    measured = {found.check: found for found in picture_measurements([numbers] * 3)}
    judged = judge({name: measured[name] for name in CHECKS}, PROFILE)
    return {check.id: check for check in judged.checks if check.id in CHECKS}


def seen(person: Person, kind: str, picture: Picture) -> Seen:
    """Judge one picture."""
    results = results_of(picture).values()
    failed = any(one.outcome is Outcome.FAIL and one.level is Level.REQUIRED for one in results)
    told = {str(one.advice) for one in results if one.outcome in {Outcome.FAIL, Outcome.WARN}}
    return Seen(person, kind, failed, frozenset(told))


def chosen(half: str, quick: bool) -> list[Person]:
    """Return the people of one half; `quick` takes every third of those with light skin."""
    found = [person for person in strangers.people() if person.half == half]
    light = [person for person in found if person.skin == "light"]
    kept = set(light[::3] if quick else light)
    return [person for person in found if person.skin != "light" or person in kept]


async def run(*, quick: bool, half: str = "report") -> list[Figure]:
    """Return every figure of one half."""
    strangers.fetch()
    found: list[Seen] = []
    for number, person in enumerate(chosen(half, quick)):
        found += _pictures(person, np.random.default_rng(number))
    for person in strangers.more_people():
        if person.half == half:
            found += [seen(person, "usable cut", strangers.cut(person, FACE_PCT))]
            found += [seen(person, "usable whole", strangers.photo(person.name))]
    rows = Rows(found)
    return [*usable(rows), *windows(rows), *worn_and_tilted(rows), *framing(rows), *groups(quick)]


class Rows:
    """All that was seen, to be asked by kind."""

    def __init__(self, rows: list[Seen]) -> None:
        self._rows = rows

    def of(self, *kinds: str, skin: str | None = None) -> list[Seen]:
        """Return the rows whose kind begins with one of `kinds`, of one skin or all."""
        return [row for row in self._rows if row.kind.startswith(kinds) and skin in {None, row.person.skin}]


def _pictures(person: Person, random: Random) -> Iterator[Seen]:
    """Make and judge every picture of one person."""
    wide = strangers.cut(person, FACE_PCT)
    face = strangers.main_face(wide)
    if face is None:
        yield seen(person, "usable cut", wide)
        return
    inside = strangers.outline(wide, face)
    yield seen(person, "usable cut", wide)
    if person.name not in data.PEOPLE:
        yield seen(person, "usable whole", strangers.photo(person.name))
    yield from _before_things(person, wide, inside, random)
    if person.skin == "light":
        yield from _darker(person, wide, face, inside, random)
    yield from _worn(person, wide, face, inside, random)
    for degrees in TILTS:
        turned = strangers.tilted(wide, face, degrees if person.face % 2 else -degrees)
        yield seen(person, f"tilt {degrees}", turned)
    yield from _at_laptops(person, wide, face)
    yield seen(person, "too close", strangers.cut(person, 68, (640, 480)))
    tall = strangers.cut(person, 48, (360, 640))
    close = strangers.main_face(tall)
    if close is not None:
        outline = strangers.outline(tall, close)
        yield seen(person, "usable tall", tall)
        for stops in (2, 3, 4):
            yield seen(person, f"tall window {stops}", strangers.before_window(tall, outline, stops, random))


def _at_laptops(person: Person, wide: Picture, face: Face) -> Iterator[Seen]:
    """The face as high as named by the box of the wide cut: that of the photograph at full size may be another."""
    measured_pct = 100 * face.height / wide.shape[0]
    for height in CLOSE_PCT:
        yield seen(person, "laptop", strangers.cut(person, height * FACE_PCT / measured_pct, (640, 480)))


def _before_things(person: Person, wide: Picture, inside: Mask, random: Random) -> Iterator[Seen]:
    for luma in (170, 215, 240, 255):
        yield seen(person, f"wall {luma}", strangers.before_wall(wide, inside, luma, random))
    for stops in range(5):
        yield seen(person, f"window {stops}", strangers.before_window(wide, inside, stops, random))
    bright = strangers.exposed(strangers.light_of(wide) * np.float32(_burning(wide)), random)
    yield seen(person, "burnt", bright)


def _burning(picture: Picture) -> float:
    """Return how many times more light brings the skin's middle to luma 252."""
    face = strangers.main_face(picture)
    measured = strangers.skin_luma(picture, face) if face else 128.0
    return float((252 / measured) ** strangers.GAMMA)


def _darker(person: Person, wide: Picture, face: Face, inside: Mask, random: Random) -> Iterator[Seen]:
    for stops in SKIN_STOPS:
        dark = strangers.with_skin(wide, face, stops)
        yield seen(person, f"made dark {stops}, own place", dark)
        yield seen(person, f"made dark {stops}, exposed again", strangers.exposed_again(dark, wide))
        for luma in (190, 225):
            yield seen(person, f"made dark {stops}, wall {luma}", strangers.before_wall(dark, inside, luma, random))


def _worn(person: Person, wide: Picture, face: Face, inside: Mask, random: Random) -> Iterator[Seen]:
    for name, colour in (("dark", (40, 32, 30)), ("light", (215, 200, 160))):
        cloth = strangers.masked(wide, face, colour)
        yield seen(person, f"mask {name}", cloth)
        yield seen(person, f"mask {name}, wall", strangers.before_wall(cloth, inside, 215, random))


# --- figures


def usable(rows: Rows) -> Iterator[Figure]:
    """Who is stopped or warned where nothing is wrong."""
    real = ("usable",)
    yield rate("usable picture not ready", (one.failed for one in rows.of(*real)), at_most=0.5)
    for skin in SKINS:
        yield rate(f"usable picture not ready, {skin}", (one.failed for one in rows.of(*real, skin=skin)), at_most=2)
    yield rate("light warned, light fine", (one.lit_wrongly for one in rows.of(*real)), at_most=2)
    for skin in SKINS:
        found = rows.of(*real, skin=skin)
        yield rate(f"light warned, light fine, {skin}", (one.lit_wrongly for one in found), at_most=5)
    for skin in SKINS:
        found = rows.of("wall", skin=skin)
        yield rate(f"before a bright wall: not ready, {skin}", (one.failed for one in found), at_most=2)
        yield rate(f"before a bright wall: light warned, {skin}", (one.lit_wrongly for one in found), at_most=5)
    for stops in SKIN_STOPS:
        places = {"own place": "own place", "exposed again": "own place, exposed again", "wall": "bright wall"}
        for kind, place in places.items():
            found = rows.of(f"made dark {stops}, {kind}")
            name = f"skin darker by {stops} stops, {place}"
            yield rate(f"{name}: not ready", (one.failed for one in found), at_most=2)
            yield rate(f"{name}: light warned", (one.lit_wrongly for one in found), at_most=5)


def windows(rows: Rows) -> Iterator[Figure]:
    """Backlight, from a face that is well exposed to one four stops under."""
    fine = rows.of("window 0")
    yield rate("window, face well exposed: not ready", (one.failed for one in fine), at_most=0.5)
    yield rate("window, face well exposed: light warned", (one.lit_wrongly for one in fine))
    yield rate("window, face 1 stop under: not ready", (one.failed for one in rows.of("window 1")))
    for stops, bar in ((2, 90), (3, 97), (4, 97)):
        for name in ("window", "tall window"):
            found = rows.of(f"{name} {stops}")
            label = f"{name}, face {stops} stops under: found"
            yield rate(label, (bool(one.codes & (BACKLIT | DARK | {"camera.nobody"})) for one in found), at_least=bar)
    yield rate("burnt face found", (bool(one.codes & (OVER | BACKLIT)) for one in rows.of("burnt")), at_least=95)


def worn_and_tilted(rows: Rows) -> Iterator[Figure]:
    """Masks and heads on the side, and cameras."""
    for name in ("dark", "light"):
        found = rows.of(f"mask {name}")
        yield rate(f"{name} cloth mask called backlit", (bool(one.codes & BACKLIT) for one in found), at_most=0)
        yield rate(f"{name} cloth mask: nobody seen", ("camera.nobody" in one.codes for one in found))
    for degrees in TILTS:
        found = rows.of(f"tilt {degrees}")
        yield rate(f"head tilted {degrees} degrees: not ready", (one.failed for one in found), at_most=0)
        yield rate(f"head tilted {degrees} degrees: turned named", ("camera.rotated" in one.codes for one in found))


def framing(rows: Rows) -> Iterator[Figure]:
    """Laptops. No bar for them: only a box over 60 % is told by the rule, and boxes of large faces come out larger."""
    near = rows.of("laptop")
    yield rate("too close at a laptop, 46-56 %", ("camera.too_close" in one.codes for one in near))
    close = rows.of("too close")
    named = {"camera.too_close", "camera.head_cut", "camera.chin_cut"}
    yield rate("too close at 68 %: named", (bool(one.codes & named) for one in close), at_least=95)


def groups(quick: bool) -> Iterator[Figure]:
    """Whether a still of several people is sent at all, with a webcam's noise; by cv2's encoder."""
    random = np.random.default_rng(5)
    sent = []
    for name, count in list(data.PEOPLE.items())[:: 2 if quick else 1]:
        if count > 1:
            picture = data.photo(name)
            for size in ((1280, 720), (1280, 1090), (853, 1280)):
                frames = [_filled(picture, size, sigma, random) for sigma in (0, 6, 12)]
                sent += [data.jpeg_of(frame, data.ROOM) is not None for frame in frames]
    yield rate("still of several people is sent", sent, at_least=100)


def _filled(picture: Picture, size: tuple[int, int], sigma: float, random: Random) -> Picture:
    """Return the photograph enlarged to fill a frame of this size, with noise."""
    factor = max(size[0] / picture.shape[1], size[1] / picture.shape[0])
    frame = data.scaled(picture, factor + 1e-3)[: size[1], : size[0]]
    return np.asarray(np.clip(frame + random.normal(0, sigma, frame.shape), 0, 255), np.uint8)


if __name__ == "__main__":
    from tests.bench.figures import table

    part = "tune" if "tune" in sys.argv else "report"
    print(table(f"truth, picture, {part}", asyncio.run(run(quick="quick" in sys.argv, half=part))))
