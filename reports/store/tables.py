"""The schema as the newest migration leaves it.

A test compares it with the migrated database, another one with ``readiness/docs/privacy.md``: a column that is not
explained there cannot be added.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
)

from . import audit_tables, follow_tables, room_tables, setting_tables, staff_tables  # noqa: F401 - they belong to the schema
from .columns import UtcDateTime
from .schema import metadata

__all__ = [
    "case_note",
    "feedback",
    "host",
    "installation",
    "invitation",
    "meeting",
    "metadata",
    "organisation",
    "outbox",
    "participant",
    "report",
    "self_test",
    "self_test_phase",
    "session",
    "support_case",
    "taken_out",
    "unlinked_report",
]

installation = Table(
    "installation",
    metadata,
    # One row: what holds for every machine that shares this database.
    Column("id", String, primary_key=True),
    Column("key_fingerprint", String, nullable=False),
)

organisation = Table(
    "organisation",
    metadata,
    Column("id", String, primary_key=True),
    Column("slug", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("support_phone", String, nullable=False),
    Column("support_hours", String, nullable=False),
    Column("languages", JSON, nullable=False),
    Column("time_zone", String, nullable=False),
    Column("drop_in_allowed", Boolean, nullable=False),
    Column("texts", JSON, nullable=False, server_default="{}"),
    Column("clinic_phone", String, nullable=False, server_default=""),
    Column("asks_afterwards", Boolean, nullable=False, server_default=false()),
    Column("links_off", JSON, nullable=False, server_default="[]"),
    Column("clinic_contact", String, nullable=False, server_default=""),
    Column("clinics", JSON, nullable=False, server_default="{}"),
    Column("choices", JSON, nullable=False, server_default="{}"),
    Column("closed_days", String, nullable=False, server_default=""),
)

meeting = Table(
    "meeting",
    metadata,
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False, index=True),
    Column("title", String, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
    Column("profile", String, nullable=False),
    Column("practical", JSON, nullable=False),
    Column("expected_people", Integer, nullable=False),
    Column("solution", String, nullable=False, server_default="other"),
    Column("join_link", LargeBinary),
    Column("join_shown", String, nullable=False, server_default="page"),
    Column("join_from", String, nullable=False, server_default=""),
    Column("support_phone", String, nullable=False, server_default=""),
    Column("clinic_phone", String, nullable=False, server_default=""),
    Column("contact", String, nullable=False, server_default=""),
    Column("assessed_by", String, nullable=False, server_default=""),
    Column("agenda_sent", Boolean, nullable=False, server_default=false()),
    Column("companion", String, nullable=False, server_default=""),
    Column("unit", String, nullable=False, server_default=""),
    Column("changed_at", UtcDateTime),
    Column("state", String, nullable=False, server_default="planned"),
    Column("sequence", Integer, nullable=False, server_default="0"),
    Column("reminders", JSON, nullable=False, server_default="[]"),
    Column("import_key", LargeBinary),
    Column("import_series", LargeBinary),
    Column("import_version", String, nullable=False, server_default=""),
    # Whether what became of its invitations was counted.
    Column("counted", Boolean, nullable=False, server_default=false()),
    Index("ix_meeting_organisation_id_import_series", "organisation_id", "import_series"),
    Index("ix_meeting_organisation_id_starts_at", "organisation_id", "starts_at"),
    Index("uq_meeting_organisation_id_import_key", "organisation_id", "import_key", unique=True),
)

participant = Table(
    "participant",
    metadata,
    Column("id", String, primary_key=True),
    Column("meeting_id", ForeignKey("meeting.id", ondelete="CASCADE"), nullable=False),
    Column("role", String, nullable=False),
    Column("label", String, nullable=False),
    Column("locale", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("contact", LargeBinary),
    Column("together", Integer, nullable=False, server_default="1"),
    Column("reach", LargeBinary),
    Column("last_verdict", String),
    Column("interprets", String, nullable=False, server_default=""),
    Column("phone_hash", LargeBinary, index=True),
    Column("contact_hash", LargeBinary, index=True),
    Column("given_as", String, nullable=False, server_default=""),
    Column("given_at", UtcDateTime),
    Column("told_at", UtcDateTime),
    UniqueConstraint("meeting_id", "position"),
)

host = Table(
    "host",
    metadata,
    Column("id", String, primary_key=True),
    Column("meeting_id", ForeignKey("meeting.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("role", String, nullable=False),
    Column("label", String, nullable=False),
    Column("locale", String, nullable=False),
    Column("reach", LargeBinary),
    Column("person_hash", LargeBinary, index=True),
    Column("phone_hash", LargeBinary, index=True),
    Column("given_as", String, nullable=False, server_default=""),
    Column("given_at", UtcDateTime),
    Column("told_at", UtcDateTime),
    CheckConstraint("role IN ('leader', 'technical_host')", name="role"),
)

invitation = Table(
    "invitation",
    metadata,
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("kind", String, nullable=False),
    Column("meeting_id", ForeignKey("meeting.id", ondelete="CASCADE"), index=True),
    Column("participant_id", ForeignKey("participant.id", ondelete="CASCADE"), index=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("host_id", ForeignKey("host.id", ondelete="CASCADE"), index=True),
    Column("code_hash", LargeBinary, unique=True),
    Column("seen_at", UtcDateTime),
    CheckConstraint(
        "kind IN ('participant', 'leader', 'support', 'organiser', 'api', 'feed', 'room_manager', 'fleet')", name="kind"
    ),
    CheckConstraint(
        "(kind IN ('support', 'organiser', 'api', 'room_manager', 'fleet')) = (meeting_id IS NULL)", name="meeting"
    ),
)

session = Table(
    "session",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("invitation_id", ForeignKey("invitation.id", ondelete="CASCADE"), index=True),
    Column("meeting_id", ForeignKey("meeting.id", ondelete="CASCADE"), index=True),
    Column("participant_id", ForeignKey("participant.id", ondelete="CASCADE"), index=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("pin_hash", LargeBinary),
    Column("pin_expires_at", UtcDateTime),
    Column("pin_tries", Integer, nullable=False, server_default="0"),
    Column("unlocked_until", UtcDateTime),
    Column("staff_id", ForeignKey("staff.id", ondelete="CASCADE"), index=True),
    # What the provider calls its own session, as a keyed hash: it may end ours by it.
    Column("provider_session", LargeBinary, index=True),
    Column("seen_at", UtcDateTime),
    CheckConstraint(
        "kind IN ('participant', 'leader', 'host_test', 'drop_in', 'support', 'organiser', 'room_manager', 'room', "
        "'staff')",
        name="kind",
    ),
    CheckConstraint("(kind = 'staff') = (staff_id IS NOT NULL)", name="staff"),
)

self_test = Table(
    "self_test",
    metadata,
    Column("id", String, primary_key=True),
    Column("session_id", ForeignKey("session.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("participant_id", ForeignKey("participant.id", ondelete="CASCADE"), index=True),
    Column("profile", String, nullable=False),
    Column("state", String, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("client", JSON, nullable=False),
    # Raised by each page that takes the test over; what is written under an older number is refused.
    Column("claim", Integer, nullable=False, server_default="1"),
    CheckConstraint("state IN ('running', 'finished', 'incomplete')", name="state"),
    Index(None, "state", "updated_at"),
)

self_test_phase = Table(
    "self_test_phase",
    metadata,
    Column("test_id", ForeignKey("self_test.id", ondelete="CASCADE"), primary_key=True),
    Column("phase", String, primary_key=True),
    Column("data", JSON, nullable=False),
    Column("saved_at", UtcDateTime, nullable=False),
)

report = Table(
    "report",
    metadata,
    # The order of arrival: a wall clock that was set back must not make an older report the newest.
    Column("number", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("code", String, nullable=False, unique=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("meeting_id", ForeignKey("meeting.id", ondelete="CASCADE"), index=True),
    Column("participant_id", ForeignKey("participant.id", ondelete="CASCADE"), index=True),
    Column("self_test_id", ForeignKey("self_test.id", ondelete="SET NULL"), index=True),
    Column("session_id", ForeignKey("session.id", ondelete="SET NULL"), index=True),
    Column("verdict", String, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("other_device", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("valid_until", UtcDateTime, nullable=False),
    Column("body", JSON, nullable=False),
    Column("series", LargeBinary),
    Column("judged", String),
    Column("figures", JSON(none_as_null=True)),
    Index("ix_report_organisation_id_number", "organisation_id", "number"),
    CheckConstraint("verdict IN ('ready', 'ready_with_warnings', 'not_ready', 'incomplete')", name="verdict"),
)

participation = Table(
    "participation",
    metadata,
    # What became of one invitation, made when its person is forgotten; nothing leads back.
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("week", String, nullable=False),
    Column("profile", String, nullable=False),
    Column("solution", String, nullable=False),
    Column("client_class", String, nullable=False),
    Column("tested", String, nullable=False),
    Column("first_verdict", String),
    Column("last_verdict", String),
    Column("cause", String, nullable=False),
    Column("solved_min", Integer),
    Column("unit", String, nullable=False, server_default=""),
    Column("room", String, nullable=False, server_default=""),
    CheckConstraint("tested IN ('in_time', 'late', 'never')", name="tested"),
    Index("ix_participation_organisation_id_week", "organisation_id", "week"),
)

unlinked_report = Table(
    "unlinked_report",
    metadata,
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("week", String, nullable=False, index=True),
    Column("client_class", String, nullable=False),
    Column("profile", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("checks", JSON, nullable=False),
    Column("score", Integer),
    Column("problem", String),
    Column("judged", String),
    Column("figures", JSON(none_as_null=True)),
)

taken_out = Table(
    "taken_out",
    metadata,
    # Who is in the meeting no more, so that they can be told or called. The id is that of the person's old row.
    Column("id", String, primary_key=True),
    Column("meeting_id", ForeignKey("meeting.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("role", String, nullable=False),
    Column("label", String, nullable=False),
    Column("locale", String, nullable=False),
    Column("reach", LargeBinary),
    Column("given_as", String, nullable=False, server_default=""),
)
outbox = Table(
    "outbox",
    metadata,
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("meeting_id", ForeignKey("meeting.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("participant_id", ForeignKey("participant.id", ondelete="CASCADE"), index=True),
    Column("host_id", ForeignKey("host.id", ondelete="CASCADE"), index=True),
    Column("kind", String, nullable=False),
    Column("channel", String, nullable=False),
    # What must happen once only, such as one reminder at one time: a second row of the same name is refused.
    Column("once", String, unique=True),
    Column("data", JSON, nullable=False),
    Column("state", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # While waiting: when to try (again). While sending: when the claim of a process that died is over.
    Column("due_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", String),
    Column("sent_at", UtcDateTime),
    CheckConstraint("channel IN ('mail', 'sms')", name="channel"),
    CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed', 'dropped')", name="state"),
    Index(None, "state", "due_at"),
)

support_case = Table(
    "support_case",
    metadata,
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False, index=True),
    Column("meeting_id", ForeignKey("meeting.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("participant_id", ForeignKey("participant.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("report_id", ForeignKey("report.id", ondelete="SET NULL"), index=True),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("opened_by", String),
    Column("taken_at", UtcDateTime),
    Column("taken_by", String),
    Column("done_at", UtcDateTime),
    Column("how", String),
    Column("done_by", String),
    CheckConstraint("(done_at IS NULL) = (how IS NULL)", name="done"),
    # A person has one case at a time, however many leaders tap at once.
    Index(
        "uq_support_case_open",
        "participant_id",
        unique=True,
        sqlite_where=text("done_at IS NULL"),
        postgresql_where=text("done_at IS NULL"),
    ),
)

case_note = Table(
    "case_note",
    metadata,
    Column("id", String, primary_key=True),
    Column("case_id", ForeignKey("support_case.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("written_at", UtcDateTime, nullable=False),
    Column("written_by", String),
    Column("text", LargeBinary, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("meeting_id", ForeignKey("meeting.id", ondelete="SET NULL"), index=True),
    Column("participant_id", ForeignKey("participant.id", ondelete="SET NULL"), unique=True),
    Column("host_id", ForeignKey("host.id", ondelete="SET NULL"), unique=True),
    Column("role", String, nullable=False),
    Column("profile", String, nullable=False),
    Column("solution", String, nullable=False),
    Column("verdict", String),
    # No foreign key: the report is unlinked before the answer is forgotten.
    Column("report_id", String),
    Column("score", Integer, nullable=False),
    Column("problem", String, nullable=False),
    Column("satisfied", Integer),
    Column("again", String),
    Column("unit", String, nullable=False, server_default=""),
    Column("whose", String, nullable=False, server_default=""),
    Column("week", String, nullable=False),
    CheckConstraint("score BETWEEN 1 AND 5", name="score"),
    Index("ix_feedback_organisation_id_week", "organisation_id", "week"),
)
