"""The only place with SQL: SQLite for one machine, PostgreSQL for several. See `Store`."""

from .errors import (
    CodeTaken,
    Conflict,
    ForbiddenField,
    Gone,
    MigrationFailed,
    SchemaTooNew,
    SchemaTooOld,
    StoreError,
    StoreUnavailable,
)
from .notify import Watcher
from .records import (
    BoardRow,
    Invitation,
    InvitationKind,
    Meeting,
    Organisation,
    Participant,
    Purged,
    SelfTest,
    SelfTestState,
    Session,
    SessionKind,
    StoredReport,
    new_code,
    new_id,
)
from .repository import Store

__all__ = [
    "BoardRow",
    "CodeTaken",
    "Conflict",
    "ForbiddenField",
    "Gone",
    "Invitation",
    "InvitationKind",
    "Meeting",
    "MigrationFailed",
    "Organisation",
    "Participant",
    "Purged",
    "SchemaTooNew",
    "SchemaTooOld",
    "SelfTest",
    "SelfTestState",
    "Session",
    "SessionKind",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "StoredReport",
    "Watcher",
    "new_code",
    "new_id",
]
