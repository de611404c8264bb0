"""What the room's camera sees, against what it should: fingerprints of the empty room in one file on the room's PC.

Somebody at the room has the first one taken, when nobody is in the picture; for a week after that the checks
themselves add the room's other states of light, and nothing is said yet. The file is its account's alone.
"""

from __future__ import annotations

import importlib
import io
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from probes.faces import Face, FaceFinder
from probes.measurement import Measurement, not_measured
from probes.reference_view import COARSE, Fingerprint, Look, Picture, agreed, best_look, coarse_of, fingerprint
from probes.seats import Seat, read_seats, seat_of_face
from probes.sunlight import KEPT, expected_sun

__all__ = ["LEARNING_S", "LIGHT_FILE", "PICTURES", "is_somebody_seen", "look_at", "scene_measurements"]

PICTURES: Final = 3
"""Looked at each time; two of them must agree."""
LIGHT_FILE: Final = "light.npz"
"""Beside the fingerprints: coarse pictures of 16 x 12 parts by moment, for the hours at which windows blind."""
LEARNING_S: Final = 7 * 86_400.0
MOST_STATES: Final = 4
"""Of light: day, lamps, both, dusk."""
OTHER_LIGHT: Final = 1.5
"""So much brighter or darker than all that is known is another state of light."""
SURE_PCT: Final = 50.0
"""A picture teaches another state of light only where so much of the room was found in its place."""
MOVES: Final = 2.0
MOVES_LUMA: Final = 1.0
"""A face that changes more than this many times what the picture does, and this much besides, is somebody's own."""
LEAST_WITH_FACES: Final = 2
"""Of three pictures: a pattern of light may be taken for a face once."""


def look_at(pictures: Sequence[Picture], scene: Mapping[str, Any]) -> dict[str, Any]:
    """Return what three pictures show: ``{faces, state, shift_pct, seen_pct, lost_seats, sun, is_learning, taken}``.

    `scene` has ``path`` (of the fingerprints), ``people`` (whether to look for faces), ``seats`` (of the reference),
    ``meetings`` (when some begin, s since 1970) and ``take`` (whether to begin anew with these pictures). ``taken`` is
    True, or why nothing was kept: people, plain, failed. With ``find`` it is only ``seats``: where faces are now.
    """
    if scene.get("find"):
        return {"seats": _seats(pictures)}
    faces = _with_faces(pictures) if scene.get("people") or scene.get("take") else None
    found: dict[str, Any] = {"faces": faces, "state": None, "taken": None}
    path = Path(str(scene["path"])) if scene.get("path") else None
    if path is None or not pictures:
        return found
    if scene.get("take"):
        return found | {"taken": _take(path, pictures, faces or 0)}
    known, began_s = _read(path)
    if not known:
        return found
    seats = read_seats(scene.get("seats"))
    look = agreed(best_look(picture, known, seats) for picture in pictures)
    is_learning = not time.time() - began_s >= 0 or time.time() - began_s < LEARNING_S
    if is_learning and look is not None and not faces:
        _learn(path, known, began_s, pictures[len(pictures) // 2], look)
    names = ("state", "shift_pct", "seen_pct", "lost_seats")
    told = {name: getattr(look, name) for name in names} if look else {}
    is_same = look is not None and look.state == "same" and not faces
    sun = _sun(path.with_name(LIGHT_FILE), pictures[len(pictures) // 2] if is_same else None, scene)
    return found | {"state": "differing"} | told | {"is_learning": is_learning, "sun": sun}


def scene_measurements(scene: Mapping[str, Any] | None) -> list[Measurement]:
    """Return ``camera.view`` and ``camera.sun``; nothing where there is no fingerprint, or too few days of light.

    While the room is still being learnt the view is not told.
    """
    if not scene or not scene.get("state"):
        return []
    return [*_view(scene), *_sun_measured(scene.get("sun"))]


def _view(scene: Mapping[str, Any]) -> list[Measurement]:
    if scene.get("is_learning"):
        return []
    state = str(scene["state"])
    if state in {"differing", "black"}:
        return [not_measured("camera.view", "too_dark" if state == "black" else "no_agreement")]
    details = {name: scene.get(name) for name in ("shift_pct", "seen_pct")}
    lost = int(scene.get("lost_seats") or 0)
    return [Measurement("camera.view", state, samples=PICTURES, details=details | {"lost_seats": lost})]


def _sun_measured(sun: Mapping[str, Any] | None) -> list[Measurement]:
    """Return on which share of the days a window blinded the camera at a coming meeting's hour, percent."""
    if not sun:
        return []
    share = 100.0 * sun["days"] / sun["of_days"]
    return [Measurement("camera.sun", share, "pct", samples=int(sun["of_days"]), details=dict(sun))]


def is_somebody_seen(scene: Mapping[str, Any] | None) -> bool:
    """Whether somebody is in the picture."""
    return bool(scene) and (scene or {}).get("faces") is not None and int((scene or {})["faces"]) >= LEAST_WITH_FACES


def _with_faces(pictures: Sequence[Picture]) -> int:
    """Return in how many pictures there is a face that lives: one on a poster changes no more than the wall."""
    finder = FaceFinder()
    others = [*pictures[1:], *pictures[:1]]
    return sum(
        any(_lives(face, picture, other) for face in finder.find(picture))
        for picture, other in zip(pictures, others, strict=True)
    )


def _seats(pictures: Sequence[Picture]) -> list[Seat]:
    """Return where the people of the picture with most faces sit."""
    finder = FaceFinder()
    most: list[Seat] = []
    for picture in pictures:
        high, wide = picture.shape[:2]
        seats = [seat_of_face(one.x / wide, one.y / high, one.width / wide, one.height / high)
                 for one in finder.find(picture)]  # fmt: skip
        most = max(most, seats, key=len)
    return most


def _sun(path: Path, picture: Picture | None, scene: Mapping[str, Any]) -> dict[str, Any] | None:
    """Keep how bright this picture's parts are, if it shows the room, and return what meetings have to expect."""
    taken_s, grids = _read_light(path)
    now_s = time.time()
    if picture is not None:
        taken_s = np.append(taken_s, now_s)[-KEPT:]
        grids = np.concatenate([grids, coarse_of(picture)[None]])[-KEPT:]
        try:
            _save(path, {"taken_s": taken_s, "grids": grids})
        except OSError:
            return None  # the disk is told of by the machine's own check
    meetings = [float(one) for one in scene.get("meetings") or []]
    sun = expected_sun(taken_s, grids, [one for one in meetings if one >= now_s])
    return asdict(sun) if sun else None


def _read_light(path: Path) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            taken_s, grids = np.asarray(stored["taken_s"], np.float64), np.asarray(stored["grids"], np.uint8)
        if grids.shape == (len(taken_s), *COARSE[::-1]):
            return taken_s, grids
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        pass
    return np.zeros(0), np.zeros((0, *COARSE[::-1]), np.uint8)


def _lives(face: Face, picture: Picture, other: Picture) -> bool:
    if picture.shape != other.shape:
        return True
    left, top = max(0, int(face.x)), max(0, int(face.y))
    here = np.s_[top : max(top + 1, int(face.y + face.height)), left : max(left + 1, int(face.x + face.width))]
    change = np.abs(_soft(picture) - _soft(other))
    return float(change[here].mean()) > MOVES * float(np.median(change)) + MOVES_LUMA


def _soft(picture: Picture) -> NDArray[np.float32]:
    """Return brightness without the noise of single pixels."""
    library = importlib.import_module("cv2")
    gray = library.cvtColor(picture, library.COLOR_BGR2GRAY).astype(np.float32)
    return np.asarray(library.GaussianBlur(gray, (0, 0), 2.0), np.float32)


def _take(path: Path, pictures: Sequence[Picture], faces: int) -> bool | str:
    if faces:
        return "people"
    kept = fingerprint(pictures[len(pictures) // 2])
    if kept is None:
        return "plain"
    looks = [best_look(picture, [kept]) for picture in pictures]
    if any(look.state != "same" for look in looks):
        return "people"
    try:
        _write(path, [kept], time.time())
        path.with_name(LIGHT_FILE).unlink(missing_ok=True)  # its windows stand elsewhere now
    except OSError:
        return "failed"
    return True


def _learn(path: Path, known: list[Fingerprint], began_s: float, picture: Picture, look: Look) -> None:
    """Add another state of light, where the room is plainly the same."""
    if look.state != "same" or (look.seen_pct or 0.0) < SURE_PCT or len(known) >= MOST_STATES:
        return
    new = fingerprint(picture)
    if new is None or any(1 / OTHER_LIGHT < new.mean / max(1.0, one.mean) < OTHER_LIGHT for one in known):
        return
    try:
        _write(path, [*known, new], began_s)
    except OSError:
        return


def _read(path: Path) -> tuple[list[Fingerprint], float]:
    """Return the fingerprints and when the first was taken; none where the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            count, began_s = int(stored["count"]), float(stored["began_s"])
            arrays = [{name: stored[f"{name}{at}"] for name in NAMES} for at in range(count)]
        return [Fingerprint.from_arrays(one) for one in arrays], began_s
    except (OSError, ValueError, KeyError, EOFError):
        return [], 0.0


def _write(path: Path, kept: Sequence[Fingerprint], began_s: float) -> None:
    """Write the fingerprints. Raises OSError."""
    arrays = {f"{name}{at}": array for at, one in enumerate(kept) for name, array in one.to_arrays().items()}
    _save(path, {"count": np.array(len(kept)), "began_s": np.array(began_s), **arrays})


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write beside and rename: the account's alone, whole after a power cut. Raises OSError."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(path.name + ".tmp")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content.getvalue())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


NAMES: Final = ("places", "descriptors", "coarse", "figures")
