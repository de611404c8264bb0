"""Whatever is sent, on whatever route: never our fault, never a second's work (RTC-2), on both databases."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from readiness.access.links import api_token, give_support_link, organiser_link
from readiness.server.app import make_app, make_runner, make_services
from readiness.server.strict import is_id, is_plain, read_json
from readiness.settings import load_settings
from reports.store import Store
from reports.store.records import Host, new_id
from tests.actors import otto
from tests.cast import SUNNAAS, make_cast
from tests.conftest import Server
from tests.security.support import raw_get
from tests.store.conftest import PostgresServer

BAD_PARTS = (
    "%00",
    "a%00b",
    "%ED%A0%80",
    "%FF",
    "%F0%9F%98%80",
    "x" * 3000,
    "%2e%2e%2f",
    "%27%22%3B--",
    "%D9%A1",
    "%0d%0aX:%20y",
)
BAD_TEXTS = ("\u0000", "a\u0000b", "\ud800", "\udfff\ud800", "x" * 3000, "", "\u202e", "9" * 3000)
BAD_VALUES = (*BAD_TEXTS, None, True, 0, -1, 1e308, 10**300, [], {}, [[]], {"a": {}}, ["\u0000"])
BAD_BODIES = (
    b"", b"{", b"null", b"[]", b'"x"', b"0", b"NaN", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":1e999}', b"\xff\xfe{}",
    b'{"a":1,"a":2}', b'{"a":"\\ud800"}', b'{"a":"\\u0000"}', b'{"\\u0000":1}', b'{"a":"\xff"}', b"\xef\xbb\xbf{}",
    b"[" * 4000, b'{"a":' * 600 + b"1" + b"}" * 600, b'{"a":' + b"9" * 3900 + b"}", '{"a":1}'.encode("utf-16"),
    '{"a":1}'.encode("utf-32"),
)  # fmt: skip
FIELDS = (
    "organisation", "token", "code", "score", "problem", "participant", "pin", "people", "channel", "label", "role",
    "title", "starts_at", "local_start", "minutes", "participants", "hosts", "join_link", "mail", "phone", "import_key",
)  # fmt: skip
TYPES = (
    "application/json", "application/json; charset=nope", "application/json; charset=utf-16", "text/plain", "",
    "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=nope", "multipart/form-data",
    'multipart/form-data; boundary="', "multipart/form-data; boundary=x", "application/json\u00ff",
)  # fmt: skip


@pytest.fixture(scope="module")
def database_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of this module's own."""
    server = PostgresServer()
    yield server
    server.close()


class People:
    """One client with everybody's cookies, the ids that belong in addresses, and a program's token."""

    def __init__(self, client: aiohttp.ClientSession, token: str) -> None:
        self.client, self.token = client, token
        self.sessions: dict[str, str] = {}
        self.ids: dict[str, str] = {"organisation": "sunnaas", "version": "x", "name": "latency.txt", "token": "a" * 43}

    def address(self, route: web.AbstractRoute, **bad: str) -> str:
        """Return the route's address with ids that are right, but for those in `bad`."""
        path = route.resource.canonical
        kind = (
            "leader" if "/board" in path else "support" if path.startswith("/support") else
            "organiser" if path.startswith("/plan") else "participant"
        )  # fmt: skip
        for name, value in {**self.ids, "session": self.sessions[kind], **bad}.items():
            path = path.replace("{" + name + "}", value)
        return path


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request, tmp_path, migrated_file) -> AsyncIterator[tuple[Server, People]]:
    """A server with its people, on either database; its workers are never started."""
    environ = {"READINESS_DATA_DIR": str(tmp_path)}
    if request.param == "postgresql":
        environ["READINESS_DATABASE_URL"] = request.getfixturevalue("database_server").create()
    else:
        shutil.copy(migrated_file, tmp_path)
    settings = load_settings(environ)
    store = await Store.open(settings.database, migrate=True)
    services = make_services(settings, store)
    app = make_app(services)
    app.cleanup_ctx.clear()
    runner = make_runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    cast = await make_cast(store)
    host = Host(new_id(), cast.meeting.id, "leader", "Lars", "nb")
    await store.add_host(otto("sunnaas"), cast.meeting.id, host)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        people = People(client, await api_token(store, SUNNAAS, services.now()))
        links = {
            "participant": cast.anna_token,
            "leader": cast.lars_token,
            "support": (await give_support_link(store, SUNNAAS, base, services.now())).partition("#")[2],
            "organiser": (await organiser_link(store, SUNNAAS, base, services.now())).partition("#")[2],
        }
        for kind, token in links.items():
            sent = {"organisation": "sunnaas", "token": token}
            async with client.post(base + "/api/v1/links/redeem", json=sent) as answer:
                people.sessions[kind] = (await answer.json())["session"]
        people.ids |= {"meeting": cast.meeting.id, "participant": cast.anna.id, "host": host.id}
        yield Server(base, services), people
    await runner.cleanup()
    await store.close()


def routes_of(server: Server) -> list[web.AbstractRoute]:
    """Every route but the one that says 503 where no worker runs, as none does here."""
    routes = [one for one in make_app(server.services).router.routes() if one.resource.canonical != "/readyz"]
    return sorted(routes, key=lambda route: route.method == "DELETE")


async def ask(people: People, method: str, url: str, **options) -> int:
    """Return the status; a stream that is opened is closed at once."""
    async with people.client.request(method, URL(url, encoded=True), allow_redirects=False, **options) as answer:
        return answer.status


def faults(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def test_RTC_2_no_address_is_a_fault_of_ours(house, caplog):
    """NUL, halves of characters, long and odd names in each place of each address, and in the query."""
    server, people = house
    found = {}
    for route in routes_of(server):
        path = route.resource.canonical
        for name in re.findall(r"\{(\w+)\}", path):
            for bad in BAD_PARTS:
                status = await ask(people, route.method, server.base + people.address(route, **{name: bad}))
                if status >= 500 or status < 400:
                    found[route.method, path, name, bad[:20]] = status
        for bad in () if path.endswith("/events") else BAD_PARTS[:5]:
            names = ("code", "lang", "session", "people", "meeting", "from", "to", "after", "most", "search", bad)
            query = "&".join(f"{name}={bad}" for name in names)
            if (status := await ask(people, route.method, f"{server.base}{people.address(route)}?{query}")) >= 500:
                found[route.method, path, "query", bad] = status
    assert found == {}
    assert faults(caplog) == []


_JSON = TYPES[0]
_SMALL = (
    *({"organisation": "sunnaas", name: bad} for name in FIELDS[1:3] for bad in BAD_TEXTS),
    *({"score": 3, "problem": bad} for bad in BAD_VALUES),
)
_FORMS = (b"id=%00", b"id=%ED%A0%80&\xff=\xff")
BODIES = {
    "no JSON": tuple((body, _JSON) for body in BAD_BODIES),
    "every field": tuple((json.dumps(dict.fromkeys(FIELDS, bad)).encode()[:4000], _JSON) for bad in BAD_VALUES),
    "one field": tuple((json.dumps(one).encode(), _JSON) for one in _SMALL),
    "types": tuple((body, kind) for kind in TYPES for body in _FORMS),
}


@pytest.mark.parametrize("kind", BODIES)
async def test_RTC_2_no_body_is_a_fault_of_ours(house, caplog, kind):
    """No JSON, not quite JSON, wrong types in every field that there is, wrong types of content."""
    server, people = house
    found = {}
    for route in routes_of(server):
        where = route.resource.canonical
        if route.method not in {"POST", "PATCH", "DELETE"} or where.endswith("upload.php"):
            continue
        if "/meetings" in where and kind in {"one field", "types"}:
            continue
        for body, content_type in BODIES[kind]:
            headers = {"Content-Type": content_type, "Readiness-Session": people.sessions["organiser"]}
            status = await ask(people, route.method, server.base + people.address(route), data=body, headers=headers)
            if status >= 500:
                found[route.method, where, body[:40], content_type] = status
    assert found == {}
    assert faults(caplog) == []


async def test_RTC_2_no_header_is_a_fault_of_ours(house, caplog):
    """Bytes that are no text in the headers that we read."""
    server, people = house
    cookie = "; ".join(f"{one.key}={one.value}" for one in people.client.cookie_jar)
    found = {}
    names = (
        "Readiness-Session", "Idempotency-Key", "Authorization", "Accept-Language", "Cookie", "Accept", "Origin",
        "Sec-Fetch-Site", "X-Forwarded-For", "X-Forwarded-Host", "Accept-Encoding", "If-None-Match", "Content-Encoding",
    )  # fmt: skip
    for target in (
        "/",
        "/api/v1/meetings",
        f"/api/v1/sessions/{people.sessions['participant']}",
        "/support/x",
        "/mini/",
    ):
        for name in names:
            for bad in ("\xff", "\xed\xa0\x80", "Bearer \xff", "x" * 3000, "\x7f", ",,,", "=;=", '"'):
                extra = f"{name}: {bad}\r\n" + (f"Cookie: {cookie}\r\n" if name != "Cookie" else "")
                status, _, _ = await raw_get(server.base, target, extra=extra)
                if status >= 500:
                    found[target, name, bad[:20]] = status
    assert found == {}
    assert faults(caplog) == []


@pytest.mark.parametrize("body", BAD_BODIES, ids=repr)
def test_strict_json(body):
    """What is no JSON object in UTF-8 with plain texts is refused where it is read."""
    with pytest.raises((ValueError, RecursionError)):
        found = read_json(body.decode("utf-8"))
        if not isinstance(found, dict) or found == {"a": 9 * 10**3899} or "a" in found:
            raise ValueError("not an object, or a number of any size")


def test_what_is_good_passes():
    """Nothing that people write is refused: other scripts, emoji, empty texts, whole numbers as they were."""
    good = {"a": "Åse 李明 👩‍⚕️ \u202e", "b": "", "c": 123456789012345, "d": [1.5, None, True], "e": {}}
    assert read_json(json.dumps(good)) == good
    assert read_json(json.dumps(good, ensure_ascii=False)) == good
    assert is_plain(good["a"])
    assert all(is_id(one) for one in ("a", "A-_9" * 16, new_id()))
    assert not any(is_id(one) for one in ("", "a" * 65, "a\n", "ø", "a b", "a.b", "\u0661"))
