"""Phone numbers at rest: Fernet (AES-128-CBC with HMAC-SHA-256) under a key outside the database.

The database keeps the key's fingerprint, so that two machines with different keys never share it unnoticed.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from readiness.errors import SettingError
from readiness.settings import Settings
from reports.store.audit import Keys

__all__ = ["KEY_FILE", "ContactBox", "audit_keys", "contact_box", "person_hash_of"]

KEY_FILE = "secret.key"
FINGERPRINT_BYTES = 8
"""Enough to distinguish keys, of no use for guessing one."""


class ContactBox:
    """Encrypts and decrypts contact texts."""

    def __init__(self, secret: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))
        self._derivation_key = hmac.digest(secret.encode(), b"readiness.derive/1", "sha256")

    def close(self, text: str) -> bytes:
        """Return `text` encrypted."""
        return self._fernet.encrypt(text.encode("utf-8"))

    def derive(self, purpose: str, name: str) -> bytes:
        """Return 32 bytes for `name` and `purpose` that only the holder of the key can compute, the same each time.

        HMAC-SHA256 (RFC 2104); nothing has to be stored to compute them again.
        """
        return hmac.digest(self._derivation_key, f"{purpose}\0{name}".encode(), "sha256")

    @property
    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that identify this key without revealing anything about it."""
        return self.derive("fingerprint", "")[:FINGERPRINT_BYTES].hex()

    def open(self, sealed: bytes) -> str | None:
        """Return the text, or None if it was encrypted under another key."""
        try:
            return self._fernet.decrypt(sealed).decode("utf-8")
        except InvalidToken:
            return None


def person_hash_of(contacts: ContactBox, name: str) -> bytes | None:
    """Return the keyed hash by which a leader is found again, of a mail address or number; None without one."""
    return contacts.derive("person", name.casefold()) if name else None


def contact_box(settings: Settings) -> ContactBox:
    """Return the box for the configured key, or for one created once in the data folder (mode 0600)."""
    if settings.secret_key:
        return ContactBox(settings.secret_key.reveal())
    path = settings.data_dir / KEY_FILE
    try:
        return ContactBox(_read_or_make(path))
    except OSError as error:
        raise SettingError(
            f"READINESS_SECRET_KEY: can't keep a key in {str(path)!r}: {error.strerror}; see that there is room, "
            "and leave to write, and start again"
        ) from None


def _read_or_make(path: Path) -> str:
    """Return the key in `path`, created atomically by the first of several processes that start together."""
    if not path.exists():
        made = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(32))
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(made)
        finally:
            made.unlink()
    return path.read_text(encoding="ascii").strip()


def audit_keys(contacts: ContactBox) -> Keys:
    """Return the keys of the audit log, which follow from the service's key: for its chain, and for marks of ids."""
    return Keys(contacts.derive("audit", "chain"), contacts.derive("audit", "marks"))
