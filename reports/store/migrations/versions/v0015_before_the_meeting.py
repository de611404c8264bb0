"""What is settled before a meeting: who assessed it, its agenda, who is with the patient, an interpreter's language."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the columns; of meetings made before nothing is known."""
    op.add_column("meeting", sa.Column("assessed_by", sa.String, nullable=False, server_default=""))
    op.add_column("meeting", sa.Column("agenda_sent", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("meeting", sa.Column("companion", sa.String, nullable=False, server_default=""))
    op.add_column("participant", sa.Column("interprets", sa.String, nullable=False, server_default=""))
