"""Which series an imported meeting belongs to, and how late what was imported was written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns; what was imported before has no version, and any file changes it."""
    op.add_column("meeting", sa.Column("import_series", sa.LargeBinary))
    op.add_column("meeting", sa.Column("import_version", sa.String, nullable=False, server_default=""))
    op.create_index("ix_meeting_organisation_id_import_series", "meeting", ["organisation_id", "import_series"])
