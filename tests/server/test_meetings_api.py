"""The API of planning: what a program or an organiser's page can do, and what nobody else can."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from openapi_spec_validator import validate

from readiness.access.links import api_token, organiser_link
from readiness.media.pool import WorkerPool
from readiness.meetings import values
from readiness.meetings.outbox import OutboxRunner
from readiness.server.app import make_app
from readiness.server.openapi import description
from readiness.texts import LANGUAGES, catalogue
from reports.profile import profile_names
from reports.store.actors import Act
from reports.store.records import Host, new_id
from tests.actors import CLOCK, otto
from tests.cast import SUNNAAS, invite, make_cast

OSLO = ZoneInfo("Europe/Oslo")
ANNA = {"role": "patient", "label": "A. H.", "mail": "anna@post.example", "phone": "900 00 000"}
TOLK = {"role": "interpreter", "label": "T. K.", "locale": "en", "phone": "+47 911 11 111"}
ROOM = {"role": "meeting_room", "label": "Rom 12", "together": 3}
LARS = {"role": "leader", "label": "Lars", "mail": "Lars@hospital.example"}


def local(days: int = 2, at: str = "10:00") -> str:
    """Return a local time some days from now."""
    day = datetime.now(tz=OSLO).date() + timedelta(days=days)
    return f"{day.isoformat()}T{at}"


def wished(**changed) -> dict:
    """Return a body that makes a meeting."""
    return {"local_start": local(), "participants": [ANNA, TOLK, ROOM], "hosts": [LARS]} | changed


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch) -> None:
    """What is queued stays queued: sending has its own tests. Nobody tests either: no workers are started."""

    async def wait(_runner: OutboxRunner) -> None:
        await asyncio.Event().wait()

    async def start(_pool: WorkerPool) -> None:
        return None

    async def stop(_runner: OutboxRunner, _within_s: float) -> None:
        return None

    monkeypatch.setattr(OutboxRunner, "run", wait)
    monkeypatch.setattr(OutboxRunner, "stop", stop)  # which waits five seconds for what does not run
    monkeypatch.setattr(WorkerPool, "start", start)


class Program:
    """Calls the API with a token."""

    def __init__(self, http, token: str) -> None:
        self.http, self.headers = http, {"Authorization": f"Bearer {token}"}

    async def __call__(self, method: str, path: str = "", body=None, **headers):
        sent = {"json": body} if body is not None else {}
        async with self.http.request(
            method, f"/api/v1/meetings{path}", headers=self.headers | headers, **sent
        ) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await (answer.json() if is_json else answer.read())


@pytest.fixture
async def program(server, http) -> Program:
    """A program of Sunnaas."""
    found = await server.store.ensure_organisation(SUNNAAS)
    return Program(http, await api_token(server.store, found, datetime.now(tz=UTC)))


async def sent(server, meeting: str, **only) -> list[tuple[str, str, str]]:
    """Return kind, channel and state of what is to be sent about a meeting."""
    found = await server.store.outgoing_of(CLOCK, meeting)
    kept = [one for one in found if all(getattr(one, name) == value for name, value in only.items())]
    return sorted((one.kind, one.channel, one.state) for one in kept)


async def all_sent(server) -> None:
    """Say that everything that waits was sent."""
    now = datetime.now(tz=UTC)
    for one in await server.store.claim_outgoing(now, 100, 60):
        await server.store.settle_outgoing(one.id, state="sent", now=now)


async def test_a_meeting_is_made_read_moved_and_cancelled(server, program):
    """With all its fields, in the organisation's time; whoever was told of it is told of each change, once."""
    body = wished(
        title=" Kontroll \n etter operasjon", minutes=30, solution="whereby", join_link="https://whereby.com/rom?a=1",
        support_phone="22 00 00 00", profile="group", reminders=[60, 1440], practical=["people"], expected_people=2,
    )  # fmt: skip
    status, made = await program("POST", "", body)
    assert status == 201
    starts = datetime.fromisoformat(body["local_start"]).replace(tzinfo=OSLO)
    assert datetime.fromisoformat(made["starts_at"]) == starts
    assert datetime.fromisoformat(made["ends_at"]) - starts == timedelta(minutes=30)
    assert made["local_start"] == body["local_start"]
    assert made["title"] == "Kontroll etter operasjon"
    for name in ("solution", "join_link", "support_phone", "profile", "practical", "expected_people"):
        assert made[name] == body[name], name
    assert (made["reminders"], made["state"], made["sequence"]) == ([1440, 60], "planned", 0)
    anna, tolk, room = made["participants"]
    assert (anna["phone"], anna["mail"], anna["locale"], anna["state"]) == (
        "+4790000000", "anna@post.example", "nb", "not_tested",
    )  # fmt: skip
    assert (tolk["locale"], room["together"], anna["invitation"]) == ("en", 3, None)
    assert made["hosts"][0]["mail"] == "Lars@hospital.example"
    place = f"/{made['id']}"
    assert await program("GET", place) == (200, made)
    for person, channel in ((anna, "auto"), (tolk, "auto"), (made["hosts"][0], "mail")):
        status, answer = await program("POST", place + "/invitations", {"people": [person["id"]], "channel": channel})
        assert answer == {"invitations": [{"id": person["id"], "state": "waiting"}]}
    await all_sent(server)
    status, changed = await program("PATCH", place, {"title": "Ny tittel"})
    assert (changed["sequence"], len(await sent(server, made["id"]))) == (0, 3)
    for days in (3, 4):
        status, changed = await program("PATCH", place, {"local_start": local(days), "join_link": body["join_link"]})
        assert (status, changed["local_start"], changed["sequence"]) == (200, local(days), days - 2)
    assert changed["participants"][0]["invitation"]["state"] == "sent"
    told = await sent(server, made["id"], state="waiting")
    assert told == [("moved", "mail", "waiting"), ("moved", "mail", "waiting"), ("moved", "sms", "waiting")]
    waiting = [one for one in await server.store.outgoing_of(CLOCK, made["id"]) if one.state == "waiting"]
    assert {datetime.fromisoformat(one.data["moved_from"]) for one in waiting} == {starts}
    assert (await program("DELETE", place))[1]["state"] == "cancelled"
    status, cancelled = await program("DELETE", place)
    assert (status, cancelled["state"], cancelled["sequence"]) == (200, "cancelled", 3)
    told = [kind for kind, *_ in await sent(server, made["id"], state="waiting")]
    assert told == ["cancelled"] * 3
    for method, path, wish in (
        ("PATCH", place, {"title": "x"}),
        ("POST", place + "/participants", ANNA),
        ("POST", place + "/invitations", {"people": "all", "channel": "link"}),
    ):
        assert (await program(method, path, wish))[1]["error"]["code"] == "meeting.cancelled"


async def test_who_was_not_told_yet_is_told_once(server, program):
    """An invitation that still waits says the new time itself; nobody gets two messages."""
    _, made = await program("POST", "", wished(participants=[ANNA | {"channel": "mail"}]))
    assert made["participants"][0]["invitation"] == {
        "channel": "mail", "state": "waiting", "sent_at": None, "error": None,
    }  # fmt: skip
    await program("PATCH", f"/{made['id']}", {"minutes": 60})
    assert await sent(server, made["id"]) == [("invitation", "mail", "waiting")]
    await program("DELETE", f"/{made['id']}")
    assert await sent(server, made["id"]) == [("invitation", "mail", "dropped")]


async def test_who_is_told_by_nobody_is_named_to_be_called(server, program):
    """A letter patient's meeting is moved: message or call, for everybody; of a change back nobody is told."""
    away = {"role": "patient", "label": "Brev"}
    people = [ANNA | {"channel": "mail"}, away]
    _, made = await program("POST", "", wished(participants=people, hosts=[LARS | {"channel": "mail"}]))
    place = f"/{made['id']}"

    def calls(seen) -> list[str]:
        return [one["label"] for one in (*seen["participants"], *seen["hosts"]) if one["call"]]

    assert calls(made) == []
    await all_sent(server)
    printed = f"{place}/letters.pdf?people={made['participants'][1]['id']}"
    assert (await program("GET", printed))[0] == 200
    _, moved = await program("PATCH", place, {"local_start": local(3)})
    assert calls(moved) == ["Brev"]
    _, longer = await program("PATCH", place, {"minutes": 90})
    assert calls(longer) == ["Brev"], "a length alone is told too"
    await all_sent(server)
    _, gone = await program("DELETE", place)
    assert calls(gone) == ["Brev"]
    assert (await program("POST", f"{place}/told/{made['participants'][1]['id']}", {}))[0] == 200
    assert calls((await program("GET", place))[1]) == []
    _, only_named = await program("POST", "", wished(participants=people))
    _, titled = await program("PATCH", f"/{only_named['id']}", {"title": "Samtale"})
    assert calls(titled) == []


async def test_who_was_never_told_is_not_called(server, program):
    """Neither who has no letter nor who came after the change; what the organiser told counts until the next one."""
    people = [{"role": role, "label": label} for role, label in (("patient", "Brev"), ("relative", "Lenke"))]
    hosts = [{"role": "leader", "label": "Lars"}]
    _, made = await program("POST", "", wished(participants=[*people, TOLK], hosts=hosts))
    place = f"/{made['id']}"
    by = {one["label"]: one["id"] for one in (*made["participants"], *made["hosts"])}

    def known(seen) -> dict[str, tuple]:
        return {
            one["label"]: (one["given"] and one["given"]["as"], bool(one["told_at"]), one["call"])
            for one in (*seen["participants"], *seen["hosts"])
        }

    await program("GET", f"{place}/letters.pdf?people={by['Brev']}")
    await program("POST", f"{place}/invitations", {"people": [by["Lenke"]], "channel": "link"})
    assert (await program("POST", f"{place}/told/{by['Lars']}", {}))[1]["hosts"][0]["told_at"]
    _, moved = await program("PATCH", place, {"local_start": local(3)})
    assert known(moved) == {
        "Brev": ("letter", False, True), "Lenke": ("link", False, True), TOLK["label"]: (None, False, False),
        "Lars": (None, True, True),
    }  # fmt: skip
    await program("POST", f"{place}/participants", {"role": "relative", "label": "Ny"})
    await program("GET", f"{place}/letters.pdf?people={by['Brev']}")
    for label in ("Lenke", "Lars"):
        await program("POST", f"{place}/told/{by[label]}", {})
    _, seen = await program("GET", place)
    assert [label for label, (_, _, call) in known(seen).items() if call] == ["Brev"], "a new letter is not read yet"
    _, later = await program("PATCH", place, {"local_start": local(4)})
    assert [label for label, (_, _, call) in known(later).items() if call] == ["Brev", "Lenke", "Lars"]
    assert (await program("POST", f"{place}/told/{'x' * 22}", {}))[0] == 404
    _, seen = await program("DELETE", f"{place}/participants/{by['Brev']}")
    _, seen = await program("DELETE", f"{place}/participants/{by[TOLK['label']]}")
    assert [(one["label"], one["given_as"], one["call"]) for one in seen["taken_out"]] == [("Brev", "letter", True)]


async def test_who_is_taken_out_and_has_a_letter_is_named_to_be_called(server, program):
    """Until somebody says that they know. Whoever has a message is not named; of somebody else nothing is taken off."""
    away = {"role": "patient", "label": "Brev", "phone": "22 00 00 00"}
    people = [ANNA | {"channel": "mail"}, away, TOLK]
    _, made = await program("POST", "", wished(participants=people))
    place = f"/{made['id']}"
    await all_sent(server)
    by_mail, by_letter, _ = (one["id"] for one in made["participants"])
    await program("GET", f"{place}/letters.pdf?people={by_letter}")
    for person in (by_mail, by_letter):
        status, seen = await program("DELETE", f"{place}/participants/{person}")
        assert status == 200
    assert sorted((one["label"], one["phone"], one["call"]) for one in seen["taken_out"]) == [
        ("A. H.", "+4790000000", False),
        ("Brev", "+4722000000", True),
    ]
    assert [one for one in await sent(server, made["id"]) if one[0] == "removed"] == [("removed", "mail", "waiting")]
    assert (await program("DELETE", f"{place}/taken-out/{'x' * 22}"))[0] == 404
    status, seen = await program("DELETE", f"{place}/taken-out/{by_letter}")
    assert (status, [one["label"] for one in seen["taken_out"]]) == (200, ["A. H."])


async def test_what_is_settled_before_a_meeting_is_kept_and_changed(server, program):
    """Who assessed it, whether the agenda is sent, who is with the patient, and what an interpreter interprets."""
    people = [ANNA, TOLK | {"interprets": "arabisk"}]
    settled = {"assessed_by": "Overlege Lund", "agenda_sent": False, "companion": "Kari"}
    _, made = await program("POST", "", wished(participants=people, **settled))
    assert {name: made[name] for name in settled} == settled
    assert [one["interprets"] for one in made["participants"]] == ["", "arabisk"]
    place = f"/{made['id']}"
    _, changed = await program("PATCH", place, {"agenda_sent": True, "companion": ""})
    assert (changed["assessed_by"], changed["agenda_sent"], changed["companion"]) == ("Overlege Lund", True, "")
    tolk = made["participants"][1]["id"]
    _, changed = await program("PATCH", f"{place}/participants/{tolk}", {"interprets": "tigrinja"})
    assert changed["participants"][1]["interprets"] == "tigrinja"
    assert (await program("PATCH", place, {"assessed_by": "x" * 121}))[0] == 400


async def test_a_day_is_found_on_the_organisations_own_clock(server, program):
    """A day as from and to; also one that is past."""
    _, made = await program("POST", "", wished(local_start=local(2, "00:30")))
    day, after = local(2)[:10], local(3)[:10]
    _, found = await program("GET", f"?from={day}&to={after}")
    assert [one["id"] for one in found["meetings"]] == [made["id"]]
    _, none = await program("GET", f"?from={after}")
    assert none["meetings"] == []
    assert (await program("GET", "?from=2026-13-01"))[0] == 400


async def test_moving_moves_how_long_links_open(server, program, http):
    """The same link opens until a week after the new end; of a cancelled meeting it says so, and nothing else of it."""
    _, made = await program("POST", "", wished())
    place, anna = f"/{made['id']}", made["participants"][0]
    ask = {"people": [anna["id"]], "channel": "link"}
    _, answer = await program("POST", place + "/invitations", ask)
    link = answer["invitations"][0]["link"]
    _, moved = await program("PATCH", place, {"local_start": local(30)})
    found = await server.store.invitation_for(participant_id=anna["id"], kind="participant", now=datetime.now(tz=UTC))
    assert found.expires_at == datetime.fromisoformat(moved["ends_at"]) + timedelta(days=7)
    _, again = await program("POST", place + "/invitations", ask)
    assert again["invitations"][0]["link"] == link
    await program("DELETE", place)
    token = link.partition("#")[2]
    async with http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "token": token}) as opened:
        session = (await opened.json())["session"]
    async with http.get(f"/api/v1/sessions/{session}") as page:
        told = await page.json()
    assert (told["meeting"]["state"], told["over"], told["join"], told["after"]) == ("cancelled", True, None, None)


async def test_people_are_added_changed_and_taken_out(server, program):
    """Every answer is the meeting as it is now; what a change does not name stays."""
    _, made = await program("POST", "", wished(participants=[ANNA], hosts=[]))
    place = f"/{made['id']}"
    status, seen = await program("POST", place + "/participants", TOLK | {"channel": "sms"})
    assert (status, [one["label"] for one in seen["participants"]]) == (201, ["A. H.", "T. K."])
    anna, tolk = seen["participants"]
    assert tolk["invitation"]["state"] == "waiting"
    status, seen = await program("PATCH", f"{place}/participants/{anna['id']}", {"mail": "", "together": 2})
    assert seen["participants"][0] == anna | {"mail": "", "together": 2}
    status, seen = await program("POST", place + "/hosts", LARS | {"channel": "mail"})
    assert (status, seen["hosts"][0]["invitation"]["state"]) == (201, "waiting")
    lars = seen["hosts"][0]["id"]
    status, seen = await program("PATCH", f"{place}/hosts/{lars}", {"role": "technical_host", "phone": "22000000"})
    assert (seen["hosts"][0]["role"], seen["hosts"][0]["phone"]) == ("technical_host", "+4722000000")
    stored = await server.store.host(CLOCK, lars)
    assert b"hospital" not in (stored.reach or b"") + (stored.person_hash or b"")
    _, seen = await program("DELETE", f"{place}/hosts/{lars}")
    _, seen = await program("DELETE", f"{place}/participants/{tolk['id']}")
    assert ([one["id"] for one in seen["participants"]], seen["hosts"]) == ([anna["id"]], [])
    for path in (f"{place}/participants/{tolk['id']}", f"{place}/hosts/{lars}"):
        for method, wish in (("PATCH", {"label": "x"}), ("DELETE", None)):
            status, answer = await program(method, path, wish)
            assert (status, answer["error"]["code"]) == (404, "person.not_found")


async def test_invitations_by_every_way(server, program, http):
    """Queued, handed over, or why not; replaced links are dead at once."""
    _, made = await program("POST", "", wished())
    place = f"/{made['id']}/invitations"
    anna, tolk, room = (one["id"] for one in made["participants"])
    lars = made["hosts"][0]["id"]

    async def ask(channel, people, **more):
        return (await program("POST", place, {"people": people, "channel": channel} | more))[1]["invitations"]

    states = {one["id"]: one["state"] for one in await ask("mail", "all")}
    assert states == {anna: "waiting", tolk: "no_mail", room: "no_mail"}
    states = {one["id"]: one["state"] for one in await ask("auto", [anna, tolk, room, lars])}
    assert states == {anna: "waiting", tolk: "waiting", room: "no_address", lars: "waiting"}
    assert await sent(server, made["id"]) == [
        ("invitation", "mail", "waiting"), ("invitation", "mail", "waiting"),
        ("invitation", "sms", "waiting"), ("leader_link", "mail", "waiting"),
    ]  # fmt: skip
    (letter,) = await ask("letter", [room])
    assert (letter["state"], len(letter["code"])) == ("ready", 10)
    (link,) = await ask("link", [lars])
    assert ("/o/sunnaas/board#" in link["link"], "code" in link) == (True, False)
    (renewed,) = await ask("link", [room], replace=True)
    answers = []
    for one in (letter, renewed):
        redeemed = {"organisation": "sunnaas", "code": one["code"]}
        async with http.post("/api/v1/links/redeem", json=redeemed) as answer:
            answers.append(answer.status)
    assert answers == [404, 200]
    status, answer = await program("POST", place, {"people": [anna, "nobody"], "channel": "link"})
    assert (status, answer["error"]["code"]) == (404, "person.not_found")


async def test_letters_carry_the_link_that_was_given(server, program, http):
    """One page each in their own language, the same link as by any other way; reading them changes nothing."""
    _, made = await program("POST", "", wished())
    place = f"/api/v1/meetings/{made['id']}/letters.pdf"
    before = await server.store.invitations(made["id"])
    assert len(before) == 4
    two = ",".join(one["id"] for one in made["participants"][:2])
    sizes = []
    for people in ("", f"?people={two}"):
        async with http.get(place + people, headers=program.headers) as answer:
            body = await answer.read()
            assert (answer.status, answer.content_type, body[:5]) == (200, "application/pdf", b"%PDF-")
            sizes.append(len(body))
    assert sizes[0] > sizes[1]
    assert await server.store.invitations(made["id"]) == before
    for people in (f"?people={made['hosts'][0]['id']}", "?people=nobody"):
        async with http.get(place + people, headers=program.headers) as answer:
            assert answer.status == 404


async def test_a_label_in_any_script_stops_no_paper(server, program, http):
    """Letters of everybody in the meeting, and the leader's sheet, with a title in each script too."""
    data = json.loads((Path(__file__).parents[1] / "data" / "labels.json").read_text())
    seen = [data["odd"][name] for name in ("emoji", "family", "flag", "unknown", "rare_han", "lonely_mark", "digits")]
    labels = [*data["scripts"].values(), *seen][:60]
    people = [ANNA | {"label": label, "mail": f"p{at}@post.example"} for at, label in enumerate(labels)]
    status, made = await program("POST", "", wished(title=" ".join(labels[:6]), participants=people))
    assert status == 201, made
    async with http.get(f"/api/v1/meetings/{made['id']}/letters.pdf", headers=program.headers) as answer:
        assert (answer.status, (await answer.read())[:5]) == (200, b"%PDF-")


async def test_an_import_over_http(server, program, http):
    """A bad row is answered, not refused: the page shows it; a good file is made."""
    place = "/api/v1/meetings/import"
    good = f"starts;role;label\n{local()};patient;A. H.\n{local(3)};patient;B."
    async with http.post(place, data=good.replace("B.", "x" * 61).encode(), headers=program.headers) as answer:
        assert await answer.json() == {
            "made": [], "changed": [], "notes": [],
            "bad": [{"row": 3, "reason": "text.too_long", "field": "label", "found": ""}],
        }  # fmt: skip
    async with http.post(place, data=good.encode(), headers=program.headers) as answer:
        assert len((await answer.json())["made"]) == 2
    async with http.post(place, data=b"x" * 1_000_001, headers=program.headers) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "request.too_large")
    async with http.post(place, data=good.encode()) as answer:
        assert answer.status == 401


async def test_asking_twice_makes_one(server, program):
    """By Idempotency-Key or import_key, and the same wish; another organisation's key is another."""
    key = {"Idempotency-Key": "a-form-1"}
    first = await program("POST", "", wished(), **key)
    again = await program("POST", "", wished(), **key)
    assert (first[0], again[0], again[1]) == (201, 200, first[1])
    for other in (wished(title="Other"), wished(local_start=local(5)), wished(import_key="a-form-1", minutes=20)):
        status, answer = await program("POST", "", other, **key)
        assert (status, answer["error"]["code"]) == (422, "request.key_reused")
    place = f"/{first[1]['id']}"
    await program("PATCH", place, {"title": "Moved since"})
    assert (await program("POST", "", wished(), **key))[0] == 200, "what became of it is no other wish"
    by_body = await program("POST", "", wished(import_key="a-form-1"))
    assert (by_body[0], by_body[1]["id"]) == (200, first[1]["id"])
    assert len((await program("GET"))[1]["meetings"]) == 1


async def test_the_list_is_by_start_and_page(server, program):
    """With states, labels and leaders; searched by title and label."""
    for days, title in ((3, "Tredje"), (1, "Første"), (2, "Andre")):
        await program("POST", "", wished(local_start=local(days), title=title))
    _, found = await program("GET")
    assert [one["title"] for one in found["meetings"]] == ["Første", "Andre", "Tredje"]
    line = found["meetings"][0]
    assert (line["counts"], line["labels"], line["leaders"]) == (
        {"not_tested": 3}, ["A. H.", "T. K.", "Rom 12"], ["Lars"],
    )  # fmt: skip
    assert (line["local_start"], found["next"]) == (local(1), None)
    _, page = await program("GET", "?most=2")
    _, rest = await program("GET", f"?most=2&after={page['next']}")
    assert [one["title"] for one in (*page["meetings"], *rest["meetings"])] == ["Første", "Andre", "Tredje"]
    _, found = await program("GET", "?search=tredje")
    assert [one["title"] for one in found["meetings"]] == ["Tredje"]
    span = f"?from={local(2, '00:00')}:00Z&to={local(3, '00:00')}:00Z"
    assert [one["title"] for one in (await program("GET", span))[1]["meetings"]] == ["Andre"]
    for bad in ("?most=0", "?most=x", "?from=yesterday", "?to=0001-01-01T00:00:00Z", "?after=%00"):
        assert (await program("GET", bad))[0] == 400, bad


WRONG = [
    ({"local_start": "2026-13-01T10:00"}, "meeting.no_such_time", "local_start"),
    ({"local_start": "2020-01-01T10:00"}, "meeting.past", "starts_at"),
    ({"local_start": "9999-12-31T23:59"}, "meeting.too_far", "starts_at"),
    ({"starts_at": "2026-12-01T10:00"}, "meeting.no_such_time", "starts_at"),
    ({"local_start": "2026-12-01"}, "meeting.no_clock", "local_start"),
    ({"local_start": "20261201"}, "meeting.no_clock", "local_start"),
    ({"local_start": "01.12.2026 10:00"}, "meeting.time_form", "local_start"),
    ({"starts_at": "2026-12-01+01:00"}, "meeting.time_form", "starts_at"),
    ({"starts_at": "2031-12-01T10:00Z", "local_start": "2031-12-01T10:00"}, "meeting.times_differ", "local_start"),
    ({"participants": [ROOM | {"channel": "sms", "phone": "22 11 00 99"}]}, "person.no_mobile", None),
    ({"participants": [ANNA | {"phone": "+47900000000"}]}, "person.phone", "participants.0.phone"),
    ({"minutes": 0}, "request.malformed", "minutes"),
    ({"participants": []}, "request.malformed", "participants"),
    ({"participants": [{"role": "king"}]}, "request.malformed", "participants.0.role"),
    ({"participants": [ANNA, ANNA | {"mail": "anna"}]}, "person.mail", "participants.1.mail"),
    ({"participants": [ANNA | {"mail": "a@b.example\r\nBcc: x@y.example"}]}, "person.mail", "participants.0.mail"),
    ({"participants": [ANNA | {"phone": "12"}]}, "person.phone", "participants.0.phone"),
    ({"participants": [ANNA | {"locale": "sv"}]}, "person.language", "participants.0.locale"),
    ({"participants": [ANNA | {"label": "x" * 61}]}, "text.too_long", "participants.0.label"),
    ({"participants": [ROOM | {"channel": "mail"}]}, "person.no_mail", None),
    ({"participants": [ROOM | {"channel": "sms"}]}, "person.no_phone", None),
    ({"profile": "opera"}, "meeting.profile", "profile"),
    ({"solution": "skype"}, "request.malformed", "solution"),
    ({"join_link": "http://whereby.com/x"}, "meeting.link", "join_link"),
    ({"join_link": "javascript:alert(1)"}, "meeting.link", "join_link"),
    ({"practical": ["diagnosis"]}, "meeting.practical", "practical"),
    ({"title": "x" * 121}, "text.too_long", "title"),
    ({"diagnosis": "x"}, "request.malformed", ""),
]


async def test_what_is_wrong_is_named_and_nothing_made(server, program):
    """A stable code and the field; every code has words in every language."""
    for changed, code, field in WRONG:
        status, answer = await program("POST", "", wished(**changed))
        assert (status, answer["error"]["code"]) == (400, code), changed
        assert (answer["error"].get("field") or "") == (field or ""), changed
    assert (await program("GET"))[1]["meetings"] == []
    codes = set(re.findall(r"\"((?:meeting|person|text|import)\.\w+)\"", plan_source())) - set(get_args(Act))
    assert {"meeting.past", "person.mail", "text.too_long"} <= codes
    for language in LANGUAGES:
        assert not {f"error.{code}" for code in codes} - set(catalogue(language))


def plan_source() -> str:
    """Return the source of everything that plans."""
    from pathlib import Path

    folder = Path(values.__file__).parent
    read = [folder.parent / "typed.py", folder.parent / "reach.py"]
    return "".join(path.read_text(encoding="utf-8") for path in (*sorted(folder.glob("*.py")), *read))


async def test_times_when_the_clocks_change(server, program):
    """DUR-5: an hour that is jumped over is no time; one that comes twice is its first; a move keeps the hour."""
    services = server.services
    services.now = lambda: datetime(2027, 1, 1, tzinfo=UTC)
    token = await api_token(server.store, SUNNAAS, services.now())
    program.headers = {"Authorization": f"Bearer {token}"}
    status, answer = await program("POST", "", wished(local_start="2027-03-28T02:30"))
    assert (status, answer["error"]["code"]) == (400, "meeting.no_such_time")
    _, before = await program("POST", "", wished(local_start="2027-03-27T10:00"))
    assert before["starts_at"] == "2027-03-27T09:00:00Z"
    _, after = await program("PATCH", f"/{before['id']}", {"local_start": "2027-03-29T10:00"})
    assert (after["starts_at"], after["local_start"]) == ("2027-03-29T08:00:00Z", "2027-03-29T10:00")
    _, across = await program("POST", "", wished(local_start="2027-03-28T01:30", minutes=60))
    assert (across["starts_at"], across["ends_at"]) == ("2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z")
    _, twice = await program("POST", "", wished(local_start="2027-10-31T02:30"))
    assert twice["starts_at"] == "2027-10-31T00:30:00Z"
    _, second = await program("POST", "", wished(local_start="2027-10-31T03:30") | {"minutes": 90})
    assert second["starts_at"] == "2027-10-31T02:30:00Z"
    named = wished(starts_at="2027-10-31T02:30:00+01:00")
    del named["local_start"]
    _, exact = await program("POST", "", named)
    assert (exact["starts_at"], exact["local_start"]) == ("2027-10-31T01:30:00Z", "2027-10-31T02:30")
    _, other = await program("PATCH", f"/{twice['id']}", {"local_start": "2027-11-01T02:30"})
    assert other["starts_at"] == "2027-11-01T01:30:00Z"
    services.now = lambda: datetime(2028, 2, 1, tzinfo=UTC)
    program.headers = {"Authorization": f"Bearer {await api_token(server.store, SUNNAAS, services.now())}"}
    _, leap = await program("POST", "", wished(local_start="2028-02-29T23:30", minutes=60))
    assert (leap["starts_at"], leap["ends_at"]) == ("2028-02-29T22:30:00Z", "2028-02-29T23:30:00Z")
    status, answer = await program("POST", "", wished(local_start="2029-02-29T10:00"))
    assert (status, answer["error"]["code"]) == (400, "meeting.no_such_time")


async def test_nothing_without_the_right_token_or_session(server, program, http):
    """401 without any; another organisation's sees and changes nothing; other kinds of links don't count."""
    _, made = await program("POST", "", wished())
    cast = await make_cast(server.store)
    eve = await server.store.ensure_organisation(replace(SUNNAAS, id="eve", slug="eve"))
    now = datetime.now(tz=UTC)
    foreign = Program(http, await api_token(server.store, eve, now))
    person, host = made["participants"][0]["id"], made["hosts"][0]["id"]
    place = f"/{made['id']}"
    calls = [
        ("GET", place, None),
        ("PATCH", place, {"title": "x"}),
        ("DELETE", place, None),
        ("POST", place + "/participants", ANNA),
        ("PATCH", f"{place}/participants/{person}", {"label": "x"}),
        ("DELETE", f"{place}/participants/{person}", None),
        ("POST", place + "/hosts", LARS),
        ("PATCH", f"{place}/hosts/{host}", {"label": "x"}),
        ("DELETE", f"{place}/hosts/{host}", None),
        ("POST", place + "/invitations", {"people": "all", "channel": "link"}),
    ]
    for call in calls:
        status, answer = await foreign(*call)
        assert (status, answer["error"]["code"]) == (404, "meeting.not_found"), call
    assert (await foreign("GET"))[1] == {"meetings": [], "next": None}
    organiser = (await organiser_link(server.store, SUNNAAS, "", now)).partition("#")[2]
    await server.store.add_host(otto("sunnaas"), cast.meeting.id, Host(new_id(), cast.meeting.id, "leader", "L", "nb"))
    expired = await api_token(server.store, SUNNAAS, now - timedelta(days=2), timedelta(days=1))
    for headers in (
        {}, {"Authorization": "Basic x"}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {expired}"},
        {"Authorization": f"Bearer {organiser}"}, {"Authorization": f"Bearer {cast.lars_token}"},
        {"Authorization": "Bearer x", "Readiness-Session": "x"},
    ):  # fmt: skip
        async with http.get(f"/api/v1/meetings{place}", headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (401, "auth.required"), headers
    assert await program("GET", place) == (200, made)


async def test_an_organisers_page_may_do_the_same(server, program, http):
    """By its session's id and cookie together; other kinds of sessions, and the id alone, open nothing."""
    cast = await make_cast(server.store)
    now = datetime.now(tz=UTC)
    sessions = {}
    tokens = {"organiser": (await organiser_link(server.store, SUNNAAS, "", now)).partition("#")[2]}
    tokens |= {"anna": cast.anna_token, "lars": cast.lars_token}
    for who, token in tokens.items():
        async with http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "token": token}) as answer:
            sessions[who] = (await answer.json())["session"]
    for who, status in (("organiser", 200), ("anna", 404), ("lars", 404)):
        async with http.get("/api/v1/meetings", headers={"Readiness-Session": sessions[who]}) as answer:
            assert answer.status == status, who
    async with http.post(
        "/api/v1/meetings", json=wished(), headers={"Readiness-Session": sessions["organiser"]}
    ) as answer:
        assert answer.status == 201
    http.cookie_jar.clear()
    async with http.get("/api/v1/meetings", headers={"Readiness-Session": sessions["organiser"]}) as answer:
        assert answer.status == 404


async def test_what_is_stored_of_people_is_closed(server, program, tmp_path):
    """Addresses, numbers and the meeting's link are nowhere in the database's files as they are."""
    await program("POST", "", wished(join_link="https://whereby.com/secret-room"))
    content = b"".join(path.read_bytes() for path in tmp_path.glob("readiness.sqlite3*"))
    assert b"A. H." in content
    for secret in ("anna@post", "4790000000", "hospital.example", "secret-room"):
        assert secret.encode() not in content


async def test_the_board_is_told_of_the_newest_state(server, program):
    """A participant's report shows in the organiser's answer."""
    cast = await make_cast(server.store)
    await invite(server.store, cast.meeting, cast.anna)
    from tests.store.cast import report

    now = datetime.now(tz=UTC)
    await server.store.save_report(
        CLOCK,
        report(
            organisation_id="sunnaas", meeting_id=cast.meeting.id, participant_id=cast.anna.id, session_id=None,
            created_at=now, valid_until=now + timedelta(days=1), verdict="ready_with_warnings",
        )
    )  # fmt: skip
    _, seen = await program("GET", f"/{cast.meeting.id}")
    assert [one["state"] for one in seen["participants"]] == ["ready_with_warnings", "not_tested"]


async def test_the_description_is_valid_and_names_every_route(server, http):
    """OpenAPI 3.1; exactly the routes of meetings and rooms, with their path parameters and the code's own lists."""
    async with http.get("/api/v1/openapi.json") as answer:
        served = await answer.json()
    assert served == description()
    validate(served)
    routes = {
        (route.resource.canonical, route.method.lower())
        for route in make_app(server.services).router.routes()
        if route.resource.canonical.startswith(("/api/v1/meetings", "/api/v1/rooms", "/api/rooms"))
        and route.method != "HEAD"
    }
    methods = {"get", "post", "put", "patch", "delete"}
    described = {(path, method) for path, item in served["paths"].items() for method in item if method in methods}
    assert described == routes
    for path, item in served["paths"].items():
        named = {one["name"] for one in item.get("parameters", ()) if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path)), path
    schemas = served["components"]["schemas"]
    assert schemas["NewParticipant"]["properties"]["role"]["enum"] == list(values.ROLES)
    assert schemas["NewHost"]["properties"]["role"]["enum"] == list(values.HOST_ROLES)
    assert set(schemas["NewMeeting"]["properties"]["solution"]["enum"]) == set(values.SOLUTIONS)
    for name in profile_names():
        assert name in schemas["NewMeeting"]["properties"]["profile"]["description"]


async def test_answers_are_as_described(server, program):
    """What is served fits the schemas that the description promises."""
    from jsonschema import Draft202012Validator

    components = {"schemas": description()["components"]["schemas"]}
    _, made = await program("POST", "", wished(participants=[ANNA | {"channel": "auto"}]))
    _, asked = await program("POST", f"/{made['id']}/invitations", {"people": "all", "channel": "letter"})
    answers = {"Meeting": made, "Invited": asked, "MeetingList": (await program("GET"))[1]}
    answers["Error"] = (await program("POST", "", {}))[1]
    for name, answer in answers.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": components}
        Draft202012Validator(schema).validate(answer)
        listed = components["schemas"][name]["properties"]
        assert set(answer) <= set(listed), name


async def test_the_page_of_the_description(http):
    """Every operation and schema is on it, without a script."""
    async with http.get("/api/docs") as answer:
        page = await answer.text()
        assert answer.status == 200
    assert "<script" not in page
    for item in description()["paths"].values():
        for method in set(item) & {"get", "post", "patch", "delete"}:
            assert f'id="{item[method]["operationId"]}"' in page
    for name in description()["components"]["schemas"]:
        assert f'id="schema-{name}"' in page


async def test_a_wrong_token_counts_as_a_guess(server, program, http):
    """LNK-7: guesses are limited by address; the right token still works."""
    headers = {"Authorization": "Bearer wrong"}
    statuses = []
    for _ in range(22):
        async with http.get("/api/v1/meetings", headers=headers) as answer:
            statuses.append(answer.status)
    assert (statuses[0], statuses[-1]) == (401, 429)
    assert (await program("GET"))[0] == 200
