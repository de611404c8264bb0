"""Looks after the audit log: verifies and purges it once a day, and notes its newest entry outside the database.

Without that a tail cut off there would not be noticed. A line in ``audit.anchors`` of the data folder says when, which
number, which MAC. The same goes to the log stream, which most houses keep elsewhere.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from readiness.logs import log_event
from readiness.settings import Settings
from reports.store import Store
from reports.store.audit_records import AuditHead

__all__ = ["ANCHOR_FILE", "Keeper", "note_anchor", "read_anchors"]

log = logging.getLogger(__name__)
ANCHOR_FILE: Final = "audit.anchors"
KEPT_LINES: Final = 1000
"""Noted once an hour where anything was logged: some weeks."""
NIGHT_HOURS: Final = range(1, 4)
"""In UTC, when files are written anew: few test then in the countries whose languages we speak."""
_LOGGED_DIGITS: Final = 32
"""Digits of a MAC in the log stream, whose redactor takes 40 for a token."""


def read_anchors(folder: Path) -> list[AuditHead]:
    """Return what was noted in this folder, oldest first. A line that is none is left out."""
    try:
        lines = (folder / ANCHOR_FILE).read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        parts = line.split(" ")
        if len(parts) == 3 and parts[1].isdigit():  # noqa: PLR2004 - when, number, MAC
            try:
                found.append(AuditHead(int(parts[1]), bytes.fromhex(parts[2])))
            except ValueError:
                continue
    return found


def note_anchor(folder: Path, head: AuditHead, now: datetime) -> bool:
    """Note the newest entry unless the last line has it; return whether a line was added. OSError where it can't."""
    if head.seq == 0 or head in read_anchors(folder)[-1:]:
        return False
    path = folder / ANCHOR_FILE
    kept = path.read_text(encoding="ascii", errors="replace").splitlines() if path.exists() else []
    kept = [*kept, f"{now:%Y-%m-%dT%H:%M:%SZ} {head.seq} {head.mac.hex()}"][-KEPT_LINES:]
    made = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("\n".join(kept) + "\n")
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
    return True


class Keeper:
    """What a running server does by itself about its log and files. A class because it keeps when it did so last."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._hour = self._purged = self._verified = self._night = ""
        self._unwritten: Sequence[str] = ()

    def chores(self, now: datetime) -> list[Callable[[], Awaitable[None]]]:
        """Return what is to be looked at each minute; none of it depends on another."""
        return [partial(one, now) for one in (self._purge, self._verify, self._note, self._rewrite)]

    async def _purge(self, now: datetime) -> None:
        """Once a day delete the entries that are due."""
        if (day := f"{now:%Y-%m-%d}") != self._purged:
            await self._store.purge_audit(now, self._settings.audit_months)
            self._purged = day

    async def _verify(self, now: datetime) -> None:
        """Once a day verify every entry; a day's only try, for it may take a minute."""
        if (day := f"{now:%Y-%m-%d}") == self._verified:
            return
        self._verified = day
        found = await self._store.verify_audit(read_anchors(self._settings.data_dir))
        for fault in found.faults:
            log_event(log, logging.ERROR, "audit.broken", kind=fault.kind, segment=fault.segment, entry=fault.seq)

    async def _rewrite(self, now: datetime) -> None:
        """At night write files anew, in one of all processes; try tables in use again until the night is over."""
        if now.hour not in NIGHT_HOURS:
            self._say_left(self._unwritten, "in_use")
            self._unwritten = ()
            return
        if (day := f"{now:%Y-%m-%d}") != self._night:
            self._unwritten = await self._store.take_night(now.replace(hour=0, minute=0, second=0, microsecond=0))
            self._night = day
        if self._unwritten:
            self._unwritten, large = await self._store.vacuum(self._unwritten)
            self._say_left(large, "too_large")

    def _say_left(self, tables: Sequence[str], why: str) -> None:
        for name in tables:
            log_event(log, logging.WARNING, "files.not_rewritten", table=name, why=why)

    async def _note(self, now: datetime) -> None:
        """Once an hour note the newest entry outside the database."""
        if (hour := f"{now:%Y-%m-%dT%H}") == self._hour:
            return
        head = await self._store.audit_head()
        self._hour = hour
        try:
            is_new = note_anchor(self._settings.data_dir, head, now)
        except OSError as error:
            log_event(log, logging.WARNING, "audit.not_noted", cause=str(error.strerror))
            return
        if is_new:
            log_event(log, logging.INFO, "audit.head", entry=head.seq, mac=head.mac.hex()[:_LOGGED_DIGITS])
