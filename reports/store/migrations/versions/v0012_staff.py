"""Staff who sign in, attempts to, and their sessions. Rebuilds `session` on SQLite."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0012"
down_revision = "0011"

_KINDS = "kind IN ('participant', 'leader', 'drop_in', 'support', 'organiser', 'room_manager', 'room', 'staff')"


def upgrade() -> None:
    """Make the tables, then let sessions belong to somebody."""
    op.create_table(
        "staff",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("identity", sa.LargeBinary, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("signed_in_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_staff_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_staff"),
        sa.UniqueConstraint("organisation_id", "identity", name="uq_staff_organisation_id_identity"),
    )
    op.create_index("ix_staff_signed_in_at", "staff", ["signed_in_at"])
    op.create_table(
        "sign_in",
        sa.Column("state_hash", sa.LargeBinary, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_sign_in_organisation_id"),
        sa.PrimaryKeyConstraint("state_hash", name="pk_sign_in"),
    )
    op.create_index("ix_sign_in_expires_at", "sign_in", ["expires_at"])
    with op.batch_alter_table("session") as session:
        session.add_column(sa.Column("staff_id", sa.String))
        session.add_column(sa.Column("provider_session", sa.LargeBinary))
        session.add_column(sa.Column("seen_at", UtcDateTime))
        session.create_foreign_key("fk_session_staff_id", "staff", ["staff_id"], ["id"], ondelete="CASCADE")
        session.drop_constraint("ck_session_kind", type_="check")
        session.create_check_constraint("ck_session_kind", _KINDS)
        session.create_check_constraint("ck_session_staff", "(kind = 'staff') = (staff_id IS NOT NULL)")
    op.create_index("ix_session_staff_id", "session", ["staff_id"])
    op.create_index("ix_session_provider_session", "session", ["provider_session"])
