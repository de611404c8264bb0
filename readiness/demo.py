"""The demo: one organisation, one meeting tomorrow at ten, and fresh links at each start (only hashes are stored)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from readiness.access.links import SESSION_MARGIN, give_support_link, hash_token, new_token
from reports.store import Store
from reports.store.records import Invitation, Meeting, Organisation, Participant, new_id

__all__ = ["DEMO_SLUG", "give_links", "prepare_demo"]

DEMO_SLUG = "demo"
TIME_ZONE = "Europe/Oslo"
STARTS = time(10, 0)
LASTS = timedelta(minutes=45)
PEOPLE = (("patient", "Anna"), ("relative", "Per"), ("interpreter", "T. K."))
"""Roles and labels of the demo's participants: made up."""


async def prepare_demo(store: Store, base_url: str, now: datetime) -> dict[str, str]:
    """Make the demo organisation and a meeting, and return the addresses to open."""
    organisation = Organisation(
        id="demo",
        slug=DEMO_SLUG,
        name="Demosykehuset",
        support_phone="+47 22 00 00 00",
        support_hours="08-15",
        languages=("nb", "nn", "en"),
        time_zone=TIME_ZONE,
        drop_in_allowed=True,
    )
    kept = await store.ensure_organisation(organisation)
    meeting = _meeting(organisation, now)
    people = [
        Participant(id=new_id(), meeting_id=meeting.id, role=role, label=label, locale="nb", position=position)
        for position, (role, label) in enumerate(PEOPLE)
    ]
    await store.add_meeting(meeting, people)
    links = await give_links(store, base_url, DEMO_SLUG, meeting, people)
    support = await give_support_link(store, kept, base_url, now)
    return {
        "base_url": base_url,
        "selftest_url": links[people[0].id],
        "board_url": links["leader"],
        "support_url": support,
        "dropin_url": f"{base_url}/o/{DEMO_SLUG}/try",
    }


async def give_links(
    store: Store, base_url: str, slug: str, meeting: Meeting, people: list[Participant]
) -> dict[str, str]:
    """Mint a link for each of `people` (by id) and one for the leader (key ``leader``)."""
    links: dict[str, str] = {}
    for person in (*people, None):
        token = new_token()
        invitation = Invitation(
            id=new_id(),
            organisation_id=meeting.organisation_id,
            kind="participant" if person else "leader",
            meeting_id=meeting.id,
            participant_id=person.id if person else None,
            expires_at=meeting.ends_at + SESSION_MARGIN,
            revoked_at=None,
        )
        await store.add_invitation(invitation, hash_token(token))
        page = "t" if person else "board"
        links[person.id if person else "leader"] = f"{base_url}/o/{slug}/{page}#{token}"
    return links


def _meeting(organisation: Organisation, now: datetime) -> Meeting:
    tomorrow = now.astimezone(ZoneInfo(TIME_ZONE)).date() + timedelta(days=1)
    starts_at = datetime.combine(tomorrow, STARTS, tzinfo=ZoneInfo(TIME_ZONE))
    return Meeting(
        id=new_id(),
        organisation_id=organisation.id,
        title="Videokonsultasjon",
        starts_at=starts_at,
        ends_at=starts_at + LASTS,
        profile="consultation",
        practical=("private_room", "people"),
        expected_people=1,
    )
