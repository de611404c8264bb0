"""The characters of a plain SMS (GSM 03.38). Any other would halve the length of a part, so it is replaced."""

from __future__ import annotations

import unicodedata
from typing import Final

from readiness.typed import visible

__all__ = ["MOST_PARTS", "carried", "foreign", "parts"]

MOST_PARTS: Final = 2
"""Most parts of an SMS of ours, each of which is paid for."""
_BASIC: Final = frozenset(
    "@\u00a3$\u00a5\u00e8\u00e9\u00f9\u00ec\u00f2\u00c7\n\u00d8\u00f8\r\u00c5\u00e5"
    "\u0394_\u03a6\u0393\u039b\u03a9\u03a0\u03a8\u03a3\u0398\u039e"
    "\u00c6\u00e6\u00df\u00c9 !\"#\u00a4%&'()*+,-./0123456789:;<=>?\u00a1ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "\u00c4\u00d6\u00d1\u00dc\u00a7\u00bfabcdefghijklmnopqrstuvwxyz\u00e4\u00f6\u00f1\u00fc\u00e0"
)
_EXTENDED: Final = frozenset("^{}\\[~]|\u20ac\f")
"""Characters that take two places each."""
_NEAREST: Final = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u0060\u02bc\u2039\u203a", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022\u00b7", "-"),
    "\u2026": "...",
    "\u00d7": "x",
    "\u00b0": " ",
    "\u0110": "D", "\u0111": "d", "\u014a": "N", "\u014b": "n", "\u0166": "T", "\u0167": "t",
    "\u0141": "L", "\u0142": "l", "\u00d0": "D", "\u00f0": "d", "\u00de": "Th", "\u00fe": "th",
    "\u0152": "OE", "\u0153": "oe", "\u0131": "i", "\u01b7": "Z", "\u0292": "z", "\u01e4": "G", "\u01e5": "g",
    "\u0126": "H", "\u0127": "h", "\u1e9e": "SS",
}  # fmt: skip
"""Sami and other Nordic letters, and typographic characters, with their replacements."""
_SINGLE, _JOINED = (160, 153), (70, 67)
"""Places in a single SMS and in each part of a longer one: in GSM 03.38, and with a character outside it."""


def carried(text: str) -> str:
    """Return `text` with each character that GSM 03.38 lacks replaced by the nearest; other scripts stay."""
    return "\n".join(" ".join("".join(map(_carried, visible(line))).split()) for line in text.split("\n"))


def foreign(text: str) -> str:
    """Return the letters of `text` without a near equivalent, with which an SMS holds half as much."""
    return "".join(dict.fromkeys(sign for sign in carried(text) if sign not in _BASIC | _EXTENDED))


def parts(text: str) -> int:
    """Return the number of parts that `text` takes as is."""
    if all(sign in _BASIC or sign in _EXTENDED for sign in text):
        places, sizes = sum(1 + (sign in _EXTENDED) for sign in text), _SINGLE
    else:
        places, sizes = len(text.encode("utf-16-le")) // 2, _JOINED
    return 1 if places <= sizes[0] else -(-places // sizes[1])


def _carried(sign: str) -> str:
    if sign in _BASIC or sign in _EXTENDED:
        return sign
    if sign in _NEAREST:
        return _NEAREST[sign]
    bare = "".join(one for one in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(one))
    if bare and all(one in _BASIC for one in bare):
        return bare
    return "" if unicodedata.category(sign)[0] in "SMC" else sign
