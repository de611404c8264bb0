"""The parts of an organisation's page of settings: which fields each has, and how a form is read. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from readiness.errors import InputError
from readiness.meetings.own_settings import CAN_BE_OFF, CHOICES, OWN_TEXTS, clinic_from, read_setting
from readiness.texts import LANGUAGES
from readiness.typed import one_line
from reports.limits import movable_of
from reports.profile import load_profile, profile_names
from reports.store.records import Channel, Organisation
from reports.store.setting_records import setting_of

__all__ = [
    "CHANNELS",
    "CLINIC_FIELDS",
    "LIMITS_OF",
    "PARTS",
    "Field",
    "Reading",
    "mark_of",
    "read_clinic",
    "read_form",
    "seen_of",
]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form: a setting by its name, and how it is asked for."""

    name: str
    kind: Literal["line", "phone", "text", "number", "limit", "tick", "ticks", "languages"] = "line"
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A form that was read: what was typed, the values of those settings that are right, and what is wrong where.

    `names` are the settings that the form is about, right or wrong.
    """

    typed: Mapping[str, str]
    values: Mapping[str, Any]
    problems: Mapping[str, str]
    names: Sequence[str] = ()


CHANNELS: Final[tuple[Channel, ...]] = ("mail", "sms")
LIMITS_OF: Final[Mapping[str, str]] = {f"limits_{name}": name for name in profile_names()}
"""The profile of each part that is about limits."""
CLINIC_FIELDS: Final = (Field("unit"), Field("number", "phone"), Field("contact"))
_NOTICE: Final = (Field("choices/notice_legal"), Field("choices/notice_dpo"))
"""Sentences in our privacy notice that only the organisation knows."""
PARTS: Final[Mapping[str, tuple[Field, ...]]] = {
    "contact": (
        *(Field("name"), Field("support_phone", "phone"), Field("support_hours"), Field("closed_days")),
        *(Field("clinic_phone", "phone"), Field("clinic_contact")),
    ),
    "clinics": CLINIC_FIELDS,
    **{
        name: (*(_NOTICE if name == "privacy" else ()), *(Field(f"texts/{name}/{one}", "text") for one in LANGUAGES))
        for name in OWN_TEXTS
    },
    "routine": (Field("choices/routine_link"), Field("choices/routine_name")),
    "pages": (
        *(Field("languages", "languages", LANGUAGES), Field("time_zone")),
        *(Field("drop_in_allowed", "tick"), Field("asks_afterwards", "tick")),
    ),
    "kept": (Field("choices/figures_months", "number"),),
    **{
        part: tuple(Field(f"{CHOICES}{one.name}", "limit") for one in movable_of(load_profile(name)))
        for part, name in LIMITS_OF.items()
    },
    "messages": (Field("mail"), Field("sms", "phone")),
    "links": (Field("links_off", "ticks", CAN_BE_OFF),),
}
"""Each part of the page, with its fields. Clinics have a form for each unit; messages are tried, and nothing is set."""


def seen_of(organisation: Organisation, names: Iterable[str]) -> str:
    """Return what stands for the values of settings: another one as soon as one of them is changed."""
    return mark_of([setting_of(organisation, name) for name in names])


def mark_of(values: Sequence[Any]) -> str:
    """Return what stands for these values: another one as soon as one of them is another."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def read_form(form: Mapping[str, str], fields: Sequence[Field]) -> Reading:
    """Read the form of a part."""
    typed = {field.name: _typed(form, field) for field in fields}
    values, problems = {}, {}
    for name, text in typed.items():
        try:
            values[name] = read_setting(name, text)
        except InputError as error:
            problems[name] = error.code
    names = [*typed]
    for name in (field.name for field in fields if field.kind == "languages"):
        typed[f"{name}.first"] = form.get(f"{name}.first", "")
        if typed[f"{name}.first"] not in ("", *values.get(name, [])):
            problems.setdefault(name, "settings.first")
    return Reading(typed, values, problems, names)


def read_clinic(form: Mapping[str, str]) -> Reading:
    """Read the form of one unit's clinic: a single setting, of which nothing is left where both fields are empty."""
    typed = {field.name: form.get(field.name, "") for field in CLINIC_FIELDS}
    typed["unit"] = one_line(typed["unit"])
    names = [f"clinics/{typed['unit']}"]
    try:
        name, value = clinic_from(**typed)
    except InputError as error:
        return Reading(typed, {}, {error.field: error.code}, names)
    return Reading(typed, {name: value}, {}, names)


def _typed(form: Mapping[str, str], field: Field) -> str:
    """Return what was typed in a field, or chosen, as text; of languages the default stands first."""
    if not field.options:
        return form.get(field.name, "")
    chosen = [one for one in field.options if form.get(f"{field.name}.{one}")]
    first = form.get(f"{field.name}.first")
    return ",".join(sorted(chosen, key=lambda one: one != first))
