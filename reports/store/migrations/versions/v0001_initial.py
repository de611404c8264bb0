"""Organisations, meetings, people, links, sessions, self-tests, reports, and figures without a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    _create_meetings()
    _create_access()
    _create_self_tests()
    _create_reports()


def _create_meetings() -> None:
    op.create_table(
        "organisation",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("slug", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("support_phone", sa.String, nullable=False),
        sa.Column("support_hours", sa.String, nullable=False),
        sa.Column("languages", sa.JSON, nullable=False),
        sa.Column("time_zone", sa.String, nullable=False),
        sa.Column("drop_in_allowed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organisation"),
        sa.UniqueConstraint("slug", name="uq_organisation_slug"),
    )
    op.create_table(
        "meeting",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("starts_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.Column("profile", sa.String, nullable=False),
        sa.Column("practical", sa.JSON, nullable=False),
        sa.Column("expected_people", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_meeting"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_meeting_organisation_id"),
    )
    op.create_index("ix_meeting_organisation_id", "meeting", ["organisation_id"])
    op.create_index("ix_meeting_ends_at", "meeting", ["ends_at"])
    op.create_table(
        "participant",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("meeting_id", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("locale", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("contact", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pk_participant"),
        sa.UniqueConstraint("meeting_id", "position", name="uq_participant_meeting_id_position"),
        _foreign("participant", "meeting_id", "meeting.id", "CASCADE"),
    )


def _create_access() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("meeting_id", sa.String, nullable=False),
        sa.Column("participant_id", sa.String),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("token_hash", name="uq_invitation_token_hash"),
        sa.CheckConstraint("kind IN ('participant', 'leader')", name="ck_invitation_kind"),
        _foreign("invitation", "organisation_id", "organisation.id"),
        _foreign("invitation", "meeting_id", "meeting.id", "CASCADE"),
        _foreign("invitation", "participant_id", "participant.id", "CASCADE"),
    )
    _create_indexes("invitation", "meeting_id", "participant_id")
    op.create_table(
        "session",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("invitation_id", sa.String),
        sa.Column("meeting_id", sa.String),
        sa.Column("participant_id", sa.String),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_session"),
        sa.CheckConstraint("kind IN ('participant', 'leader', 'drop_in')", name="ck_session_kind"),
        _foreign("session", "organisation_id", "organisation.id"),
        _foreign("session", "invitation_id", "invitation.id", "CASCADE"),
        _foreign("session", "meeting_id", "meeting.id", "CASCADE"),
        _foreign("session", "participant_id", "participant.id", "CASCADE"),
    )
    _create_indexes("session", "invitation_id", "meeting_id", "participant_id", "expires_at")


def _create_self_tests() -> None:
    op.create_table(
        "self_test",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("session_id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("participant_id", sa.String),
        sa.Column("profile", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("client", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_self_test"),
        _foreign("self_test", "session_id", "session.id", "CASCADE"),
        _foreign("self_test", "organisation_id", "organisation.id"),
        _foreign("self_test", "participant_id", "participant.id", "CASCADE"),
    )
    _create_indexes("self_test", "session_id", "participant_id")
    op.create_table(
        "self_test_phase",
        sa.Column("test_id", sa.String, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("saved_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("test_id", "phase", name="pk_self_test_phase"),
        _foreign("self_test_phase", "test_id", "self_test.id", "CASCADE"),
    )


def _create_reports() -> None:
    op.create_table(
        "report",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("meeting_id", sa.String),
        sa.Column("participant_id", sa.String),
        sa.Column("self_test_id", sa.String),
        sa.Column("session_id", sa.String),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_report"),
        sa.UniqueConstraint("id", name="uq_report_id"),
        sa.UniqueConstraint("code", name="uq_report_code"),
        _foreign("report", "organisation_id", "organisation.id"),
        _foreign("report", "meeting_id", "meeting.id", "CASCADE"),
        _foreign("report", "participant_id", "participant.id", "CASCADE"),
        _foreign("report", "self_test_id", "self_test.id", "SET NULL"),
        _foreign("report", "session_id", "session.id", "SET NULL"),
    )
    _create_indexes(
        "report", "organisation_id", "meeting_id", "participant_id", "self_test_id", "session_id", "created_at"
    )
    op.create_table(
        "unlinked_report",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("week", sa.String, nullable=False),
        sa.Column("client_class", sa.String, nullable=False),
        sa.Column("profile", sa.String, nullable=False),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("checks", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unlinked_report"),
        _foreign("unlinked_report", "organisation_id", "organisation.id"),
    )
    _create_indexes("unlinked_report", "week")


def _foreign(table: str, column: str, target: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete=ondelete)


def _create_indexes(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])
