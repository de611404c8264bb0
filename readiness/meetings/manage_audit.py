"""The audit log and retention from the command line. Everything wrong is one line: a SettingError."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from readiness.access.audit import note_anchor, read_anchors
from readiness.errors import SettingError
from readiness.meetings.manage import own_store, planning
from readiness.settings import Settings
from reports.store.audit_records import AuditCheck, AuditEntry
from reports.store.purged import Purged

__all__ = ["Asked", "purge", "show_log", "verify_log"]

MOST_SHOWN = 100_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries are wanted; empty: all."""

    between: tuple[datetime, datetime]
    whose: str = ""
    about: str = ""
    act: str = ""


async def verify_log(settings: Settings) -> AuditCheck:
    """Verify every entry, and against what was noted in the data folder; then note the newest entry if all is well."""
    async with own_store(settings) as store:
        found = await store.verify_audit(read_anchors(settings.data_dir))
        if not found.faults:
            try:
                note_anchor(settings.data_dir, found.head, datetime.now(tz=UTC))
            except OSError as error:
                raise SettingError(f"READINESS_DATA_DIR: can't note the newest entry there: {error.strerror}") from None
        return found


async def show_log(
    settings: Settings, *, organisation: str, asked: Asked
) -> tuple[list[AuditEntry], Mapping[str, str]]:
    """Return the organisation's entries, oldest first, and what staff who are still known are called, by mark."""
    async with planning(settings, organisation, needs_url=False) as desk:
        found: list[AuditEntry] = []
        while page := await desk.store.audit_entries(
            desk.actor,
            between=asked.between,
            after=found[-1].seq if found else 0,
            whose=asked.whose,
            about=asked.about,
            act=asked.act,
        ):
            found += page
            if len(found) >= MOST_SHOWN:
                raise SettingError(f"more than {MOST_SHOWN} entries; ask for fewer with --from and --to")
        return found, await desk.store.staff_names(desk.actor)


async def purge(settings: Settings, *, dry_run: bool) -> tuple[Purged, list[str], list[str]]:
    """Forget what is due now; return how much it was, and tables not written anew: in use, and too large.

    With `dry_run` only count it.
    """
    async with own_store(settings) as store:
        now = datetime.now(tz=UTC)
        if dry_run:
            return await store.purge_counts(now, settings.audit_months), [], []
        done = await store.purge(now)
        await store.purge_audit(now, settings.audit_months)
        busy, large = await store.vacuum()
        return done, busy, large
