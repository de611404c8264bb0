"""Support cases in a table of their own; they were messages of the kind ``handover`` that were never sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0009"
down_revision = "0008"

_outbox = sa.table(
    "outbox",
    sa.column("id"),
    sa.column("organisation_id"),
    sa.column("meeting_id"),
    sa.column("participant_id"),
    sa.column("kind"),
    sa.column("state"),
    sa.column("created_at", UtcDateTime),
)
_meeting = sa.table("meeting", sa.column("id"), sa.column("state"))
_report = sa.table(
    "report",
    sa.column("number"),
    sa.column("id"),
    sa.column("participant_id"),
    sa.column("created_at", UtcDateTime),
)


def upgrade() -> None:
    """Make the table, fill it with what was handed over, and take that out of the outbox."""
    support_case = op.create_table(
        "support_case",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("meeting_id", sa.String, nullable=False),
        sa.Column("participant_id", sa.String, nullable=False),
        sa.Column("report_id", sa.String),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("opened_by", sa.String),
        sa.Column("taken_at", UtcDateTime),
        sa.Column("taken_by", sa.String),
        sa.Column("done_at", UtcDateTime),
        sa.Column("how", sa.String),
        sa.CheckConstraint("(done_at IS NULL) = (how IS NULL)", name="ck_support_case_done"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_support_case_organisation_id"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_support_case_meeting_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name="fk_support_case_participant_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name="fk_support_case_report_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_support_case"),
    )
    for column in ("organisation_id", "meeting_id", "participant_id", "report_id"):
        op.create_index(f"ix_support_case_{column}", "support_case", [column])
    is_open = sa.text("done_at IS NULL")
    op.create_index(
        "uq_support_case_open",
        "support_case",
        ["participant_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    connection = op.get_bind()
    if cases := list(_cases(connection)):
        connection.execute(sa.insert(support_case), cases)
    connection.execute(sa.delete(_outbox).where(_outbox.c.kind == "handover"))


def _cases(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    """Yield a row for every hand-over there was, with the newest report that its participant had at the time."""
    newest = sa.select(_report.c.id).where(
        _report.c.participant_id == _outbox.c.participant_id, _report.c.created_at <= _outbox.c.created_at
    )
    newest = newest.order_by(_report.c.number.desc()).limit(1)
    waits = _outbox.c.state.in_(("waiting", "sending"))
    handed_over = (
        sa.select(
            *(_outbox.c[name] for name in ("id", "organisation_id", "meeting_id", "participant_id", "created_at")),
            waits.label("waits"),
            (_meeting.c.state == "cancelled").label("is_cancelled"),
            newest.scalar_subquery().label("report_id"),
        )
        .join(_meeting, _meeting.c.id == _outbox.c.meeting_id)
        .where(_outbox.c.kind == "handover", _outbox.c.participant_id.is_not(None))
        .order_by(_outbox.c.participant_id, _outbox.c.created_at, waits, _outbox.c.id)
    )
    rows: list[sa.Row[Any]] = list(connection.execute(handed_over))
    for _, of_one in groupby(rows, key=lambda row: row.participant_id):
        yield from _cases_of_one(list(of_one))


def _cases_of_one(handed_over: list[sa.Row[Any]]) -> Iterable[dict[str, Any]]:
    """Yield the cases of one participant, the oldest first; only the last one may be open.

    When support took one was never stored: it counts as taken when it was opened.
    """
    following = [*handed_over[1:], None]
    for row, after in zip(handed_over, following, strict=True):
        values = {name: getattr(row, name) for name in ("id", "organisation_id", "meeting_id", "participant_id")}
        done_at = after.created_at if after is not None else row.created_at if row.is_cancelled else None
        yield values | {
            "report_id": row.report_id,
            "opened_at": row.created_at,
            "taken_at": None if row.waits else row.created_at,
            "done_at": done_at,
            "how": None if done_at is None else "opened_again" if after is not None else "meeting_cancelled",
        }
