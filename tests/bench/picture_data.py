"""Photographs for the picture benchmark, fetched by name from package registries, and what is done to them.

Nothing is committed: dlib's example faces come from Debian's source package (photographs of PASCAL VOC and Flickr,
shipped in the Boost-licensed project), the group photographs from the npm package ``@vladmandic/face-api`` (MIT), one
from ``insightface`` (MIT), official White House portraits (public domain) from ``face-recognition`` (MIT), and the
astronaut (NASA, public domain) from scikit-image. Counts were checked by eye.
"""

from __future__ import annotations

import functools
import subprocess
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from probes.faces import Face, FaceFinder

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "bench" / "picture"
PHOTOS = CACHE / "photos"
PEOPLE = {
    "2007_007763.jpg": 7, "2008_001009.jpg": 2, "2008_001322.jpg": 3, "2008_002079.jpg": 6, "2008_002470.jpg": 6,
    "2008_002506.jpg": 3, "2008_004176.jpg": 7, "2008_007676.jpg": 7, "2009_004587.jpg": 2,
    "sample1.jpg": 3, "sample2.jpg": 3, "sample3.jpg": 3, "sample4.jpg": 4, "sample5.jpg": 5, "sample6.jpg": 4,
    "t1.jpg": 6, "Tom_Cruise_avp_2014_4.jpg": 1, "astronaut.png": 1, "biden.jpg": 1, "obama.jpg": 1, "obama2.jpg": 1,
    "obama3.jpg": 1,
}  # fmt: skip
"""People in each photograph whose face can be seen, counted by eye."""
PORTRAITS = ("astronaut.png", "Tom_Cruise_avp_2014_4.jpg", "obama.jpg", "biden.jpg", "obama3.jpg")
"""Faces for the framing faults: the largest face of each."""
PAIRS = (
    ("obama.jpg", "biden.jpg"), ("astronaut.png", "obama3.jpg"), ("Tom_Cruise_avp_2014_4.jpg", "obama2.jpg"),
    ("biden.jpg", "astronaut.png"), ("obama2.jpg", "obama3.jpg"), ("astronaut.png", "obama.jpg"),
)  # fmt: skip
"""Single portraits set side by side, to make photographs of two people."""
BEFORE_BRIGHT = (("biden.jpg", 0), ("obama3.jpg", 0), ("sample5.jpg", 1), ("sample5.jpg", 3))
"""Photograph and face before a bright window or a sunlit wall; by eye each face is plainly seen, so nothing is wrong.

Until 2026-11 they were labelled as backlit, because the rule then said so.
"""
QUALITIES = (80, 65, 50, 35, 20)
"""JPEG qualities that the page tries (``web/selftest/js/checks/picture.js``)."""
SHARES = (1, 0.8, 0.64, 0.5)
LOW_QUALITIES = (35, 20)
"""Shares of the long side that it tries where the lowest quality is not enough, and the qualities with them."""
NEAR = (640, 40_000)
ROOM = (1280, 60_000)
"""Long side in px and bytes of the page's stills, of one person and of several."""
LEAST_FACE_PX = 40
"""A smaller face of a photograph is not made the main one of a picture."""

Picture = NDArray[np.uint8]


def fetch() -> None:
    """Download what is not in the cache yet, by name and through the registries' own clients."""
    if all((PHOTOS / name).exists() for name in PEOPLE):
        return
    PHOTOS.mkdir(parents=True, exist_ok=True)
    portrait = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(PHOTOS / "astronaut.png"), portrait)
    parcels = CACHE / "parcels"
    parcels.mkdir(exist_ok=True)
    run_client("npm", "pack", "--silent", "--pack-destination", str(parcels), "@vladmandic/face-api@1.7.15")
    pip = ("python3", "-m", "pip", "download", "-q", "--no-deps", "-d", str(parcels))
    run_client(*pip, "--only-binary", ":all:", "insightface==2.1")
    run_client(*pip, "--no-binary", ":all:", "face-recognition==1.3.0")
    _fetch_dlib(parcels)
    for parcel in parcels.iterdir():
        _unpack(parcel)


def _fetch_dlib(parcels: Path) -> None:
    """Fetch dlib's source from Debian; its source list stays in the cache and leaves the machine's own alone."""
    (parcels / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    source = parcels / "debian.list"
    known = ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Identifier: Packages"]
    lines = subprocess.run(known, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    place = next(line for line in lines if line.endswith(" main") and "security" not in line and "updates" not in line)
    source.write_text(f"deb-src {place}\n", "ascii")
    own = ["-o", f"Dir::Etc::sourcelist={source}", "-o", "Dir::Etc::sourceparts=/dev/null"]
    own += ["-o", f"Dir::State::lists={parcels / 'lists'}", "-o", "Acquire::Languages=none"]
    run_client("apt-get", "-q", *own, "update")
    run_client("apt-get", "-q", *own, "source", "--download-only", "dlib", cwd=parcels)


def _unpack(parcel: Path) -> None:
    if parcel.suffix == ".whl":
        with zipfile.ZipFile(parcel) as wheel:
            for name in wheel.namelist():
                if Path(name).name in PEOPLE:
                    (PHOTOS / Path(name).name).write_bytes(wheel.read(name))
    elif ".tar" in parcel.name or parcel.suffix == ".tgz":
        if "models" in parcel.name or "debian.tar" in parcel.name:
            return
        with tarfile.open(parcel) as tar:
            for member in tar:
                stream = tar.extractfile(member) if Path(member.name).name in PEOPLE else None
                if stream is not None:
                    (PHOTOS / Path(member.name).name).write_bytes(stream.read())


def run_client(*command: str, cwd: Path | None = None) -> None:
    """Run a registry's own client."""
    subprocess.run(command, check=True, timeout=300, cwd=cwd, stdout=subprocess.DEVNULL)


@functools.cache
def finder() -> FaceFinder:
    return FaceFinder()


def new_finder() -> FaceFinder:
    """Return a finder of one's own: loading it is part of a test's cost."""
    return FaceFinder()


@functools.cache
def photo(name: str) -> Picture:
    """Return the photograph with at most 1280 px on its long side."""
    picture = cv2.imread(str(PHOTOS / name))
    scale = min(1.0, 1280 / max(picture.shape[:2]))
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


@functools.cache
def faces_of(name: str) -> list[Face]:
    """Return the faces at the photograph's own size, the largest first."""
    return finder().find(photo(name))[: PEOPLE[name]]


@functools.cache
def mains_of(name: str) -> list[int]:
    """Return the numbers of the faces that are the largest whole one of the picture that `portrait_of` cuts."""
    found = []
    for number, face in enumerate(faces_of(name)):
        if face.height < LEAST_FACE_PX:
            continue
        seen = [one for one in finder().find(portrait_of(name, 100, number)) if one.x > 4 and one.x + one.width < 636]
        if seen and abs(seen[0].x + seen[0].width / 2 - 320) < seen[0].width / 2:
            found.append(number)
    return found


def scaled(picture: Picture, factor: float) -> Picture:
    mode = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=mode), np.uint8)


def group(name: str, face_px: float) -> Picture:
    """Return the photograph with a median face height of `face_px`."""
    median = float(np.median([face.height for face in faces_of(name)]))
    return scaled(photo(name), face_px / median)


def pair(names: tuple[str, str], face_px: float) -> Picture:
    """Return two portraits side by side, each face `face_px` high."""
    parts = [scaled(photo(name), face_px / faces_of(name)[0].height) for name in names]
    height = max(part.shape[0] for part in parts)
    canvas = [on_frame(part, part.shape[1], height) for part in parts]
    return np.hstack(canvas)


def on_frame(picture: Picture, width: int, height: int) -> Picture:
    """Return the picture in the middle of a grey frame of at least this size."""
    rows, columns = picture.shape[:2]
    frame = np.full((max(rows, height), max(columns, width), 3), 96, np.uint8)
    top, left = (frame.shape[0] - rows) // 2, (frame.shape[1] - columns) // 2
    frame[top : top + rows, left : left + columns] = picture
    return frame


def placed(
    name: str, *, height_pct: float, x_pct: float, eye_pct: float, size: tuple[int, int] = (640, 480)
) -> Picture:
    """Return a frame with the portrait's face of this height, its middle and its eye line at these places (percent)."""
    face = faces_of(name)[0]
    width, height = size
    factor = height_pct / 100 * height / face.height
    picture = scaled(photo(name), factor)
    eyes = (face.landmarks[0][1] + face.landmarks[1][1]) / 2
    left = x_pct / 100 * width - (face.x + face.width / 2) * factor
    top = eye_pct / 100 * height - eyes * factor
    move = np.array([[1.0, 0.0, left], [0.0, 1.0, top]])
    return np.asarray(cv2.warpAffine(picture, move, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def still_of(picture: Picture, kind: tuple[int, int] = NEAR) -> Picture:
    """Return the picture as the page sends it: a JPEG that is small enough, of lower quality first, then shrunk too."""
    jpeg = jpeg_of(picture, kind)
    if jpeg is None:
        raise ValueError("no still of this picture is small enough")
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def jpeg_of(picture: Picture, kind: tuple[int, int] = NEAR) -> bytes | None:
    """Return the JPEG that the page sends (`smallStill`), or None where none is small enough."""
    long_side_px, most_bytes = kind
    for share in SHARES:
        factor = min(1.0, share * long_side_px / max(picture.shape[:2]))
        small = scaled(picture, factor) if factor < 1 else picture
        for quality in QUALITIES if share == 1 else LOW_QUALITIES:
            jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
            if len(jpeg) <= most_bytes:
                return jpeg
    return None


def portrait_of(name: str, face_px: float, number: int = 0) -> Picture:
    """Return a 640 x 360 cut around one face of the photograph (the largest is 0), that face `face_px` high."""
    face = faces_of(name)[number]
    eyes = (face.landmarks[0][1] + face.landmarks[1][1]) / 2
    factor = face_px / face.height
    picture = scaled(photo(name), factor)
    move = np.array([[1.0, 0.0, 320 - (face.x + face.width / 2) * factor], [0.0, 1.0, 150 - eyes * factor]])
    return np.asarray(cv2.warpAffine(picture, move, (640, 360), borderMode=cv2.BORDER_REPLICATE), np.uint8)
