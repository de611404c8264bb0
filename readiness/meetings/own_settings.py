"""An organisation's own settings as they are typed, on its page or on the command line: read, or refused. Pure.

One table, so that both take the same values and refuse the same ones. What is typed is text: lists have commas, yes is
``yes`` and no is nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from readiness.closed_days import read_closed_days
from readiness.errors import InputError
from readiness.hours import read_hours
from readiness.meetings.values import LONGEST_LABEL, LONGEST_PHONE, LONGEST_TITLE
from readiness.texts import LANGUAGES
from readiness.typed import LONGEST_LINK, clean_link, one_line
from reports.limits import MOVABLE, MovableLimit
from reports.store.records import InvitationKind
from reports.store.setting_records import FEWEST_MONTHS, MOST_MONTHS

__all__ = [
    "CAN_BE_OFF",
    "CHOICES",
    "LONGEST_LIMIT",
    "LONGEST_OF",
    "LONGEST_TEXT",
    "OWN_TEXTS",
    "clinic_from",
    "is_readable",
    "movable",
    "read_setting",
    "typed_of",
]

LONGEST_TEXT: Final = 20_000
"""Characters of an own text: some six printed pages."""
LONGEST_SENTENCE: Final = 200
"""Of the law that is followed, and of whom to ask about it."""
LONGEST_DAYS: Final = 200
"""Of the list of closed days: some fifteen dates or spans, enough for a year or two."""
CAN_BE_OFF: Final[tuple[InvitationKind, ...]] = ("support", "organiser", "room_manager")
"""Links whose people can sign in instead. A leader knows no other way in than the own link."""
OWN_TEXTS: Final = ("checklist", "technical_host", "emergency", "privacy")
"""An organisation's own texts in place of ours, by language; in Markdown."""
LONGEST_OF: Final[Mapping[str, int]] = {
    "name": LONGEST_TITLE,
    "support_phone": LONGEST_PHONE,
    "support_hours": LONGEST_LABEL,
    "closed_days": LONGEST_DAYS,
    "clinic_phone": LONGEST_PHONE,
    "clinic_contact": LONGEST_LABEL,
    "time_zone": LONGEST_LABEL,
    "texts": LONGEST_TEXT,
    "clinics": LONGEST_LABEL,
    "choices/notice_legal": LONGEST_SENTENCE,
    "choices/notice_dpo": LONGEST_SENTENCE,
    "choices/routine_link": LONGEST_LINK,
    "choices/routine_name": LONGEST_LABEL,
}
"""Characters that a setting may have."""
CHOICES: Final = "choices/"
"""How the names of choices begin."""
FEWEST_DIGITS, MOST_DIGITS = 3, 15
"""Of a number that can be called: 112, and the longest of E.164."""
_NUMBER: Final = re.compile(r"\+?[\d ()./\u2010-\u2015-]+")
LONGEST_LIMIT: Final = 12
"""Characters of a number in a field."""
_LIMIT: Final = re.compile(r"[+-]?\d{1,6}(?:[.,]\d{1,6})?")
_LINES: Final = re.compile(r"\r\n?")


def movable(name: str) -> MovableLimit | None:
    """Return the limit that a setting of this name is; None where it is another setting."""
    return MOVABLE.get(name.removeprefix(CHOICES))


def read_setting(name: str, typed: str) -> Any:
    """Return the value of a setting that was typed, as it is stored. Raises InputError that names the setting."""
    try:
        if (one := movable(name)) is not None:
            return _limit(one, typed)
        return (_READERS.get(name) or _READERS[name.partition("/")[0]])(typed)
    except InputError as error:
        raise InputError(error.code, field=name) from None


def typed_of(value: Any) -> str:
    """Return what somebody would have typed for a value."""
    if isinstance(value, bool):
        return "yes" if value else ""
    return ",".join(value) if isinstance(value, list | tuple) else str(value or "")


def _limit(one: MovableLimit, typed: str) -> float | None:
    """Return an organisation's own limit of a check; None where ours holds."""
    plain = one_line(typed).replace("\N{MINUS SIGN}", "-")
    if not plain:
        return None
    if not _LIMIT.fullmatch(plain):
        raise InputError("settings.limit")
    limit = float(plain.replace(",", "."))
    if not one.bounds.hold(limit):
        raise InputError("settings.limit")
    if one.figure.rounded(limit) != limit:
        raise InputError("settings.limit.exact")
    return limit


def clinic_from(unit: str, number: str, contact: str) -> tuple[str, dict[str, str] | None]:
    """Return the setting's name for a unit and its value, None where nothing is left of it. Raises InputError."""
    named = _line("clinics")(unit)
    if not named:
        raise InputError("settings.unit", field="unit")
    told = {"number": _at("number", _phone, number), "contact": _at("contact", _line("clinic_contact"), contact)}
    kept = {name: one for name, one in told.items() if one}
    return f"clinics/{named}", kept or None


def is_readable(hours: str) -> bool:
    """Return whether opening hours can be told from what was typed, so that pages say when a closed phone opens."""
    return not hours or read_hours(hours) is not None


def _at(where: str, read: Callable[[str], str], typed: str) -> str:
    try:
        return read(typed)
    except InputError as error:
        raise InputError(error.code, field=where) from None


def _line(name: str) -> Callable[[str], str]:
    def read(typed: str) -> str:
        plain = one_line(typed)
        if len(plain) > LONGEST_OF[name]:
            raise InputError("text.too_long")
        return plain

    return read


def _needed(read: Callable[[str], str]) -> Callable[[str], str]:
    def needed(typed: str) -> str:
        plain = read(typed)
        if not plain:
            raise InputError("settings.needed")
        return plain

    return needed


def _optional(name: str) -> Callable[[str], str | None]:
    """Return what reads a line that may be left out: None then, so that ours holds."""
    read = _line(name)
    return lambda typed: read(typed) or None


def _phone(typed: str) -> str:
    plain = _line("support_phone")(typed)
    digits = sum(sign.isdigit() for sign in plain)
    if plain and not (_NUMBER.fullmatch(plain) and FEWEST_DIGITS <= digits <= MOST_DIGITS):
        raise InputError("settings.phone")
    return plain


def _named(typed: str, known: tuple[str, ...], code: str) -> list[str]:
    """Return what stands between the commas, each once. Raises InputError for what is not `known`."""
    named = [*dict.fromkeys(one.strip() for one in typed.split(",") if one.strip())]
    if set(named) - set(known):
        raise InputError(code)
    return named


def _languages(typed: str) -> list[str]:
    """Return the languages in the order in which they are offered, the default first."""
    named = _named(typed, LANGUAGES, "settings.languages")
    if not named:
        raise InputError("settings.languages")
    return named


def _links(typed: str) -> list[str]:
    named = _named(typed, CAN_BE_OFF, "settings.links")
    return [one for one in CAN_BE_OFF if one in named]


def _zone(typed: str) -> str:
    plain = one_line(typed)
    try:
        ZoneInfo(plain)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError("settings.zone") from None
    return plain


def _days(typed: str) -> str:
    plain = _line("closed_days")(typed)
    if read_closed_days(plain) is None:
        raise InputError("settings.days")
    return plain


def _months(typed: str) -> int | None:
    """Return for how many months figures are kept; None for as long as anybody's."""
    plain = one_line(typed)
    if not plain:
        return None
    if plain not in map(str, range(FEWEST_MONTHS, MOST_MONTHS + 1)):
        raise InputError("settings.months")
    return int(plain)


def _link(typed: str) -> str | None:
    """Return the address of a page, which is https; None for none."""
    try:
        return clean_link(typed) or None
    except InputError:
        raise InputError("settings.link") from None


def _text(typed: str) -> str | None:
    plain = _LINES.sub("\n", typed)
    if "\0" in plain:  # of a file; forms with one are refused before
        raise InputError("request.malformed")
    if len(plain) > LONGEST_TEXT:
        raise InputError("text.too_long")
    return plain if plain.strip() else None


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "name": _needed(_line("name")),
    "support_phone": _needed(_phone),
    "support_hours": _line("support_hours"),
    "closed_days": _days,
    "clinic_phone": _phone,
    "clinic_contact": _line("clinic_contact"),
    "languages": _languages,
    "time_zone": _zone,
    "drop_in_allowed": lambda typed: typed == "yes",
    "asks_afterwards": lambda typed: typed == "yes",
    "links_off": _links,
    "texts": _text,
    "choices/figures_months": _months,
    "choices/routine_link": _link,
    **{name: _optional(name) for name in ("choices/routine_name", "choices/notice_legal", "choices/notice_dpo")},
}
