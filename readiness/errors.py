"""Errors that cross a boundary, each with a code that catalogues turn into words.

ReadinessError
 ├─ SettingError      a setting is unknown, malformed or can't be used: the server does not start
 ├─ InputError        what was sent is wrong (400)
 ├─ AccessError       unknown, expired, revoked or somebody else's (404: which of them is not told)
 ├─ LimitError        too much, too often (429)
 └─ Unavailable       it is us, not you (503)
"""

from __future__ import annotations

__all__ = ["AccessError", "InputError", "LimitError", "ReadinessError", "SettingError", "Unavailable"]


class ReadinessError(Exception):
    """Superclass, never raised directly. `code` is stable; the message is for logs and developers.

    `field` names the part of a wish that is wrong, such as ``participants.0.mail``.
    """

    status = 500

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


class AccessError(ReadinessError):
    """There is nothing here for this caller."""

    status = 404


class LimitError(ReadinessError):
    """A limit was hit; `retry_after_s` says when to come back."""

    status = 429


class Unavailable(ReadinessError):  # noqa: N818 - a state of ours
    """A part of the service is away; nothing was lost, try again after `retry_after_s`."""

    status = 503
