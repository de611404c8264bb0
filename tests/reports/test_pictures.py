"""Pictures of the line: well-formed, in words in every language, and what was not measured is said."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.texts import LANGUAGES, catalogue
from reports.render.pictures import PICTURES, ROW_CHECKS, pictures
from reports.render.words import Words
from reports.series import ROWS, check_series
from tests.series import made_series

SVG = "{http://www.w3.org/2000/svg}"
CHECKS: list[dict[str, Any]] = [
    {"id": "network.rtt", "outcome": "warn", "value": 180.0, "unit": "ms", "pass": 150, "fail": 300},
    {"id": "network.jitter_up", "outcome": "pass", "value": 5.0, "unit": "ms", "pass": 30, "fail": 80},
    {"id": "network.jitter_down", "outcome": "not_measured", "value": None, "unit": "ms", "cause": "step_died"},
    {"id": "network.loss_up", "outcome": "warn", "value": 1.4, "unit": "pct", "pass": 1, "fail": 3},
    {"id": "network.throughput_up", "outcome": "fail", "value": 0.9, "unit": "mbps", "pass": 1.875, "fail": 1.5},
]


def drawn(series: dict[str, Any], language: str = "en") -> dict[str, Any]:
    """The pictures by name, with their SVG parsed."""
    made = pictures(series, CHECKS, Words(catalogue(language), language))
    return {picture.name: (picture, ET.fromstring(picture.svg)) for picture in made}


def words_of(svg: ET.Element) -> list[str]:
    return [element.text or "" for element in svg.iter(f"{SVG}text")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("bad", [False, True])
def test_every_picture_says_in_words_what_it_shows(language, bad):
    """Title and description of its own, axes with units, phases by name, no key of the catalogue left over."""
    found = drawn(made_series(bad=bad), language)
    assert set(found) == set(PICTURES)
    ids: list[str] = []
    for name, (picture, svg) in found.items():
        assert svg.get("role") == "img"
        labels = (svg.get("aria-labelledby") or "").split()
        named = {element.get("id"): element.text for element in svg if element.get("id")}
        ids += named
        assert [named[label] for label in labels] == [picture.title, " ".join(picture.finding)]
        assert len(picture.finding) == sum(map(len, PICTURES[name]))
        text = " ".join([*words_of(svg), *picture.finding, *picture.columns, picture.title])
        assert not re.search(r"\bgraph\.|\{|phase\.|\b(?:nan|inf|None)\b", text), text
        words = catalogue(language)
        assert words["graph.time"] in words_of(svg)
        assert any(words["phase.downlink"] in one for one in words_of(svg))
        if name != "loss":
            assert any(("ms" if name == "delay" else "Mbit/s") in one for one in words_of(svg))
    assert len(ids) == len(set(ids)), "two pictures on one page share no id"


def test_the_finding_names_figures_moment_and_limit():
    """The worst and when it was, the count that was lost, what arrived of what was sent."""
    found = drawn(made_series(bad=True))
    delay, loss, rate = (found[name][0].finding for name in ("delay", "loss", "rate"))
    assert re.search(
        r"at worst 308\sms after 7\.8 s\. Judged: Could be better, 180\sms\. Good: at most 150\sms", delay[0]
    )
    assert "Judged: Not measured, The measurement stopped." in delay[2]
    total = sum(lost for _, lost in made_series(bad=True)["lost_up"])
    assert f"Packets lost from the participant: {total} in all" in loss[0]
    assert loss[1].startswith("Packets lost to the participant: nothing was lost.")
    assert re.search(r"mostly 0\.\d+\sMbit/s of 1\.88\sMbit/s", rate[0])


def test_limits_are_drawn_where_the_values_come_near():
    """The limit for good always, the limit of failing once the other is passed; each with its words and own dashes."""
    words, svg = words_of(drawn(made_series(bad=True))["delay"][1]), drawn(made_series(bad=True))["delay"][1]
    assert "limit for good: 150" in words
    assert "too poor from 300" in words
    dashes = {
        one.get("stroke-dasharray") for one in svg.iter(f"{SVG}path") if "graph-limit" in (one.get("class") or "")
    }
    assert len(dashes) == 2
    calm = words_of(drawn(made_series())["delay"][1])
    assert "limit for good: 150" in calm
    assert "too poor from 300" not in calm


@pytest.mark.parametrize("row", ROW_CHECKS)
def test_what_is_missing_is_said_and_never_drawn(row):
    """No line and no zero for a row that was not measured: words in the picture, the finding and the table."""
    series = made_series(bad=True)
    name = next(name for name, groups in PICTURES.items() if any(row in group for group in groups))
    position = [one for group in PICTURES[name] for one in group].index(row)
    whole = drawn(series)[name][1]
    del series[row]
    picture, svg = drawn(series)[name]
    assert words_of(svg).count("Not measured") == 1
    assert picture.finding[position].endswith(": not measured.")
    marks = [one for one in svg.iter() if one.get("class") in {"graph-line", "graph-lost"}]
    before = [one for one in whole.iter() if one.get("class") in {"graph-line", "graph-lost"}]
    assert len(marks) < len(before) or row == "lost_down"
    column = next(at for at, head in enumerate(picture.columns) if head.startswith(catalogue("en")[f"graph.{row}"]))
    assert {line[column] for line in picture.rows} == {"Not measured"}


def test_a_hole_in_the_measuring_is_a_hole_in_the_line():
    """Between two phases nothing is joined, and the table says that nothing was measured."""
    series = made_series()
    series["rtt_ms"] = [[t, 50] for t in (*range(0, 1000, 20), *range(4000, 5000, 20))]
    picture, svg = drawn(series)["delay"]
    line = next(one for one in svg.iter(f"{SVG}path") if one.get("class") == "graph-line")
    assert (line.get("d") or "").count("M") == 2
    assert [row[1] for row in picture.rows[:5]] == ["50", "Not measured", "Not measured", "Not measured", "50"]


def test_no_series_no_pictures():
    """A report from before there were series."""
    assert pictures(None, CHECKS, Words(catalogue("nb"), "nb")) == ()


def test_what_a_phase_is_called_is_text():
    """A name from the future is shown as it is, and marks of markup in words stay words."""
    series = made_series() | {"phases": [{"name": "new_thing", "from_ms": 0, "to_ms": 900}]}
    assert "1 new thing: 0–0.9 s" in words_of(drawn(series)["delay"][1])
    hostile = {key: f"<b>&{value}" for key, value in catalogue("en").items()}
    for picture in pictures(made_series(bad=True), CHECKS, Words(hostile, "en")):
        assert "<b>" not in picture.svg
        assert all(element.tag.startswith(SVG) for element in ET.fromstring(picture.svg).iter())


rows = st.lists(st.tuples(st.floats(0, 600_000), st.floats(0, 1e6)), max_size=12)


@given(
    st.dictionaries(st.sampled_from(ROWS), rows), st.lists(st.tuples(st.floats(0, 9e4), st.floats(0, 9e4)), max_size=4)
)
def test_any_series_gives_pictures_inside_their_frame(found, spans):
    """Whatever was measured: well-formed, nothing outside the picture, no number that is none."""
    phases = [{"name": "clock", "from_ms": min(span), "to_ms": max(span)} for span in spans]
    data = {name: sorted(map(list, row)) for name, row in found.items()}
    series = check_series({"schema": "readiness.series/1", "phases": phases, **data})
    for picture in pictures(series, CHECKS, Words(catalogue("nn"), "nn")):
        svg = ET.fromstring(picture.svg)
        _, _, width, height = map(float, (svg.get("viewBox") or "").split())
        assert "nan" not in picture.svg
        assert "inf" not in picture.svg.replace("information", "")
        for place in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", picture.svg):
            assert -1 <= float(place[0]) <= width + 1
            assert -1 <= float(place[1]) <= height + 1
        assert len(picture.rows) <= 60


@pytest.mark.parametrize(
    ("value", "language", "said"),
    [
        (1234.5, "nb", "1\u00a0234"), (1234.5, "en", "1,234"), (1.875, "nn", "1,88"), (0.004, "en", "0"),
        (-12.34, "nb", "\u221212,3"), (30.0, "nb", "30"), (100.4, "en", "100"), (-0.001, "en", "0"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_the_language_does(value, language, said):
    """Comma or point, thousands apart, no zeros at the end, no minus before nothing."""
    assert Words({}, language).number(value) == said
