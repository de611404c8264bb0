"""What can go wrong when a message is handed over, and whose it is to mend."""

from __future__ import annotations

from typing import Final

__all__ = ["OURS", "PASSING", "DeliveryError"]

OURS: Final = frozenset(
    {"relay", "login", "certificate", "encryption", "sender_refused", "policy", "request", "unreachable"}
)
"""What the recipient and the address have no part in: whoever runs the service has to mend it."""
PASSING: Final = frozenset({"later", "unreachable", "fault"})
"""What says nothing more once a day has gone by."""


class DeliveryError(Exception):
    """A message was not handed over. `code` has words (``delivery.<code>``); `is_final` says that no retry helps.

    `tries`: after how many attempts it is given up, where a day is too long. `detail`: the answer's numbers or the
    library's reason, for the log; never an address.
    """

    def __init__(self, code: str, *, is_final: bool = False, tries: int | None = None, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.is_final = is_final
        self.tries = tries
        self.detail = detail
