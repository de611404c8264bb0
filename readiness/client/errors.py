"""Errors of a client.

ClientError
 ├─ RefusedError   the server answered a request with an error
 ├─ ClosedError    the session socket is closed (also a ConnectionError)
 └─ NoAnswerError  the expected answer did not come in time (also a TimeoutError)
"""

from __future__ import annotations

__all__ = ["ClientError", "ClosedError", "NoAnswerError", "RefusedError"]


class ClientError(Exception):
    """Superclass, never raised directly. `code` is the server's if it gave one; the message is for logs."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code


class RefusedError(ClientError):
    """The server answered with an error; `status` is that of HTTP, `retry_after_s` is None if it named no time."""

    def __init__(self, code: str, message: str = "", *, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(code, message)
        self.status = status
        self.retry_after_s = retry_after_s


class ClosedError(ClientError, ConnectionError):
    """The session socket is closed; `code` is the last error that the server sent, or ``socket.closed``."""


class NoAnswerError(ClientError, TimeoutError):
    """Nothing came in time; `code` names the expected message, such as ``no_answer.plan``."""
