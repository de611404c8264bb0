"""One organisation, one meeting with a patient, an interpreter and a leader, ready to be written to."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from readiness.access.contacts import ContactBox
from readiness.access.links import Links
from readiness.meetings import importing
from readiness.meetings.addresses import Reach, person_hash, seal_reach
from readiness.meetings.importing import Imported
from readiness.meetings.outbox import OutboxRunner
from readiness.meetings.planner import Planner
from readiness.meetings.reading import read_file
from readiness.meetings.wanted import Bad, Wanted
from readiness.settings import load_settings
from reports.store import Store
from reports.store.records import Host, Meeting, Outgoing, Participant, StoredReport, new_code, new_id
from tests.actors import CLOCK, add_meeting, otto
from tests.cast import SUNNAAS

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
STARTS = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
"""Ten in the morning in Oslo."""
BASE = "https://ready.hospital.example"
ANNA = Reach(phone="+4790000001", mail="anna@post.example")
TOLK = Reach(phone="+4790000002", mail="")
LARS = Reach(phone="+4790000003", mail="lars@hospital.example")


@dataclass
class Services:
    """What runner and reminders need of the server's services."""

    settings: Any
    store: Store
    contacts: ContactBox
    clock: datetime = NOW
    base_url: str = BASE

    def now(self) -> datetime:
        return self.clock


@contextlib.asynccontextmanager
async def planning(migrated_file: Path, folder: Path, now: datetime) -> AsyncIterator[Planner]:
    """What plans for Sunnaas at `now`, in a database of its own in `folder`."""
    shutil.copy(migrated_file, folder / "r.db")
    store = await Store.open(f"sqlite:///{folder / 'r.db'}")
    try:
        sunnaas = await store.ensure_organisation(SUNNAAS)
        yield Planner(store, ContactBox("key"), sunnaas, "https://ready.example", now, otto(sunnaas.id))
    finally:
        await store.close()


async def import_file(planner: Planner, raw: bytes, **options: bool) -> Imported:
    """Import a file of the tests' own making, which may be read in this process."""

    async def read_here(raw: bytes) -> tuple[list[Wanted], list[Bad]]:
        return read_file(raw)

    return await importing.import_file(planner, raw, read=read_here, **options)


def runner_of(services: Services) -> OutboxRunner:
    """What sends the queued messages, by the services' clock and address as they are at that moment."""
    return OutboxRunner(
        services.store,
        services.contacts,
        services.settings,
        now=services.now,
        base_url=lambda: services.base_url,
    )


def make_services(store: Store, **variables: str) -> Services:
    settings = load_settings({f"READINESS_{name.upper()}": value for name, value in variables.items()})
    return Services(settings, store, ContactBox("secret of the tests"))


def a_meeting(**changes: Any) -> Meeting:
    made = Meeting(
        id=new_id(),
        organisation_id=SUNNAAS.id,
        title="CanaryTitle",
        starts_at=STARTS,
        ends_at=STARTS + timedelta(minutes=45),
        profile="consultation",
        practical=(),
        expected_people=1,
        reminders=(2880, 180),
    )
    return replace(made, **changes)


@dataclass
class Scene:
    """The meeting as it is stored, with its people and their links."""

    services: Services
    meeting: Meeting
    anna: Participant
    tolk: Participant
    lars: Host
    links: dict[str, str]

    def outgoing(self, kind: str, channel: str, whose: Participant | Host, **changes: Any) -> Outgoing:
        is_host = isinstance(whose, Host)
        made = Outgoing(
            id=new_id(),
            organisation_id=SUNNAAS.id,
            meeting_id=self.meeting.id,
            participant_id=None if is_host else whose.id,
            host_id=whose.id if is_host else None,
            kind=kind,
            channel=channel,  # type: ignore[arg-type]
            once=None,
            created_at=self.services.clock,
            due_at=self.services.clock,
        )
        return replace(made, **changes)

    async def states(self) -> list[tuple[str, str, str | None]]:
        found = await self.services.store.outgoing_of(CLOCK, self.meeting.id)
        return sorted((one.kind, one.state, one.error) for one in found)

    async def report(self, whose: Participant, verdict: str, created_at: datetime, valid_until: datetime) -> None:
        report = StoredReport(
            id=new_id(),
            code=new_code(),
            organisation_id=SUNNAAS.id,
            meeting_id=self.meeting.id,
            participant_id=whose.id,
            self_test_id=None,
            session_id=None,
            verdict=verdict,
            complete=True,
            other_device=False,
            created_at=created_at,
            valid_until=valid_until,
            body={"advice": [], "checks": []},
        )
        await self.services.store.save_report(CLOCK, report)


async def make_scene(services: Services, **changes: Any) -> Scene:
    store, box = services.store, services.contacts
    await store.ensure_organisation(SUNNAAS)
    meeting = a_meeting(**changes)
    anna = Participant(new_id(), meeting.id, "patient", "CanaryLabel", "nb", 0, reach=seal_reach(box, ANNA))
    tolk = Participant(new_id(), meeting.id, "interpreter", "T. K.", "en", 1, reach=seal_reach(box, TOLK))
    hashed = person_hash(box, LARS)
    lars = Host(new_id(), meeting.id, "leader", "Lars", "nn", seal_reach(box, LARS), hashed)
    await add_meeting(store, meeting, [anna, tolk], [lars])
    made = Links(store, box, SUNNAAS, services.base_url, services.clock)
    links = {one.id: (await made.of(meeting, one)).link for one in (anna, tolk, lars)}
    return Scene(services, meeting, anna, tolk, lars, links)
