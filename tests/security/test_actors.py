"""AUT-1 below the edge: one table says what each kind of actor may do; the store asks it, `idor.csv` agrees."""

from __future__ import annotations

import ast
import csv
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from inspect import getsource, signature
from itertools import product
from pathlib import Path
from textwrap import dedent
from typing import get_args

import pytest

from readiness.access.actors import actor_of, clock_of, operator_of, room_actor, sessions_that_may
from reports.kinds import TESTERS
from reports.store import Actor, Gone, NotAllowed, Store
from reports.store.actors import MAY, OWN_ONLY, Act, ActorKind
from reports.store.audit_part import AuditPart
from reports.store.cases import CasePart
from reports.store.desk import DeskPart
from reports.store.feedback import FeedbackPart
from reports.store.following import FollowPart
from reports.store.meetings import MeetingPart
from reports.store.organisations import OrganisationPart
from reports.store.outbox import OutboxPart
from reports.store.participation import ParticipationPart
from reports.store.people import PeoplePart
from reports.store.records import InvitationKind, SessionKind, StaffRole
from reports.store.room_results import RoomResultPart
from reports.store.rooms import RoomPart
from reports.store.stored_reports import ReportPart
from reports.store.subject import SubjectPart
from tests.fleet import room
from tests.floors import nodes_of
from tests.security.test_idor import MATRIX
from tests.statements import statements_of
from tests.store import cast

ROOT = Path(__file__).resolve().parents[2]
BOARD, OWN_PAGE = ("GET", "/api/v1/boards/{session}"), ("GET", "/api/v1/sessions/{session}")
NEW_MEETING = ("POST", "/api/v1/meetings")
ROUTES: dict[Act, tuple[tuple[str, str], ...]] = {
    "case.open": (("POST", "/api/v1/boards/{session}/handover"),),
    "case.read": (BOARD,),
    "case.list": (("GET", "/support/{session}"),),
    "case.take": (("POST", "/support/{session}/next"),),
    "person.help": (("POST", "/support/{session}/person/{participant}/resend"),),
    "report.judge": (("POST", "/support/{session}/report/{report}/judged"),),
    "report.find": (("GET", "/support/{session}"),),
    "report.last": (OWN_PAGE,),
    "report.own": (OWN_PAGE,),
    "report.save": (OWN_PAGE,),
    "report.delete": (("DELETE", "/api/v1/sessions/{session}/report"),),
    "meeting.read": (BOARD, OWN_PAGE, NEW_MEETING),
    "meeting.find": (("GET", "/api/v1/meetings"),),
    "meeting.change": (NEW_MEETING,),
    "day.read": (BOARD,),
    "people.read": (BOARD, NEW_MEETING),
    "person.read": (OWN_PAGE, ("POST", "/api/v1/boards/{session}/resend")),
    "host.read": (),
    "phone.read": (BOARD,),
    "phone.give": (OWN_PAGE,),
    "room.report": (("GET", "/api/rooms/settings"),),
    "room.read": (("GET", "/rooms/{session}"),),
    "room.manage": (("POST", "/rooms/{session}/room/{room}/known"),),
    "room.invite": (NEW_MEETING,),
    "room.beside": (BOARD, NEW_MEETING, ("GET", "/support/{session}")),
    "audit.read": (),
    "settings.read": (("GET", "/settings/{session}"),),
    "settings.change": (("POST", "/settings/{session}/undo"),),
    "sums.read": (
        ("GET", "/api/v1/feedback/summary"),
        ("GET", "/support/{session}/figures"),
        ("GET", "/board/{session}/figures"),
    ),
    "figures.read": (("GET", "/overview/{session}"), ("GET", "/support/{session}")),
    "follow.give": (("POST", "/api/v1/sessions/{session}/follow"),),
    "follow.end": (("DELETE", "/api/v1/sessions/{session}/follow"),),
    "follow.own": (
        ("GET", "/api/v1/sessions/{session}/follow"),
        ("GET", "/api/v1/sessions/{session}/follow/events"),
    ),
    "follow.read": (("GET", "/api/v1/desks/{session}/follow/{following}/events"),),
    "follow.hint": (("POST", "/api/v1/desks/{session}/follow/{following}/hint"),),
    "data.own": (("GET", "/api/v1/sessions/{session}/data"),),
}
"""The routes that lead to an act. Through the page's socket a report is saved, and a number is given."""
BY_SECRET = "a code or key that is looked up: what a room's actor is made of"
THE_LOG = "the audit log itself: what is done, not by whom it may be done"
PASSED = "what is passed on under the id of a following that was authorised before"
BY_CLOCK = "what is sent, of every organisation at once"
ANSWERS = "what a session's own person says afterwards"
THE_PLACE = "the organisation itself, for whom an actor is made"
WHO: dict[str, ActorKind] = {
    "per": "participant", "kari": "participant", "anna": "participant", "odd": "leader", "lars": "leader",
    "nora": "support", "eve": "organiser", "otto": "organiser", "bot": "program",
    "rita": "room_manager", "room": "room",
}  # fmt: skip
"""The callers of `idor.csv`, but for nobody."""
ROLES_ONLY: frozenset[ActorKind] = frozenset({"administrator", "reader"})
"""Roles of staff for which there is no link."""
NO_CALLER: frozenset[ActorKind] = (
    frozenset({"guest", "host", "host_test", "calendar", "operator", "clock", "fleet", "staff"}) | ROLES_ONLY
)
"""A guest and a host who tests do so as a participant does, a technical host has a leader's session, a
calendar's token stands in the path, the others come by no route."""
PARTS = (
    *(MeetingPart, PeoplePart, CasePart, DeskPart, ReportPart, OutboxPart, RoomPart, RoomResultPart, AuditPart),
    SubjectPart,
    ParticipationPart,
    OrganisationPart,
    FollowPart,
    FeedbackPart,
)
WITHOUT = {
    "queue": BY_CLOCK, "claim_outgoing": BY_CLOCK, "settle_outgoing": BY_CLOCK, "stuck": BY_CLOCK,
    "meetings_starting": BY_CLOCK, "rooms_silent": BY_CLOCK, "claim_room_notices": BY_CLOCK,
    "settle_room_notice": BY_CLOCK, "room_event": BY_CLOCK, "enrol_room": BY_SECRET, "room_of_key": BY_SECRET,
    "begin_if_few": THE_LOG,
    "keep_audit": THE_LOG, "mark": THE_LOG, "log_deed": THE_LOG, "audit_head": THE_LOG, "verify_audit": THE_LOG,
    "ensure_organisation": THE_PLACE, "organisation": THE_PLACE, "only_organisation": THE_PLACE,
    "organisation_by_id": THE_PLACE,
    "end_followings_due": BY_CLOCK, "pass_on": PASSED, "listen": PASSED,
    "add_feedback": ANSWERS, "feedback_for": ANSWERS, "host_of_session": ANSWERS, "answered": BY_CLOCK,
    "audit_due": BY_CLOCK, "audit_entries_due": BY_CLOCK, "purge_audit": BY_CLOCK,
}  # fmt: skip
"""What goes by another right."""
ANNA, PEOPLE = "meeting-anna-anna", ("lars", "anna", "kari")
WITH_CASES = {"tables", "cases", "desk", "retention", "subject"}
"""Modules of the store that touch the table; retention does by the clock, for nobody, and people ask for their own."""


def public_methods(part: type) -> list[str]:
    """What others call of a part of the store."""
    return [name for name in vars(part) if not name.startswith("_")]


def asked_for(call: ast.Call) -> Act:
    """The act in a call of `Actor.require`."""
    act: Act = ast.literal_eval(call.args[0])
    return act


def test_every_session_has_its_kind_of_actor():
    """A leader's link of a technical host is the host's; whoever has no name is named by the link."""
    made = {kind: actor_of(cast.session(kind=kind, participant_id=None)) for kind in get_args(SessionKind)}
    assert {kind: actor.kind for kind, actor in made.items()} == {
        "participant": "participant", "leader": "leader", "host_test": "host_test", "drop_in": "guest",
        "support": "support", "organiser": "organiser", "room_manager": "room_manager", "room": "guest",
        "staff": "staff",
    }  # fmt: skip
    limits = frozenset({("support", "Ward 3")})
    sven = cast.session(kind="staff", participant_id=None, staff_id="s", roles=("support",), limits=limits)
    assert actor_of(sven) == Actor("staff", "org-sunnaas", "staff:s", frozenset({"support"}), limits)
    led = replace(sven, roles=("leader",), limits=frozenset(), person_hash=b"person-lars")
    assert actor_of(led, cast.host()) == Actor(
        "staff", "org-sunnaas", "staff:s", frozenset({"leader"}), person_hash=b"person-lars", host_id="host:host-lars"
    )
    opened = cast.session(kind="leader", participant_id=None, invitation_id="i")
    assert actor_of(opened) == Actor("leader", "org-sunnaas", "link:i")
    assert actor_of(opened, cast.host()) == Actor("leader", "org-sunnaas", "host:host-lars")
    assert actor_of(opened, cast.host(role="technical_host")).kind == "host"
    assert actor_of(cast.session()).id == "participant:meeting-anna-anna"
    shown = {kind: cast.invitation(kind=kind, participant_id=None) for kind in get_args(InvitationKind)}
    assert actor_of(shown["api"]) == Actor("program", "org-sunnaas", "link:link-anna")
    assert actor_of(replace(shown["feed"], host_id="host-lars")) == Actor("calendar", "org-sunnaas", "host:host-lars")
    for kind in set(shown) - {"api", "feed", "fleet"}:
        with pytest.raises(ValueError, match="swapped for a session"):
            actor_of(shown[kind])
    assert operator_of(cast.organisation()) == Actor("operator", "org-sunnaas", "operator")
    assert clock_of("org-sunnaas") == Actor("clock", "org-sunnaas", "clock")
    assert room_actor(room(organisation_id="org-sunnaas")) == Actor("room", "org-sunnaas", "room:room-Fjorden")
    named: set[ActorKind] = {"host", "program", "calendar", "operator", "clock", "room", "fleet"}
    assert {actor.kind for actor in made.values()} | named | ROLES_ONLY == set(get_args(ActorKind))


def test_actors_are_made_at_the_edge_only():
    """In one module, out of what was authorised there; a route can't make one up."""
    makers = set()
    for path in (*(ROOT / "readiness").rglob("*.py"), *(ROOT / "reports").rglob("*.py")):
        calls = (node.func for node in nodes_of(path.read_text("utf-8")) if isinstance(node, ast.Call))
        named = (getattr(func, "attr", getattr(func, "id", "")) for func in calls)
        if "Actor" in named:
            makers.add(str(path.relative_to(ROOT)))
    assert makers == {"readiness/access/actors.py"}


def test_the_table_and_the_matrix_of_routes_agree():
    """Through a route that leads to an act gets exactly who may do it."""
    assert set(ROUTES) == set(MAY) == set(get_args(Act))
    with MATRIX.open(encoding="utf-8", newline="") as file:
        matrix = {(row["method"], row["route"]): row for row in csv.DictReader(file)}
    for act, routes in ROUTES.items():
        rows = [matrix[route] for route in routes]
        through = {kind for row in rows for name, kind in WHO.items() if int(row[name]) < 400}
        assert through == MAY[act] - NO_CALLER, act
        assert {row["none"] for row in rows} <= {"401", "404"}
        guest = {"drop_in", "room"} if "guest" in MAY[act] else set()
        signed_in = (ROLES_ONLY | {"host_test"}) & MAY[act]
        assert sessions_that_may(act) == through - {"program", "room"} | guest | signed_in, (
            "a technical host's session is a leader's"
        )
    assert sessions_that_may("report.save") == sessions_that_may("report.own") == TESTERS, "whom the socket lets in"


def test_no_method_goes_without_an_actor():
    """Each takes one first and asks the table before anything else; no module but its own touches a case."""
    asked, without = set(), set()
    for method in (getattr(part, name) for part in PARTS for name in public_methods(part)):
        if list(signature(method).parameters)[1:2] != ["actor"]:
            without.add(method.__name__)
            continue
        (node,) = ast.parse(dedent(getsource(method))).body
        assert isinstance(node, ast.AsyncFunctionDef)
        call = getattr(node.body[1], "value", None)
        begins = f"{node.name} begins with {ast.unparse(node.body[1])}"
        assert isinstance(call, ast.Call), begins
        assert ast.unparse(call.func) == "actor.require", begins
        asked.add(asked_for(call))
        if "participant_id" in signature(method).parameters and MAY[asked_for(call)] & OWN_ONLY:
            assert ast.unparse(call.args[1]) == "participant_id", f"{node.name} does not say of whom"
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
        actor = replace(cast.ANNA, kind=kind)
        if kind not in MAY[act]:
            with pytest.raises(NotAllowed):
                await ask(store, actor, act)
    assert await store.cases_of(cast.LARS, "meeting-anna") == []
    for kind, act in product(get_args(ActorKind), get_args(Act)):
        if kind in MAY[act]:
            await ask(store, replace(cast.ANNA, kind=kind), act)


def test_staff_may_what_their_roles_may_and_nothing_else():
    """Each role alone, all together, and none: exactly what the table gives those kinds."""
    for roles in ((), *((role,) for role in get_args(StaffRole)), get_args(StaffRole)):
        actor = Actor("staff", "org-sunnaas", "staff:s", frozenset(roles))
        assert {act for act in get_args(Act) if actor.may(act)} == {
            act for act, kinds in MAY.items() if kinds & set(roles)
        }


async def test_nobody_reaches_another_organisation_or_anothers_own(store: Store):
    """AUT-2: by the right ids, whoever asks; and a participant gets at nobody else's in the same meeting either."""
    await store.add_host(cast.OTTO, "meeting-anna", cast.host())
    saved = await store.save_report(cast.CLOCK, cast.report())
    await store.set_practical(cast.ANNA, ANNA, phone_encrypted=b"number")
    await store.queue([cast.outgoing()])
    clock, lars = clock_of("org-ahus"), replace(cast.LARS, organisation_id="org-ahus")
    assert await store.meeting(clock, "meeting-anna") is None
    assert await store.participant(clock, ANNA) is None
    assert await store.participants(clock, "meeting-anna") == []
    assert await store.host(clock, "host-lars") is None
    assert await store.hosts(clock, "meeting-anna") == []
    assert await store.board(clock, "meeting-anna") == []
    assert await store.latest_report(clock, ANNA) is None
    assert await store.report_for_session(clock, "session-anna") is None
    assert await store.report_marks(clock, "meeting-anna") == []
    assert await store.outgoing_of(clock, "meeting-anna") == []
    assert await store.phone(lars, ANNA) is None
    with pytest.raises(Gone):
        await store.set_practical(replace(cast.ANNA, organisation_id="org-ahus"), ANNA, phone_encrypted=None)
    assert await store.phone(cast.LARS, ANNA) == b"number"
    for asked in (store.participant, store.latest_report, partial(store.set_practical, phone_encrypted=None)):
        with pytest.raises(NotAllowed, match="of another one"):
            await asked(replace(cast.ANNA, id="participant:meeting-anna-kari"), ANNA)
    for actor in (
        replace(cast.ANNA, organisation_id="org-ahus"),
        replace(cast.ANNA, kind="guest", organisation_id="x"),
    ):
        assert not await store.delete_everything_of(actor, "session-anna", cast.NOW)
        assert not await store.delete_report(actor, saved.id, "session-anna")
    with pytest.raises(ValueError, match="another organisation"):
        await store.save_report(clock, cast.report())
    with pytest.raises(NotAllowed, match="of another one"):
        await store.save_report(replace(cast.ANNA, id="participant:meeting-anna-kari"), cast.report())
    with pytest.raises(NotAllowed, match="of another one"):
        await store.save_report(replace(cast.ANNA, kind="guest", id="session:session-drop-in"), cast.report())
    assert len(await store.report_marks(cast.CLOCK, "meeting-anna")) == 1


async def test_nobody_has_all_reports_of_the_organisation_read(store: Store, tmp_path: Path):
    """Whose it is, is asked beside what is wanted: SQLite takes the index of the person, meeting or session still."""
    await store.save_report(cast.CLOCK, cast.report())
    with statements_of(store) as asked:
        await store.latest_report(cast.ANNA, ANNA)
        await store.report_for_session(cast.ANNA, "session-anna")
        await store.board(cast.LARS, "meeting-anna")
        await store.report_marks(cast.CLOCK, "meeting-anna")
        await store.outgoing_of(cast.LARS, "meeting-anna")
        await store.delete_everything_of(cast.ANNA, "session-anna", cast.NOW)
    used = ""
    with closing(sqlite3.connect(tmp_path / "r.db")) as database:
        for statement in asked:
            plan = database.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?"))
            used += "\n".join(str(step[3]) for step in plan) + "\n"
    assert {"ix_report_participant_id", "ix_report_meeting_id", "ix_report_session_id"} <= set(used.split())
    assert not re.search(r"^SCAN|organisation_id", used, re.MULTILINE), used


async def ask(store: Store, actor: Actor, act: Act) -> None:
    """Do what `act` names."""
    match act:
        case "case.open":
            await store.open_case(actor, "meeting-anna", "meeting-anna-anna", now=cast.NOW)
        case "case.read":
            await store.cases_of(actor, "meeting-anna")
        case "case.list":
            await store.desk(actor, cast.NOW)
        case "case.take":
            await store.take_person(actor, "none", cast.NOW)
        case "person.help":
            await store.desk_person(actor, ANNA, cast.NOW)
        case "report.judge":
            assert not await store.judge_report(actor, "none", "false_alarm")
        case "report.find":
            await store.report_by_code(actor, "K7MB2Q")
        case "meeting.find":
            assert await store.meetings_by_keys(actor, [cast.digest("key")]) == {}
        case "meeting.change":
            await store.change_meeting(actor, "meeting-anna", {})
        case "meeting.read":
            assert await store.meeting(actor, "meeting-anna") == cast.meeting()
        case "people.read":
            assert len(await store.participants(actor, "meeting-anna")) == len(PEOPLE)
        case "person.read":
            assert await store.participant(actor, ANNA) == cast.participant("anna", 1)
        case "host.read":
            assert await store.host(actor, "none") is None
        case "report.last":
            assert await store.latest_report(actor, ANNA) is None
        case "report.own":
            assert await store.report_for_session(actor, "session-anna") is None
        case "report.save":
            added = cast.report() if actor.kind != "guest" else cast.report(meeting_id=None, participant_id=None)
            with pytest.raises(ValueError, match="needs the claim"):
                await store.save_report(actor, replace(added, self_test_id="test-anna"))
        case "report.delete":
            assert not await store.delete_report(actor, "none", "session-anna")
            assert not await store.delete_everything_of(actor, "none", cast.NOW)
        case "phone.give":
            await store.set_practical(actor, ANNA, phone_encrypted=b"number")
        case "phone.read":
            await store.phone(actor, ANNA)
        case "room.report":
            assert await store.own_room(actor) is None
        case "room.read":
            assert await store.rooms(actor) == []
        case "room.manage":
            assert not await store.remove_room(actor, "none")
        case "room.invite":
            assert await store.rooms_to_invite(actor) == []
        case "room.beside":
            assert await store.meeting_rooms(actor, "meeting-anna") == []
        case "figures.read":
            assert await store.participation(actor, ("2026-W01", "2026-W53")) == []
        case "follow.give":
            assert await store.let_follow(actor, "none", cast.NOW, cast.NOW) is None
        case "follow.end":
            assert not await store.end_following(actor, "none")
        case "follow.own":
            assert await store.following_of(actor, "none", cast.NOW) is None
        case "follow.read":
            assert await store.following(actor, "none", cast.NOW) is None
        case "follow.hint":
            assert await store.give_hint(actor, "none", "camera.dark", cast.NOW) is None
        case "sums.read":
            assert await store.feedback_sums(actor, ("2026-W01", "2026-W53")) == []
        case "settings.change":
            await store.change_settings(actor, [], cast.NOW)
        case "settings.read":
            assert await store.setting_changes(actor) == []
        case "data.own":
            person = ANNA if actor.kind != "guest" else None
            assert await store.data_of(actor, person, None if person else "session-drop-in")
        case "audit.read":
            assert await store.audit_entries(actor, between=(cast.NOW, cast.ENDS)) == []
        case "day.read":
            await store.meetings_of_person(actor, b"person-lars", starts=(cast.NOW, cast.ENDS))
