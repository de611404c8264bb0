"""Rooms that check themselves: their codes, keys, results, events and who is told; links and sessions for them.

Rebuilds `invitation` and `session` on SQLite.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0010"
down_revision = "0009"

_LINKS = "kind IN ('participant', 'leader', 'support', 'organiser', 'api', 'feed', 'room_manager', 'fleet')"
_OFFICES = "(kind IN ('support', 'organiser', 'api', 'room_manager', 'fleet')) = (meeting_id IS NULL)"
_SESSIONS = "kind IN ('participant', 'leader', 'drop_in', 'support', 'organiser', 'room_manager', 'room')"


def upgrade() -> None:
    """Widen what a link and a session may be, then make the tables."""
    with op.batch_alter_table("invitation") as invitation:
        invitation.drop_constraint("ck_invitation_kind", type_="check")
        invitation.drop_constraint("ck_invitation_meeting", type_="check")
        invitation.create_check_constraint("ck_invitation_kind", _LINKS)
        invitation.create_check_constraint("ck_invitation_meeting", _OFFICES)
    with op.batch_alter_table("session") as session:
        session.drop_constraint("ck_session_kind", type_="check")
        session.create_check_constraint("ck_session_kind", _SESSIONS)
    _make_rooms()
    _make_results()


def _make_rooms() -> None:
    op.create_table(
        "room",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("building", sa.String, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        sa.Column("contact", sa.LargeBinary),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("enrolled_at", UtcDateTime),
        sa.Column("asked_at", UtcDateTime),
        sa.Column("heard_at", UtcDateTime),
        sa.Column("agent", sa.String, nullable=False),
        sa.Column("system", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("since", UtcDateTime),
        sa.Column("checked_at", UtcDateTime),
        sa.Column("alarm_at", UtcDateTime),
        sa.Column("unknown_at", UtcDateTime),
        sa.Column("known_until", UtcDateTime),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("check_wanted", sa.String),
        sa.Column("boots", sa.JSON, nullable=False),
        sa.Column("twins_at", UtcDateTime),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_room_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_room"),
        sa.UniqueConstraint("organisation_id", "name", name="uq_room_organisation_id_name"),
    )
    op.create_table(
        "room_code",
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("room_id", sa.String, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("used_at", UtcDateTime),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name="fk_room_code_room_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("code_hash", name="pk_room_code"),
    )
    op.create_index("ix_room_code_room_id", "room_code", ["room_id"])
    op.create_table(
        "room_key",
        sa.Column("key_hash", sa.LargeBinary, nullable=False),
        sa.Column("room_id", sa.String, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("used_at", UtcDateTime),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name="fk_room_key_room_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_hash", name="pk_room_key"),
    )
    op.create_index("ix_room_key_room_id", "room_key", ["room_id"])


def _make_results() -> None:
    op.create_table(
        "room_result",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("room_id", sa.String, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("verdict", sa.String),
        sa.Column("not_checked", sa.String),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("planned_at", UtcDateTime),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("clock_off_s", sa.Integer, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.CheckConstraint("(verdict IS NULL) = (not_checked IS NOT NULL)", name="ck_room_result_checked"),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name="fk_room_result_room_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_room_result"),
        sa.UniqueConstraint("id", name="uq_room_result_id"),
    )
    op.create_index("ix_room_result_ended_at", "room_result", ["ended_at"])
    op.create_index("ix_room_result_room_id_ended_at", "room_result", ["room_id", "ended_at"])
    op.create_table(
        "room_event",
        sa.Column("room_id", sa.String, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("is_known", sa.Boolean, nullable=False),
        sa.Column("codes", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name="fk_room_event_room_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("room_id", "sequence", name="pk_room_event"),
    )
    op.create_index("ix_room_event_at", "room_event", ["at"])
    op.create_table(
        "room_hook",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("url", sa.LargeBinary, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_room_hook_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_room_hook"),
    )
    op.create_index("ix_room_hook_organisation_id", "room_hook", ["organisation_id"])
    op.create_table(
        "room_notice",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("room_id", sa.String, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("hook_id", sa.String),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.String),
        sa.Column("sent_at", UtcDateTime),
        sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed', 'dropped')", name="ck_room_notice_state"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_room_notice_organisation_id"),
        sa.ForeignKeyConstraint(["hook_id"], ["room_hook.id"], name="fk_room_notice_hook_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name="fk_room_notice_room_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_room_notice"),
    )
    op.create_index("ix_room_notice_hook_id", "room_notice", ["hook_id"])
    op.create_index("ix_room_notice_room_id", "room_notice", ["room_id"])
    op.create_index("ix_room_notice_state_due_at", "room_notice", ["state", "due_at"])
    op.create_table(
        "meeting_room",
        sa.Column("meeting_id", sa.String, nullable=False),
        sa.Column("room_id", sa.String, nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name="fk_meeting_room_room_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_meeting_room_meeting_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("meeting_id", "room_id", name="pk_meeting_room"),
    )
    op.create_index("ix_meeting_room_room_id", "meeting_room", ["room_id"])
