"""Errors that cross a boundary, each with a code that catalogues translate into words.

ReadinessError
 ├─ SettingError         a setting is unknown, malformed or can't be used: the server does not start
 ├─ InputError           the request is wrong (400)
 │   ├─ RequestTimeout   it arrived too slowly (408)
 │   ├─ TooLarge         it is larger than we accept (413)
 │   └─ Unprocessable    it is well formed but contradicts an earlier one (422)
 ├─ AccessError          unknown, expired, revoked or somebody else's (404, without saying which)
 │   ├─ Unauthorized     the caller is not identified (401)
 │   ├─ Forbidden        another site's page sent it (403)
 │   └─ Misdirected      it is for a host that is not ours (421)
 ├─ LimitError           too much, too often (429)
 └─ Unavailable          our fault, not the caller's (503)
"""
# ruff: noqa: N818 - named as HTTP names their answers

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AccessError",
    "Forbidden",
    "InputError",
    "LimitError",
    "Misdirected",
    "ReadinessError",
    "RequestTimeout",
    "SettingError",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
]


class ReadinessError(Exception):
    """Superclass, never raised directly. `code` is stable; the message is for logs and developers.

    `field` names the invalid part of a request, such as ``participants.0.mail``. The HTTP status belongs to the class:
    an error with another status is another class.
    """

    status: ClassVar[int] = 500

    def __init__(self, code: str, message: str = "", *, retry_after_s: float | None = None, field: str = "") -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message or code
        self.retry_after_s = retry_after_s
        self.field = field


class SettingError(ReadinessError):
    """One line that names the setting and says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__("setting", message)


class InputError(ReadinessError):
    """The request or message can't be understood."""

    status = 400


class RequestTimeout(InputError):
    """The request's body, or our work on it, took too long."""

    status = 408


class TooLarge(InputError):
    """The body is larger than we accept; the connection may be closed before all of it was read."""

    status = 413


class Unprocessable(InputError):
    """The request can be understood but not executed, such as another one under a used key."""

    status = 422


class AccessError(ReadinessError):
    """There is nothing here for this caller."""

    status = 404


class Unauthorized(AccessError):
    """Nothing in the request identifies the caller."""

    status = 401


class Forbidden(AccessError):
    """Another site makes the browser send the request."""

    status = 403


class Misdirected(AccessError):
    """The request is meant for a host that is not ours."""

    status = 421


class LimitError(ReadinessError):
    """A limit was hit; `retry_after_s` says when to come back."""

    status = 429


class Unavailable(ReadinessError):
    """A part of the service is down; nothing was lost, try again after `retry_after_s`."""

    status = 503
