"""The tests' own running: turns, order, and failures that are written down whatever the machine's Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import running
from tests.lanes import Lane
from tests.running import NEVER_QUICK, STARTERS, TakesTurns, Turns

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
import os, pytest, time
from pathlib import Path
HERE = Path(__file__).parent

def stay(name, *others):
    # Be here for a while, and see nobody of the others at its beginning or end.
    (HERE / name).touch()
    for pause in (0.05, 0):
        assert not [other for kind in others for other in HERE.glob(kind)]
        time.sleep(pause)
    (HERE / name).unlink()

@pytest.mark.parametrize("database", ["postgresql"])
@pytest.mark.parametrize("n", range(24))
def test_beside(n, database):
    stay(f"in-{n}", "alone", "quiet-*", "pair-*")

@pytest.mark.parametrize("n", range(60))
def test_behind(n):
    if os.environ["PYTEST_XDIST_WORKER"] == "gw4":
        stay(f"behind-{n}")
    else:
        stay(f"in-behind-{n}", "alone", "quiet-*", "pair-*")

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
    """In one session of five processes, with one summary."""
    done = run(tmp_path, TURNS, "--numprocesses", "5", "--dist", "load", "--maxschedchunk", "1")
    assert "108 passed" in done.stdout, done.stdout


def test_what_is_in_the_background_waits_for_nobody_in_its_own_lane(request, tmp_path, monkeypatch):
    """Not even for one that is alone; this test, which starts no process, stands for the others."""
    gave_way = []
    monkeypatch.setattr(running, "give_way", lambda *, wholly: gave_way.append(wholly))
    somebody, lane = Turns(tmp_path), TakesTurns(tmp_path, Lane.QUICK)
    with somebody.turn("alone"):
        next(lane.pytest_runtest_protocol(request.node))
    assert gave_way == [True]
    somebody.close()
    lane.pytest_unconfigure()


LANES = """
import os, pytest, time
from pathlib import Path
HERE = Path(__file__).parent
LANE = os.environ["PYTEST_XDIST_WORKER"]

def niceness():
    return os.getpriority(os.PRIO_PROCESS, 0)

@pytest.mark.alone
@pytest.mark.parametrize("n", range(ALONE))
def test_alone(n):
    assert LANE != "gw4"

@pytest.mark.browser
@pytest.mark.parametrize("n", range(9))
def test_walk(n):
    assert LANE in {"gw0", "gw1", "gw2"}
    assert niceness() == NICE
    until = time.monotonic() + (20 if n == 8 and not ALONE else 0.3)  # the last stays until both lanes took something
    while time.monotonic() < until and not (n == 8 and all([*HERE.glob(f"{name}-*")] for name in ("light", "quick"))):
        time.sleep(0.05)

@pytest.mark.parametrize("database", ["postgresql"])
@pytest.mark.parametrize("n", range(LIGHT))
def test_light(n, database):
    assert LANE != "gw4"
    if LANE == "gw3":
        assert niceness() == max(10, NICE)
        (HERE / f"light-{n}").touch()
    time.sleep(0.02)

@pytest.mark.parametrize("n", range(LIGHT))
def test_quick(n):
    if LANE == "gw4":
        assert niceness() == max(10, NICE)
        assert os.getsid(0) == os.getpid()
        (HERE / f"quick-{n}").touch()
    time.sleep(0.02)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("alone", "light"), [(3, 2), (0, 40)])
def test_the_fourth_and_fifth_process_take_light_tests_and_give_way(tmp_path, alone, light):
    """While the others walk, they never do; they end with them, whichever there is more of, and each test runs once."""
    source = LANES.replace("LIGHT", str(light)).replace("ALONE", str(alone))
    source = source.replace("NICE", str(os.getpriority(os.PRIO_PROCESS, 0)))
    done = run(tmp_path, source, "--numprocesses", "5", "--dist", "load", "--maxschedchunk", "1")
    assert f"{9 + alone + 2 * light} passed" in done.stdout, done.stdout
    assert alone or {path.name.split("-")[0] for path in tmp_path.glob("*-*")} == {"light", "quick"}


def test_what_a_quick_run_goes_by_is_there():
    """A helper that is renamed would be let in unseen."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    defined = {name for source in sources for name in re.findall(r"^(?:async )?def (\w+)", source, re.MULTILINE)}
    assert defined >= STARTERS
    assert all((ROOT / "tests" / folder).is_dir() for folder in NEVER_QUICK)
