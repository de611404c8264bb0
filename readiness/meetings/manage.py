"""Organisations, meetings and links from the command line. Every failure is a SettingError of one line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from readiness.access.actors import operator_of
from readiness.access.contacts import contact_box
from readiness.access.links import api_token, give_support_link, organiser_link
from readiness.errors import InputError, ReadinessError, SettingError, Unavailable
from readiness.media.chores import Chores
from readiness.media.pool import chores_alone
from readiness.meetings.confined import read_import
from readiness.meetings.importing import Imported, import_file
from readiness.meetings.inviting import Invited
from readiness.meetings.planner import Planner
from readiness.meetings.reading import MOST_BYTES
from readiness.meetings.values import LONGEST_MIN, ROLES
from readiness.meetings.views import meeting_json
from readiness.meetings.wanted import Bad, Wanted
from readiness.meetings.wishes import Change, HostPlan, MeetingPlan, PersonPlan, Way
from readiness.opening import cannot_use, open_store, refuse_a_folder_of_its_own
from readiness.settings import Settings, prepare_folder
from readiness.texts import catalogue
from reports.profile import load_profile, profile_names
from reports.store import Store, StoreError
from reports.store.records import InvitationKind, Meeting, MeetingLine

__all__ = [
    "ROLES",
    "cancel_meeting",
    "close_links",
    "describe",
    "import_meetings",
    "invite_people",
    "list_meetings",
    "make_link",
    "make_meeting",
    "move_meeting",
    "own_store",
    "planning",
    "refuse_where_off",
    "show_key",
    "show_meeting",
]

LONGEST_LINK = timedelta(days=366)
"""A year; after that somebody has to ask who still uses the link."""
Office = Literal["support", "organiser", "api"]


async def show_key(settings: Settings, *, replace_it: bool) -> tuple[str, str]:
    """Return the fingerprints of this machine's key and the database's; `replace_it` makes this machine's valid.

    After that, phone numbers, addresses and meeting links encrypted under the earlier key can't be read.
    """
    async with own_store(settings, any_key=True) as store:
        own = contact_box(settings).fingerprint
        if replace_it:
            await store.replace_key(own)
        return own, await store.key_fingerprint() or ""


async def make_meeting(
    settings: Settings,
    *,
    organisation: str,
    starts: datetime,
    lasts: timedelta,
    title: str,
    people: Sequence[tuple[str, ...]],
    profile: str = "consultation",
    leader: HostPlan = HostPlan(),  # noqa: B008 - frozen
    solution: str = "other",
    join_link: str = "",
) -> list[tuple[str, str]]:
    """Make a meeting and return (label, link) for each participant and the leader. Raises SettingError."""
    if not people:
        raise SettingError("--people: name at least one, such as patient:Anna")
    for role, *_ in people:
        if role not in ROLES:
            raise SettingError(f"--people: there is no role {role!r}; choose among {', '.join(ROLES)}")
    if not timedelta(minutes=1) <= lasts <= timedelta(minutes=LONGEST_MIN):
        raise SettingError(f"--minutes: a meeting lasts from 1 to {LONGEST_MIN} minutes")
    if profile not in profile_names():
        raise SettingError(f"--profile: there is no profile {profile!r}; choose among {', '.join(profile_names())}")
    listed = [(role, (label[0] if label and label[0] else role)[:60]) for role, *label in people]
    async with planning(settings, organisation) as planner:
        made = await planner.make(
            MeetingPlan(
                starts=starts,
                minutes=round(lasts.total_seconds() / 60),
                title=title,
                profile=profile,
                solution=solution,
                join_link=join_link,
                practical=load_profile(profile).practical,
                people=tuple(PersonPlan(role, label) for role, label in listed),
                hosts=(leader,),
            )
        )
        links = await planner.links(made)
        named = [(person.label, links[person.id].link) for person in made.participants]
        return [*named, ("leader", links[made.hosts[0].id].link)]


async def list_meetings(settings: Settings, *, organisation: str, days: int) -> list[tuple[MeetingLine, datetime]]:
    """Return the meetings from today on, each with its start in the organisation's time zone."""
    async with planning(settings, organisation, needs_url=False) as planner:
        zone = ZoneInfo(planner.organisation.time_zone)
        today = planner.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        span = (today, today + timedelta(days=days))
        lines: list[MeetingLine] = []
        while page := await planner.store.meetings(
            planner.actor, starts=span, now=planner.now, after=lines[-1].meeting.id if lines else None
        ):
            lines += page
        return [(line, line.meeting.starts_at.astimezone(zone)) for line in lines]


async def show_meeting(settings: Settings, *, organisation: str, meeting: str) -> dict[str, Any]:
    """Return a meeting as the API shows it."""
    async with planning(settings, organisation, needs_url=False) as planner:
        return await meeting_json(planner, await planner.meeting(meeting))


async def move_meeting(
    settings: Settings, *, organisation: str, meeting: str, starts: datetime, minutes: int | None
) -> Meeting:
    """Move a meeting and tell everybody who was invited."""
    async with planning(settings, organisation) as planner:
        return await planner.change(meeting, Change(starts=starts, minutes=minutes))


async def cancel_meeting(settings: Settings, *, organisation: str, meeting: str) -> Meeting:
    """Cancel a meeting and tell everybody who was invited."""
    async with planning(settings, organisation) as planner:
        return await planner.cancel(meeting)


async def invite_people(
    settings: Settings, *, organisation: str, meeting: str, people: Sequence[str], channel: Way, renew: bool
) -> list[Invited]:
    """Invite people of a meeting by their ids; all participants if none is given."""
    async with planning(settings, organisation) as planner:
        return await planner.invite(meeting, people or None, channel, renew=renew)


async def import_meetings(
    settings: Settings, *, organisation: str, file: Path, skip_bad: bool, invite: bool
) -> Imported:
    """Make and change the meetings of a file; see `import_file`."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise SettingError(f"{file}: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise SettingError(f"{file}: {describe('import.too_large')}")
    async with planning(settings, organisation) as planner, chores_alone() as chores:
        read = partial(_read_confined, chores, file)
        return await import_file(planner, raw, read=read, skip_bad=skip_bad, invite=invite)


async def _read_confined(chores: Chores, file: Path, raw: bytes) -> tuple[list[Wanted], list[Bad]]:
    """Read a file within the server's limits for files. Raises a SettingError that names the file."""
    try:
        return await read_import(chores, raw)
    except InputError as error:
        raise SettingError(f"{file}: {describe(error.code)}") from None
    except Unavailable:
        raise SettingError(f"{file}: can't be read just now, the machine is too busy; try again") from None


async def make_link(settings: Settings, kind: Office, *, organisation: str, lasts: timedelta) -> str:
    """Return a fresh link for support or an organiser, or a program's token. Raises SettingError."""
    if not timedelta() < lasts <= LONGEST_LINK:
        raise SettingError(f"--days: it opens for 1 to {LONGEST_LINK.days} days")
    async with planning(settings, organisation, needs_url=kind != "api") as planner:
        refuse_where_off(planner, kind)
        if kind == "api":
            return await api_token(planner.store, planner.organisation, planner.now, lasts)
        give = give_support_link if kind == "support" else organiser_link
        return await give(planner.store, planner.organisation, planner.base_url, planner.now, lasts)


def refuse_where_off(planner: Planner, kind: InvitationKind) -> None:
    """Raise SettingError where the planner's organisation has switched links of this kind off."""
    if kind in planner.organisation.links_off:
        slug = planner.organisation.slug
        raise SettingError(f"--organisation: links of this kind are off at {slug!r}; its people sign in")


async def close_links(settings: Settings, kind: Office, *, organisation: str) -> int:
    """Close all links of one kind of the organisation and the sessions they opened; return how many."""
    async with planning(settings, organisation, needs_url=False) as planner:
        return await planner.store.revoke_links(planner.organisation.id, kind, planner.now)


def describe(code: str) -> str:
    """Return the English words of an error's code, as on the pages."""
    return catalogue("en").get(f"error.{code}", code)


@asynccontextmanager
async def planning(settings: Settings, slug: str, *, needs_url: bool = True) -> AsyncIterator[Planner]:
    """Yield a planner for the organisation. Its refusals become SettingErrors of one line."""
    if needs_url and not settings.public_url:
        raise SettingError("READINESS_PUBLIC_URL: links need the address that people will open")
    async with own_store(settings) as store:
        found = await store.organisation(slug)
        if found is None:
            raise SettingError(f"--organisation: there is no {slug!r}; make it with `readiness organisation`")
        with _one_line():
            now, actor = datetime.now(tz=UTC), operator_of(found)
            yield Planner(store, contact_box(settings), found, settings.public_url, now, actor)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except SettingError:
        raise
    except ReadinessError as error:
        where = f"{error.field}: " if error.field else ""
        raise SettingError(f"{where}{describe(error.code)}") from None


@asynccontextmanager
async def own_store(settings: Settings, *, any_key: bool = False) -> AsyncIterator[Store]:
    """Yield the server's own store. What goes wrong with it becomes a SettingError of one line."""
    refuse_a_folder_of_its_own(settings)
    prepare_folder(settings)
    store = await open_store(settings, any_key=any_key)
    try:
        yield store
    except StoreError as error:
        raise cannot_use(settings, error) from None
    finally:
        await store.close()
