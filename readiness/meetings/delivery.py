"""What can go wrong when a message is handed over."""

from __future__ import annotations

__all__ = ["DeliveryError"]


class DeliveryError(Exception):
    """A message was not handed over. `code` has words (``delivery.<code>``); `is_final` says that no retry helps."""

    def __init__(self, code: str, *, is_final: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.is_final = is_final
