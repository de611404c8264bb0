"""What the store takes and gives about staff who sign in: frozen values, like `records`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .records import StaffRole

__all__ = ["BegunSignIn", "Staff"]


@dataclass(frozen=True, slots=True)
class BegunSignIn:
    """An attempt to sign in at `provider` for one organisation, by the hashes of what only the browser has."""

    state_hash: bytes
    secret_hash: bytes
    organisation_id: str
    provider: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody at an organisation who signs in at its provider. Known by a keyed hash of issuer and subject."""

    id: str
    organisation_id: str
    identity: bytes
    provider: str
    name: str
    roles: tuple[StaffRole, ...]
    signed_in_at: datetime
    limits: frozenset[tuple[StaffRole, str]] = frozenset()
    """The units of those roles that are not for the whole organisation."""
    person_hash: bytes | None = None
    """By which hosts are found who are the same person; None: nobody is."""
