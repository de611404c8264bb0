"""The leader's board: who is ready, and what to do about those who are not. No figures, addresses or devices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from readiness.errors import AccessError
from readiness.server.services import Services
from reports.advice import leader_area
from reports.model import rfc3339
from reports.store.records import BoardRow, Organisation, Session, StoredReport

__all__ = ["board_json", "organisation_json", "state_of"]


async def board_json(services: Services, session: Session) -> dict[str, Any]:
    """Return the board that the leader's `session` opens. Raises AccessError when its meeting is gone."""
    meeting = await services.store.meeting(str(session.meeting_id))
    organisation = await services.store.organisation_by_id(session.organisation_id)
    if meeting is None or organisation is None:
        raise AccessError("session.not_valid")
    now = services.now()
    rows = await services.store.board(meeting.id)
    return {
        "organisation": organisation_json(organisation),
        "meeting": {
            "title": meeting.title,
            "starts_at": rfc3339(meeting.starts_at),
            "ends_at": rfc3339(meeting.ends_at),
            "time_zone": organisation.time_zone,
        },
        "at": rfc3339(now),
        "participants": [_row_json(row, now) for row in rows],
    }


def state_of(report: StoredReport | None, now: datetime) -> str:
    """Return ready, ready_with_warnings, not_ready, incomplete, stale or not_tested.

    A result past its validity is stale whatever it said: neither "ready" nor "not ready" is known any more.
    """
    if report is None:
        return "not_tested"
    return "stale" if report.valid_until <= now else report.verdict


def _row_json(row: BoardRow, now: datetime) -> dict[str, Any]:
    report = row.report
    shown: dict[str, Any] = {
        "id": row.participant.id,
        "label": row.participant.label,
        "role": row.participant.role,
        "state": state_of(report, now),
        "running": row.running,
    }
    if report is not None:
        area, responsible = leader_area(report.body.get("advice", []), report.body.get("checks", []))
        shown |= {
            "verdict": report.verdict,
            "tested_at": rfc3339(report.created_at),
            "other_device": report.other_device,
            "without_sound": "speaker.no_sound" in report.body.get("advice", []),
            "area": area,
            "responsible": responsible,
        }
    return shown


def organisation_json(organisation: Organisation | None) -> dict[str, Any] | None:
    """Return what anyone may know of an organisation."""
    if organisation is None:
        return None
    return {
        "slug": organisation.slug,
        "name": organisation.name,
        "support_phone": organisation.support_phone,
        "support_hours": organisation.support_hours,
        "languages": list(organisation.languages),
    }
