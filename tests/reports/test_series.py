"""Series: what goes in comes out, what is no series is refused with its place, and thinning keeps the worst."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.series import MOST_POINTS, ROWS, check_series, pack, thin, thinned, unpack
from tests.series import made_series

MINIMUM = {"schema": "readiness.series/1"}


def test_what_is_packed_comes_back():
    """The same JSON, much smaller; a missing row stays missing and an empty one stays empty."""
    series = made_series(bad=True)
    packed = pack(series)
    assert unpack(packed) == check_series(series) == series
    assert len(packed) < len(json.dumps(series)) / 3
    assert unpack(pack(MINIMUM)) == MINIMUM | {"phases": []}
    assert "rtt_ms" not in unpack(pack(MINIMUM | {"lost_up": []}))
    assert unpack(pack(MINIMUM | {"lost_up": [], "rtt_ms": None}))["lost_up"] == []


WRONG = {
    "series": 7,
    "schema": {"schema": "readiness.series/2"},
    "ip": MINIMUM | {"ip": []},
    "phases": MINIMUM | {"phases": {}},
    "phases[0]": MINIMUM | {"phases": [{"name": "clock"}]},
    "phases[0].name": MINIMUM | {"phases": [{"name": "<b>", "from_ms": 0, "to_ms": 1}]},
    "phases[1]": MINIMUM
    | {"phases": [{"name": "a", "from_ms": 0, "to_ms": 1}, {"name": "b", "from_ms": 2, "to_ms": 1}]},
    "rtt_ms": MINIMUM | {"rtt_ms": [[0, 1]] * (MOST_POINTS + 1)},
    "rtt_ms[0]": MINIMUM | {"rtt_ms": [[0, 1, 2]]},
    "rtt_ms[1].t_ms": MINIMUM | {"rtt_ms": [[5, 1], [4, 1]]},
    "lost_up[0].value": MINIMUM | {"lost_up": [[0, -1]]},
    "lost_down[0].value": MINIMUM | {"lost_down": [[0, True]]},
    "rate_up_mbps[0].value": MINIMUM | {"rate_up_mbps": [[0, float("nan")]]},
    "sent_up_mbps[0].value": MINIMUM | {"sent_up_mbps": [[0, "2"]]},
    "delay_up_ms[0].t_ms": MINIMUM | {"delay_up_ms": [[1e9, 1]]},
}


@pytest.mark.parametrize("place", WRONG)
def test_what_is_no_series_is_refused_with_its_place(place):
    """The message begins with where it is wrong."""
    with pytest.raises(ValueError) as caught:
        check_series(WRONG[place])
    assert str(caught.value).startswith(place + ":")


@pytest.mark.parametrize(
    "packed", [b"", b"rubbish", zlib.compress(b"{}"), zlib.compress(b"["), zlib.compress(b"0" * 2_000_000)]
)
def test_bytes_that_are_no_series_are_refused(packed):
    """Cut off, foreign, or made to fill the memory."""
    with pytest.raises(ValueError):
        unpack(packed)


points = st.lists(st.tuples(st.floats(0, 20_000), st.integers(0, 500)), max_size=300)


@given(points, st.integers(1, 50))
def test_thinning_keeps_the_worst_and_never_makes_more(row, most):
    """The highest of all stays with its own moment, a sum stays the same sum, and the order is by time."""
    highest, lowest, total = thin(row, max, most), thin(row, min, most), thin(row, sum, most)
    for thinner in (highest, lowest, total):
        assert len(thinner) <= min(most, len(row))
        assert [t for t, _ in thinner] == sorted(t for t, _ in thinner)
    if row:
        assert max(value for _, value in highest) == max(value for _, value in row)
        assert min(value for _, value in lowest) == min(value for _, value in row)
        assert {tuple(point) for point in highest} <= set(row)
    assert sum(value for _, value in total) == sum(value for _, value in row)


def test_a_whole_series_is_thinned_by_each_rows_own_rule():
    """A spike of delay, a hole in the rate and every lost packet survive."""
    long = made_series(bad=True)
    long["rtt_ms"] = [[n, 400 if n == 777 else 50] for n in range(5000)]
    long["rate_up_mbps"] = [[n, 0.1 if n == 778 else 2] for n in range(5000)]
    long["lost_up"] = [[n, 1] for n in range(5000)]
    short = thinned(long)
    assert check_series(short) == short
    assert [777, 400] in short["rtt_ms"]
    assert [778, 0.1] in short["rate_up_mbps"]
    assert sum(lost for _, lost in short["lost_up"]) == 5000
    assert all(len(short[name]) <= MOST_POINTS for name in ROWS)
