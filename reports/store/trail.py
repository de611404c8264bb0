"""What is being done, from where an actor is asked for to where it is logged: acts of a call, and a request's trail.

A call of the store notes its acts by itself (`Actor.require`). What it changes is logged in the transaction that
changes it. What it only reads waits in the request's trail and is logged, at once with the rest, before anybody is
answered; without a trail it is logged before the caller gets what it read.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Final

__all__ = ["OPEN_CALL", "TRAIL", "Call", "Deed", "Trail", "about", "note", "open_trail", "tell"]


@dataclass(slots=True)
class Deed:
    """One entry to be: who did what to which object. Ids only; `audit` replaces them by marks."""

    organisation_id: str
    kind: str
    actor: str
    act: str
    object: str = ""
    outcome: str = "done"
    detail: str = ""
    by_change: bool = False
    """An act of an actor that was not looked at yet: whether it is logged, and whether anything came of it."""
    view: tuple[str, ...] = ()
    """Of what was only looked at: what the same view has in common, so that it is logged once in a while."""


@dataclass(slots=True)
class Call:
    """One call of the store: the objects that it names, and what it turned out to do."""

    objects: tuple[str, ...] = ()
    deeds: list[Deed] = field(default_factory=list)


@dataclass(slots=True)
class Trail:
    """One request or command: through what, who asked last, and which views wait to be logged."""

    via: str = ""
    request: str = ""
    kind: str = ""
    actor: str = ""
    waits: bool = True
    pending: list[Deed] = field(default_factory=list)


OPEN_CALL: Final[ContextVar[Call | None]] = ContextVar("open_call", default=None)
TRAIL: Final[ContextVar[Trail | None]] = ContextVar("trail", default=None)


def note(kind: str, organisation_id: str, actor: str, act: str) -> None:
    """Note that an actor was let through to an act."""
    trail, call = TRAIL.get(), OPEN_CALL.get()
    if trail is not None:
        trail.kind, trail.actor = kind, actor
    if call is not None:
        named = call.objects or ("",)
        call.deeds += [Deed(organisation_id, kind, actor, act, one, by_change=True) for one in named]


def about(*named: str) -> None:
    """Say what the open call turned out to be about, such as ``participant:<id>``; its arguments do not name it.

    Of several there is an entry each.
    """
    call = OPEN_CALL.get()
    if call is not None and named:
        call.deeds = [replace(deed, object=one) for deed in call.deeds for one in named]


def tell(*details: str) -> None:
    """Say what the open call changes, in words of the log. Of several things there is an entry each."""
    call = OPEN_CALL.get()
    if call is not None and details:
        call.deeds = [replace(deed, detail=one) for deed in call.deeds for one in details]


@contextmanager
def open_trail(via: str, request: str = "", *, kind: str = "", actor: str = "", waits: bool = True) -> Generator[Trail]:
    """Keep a trail for a request or a command; `waits` where the caller logs what was read before it answers."""
    trail = Trail(via, request, kind, actor, waits)
    token = TRAIL.set(trail)
    try:
        yield trail
    finally:
        TRAIL.reset(token)
