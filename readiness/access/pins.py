"""One-time codes that unlock phone numbers on a board, derived from the id of the message that carries them."""

from __future__ import annotations

from datetime import timedelta

from readiness.access.contacts import ContactBox

__all__ = ["PIN_LIFE", "hash_pin", "pin_of"]

PIN_LIFE = timedelta(minutes=10)
_DIGITS = 6


def pin_of(contacts: ContactBox, outgoing_id: str) -> str:
    """Return the six digits of the message `outgoing_id`, the same however often it is sent."""
    return str(int.from_bytes(contacts.derive("pin", outgoing_id)) % 10**_DIGITS).zfill(_DIGITS)


def hash_pin(contacts: ContactBox, session_id: str, pin: str) -> bytes:
    """Return the hash of a code to store; keyed, because a million plain hashes are quickly tried."""
    return contacts.derive("pin-hash", f"{session_id}:{pin}")
