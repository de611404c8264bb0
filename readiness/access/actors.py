"""Identifies who acts through a session, in one function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reports.store.actors import MAY, Act, Actor, ActorKind
from reports.store.records import Host, Session, SessionKind

__all__ = ["actor_of", "sessions_that_may"]

_KINDS: Final[Mapping[SessionKind, ActorKind]] = {
    "participant": "participant",
    "drop_in": "guest",
    "leader": "leader",
    "support": "support",
    "organiser": "organiser",
}


def actor_of(session: Session, host: Host | None = None) -> Actor:
    """Return the actor of `session`; `host` is the person whose link opened it, if it belongs to one.

    The id names the host, else the participant, else the link: ``host:<id>``, ``participant:<id>``, ``link:<id>``.
    """
    kind = _KINDS[session.kind]
    if host is not None:
        return Actor(kind if host.role == "leader" else "host", session.organisation_id, f"host:{host.id}")
    if session.participant_id is not None:
        return Actor(kind, session.organisation_id, f"participant:{session.participant_id}")
    opened_by = f"link:{session.invitation_id}" if session.invitation_id else f"session:{session.id}"
    return Actor(kind, session.organisation_id, opened_by)


def sessions_that_may(act: Act) -> frozenset[str]:
    """Return the kinds of session that allow `act`."""
    named: dict[ActorKind, SessionKind] = {actor: session for session, actor in _KINDS.items()} | {"host": "leader"}
    return frozenset(named[kind] for kind in MAY[act])
