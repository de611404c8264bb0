"""Text that our typefaces can print: signs that no font of ours has become a mark, the rest stays.

A label may be in any script, have an emoji or an invisible character, or be pasted from anywhere. None of that may stop
a letter from being printed.
"""

from __future__ import annotations

import functools
import re
import struct
import unicodedata
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FONTS", "MARK", "code_points", "printable", "without_marks"]

FONTS = Path(__file__).resolve().parent / "templates" / "fonts"
MARK = "\N{WHITE SQUARE}"
"""Stands for what can't be printed."""
MOST_CHARACTERS = 300
"""Limit for one text; titles and labels are far shorter. A longer one is cut, with an ellipsis."""
LONG_WORD = 20
"""Words with more letters may be broken, so that they stay in their column."""
BREAK_EVERY = 10
MOST_ON_ONE_LETTER = 4
"""Marks above and below one letter; more would cover the lines around it."""
JOINERS = "\u200c\u200d"
"""Control how letters of Persian and of Indian scripts are joined, so they stay."""
BREAK = "\u200b"
_EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}"  # a flag
    "|(?:[#*0-9]\ufe0f?\u20e3)"  # a key
    "|[\u2190-\u2bff\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]*"
    "(?:\u200d[\u2190-\u2bff\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]*)*[\U000e0020-\U000e007f]*"
)
"""One emoji, which may be several code points."""
_WORD = re.compile(rf"\S{{{LONG_WORD + 1},}}")
_HIGH_BMP = 0xFFFF
_FORMAT_SEGMENTS, _FORMAT_GROUPS = 4, 12


def printable(text: str) -> str:
    """Return `text` with a `MARK` for each run of signs that no font has; at most 300 letters."""
    known = code_points()
    text = unicodedata.normalize("NFC", text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    text = _EMOJI.sub(
        lambda found: found[0] if ord(found[0][0]) in known and len(found[0]) == 1 else _icon(found[0]), text
    )
    kept: list[str] = []
    stacked = 0
    for sign in text:
        category = unicodedata.category(sign)
        if category[0] == "Z" or sign in "\t\n\r\v\f":
            kept.append(sign if sign == "\N{NO-BREAK SPACE}" else " ")
        elif category in {"Cc", "Cf"} or "\ufe00" <= sign <= "\ufe0f":
            kept.extend(sign if sign in JOINERS and kept and kept[-1] != MARK else "")
        elif ord(sign) not in known or sign == "\N{REPLACEMENT CHARACTER}":
            kept.extend("" if kept and kept[-1] == MARK else MARK)
        elif category[0] == "M":
            stacked += 1
            kept.extend(sign if stacked <= MOST_ON_ONE_LETTER and kept and kept[-1] not in {MARK, " "} else "")
            continue
        else:
            kept.append(sign)
        stacked = 0
    whole = "".join(kept)
    if text and not whole.strip(JOINERS + " "):
        return MARK  # nothing visible: better a mark than a row without a name
    if len(whole) > MOST_CHARACTERS:
        whole = whole[: MOST_CHARACTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return _WORD.sub(lambda found: BREAK.join(_pieces(found[0])), whole)


def without_marks(text: str) -> str:
    """Return `text` with the marks on its letters removed, for fonts that can't set both together."""
    return "".join(sign for sign in text if unicodedata.category(sign)[0] != "M" and sign not in JOINERS)


def _icon(emoji: str) -> str:
    """Return the plain sign of an emoji if a font has it (a telephone, a star), else an unknown one."""
    plain = emoji.replace("\ufe0f", "")
    return plain if len(plain) == 1 and ord(plain) in code_points() else "\N{REPLACEMENT CHARACTER}"


def _pieces(word: str) -> Iterator[str]:
    """Cut a long word, never between a letter and the marks on it."""
    piece, letters = "", 0
    for sign in word:
        loose = unicodedata.category(sign)[0] != "M" and sign not in JOINERS
        if loose and letters >= BREAK_EVERY and not _holds_on(piece[-1]):
            yield piece
            piece, letters = "", 0
        piece, letters = piece + sign, letters + loose
    yield piece


def _holds_on(sign: str) -> bool:
    """Return whether the next letter is joined to this one: by a joiner, or the Indian sign for "no vowel"."""
    virama = 9
    return sign in JOINERS or unicodedata.combining(sign) == virama


@functools.cache
def code_points() -> frozenset[int]:
    """Return every code point that one of our typefaces has a picture of."""
    found: set[int] = set()
    for path in sorted(FONTS.rglob("*.?tf")):
        found |= _character_map(path.read_bytes())
    return frozenset(found)


def _character_map(font: bytes) -> set[int]:
    """Return the code points of a TrueType or OpenType file's ``cmap`` table, formats 4 and 12."""
    (count,) = struct.unpack_from(">H", font, 4)
    tables = {tag: at for tag, _, at, _ in struct.iter_unpack(">4sLLL", font[12 : 12 + 16 * count])}
    start = tables[b"cmap"]
    (count,) = struct.unpack_from(">H", font, start + 2)
    found: set[int] = set()
    for _, _, at in struct.iter_unpack(">HHL", font[start + 4 : start + 4 + 8 * count]):
        table = start + at
        (form,) = struct.unpack_from(">H", font, table)
        if form == _FORMAT_SEGMENTS:
            found |= _segments(font, table)
        elif form == _FORMAT_GROUPS:
            (groups,) = struct.unpack_from(">L", font, table + 12)
            for first, last, _ in struct.iter_unpack(">LLL", font[table + 16 : table + 16 + 12 * groups]):
                found.update(range(first, last + 1))
    return found


def _segments(font: bytes, table: int) -> set[int]:
    (twice,) = struct.unpack_from(">H", font, table + 6)
    ends = struct.unpack_from(f">{twice // 2}H", font, table + 14)
    starts = struct.unpack_from(f">{twice // 2}H", font, table + 16 + twice)
    deltas = struct.unpack_from(f">{twice // 2}H", font, table + 16 + 2 * twice)
    offsets_at = table + 16 + 3 * twice
    found: set[int] = set()
    for number, (first, last, delta) in enumerate(zip(starts, ends, deltas, strict=True)):
        (offset,) = struct.unpack_from(">H", font, offsets_at + 2 * number)
        for code in range(first, min(last, _HIGH_BMP - 1) + 1):
            if offset:
                (glyph,) = struct.unpack_from(">H", font, offsets_at + 2 * number + offset + 2 * (code - first))
            else:
                glyph = (code + delta) & _HIGH_BMP
            if glyph:
                found.add(code)
    return found
