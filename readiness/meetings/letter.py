"""The letter: one A4 page for a person without mail and SMS, with a QR code, a code to type and a number to call."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import segno

from readiness.meetings.clinics import clinic_phone
from readiness.meetings.paper import Sheet
from readiness.texts import catalogue
from reports.render.languages import TABLE
from reports.render.phones import phone_in
from reports.render.words import Words
from reports.store.records import Meeting, Organisation

__all__ = ["LetterContext", "letters_sheet", "spaced_code"]

QUIET_MODULES = 4
"""The white border that a QR code needs (ISO/IEC 18004)."""
SIZES_PT = (13, 12, 11, 10)
"""Type sizes, the largest first: a smaller one only if a long name or address would need a second page."""
GOOD_TO_KNOW = ("what", "person", "company", "private", "personal")
HALF = 5
"""Characters per group of a typed code."""


@dataclass(frozen=True, slots=True)
class LetterContext:
    """The content of a letter; `link` and `code` are the person's own and exist in memory only."""

    organisation: Organisation
    meeting: Meeting
    language: str
    link: str
    """Opens the test; the content of the QR code."""
    code: str
    """The code to type, as derived; printed in two groups."""
    code_url: str
    """The page that takes the code, such as https://ready.hospital.example/o/sunnaas/code."""
    join: str = ""
    """The meeting\'s own link, where a letter may carry it."""
    label: str = ""
    """The organiser's name for the person, printed small to match letter and envelope; may be empty."""


def letters_sheet(letters: Sequence[LetterContext]) -> Sheet:
    """Return a sheet with a page for each of `letters`, in its own language. Raises ValueError for no letters."""
    if not letters:
        raise ValueError("a letter for nobody")
    title = _words(letters[0]).t("letter.document")
    pages = [_page(letter) for letter in letters]
    return Sheet("letter", {"title": title, "letters": pages}, sizes_pt=SIZES_PT, pages=len(pages))


def spaced_code(code: str) -> str:
    """Return a code in two groups, ``ABCDE-FGHJK``, which are easier to copy by hand."""
    return "-".join(code[at : at + HALF] for at in range(0, len(code), HALF))


def _words(letter: LetterContext) -> Words:
    meeting, organisation = letter.meeting, letter.organisation
    phone = meeting.support_phone or organisation.support_phone
    clinic = clinic_phone(meeting, organisation) or phone
    language = letter.language
    return Words(catalogue(language), language, phone=phone_in(language, phone), clinic=phone_in(language, clinic))


def _page(letter: LetterContext) -> dict[str, Any]:
    words = _words(letter)
    when = words.moment(letter.meeting.starts_at, ZoneInfo(letter.organisation.time_zone))
    hours = letter.organisation.support_hours
    return {
        "lang": letter.language,
        "dir": TABLE[letter.language].dir,
        "organisation": letter.organisation.name,
        "title": words.t("letter.title"),
        "when": words.t("letter.when", when=when),
        "why": words.t("letter.why"),
        "steps_title": words.t("letter.steps"),
        "steps": [words.t(f"letter.step_{number}") for number in (1, 2, 3)],
        "qr_title": words.t("letter.qr.title"),
        "qr_text": words.t("letter.qr.text"),
        "qr_alt": words.t("letter.qr.alt"),
        "qr": _qr_svg(letter.link),
        "code_title": words.t("letter.code.title"),
        "code_address": words.t("letter.code.address"),
        "address": letter.code_url.removeprefix("https://"),
        "code_text": words.t("letter.code.text"),
        "code": spaced_code(letter.code),
        "help_title": words.t("letter.help"),
        "call": words.t("letter.call"),
        "hours": words.t("mail.hours", hours=hours) if hours else "",
        "good_title": words.t("letter.good"),
        "good": [*_joining(letter, words), *(words.t(f"letter.{name}") for name in GOOD_TO_KNOW)],
        "label": words.t("letter.for", label=letter.label) if letter.label else "",
    }


def _joining(letter: LetterContext, words: Words) -> list[str]:
    """Say how the person gets into the meeting itself."""
    meeting = letter.meeting
    if meeting.join_link is not None and meeting.join_shown != "kept":
        return [words.t("letter.joining"), *([words.t("letter.join", join=letter.join)] if letter.join else [])]
    return [words.t("letter.join_from", where=meeting.join_from)] if meeting.join_from else []


def _qr_svg(link: str) -> str:
    """Return a QR code of `link` as SVG; level M survives a fold or a coffee stain (15 % of its words)."""
    drawn = io.BytesIO()
    segno.make(link, error="m", micro=False).save(drawn, kind="svg", border=QUIET_MODULES, light="#fff")
    return drawn.getvalue().decode("utf-8")
