"""Faces: a real face is found where it is, and the vendored weights are the ones that were reviewed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

import probes.faces
from probes.faces import FaceFinder

MODELS = Path(probes.faces.__file__).with_name("models")


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    picture = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8)


def test_the_models_are_the_ones_that_were_reviewed() -> None:
    """Every weight file has its hash in SHA256SUMS and the hash holds."""
    lines = (MODELS / "SHA256SUMS").read_text("ascii").splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in MODELS.glob("*.onnx")}
    assert found == sums


def test_each_model_has_its_licence_beside_it() -> None:
    """The MIT notices travel with the weights."""
    texts = "".join(path.read_text("utf-8") for path in (MODELS / "LICENSES").iterdir())
    assert "2020 Shiqi Yu" in texts
    assert "2020-present Silero Team" in texts
    assert "2020 Martin Drawitsch" in texts
    assert texts.count("Permission is hereby granted, free of charge") == 3


def test_a_real_face_is_found_where_it_is(finder: FaceFinder, portrait: NDArray[np.uint8]) -> None:
    """One face in NASA's portrait, at the place a person would draw the box, eyes inside its upper half."""
    (face,) = finder.find(portrait)
    assert face.x + face.width / 2 == pytest.approx(223, abs=5)
    assert face.y == pytest.approx(63, abs=8)
    assert face.height == pytest.approx(113, abs=10)
    assert face.score > 0.9
    (left_x, left_y), (right_x, right_y) = face.landmarks[:2]
    assert face.x < left_x < right_x < face.x + face.width
    assert face.y < left_y < face.y + face.height / 2 > right_y


def test_the_open_shaped_copy_sees_what_opencv_sees(finder: FaceFinder, portrait: NDArray[np.uint8]) -> None:
    """Our copy of the model and our own decoding agree with OpenCV's detector on the published file."""
    published = str(MODELS / "face_detection_yunet_2023mar.onnx")
    reference = cv2.FaceDetectorYN.create(published, "", (portrait.shape[1], portrait.shape[0]), 0.7, 0.3, 5000)
    row = reference.detect(portrait)[1][0]
    (face,) = finder.find(portrait)
    marks = [number for point in face.landmarks for number in point]
    assert [face.x, face.y, face.width, face.height, *marks, face.score] == pytest.approx(list(row), abs=0.05)


def test_any_size_is_taken_and_the_place_follows(finder: FaceFinder, portrait: NDArray[np.uint8]) -> None:
    """A picture whose sides are no multiple of 32 is padded, and the padding moves nothing."""
    cut = np.ascontiguousarray(portrait[7:400, 11:445])
    (whole,), (part,) = finder.find(portrait), finder.find(cut)
    assert (part.x + 11, part.y + 7) == pytest.approx((whole.x, whole.y), abs=4)


def test_two_people_are_two_faces_and_the_larger_is_first(finder: FaceFinder, portrait: NDArray[np.uint8]) -> None:
    """A second, smaller portrait beside the first is counted and comes second."""
    small = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    both = np.zeros((512, 768, 3), np.uint8)
    both[:, :512] = portrait
    both[:256, 512:] = small
    faces = finder.find(both)
    assert len(faces) == 2
    assert faces[0].height > 1.5 * faces[1].height


@pytest.mark.parametrize("name", ["coffee", "brick", "grass", "rocket", "page", "coins"])
def test_no_face_in_pictures_without_people(finder: FaceFinder, name: str) -> None:
    """Cups, walls and coins are nobody."""
    picture = np.asarray(getattr(skimage.data, name)(), np.uint8)
    bgr = np.stack([picture] * 3, axis=2) if picture.ndim == 2 else picture[:, :, ::-1]
    assert finder.find(np.ascontiguousarray(bgr)) == []


@settings(max_examples=15, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3))))
def test_any_picture_gives_a_list(picture: NDArray[np.uint8]) -> None:
    """Noise of any size neither raises nor crashes."""
    assert isinstance(FINDER.find(picture), list)


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 4), (0, 10, 3)])
def test_what_is_no_picture_is_refused(finder: FaceFinder, shape: tuple[int, ...]) -> None:
    """Grey, transparent and empty arrays raise ValueError."""
    with pytest.raises(ValueError, match="height x width x 3"):
        finder.find(np.zeros(shape, np.uint8))


FINDER = FaceFinder()
