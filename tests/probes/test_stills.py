"""A still's figures: the same after their way through JSON, and only numbers."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.stills import FaceFigures, Still
from tests.probes.test_camera import a_face, a_still


def test_a_still_comes_back_as_it_went() -> None:
    """From the media worker to the web process, with its faces and the covered side."""
    still = a_still(500, faces=[a_face(), a_face(x_pct=5.0)], covered_side="left")
    assert Still.from_json(json.loads(json.dumps(still.to_json()))) == still
    assert FaceFigures.from_json(json.loads(json.dumps(a_face().to_json()))) == a_face()


@given(
    st.dictionaries(
        st.sampled_from([field.name for field in fields(Still)]),
        st.none() | st.booleans() | st.text(max_size=3) | st.floats() | st.lists(st.none() | st.integers()),
    )
)
def test_what_is_no_number_is_unknown(data: dict[str, Any]) -> None:
    """Whatever stands in the place of a figure, a still has finite numbers, None, a side and faces."""
    still = Still.from_json(data)
    assert still.faces == ()
    assert isinstance(still.covered_side, str)
    for name, value in still.to_json().items():
        if name not in {"covered_side", "faces"}:
            assert value is None or (isinstance(value, float) and abs(value) <= 1e300)


def test_the_faces_that_matter() -> None:
    """The largest whole one, or as many of the largest as people are expected; without any there is none."""
    cut, small, large = a_face(side_margin=0.0, width_pct=90.0), a_face(width_pct=10.0), a_face(width_pct=30.0)
    still = a_still(faces=[small, cut, large])
    assert still.expected_faces(1) == [large]
    assert still.expected_faces(2) == [cut, large]
    assert a_still(faces=[cut]).main_face == cut
    assert FaceFigures().area == 0
    with pytest.raises(ValueError, match="empty"):
        _ = a_still(faces=[]).main_face
