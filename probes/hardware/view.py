"""The room's camera through OpenCV: by name, as a file, or over the network. Pictures are dropped after analysis.

The first pictures of a camera are discarded: the exposure has not settled, and a network camera sends its backlog
faster than it films.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from probes.camera import frame_rate_measurement, frozen_measurement
from probes.hardware.scene import PICTURES, look_at, scene_measurements
from probes.light import Luma, frame_light, luma_change
from probes.measurement import Measurement, not_measured
from probes.stills import Still

__all__ = ["Camera", "cameras", "measure_view", "view_measurements"]

WARM_S: Final = 2.0
LOOK_S: Final = 3.0
STILL_MS: Final = 300.0
"""Interval of stills for light and change; the rate is measured with every frame."""
OPEN_MS: Final = 6000
READ_MS: Final = 3000
MOST_FRAMES: Final = 2000
WIDTH_PX, HEIGHT_PX, RATE_FPS = 1280, 720, 30
"""Requested size and rate; the real ones are read back."""
ADDRESS: Final = re.compile(r"(?i)^(rtsps?|https?)://")
FFMPEG_OPTIONS: Final = "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay|analyzeduration;200000|probesize;100000"
"""TCP, because some cameras never answer over UDP; little probing, because it takes seconds."""
VIDEO_CLASS: Final = Path("/sys/class/video4linux")
CHECKS: Final = {
    "camera.present": None,
    "camera.resolution": "px",
    "camera.frame_rate": "fps",
    "camera.frozen": "s",
    "camera.light": "luma",
}
LIGHT: Final = ("luma_mean", "luma_p95", "luma_p99", "luma_std", "frame_clipped_pct")


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera in the system's list."""

    name: str
    place: str | int
    """What OpenCV opens: a device file, or a number that is valid in this process only."""
    backend: int = 0
    """OpenCV's number of the interface; 0 lets it choose."""


def cameras() -> list[Camera]:
    """Return the system's cameras; empty also if they can't be listed."""
    if sys.platform == "linux":
        return _of_linux(VIDEO_CLASS)
    try:
        library = importlib.import_module("cv2_enumerate_cameras")
    except ImportError:
        return []
    return [Camera(str(one.name), int(one.index), int(one.backend)) for one in library.enumerate_cameras()]


def measure_view(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{status, width_px, height_px, capture_ms, stills}`` of the camera ``source`` (empty: the only one).

    ``status`` is present, not_found, ambiguous, in_use, no_frames or failed. Where ``scene`` is asked for, three of the
    pictures are also compared with the fingerprints there (`probes.hardware.scene`), and what that gives is ``scene``.
    """
    source = str(request.get("source") or "")
    scene = request.get("scene")
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", FFMPEG_OPTIONS)
    os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")
    is_file = not ADDRESS.match(source) and Path(source).is_file() and not source.startswith("/dev/")
    if is_file or ADDRESS.match(source):
        seen = _look(_open_stream(source), is_live=not is_file, scene=scene)
        return seen or {"status": "failed" if is_file else "not_found"}
    listed = cameras()
    wanted = source.lower()
    found = [one for one in listed if one.name.lower() == wanted or str(one.place) == source]
    found = found or [one for one in listed if wanted in one.name.lower()]
    if len(found) != 1:
        return {"status": "ambiguous" if found else "not_found"}
    seen = _look(_open_camera(found[0]), is_live=True, scene=scene) or {"status": "failed"}
    if seen["status"] != "present" and _is_held(found[0].place):
        return {"status": "in_use"}
    return seen


def view_measurements(found: Mapping[str, Any]) -> list[Measurement]:
    """Return the measurements from the result of `measure_view`; a cause in ``error`` applies to all of them."""
    status, cause = found.get("status"), found.get("error")
    cause = "in_use" if status == "in_use" else cause
    if cause:
        return [not_measured(check, str(cause), unit) for check, unit in CHECKS.items()]
    if status != "present":
        rest = [not_measured(check, "no_camera", unit) for check, unit in CHECKS.items() if check != "camera.present"]
        return [Measurement("camera.present", str(status), samples=1), *rest]
    stills = [Still.from_json(one) for one in found["stills"]]
    sides = {"width_px": int(found["width_px"]), "height_px": int(found["height_px"])}
    return [
        Measurement("camera.present", "present", samples=1),
        Measurement("camera.resolution", min(sides.values()), "px", samples=1, details=sides),
        frame_rate_measurement(found["capture_ms"]),
        frozen_measurement(stills),
        _light(stills),
        *scene_measurements(found.get("scene")),
    ]


def _light(stills: list[Still]) -> Measurement:
    """Return the light of the picture with the median brightness."""
    lit = sorted((one for one in stills if one.luma_mean is not None), key=lambda one: one.luma_mean or 0.0)
    if not lit:
        return not_measured("camera.light", "too_few_samples", "luma")
    middle = lit[len(lit) // 2]
    details = {name: getattr(middle, name) for name in LIGHT}
    return Measurement("camera.light", middle.luma_mean, "luma", samples=len(lit), details=details)


def _open_stream(source: str) -> Any:
    library = importlib.import_module("cv2")
    limits = [library.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MS, library.CAP_PROP_READ_TIMEOUT_MSEC, READ_MS]
    return library.VideoCapture(source, library.CAP_FFMPEG, limits)  # with any other backend the limits are ignored


def _open_camera(camera: Camera) -> Any:
    library = importlib.import_module("cv2")
    backend = library.CAP_V4L2 if sys.platform == "linux" else camera.backend
    capture = library.VideoCapture(camera.place, backend)
    # In this order: without MJPEG first, a camera on USB 2 gives five large pictures a second.
    capture.set(library.CAP_PROP_FOURCC, library.VideoWriter.fourcc(*"MJPG"))
    capture.set(library.CAP_PROP_FRAME_WIDTH, WIDTH_PX)
    capture.set(library.CAP_PROP_FRAME_HEIGHT, HEIGHT_PX)
    capture.set(library.CAP_PROP_FPS, RATE_FPS)
    return capture


def _look(capture: Any, *, is_live: bool, scene: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Return what the camera gives within `LOOK_S`, or None where it did not open. Closes it."""
    library = importlib.import_module("cv2")
    kept: list[Any] = []
    try:
        if not capture.isOpened():
            return None
        capture_ms: list[float] = []
        stills: list[Still] = []
        before: Luma | None = None
        size = (0, 0)
        for t_ms, picture in _frames(capture, is_live=is_live):
            capture_ms.append(t_ms)
            size = (int(picture.shape[1]), int(picture.shape[0]))
            if stills and t_ms - (stills[-1].t_ms or 0.0) < STILL_MS:
                continue
            luma = np.asarray(library.cvtColor(picture, library.COLOR_BGR2GRAY), np.uint8)
            change = luma_change(before, luma)
            before = luma
            if scene and t_ms >= 1000.0 * LOOK_S * len(kept) / PICTURES:
                kept.append(picture)
            stills.append(Still.from_json({"t_ms": t_ms, "diff_luma": change, **frame_light(luma)}))
    finally:
        capture.release()
    if not capture_ms:
        return {"status": "no_frames"}
    return {
        "status": "present",
        "width_px": size[0],
        "height_px": size[1],
        "capture_ms": capture_ms,
        "stills": [asdict(one) for one in stills],
        "scene": look_at(kept, scene) if scene else None,
    }


def _frames(capture: Any, *, is_live: bool) -> Iterator[tuple[float, Any]]:
    """Yield (ms, picture): by our clock after warming up, or for a file by its own clock from its beginning."""
    library = importlib.import_module("cv2")
    begin = time.monotonic()
    for _ in range(MOST_FRAMES):
        is_there, picture = capture.read()
        now_s = time.monotonic() - begin
        if not is_there or picture is None:
            return
        t_ms = 1000.0 * (now_s - WARM_S) if is_live else float(capture.get(library.CAP_PROP_POS_MSEC))
        if t_ms > 1000.0 * LOOK_S:
            return
        if t_ms >= 0.0:
            yield t_ms, picture


def _of_linux(folder: Path) -> list[Camera]:
    """Return the cameras under `folder`; of a device's files the first gives pictures, the others data."""
    found = []
    for entry in sorted(folder.glob("video*"), key=lambda path: int(re.sub(r"\D", "", path.name) or 0)):
        try:
            name, position = (entry / "name").read_text().strip(), (entry / "index").read_text().strip()
        except OSError:
            continue
        if position == "0":
            found.append(Camera(name, f"/dev/{entry.name}"))
    return found


def _is_held(place: str | int, processes: Path = Path("/proc")) -> bool:
    """Return whether another process has this device file open; False if that can't be told."""
    if not isinstance(place, str):
        return False
    for handle in processes.glob("[0-9]*/fd/*"):
        try:
            if handle.parts[-3] != str(os.getpid()) and handle.readlink() == Path(place):
                return True
        except OSError:
            continue
    return False
