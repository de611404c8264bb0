"""Messages survive their senders: servers that are killed, and two servers that look at the same moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from readiness.access.actors import clock_of
from readiness.access.contacts import ContactBox
from readiness.access.links import Links
from readiness.meetings.addresses import Reach, seal_reach
from reports.store import Store
from reports.store.records import Meeting, Organisation, Participant, new_id
from tests.actors import add_meeting
from tests.integration.support import free_port, serving
from tests.meetings.kills import send_through_kills
from tests.meetings.receivers import mailbox

INVITATIONS, KILLS = 40, 2
PEOPLE = 8
SECRET = "the key that two servers share"


@pytest.mark.slow
async def test_no_invitation_is_lost_when_servers_are_killed(tmp_path):
    """Killed at random moments while they go out: each arrives, and twice only what a server died with in its hands.

    `python -m tests.bench --area outbox` does the same with 500.
    """
    arrived = await send_through_kills(tmp_path, count=INVITATIONS, kills=KILLS, seed=20261122, longest_s=150)
    print(arrived)
    assert arrived.kills == KILLS
    assert arrived.people == INVITATIONS
    assert arrived.states == {"sent": INVITATIONS}
    assert arrived.duplicates <= KILLS


def zone_at_noon(now: datetime) -> str:
    """A zone in which it is about noon: no reminder is put off for the night, whenever the test runs."""
    ahead = 12 - now.hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


@pytest.mark.slow
async def test_two_servers_on_one_database_remind_once(tmp_path, postgres):
    """Both start at the same moment and find the same people: one mail each, from whichever claimed it."""
    url, now = postgres.create(), datetime.now(tz=UTC)
    async with mailbox() as post:
        store = await Store.open(url, migrate=True)
        try:
            organisation = await store.ensure_organisation(
                Organisation("o", "o", "O", "1", "", ("nb",), zone_at_noon(now), drop_in_allowed=False)
            )
            starts = now + timedelta(minutes=179)
            ends = starts + timedelta(minutes=45)
            meeting = Meeting(new_id(), "o", "", starts, ends, "consultation", (), 1, reminders=(180,))
            box = ContactBox(SECRET)
            people = [
                Participant(
                    new_id(), meeting.id, "patient", "", "nb", at, reach=seal_reach(box, Reach(mail=f"p{at}@b.example"))
                )
                for at in range(PEOPLE)
            ]
            await add_meeting(store, meeting, people)
            for one in people:
                await Links(store, box, organisation, "https://ready.example", now).of(meeting, one)
            settings = {"WORKERS": "2", "PORT": str(free_port()), "DATABASE_URL": url, "SECRET_KEY": SECRET}
            settings |= {"SMTP_URL": post.url, "MAIL_FROM": "video@hospital.example", "CAPACITY": "2"}
            with serving(tmp_path, **settings) as server:
                assert len(server.web_processes()) == 2
                async with asyncio.timeout(90):
                    while len(post.mails) < PEOPLE:
                        await asyncio.sleep(0.1)
                await asyncio.sleep(2)
            found = await store.outgoing_of(clock_of("o"), meeting.id)
        finally:
            await store.close()
    assert Counter(mail["To"] for mail in post.mails) == Counter(f"p{at}@b.example" for at in range(PEOPLE))
    assert [one.kind for one in found] == ["reminder"] * PEOPLE
    assert {one.state for one in found} == {"sent"}
