"""Work for confined processes: reading uploaded files and typesetting pages."""

from __future__ import annotations

from readiness.errors import InputError, Unavailable
from readiness.media.chores import ChoreCostly, ChoreFailed, Chores
from readiness.media.limits import WorkerLimits
from readiness.meetings.paper import PRINT, Sheet
from readiness.meetings.wanted import Bad, Wanted
from readiness.meetings.wire import READ, decoded

__all__ = ["print_sheet", "read_import"]

PRINT_LIMITS = WorkerLimits(cpu_s=8, memory_mb=768, open_files=64, wall_s=25, udp=False)
"""A letter for each of sixty people takes 0.3 CPU-s; a day of twenty full meetings 3 CPU-s and 400 MiB."""
RETRY_S = 5.0


async def read_import(chores: Chores, raw: bytes) -> tuple[list[Wanted], list[Bad]]:
    """Return what `read_file` does.

    Raises its errors, InputError("import.costly") or InputError("import.unreadable"), and Unavailable.
    """
    try:
        return decoded(await chores.do(READ, raw))
    except ChoreCostly:
        raise InputError("import.costly") from None
    except ChoreFailed:
        raise InputError("import.unreadable") from None


async def print_sheet(chores: Chores, sheet: Sheet) -> bytes:
    """Return a PDF. Raises InputError("print.costly") if it takes too long, and Unavailable.

    A sheet that can't be typeset at all is our own fault: Unavailable("print.failed").
    """
    try:
        return await chores.do(PRINT, sheet.sent(), limits=PRINT_LIMITS)
    except ChoreCostly:
        raise InputError("print.costly") from None
    except (ChoreFailed, InputError):
        raise Unavailable("print.failed", "the pages can't be set", retry_after_s=RETRY_S) from None
