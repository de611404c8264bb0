"""Staff reach units, and the meetings that they lead."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the columns: who signed in before has no units and leads nothing."""
    op.add_column("staff", sa.Column("limits", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("staff", sa.Column("person_hash", sa.LargeBinary))
