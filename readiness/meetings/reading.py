"""Reads a file of meetings. Knows no store and no server, so that it can run in a confined process."""

from __future__ import annotations

from readiness.errors import InputError
from readiness.meetings.ics import is_calendar, is_mail, read_calendar, read_mail
from readiness.meetings.tables import read_table
from readiness.meetings.textfile import text_of
from readiness.meetings.wanted import Bad, Wanted

__all__ = ["MOST_BYTES", "MOST_IN_FILE", "MOST_MEETINGS", "read_file"]

MOST_BYTES = 1_000_000
MOST_MEETINGS = 300
"""Limit for one file: all are stored in one transaction, within the time of one request."""

MOST_IN_FILE = 3000
"""People in all meetings of a file; encrypting their addresses and deriving their links takes 0.8 CPU-s."""
MOST_BAD = 500
"""Most bad rows in an answer; with more, it is probably the wrong file."""


def read_file(raw: bytes) -> tuple[list[Wanted], list[Bad]]:
    """Return the meetings of a file and its bad rows. Raises InputError if it is no file of meetings."""
    if is_mail(raw):
        wanted, bad = read_mail(raw)
    else:
        wanted, bad = read_calendar(raw) if is_calendar(raw) else read_table(text_of(raw))
    if not wanted and not bad:
        raise InputError("import.empty")
    if len(wanted) > MOST_MEETINGS or sum(len(one.plan.people) for one in wanted) > MOST_IN_FILE:
        raise InputError("import.too_large")
    return wanted, bad[:MOST_BAD]
