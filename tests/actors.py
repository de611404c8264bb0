"""Who acts in the tests: Otto plans. What the edge would make of a link that was opened, without opening one."""

from __future__ import annotations

from collections.abc import Sequence

from reports.store import Actor, Host, Meeting, NewMeeting, Participant, Store


def otto(organisation_id: str) -> Actor:
    """An organiser of that organisation."""
    return Actor("organiser", organisation_id, "link:otto")


async def add_meeting(
    store: Store, added: Meeting, participants: Sequence[Participant], hosts: Sequence[Host] = ()
) -> None:
    """Otto makes one meeting, with nobody invited."""
    await store.add_meetings(otto(added.organisation_id), [NewMeeting(added, participants, hosts)])
