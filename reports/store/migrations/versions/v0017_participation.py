"""What became of invitations, counted once for each meeting. Meetings that are over by now are not counted."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0017"
down_revision = "0016"

_TEXTS = ("week", "profile", "solution", "client_class", "tested")


def upgrade() -> None:
    """Make the table, and let meetings say that they were counted."""
    op.create_table(
        "participation",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in _TEXTS),
        sa.Column("first_verdict", sa.String),
        sa.Column("last_verdict", sa.String),
        sa.Column("cause", sa.String, nullable=False),
        sa.Column("solved_min", sa.Integer),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_participation_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_participation"),
        sa.CheckConstraint("tested IN ('in_time', 'late', 'never')", name="ck_participation_tested"),
    )
    op.create_index("ix_participation_organisation_id_week", "participation", ["organisation_id", "week"])
    op.add_column("meeting", sa.Column("counted", sa.Boolean, nullable=False, server_default=sa.false()))
    meeting = sa.table("meeting", sa.column("ends_at", UtcDateTime), sa.column("counted", sa.Boolean))
    over = meeting.c.ends_at < datetime.now(tz=UTC)
    op.execute(sa.update(meeting).where(over).values(counted=sa.true()))
