"""Which key the machines on this database share, so that one with another key is refused at its start."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table; the first machine that starts writes its row."""
    op.create_table(
        "installation",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("key_fingerprint", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
    )
