"""What can go wrong between a room and its server.

RoomError
 ├─ AwayError     the server does not answer, or asks to come again later
 ├─ RevokedError  the server no longer knows this room's key
 ├─ RefusedError  the server does not take what was sent, and never will
 └─ KeyLostError  this PC does not give the room's key out
"""

from __future__ import annotations

__all__ = [
    "AwayError",
    "KeyLostError",
    "NothingFoundError",
    "RefusedError",
    "RevokedError",
    "RoomBusyError",
    "RoomError",
]


class RoomBusyError(Exception):
    """Somebody is in the room, or uses its devices: nothing was played and nothing is known."""


class NothingFoundError(Exception):
    """What somebody at the room asked for could not be found out; the message is a sentence for them."""


class RoomError(Exception):
    """Superclass, never raised directly. The message is a sentence for whoever stands at the room's PC."""


class AwayError(RoomError):
    """Try again later: after `retry_after_s`, where the server names a time."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RevokedError(RoomError):
    """The key was revoked, or the room deleted, at the server."""


class RefusedError(RoomError):
    """An answer of the kind "not so": `status` is that of HTTP, `code` the server's."""

    def __init__(self, message: str, *, status: int, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class KeyLostError(RoomError):
    """The store that has the room's key is locked or gone."""
