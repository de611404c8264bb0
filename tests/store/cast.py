"""The fixed cast of the store's tests: Anna's meeting at Sunnaas, led by Lars; Odd leads one elsewhere."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from readiness.access.actors import clock_of
from reports.store import (
    Actor,
    Feedback,
    Host,
    Invitation,
    Meeting,
    Organisation,
    Outgoing,
    Participant,
    SelfTest,
    Session,
    Store,
    StoredReport,
    new_code,
    new_id,
)
from reports.store.migrations import migrate
from tests.actors import add_meeting, otto

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""A Monday in ISO week 48."""
STARTS = NOW + timedelta(hours=2)
ENDS = NOW + timedelta(hours=3)
BODY: Mapping[str, Any] = {
    "schema": "readiness.report/1",
    "verdict": "ready",
    "profile": "consultation",
    "client": {"kind": "browser", "browser": "Chrome 142", "os": "Android", "form": "phone"},
    "checks": [
        {"id": "network.rtt", "outcome": "pass", "value": 52.1, "unit": "ms", "pass": 150, "fail": 300, "samples": 250},
        {"id": "practical.people", "outcome": "pass", "value": 3, "unit": None},
    ],
}


def digest(secret: str) -> bytes:
    """What the store is given instead of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def body_digest(body: Mapping[str, Any]) -> str:
    """A hash of a report's body that does not depend on spelling."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def organisation(slug: str = "sunnaas", **changed: Any) -> Organisation:
    """Sunnaas, unless told otherwise."""
    values: dict[str, Any] = {
        "id": f"org-{slug}",
        "slug": slug,
        "name": "Sunnaas sykehus",
        "support_phone": "+47 66 96 90 00",
        "support_hours": "08-15",
        "languages": ("nb", "nn", "en"),
        "time_zone": "Europe/Oslo",
        "drop_in_allowed": True,
    }
    return Organisation(**values | changed)


def meeting(**changed: Any) -> Meeting:
    """Anna's meeting."""
    values: dict[str, Any] = {
        "id": "meeting-anna",
        "organisation_id": "org-sunnaas",
        "title": "Samtale med Anna Hansen",
        "starts_at": STARTS,
        "ends_at": ENDS,
        "profile": "consultation",
        "practical": ("private_room", "people"),
        "expected_people": 1,
    }
    return Meeting(**values | changed)


def participant(name: str, position: int, meeting_id: str = "meeting-anna", role: str = "participant") -> Participant:
    """Somebody in a meeting."""
    return Participant(f"{meeting_id}-{name}", meeting_id, role, name.capitalize(), "nb", position)


def host(**changed: Any) -> Host:
    """Lars, who leads Anna's meeting."""
    values: dict[str, Any] = {
        "id": "host-lars",
        "meeting_id": "meeting-anna",
        "role": "leader",
        "label": "Lars",
        "locale": "nb",
        "reach": b"encrypted",
        "person_hash": b"person-lars",
    }
    return Host(**values | changed)


LARS = Actor("leader", "org-sunnaas", "host:host-lars")
NORA = Actor("support", "org-sunnaas", "link:nora")
OTTO, EVE = otto("org-sunnaas"), otto("org-ahus")
ANNA = Actor("participant", "org-sunnaas", "participant:meeting-anna-anna")
CLOCK = clock_of("org-sunnaas")


def outgoing(**changed: Any) -> Outgoing:
    """Anna's invitation, to be mailed at once."""
    values: dict[str, Any] = {
        "id": new_id(),
        "organisation_id": "org-sunnaas",
        "meeting_id": "meeting-anna",
        "participant_id": "meeting-anna-anna",
        "host_id": None,
        "kind": "invitation",
        "channel": "mail",
        "once": None,
        "created_at": NOW,
        "due_at": NOW,
    }
    return Outgoing(**values | changed)


def answer(**changed: Any) -> Feedback:
    """How Anna's meeting went for her: well."""
    values: dict[str, Any] = {
        "id": new_id(),
        "organisation_id": "org-sunnaas",
        "meeting_id": "meeting-anna",
        "participant_id": "meeting-anna-anna",
        "host_id": None,
        "role": "patient",
        "profile": "consultation",
        "solution": "other",
        "verdict": "ready",
        "report_id": None,
        "score": 5,
        "problem": "",
        "week": "2026-W48",
    }
    return Feedback(**values | changed)


def session(**changed: Any) -> Session:
    """Anna's open page."""
    values: dict[str, Any] = {
        "id": "session-anna",
        "kind": "participant",
        "organisation_id": "org-sunnaas",
        "invitation_id": None,
        "meeting_id": "meeting-anna",
        "participant_id": "meeting-anna-anna",
        "expires_at": NOW + timedelta(hours=12),
    }
    return Session(**values | changed)


def invitation(**changed: Any) -> Invitation:
    """Anna's link, good for an hour after the meeting."""
    values: dict[str, Any] = {
        "id": "link-anna",
        "organisation_id": "org-sunnaas",
        "kind": "participant",
        "meeting_id": "meeting-anna",
        "participant_id": "meeting-anna-anna",
        "expires_at": ENDS + timedelta(hours=1),
    }
    return Invitation(**values | changed)


def drop_in(**changed: Any) -> Session:
    """A page somebody opened without a link."""
    return session(**{"id": "session-drop-in", "kind": "drop_in", "meeting_id": None, "participant_id": None} | changed)


def self_test(**changed: Any) -> SelfTest:
    """Anna's run."""
    values: dict[str, Any] = {
        "id": "test-anna",
        "session_id": "session-anna",
        "organisation_id": "org-sunnaas",
        "participant_id": "meeting-anna-anna",
        "profile": "consultation",
        "state": "running",
        "started_at": NOW,
        "updated_at": NOW,
        "client": {"kind": "browser", "browser": "Chrome 142"},
    }
    return SelfTest(**values | changed)


def report(**changed: Any) -> StoredReport:
    """Anna's report, under a new id and code."""
    values: dict[str, Any] = {
        "id": new_id(),
        "code": new_code(),
        "organisation_id": "org-sunnaas",
        "meeting_id": "meeting-anna",
        "participant_id": "meeting-anna-anna",
        "self_test_id": None,
        "session_id": "session-anna",
        "verdict": "ready",
        "complete": True,
        "other_device": False,
        "created_at": NOW + timedelta(minutes=1),
        "valid_until": NOW + timedelta(days=14),
        "body": dict(BODY),
    }
    return StoredReport(**values | changed)


async def fill(store: Store) -> None:
    """Two organisations, Anna's meeting with Lars leading, and her page."""
    await store.ensure_organisation(organisation())
    await store.ensure_organisation(organisation("ahus"))
    people = [participant("lars", 0, role="leader"), participant("anna", 1), participant("kari", 2)]
    await add_meeting(store, meeting(), people)
    await store.add_session(session(), digest("cookie-anna"))
    await store.add_session(drop_in(), digest("cookie-drop-in"))


def submit_until_killed(url: str, child: int, again: list[str], acknowledged: Connection) -> None:
    """Run in a process of its own: save reports for ever, and tell the id and hash of each one that returned."""
    asyncio.run(_submit(url, child, again, acknowledged))


async def _submit(url: str, child: int, again: list[str], acknowledged: Connection) -> None:
    store = await Store.open(url)
    acknowledged.send(None)
    for report_id in again:
        saved = await store.save_report(CLOCK, made_report(report_id), claim=1)
        acknowledged.send((saved.id, body_digest(saved.body)))
    number = 0
    while True:
        number += 1
        made = made_report(f"child-{child}-{number}")
        await store.start_self_test(self_test(id=made.self_test_id))
        acknowledged.send((made.id, None))
        saved = await store.save_report(CLOCK, made, claim=1)
        acknowledged.send((saved.id, body_digest(saved.body)))


def made_report(report_id: str) -> StoredReport:
    """The report a client with this id would send again: same body, new code."""
    padding = hashlib.sha256(report_id.encode()).hexdigest()
    return report(id=report_id, self_test_id=f"test-{report_id}", body={**BODY, "id": report_id, "note": padding})


def migrate_in_child(url: str, ready: Connection) -> None:
    """Run in a process of its own: migrate, as a starting server does."""
    ready.send(None)
    migrate(url)
    ready.send(None)
