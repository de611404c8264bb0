"""Organisations from the command line. Every failure is a SettingError of one line that names the option."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from readiness.access.actors import operator_of
from readiness.errors import InputError, SettingError
from readiness.meetings.manage import describe, own_store
from readiness.meetings.own_settings import read_setting
from readiness.settings import Settings
from readiness.texts import LANGUAGES
from reports.store import Conflict, Store
from reports.store.records import Organisation
from reports.store.setting_records import changes_to, with_setting

__all__ = ["own_texts", "set_organisation"]

FLAGS: Final[Mapping[str, str]] = {"drop_in_allowed": "--drop-in", "asks_afterwards": "--ask-afterwards"}
"""Options that are not called as the setting is."""
NEEDED: Final = ("name", "support_phone")
"""Without which there is no organisation."""


async def set_organisation(settings: Settings, slug: str, typed: Mapping[str, str]) -> Organisation:
    """Add an organisation, or change the one of this slug; return it. What is not `typed` stays as it is."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", slug):
        raise SettingError(f"--slug: {slug!r} can't stand in a link; use a-z, 0-9 and -")
    values = {name: _read(name, text) for name, text in typed.items()}
    async with own_store(settings) as store:
        found = await store.organisation(slug)
        if found is not None:
            return await _change(store, found, values)
        wanted = _new(slug, values)
        for name, value in values.items():
            wanted = with_setting(wanted, name, value)
        return await store.ensure_organisation(wanted)


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
        raise SettingError(f"{_flag(name)}: {describe(error.code)}") from None


def _flag(name: str) -> str:
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
