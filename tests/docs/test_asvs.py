"""The list of promises is whole, says how each stands, and names tests that exist."""

from __future__ import annotations

import ast
import csv
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
with (ROOT / "readiness" / "docs" / "asvs.csv").open(encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))
FAMILIES = {"LNK": 7, "SES": 1, "AUT": 5, "WEB": 6, "RTC": 9, "TRN": 1, "INJ": 3, "LOG": 2, "SUP": 1, "DUR": 7,
            "DEG": 3, "LOD": 5, "TRU": 1, "PRV": 6, "UU": 3}  # fmt: skip


@cache
def names(path: Path) -> frozenset[str]:
    """The tests in a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def test_every_promise_stands_once():
    """In order, with nothing left out."""
    assert [row["id"] for row in ROWS] == [
        f"{name}-{at + 1}" for name, count in FAMILIES.items() for at in range(count)
    ]


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_promise_names_tests_that_exist(row: dict[str, str]):
    """Met or weaker: by a test; weaker or missing: what is missing is said."""
    assert row["state"] in {"met", "weaker", "missing"}
    assert row["promise"]
    assert bool(row["tests"]) == (row["state"] != "missing")
    assert row["missing"] or row["state"] == "met"
    for test in row["tests"].split():
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), test
        assert not name or name in names(ROOT / path), test


def test_tests_that_carry_an_id_belong_to_a_promise():
    """The ids in the names of tests are those of the list."""
    known = {row["id"].lower().replace("-", "_") for row in ROWS} | {row["id"].lower().replace("-", "") for row in ROWS}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for name in names(path):
            parts = name.lower().split("_")
            if len(parts) > 2 and parts[1].upper() in FAMILIES and parts[2].isdigit():
                assert f"{parts[1]}_{parts[2]}" in known, f"{path.name}: {name}"
