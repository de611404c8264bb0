"""Errors of the store; no exception of SQLAlchemy or a driver gets out.

StoreError              superclass, never raised
├── StoreUnavailable    disk full, locked, connection lost, timeout: nothing is known to be stored, try again
├── SchemaTooNew        the database was migrated by newer software: install that, nothing was changed
├── SchemaTooOld        the database needs `Store.migrate` before it is used
├── MigrationFailed     a migration was rolled back; a person has to look
├── CodeTaken           the report's short code is in use: make a new one and save again
├── Conflict            the id is in use for something that is not yours, or not the same
├── NotStorable         a value that no database keeps, such as a text with NUL; not our fault
├── Gone                the row's parent was deleted or purged: do not try again
├── NotAllowed          this kind of actor may not do that; the edge should have refused it
├── TakenOver           another page has taken the self-test over: nothing was stored, do not try again
└── ForbiddenField      a value to store has a field that the privacy table does not allow
"""

# ruff: noqa: N818 - the names say what happened, as `FileExistsError` would without its last word

from __future__ import annotations

__all__ = [
    "CodeTaken",
    "Conflict",
    "ForbiddenField",
    "Gone",
    "MigrationFailed",
    "NotAllowed",
    "NotStorable",
    "SchemaTooNew",
    "SchemaTooOld",
    "StoreError",
    "StoreUnavailable",
    "TakenOver",
]


class StoreError(Exception):
    """Superclass of all errors of the store; never raised."""

    @property
    def reason(self) -> str:
        """Return the driver's words in one line, such as "Connection refused", for people who open a database by hand.

        Not for logs of a running server: a driver may quote values there.
        """
        cause = self.__cause__
        said = str(getattr(cause, "orig", None) or cause or self).strip() or str(self)
        return said.splitlines()[0]


class StoreUnavailable(StoreError):
    """The database did not answer or could not write; the caller may answer 503 and try the same again."""


class SchemaTooNew(StoreError):
    """The database has a migration this software does not know."""


class SchemaTooOld(StoreError):
    """The database lacks a migration this software needs."""


class MigrationFailed(StoreError):
    """A migration would leave broken references, or is missing; the database is as it was."""


class CodeTaken(StoreError):
    """Another report has this code; nothing was stored."""


class Conflict(StoreError):
    """This id, slug or position is taken by another row; nothing was stored."""


class NotStorable(StoreError):
    """The database can neither search for nor keep a value; nothing was stored."""


class Gone(StoreError):
    """The session, self-test, meeting or participant that this belongs to is no longer stored."""


class NotAllowed(StoreError):
    """The actor is of a kind that may not do this; nothing was read or stored."""


class TakenOver(StoreError):
    """The self-test has a newer claim than the caller's, so another page owns it; `args[0]` names the refused write."""


class ForbiddenField(StoreError, ValueError):
    """A JSON value has a field that may never be stored; `args[0]` names it."""
