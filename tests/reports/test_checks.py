"""The table of figures: it fits the profiles and the probes, and what is told of a figure agrees with its outcome."""

from __future__ import annotations

import ast
import gzip
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from probes.measurement import Measurement
from readiness.server.assets import FIGURES_PATH, Assets
from readiness.texts import LANGUAGES, WEB_FOLDER, catalogue
from reports.checks import FIGURES, JUDGED, Figure, figures_json
from reports.model import CheckResult, Outcome
from reports.profile import Condition, Profile, load_profile, profile_names
from reports.render.words import Words
from reports.solution import solution_names
from reports.verdict import judge_check
from tests.data.make_figures import FIXTURE, all_limits, cases, judged_by_limits, told

TOLD = json.loads(FIXTURE.read_text(encoding="utf-8"))
PROFILES = [load_profile(name, solution) for name in profile_names() for solution in solution_names()]
ROOT = Path(__file__).resolve().parents[2]
WORDS = Words(catalogue("en"), "en")
NUMBER = r"(\u2212?[\d,]*\.?\d+)"
TOLD_LIMITS = {
    "<": (f"Good: at least {NUMBER}", f"Too poor: under {NUMBER}"),
    ">": (f"Good: at most {NUMBER}", f"Too poor: over {NUMBER}"),
    ">=": ("(?!)", f"Too poor: from {NUMBER}"),
}
"""How the limits are said in English."""


def read(text: str) -> float:
    """Return the number that a reader of English sees."""
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


def limits_in(check: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the limits (good, too poor) that a reader is told of `check`."""
    said = WORDS.limits_of(check)
    found = [re.search(pattern, said) for pattern in TOLD_LIMITS[FIGURES[check["id"]].worse]]
    assert said.count(":") == sum(one is not None for one in found), said
    good, poor = (read(one[1]) if one else None for one in found)
    return good, poor


def assert_it_agrees(check: Mapping[str, Any]) -> None:
    """Hold the number that is told against each limit that is told, as a reader would, and both against the outcome."""
    figure, shown = FIGURES[check["id"]], re.match(NUMBER, WORDS.value_of(check))
    assert shown, WORDS.value_of(check)
    good, poor = limits_in(check)
    if good is not None:
        assert figure.is_worse(read(shown[1]), good) == (check["outcome"] != "pass"), (check, shown[1], good)
    if poor is not None:
        assert figure.is_worse(read(shown[1]), poor) == (check["outcome"] == "fail"), (check, shown[1], poor)


def numbers(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Return those of `conditions` that compare the main value with a number."""
    return tuple(one for one in conditions if one.metric == "value" and not isinstance(one.limit, str))


# ---- the table itself


def test_every_check_that_is_judged_by_a_number_is_in_the_table():
    """A new check with a number has a direction, decimals and a unit, or this test names it."""
    judged = {c.id for p in PROFILES for c in p.checks.values() for r in c.rules if numbers(r.when)}
    assert judged <= set(FIGURES)
    assert set(FIGURES) <= {check for profile in PROFILES for check in profile.checks}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: f"{p.name}-{p.need_mbps}")
def test_the_limits_of_the_profiles_lie_where_the_table_says_that_worse_is(profile: Profile):
    """Every limit that is told comes from rules that compare as the table does; good and poor do not change places."""
    for check_id, figure in FIGURES.items():
        if (check := profile.checks.get(check_id)) is None:
            continue
        for outcome in (Outcome.WARN, Outcome.FAIL):
            if check.threshold(outcome) is not None:
                first = [number for r in check.rules if r.outcome is outcome for number in numbers(r.when[:1])]
                assert {one.op for one in first} == {figure.worse}, check_id
        good, poor = check.threshold(Outcome.WARN), check.threshold(Outcome.FAIL)
        assert good is None or poor is None or good == poor or figure.is_worse(poor, good), check_id
        assert figure.worse != ">=" or good is None, f"{check_id}: there are no words for such a limit"


@pytest.mark.parametrize(("check", "pairs"), all_limits().items())
def test_the_decimals_tell_the_limits_apart(check: str, pairs: list[tuple[float | None, float | None]]):
    """Two limits of a check read as two numbers, so that there is room for a figure between them."""
    for good, poor in pairs:
        if good is not None and poor is not None and good != poor:
            assert FIGURES[check].rounded(good) != FIGURES[check].rounded(poor)


def _called_with_literals() -> set[tuple[str, str | None]]:
    """Return check and unit of every measurement that a probe makes by its name."""
    found: set[tuple[str, str | None]] = set()
    for path in sorted((ROOT / "probes").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(tree):
            name = getattr(call.func, "id", "") if isinstance(call, ast.Call) else ""
            if isinstance(call, ast.Call) and name in {"Measurement", "not_measured"} and len(call.args) > 2:
                check, unit = (
                    named.get(one.id) if isinstance(one, ast.Name) else getattr(one, "value", None)
                    for one in (call.args[0], call.args[2])
                )
                if isinstance(check, str):
                    found.add((check, str(unit)))
    return found


def test_the_units_are_the_probes_own():
    """Whatever a probe measures by name is in the unit of the table."""
    found = {(check, unit) for check, unit in _called_with_literals() if check in FIGURES}
    assert len({check for check, _ in found}) > 20
    assert {(check, FIGURES[check].unit) for check, _ in found} == found


def test_the_page_loads_the_same_table():
    """What is served holds the table, and so does what the page's own tests read; the script has no second one."""
    asset = Assets().get(FIGURES_PATH)
    assert asset
    (served,) = re.findall(rb"FIGURES = (\{.*\});", asset.plain)
    assert json.loads(served) == figures_json() == TOLD["figures"]
    assert asset.compressed
    assert gzip.decompress(asset.compressed) == asset.plain
    assert "FIGURES = {};" in (WEB_FOLDER / FIGURES_PATH).read_text()


# ---- the words


def test_the_file_that_both_sides_read_is_complete():
    """It tells of every check, near each limit of every profile. ``python -m tests.data.make_figures`` makes it."""
    assert [json.dumps(one["check"]) for one in TOLD["cases"]] == list(dict.fromkeys(map(json.dumps, cases())))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_is_told_in_the_words_that_the_page_has(language: str):
    """The server tells each case of the file word for word; Node's tests hold the page to the same."""
    for case in TOLD["cases"]:
        assert told(case["check"])[language] == case["words"][language], case["check"]


def test_what_the_file_tells_agrees_with_itself():
    """In every case of the file that was judged, number, limits and outcome say the same."""
    judged = [one["check"] for one in TOLD["cases"] if one["check"]["outcome"] in JUDGED]
    figures = [one for one in judged if one["id"] in FIGURES and WORDS.value_of(one) != WORDS.t("value.not_heard")]
    assert len(figures) > 300
    for check in figures:
        assert_it_agrees(check)


def test_a_rate_just_under_what_is_good():
    """1.84 against 1.875 Mbit/s is 1.84 against 1.88 for patient and support; 1.8749 never reads as 1.88."""
    check = {"id": "network.throughput_up", "unit": "mbps", "pass": 1.875, "fail": 1.5}
    said = {value: told({**check, "value": value, "outcome": "warn"})["en"] for value in (1.84, 1.8749, 1.5)}
    assert said[1.84] == ["1.84\u00a0Mbit/s", "Good: at least 1.88\u00a0Mbit/s. Too poor: under 1.5\u00a0Mbit/s."]
    assert (said[1.8749][0], said[1.5][0]) == ("1.87\u00a0Mbit/s", "1.5\u00a0Mbit/s")
    assert told({**check, "value": 1.499, "outcome": "fail"})["en"][0] == "1.49\u00a0Mbit/s"


def test_what_was_not_judged_has_neither_number_nor_limit():
    """A figure that our own lateness spoilt is told as that, not as a number beside a limit."""
    late = {"id": "network.jitter_up", "unit": "ms", "pass": 30.0, "fail": 80.0, "value": 177.0}
    assert told({**late, "outcome": "not_measured", "cause": "server_busy"})["en"] == ["We had too much to do.", ""]


# ---- as a property

BY_CHECK = {check: pairs for check, pairs in all_limits().items() if any(pair != (None, None) for pair in pairs)}
FLOATS = st.floats(-1e6, 1e6, allow_nan=False)
BESIDES = (
    "limit", "method", "loss_pct", "worst_200ms_pct", "events", "processed", "heard", "expected_people", "faces",
    "snr_db", "snr_known", "dropouts", "server_lag_p99_ms", "device_lag_p99_ms",
)  # fmt: skip
"""Details that rules ask for beside the figure itself."""
ANYTHING = st.one_of(st.booleans(), st.floats(0, 100), st.sampled_from(["line", "sender", "none", "rtp", "tcp"]))


@st.composite
def near_limits(draw: st.DrawFn) -> tuple[str, float, float | None, float | None]:
    """A check, its limits in some profile, and a value that is often almost one of them."""
    check = draw(st.sampled_from(sorted(BY_CHECK)))
    good, poor = draw(st.sampled_from(BY_CHECK[check]))
    limits = [one for one in (good, poor) if one is not None]
    if not limits or draw(st.booleans()):
        return check, draw(FLOATS), good, poor
    limit, step = draw(st.sampled_from(limits)), 10 ** -FIGURES[check].decimals
    offset = draw(st.floats(-3, 3)) * step
    return (
        check,
        draw(st.sampled_from([limit + offset, *(math.nextafter(limit, way) for way in (-math.inf, math.inf))])),
        good,
        poor,
    )


@given(near_limits(), st.sampled_from(sorted(JUDGED)))
def test_number_and_limits_never_contradict_the_outcome(
    found: tuple[str, float, float | None, float | None], outcome: Outcome
):
    """Whatever was judged, for whatever reason: a reader who compares the number with a limit comes to the outcome."""
    check, value, good, poor = found
    one = {"id": check, "unit": FIGURES[check].unit, "value": value, "pass": good, "fail": poor}
    assert_it_agrees({**one, "outcome": outcome.value})
    by_limits = {**one, "outcome": judged_by_limits(FIGURES[check], value, good, poor)}
    assert_it_agrees(by_limits)
    assert [limit is None for limit in limits_in(by_limits)] == [good is None, poor is None], "both limits are told"


@given(near_limits(), st.sampled_from(PROFILES), st.dictionaries(st.sampled_from(BESIDES), ANYTHING))
def test_what_the_judge_says_agrees_with_what_is_told(
    found: tuple[str, float, float | None, float | None], profile: Profile, details: dict[str, Any]
):
    """The same through the judge itself, with whatever else was measured."""
    check, value, *_ = found
    assume(check in profile.checks)
    measured = Measurement(check, value, FIGURES[check].unit, samples=9, details=details)
    judged: CheckResult = judge_check(measured, profile.checks[check])
    one = judged.to_json()
    if judged.outcome in JUDGED and details.get("heard") is not False:
        assert_it_agrees(one)
    else:
        assert WORDS.limits_of(one) == ""


@given(
    FLOATS, FLOATS, FLOATS, st.sampled_from(["<", ">", ">="]), st.integers(0, 3),
)  # fmt: skip
@example(1.499999, 1.5, 1.875, "<", 2)
@example(30.0000001, 30, 80, ">", 1)
@example(1.4999, 1.5, 3.0, ">=", 1)
def test_rounding_keeps_the_side_of_each_limit(value: float, one: float, other: float, worse: Any, decimals: int):
    """For any two limits that differ when rounded, the told number stands to the told limits as the value does."""
    figure = Figure(worse, decimals, "ms")
    limits = sorted((one, other), reverse=worse == "<")
    assume(figure.rounded(one) != figure.rounded(other))
    shown = figure.rounded(value, limits)
    for limit in limits:
        assert figure.is_worse(shown, figure.rounded(limit)) == figure.is_worse(value, limit)
    step = 1 if abs(value) >= 100 else 10**-decimals
    assert abs(shown - value) <= 1.5 * step + 1e-9
