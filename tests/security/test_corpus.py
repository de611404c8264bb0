"""WEB-4: text from outside stays text on every page and mail that the server makes, whatever it looks like.

The same pages are made twice, with plain words and with the corpus in every field, and read as a browser reads them:
both have the same elements with the same attributes. Pages that scripts fill never make markup of text
(`test_sources`), and trusted types in every answer's headers (WEB-1) would stop one that did.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

from yarl import URL

from readiness.access.links import room_link
from readiness.meetings.messages import render_message
from readiness.meetings.own_settings import LONGEST_TEXT
from readiness.server.settings_parts import PARTS
from reports.store.actors import Actor
from tests.actors import otto
from tests.cast import SUNNAAS, make_cast, signed_in
from tests.fleet import room
from tests.integration.support import ROOT
from tests.made import made_report, support_link
from tests.meetings.test_messages import KINDS, context, wish
from tests.series import made_series
from tests.server.test_links import redeem

MARKUP = ROOT / "tests" / "data" / "markup.json"
CORPUS = (*json.loads(MARKUP.read_text(encoding="utf-8")), "a" * 10_000 + "<script>alert(91)</script>")
ALL = " ".join(CORPUS)


class Reader(HTMLParser):
    """Collects the elements of a page with the names of their attributes, where they lead, and the words between."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.leads: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.leads += [value or "" for name, value in attrs if name in {"href", "src", "action", "formaction"}]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.elements.append(("!--", (data[:40],)))


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


async def pages(server, http, slug: str, text: str) -> dict[str, Reader]:
    """Every page with `text` in each field of the organisation, the meeting, its people and a report."""
    organisation = replace(SUNNAAS, id=slug, slug=slug, name=text, support_hours=text, support_phone=text)
    cast = await make_cast(server.store, organisation=organisation)
    await server.store.change_meeting(otto(slug), cast.meeting.id, {"title": text, "support_phone": text})
    for person in (cast.anna, cast.per):
        await server.store.change_participant(otto(slug), cast.meeting.id, person.id, {"label": text})
    client = {"kind": "browser", "browser": text, "os": text, "form": "phone"}
    made = await made_report(server.store, slug, series=made_series(), client=client, cause=text, events=(text,))
    tokens = (cast.lars_token, await support_link(server.store, slug))
    board, support = [(await (await redeem(http, token, slug))[2].json())["session"] for token in tokens]
    await server.store.open_case(Actor("leader", slug, text), cast.meeting.id, cast.anna.id, now=datetime.now(tz=UTC))
    rita = Actor("room_manager", slug, text)
    odd = {"organisation_id": slug, "building": text, "zone": text}
    await server.store.add_room(rita, room(text, id=f"room-{slug}", **odd))
    link = await room_link(server.store, organisation, server.base, datetime.now(tz=UTC))
    rooms = (await (await redeem(http, link.partition("#")[2], slug))[2].json())["session"]
    ada = await administrator(server, http, slug, text)
    clinics = {text[:100]: {"number": text, "contact": text}}
    odd = replace(organisation, clinic_phone=text, clinic_contact=text, clinics=clinics)
    server.services.health.organisation = await server.store.ensure_organisation(odd)
    found = await typed_settings(http, ada, text)
    for name, path, query in (
        ("test", f"/o/{slug}/t", {"lang": text}), ("code", f"/o/{slug}/code", {}), ("front", "/", {}),
        ("board", f"/board/{board}", {}), ("support", f"/support/{support}", {"code": made.code}),
        ("support, typed", f"/support/{support}", {"code": text, "lang": text}), ("plan", f"/o/{slug}/plan", {}),
        ("error", "/nowhere", {"x": text}), ("rooms", f"/rooms/{rooms}", {"lang": text}),
        ("wall", f"/rooms/{rooms}/wall", {}), ("room", f"/rooms/{rooms}/room/room-{slug}", {}),
        ("settings", f"/settings/{ada}", {"said": text}), ("contact", f"/settings/{ada}/contact", {"lang": text}),
        ("clinics", f"/settings/{ada}/clinics", {}),
    ):  # fmt: skip
        query = {key: value[:600] for key, value in query.items()}
        async with http.get(path, params=query, headers={"Accept": "text/html", "User-Agent": "x"}) as answer:
            assert answer.status < 500, path
            assert answer.content_type == "text/html", path
            found[name] = read(await answer.text())
    return found


async def administrator(server, http, slug: str, text: str) -> str:
    """The session of somebody who may change the organisation's settings, with its cookie in the browser."""
    session, secret = await signed_in(server.store, slug, datetime.now(tz=UTC), ("administrator",), name=text)
    http.cookie_jar.update_cookies({f"rd-{session}": secret}, URL(server.base))
    return session


MOST_OF_MANY = 4000
"""Characters in each field of a form with many of them, which may not be a megabyte."""


async def typed_settings(http, session: str, text: str) -> dict[str, Reader]:
    """Forms of settings that are shown again with `text` in every field, because it is too long."""
    found, text = {}, text * (LONGEST_TEXT // len(text) + 1)
    for part, fields in PARTS.items():
        form = {field.name: text[:MOST_OF_MANY] if field.kind == "limit" else text for field in fields} | {"seen": text}
        form |= {f"{field.name}.{one}": text for field in fields for one in field.options}
        async with http.post(f"/settings/{session}/{part}", data=form) as answer:
            assert answer.status in {400, 409}, part  # nothing is too long for links
            found[f"typed {part}"] = read(await answer.text())
    return found


async def test_WEB_4_what_outsiders_write_is_text_on_every_page(server, http):
    """The same elements and attributes as with plain words; nothing leads elsewhere; the text stands as it is."""
    plain, hostile = await pages(server, http, "plain", "Plain words"), await pages(server, http, "hostile", ALL)
    assert len(CORPUS) >= 60
    for name, page in hostile.items():
        assert page.elements == plain[name].elements, name
        assert len(page.elements) > 10, name
        assert not [one for one in page.leads if not one.startswith(("/", "#", "?", "tel:", "https://"))], name
        assert not any("91091" in words for words in page.words), "a template was run"
    shown = "".join("".join(page.words) for page in hostile.values())
    assert [one for one in CORPUS if one not in shown] == []


def test_WEB_4_what_outsiders_write_is_text_in_every_mail():
    """Names of the organisation and of links, in each kind of message."""
    for role, kinds in KINDS.items():
        for kind in kinds:
            made = [
                read(
                    render_message(
                        wish(kind, "mail"), context("nb", role, organisation=replace(SUNNAAS, name=text))
                    ).html
                )
                for text in ("Plain words", ALL)
            ]
            assert made[0].elements == made[1].elements, kind
            assert made[0].leads == made[1].leads, kind
