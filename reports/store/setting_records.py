"""An organisation's settings by name, and what was changed: frozen values, no SQL.

A name is a field of `Organisation`, or a field and what stands in it: ``support_phone``, ``texts/emergency/nb``,
``clinics/Unit 3``. Values are plain JSON; None is what is not set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from .records import Organisation

__all__ = [
    "FEWEST_MONTHS",
    "FIGURES_KEPT",
    "MOST_MONTHS",
    "SETTABLE",
    "Setting",
    "SettingChange",
    "changes_to",
    "differences",
    "figures_kept",
    "setting_of",
    "with_setting",
]

FIGURES_KEPT: Final = timedelta(days=396)
"""13 months, so that a month can be compared with the same month a year before."""
MOST_MONTHS: Final = 13
"""Of figures: those of `FIGURES_KEPT`, which hold where an organisation has chosen nothing."""
FEWEST_MONTHS: Final = 3
"""Of figures, where an organisation keeps them for a shorter time: a month is shown a week after it is over."""

_LEVELS: Final[Mapping[str, int]] = {"texts": 2, "clinics": 1, "choices": 1}
"""Fields that hold settings by name, and how many names lead to one."""
SETTABLE: Final = ("name", "support_phone", "support_hours", "closed_days", "clinic_phone", "clinic_contact",
                   "languages", "time_zone", "drop_in_allowed", "asks_afterwards", "links_off", *_LEVELS)  # fmt: skip
"""Fields that are settings: all but those by which an organisation is known."""
_NAMES_PEOPLE: Final = frozenset(
    {"clinic_contact", "clinics", "texts", "choices/notice_dpo", "choices/notice_legal"}
    | {"choices/routine_link", "choices/routine_name"}
)
"""Whose values the audit log does not have: nothing in it names a person, as an own text may do anywhere."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One change to make: from the value that somebody saw to another one."""

    name: str
    before: Any
    after: Any

    @property
    def told(self) -> str:
        """Return what the audit log has of it: both values, but none that may name a person."""
        if not _NAMES_PEOPLE.isdisjoint({self.name, self.name.partition("/")[0]}):
            return self.name
        before, after = (json.dumps(value, ensure_ascii=False) for value in (self.before, self.after))
        return f"{self.name}: {before} -> {after}"


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One change that was made. `changed_by` is an actor's id, `who` a name as long as it is known."""

    id: str
    at: datetime
    changed_by: str
    name: str
    before: Any
    after: Any
    undoes: str | None = None
    who: str = ""


def setting_of(found: Organisation, name: str) -> Any:
    """Return the value of a setting as plain JSON; None for one that is not set. KeyError for a name of nothing."""
    field, *path = _path(name)
    value = getattr(found, field)
    for key in path:
        value = value.get(key)
        if value is None:
            return None
    return json.loads(json.dumps(value if not isinstance(value, Mapping) else dict(value)))


def with_setting(found: Organisation, name: str, value: Any) -> Organisation:
    """Return the organisation with another value of one setting; None takes out what has a name of its own."""
    field, *path = _path(name)
    if path:
        value = _placed(getattr(found, field), path, value)
    changed: dict[str, Any] = {field: tuple(value) if isinstance(value, list) else value}
    return replace(found, **changed)


def changes_to(found: Organisation, values: Mapping[str, Any]) -> list[Setting]:
    """Return the changes that lead to these values; those that are there already are none."""
    wished = [Setting(name, setting_of(found, name), value) for name, value in values.items()]
    return [one for one in wished if one.before != one.after]


def differences(before: Organisation, after: Organisation) -> list[Setting]:
    """Return the settings in which two organisations differ, in the order of their names."""
    names = [name for field in SETTABLE for name in sorted({*_names(before, field), *_names(after, field)})]
    pairs = [Setting(name, setting_of(before, name), setting_of(after, name)) for name in names]
    return [one for one in pairs if one.before != one.after]


def figures_kept(choices: Mapping[str, Any]) -> timedelta:
    """Return for how long an organisation that has chosen this keeps its figures."""
    months: int = choices.get("figures_months", MOST_MONTHS)
    return FIGURES_KEPT * months / MOST_MONTHS


def _path(name: str) -> list[str]:
    field, *rest = name.split("/", 1)
    if field not in SETTABLE or (field in _LEVELS) is not bool(rest):
        raise KeyError(name)
    path = rest[0].split("/", _LEVELS[field] - 1) if rest else []
    if len(path) != _LEVELS.get(field, 0):
        raise KeyError(name)
    return [field, *path]


def _placed(values: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """Return nested values with one of them changed, without what is left empty."""
    key, *deeper = path
    inner = _placed(values.get(key, {}), deeper, value) if deeper else value
    kept = {name: one for name, one in values.items() if name != key}
    return kept if inner is None or inner == {} else {**kept, key: inner}


def _names(found: Organisation, field: str) -> list[str]:
    names = [field]
    for level in range(_LEVELS.get(field, 0)):
        values = getattr(found, field)
        if level == 0:
            names = [f"{field}/{key}" for key in values]
        else:
            names = [f"{name}/{inner}" for name in names for inner in values[name.split("/", 1)[1]]]
    return names
