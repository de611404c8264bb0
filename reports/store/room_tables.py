"""The tables of rooms, as the newest migration leaves them. Part of the schema in `tables`."""

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
)

from .columns import UtcDateTime
from .schema import metadata

__all__ = ["meeting_room", "room", "room_code", "room_event", "room_hook", "room_key", "room_notice", "room_result"]

room = Table(
    "room",
    metadata,
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("building", String, nullable=False),
    Column("zone", String, nullable=False),
    Column("contact", LargeBinary),
    Column("settings", JSON, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("enrolled_at", UtcDateTime),
    Column("asked_at", UtcDateTime),
    Column("heard_at", UtcDateTime),
    Column("agent", String, nullable=False),
    Column("system", String, nullable=False),
    Column("state", String, nullable=False),
    Column("since", UtcDateTime),
    Column("checked_at", UtcDateTime),
    Column("alarm_at", UtcDateTime),
    Column("unknown_at", UtcDateTime),
    Column("known_until", UtcDateTime),
    Column("sequence", Integer, nullable=False),
    Column("check_wanted", String),
    Column("boots", JSON, nullable=False),
    Column("twins_at", UtcDateTime),
    UniqueConstraint("organisation_id", "name"),
)

room_code = Table(
    "room_code",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("room_id", ForeignKey("room.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

room_key = Table(
    "room_key",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    Column("room_id", ForeignKey("room.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("made_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    # While a newer key waits for its first use; no key has an end otherwise.
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)

room_result = Table(
    "room_result",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("room_id", ForeignKey("room.id", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("verdict", String),
    Column("not_checked", String),
    Column("reason", String, nullable=False),
    Column("planned_at", UtcDateTime),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=False, index=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("clock_off_s", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    CheckConstraint("(verdict IS NULL) = (not_checked IS NOT NULL)", name="checked"),
    Index("ix_room_result_room_id_ended_at", "room_id", "ended_at"),
)

room_event = Table(
    "room_event",
    metadata,
    Column("room_id", ForeignKey("room.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("is_known", Boolean, nullable=False),
    Column("codes", JSON, nullable=False),
)

room_hook = Table(
    "room_hook",
    metadata,
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False, index=True),
    Column("url", LargeBinary, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
)

room_notice = Table(
    "room_notice",
    metadata,
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("room_id", ForeignKey("room.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("sequence", Integer, nullable=False),
    Column("hook_id", ForeignKey("room_hook.id", ondelete="CASCADE"), index=True),
    Column("state", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", String),
    Column("sent_at", UtcDateTime),
    CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed', 'dropped')", name="state"),
    Index(None, "state", "due_at"),
)

meeting_room = Table(
    "meeting_room",
    metadata,
    Column("meeting_id", ForeignKey("meeting.id", ondelete="CASCADE"), primary_key=True),
    Column("room_id", ForeignKey("room.id", ondelete="CASCADE"), primary_key=True, index=True),
)
