"""The way of one piece of work through the modules: where a reader goes who follows it call by call."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

__all__ = ["Walk", "followed", "returns"]

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("readiness/access/", "readiness/meetings/", "readiness/server/", "reports/store/")
TOOLS = frozenset(
    {
        "readiness/access/contacts",
        "readiness/access/origin",
        "readiness/meetings/gsm",
        "readiness/meetings/join_links",
        "readiness/meetings/mail_headers",
        "readiness/meetings/reach",
        "readiness/meetings/typed",
        "readiness/meetings/wrapped_links",
        "reports/store/actors",
        "reports/store/audit",
        "reports/store/columns",
        "reports/store/engine",
        "reports/store/guard",
        "reports/store/ids",
        "reports/store/notify",
        "reports/store/part",
        "reports/store/records",
        "reports/store/retention",
        "reports/store/rows",
        "reports/store/scope",
        "reports/store/trail",
    }
)
"""Taken for what they are called (encrypt, clean, require a right, log who acts, insert a row): nobody goes in there to
follow a meeting."""


@dataclass
class Walk:
    """The calls in their order, as (module, function)."""

    calls: list[tuple[str, str]] = field(default_factory=list)

    def stays(self, *, start: str, until: str) -> list[list[str]]:
        """Return each stay in a module as its name and the functions called there, from one function to another."""
        names = [name for _, name in self.calls]
        first = names.index(start)
        last = names.index(until, first)
        stays: list[list[str]] = []
        for module, name in self.calls[first : last + 1]:
            if not stays or stays[-1][0] != module:
                stays.append([module])
            stays[-1].append(name)
        return stays


def returns(stays: list[list[str]]) -> int:
    """Return how many stays are in a module that was left before."""
    return len(stays) - len({stay[0] for stay in stays})


@contextlib.contextmanager
def followed() -> Iterator[Walk]:
    """Note the functions of ours that are entered meanwhile; going back to the caller counts as nothing."""
    walk = Walk()
    entered: dict[int, FrameType] = {}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event != "call" or id(frame) in entered or not code.co_filename.startswith(str(ROOT)):
            return
        entered[id(frame)] = frame  # kept, so that a coroutine that goes on is known again
        module = Path(code.co_filename).relative_to(ROOT).with_suffix("").as_posix()
        inside_store = module.startswith("reports/store/") and code.co_name.startswith("_")
        if module.startswith(ROOMS) and module not in TOOLS and not code.co_name.startswith("<") and not inside_store:
            walk.calls.append((module, code.co_name))

    sys.setprofile(note)
    try:
        yield walk
    finally:
        sys.setprofile(None)
