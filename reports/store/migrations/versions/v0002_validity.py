"""A report knows until when it holds and whether it was made on another device; only known states and verdicts.

Rebuilds `self_test` and `report` on SQLite. The new columns are filled from the report's body where it has them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0002"
down_revision = "0001"

_VALID_DAYS = 14
"""What a report without a date of its own gets: the consultation profile's `valid_days` at the time."""

_report = sa.table(
    "report",
    sa.column("number", sa.Integer),
    sa.column("created_at", UtcDateTime),
    sa.column("body", sa.JSON),
    sa.column("valid_until", UtcDateTime),
    sa.column("other_device", sa.Boolean),
)


def upgrade() -> None:
    """Add, fill, then tighten."""
    op.add_column("report", sa.Column("valid_until", UtcDateTime))
    op.add_column("report", sa.Column("other_device", sa.Boolean))
    _fill(op.get_bind())
    with op.batch_alter_table("report") as report:
        report.alter_column("valid_until", existing_type=UtcDateTime(), nullable=False)
        report.alter_column("other_device", existing_type=sa.Boolean(), nullable=False)
        report.create_check_constraint(
            "ck_report_verdict", "verdict IN ('ready', 'ready_with_warnings', 'not_ready', 'incomplete')"
        )
    with op.batch_alter_table("self_test") as self_test:
        self_test.create_check_constraint("ck_self_test_state", "state IN ('running', 'finished', 'incomplete')")
    op.create_index("ix_self_test_state_updated_at", "self_test", ["state", "updated_at"])


def _fill(connection: sa.Connection) -> None:
    rows = connection.execute(sa.select(_report.c.number, _report.c.created_at, _report.c.body)).all()
    if not rows:
        return
    update = (
        sa.update(_report)
        .where(_report.c.number == sa.bindparam("row"))
        .values(valid_until=sa.bindparam("until"), other_device=sa.bindparam("other"))
    )
    connection.execute(
        update,
        [
            {"row": number, "until": _valid_until(body, created_at), "other": body.get("other_device") is True}
            for number, created_at, body in rows
        ],
    )


def _valid_until(body: dict[str, Any], created_at: datetime) -> datetime:
    """Return the body's own date, or the default where it has none that can be read."""
    text = body.get("valid_until")
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        return created_at + timedelta(days=_VALID_DAYS)
    return found.astimezone(UTC)
