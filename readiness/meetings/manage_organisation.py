"""Organisations from the command line. Every failure is a SettingError of one line that names the option."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from readiness.access.actors import operator_of
from readiness.errors import InputError, SettingError
from readiness.meetings.manage import describe, own_store
from readiness.meetings.own_settings import CHOICES, clinic_from, movable, read_setting
from readiness.settings import Settings
from readiness.texts import LANGUAGES
from reports.kept_figures import KeptTest
from reports.limits import MOVABLE
from reports.store import Conflict, Store
from reports.store.records import Organisation
from reports.store.setting_records import changes_to, with_setting

__all__ = ["Wish", "own_clinics", "own_limits", "own_texts", "set_organisation", "wish_of"]

FLAGS: Final[Mapping[str, str]] = {
    "drop_in_allowed": "--drop-in",
    "asks_afterwards": "--ask-afterwards",
    "clinics": "--clinic",
}
"""Options that are not called as the setting is."""
NEEDED: Final = ("name", "support_phone")
"""Without which there is no organisation."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An organisation as it is and as it would be, and its tests of the last weeks by profile."""

    before: Organisation
    after: Organisation
    tests: Mapping[str, Sequence[KeptTest]]


async def set_organisation(
    settings: Settings, slug: str, typed: Mapping[str, str], clinics: Mapping[str, object] | None = None
) -> Organisation:
    """Add an organisation, or change the one of this slug; return it.

    What is neither `typed` nor among the `clinics`, which have been read already, stays as it is.
    """
    values = _values(slug, typed, clinics)
    async with own_store(settings) as store:
        found = await store.organisation(slug)
        if found is not None:
            return await _change(store, found, values)
        return await store.ensure_organisation(_with(_new(slug, values), values))


async def wish_of(
    settings: Settings, slug: str, typed: Mapping[str, str], clinics: Mapping[str, object], *, now: datetime
) -> Wish:
    """Return what `set_organisation` would make of an organisation that is there, and its tests; nothing is stored."""
    values = _values(slug, typed, clinics)
    async with own_store(settings) as store:
        found = await store.organisation(slug)
        if found is None:
            raise SettingError(f"--dry-run: there is no organisation {slug!r} yet; without --dry-run it is made")
        return Wish(found, _with(found, values), await store.kept_tests(operator_of(found), now))


def own_texts(files: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return an organisation's own texts as settings, from options such as ``nb=checklist.md``."""
    texts: dict[str, str] = {}
    for name, options in files.items():
        for option in options:
            language, _, file = option.partition("=")
            if language not in LANGUAGES or not file:
                wanted = f"write it as {LANGUAGES[0]}=FILE.md, with {', '.join(LANGUAGES)}"
                raise SettingError(f"{_flag(f'texts/{name}')}: {wanted}")
            try:
                texts[f"texts/{name}/{language}"] = Path(file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", error)
                raise SettingError(f"{_flag(f'texts/{name}')}: can't read {file!r}: {why}") from None
    return texts


def own_limits(options: Sequence[str]) -> dict[str, str]:
    """Return own limits of checks as settings, from options such as ``consultation/network.rtt/fail=220``."""
    limits: dict[str, str] = {}
    for option in options:
        name, equals, number = option.partition("=")
        if not equals or f"thresholds/{name}" not in MOVABLE:
            known = ", ".join(one.removeprefix("thresholds/") for one in MOVABLE if "/consultation/" in one)
            raise SettingError(f"--limit: {option!r} is no limit that can be set; there are {known}")
        limits[f"{CHOICES}thresholds/{name}"] = number
    return limits


def own_clinics(options: Sequence[str]) -> dict[str, object]:
    """Return units' own clinics as values of settings, from options such as ``Unit 3=66 96 90 00;Kari``."""
    clinics: dict[str, object] = {}
    for option in options:
        unit, equals, told = option.partition("=")
        if not equals:
            raise SettingError(
                f"--clinic: {option!r} has no '='; write 'UNIT=NUMBER', or 'UNIT=' for the organisation's number"
            )
        number, _, contact = told.partition(";")
        try:
            name, value = clinic_from(unit, number, contact)
        except InputError as error:
            raise SettingError(f"--clinic: {option!r}: {describe(error.code)}") from None
        clinics[name] = value
    return clinics


def _values(slug: str, typed: Mapping[str, str], clinics: Mapping[str, object] | None) -> dict[str, object]:
    """Return the values of what is set, the clinics' among them."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", slug):
        raise SettingError(f"--slug: {slug!r} can't stand in a link; use a-z, 0-9 and -")
    return {name: _read(name, text) for name, text in typed.items()} | dict(clinics or {})


def _with(organisation: Organisation, values: Mapping[str, object]) -> Organisation:
    for name, value in values.items():
        organisation = with_setting(organisation, name, value)
    return organisation


async def _change(store: Store, found: Organisation, values: Mapping[str, Any]) -> Organisation:
    """Change what is another value by now, and nothing else: an administrator may be changing the rest meanwhile."""
    wanted = changes_to(found, values)
    try:
        return await store.change_settings(operator_of(found), wanted, datetime.now(tz=UTC)) if wanted else found
    except Conflict as error:
        raise SettingError(f"{_flag(str(error))}: somebody changed this just now; look, and run it again") from None


def _read(name: str, text: str) -> object:
    try:
        return read_setting(name, text)
    except InputError as error:
        raise SettingError(f"{_flag(name)}: {_why(name, error.code)}") from None


def _why(name: str, code: str) -> str:
    """Return what is wrong with a setting; of a limit also how far it goes."""
    one, said = movable(name), describe(code)
    if one is None:
        return said
    lowest, highest = (f"{limit:g}" for limit in (one.bounds.lowest, one.bounds.highest))
    return f"{one.check}/{one.outcome.value}: {said.format(lowest=lowest, highest=highest)}"


def _flag(name: str) -> str:
    if movable(name) is not None:
        return "--limit"
    field, _, rest = name.partition("/")
    return FLAGS.get(field) or "--" + (rest.partition("/")[0] or field).replace("_", "-")


def _new(slug: str, values: Mapping[str, object]) -> Organisation:
    """Return an organisation as it is where nothing is said of it."""
    missing = [name for name in NEEDED if name not in values]
    if missing:
        raise SettingError(f"{_flag(missing[0])}: a new organisation needs it")
    return Organisation(
        id=slug,
        slug=slug,
        name="",
        support_phone="",
        support_hours="",
        languages=LANGUAGES,
        time_zone="Europe/Oslo",
        drop_in_allowed=True,
    )
