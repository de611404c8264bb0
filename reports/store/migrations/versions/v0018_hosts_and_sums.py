"""Leaders and technical hosts test too; answers by unit, and whose sound or picture failed. Rebuilds `session`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_KINDS = (
    "kind IN ('participant', 'leader', 'host_test', 'drop_in', 'support', 'organiser', 'room_manager', 'room', 'staff')"
)


def upgrade() -> None:
    """Allow the kind of session, and add the columns; what was answered before is of no unit."""
    with op.batch_alter_table("session") as session:
        session.drop_constraint("ck_session_kind", type_="check")
        session.create_check_constraint("ck_session_kind", _KINDS)
    op.add_column("meeting", sa.Column("unit", sa.String, nullable=False, server_default=""))
    op.add_column("feedback", sa.Column("unit", sa.String, nullable=False, server_default=""))
    op.add_column("feedback", sa.Column("whose", sa.String, nullable=False, server_default=""))
