"""Who acts in the tests: Otto plans, the clock looks. The edge makes the same of a session."""

from __future__ import annotations

from collections.abc import Sequence

from readiness.access.actors import clock_of
from reports.store import Actor, Host, Meeting, NewMeeting, Participant, Store

CLOCK = clock_of("sunnaas")
"""Reads what no page asks for."""


def leader(organisation_id: str) -> Actor:
    """Who opened a leader's link that names nobody."""
    return Actor("leader", organisation_id, "link:lars")


def participant(participant_id: str, organisation_id: str = "sunnaas") -> Actor:
    """Who takes part in a meeting, on an own page."""
    return Actor("participant", organisation_id, f"participant:{participant_id}")


def otto(organisation_id: str) -> Actor:
    """An organiser of that organisation."""
    return Actor("organiser", organisation_id, "link:otto")


async def add_meeting(
    store: Store, added: Meeting, participants: Sequence[Participant], hosts: Sequence[Host] = ()
) -> None:
    """Otto makes one meeting, with nobody invited."""
    await store.add_meetings(otto(added.organisation_id), [NewMeeting(added, participants, hosts)])
