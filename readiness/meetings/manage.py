"""Make organisations and meetings from the command line, until there is a page for it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from readiness.access.links import give_support_link
from readiness.demo import give_links
from readiness.errors import SettingError
from readiness.settings import Settings, prepare_folder
from readiness.texts import LANGUAGES
from reports.profile import load_profile, profile_names
from reports.store import Store, StoreError
from reports.store.records import Meeting, Organisation, Participant, new_id

__all__ = ["ROLES", "close_support_links", "make_meeting", "make_support_link", "set_organisation"]

ROLES = ("patient", "relative", "interpreter", "municipal_partner", "staff", "meeting_room")
MAX_LENGTH = timedelta(hours=12)
LONGEST_SUPPORT = timedelta(days=366)
"""A year: then somebody has to ask who still uses the link."""


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
    profile: str = "consultation",
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
    if profile not in profile_names():
        raise SettingError(f"--profile: there is no profile {profile!r}; choose among {', '.join(profile_names())}")
    needs = load_profile(profile)
    async with _store(settings) as store:
        found = await _organisation(store, organisation)
        starts_at = starts if starts.tzinfo else starts.replace(tzinfo=ZoneInfo(found.time_zone))
        meeting = Meeting(
            id=new_id(),
            organisation_id=found.id,
            title=title,
            starts_at=starts_at,
            ends_at=starts_at + lasts,
            profile=needs.name,
            practical=needs.practical,
            expected_people=needs.expected_people,
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


async def make_support_link(settings: Settings, *, organisation: str, lasts: timedelta) -> str:
    """Return a fresh link to the page of support. Raises SettingError."""
    if not timedelta() < lasts <= LONGEST_SUPPORT:
        raise SettingError(f"--days: a support link opens for 1 to {LONGEST_SUPPORT.days} days")
    if not settings.public_url:
        raise SettingError("READINESS_PUBLIC_URL: links need the address that people will open")
    async with _store(settings) as store:
        found = await _organisation(store, organisation)
        return await give_support_link(store, found, settings.public_url, datetime.now(tz=UTC), lasts)


async def close_support_links(settings: Settings, *, organisation: str) -> int:
    """Close every support link of the organisation with the pages they opened; return how many. Raises SettingError."""
    async with _store(settings) as store:
        found = await _organisation(store, organisation)
        return await store.revoke_links(found.id, "support", datetime.now(tz=UTC))


async def _organisation(store: Store, slug: str) -> Organisation:
    found = await store.organisation(slug)
    if found is None:
        raise SettingError(f"--organisation: there is no {slug!r}; make it with `readiness organisation`")
    return found


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
