"""How the tests are run: which wait until they have the machine to themselves, and what Debian's Python needs.

A plugin of pytest, loaded by ``tests/conftest.py``. One session runs every test once, several at a time
(``make test``): first those marked ``alone``, one after another, then those of a ``pair`` two at a time, then the
``quiet`` ones beside each other, then the long ones, and the rest beside them in lanes of their own (``lanes``). What
starts no process is in the ``background`` of them all; ``--quick`` (``make check``) runs nothing else.
"""

from __future__ import annotations

import bisect
import contextlib
import fcntl
import functools
import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.lanes import Lane, Lanes, give_way, lane_of, write_plan

BACKGROUND = "background"
KINDS = ("alone", "pair", "quiet", "ordinary", BACKGROUND)
"""What a test wants beside it: nothing, one of its kind, those that wait more than they compute, or anything; the last
minds nothing, and in its own lane disturbs nobody."""
PAIR = 2
SEAT_S = 0.05
"""Between looks for a free seat of a pair."""
LONG = ("alone", "pair", "browser", "needs_root", "slow")
STARTERS = frozenset(
    {
        *("chromium", "cost_of", "coturn", "database_server", "firefox", "live_server", "make_lab", "own_server"),
        *("pool_of", "postgres", "served", "server", "serving", "webkit"),
    }
)
"""Fixtures and helpers that start processes: what has one of them in reach is not quick."""
NEVER_QUICK = ("browser", "integration")
"""Folders whose tests all start processes: their imports cost a second each."""
QUICK_EXAMPLES = 6
"""Of a property, where a whole run tries 100 or more."""
GARBAGE = 10_000
"""More objects made than given up before garbage is looked for: at Python's 700 a test's own things are looked through
again and again."""
QUICK_GARBAGE = 200_000
"""In a quick run, which ends before that much is much."""
SETTINGS_OF_TEST = "_hypothesis_internal_use_settings"


_whole = True


def tries(whole: int, quick: int = 2) -> int:
    """Return how many made-up cases a test tries: `whole`, or `quick` in a quick run; properties try fewer too then."""
    return whole if _whole else min(whole, quick)


class Turns:
    """Whose turn it is among the processes of one run: one alone, a pair, or any number of one kind side by side."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._gate, *self._seats = (
            os.open(folder / name, os.O_RDWR | os.O_CREAT)
            for name in ("gate", *(f"seat-{number}" for number in range(PAIR)))
        )
        self._rooms = {kind: os.open(folder / kind, os.O_RDWR | os.O_CREAT) for kind in ("pair", "quiet", "ordinary")}

    @contextlib.contextmanager
    def turn(self, kind: str) -> Iterator[None]:
        """Hold a room together with others of the same kind, and all rooms alone.

        Who waits for the others to leave keeps the gate, so that nobody else gets in first.
        """
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        for name, room in self._rooms.items():
            fcntl.flock(room, fcntl.LOCK_SH if name == kind else fcntl.LOCK_EX)
        for name, room in self._rooms.items():
            if kind not in {name, "alone"}:  # whoever comes into that one waits for us to leave ours
                fcntl.flock(room, fcntl.LOCK_UN)
        while kind == "pair" and not any(map(_taken, self._seats)):
            time.sleep(SEAT_S)
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            for held in (*self._seats, *self._rooms.values()):
                fcntl.flock(held, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give up what is held."""
        for held in (self._gate, *self._rooms.values(), *self._seats):
            os.close(held)


def _taken(seat: int) -> bool:
    """Take the seat, unless another process has it."""
    try:
        fcntl.flock(seat, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class TakesTurns:
    """In each worker of a run: a test waits for those that it should not run beside, and they for it."""

    def __init__(self, folder: Path, lane: Lane) -> None:
        self._turns = Turns(folder)
        self._lane = lane

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Wait for this test's turn, before its time limit begins to count; the quick lane disturbs nobody."""
        if self._lane != Lane.WALK and _rank(item) >= LIGHT:
            give_way(wholly=self._lane == Lane.QUICK)
        kind = _kind(item)
        if kind == BACKGROUND and self._lane == Lane.QUICK:
            return (yield)
        with self._turns.turn("ordinary" if kind == BACKGROUND else kind):
            return (yield)

    def pytest_unconfigure(self) -> None:
        """Leave the room to others."""
        self._turns.close()


def pytest_configure(config: pytest.Config) -> None:
    """Take turns where there are several processes, and try less where there is little time."""
    global _whole
    _whole = not config.getoption("quick")
    if config.getoption("quick"):
        settings.register_profile("quick", settings.get_profile("readiness"), max_examples=QUICK_EXAMPLES)
        settings.load_profile("quick")
    if hasattr(config, "workerinput"):
        lane = lane_of(config.workerinput["workerid"], config.workerinput["workercount"])
        config.pluginmanager.register(TakesTurns(_folder(config), lane))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal tests out in lanes where they are dealt out one by one."""
    return Lanes(config, log, _folder(config)) if config.getoption("dist") == "load" else None


def _folder(config: pytest.Config) -> Path:
    return config.rootpath / ".cache" / "turns"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run leave out what takes long."""
    parser.addoption("--quick", action="store_true", help="only tests without browser, namespace and server process")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even read what a quick run leaves out as a whole."""
    return True if config.getoption("quick") and collection_path.name in NEVER_QUICK else None


def is_quick(item: pytest.Item) -> bool:
    """Whether a test starts no browser, namespace, database, server or media worker, and is not marked as long."""
    if any(item.get_closest_marker(name) for name in LONG):
        return False
    names = {*getattr(item, "fixturenames", ()), *vars(getattr(item, "module", item))}
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return not names & STARTERS and "postgresql" not in parameters.values()


def _with_fewer_examples(test: Any) -> None:
    """Lower what a property asks for itself; Hypothesis has no other way to do so after `settings`."""
    own = getattr(test, SETTINGS_OF_TEST, None)
    if own is not None and own.max_examples > QUICK_EXAMPLES:
        setattr(test, SETTINGS_OF_TEST, settings(own, max_examples=QUICK_EXAMPLES))


def _kind(item: pytest.Item) -> str:
    marked = next((name for name in KINDS if item.get_closest_marker(name)), None)
    return marked or (BACKGROUND if is_quick(item) else "ordinary")


LIGHT = (KINDS.index("ordinary"), True)
"""Rank from which on a test takes no time."""
QUICK = (KINDS.index(BACKGROUND), False)
"""Rank from which on a test starts no process either."""


def _rank(item: pytest.Item) -> tuple[int, bool]:
    is_long = any(item.get_closest_marker(name) for name in ("slow", "browser"))
    return KINDS.index(_kind(item)), not is_long


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """By kind, and long ones first: so the last minute of a run has no long test in it."""
    if config.getoption("quick"):
        config.hook.pytest_deselected(items=[item for item in items if not is_quick(item)])
        items[:] = [item for item in items if is_quick(item)]
        for item in items:
            _with_fewer_examples(getattr(item, "obj", None))
    items.sort(key=_rank)
    if hasattr(config, "workerinput"):
        ranks = [_rank(item) for item in items]
        ordinary, light, quick = (bisect.bisect_left(ranks, rank) for rank in ((LIGHT[0], False), LIGHT, QUICK))
        write_plan(_folder(config), ordinary, light, quick, len(ranks))


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Look for no garbage meanwhile."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, Any, Any]:
    """Look for no garbage while tests are collected: what is made stays, and every look goes through all of it.

    Nor do looks go through it later, when tests leave garbage of their own.
    """
    with _no_garbage_collection():
        done = yield
    gc.freeze()
    gc.set_threshold(QUICK_GARBAGE if session.config.getoption("quick") else GARBAGE, *gc.get_threshold()[1:])
    return done


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Collect no garbage while a failure is written down.

    `ast.parse`, which pytest calls for it, fails with a SystemError in Python before 3.13 when it is called again
    before it has ended. A finaliser can do that: that of something left open warns, with a traceback, which is parsed.
    """
    with _no_garbage_collection():
        return (yield)


# ---- tests that need root


def _through_sudo(item: pytest.Item) -> None:
    """Run one test as root in a process of its own; fails or skips with what it said."""
    (item.config.rootpath / ".cache" / "clips").mkdir(parents=True, exist_ok=True)  # or it would be root's
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-rs", item.nodeid]
    kept = [f"{name}={os.environ[name]}" for name in ("PATH", "LANG") if name in os.environ]
    done = subprocess.run(
        ["sudo", "-n", "env", *kept, "PYTHONDONTWRITEBYTECODE=1", *command],
        cwd=item.config.rootpath, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.fail(f"as root:\n{done.stdout}\n{done.stderr}", pytrace=False)
    if " skipped" in done.stdout.splitlines()[-1]:
        pytest.skip(done.stdout.partition("SKIPPED")[2].strip().splitlines()[0])


@functools.cache
def _sudo_refuses() -> bool:
    if shutil.which("sudo") is None:
        return True
    asked = subprocess.run(["sudo", "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return asked.returncode != 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Take over a test that needs root where we are not root."""
    if os.geteuid() == 0 or item.get_closest_marker("needs_root") is None:
        return None

    def as_root() -> None:
        if _sudo_refuses():
            pytest.skip("needs root, and sudo is not to be had without a password")
        _through_sudo(item)

    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    call = pytest.CallInfo.from_call(as_root, "call")
    item.ihook.pytest_runtest_logreport(report=pytest.TestReport.from_item_and_call(item, call))
    item.session._setupstate.teardown_exact(nextitem)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly what was not run: a skipped test proves nothing."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.write_sep("!", f"NOT RUN: {len(skipped)} tests, for the reasons above", red=True, bold=True)
