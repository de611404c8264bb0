"""The demo: one organisation, one meeting tomorrow at ten with its leader, and fresh links at each start."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from readiness.access.actors import operator_of
from readiness.access.contacts import ContactBox, person_hash_of
from readiness.access.links import give_support_link, organiser_link, room_link
from readiness.access.rooms import give_code
from readiness.meetings.planner import Planner
from readiness.meetings.rooms import NewRoom, room_from
from readiness.meetings.wishes import HostPlan, MeetingPlan, PersonPlan
from readiness.texts import LANGUAGES
from reports.store import Store
from reports.store.records import Organisation

__all__ = ["DEMO_SLUG", "demo_leader", "prepare_demo"]

DEMO_SLUG = "demo"
TIME_ZONE = "Europe/Oslo"
STARTS = time(10, 0)
PEOPLE = (("patient", "Anna"), ("relative", "Per"), ("interpreter", "T. K."))
LEADER = "Lars"
ROOM, BUILDING = "Fjorden", "Bygg A"
"""Roles and labels of the demo's people; all made up and without addresses."""


async def prepare_demo(store: Store, contacts: ContactBox, base_url: str, now: datetime) -> dict[str, str]:
    """Create the demo organisation and a meeting; return the addresses to open."""
    organisation = await store.ensure_organisation(
        Organisation(
            id="demo",
            slug=DEMO_SLUG,
            name="Demosykehuset",
            support_phone="+47 22 00 00 00",
            support_hours="00-24",
            languages=LANGUAGES,
            time_zone=TIME_ZONE,
            drop_in_allowed=True,
        )
    )
    tomorrow = now.astimezone(ZoneInfo(TIME_ZONE)).date() + timedelta(days=1)
    planner = Planner(store, contacts, organisation, base_url, now, operator_of(organisation))
    made = await planner.make(
        MeetingPlan(
            starts=datetime.combine(tomorrow, STARTS),
            title="Videokonsultasjon",
            practical=("private_room", "people"),
            people=tuple(PersonPlan(role, label) for role, label in PEOPLE),
            hosts=(HostPlan("leader", LEADER),),
        )
    )
    lars = {"person_hash": demo_leader(contacts)}
    await store.change_host(planner.actor, made.meeting.id, made.hosts[0].id, lars)
    links = await planner.links(made)
    return {
        "base_url": base_url,
        "selftest_url": links[made.participants[0].id].link,
        "board_url": links[made.hosts[0].id].link,
        "organiser_url": await organiser_link(store, organisation, base_url, now),
        "support_url": await give_support_link(store, organisation, base_url, now),
        "dropin_url": f"{base_url}/o/{DEMO_SLUG}/try",
        "rooms_url": await room_link(store, organisation, base_url, now),
        "room_code": await give_code(store, contacts, planner.actor, await _room(planner), now),
    }


def demo_leader(contacts: ContactBox) -> bytes | None:
    """Return by which the demo's leader is found, who has no address, when somebody picks that role."""
    return person_hash_of(contacts, f"{DEMO_SLUG} {LEADER}")


async def _room(planner: Planner) -> str:
    """Return the demo's room, which keeps what it was told at earlier starts."""
    known = await planner.store.rooms(planner.actor)
    if known:
        return known[0].id
    made, _ = room_from(NewRoom(ROOM, building=BUILDING), planner.organisation, planner.contacts, planner.now)
    if made is None:
        raise ValueError("the demo's own room is none")
    await planner.store.add_room(planner.actor, made)
    return made.id
