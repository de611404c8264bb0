"""How long a result is valid: stale by age, re-checked on the meeting's morning, and never for another device.

Pure. A short check covers devices and path only, and carries the other checks over from the last whole test, each with
its time of measurement. It requires the same class of device (kind, system, browser), the same profile, and that no
check carried over was an obstacle.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from reports.kinds import DEFAULT_SOLUTION, SELF_TEST
from reports.model import READY_VERDICTS, CheckResult, rfc3339
from reports.profile import Profile
from reports.store.records import TESTS_AFTER_END, Meeting, StoredReport
from reports.verdict import verdict_of

__all__ = ["carry_over", "device_class", "is_over", "recheck_due", "state_of"]

LOOKED_AT: Final = frozenset(
    check for phase in ("devices", "connect", "paths") for check in SELF_TEST.phase(phase).checks
)
"""Checks that a short check always measures itself."""


def is_over(meeting: Meeting, now: datetime) -> bool:
    """Whether its links no longer allow a test: an hour after its end, or once it is cancelled."""
    return meeting.state == "cancelled" or meeting.ends_at + TESTS_AFTER_END <= now


def state_of(report: StoredReport | None, now: datetime) -> str:
    """Return ready, ready_with_warnings, not_ready, incomplete, stale or not_tested.

    An expired result is stale whatever it was: neither "ready" nor "not ready" is known any more.
    """
    if report is None:
        return "not_tested"
    return "stale" if report.valid_until <= now else report.verdict


def recheck_due(report: StoredReport | None, meeting: Meeting, zone: str, now: datetime) -> bool:
    """Whether it is the day of the meeting in `zone`, and the newest answer is good but from an earlier day."""
    if report is None or is_over(meeting, now) or report.valid_until <= now:
        return False
    here = ZoneInfo(zone)
    today = now.astimezone(here).date()
    is_earlier = report.created_at.astimezone(here).date() < today
    # A short check that found something wrong today may be made again today.
    is_short = report.body.get("mode") == "recheck" and report.verdict not in READY_VERDICTS
    return meeting.starts_at.astimezone(here).date() == today and (is_earlier or is_short)


def device_class(client: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return (form, system, browser without its version): what one answer can speak for."""
    browser = str(client.get("browser") or "").partition(" ")[0]
    return str(client.get("form") or ""), str(client.get("os") or ""), browser


def carry_over(
    report: StoredReport, profile: Profile, solution: str, client: Mapping[str, Any], now: datetime
) -> dict[str, Any] | None:
    """Return what a short check on `client` may take over from `report`, as plain JSON; None: the whole test is needed.

    ``checks``: as they stand in the report, with ``measured_at``; ``valid_until``: of the whole test; ``of``: its id.
    """
    body = report.body
    same = (
        not report.other_device
        and report.valid_until > now
        and (body.get("profile"), body.get("profile_version")) == (profile.name, profile.version)
        and body.get("solution", DEFAULT_SOLUTION) == solution
        and device_class(body.get("client") or {}) == device_class(client)
        and all(device_class(client))
    )
    found = {str(check.get("id")): check for check in body.get("checks", ())}
    wanted = [name for name in profile.checks if name not in LOOKED_AT]
    if not same or not set(wanted) <= set(found):
        return None
    checks = [{**found[name], "measured_at": found[name].get("measured_at") or _made(report)} for name in wanted]
    if verdict_of([CheckResult.from_json(check) for check in checks]) not in READY_VERDICTS:
        return None
    return {"of": report.id, "valid_until": rfc3339(report.valid_until), "checks": checks}


def _made(report: StoredReport) -> str:
    return rfc3339(report.created_at)
