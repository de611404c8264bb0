"""Face detection: YuNet (MIT, `models/README.md`) in onnxruntime, on the picture at its own size.

Finds where faces are, never whose. Uses score 0.7 and no downscaling, which would lose small faces in pictures of
rooms.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_CANDIDATES", "MODEL", "Face", "FaceFinder", "Picture", "face_of", "without_overlaps"]

MODEL: Final = Path(__file__).with_name("models") / "face_detection_yunet_2023mar_dynamic.onnx"
"""YuNet 2023mar with open height and width; `models/README.md` tells how it was made."""

MIN_SCORE: Final = 0.7
"""Least score of a face: 3 false boxes on 71 face-free pictures, where 0.6 gave 9."""
MAX_OVERLAP: Final = 0.3
"""Largest intersection over union of two faces; of a closer pair the better one is kept (YuNet's default)."""
STRIDES: Final = (8, 16, 32)
"""Cell sizes of YuNet's three output grids, in px; the picture is padded to a multiple of the last."""
MAX_CANDIDATES: Final = 500
"""Most boxes considered per picture, so that a hostile pattern cannot make the suppression slow."""

Picture = NDArray[np.uint8]
_Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Face:
    """One face in px of the picture; x to the right and y down from the upper left corner."""

    x: float
    y: float
    width: float
    height: float
    score: float
    """0 to 1, at least `MIN_SCORE`."""
    landmarks: tuple[tuple[float, float], ...]
    """Five points: the eyes at the left and right of the picture, the nose tip, the left and right mouth corners.

    Good for the position of the eyes; useless for tilt, which YuNet underestimates by 50 to 95 %.
    """


class FaceFinder:
    """Holds one model session, which takes 50 ms to create; a picture takes 11 ms. Not for use from two threads."""

    def __init__(self, threads: int = 1) -> None:
        import onnxruntime  # noqa: PLC0415 - lazy: never to be loaded by the web process

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def find(self, bgr: Picture) -> list[Face]:
        """Return the faces of a BGR picture, the largest first. Raises ValueError unless it is height x width x 3."""
        if bgr.shape[2:] != (3,) or 0 in bgr.shape:
            raise ValueError("picture must be height x width x 3")
        padded = _padded(bgr)
        found: list[Any] = self._session.run(self._outputs, {"input": padded})
        grids = dict(zip(self._outputs, found, strict=True))
        columns = padded.shape[3]
        rows = np.concatenate([_candidates(grids, stride, columns // stride) for stride in STRIDES])
        faces = [face_of(row) for row in without_overlaps(rows)]
        return sorted(faces, key=lambda face: face.width * face.height, reverse=True)


def _padded(bgr: Picture) -> _Numbers:
    """Return the picture as 1 x 3 x H x W floats, padded with black to a multiple of the largest stride."""
    height, width = bgr.shape[:2]
    step = STRIDES[-1]
    shape = (1, 3, -(-height // step) * step, -(-width // step) * step)
    padded = np.zeros(shape, np.float32)
    padded[0, :, :height, :width] = bgr.transpose(2, 0, 1)
    return padded


def _candidates(grids: dict[str, Any], stride: int, columns: int) -> _Numbers:
    """Return rows of x, y, width, height, score and ten landmark numbers, in px, for cells with a face.

    A cell's score is the geometric mean of its class and object outputs; offsets count from the cell in strides.
    """
    scores = np.sqrt(np.clip(grids[f"cls_{stride}"][0, :, 0], 0, 1) * np.clip(grids[f"obj_{stride}"][0, :, 0], 0, 1))
    cells = np.flatnonzero(scores >= MIN_SCORE)
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    boxes = grids[f"bbox_{stride}"][0][cells]
    points = grids[f"kps_{stride}"][0][cells]
    sizes = np.exp(np.clip(boxes[:, 2:4], -10, 10)) * stride
    centres = (corner + boxes[:, 0:2]) * stride
    marks = (points + np.tile(corner, 5)) * stride
    rows = np.concatenate([centres - sizes / 2, sizes, scores[cells, None], marks], axis=1)
    return np.asarray(rows, dtype=np.float32)


def without_overlaps(rows: _Numbers) -> list[_Numbers]:
    """Return the best rows so that no two boxes overlap more than `MAX_OVERLAP` (greedy non-maximum suppression)."""
    left = rows[np.argsort(-rows[:, 4], kind="stable")][:MAX_CANDIDATES]
    kept: list[_Numbers] = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[_overlap(best, left) <= MAX_OVERLAP]
    return kept


def _overlap(one: _Numbers, others: _Numbers) -> _Numbers:
    corner = np.maximum(one[0:2], others[:, 0:2])
    opposite = np.minimum(one[0:2] + one[2:4], others[:, 0:2] + others[:, 2:4])
    shared = np.prod(np.clip(opposite - corner, 0, None), axis=1)
    union = one[2] * one[3] + others[:, 2] * others[:, 3] - shared
    return np.asarray(shared / np.maximum(union, 1e-6), dtype=np.float32)


def face_of(row: _Numbers) -> Face:
    """Return the face of a row of x, y, width, height, score and ten landmark numbers."""
    x, y, width, height, score, *marks = (float(number) for number in row)
    return Face(x, y, width, height, score, tuple(zip(marks[0::2], marks[1::2], strict=True)))
