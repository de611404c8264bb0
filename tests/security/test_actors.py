"""AUT-1 below the edge: one table says what each kind of actor may do; the store asks it, `idor.csv` agrees."""

from __future__ import annotations

import ast
import csv
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from inspect import getsource, signature
from itertools import product
from pathlib import Path
from textwrap import dedent
from typing import get_args

import pytest

from readiness.access.actors import actor_of, clock_of, operator_of, sessions_that_may
from reports.store import Actor, NotAllowed, Store
from reports.store.actors import MAY, Act, ActorKind
from reports.store.cases import CasePart
from reports.store.meetings import MeetingPart
from reports.store.people import PeoplePart
from reports.store.records import InvitationKind, SessionKind
from reports.store.stored_reports import ReportPart
from tests.security.test_idor import MATRIX
from tests.store import cast

ROOT = Path(__file__).resolve().parents[2]
ROUTES: dict[Act, tuple[str, str]] = {
    "case.open": ("POST", "/api/v1/boards/{session}/handover"),
    "case.read": ("GET", "/api/v1/boards/{session}"),
    "case.list": ("GET", "/support/{session}"),
    "case.take": ("POST", "/support/{session}/taken"),
    "report.find": ("GET", "/support/{session}"),
    "meeting.find": ("GET", "/api/v1/meetings"),
    "meeting.change": ("POST", "/api/v1/meetings"),
    "day.read": ("GET", "/api/v1/boards/{session}"),
}
BY_ID = "an id out of an authorised row, held by tests/store/test_scope.py"
BY_SESSION = "the session that it was made in"
WHO: dict[str, ActorKind] = {
    "per": "participant", "kari": "participant", "anna": "participant", "odd": "leader", "lars": "leader",
    "nora": "support", "eve": "organiser", "otto": "organiser", "bot": "program",
}  # fmt: skip
"""The callers of `idor.csv`, but for nobody."""
NO_CALLER: frozenset[ActorKind] = frozenset({"host", "calendar", "operator", "clock"})
"""A technical host has a leader's session, a calendar's token stands in the path, the others come by no route."""
PARTS = (MeetingPart, PeoplePart, CasePart, ReportPart)
WITHOUT = {
    "meeting": BY_ID, "participant": BY_ID, "participants": BY_ID, "hosts": BY_ID, "host": BY_ID, "phone": BY_ID,
    "set_practical": BY_ID, "latest_report": BY_ID, "board": BY_ID,
    "save_report": BY_SESSION, "report_for_session": BY_SESSION, "delete_report": BY_SESSION,
    "delete_everything_of": BY_SESSION,
}  # fmt: skip
"""What goes by another right so far."""
WITH_CASES = {"tables", "cases", "retention"}
"""Modules of the store that touch the table; retention does by the clock, for nobody."""


def public_methods(part: type) -> list[str]:
    """What others call of a part of the store."""
    return [name for name in vars(part) if not name.startswith("_")]


def test_every_session_has_its_kind_of_actor():
    """A leader's link of a technical host is the host's; whoever has no name is named by the link."""
    made = {kind: actor_of(cast.session(kind=kind, participant_id=None)) for kind in get_args(SessionKind)}
    assert {kind: actor.kind for kind, actor in made.items()} == {
        "participant": "participant", "leader": "leader", "drop_in": "guest", "support": "support",
        "organiser": "organiser",
    }  # fmt: skip
    opened = cast.session(kind="leader", participant_id=None, invitation_id="i")
    assert actor_of(opened) == Actor("leader", "org-sunnaas", "link:i")
    assert actor_of(opened, cast.host()) == Actor("leader", "org-sunnaas", "host:host-lars")
    assert actor_of(opened, cast.host(role="technical_host")).kind == "host"
    assert actor_of(cast.session()).id == "participant:meeting-anna-anna"
    shown = {kind: cast.invitation(kind=kind, participant_id=None) for kind in get_args(InvitationKind)}
    assert actor_of(shown["api"]) == Actor("program", "org-sunnaas", "link:link-anna")
    assert actor_of(replace(shown["feed"], host_id="host-lars")) == Actor("calendar", "org-sunnaas", "host:host-lars")
    for kind in set(shown) - {"api", "feed"}:
        with pytest.raises(ValueError, match="swapped for a session"):
            actor_of(shown[kind])
    assert operator_of(cast.organisation()) == Actor("operator", "org-sunnaas", "operator")
    assert clock_of("org-sunnaas") == Actor("clock", "org-sunnaas", "clock")
    named: set[ActorKind] = {"host", "program", "calendar", "operator", "clock"}
    assert {actor.kind for actor in made.values()} | named == set(get_args(ActorKind))


def test_actors_are_made_at_the_edge_only():
    """In one module, out of what was authorised there; a route can't make one up."""
    makers = set()
    for path in (*(ROOT / "readiness").rglob("*.py"), *(ROOT / "reports").rglob("*.py")):
        calls = (node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
        if any(ast.unparse(func).rpartition(".")[2] == "Actor" for func in calls):
            makers.add(str(path.relative_to(ROOT)))
    assert makers == {"readiness/access/actors.py"}


def test_the_table_and_the_matrix_of_routes_agree():
    """Through a route that leads to an act gets exactly who may do it."""
    assert set(ROUTES) == set(MAY) == set(get_args(Act))
    with MATRIX.open(encoding="utf-8", newline="") as file:
        matrix = {(row["method"], row["route"]): row for row in csv.DictReader(file)}
    for act, route in ROUTES.items():
        through = {kind for name, kind in WHO.items() if int(matrix[route][name]) < 400}
        assert through == MAY[act] - NO_CALLER, (act, route)
        assert matrix[route]["none"] in {"401", "404"}
        assert sessions_that_may(act) == through - {"program"}, "a technical host's session is a leader's"


def test_no_method_goes_without_an_actor():
    """Each takes one first and asks the table before anything else; no module but its own touches a case."""
    asked, without = set(), set()
    for method in (getattr(part, name) for part in PARTS for name in public_methods(part)):
        if list(signature(method).parameters)[1] != "actor":
            without.add(method.__name__)
            continue
        (node,) = ast.parse(dedent(getsource(method))).body
        assert isinstance(node, ast.AsyncFunctionDef)
        first = ast.unparse(node.body[1])
        assert first.startswith("actor.require("), f"{node.name} begins with {first}"
        asked.add(ast.literal_eval(first.removeprefix("actor.require(").removesuffix(")")))
    assert without == set(WITHOUT)
    assert asked == set(MAY)
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "reports/store").glob("*.py")}
    assert {name for name, text in texts.items() if re.search(r"\bsupport_case\b", text)} == WITH_CASES


@pytest.fixture
async def store(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Store]:
    """Anna's meeting, in an embedded database."""
    shutil.copy(migrated_file, tmp_path / "r.db")
    opened = await Store.open(f"sqlite:///{tmp_path / 'r.db'}")
    await cast.fill(opened)
    yield opened
    await opened.close()


async def test_the_store_refuses_who_may_not(store: Store):
    """Whatever the edge let through, nothing is read or changed: every kind of actor, every act."""
    for kind, act in product(get_args(ActorKind), get_args(Act)):
        actor = replace(cast.LARS, kind=kind)
        if kind not in MAY[act]:
            with pytest.raises(NotAllowed):
                await ask(store, actor, act)
    assert await store.cases_of(cast.LARS, "meeting-anna") == []
    for kind, act in product(get_args(ActorKind), get_args(Act)):
        if kind in MAY[act]:
            await ask(store, replace(cast.LARS, kind=kind), act)


async def ask(store: Store, actor: Actor, act: Act) -> None:
    """Do what `act` names."""
    match act:
        case "case.open":
            await store.open_case(actor, "meeting-anna", "meeting-anna-anna", now=cast.NOW)
        case "case.read":
            await store.cases_of(actor, "meeting-anna")
        case "case.list":
            await store.waiting_cases(actor, cast.NOW)
        case "case.take":
            await store.take_case(actor, "none", now=cast.NOW)
        case "report.find":
            await store.report_by_code(actor, "K7MB2Q")
        case "meeting.find":
            assert await store.meeting_in(actor, "meeting-anna") == cast.meeting()
        case "meeting.change":
            await store.change_meeting(actor, "meeting-anna", {})
        case "day.read":
            await store.meetings_of_person(actor, b"person-lars", starts=(cast.NOW, cast.ENDS))
