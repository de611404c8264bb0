"""Who acts, as an id that is stored beside what was done: no name, no address, nothing that outlives the people."""

from __future__ import annotations

from reports.store.records import Host, Session

__all__ = ["actor_id"]


def actor_id(session: Session, host: Host | None = None) -> str:
    """Return ``host:<id>`` where the session is a known leader's, else the link that opened it, ``link:<id>``."""
    if host is not None:
        return f"host:{host.id}"
    return f"link:{session.invitation_id}" if session.invitation_id else f"session:{session.id}"
