"""Many at the same moment: one link is open afterwards, and no meeting holds more people than it may."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from readiness.access.actors import clock_of
from readiness.access.contacts import ContactBox
from readiness.access.links import Links
from reports.store import Conflict, NotStorable, StoreUnavailable
from reports.store import engine as store_engine
from reports.store.records import Meeting, Organisation, Participant, new_id
from tests.actors import add_meeting, otto

NOW = datetime.now(tz=UTC)
HOUSE = Organisation("house", "house", "House", "+47 1", "", ("nb",), "Europe/Oslo", drop_in_allowed=False)


@pytest.fixture
async def meeting(store) -> Meeting:
    await store.ensure_organisation(HOUSE)
    made = Meeting(
        id=new_id(), organisation_id="house", title="", starts_at=NOW + timedelta(days=1),
        ends_at=NOW + timedelta(days=1, hours=1), profile="consultation", practical=(), expected_people=1,
    )  # fmt: skip
    await add_meeting(store, made, [person(made, 0)])
    return made


def person(meeting: Meeting, position: int) -> Participant:
    return Participant(
        id=new_id(), meeting_id=meeting.id, role="patient", label="", locale="nb", position=position
    )  # fmt: skip


async def links(store, meeting: Meeting) -> list:
    return [one for one in await store.invitations(meeting.id) if one.revoked_at is None]


@pytest.mark.parametrize("replace", [True, False])
async def test_ten_at_once_leave_one_link(store, meeting, replace):
    """A double click, with or without "replace": one link is open, and without it all ten were given that one."""
    [anna] = await store.participants(clock_of("house"), meeting.id)
    box = ContactBox("key")
    given = await asyncio.gather(
        *(Links(store, box, HOUSE, "", NOW).of(meeting, anna, renew=replace) for _ in range(10))
    )
    [open_one] = await links(store, meeting)
    assert open_one.id in {one.invitation.id for one in given}
    assert replace or len({one.link for one in given}) == 1


async def test_seventy_added_at_once_are_sixty(store, meeting):
    """The limit holds however many are added at the same moment."""
    added = await asyncio.gather(
        *(store.add_participant(otto("house"), meeting.id, person(meeting, 0), most=60) for _ in range(70)),
        return_exceptions=True,
    )
    people = await store.participants(clock_of("house"), meeting.id)
    assert len(people) == 60
    assert sorted(one.position for one in people) == list(range(60))
    assert {type(one) for one in added} == {Participant, Conflict}


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
async def test_what_no_database_keeps_is_refused_and_no_outage(store, text):
    """Half a character is the caller's mistake: not stored, not looked for, and no word of an outage."""
    with pytest.raises(NotStorable):
        await store.organisation(text)


async def test_ping_fails_where_another_program_holds_the_lock(store, url, monkeypatch):
    """Reading alone does not make a database well."""
    await store.ping()
    if not url.startswith("sqlite"):
        return
    monkeypatch.setattr(store_engine, "PING_LOCK_S", 0.1)
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await store.ping()
    other.execute("ROLLBACK")
    other.close()
    await store.ping()


async def test_ping_fails_where_the_file_is_spoiled(store, url):
    """Pages in memory do not answer for those on the disk."""
    if not url.startswith("sqlite"):
        return
    path = url.removeprefix("sqlite:///")
    await store.organisation("house")
    for name in (path, path + "-wal"):
        with Path(name).open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(0)
            file.write(b"\xa5" * size)
    with pytest.raises(StoreUnavailable):
        await store.ping()
