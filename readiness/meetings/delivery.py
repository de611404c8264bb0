"""Errors in handing over a message, and who has to fix them."""

from __future__ import annotations

from typing import Final

__all__ = ["OURS", "PASSING", "DeliveryError"]

OURS: Final = frozenset(
    {"relay", "login", "certificate", "encryption", "sender_refused", "policy", "request", "unreachable"}
)
"""Errors that are not due to the recipient or address; the operator of the service has to fix them."""
PASSING: Final = frozenset({"later", "unreachable", "fault"})
"""Errors that say nothing more after a day."""


class DeliveryError(Exception):
    """A message was not handed over. The catalogue has ``delivery.<code>``; `is_final` means that no retry helps.

    `tries` is the number of attempts before giving up, if a day is too long. `detail` holds the answer's numbers or the
    library's reason, for the log; never an address.
    """

    def __init__(self, code: str, *, is_final: bool = False, tries: int | None = None, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.is_final = is_final
        self.tries = tries
        self.detail = detail
