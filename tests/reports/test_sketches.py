"""What was seen and heard, drawn: well-formed, in words in every language, mirrored, and never more than figures."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.sound_curve import MAX_POINTS, sound_curve
from readiness.texts import LANGUAGES, catalogue
from reports.render.pictures import Picture
from reports.render.sketches import sketches
from reports.render.words import Words

SVG = "{http://www.w3.org/2000/svg}"


def checks(**change: dict[str, Any]) -> list[dict[str, Any]]:
    """Two faces in a wide picture that is brighter at the camera's right, and two seconds of speech in four."""
    found = {
        "camera.resolution": {"width_px": 1280, "height_px": 720},
        "camera.people": {"places": "10 20 20 30;70 25 10 15"},
        "camera.light": {"luma_left": 40.4, "luma_right": 200.0},
        "microphone.speech": {"listened_s": 4.0, "level_curve": "60" * 4 + "2025" * 4, "speech_curve": "000011111111"},
    } | {name.replace("__", "."): details for name, details in change.items()}
    return [{"id": name, "value": 2.0, "outcome": "pass", "details": details} for name, details in found.items()]


def drawn(found: list[dict[str, Any]], language: str = "en") -> dict[str, tuple[Picture, ET.Element]]:
    """The sketches by name, with their SVG parsed."""
    made = sketches(found, Words(catalogue(language), language))
    return {sketch.name: (sketch, ET.fromstring(sketch.svg)) for sketch in made}


def boxes(svg: ET.Element, name: str) -> list[list[float]]:
    """x, y, width and height of the rectangles of a class."""
    sides = ("x", "y", "width", "height")
    return [[float(one.get(side) or 0) for side in sides] for one in svg.iter(f"{SVG}rect") if one.get("class") == name]


def test_faces_stand_where_the_person_saw_them():
    """Mirrored, each with its number, in a frame of the picture's own shape; the brighter side is the mirror's left."""
    sketch, svg = drawn(checks())["seen"]
    ((x, y, width, height),) = boxes(svg, "sketch-frame")
    assert width / height == pytest.approx(16 / 9, rel=0.01)
    first, second = boxes(svg, "sketch-face")
    assert first == pytest.approx([x + 0.7 * width, y + 0.2 * height, 0.2 * width, 0.3 * height], abs=0.2)
    assert second[0] == pytest.approx(x + 0.2 * width, abs=0.2)
    fills = [one.get("fill") for one in svg.iter(f"{SVG}rect") if one.get("class") == "sketch-light"]
    assert fills == ["rgb(200 200 200)", "rgb(40 40 40)"]
    assert sketch.rows == (("1", "70", "20", "20", "30"), ("2", "20", "25", "10", "15"))
    assert "Light 200 on the left and 40 on the right." in sketch.finding[1]


def test_a_phone_held_upright_is_drawn_upright():
    """No taller than a screen allows, and the faces inside."""
    _, svg = drawn(checks(camera__resolution={"width_px": 720, "height_px": 1280}))["seen"]
    ((x, _, width, height),) = boxes(svg, "sketch-frame")
    assert (width, height) == (pytest.approx(300 * 9 / 16, abs=0.1), 300)
    assert all(x <= box[0] and box[0] + box[2] <= x + width for box in boxes(svg, "sketch-face"))


def test_nobody_is_drawn_as_nobody_and_no_figures_as_nothing():
    """An empty room is a finding; a picture or a sound that was not measured is no sketch."""
    sketch, svg = drawn(checks(camera__people={"places": ""}))["seen"]
    assert boxes(svg, "sketch-face") == []
    assert sketch.finding[0] == "The camera saw no faces."
    assert sketch.rows == ()
    assert drawn([]) == {}
    assert set(drawn(checks(camera__people={}, microphone__speech={}))) == set()
    _, unlit = drawn(checks(camera__light={}))["seen"]
    assert boxes(unlit, "sketch-light") == []


def test_speech_is_marked_below_the_level():
    """One bar as long as the speech, a level in every second of the table, and the loudest in words."""
    sketch, svg = drawn(checks())["heard"]
    ((x, _, width, _),) = boxes(svg, "sketch-speech")
    assert (x - 64) / (360 - 64 - 6) == pytest.approx(4 / 12, abs=0.01)
    assert width / (360 - 64 - 6) == pytest.approx(8 / 12, abs=0.01)
    assert [row[2] for row in sketch.rows] == ["No", "Yes", "Yes", "Yes"]
    assert sketch.rows[0][1].startswith("\u221260")
    assert sketch.finding == (
        "We listened for 4 seconds and heard speech in 2 of them.",
        "The loudest was \u221220\u00a0dBFS.",
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sketch_says_in_words_what_it_shows(language):
    """Title and description of its own, and no key of the catalogue left over."""
    for name, (sketch, svg) in drawn(checks(), language).items():
        named = {element.get("id"): element.text for element in svg if element.get("id")}
        labels = (svg.get("aria-labelledby") or "").split()
        assert [named[label] for label in labels] == [sketch.title, " ".join(sketch.finding)], name
        assert all(len(row) == len(sketch.columns) for row in sketch.rows)
        text = " ".join([*svg.itertext(), *sketch.columns, *(cell for row in sketch.rows for cell in row)])
        assert not re.search(r"sketch\.|graph\.|value\.|\{|\b(?:nan|inf|None)\b", text), text


@given(st.lists(st.tuples(st.floats(-100, 0), st.booleans()), min_size=8, max_size=4000))
def test_whatever_was_heard_can_be_drawn(windows):
    """Any sound step's own curve makes a sketch of at most so many points, inside its plot."""
    curve = {"listened_s": 0.032 * len(windows), **sound_curve(windows)}
    _, svg = drawn(checks(microphone__speech=curve))["heard"]
    (line,) = svg.iter(f"{SVG}polyline")
    points = [tuple(map(float, point.split(","))) for point in (line.get("points") or "").split()]
    assert 2 <= len(points) <= MAX_POINTS
    assert all(0 <= x <= 360 and 0 <= y <= 140 for x, y in points)


@pytest.mark.parametrize(
    "details",
    [
        {"listened_s": 4.0, "level_curve": "60", "speech_curve": "01"},
        {"listened_s": 4.0, "level_curve": "6x61", "speech_curve": "01"},
        {"listened_s": 0.0, "level_curve": "6061", "speech_curve": "01"},
        {"listened_s": 4.0, "level_curve": 6061, "speech_curve": "01"},
    ],
)
def test_a_spoilt_curve_is_not_drawn(details):
    """Half of a curve is no curve."""
    assert "heard" not in drawn(checks(microphone__speech=details))
