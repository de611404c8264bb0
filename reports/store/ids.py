"""Names that the store makes: unguessable ids, and report codes that can be read aloud."""

from __future__ import annotations

import secrets
import unicodedata

__all__ = ["CODE_ALPHABET", "CODE_LENGTH", "clean_code", "new_code", "new_id"]

CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no I, L, O or U, so that a code can be read aloud without mistakes."""
CODE_LENGTH = 6
"""30 bits. A code names a report within one organisation and opens nothing, so it need not be unguessable."""
_MISREAD = str.maketrans("OILU", "011V")
_MOST_TYPED = 40
"""Most characters of a typed code that are read."""
_ID_BYTES = 18
"""144 bits of randomness, above the 128 a session id needs."""


def new_id() -> str:
    """Return a fresh unguessable id of 24 URL-safe characters.

    It never begins with a hyphen, which a command would take for an option.
    """
    while (made := secrets.token_urlsafe(_ID_BYTES)).startswith("-"):
        pass
    return made


def new_code() -> str:
    """Return a fresh report code, for example ``K7MB2Q``."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def clean_code(typed: str, length: int = CODE_LENGTH) -> str | None:
    """Return the code of `length` characters that somebody meant to type, or None if it can't be one.

    Case, spaces and hyphens do not matter; O is 0, I and L are 1, as in Crockford's base32, and U counts as V.
    """
    plain = unicodedata.normalize("NFKC", typed[:_MOST_TYPED]).upper()
    code = "".join(letter for letter in plain if letter.isalnum()).translate(_MISREAD)
    return code if len(code) == length and set(code) <= set(CODE_ALPHABET) else None
