"""Errors that cross a boundary, each with a code that catalogues turn into words.

ReadinessError
 ├─ SettingError         a setting is unknown, malformed or can't be used: the server does not start
 ├─ InputError           what was sent is wrong (400)
 │   ├─ RequestTimeout   it came too slowly (408)
 │   ├─ TooLarge         it is more than we take (413)
 │   └─ Unprocessable    it is well formed and contradicts what was sent before (422)
 ├─ AccessError          unknown, expired, revoked or somebody else's (404: which of them is not told)
 │   ├─ Unauthorized     nobody has said who asks (401)
 │   ├─ Forbidden        another site's page asks (403)
 │   └─ Misdirected      for a host that is not ours (421)
 ├─ LimitError           too much, too often (429)
 └─ Unavailable          it is us, not you (503)
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

    `field` names the part of a wish that is wrong, such as ``participants.0.mail``. The HTTP status is the class's: an
    error that is answered with another one is another class.
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
    """There is more of it than we take; the connection may be closed before all of it was read."""

    status = 413


class Unprocessable(InputError):
    """It can be understood and not done, such as another wish under a key that has been used."""

    status = 422


class AccessError(ReadinessError):
    """There is nothing here for this caller."""

    status = 404


class Unauthorized(AccessError):
    """Nothing in the request says who asks."""

    status = 401


class Forbidden(AccessError):
    """Another site makes the browser ask."""

    status = 403


class Misdirected(AccessError):
    """The request is meant for a host that is not ours."""

    status = 421


class LimitError(ReadinessError):
    """A limit was hit; `retry_after_s` says when to come back."""

    status = 429


class Unavailable(ReadinessError):
    """A part of the service is away; nothing was lost, try again after `retry_after_s`."""

    status = 503
