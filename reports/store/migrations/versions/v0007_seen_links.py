"""Links whose token others may have read on the way: from when on they open only for who has already opened them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; no link has been seen so far."""
    op.add_column("invitation", sa.Column("seen_at", UtcDateTime))
