"""Settings that administrators change: clinics by unit, what else is chosen, and what was changed by whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add the columns, empty, and the table."""
    op.add_column("organisation", sa.Column("clinic_contact", sa.String, nullable=False, server_default=""))
    for name in ("clinics", "choices"):
        op.add_column("organisation", sa.Column(name, sa.JSON, nullable=False, server_default="{}"))
    op.create_table(
        "setting_change",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organisation_id", sa.String, sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("changed_by", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("after", sa.JSON, nullable=False),
        sa.Column("undoes", sa.String),
    )
    op.create_index("ix_setting_change_organisation_id_at", "setting_change", ["organisation_id", "at"])
