"""The table of what was changed about organisations; `tables` has the rest of the schema."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, String, Table

from .columns import UtcDateTime
from .schema import metadata

__all__ = ["setting_change"]

setting_change = Table(
    "setting_change",
    metadata,
    # Kept so that it can be taken back. No foreign key to staff: people are forgotten before.
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("changed_by", String, nullable=False),
    Column("name", String, nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("undoes", String),
    Index("ix_setting_change_organisation_id_at", "organisation_id", "at"),
)
