"""The tests' own running: turns, order, and failures that are written down whatever the machine's Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import NEVER_QUICK, STARTERS

ROOT = Path(__file__).parents[1]

PARSES_WHILE_COLLECTING = """
import ast, gc, pytest

@pytest.fixture
def busy_collector():
    before = gc.get_threshold()
    yield
    gc.callbacks.clear()
    gc.set_threshold(*before)

def test_that_fails(busy_collector):
    gc.callbacks.append(lambda *_: ast.parse("1 + 1"))
    gc.set_threshold(5)
    assert False
"""

TURNS = """
import pytest, time
from pathlib import Path
HERE = Path(__file__).parent

def stay(name, *others):
    # Be here for a while, and see nobody of the others at its beginning or end.
    (HERE / name).touch()
    for pause in (0.05, 0):
        assert not [other for kind in others for other in HERE.glob(kind)]
        time.sleep(pause)
    (HERE / name).unlink()

@pytest.mark.parametrize("n", range(24))
def test_beside(n):
    stay(f"in-{n}", "alone", "quiet-*", "pair-*")

@pytest.mark.quiet
@pytest.mark.parametrize("n", range(12))
def test_quiet(n):
    stay(f"quiet-{n}", "alone", "in-*", "pair-*")

@pytest.mark.pair
@pytest.mark.parametrize("n", range(8))
def test_pair(n):
    stay(f"pair-{n}", "alone", "in-*", "quiet-*")
    assert len([*HERE.glob("pair-*")]) <= 1, "and this one, which has left"

@pytest.mark.alone
@pytest.mark.parametrize("n", range(4))
def test_alone(n):
    stay("alone", "in-*", "quiet-*", "pair-*")
"""


def run(folder: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run tests of a project of their own with our plugin."""
    (folder / "test_made.py").write_text(source)
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\nmarkers =\n  alone\n  pair\n  quiet\n  browser\n")
    plugins = ["-p", "tests.running", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-c", settings, *plugins, *options, folder],
        cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_failure_is_written_down_whatever_the_garbage_collector_does(tmp_path):
    """A finaliser that parses while pytest parses is a SystemError before Python 3.13, and was pytest's end."""
    done = run(tmp_path, PARSES_WHILE_COLLECTING)
    assert "1 failed" in done.stdout, done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr


@pytest.mark.slow
def test_who_runs_alone_in_a_pair_or_in_quiet_has_the_right_ones_beside_and_everyone_runs_once(tmp_path):
    """In one session of three processes, with one summary."""
    done = run(tmp_path, TURNS, "--numprocesses", "3", "--dist", "load", "--maxschedchunk", "1")
    assert "48 passed" in done.stdout, done.stdout


LANES = """
import os, pytest, time
from pathlib import Path
HERE = Path(__file__).parent

@pytest.mark.alone
@pytest.mark.parametrize("n", range(3))
def test_alone(n):
    pass

@pytest.mark.browser
@pytest.mark.parametrize("n", range(9))
def test_walk(n):
    assert os.environ["PYTEST_XDIST_WORKER"] != "gw3"
    assert os.getpriority(os.PRIO_PROCESS, 0) == NICE
    time.sleep(0.3)

@pytest.mark.parametrize("n", range(LIGHT))
def test_light(n):
    if os.environ["PYTEST_XDIST_WORKER"] == "gw3":
        assert os.getpriority(os.PRIO_PROCESS, 0) == max(10, NICE)
        (HERE / f"lane-{n}").touch()
    time.sleep(0.02)
"""


@pytest.mark.slow
@pytest.mark.parametrize("light", [2, 40])
def test_the_fourth_process_takes_light_tests_and_gives_way(tmp_path, light):
    """While the others walk, it never does; it ends with them, whichever there is more of, and each test runs once."""
    source = LANES.replace("LIGHT", str(light)).replace("NICE", str(os.getpriority(os.PRIO_PROCESS, 0)))
    done = run(tmp_path, source, "--numprocesses", "4", "--dist", "load", "--maxschedchunk", "1")
    assert f"{12 + light} passed" in done.stdout, done.stdout
    assert light == 2 or [*tmp_path.glob("lane-*")]


def test_what_a_quick_run_goes_by_is_there():
    """A helper that is renamed would be let in unseen."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    defined = {name for source in sources for name in re.findall(r"^(?:async )?def (\w+)", source, re.MULTILINE)}
    assert defined >= STARTERS
    assert all((ROOT / "tests" / folder).is_dir() for folder in NEVER_QUICK)
