"""AUT-1: every route with every kind of caller, as a table, none missing from it. LNK-3: scanners change nothing.

``idor.csv`` says what each caller gets who asks for Anna's session, her meeting, Lars's board, Nora's page of support
or Otto's pages of planning, each with own cookies (and, for the API of planning, the own session in the header):

none    nobody: no cookie at all                  per     takes part in the same meeting as Anna
anna    the patient of the meeting                kari    Anna herself, by her link to another meeting
lars    leads the meeting                         odd     leads another one of the same organisation
nora    support of the organisation               otto    plans for the organisation
eve     plans for another organisation            bot     a program of another organisation (bearer token)
rita    looks after the organisation's rooms      room    the PC of one of them (bearer key)
sven    staff of support, who has signed in       siri    staff with every role, of another organisation
"""

from __future__ import annotations

import csv
import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest
from yarl import URL

from readiness.access.actors import actor_of
from readiness.access.limits import FailureLimiter
from readiness.access.links import Links, api_token, give_support_link, organiser_link, room_link
from readiness.access.rooms import enrol, give_code
from readiness.meetings.addresses import Reach, seal_reach
from readiness.server.app import make_app
from reports.store.records import Host, StaffRole, new_id
from tests.actors import add_meeting, otto
from tests.cast import SUNNAAS, invite, make_cast, signed_in
from tests.conftest import Server
from tests.fleet import AGENT, RITA, result, room
from tests.security.support import AUDIT, redeem
from tests.server.test_board import phases, reported

MATRIX = Path(__file__).parent / "idor.csv"
CALLERS = ("none", "per", "kari", "odd", "eve", "bot", "nora", "anna", "lars", "otto", "rita", "room", "siri", "sven")
"""Those who own something come last, so that what they change is not in the way."""
PRINTS = "/api/v1/meetings/{meeting}/letters.pdf"
"""A GET that may write: a letter has a link in it, made where there is none yet. It needs a header that neither a
scanner nor another site's page can send."""
SIGN_OF_LIFE = "/api/rooms/settings"
"""The other one: that a room's PC asks is noted, once the note before is half a minute old. It needs the room's key."""
SCANNERS = ("none", "nora", "anna", "lars", "otto", "rita")
"""Whose links a mail scanner may open with HEAD too."""
STARTS = "2031-05-06T10:00:00+02:00"
MADE = {
    "title": "x", "starts_at": STARTS, "minutes": 30, "participants": [{"role": "patient", "label": "B"}],
    "hosts": [{"role": "leader", "label": "L"}],
}  # fmt: skip
BODIES: Mapping[tuple[str, str], Any] = {
    ("POST", "/api/v1/links/redeem"): {"organisation": "sunnaas", "token": "nothing"},
    ("POST", "/api/v1/sessions/{session}/feedback"): {"score": 5},
    ("POST", "/api/v1/sessions/{session}/follow/shown"): {"hint": "{following}"},
    ("POST", "/api/v1/desks/{session}/follow/{following}/hint"): {"code": "camera.dark"},
    ("POST", "/api/v1/boards/{session}/resend"): {"participant": "{participant}"},
    ("POST", "/api/v1/boards/{session}/handover"): {"participant": "{participant}"},
    ("POST", "/api/v1/boards/{session}/pin/check"): {"pin": "000000"},
    ("POST", "/api/v1/meetings"): MADE,
    ("PATCH", "/api/v1/meetings/{meeting}"): {"title": "changed"},
    ("POST", "/api/v1/meetings/{meeting}/participants"): {"role": "relative", "label": "C"},
    ("PATCH", "/api/v1/meetings/{meeting}/participants/{participant}"): {"label": "changed"},
    ("POST", "/api/v1/meetings/{meeting}/hosts"): {"role": "technical_host", "label": "T"},
    ("PATCH", "/api/v1/meetings/{meeting}/hosts/{host}"): {"label": "changed"},
    ("POST", "/api/v1/meetings/{meeting}/invitations"): {"people": ["{participant}"], "channel": "link"},
    ("POST", "/api/rooms/enrol"): {"code": "AAAA-AAAA", "agent": AGENT, "system": "linux"},
    ("POST", "/api/rooms/results"): result(datetime.now(tz=UTC)),
}


@dataclass
class Caller:
    """Somebody with the cookies and headers of an own link."""

    http: aiohttp.ClientSession
    session: str = ""
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        return {"Readiness-Session": self.session} if self.session else {}


@dataclass
class World:
    """Who there is, and what each address of a route stands for."""

    callers: dict[str, Caller]
    names: dict[str, str]

    def address(self, route: str) -> str:
        owners = {
            "/t/": "anna", "/api/v1/sessions/": "anna", "/plan/": "otto", "/support/": "nora", "/rooms/": "rita",
            "/staff/": "sven", "/settings/": "sven", "/api/v1/desks/": "nora",
            "/overview/": "otto",
        }  # fmt: skip
        owner = next((who for start, who in owners.items() if route.startswith(start)), "lars")
        route = route.replace("speedtest/{name}", "speedtest/latency.txt").replace("sign-in/{name}", "sign-in/nowhere")
        route = route.replace("told/{person}", "told/{participant}")
        return self.filled(route.replace("{session}", self.callers[owner].session))

    def filled(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    async def ask(self, caller: str, method: str, route: str) -> int:
        """Return the status that `caller` gets; a body that never ends is not waited for."""
        who = self.callers[caller]
        body = BODIES.get((method, route), {} if method in {"POST", "PATCH", "DELETE"} else None)
        if isinstance(body, dict):
            body = {key: self._of(value) for key, value in body.items()}
        async with who.http.request(
            method, self.address(route), json=body, headers=who.headers, allow_redirects=False
        ) as answer:
            return answer.status

    def _of(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.filled(value)
        return [self._of(one) for one in value] if isinstance(value, list) and isinstance(value[0], str) else value


class Database:
    """The embedded database, seen from outside: whether anything was written since the last look."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version, self._digest = self._read(), self._dumped()

    def _dumped(self) -> str:
        """A hash of all rows; of messages to send only which there are, for the server sends them meanwhile.

        Without those that the clock writes, such as the summary of tomorrow's meetings in the evening.

        Who looked at what is logged, which is no change to anything that was looked at.
        """
        lines = [line for line in self._connection.iterdump() if not line.startswith(('INSERT INTO "outbox"', AUDIT))]
        asked = "SELECT id, kind FROM outbox WHERE kind NOT IN ('summary', 'reminder', 'recheck') ORDER BY id"
        messages = [str(row) for row in self._connection.execute(asked)]
        return hashlib.sha256("\n".join(lines + messages).encode("utf-8", "surrogatepass")).hexdigest()

    def _read(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def has_changed(self) -> bool:
        """Whether what it holds is another thing than at the last look; a write without an effect is none."""
        version, digest = self._read(), self._digest
        if version == self._version:
            return False
        self._version, self._digest = version, self._dumped()
        return self._digest != digest


@pytest.fixture
def database(world: World, tmp_path: Path) -> Iterator[Database]:
    """What the server has stored, read only."""
    with closing(sqlite3.connect(f"file:{tmp_path / 'readiness.sqlite3'}?mode=ro", uri=True)) as connection:
        yield Database(connection)


def routes_of(server: Server) -> set[tuple[str, str]]:
    """Every route of the application but the HEAD that comes with each GET."""
    routes = make_app(server.services).router.routes()
    return {(one.method, one.resource.canonical) for one in routes if one.method != "HEAD" and one.resource}


def matrix() -> dict[tuple[str, str], dict[str, int]]:
    """The table, by method and route."""
    with MATRIX.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["method"], row["route"]): {caller: int(row[caller]) for caller in CALLERS} for row in rows}


def _browser(server: Server) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True))


@pytest.fixture
async def world(server: Server):
    """Two organisations, two meetings, ten callers; failures are forgotten at once."""
    seconds = count(step=1000)
    server.services.failures = FailureLimiter(lambda: float(next(seconds)))
    store, contacts, now = server.store, server.services.contacts, server.services.now()
    server.services.now = lambda: now  # on a busy machine this takes minutes, after which signs of life are noted
    cast = await make_cast(store)
    sunnaas = await store.organisation("sunnaas")
    east = await store.ensure_organisation(replace(SUNNAAS, id="east", slug="east"))
    assert sunnaas is not None
    reach = seal_reach(contacts, Reach(phone="+4790000000", mail="anna@post.example"))
    await store.change_meeting(otto("sunnaas"), cast.meeting.id, {"solution": "whereby"})
    await store.change_participant(otto("sunnaas"), cast.meeting.id, cast.anna.id, {"reach": reach})
    other = replace(cast.meeting, id=new_id(), import_key=None)
    kari = replace(cast.anna, id=new_id(), meeting_id=other.id)
    await add_meeting(store, other, [kari])
    lars = Host(new_id(), cast.meeting.id, "leader", "Lars", "nb", reach=reach)
    odd = Host(new_id(), other.id, "leader", "Odd", "nb")
    await store.add_host(otto("sunnaas"), cast.meeting.id, lars)
    await store.add_host(otto("sunnaas"), other.id, odd)
    gone = replace(cast.anna, id=new_id(), label="Gone", reach=None)
    await store.add_participant(otto("sunnaas"), cast.meeting.id, gone)
    await store.remove_participant(otto("sunnaas"), cast.meeting.id, gone.id, keeps=True)
    tokens = {"anna": cast.anna_token, "per": cast.per_token, "kari": (await invite(store, other, kari))[0]}
    for name, host, meeting in (("lars", lars, cast.meeting), ("odd", odd, other)):
        given = await Links(store, contacts, sunnaas, "", now).of(meeting, host)
        tokens[name] = given.link
    tokens["nora"] = await give_support_link(store, sunnaas, "", now)
    tokens["otto"] = await organiser_link(store, sunnaas, "", now)
    tokens["rita"] = await room_link(store, sunnaas, "", now)
    await store.add_room(RITA, room())
    code = await give_code(store, contacts, RITA, room().id, now)
    opened = await enrol(store, contacts, code, now, agent=AGENT, system="linux")
    assert opened is not None
    eve = await organiser_link(store, east, "", now)
    callers = {name: Caller(_browser(server)) for name in CALLERS}
    for name, link in tokens.items():
        callers[name].session = await redeem(callers[name].http, link.rpartition("#")[2])
    body = {"organisation": "east", "token": eve.rpartition("#")[2]}
    async with callers["eve"].http.post("/api/v1/links/redeem", json=body) as answer:
        callers["eve"].session = (await answer.json())["session"]
    for name, whose, roles in (("sven", "sunnaas", ["support"]), ("siri", "east", get_args(StaffRole))):
        callers[name].session, secret = await signed_in(store, whose, now, roles)
        callers[name].http.cookie_jar.update_cookies({f"rd-{callers[name].session}": secret}, URL(server.base))
    callers["bot"].token = await api_token(store, east, now)
    callers["room"].token = opened[1]
    await reported(server, cast, cast.anna, phases())
    own = await store.session_by_id(callers["anna"].session)
    assert own is not None
    followed = await store.let_follow(actor_of(own), own.id, now, now + timedelta(hours=1))
    assert followed is not None
    names = {
        "organisation": "sunnaas", "meeting": cast.meeting.id, "participant": cast.anna.id, "host": lars.id,
        "version": server.services.assets.version, "name": "shared/icon.svg", "token": "nothing", "room": room().id,
        "person": gone.id,
        "report": "unknown", "following": followed.id,
        "part": "contact",
    }  # fmt: skip
    yield World(callers, names)
    for caller in callers.values():
        await caller.http.close()


async def test_AUT_1_every_route_answers_every_caller_as_the_table_says(server, world, database):
    """Nobody gets at what is somebody else's; who is refused has changed nothing, nor has a scanner's GET or HEAD."""
    table = matrix()
    assert routes_of(server) == set(table), "the table and the routes differ"
    found: dict[tuple[str, str], dict[str, int]] = {}
    for method, route in table:
        found[method, route] = {}
        for caller in CALLERS:
            status = await world.ask(caller, method, route)
            found[method, route][caller] = status
            if method == "GET" and caller in SCANNERS and not route.endswith("/events"):
                assert await world.ask(caller, "HEAD", route) in {status, 405}, route
            is_safe = method == "GET" and route not in {PRINTS, SIGN_OF_LIFE}
            may_change = not is_safe and status not in {401, 403, 404}
            assert not database.has_changed() or may_change, (method, route, caller)
        if (method, route) == ("GET", "/api/v1/meetings"):
            await _others_are_not_listed(world)
    differ = {key: (found[key], wanted) for key, wanted in table.items() if found[key] != wanted}
    assert not differ, {
        key: {who: (got[who], wanted[who]) for who in got if got[who] != wanted[who]}
        for key, (got, wanted) in differ.items()
    }


async def _others_are_not_listed(world: World) -> None:
    """AUT-2: who plans for another organisation sees nothing of ours in the list that is open to all planners."""
    own = [world.names["meeting"]]
    for name, listed in (("otto", own), ("eve", []), ("bot", [])):
        caller = world.callers[name]
        async with caller.http.get("/api/v1/meetings", headers=caller.headers) as answer:
            found = [one["id"] for one in (await answer.json())["meetings"]]
        assert [one for one in found if one in own] == listed, name
        assert (found != []) == (name == "otto"), name


def test_AUT_1_the_table_lets_nobody_in_by_mistake():
    """Read without running: a stranger never gets more than nobody at all, and what has an owner has one."""
    public = 0
    for (method, route), row in matrix().items():
        strangers = {row[name] for name in ("kari", "odd", "eve", "bot", "siri")}
        if row["none"] < 400:
            public += 1
            assert set(row.values()) == {row["none"]}, (method, route)
        elif "{session}" in route or "{meeting}" in route:
            assert all(status >= 400 for status in strangers), (method, route)
            owners = [name for name in CALLERS if row[name] < 400 or (name in {"anna", "lars"} and row[name] == 400)]
            assert len(owners) <= 1, (method, route, owners)
    assert public > 10
