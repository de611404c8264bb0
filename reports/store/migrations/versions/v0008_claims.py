"""Which page a running self-test belongs to: a number that each page raises when it takes the test over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column, and drop the names that it replaces; a test that is open can be gone on with as before."""
    op.add_column("self_test", sa.Column("claim", sa.Integer, nullable=False, server_default="1"))
    op.execute("DELETE FROM self_test_phase WHERE phase = 'owner'")
