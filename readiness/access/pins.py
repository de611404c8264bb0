"""One-time codes that show phone numbers on a board: derived from the id of the message that carries them."""

from __future__ import annotations

from datetime import timedelta

from readiness.access.contacts import ContactBox

__all__ = ["PIN_LIFE", "hash_pin", "pin_of"]

PIN_LIFE = timedelta(minutes=10)
_DIGITS = 6


def pin_of(contacts: ContactBox, outgoing_id: str) -> str:
    """Return the six digits that the message `outgoing_id` carries, the same however often it is sent."""
    return str(int.from_bytes(contacts.derive("pin", outgoing_id)) % 10**_DIGITS).zfill(_DIGITS)


def hash_pin(contacts: ContactBox, session_id: str, pin: str) -> bytes:
    """Return what is stored of a code: keyed, because a million plain hashes are tried in a moment."""
    return contacts.derive("pin-hash", f"{session_id}:{pin}")
