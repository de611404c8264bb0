"""The tables of staff who sign in; `tables` has the rest of the schema."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, LargeBinary, String, Table, UniqueConstraint

from .columns import UtcDateTime
from .schema import metadata

__all__ = ["sign_in", "staff"]

staff = Table(
    "staff",
    metadata,
    Column("id", String, primary_key=True),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("identity", LargeBinary, nullable=False),
    Column("provider", String, nullable=False),
    Column("name", String, nullable=False),
    Column("roles", JSON, nullable=False),
    # Pairs of a role and a unit: a role that stands in none is for the whole organisation.
    Column("limits", JSON, nullable=False, server_default="[]"),
    # The keyed hash by which hosts are found who are the same person.
    Column("person_hash", LargeBinary),
    Column("signed_in_at", UtcDateTime, nullable=False, index=True),
    UniqueConstraint("organisation_id", "identity"),
)

sign_in = Table(
    "sign_in",
    metadata,
    # An attempt that has begun. Both hashes are of random values that only the browser has.
    Column("state_hash", LargeBinary, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("organisation_id", ForeignKey("organisation.id"), nullable=False),
    Column("provider", String, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
