"""The recipes stay true: each lists and counts the files that its example touches, and names none that is not there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "readiness" / "docs" / "contributing.md").read_text(encoding="utf-8")
RECIPES = {part.partition("\n")[0]: part for part in PAGE.split("\n## ") if part.startswith("Add ")}
HISTORY = ("readiness/docs/decisions/", "readiness/docs/CHANGELOG.md", "readiness/docs/contributing.md", "tests/")
"""Where an example may be told of, or tried, without being touched by the next of its kind."""
LARGEST_BYTES = 400_000


@cache
def texts() -> dict[str, str]:
    """Every text file of the project, by its path."""
    named = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / name for name in named.stdout.decode().split("\n") if name]
    contents = {path: path.read_bytes() for path in paths if path.is_file() and path.stat().st_size < LARGEST_BYTES}
    return {
        path.relative_to(ROOT).as_posix(): content.decode("utf-8", "replace")
        for path, content in contents.items()
        if b"\0" not in content[:4096]
    }


def listed(recipe: str) -> list[str]:
    """The paths and patterns in the recipe's table."""
    return re.findall(r"^\| `([^`]+)` \|", recipe, re.MULTILINE)


def touched(recipe: str) -> set[str]:
    """The files that the recipe's example stands in."""
    found = re.search(r"found by `([^`]+)`", recipe)
    assert found is not None, "a recipe has an example"
    pattern = re.compile(found[1], re.MULTILINE)
    return {name for name, text in texts().items() if pattern.search(name) or pattern.search(text)}


def matched(patterns: list[str]) -> dict[str, set[str]]:
    """The files that each of the table's lines means."""
    return {pattern: {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)} for pattern in patterns}


def in_one_language(paths: Iterable[str]) -> set[str]:
    """The files with those of the catalogues counted once: how many languages there are changes no recipe."""
    return {re.sub(r"^web/locales/\w\w(?=[./])", "web/locales/nb", path) for path in paths}


def test_there_is_a_recipe_for_what_is_added_most():
    """A check, a page, a message, a language, a kind of test, a setting."""
    assert list(RECIPES) == [
        f"Add a {what}" for what in ("check", "page", "message", "language", "kind of test", "setting")
    ]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_lists_every_file_that_its_example_touches(name: str):
    """None is missing, none is listed in vain, and the number is theirs."""
    recipe = RECIPES[name]
    example, lines = touched(recipe), matched(listed(recipe))
    means = set().union(*lines.values())
    assert {path for path in example if not path.startswith(HISTORY)} - means == set(), "files that the recipe forgets"
    assert [line for line, files in lines.items() if not files & example] == [], "lines that the example does without"
    counted = re.search(r"\. (\d+) files besides tests", recipe)
    assert counted is not None
    assert int(counted[1]) == len(in_one_language(path for path in example & means if not path.startswith("tests/")))


@pytest.mark.parametrize("name", re.findall(r"`([a-z.]+/[\w./*-]+)`", PAGE))
def test_every_file_that_is_named_is_there(name: str):
    """In tables and in between."""
    assert list(ROOT.glob(name.rstrip("/"))), name
