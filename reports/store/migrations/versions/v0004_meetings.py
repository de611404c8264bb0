"""Meetings that are made, invited to, moved and asked about: hosts, messages to send, and answers afterwards.

Rebuilds `invitation` and `session` on SQLite.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0004"
down_revision = "0003"

_LINKS = "kind IN ('participant', 'leader', 'support', 'organiser', 'api', 'feed')"
_SESSIONS = "kind IN ('participant', 'leader', 'drop_in', 'support', 'organiser')"


def upgrade() -> None:
    """Add the columns, then the tables, then widen what a link and a session may be."""
    op.add_column("organisation", sa.Column("texts", sa.JSON, nullable=False, server_default="{}"))
    for column in (
        sa.Column("solution", sa.String, nullable=False, server_default="other"),
        sa.Column("join_link", sa.LargeBinary),
        sa.Column("support_phone", sa.String, nullable=False, server_default=""),
        sa.Column("state", sa.String, nullable=False, server_default="planned"),
        sa.Column("sequence", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reminders", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("import_key", sa.LargeBinary),
    ):
        op.add_column("meeting", column)
    op.create_index("ix_meeting_organisation_id_starts_at", "meeting", ["organisation_id", "starts_at"])
    op.create_index("uq_meeting_organisation_id_import_key", "meeting", ["organisation_id", "import_key"], unique=True)
    op.add_column("participant", sa.Column("together", sa.Integer, nullable=False, server_default="1"))
    op.add_column("participant", sa.Column("reach", sa.LargeBinary))
    op.add_column("participant", sa.Column("last_verdict", sa.String))
    op.create_table(
        "host",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("meeting_id", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("locale", sa.String, nullable=False),
        sa.Column("reach", sa.LargeBinary),
        sa.Column("person_hash", sa.LargeBinary),
        sa.CheckConstraint("role IN ('leader', 'technical_host')", name="ck_host_role"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_host_meeting_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_host"),
    )
    op.create_index("ix_host_meeting_id", "host", ["meeting_id"])
    op.create_index("ix_host_person_hash", "host", ["person_hash"])
    with op.batch_alter_table("invitation") as invitation:
        invitation.add_column(sa.Column("host_id", sa.String))
        invitation.add_column(sa.Column("code_hash", sa.LargeBinary))
        invitation.create_foreign_key("fk_invitation_host_id", "host", ["host_id"], ["id"], ondelete="CASCADE")
        invitation.create_index("ix_invitation_host_id", ["host_id"])
        invitation.create_unique_constraint("uq_invitation_code_hash", ["code_hash"])
        invitation.drop_constraint("ck_invitation_kind", type_="check")
        invitation.drop_constraint("ck_invitation_meeting", type_="check")
        invitation.create_check_constraint("ck_invitation_kind", _LINKS)
        invitation.create_check_constraint(
            "ck_invitation_meeting", "(kind IN ('support', 'organiser', 'api')) = (meeting_id IS NULL)"
        )
    with op.batch_alter_table("session") as session:
        session.add_column(sa.Column("pin_hash", sa.LargeBinary))
        session.add_column(sa.Column("pin_expires_at", UtcDateTime))
        session.add_column(sa.Column("pin_tries", sa.Integer, nullable=False, server_default="0"))
        session.add_column(sa.Column("unlocked_until", UtcDateTime))
        session.drop_constraint("ck_session_kind", type_="check")
        session.create_check_constraint("ck_session_kind", _SESSIONS)
    op.create_table(
        "outbox",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("meeting_id", sa.String, nullable=False),
        sa.Column("participant_id", sa.String),
        sa.Column("host_id", sa.String),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("once", sa.String),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.String),
        sa.Column("sent_at", UtcDateTime),
        sa.CheckConstraint("channel IN ('mail', 'sms')", name="ck_outbox_channel"),
        sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed', 'dropped')", name="ck_outbox_state"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_outbox_organisation_id"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_outbox_meeting_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name="fk_outbox_participant_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_outbox_host_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("once", name="uq_outbox_once"),
    )
    op.create_index("ix_outbox_meeting_id", "outbox", ["meeting_id"])
    op.create_index("ix_outbox_participant_id", "outbox", ["participant_id"])
    op.create_index("ix_outbox_host_id", "outbox", ["host_id"])
    op.create_index("ix_outbox_state_due_at", "outbox", ["state", "due_at"])
    op.create_table(
        "feedback",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("meeting_id", sa.String),
        sa.Column("participant_id", sa.String),
        sa.Column("host_id", sa.String),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("profile", sa.String, nullable=False),
        sa.Column("solution", sa.String, nullable=False),
        sa.Column("verdict", sa.String),
        sa.Column("report_id", sa.String),
        sa.Column("score", sa.Integer, nullable=False),
        sa.Column("problem", sa.String, nullable=False),
        sa.Column("week", sa.String, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_feedback_organisation_id"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_feedback_meeting_id", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name="fk_feedback_participant_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_feedback_host_id", ondelete="SET NULL"),
        sa.CheckConstraint("score BETWEEN 1 AND 5", name="ck_feedback_score"),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.UniqueConstraint("participant_id", name="uq_feedback_participant_id"),
        sa.UniqueConstraint("host_id", name="uq_feedback_host_id"),
    )
    op.create_index("ix_feedback_organisation_id_week", "feedback", ["organisation_id", "week"])
    op.create_index("ix_feedback_meeting_id", "feedback", ["meeting_id"])
    op.add_column("unlinked_report", sa.Column("score", sa.Integer))
    op.add_column("unlinked_report", sa.Column("problem", sa.String))
