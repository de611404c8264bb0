"""Who was given a letter or a link, and whom the organiser told; days on which an organisation is closed."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the columns. Whoever is in a meeting by now may have a letter, and stays among those to be called."""
    for name in ("participant", "host"):
        op.add_column(name, sa.Column("given_as", sa.String, nullable=False, server_default=""))
        op.add_column(name, sa.Column("given_at", UtcDateTime))
        op.add_column(name, sa.Column("told_at", UtcDateTime))
        people = sa.table(name, sa.column("given_as", sa.String), sa.column("given_at", UtcDateTime()))
        op.execute(sa.update(people).values(given_as="unknown", given_at=datetime.now(UTC)))
    op.add_column("organisation", sa.Column("closed_days", sa.String, nullable=False, server_default=""))
    op.add_column("taken_out", sa.Column("given_as", sa.String, nullable=False, server_default=""))
