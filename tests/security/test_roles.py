"""AUT-1, AUT-2 for staff: every route with every role, each with its own session, and with what is not theirs.

``roles.csv`` says what each role gets whose own page it is, and who asks for a meeting, people, a report or a room of
their own; signing out stands last. Of another unit and of another organisation everybody gets what they get for an id
that nobody has: the same status, no word of it, and no change.
"""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest
from yarl import URL

from readiness.access.limits import FailureLimiter
from reports.store import Store
from reports.store.records import Host, Meeting, StaffRole, new_id
from tests.actors import CLOCK, add_meeting, otto
from tests.cast import SUNNAAS, make_cast, signed_in
from tests.conftest import Server
from tests.fleet import RITA, room
from tests.security.test_idor import BODIES, PRINTS, Database, routes_of
from tests.store.cast import report

MATRIX = Path(__file__).parent / "roles.csv"
ROLES: tuple[StaffRole, ...] = get_args(StaffRole)
WITH_UNITS = ("support", "organiser", "reader")
"""Roles that may be for some units; of the others the first has no meetings, a leader those that they lead."""
OF_SOMEBODY = re.compile(r"\{(meeting|participant|host|report|person|room)\}")
CANARIES = ("CanaryOfWard", "CanaryOfEast")
Names = Mapping[str, str]
Route = tuple[str, str]


@dataclass
class Role:
    """Somebody with one role, and ids by name: of their own things, of another unit, another organisation, nobody."""

    name: StaffRole
    http: aiohttp.ClientSession
    session: str
    own: Names
    others: Mapping[str, Names]
    nobody: Names


@dataclass
class Staff:
    """One of each role, and the database that they must not change."""

    server: Server
    roles: list[Role]
    database: Database

    async def ask(self, who: Role, method: str, route: str, names: Names) -> int:
        """Return the status that somebody gets; no answer says anything of others, and none that never ends is read."""
        address, body = self._filled(route, who, names), BODIES.get((method, route))
        if body is None and method in {"POST", "PATCH", "DELETE"}:
            body = {}
        body = {key: self._of(value, who, names) for key, value in body.items()} if isinstance(body, dict) else body
        headers = {"Readiness-Session": who.session}
        async with who.http.request(method, address, json=body, headers=headers, allow_redirects=False) as answer:
            if not route.endswith("/events"):
                text = (await answer.read()).decode("utf-8", "replace")
                assert not [one for one in CANARIES if one in text], (method, route, who.name)
            return answer.status

    def _filled(self, text: str, who: Role, names: Names) -> str:
        text = text.replace("speedtest/{name}", "speedtest/latency.txt").replace("sign-in/{name}", "sign-in/nowhere")
        text = text.replace("told/{person}", "told/{participant}")
        known = {"session": who.session, "version": self.server.services.assets.version, "organisation": "sunnaas"}
        known |= {"token": "nothing", "name": "shared/icon.svg", **names}
        return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], "unknown"), text)

    def _of(self, value: Any, who: Role, names: Names) -> Any:
        if isinstance(value, str):
            return self._filled(value, who, names)
        return [self._of(one, who, names) for one in value] if isinstance(value, list) else value


async def objects(store: Store, meeting: Meeting, label: str, led_by: bytes) -> Names:
    """A meeting with somebody in it, who has a report, somebody who leads it, and somebody who was taken out."""
    anna = await make_person(store, meeting, label, led_by)
    made = report(
        organisation_id=meeting.organisation_id, meeting_id=meeting.id, participant_id=anna, session_id=None,
        verdict="not_ready",
    )  # fmt: skip
    await store.save_report(replace(CLOCK, organisation_id=meeting.organisation_id), made)
    gone = await make_person(store, meeting, label, led_by, more=True)
    await store.remove_participant(otto(meeting.organisation_id), meeting.id, gone, keeps=True)
    host = (await store.hosts(otto(meeting.organisation_id), meeting.id))[0]
    return {"meeting": meeting.id, "participant": anna, "report": made.id, "host": host.id, "person": gone}


async def make_person(store: Store, meeting: Meeting, label: str, led_by: bytes, *, more: bool = False) -> str:
    """Add somebody to a meeting, which is made with them unless they are one `more`; return their id."""
    person = replace((await make_cast(store)).anna, id=new_id(), meeting_id=meeting.id, label=label)
    if more:
        await store.add_participant(otto(meeting.organisation_id), meeting.id, person)
    else:
        leads = Host(new_id(), meeting.id, "leader", label, "nb", person_hash=led_by)
        await add_meeting(store, meeting, [person], [leads])
    return person.id


def matrix() -> dict[Route, dict[str, int]]:
    """The table, by method and route."""
    with MATRIX.open(encoding="utf-8", newline="") as file:
        return {(row["method"], row["route"]): {role: int(row[role]) for role in ROLES} for row in csv.DictReader(file)}


@pytest.fixture
async def staff(server: Server, tmp_path: Path) -> AsyncIterator[Staff]:
    """Two organisations, two units; each role with a meeting of its own, so that nobody changes another one's."""
    seconds = count(step=1000)
    server.services.failures = server.services.lookups = FailureLimiter(lambda: float(next(seconds)))
    store, now = server.store, server.services.now()
    server.services.now = lambda: now
    cast = await make_cast(store)
    await store.ensure_organisation(replace(SUNNAAS, id="east", slug="east"))
    for where, owner in ((RITA, "sunnaas"), (replace(RITA, organisation_id="east"), "east")):
        await store.add_room(where, replace(room(), id=f"room-{owner}", organisation_id=owner))
    base = replace(cast.meeting, import_key=None)
    ward = replace(base, id=new_id(), unit="Ward 2", title=CANARIES[0])
    east = replace(base, id=new_id(), unit="Ward 1", title=CANARIES[1], organisation_id="east")
    of_ward = await objects(store, ward, CANARIES[0], b"w" * 32) | {"room": new_id()}
    of_east = await objects(store, east, CANARIES[1], b"e" * 32) | {"room": "room-east"}
    nobody = {name: new_id() for name in of_ward}
    roles = []
    for name in ROLES:
        led_by = name.encode().ljust(32, b"_")
        mine = await objects(store, replace(base, id=new_id(), unit="Ward 1"), name, led_by) | {"room": "room-sunnaas"}
        units = ("Ward 1",) if name in WITH_UNITS else ()
        http = aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True))
        session, secret = await signed_in(store, "sunnaas", now, [name], name=name, units=units, person_hash=led_by)
        http.cookie_jar.update_cookies({f"rd-{session}": secret}, URL(server.base))
        roles.append(Role(name, http, session, mine, {"unit": of_ward, "organisation": of_east}, nobody))
    with closing(sqlite3.connect(f"file:{tmp_path / 'readiness.sqlite3'}?mode=ro", uri=True)) as connection:
        yield Staff(server, roles, Database(connection))
    for role in roles:
        await role.http.close()


async def test_AUT_2_what_is_of_another_unit_or_organisation_is_of_nobody(staff: Staff):
    """Every route that names somebody's thing, every role: as for an id that there is not, in status and effect."""
    for method, route in sorted(routes_of(staff.server)):
        if not OF_SOMEBODY.search(route + repr(BODIES.get((method, route), ""))):
            continue
        for role in staff.roles:
            wanted = await staff.ask(role, method, route, role.nobody)
            for whose, names in role.others.items():
                assert await staff.ask(role, method, route, names) == wanted, (method, route, role.name, whose)
            assert not staff.database.has_changed(), (method, route, role.name)


async def test_AUT_1_every_route_answers_every_role_as_the_table_says(staff: Staff):
    """With their own session and things; who is refused has changed nothing. A new route stands in the table."""
    table = matrix()
    assert routes_of(staff.server) == set(table), "the table and the routes differ"
    found: dict[Route, dict[str, int]] = {}
    for method, route in table:
        found[method, route] = {}
        for role in staff.roles:
            status = await staff.ask(role, method, route, role.own)
            found[method, route][role.name] = status
            may_change = status not in {401, 403, 404} and (method != "GET" or route == PRINTS)
            assert not staff.database.has_changed() or may_change, (method, route, role.name)
    differ = {key: (got, table[key]) for key, got in found.items() if got != table[key]}
    assert not differ, differ


async def test_AUT_2_who_leads_a_meeting_elsewhere_plans_nothing_there(staff: Staff):
    """One role reaches what it does by itself: the board of a led meeting opens, the view of who plans it does not."""
    store, base = staff.server.store, staff.server.base
    session, secret = await signed_in(
        store, "sunnaas", staff.server.services.now(), ["organiser", "leader"],
        name="both", units=("Ward 1",), whole=("leader",), person_hash=b"w" * 32,
    )  # fmt: skip
    led, planned = staff.roles[0].others["unit"]["meeting"], staff.roles[0].own["meeting"]
    async with aiohttp.ClientSession(base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        http.cookie_jar.update_cookies({f"rd-{session}": secret}, URL(base))
        asked = {"Readiness-Session": session}
        for path, status in (
            (f"/api/v1/boards/{session}", 200),
            (f"/api/v1/meetings/{planned}", 200),
            (f"/api/v1/meetings/{led}", 404),
            (f"/api/v1/meetings/{led}/letters.pdf", 404),
        ):
            async with http.get(path, headers=asked) as answer:
                assert answer.status == status, path
                assert (CANARIES[0] in await answer.text()) is path.startswith("/api/v1/boards"), path
        async with http.get(f"/board/{session}") as answer:
            page = await answer.text()
    assert f'href="/staff/{session}"' in page
    assert "board.keep_text" not in page, "no bookmark opens it until the meeting is over"


def test_AUT_1_a_role_opens_what_it_is_for():
    """Read without running: nobody but an administrator changes settings, and a reader of figures sees no person."""
    for (method, route), row in matrix().items():
        if OF_SOMEBODY.search(route) or route.startswith(("/support/", "/plan/", "/rooms/", "/api/v1/boards")):
            assert row["reader"] >= 400, (method, route)
            assert row["administrator"] >= 400, (method, route)
    assert {role for role, status in matrix()["GET", "/overview/{session}"].items() if status == 200} == {
        "administrator", "support", "organiser", "reader",
    }  # fmt: skip
