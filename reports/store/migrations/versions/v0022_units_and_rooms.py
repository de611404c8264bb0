"""The unit and the room of a counted meeting, for the overview. What is counted by now has none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0018"


def upgrade() -> None:
    """Add both names."""
    for name in ("unit", "room"):
        op.add_column("participation", sa.Column(name, sa.String, nullable=False, server_default=""))
