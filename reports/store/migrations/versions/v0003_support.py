"""Series beside a report, and links for support that belong to an organisation and to no meeting.

Rebuilds `invitation` and `session` on SQLite.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column, then widen what a link and a session may be."""
    op.add_column("report", sa.Column("series", sa.LargeBinary))
    with op.batch_alter_table("invitation") as invitation:
        invitation.alter_column("meeting_id", existing_type=sa.String(), nullable=True)
        invitation.drop_constraint("ck_invitation_kind", type_="check")
        invitation.create_check_constraint("ck_invitation_kind", "kind IN ('participant', 'leader', 'support')")
        invitation.create_check_constraint("ck_invitation_meeting", "(kind = 'support') = (meeting_id IS NULL)")
    with op.batch_alter_table("session") as session:
        session.drop_constraint("ck_session_kind", type_="check")
        session.create_check_constraint("ck_session_kind", "kind IN ('participant', 'leader', 'drop_in', 'support')")
