"""Tokens and codes of links: creation, derivation from the service's key, hashing, and addresses."""

from __future__ import annotations

import base64
import hashlib
import secrets

from readiness.access.contacts import ContactBox
from reports.store.records import CODE_ALPHABET, Invitation

__all__ = [
    "PAGES",
    "TYPED_LENGTH",
    "code_of",
    "hash_code",
    "hash_token",
    "hashes_of",
    "link_of",
    "new_token",
    "token_of",
]

TOKEN_BYTES = 32
"""256 bits; above 112 a plain hash is enough to store (OWASP ASVS 6.5.2)."""
TYPED_LENGTH = 10
"""Characters of the code in a letter: 50 bits, with few wrong attempts a minute (LNK-6)."""
PAGES = {"participant": "t", "leader": "board", "support": "support", "organiser": "plan", "room_manager": "rooms"}


def new_token() -> str:
    """Return a fresh token, 43 characters of base64url."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_of(contacts: ContactBox, invitation_id: str) -> str:
    """Return the token of a meeting's link, the same each time: 43 characters of base64url."""
    return base64.urlsafe_b64encode(contacts.derive("link", invitation_id)).rstrip(b"=").decode("ascii")


def code_of(contacts: ContactBox, invitation_id: str) -> str:
    """Return the code that replaces a link in a letter, the same each time: 10 characters."""
    number = int.from_bytes(contacts.derive("code", invitation_id))
    return "".join(CODE_ALPHABET[number >> 5 * place & 31] for place in range(TYPED_LENGTH))


def hash_token(token: str) -> bytes:
    """Return the hash of a token or a cookie secret to store: SHA-256, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def hash_code(contacts: ContactBox, code: str) -> bytes:
    """Return the hash of a typed code to store: 32 bytes, keyed, because 50 bits could be tried one by one."""
    return contacts.derive("code-hash", code)


def link_of(contacts: ContactBox, invitation: Invitation, slug: str, base_url: str) -> str:
    """Return the address of a meeting's link. Raises ValueError for a kind whose address can't be derived again."""
    token = token_of(contacts, invitation.id)
    if invitation.kind == "feed":
        return f"{base_url}/feed/{token}.ics"
    if invitation.kind not in {"participant", "leader"}:
        raise ValueError("the token of an office's link is random and not kept")
    return f"{base_url}/o/{slug}/{PAGES[invitation.kind]}#{token}"


def hashes_of(contacts: ContactBox, invitation: Invitation) -> tuple[bytes, bytes | None]:
    """Return the stored hashes of a meeting's link: of its token, and of a participant's code."""
    code = code_of(contacts, invitation.id) if invitation.kind == "participant" else None
    return hash_token(token_of(contacts, invitation.id)), hash_code(contacts, code) if code else None
