"""The text of a table's bytes: finds the encoding, or names the kind of a file that is no table. Pure.

Excel saves CSV as UTF-8 only on request, else as Windows-1252, or as UTF-16 with tabs ("Unicode text"). All three are
read. An ambiguous encoding is refused with an explanation: a name must never be guessed.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
import zipfile
from typing import Final

from readiness.errors import InputError

__all__ = ["LOST", "read_twice", "reads_well", "text_of"]

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZIP: Final = b"PK\x03\x04"
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""An OLE2 container: Excel and Word to 2003, Outlook's messages, workbooks with a password."""
_WORKBOOKS: Final = ("xl/", "content.xml", "Index/")
"""Parts of Excel's, LibreOffice's and Numbers' files."""
_OTHER: Final = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"{\\rtf", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")
_WORKBOOK_XML: Final = re.compile(rb"urn:schemas-microsoft-com:office:spreadsheet|mso-application", re.IGNORECASE)
_MAIL: Final = re.compile(rb"(?:[A-Za-z-]{2,40}: [^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*){3,}\r?\n")
_HEAD_BYTES: Final = 4096
LOST: Final = "\ufffd"
"""The sign that an earlier program put for a letter it could not read."""
_PLAIN_SIGNS: Final = frozenset("«»§°€£·•…„”½¼\u00b4\u2013\u2014\u00a0")
"""Signs, besides letters, that are common in Windows-1252."""
_BYTE_OF: Final = {chr(number): bytes([number]) for number in range(0x80, 0xA0)}
"""Bytes for which Latin-1, and for some Windows-1252, has no sign; programs keep them as they are."""
MOST_TIMES: Final = 3
"""How often a file is read again that was saved wrong more than once."""
_BESIDE: Final = bytes.fromhex("c5c6d8c4d6dc e5e6f8e4f6fc cdedfaf1").decode("latin-1")
_OTHERS_IN_A_ROW: Final = re.compile(f"[À-ÿ](?<![{_BESIDE}])[À-ÿ]|[À-ÿ](?![{_BESIDE}])[À-ÿ]|[À-ÿ]{{4}}")
"""Accented letters side by side: ``øå`` and ``úñ`` stand in names (Sæbøåsen, Núñez), ``Èá`` in none."""
_WORDS_ALONE: Final = frozenset({0xC5, 0xC6, 0xD8, 0xE5, 0xE6, 0xF8})
"""Norwegian letters that occur alone, as a word or an initial."""


def text_of(raw: bytes) -> str:
    """Return the text of a table. Raises an InputError that names the kind of file, or says that it can't be read."""
    if kind := _other_kind(raw):
        raise InputError(kind)
    text = _decoded(raw)
    if "\0" in text:
        raise InputError("import.damaged")
    if LOST in text:
        raise InputError("import.encoding")
    text = read_twice(text)
    if kind := _other_kind(text[:_HEAD_BYTES].encode("utf-8")):
        raise InputError(kind)
    return text


def _other_kind(raw: bytes) -> str | None:
    """Return the error's code for a file that is known to be of another kind."""
    head = raw[:_HEAD_BYTES].lstrip()
    if head.startswith(_ZIP):
        return "import.workbook" if _is_workbook(raw) else "import.not_table"
    if head.startswith(_OLD_OFFICE):
        return "import.workbook"
    if head.startswith(_OTHER) or head[:12].upper().startswith((b"BEGIN:VCARD", b"BEGIN:VCALEN")):
        return "import.not_table"
    if head.startswith(b"<"):
        return "import.workbook" if _WORKBOOK_XML.search(head) else "import.web_page"
    if head.startswith((b"{", b"[")) or _MAIL.match(head):
        return "import.not_table"
    return None


def _is_workbook(raw: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            names = packed.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError):
        return True  # a damaged one: no other zip is called .csv
    return any(name.startswith(_WORKBOOKS) for name in names)


def _decoded(raw: bytes) -> str:
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return _as(raw, name)
    if wide := _wide(raw):
        return _as(raw, wide)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        raise InputError("import.encoding") from None
    if "\r" in text and "\n" not in text:
        raise InputError("import.encoding")  # an old Mac's line ends, with letters beyond ASCII
    if not reads_well(text):
        raise InputError("import.encoding")
    return text


def read_twice(text: str) -> str:
    """Undo the work of a program that took UTF-8 for Latin-1 or Windows-1252 and saved it as UTF-8: ``Ã…se``, ``Åse``.

    Only if the whole text can be read that way, which no text does that was saved once.
    """
    for _ in range(MOST_TIMES):
        if text.isascii():
            break
        try:
            text = b"".join(_BYTE_OF.get(sign) or sign.encode("cp1252") for sign in text).decode("utf-8")
        except UnicodeError:
            break
    return text


def _as(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise InputError("import.damaged") from None


def _wide(raw: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark: in an ASCII heading every second byte is zero."""
    head = raw[:64]
    if len(head) < 8 or len(raw) % 2:  # noqa: PLR2004 - four letters
        return None
    even, odd = head[0::2], head[1::2]
    if not any(even) and all(odd):
        return "utf-16-be"
    return "utf-16-le" if not any(odd) and all(even) else None


def reads_well(text: str) -> bool:
    """Return whether a text that was read as Windows-1252 looks as if it was written in that encoding.

    Mac Roman and the code pages of DOS, read as Windows-1252, show signs inside words, capitals after small letters,
    or accented letters by themselves; letters outside Latin-1 could be from one of those too. Windows' pages for
    Russian and the Sámi languages show accented letters side by side, and those for Turkish and the Baltic countries
    put Iceland's in other words.
    """
    if _OTHERS_IN_A_ROW.search(text):
        return False
    padded = f" {text} "
    for before, sign, after in zip(padded, padded[1:], padded[2:], strict=False):
        if sign.isascii():
            continue
        if not _fits(before, sign, after):
            return False
    return True


def _fits(before: str, sign: str, after: str) -> bool:
    in_word = before.isalpha() or after.isalpha()
    if sign in "\u2019\u2018\u201c":
        opens, closes = not before.isalnum(), before.isalnum()
        return closes if sign == "\u2019" else opens
    if sign in "£€§" and after.isalpha():
        return False
    if sign in _PLAIN_SIGNS:
        return not (before.isalpha() and after.isalpha()) or sign in "·\u2013\u2014\u00a0"
    if not "\u00c0" <= sign <= "\u00ff" or sign in "\u00d7÷ÐÕðÞþÝýÿ":
        return False
    if unicodedata.category(sign) == "Lu" and before.islower():
        return False
    return in_word or ord(sign) in _WORDS_ALONE
