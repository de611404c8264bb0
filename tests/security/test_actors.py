"""AUT-1 below the edge: one table says what each kind of actor may do; the store asks it, `idor.csv` agrees."""

from __future__ import annotations

import ast
import csv
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from inspect import signature
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from readiness.access.actors import actor_of, sessions_that_may
from reports.store import Actor, NotAllowed, Store
from reports.store.actors import MAY, Act, ActorKind
from reports.store.cases import CasePart
from reports.store.records import SessionKind
from tests.security.test_idor import MATRIX
from tests.store import cast

ROOT = Path(__file__).resolve().parents[2]
ROUTES = {
    ("POST", "/api/v1/boards/{session}/handover"): "case.open",
    ("GET", "/api/v1/boards/{session}"): "case.read",
    ("GET", "/support/{session}"): "case.list",
    ("POST", "/support/{session}/taken"): "case.take",
}
WHO: dict[str, ActorKind] = {
    "per": "participant", "kari": "participant", "anna": "participant", "odd": "leader", "lars": "leader",
    "nora": "support", "eve": "organiser", "otto": "organiser",
}  # fmt: skip
"""The callers of `idor.csv` that have a session of their own."""
WITH_CASES = {"tables", "cases", "retention"}
"""Modules of the store that touch the table; retention does by the clock, for nobody."""


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
    assert {actor.kind for actor in made.values()} | {"host"} == set(get_args(ActorKind))


def test_the_table_and_the_matrix_of_routes_agree():
    """Whoever gets through a route of cases is of a kind that may; every kind that may gets through somewhere."""
    assert set(ROUTES.values()) == set(MAY) == set(get_args(Act))
    with MATRIX.open(encoding="utf-8", newline="") as file:
        matrix = {(row["method"], row["route"]): row for row in csv.DictReader(file)}
    for route, act in ROUTES.items():
        through = {kind for name, kind in WHO.items() if int(matrix[route][name]) < 400}
        assert through == MAY[act] - {"host"}, route
        assert matrix[route]["none"] == "404"
        assert sessions_that_may(act) == through, "a technical host's session is a leader's"


def test_no_method_of_cases_goes_without_an_actor():
    """Each takes one first and asks the table before anything else; no other module of the store touches a case."""
    asked = set()
    tree = ast.parse((ROOT / "reports/store/cases.py").read_text(encoding="utf-8"))
    (part,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    for method in (node for node in part.body if isinstance(node, ast.AsyncFunctionDef)):
        if method.name.startswith("_"):
            continue
        assert list(signature(getattr(CasePart, method.name)).parameters)[1] == "actor", method.name
        first = ast.unparse(method.body[1])
        assert first.startswith("actor.require("), f"{method.name} begins with {first}"
        asked.add(ast.literal_eval(first.removeprefix("actor.require(").removesuffix(")")))
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
