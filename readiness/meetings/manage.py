"""Make organisations and meetings from the command line, until there is a page for it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from readiness.demo import give_links
from readiness.errors import SettingError
from readiness.settings import Settings, prepare_folder
from readiness.texts import LANGUAGES
from reports.profile import load_profile
from reports.store import Store, StoreError
from reports.store.records import Meeting, Organisation, Participant, new_id

__all__ = ["ROLES", "make_meeting", "set_organisation"]

ROLES = ("patient", "relative", "interpreter", "municipal_partner", "staff", "meeting_room")
MAX_LENGTH = timedelta(hours=12)


async def set_organisation(settings: Settings, record: Organisation) -> None:
    """Add `record`, or change the organisation of the same slug. Raises SettingError for what can't be kept."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", record.slug):
        raise SettingError(f"--slug: {record.slug!r} can't stand in a link; use a-z, 0-9 and -")
    unknown = [language for language in record.languages if language not in LANGUAGES]
    if unknown or not record.languages:
        raise SettingError(f"--languages: choose among {', '.join(LANGUAGES)}")
    async with _store(settings) as store:
        await store.ensure_organisation(record)


async def make_meeting(
    settings: Settings,
    *,
    organisation: str,
    starts: datetime,
    lasts: timedelta,
    title: str,
    people: Sequence[tuple[str, ...]],
) -> list[tuple[str, str]]:
    """Make a meeting and return (label, link) for each participant and the leader. Raises SettingError."""
    if not people:
        raise SettingError("--people: name at least one, such as patient:Anna")
    for role, *_ in people:
        if role not in ROLES:
            raise SettingError(f"--people: there is no role {role!r}; choose among {', '.join(ROLES)}")
    if not timedelta() < lasts <= MAX_LENGTH:
        raise SettingError("--minutes: a meeting lasts from 1 to 720 minutes")
    if not settings.public_url:
        raise SettingError("READINESS_PUBLIC_URL: links need the address that people will open")
    async with _store(settings) as store:
        found = await store.organisation(organisation)
        if found is None:
            raise SettingError(f"--organisation: there is no {organisation!r}; make it with `readiness organisation`")
        profile = load_profile("consultation")
        starts_at = starts if starts.tzinfo else starts.replace(tzinfo=ZoneInfo(found.time_zone))
        meeting = Meeting(
            id=new_id(),
            organisation_id=found.id,
            title=title,
            starts_at=starts_at,
            ends_at=starts_at + lasts,
            profile=profile.name,
            practical=profile.practical,
            expected_people=profile.expected_people,
        )
        listed = [
            Participant(
                id=new_id(),
                meeting_id=meeting.id,
                role=role,
                label=(label[0] if label and label[0] else role)[:60],
                locale=found.languages[0],
                position=position,
            )
            for position, (role, *label) in enumerate(people)
        ]
        await store.add_meeting(meeting, listed)
        links = await give_links(store, settings.public_url, found.slug, meeting, listed)
    return [(person.label, links[person.id]) for person in listed] + [("leader", links["leader"])]


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    prepare_folder(settings)
    try:
        store = await Store.open(settings.database, migrate=True)
    except StoreError as error:
        raise SettingError(f"READINESS_DATABASE_URL: the database can't be used: {error}") from None
    try:
        yield store
    finally:
        await store.close()
