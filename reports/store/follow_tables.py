"""The table of people who let support follow their test; `tables` has the rest of the schema."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, String, Table

from .columns import UtcDateTime
from .schema import metadata

__all__ = ["following"]

following = Table(
    "following",
    metadata,
    # What support's addresses have in place of the session's id.
    Column("id", String, primary_key=True),
    Column("session_id", ForeignKey("session.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False, index=True),
    Column("participant_id", ForeignKey("participant.id", ondelete="CASCADE"), index=True),
    Column("code", String, nullable=False, unique=True),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False, index=True),
    Column("hinted_at", UtcDateTime),
)
