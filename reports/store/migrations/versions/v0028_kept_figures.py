"""What is kept of a test to see how it would have been judged by other limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add the columns. Tests from before have none: they are read from their checks, which takes longer."""
    for name in ("report", "unlinked_report"):
        op.add_column(name, sa.Column("figures", sa.JSON(none_as_null=True)))
