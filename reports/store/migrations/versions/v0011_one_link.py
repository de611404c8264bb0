"""One link from the invitation to the question afterwards: who shows the meeting's own link, and whom to call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns.

    Meetings made before keep their link from the participants, as they were told; nobody is written to afterwards
    until the organisation says so.
    """
    op.add_column("organisation", sa.Column("clinic_phone", sa.String, nullable=False, server_default=""))
    op.add_column("organisation", sa.Column("asks_afterwards", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("meeting", sa.Column("join_shown", sa.String, nullable=False, server_default="page"))
    op.add_column("meeting", sa.Column("join_from", sa.String, nullable=False, server_default=""))
    op.add_column("meeting", sa.Column("clinic_phone", sa.String, nullable=False, server_default=""))
    op.add_column("meeting", sa.Column("contact", sa.String, nullable=False, server_default=""))
    op.add_column("meeting", sa.Column("changed_at", UtcDateTime))
    op.add_column("feedback", sa.Column("satisfied", sa.Integer))
    op.add_column("feedback", sa.Column("again", sa.String))
    op.execute(sa.text("UPDATE meeting SET join_shown = 'kept'"))
