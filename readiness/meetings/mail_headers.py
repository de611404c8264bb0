"""Mail headers that no program misreads; CPython's own folding puts a space into long names.

Names and subjects beyond ASCII become encoded words (RFC 2047) of whole letters, split between words where possible;
addresses are never split over lines (RFC 5322 allows 998 characters).
"""

from __future__ import annotations

import re
from email.headerregistry import AddressHeader
from email.policy import EmailPolicy
from itertools import groupby
from typing import Any, Final

__all__ = ["MAIL_POLICY", "encoded_words"]

ROOM: Final = 60 - len("=?utf-8?q??=")
"""Bytes of an encoded word; fewer than RFC 2047 2 allows (75), to fit after the longest of our header names."""
LONGEST_LINE: Final = 76
_ATOM: Final = re.compile(r"(?!=\?)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,60}")
"""RFC 5322 3.2.3: a word that needs no quotes."""
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
"""RFC 2047 5(3): bytes that need no encoding in a name before an address."""


def encoded_words(text: str) -> list[str]:
    """Return `text` as encoded words of whole letters, each short enough for a line."""
    found: list[str] = []
    part = ""
    for piece in _pieces(text):
        for unit in [piece] if len(_quoted(piece)) <= ROOM else piece:
            if part and len(_quoted(part + unit)) > ROOM:
                found.append(part)
                part = ""
            part += unit
    return [f"=?utf-8?q?{_quoted(one)}?=" for one in [*found, part]]


def _pieces(text: str) -> list[str]:
    """Split after each space; there a reader that joins with a space of its own does the least harm."""
    words = text.split(" ")
    return [f"{word} " for word in words[:-1]] + words[-1:]


def _phrase(name: str) -> list[str]:
    """Return a name before an address: plain words as they are, the words between them encoded.

    Beside a plain word every reader keeps the space; between two encoded words some, CPython among them, add one.
    """
    found: list[str] = []
    for is_plain, group in groupby(name.split(), key=lambda word: bool(_ATOM.fullmatch(word))):
        words = list(group)
        found += words if is_plain else encoded_words(" ".join(words))
    return found


def _wrapped(name: str, words: list[str]) -> str:
    """Return a header whose lines are broken between `words`."""
    line, lines = f"{name}:", []
    for word in words:
        if len(line) + 1 + len(word) > LONGEST_LINE and line != f"{name}:":
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    return "\r\n".join([*lines, line]) + "\r\n"


def _quoted(text: str) -> str:
    encoded = text.encode("utf-8")
    return "".join("_" if byte == ord(" ") else chr(byte) if byte in _PLAIN else f"={byte:02X}" for byte in encoded)


class _Policy(EmailPolicy):
    """SMTP's policy, except that some headers are folded here."""

    def fold(self, name: str, value: Any) -> str:
        """Return the header as lines."""
        own = _own(name, value)
        return super().fold(name, value) if own is None else own

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Return the header as lines of bytes."""
        own = _own(name, value)
        return super().fold_binary(name, value) if own is None else own.encode("ascii")


def _own(name: str, value: Any) -> str | None:
    """Return the lines of a header that CPython might spoil; None if its folding is safe."""
    if isinstance(value, AddressHeader) and len(value.addresses) == 1:
        (one,) = value.addresses
        if not one.display_name:
            return f"{name}: {one.addr_spec}\r\n"
        if not one.display_name.isascii():
            return _wrapped(name, [*_phrase(one.display_name), f"<{one.addr_spec}>"])
    if name.lower() == "subject" and not str(value).isascii():
        return _wrapped(name, encoded_words(str(value)))
    return None


MAIL_POLICY: Final = _Policy(linesep="\r\n")
