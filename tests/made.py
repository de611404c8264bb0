"""Reports as real tests leave them, without running any: judged from made figures, kept with made series."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from readiness import __version__
from readiness.access.actors import clock_of
from readiness.access.tokens import hash_token, new_token
from reports.assembly import Ending, make_report
from reports.checks import FIGURES
from reports.kinds import SELF_TEST
from reports.profile import load_profile
from reports.store import Store, StoredReport, new_code, new_id
from reports.store.participation import iso_week
from reports.store.records import Invitation, Session
from reports.store.tables import unlinked_report
from tests.server.test_board import phases

PROFILE = load_profile("consultation")
CLIENT = {"kind": "browser", "browser": "Chrome 142", "os": "Android", "form": "phone"}
BLOCKED = {"network__path": "tcp-only", "camera__present": "NotAllowedError", "network__rtt": 212.5}
"""A firewall, a camera that is not allowed, and a slow line."""


async def support_link(store: Store, organisation_id: str = "sunnaas", *, expires_at: datetime | None = None) -> str:
    """Give out a link of support; return its token."""
    token = new_token()
    until = expires_at or datetime.now(tz=UTC) + timedelta(days=90)
    link = Invitation(new_id(), organisation_id, "support", None, None, until)
    await store.add_invitation(link, hash_token(token))
    return token


async def made_report(
    store: Store,
    organisation_id: str = "sunnaas",
    *,
    series: Mapping[str, Any] | None = None,
    cause: str | None = None,
    events: tuple[str, ...] = (),
    client: Mapping[str, str] | None = None,
    **found: object,
) -> StoredReport:
    """Commit a drop-in report judged from a good test with the `found` values changed."""
    now = datetime.now(tz=UTC).replace(microsecond=0)
    session = Session(new_id(), "drop_in", organisation_id, None, None, None, now + timedelta(days=1))
    await store.add_session(session, hash_token(session.id))
    ending = Ending(
        report_id=new_id(), code=new_code(), started_at=now, now=now, duration_s=41.2, kind=SELF_TEST,
        client=dict(client or CLIENT), bytes_up=3_100_000, bytes_down=2_800_000, cause=cause,
        software_version=__version__, ended_in="clock" if cause else None,
    )  # fmt: skip
    measured = {**phases(**found), "events": {"codes": events}}
    for item in measured["devices"]["measurements"]:
        item["unit"] = FIGURES[item["check"]].unit if item["check"] in FIGURES else None
    report = make_report(measured, PROFILE, ("private_room",), ending)
    stored = StoredReport(
        id=report.id, code=report.code, organisation_id=organisation_id, meeting_id=None, participant_id=None,
        self_test_id=None, session_id=session.id, verdict=report.verdict.value, complete=report.complete,
        other_device=False, created_at=now, valid_until=report.valid_until, body=report.to_json(),
    )  # fmt: skip
    return await store.save_report(clock_of(organisation_id), stored, series=series)


async def keep_tests(store: Store, rtts_ms: list[float], *, profile: str = "consultation", **check: Any) -> None:
    """Store figures of good tests of this week with these round trips, as the purge leaves them; without whose."""
    report = await made_report(store)
    now, rows = datetime.now(tz=UTC), []
    for rtt_ms in rtts_ms:
        checks = [
            {**one, "value": rtt_ms, **check} if one["id"] == "network.rtt" else one for one in report.body["checks"]
        ]
        rows.append({"id": new_id(), "organisation_id": "sunnaas", "week": iso_week(now), "client_class": "",
                     "profile": profile, "verdict": "ready", "checks": checks})  # fmt: skip
    async with store._database.write() as connection:
        await connection.execute(sa.insert(unlinked_report), rows)
