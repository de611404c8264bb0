"""Identifies who acts: the only module that makes actors, from an authorised session or link, or for the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from reports.store.actors import MAY, Act, Actor, ActorKind
from reports.store.records import Host, Invitation, Organisation, Session, SessionKind, StaffRole
from reports.store.room_records import Room

__all__ = ["actor_of", "clock_of", "operator_of", "room_actor", "sessions_that_may"]

_KINDS: Final[Mapping[SessionKind, ActorKind]] = {
    "participant": "participant",
    "drop_in": "guest",
    "leader": "leader",
    "host_test": "host_test",
    "support": "support",
    "organiser": "organiser",
    "room_manager": "room_manager",
    "room": "guest",
}
"""A room's session takes one test of its line and may do nothing else; its key, which may more, opens no page."""
_WITHOUT_SESSION: Final[Mapping[str, ActorKind]] = {"api": "program", "feed": "calendar", "fleet": "fleet"}
"""Links that are not swapped for a session: whoever shows one acts at once."""


def actor_of(shown: Session | Invitation, host: Host | None = None) -> Actor:
    """Return who acts through a session, a program's token or a calendar's link; ValueError for any other link.

    `host` is whose link opened the session, where that is somebody in particular; or, of staff, as whom they act. The
    id names the host, else the participant, else who signed in, else the link: ``host:<id>``, ``participant:<id>``,
    ``staff:<id>``, ``link:<id>``.
    """
    if isinstance(shown, Invitation):
        if shown.kind not in _WITHOUT_SESSION:
            raise ValueError(f"a link of kind {shown.kind!r} is swapped for a session first")
        named = f"host:{shown.host_id}" if shown.host_id else f"link:{shown.id}"
        return Actor(_WITHOUT_SESSION[shown.kind], shown.organisation_id, named)
    if shown.kind == "staff":
        return Actor(
            "staff",
            shown.organisation_id,
            f"staff:{shown.staff_id}",
            frozenset(shown.roles),
            frozenset(shown.limits),
            shown.person_hash,
            f"host:{host.id}" if host is not None else None,
        )
    kind = _KINDS[shown.kind]
    if host is not None:
        return Actor(kind if host.role == "leader" else "host", shown.organisation_id, f"host:{host.id}")
    if shown.participant_id is not None:
        return Actor(kind, shown.organisation_id, f"participant:{shown.participant_id}")
    opened_by = f"link:{shown.invitation_id}" if shown.invitation_id else f"session:{shown.id}"
    return Actor(kind, shown.organisation_id, opened_by)


def operator_of(organisation: Organisation) -> Actor:
    """Return who types commands on the server itself, for the organisation that they named."""
    return Actor("operator", organisation.id, "operator")


def room_actor(room: Room) -> Actor:
    """Return a meeting room's own PC, which has shown the room's key."""
    return Actor("room", room.organisation_id, f"room:{room.id}")


def clock_of(organisation_id: str) -> Actor:
    """Return the service itself, which does for an organisation what is due: reminders, messages, left-overs."""
    return Actor("clock", organisation_id, "clock")


def sessions_that_may(act: Act) -> frozenset[str]:
    """Return the kinds of session, and the roles of staff, that allow `act`. Tokens need none."""
    allowed: set[str] = {session for session, kind in _KINDS.items() if kind in MAY[act]}
    roles = MAY[act] & set(get_args(StaffRole))
    return frozenset(allowed | roles | ({"leader"} if "host" in MAY[act] else set()))
