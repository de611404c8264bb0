"""Logging: one JSON object per line on standard error, with the request's id, passed through a redactor.

The event name is fixed text; user input goes into values, shortened and with control characters escaped (by JSON).
Tokens, cookies, addresses and phone numbers are never logged; the redactor is the safety net for that rule.
"""

from __future__ import annotations

import contextvars
import json
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

__all__ = ["JsonFormatter", "RepeatFilter", "log_event", "request_id", "set_up_logging"]

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
MAX_VALUE_CHARS = 300
MOST_ALIKE, ALIKE_S = 60, 60.0
"""Most lines of one event per minute."""
MOST_EVENTS = 1000
"""Most events that are counted; the names are ours, so there are fewer."""
_REDACT = (
    re.compile(r"\b[A-Za-z0-9_-]{40,}\b"),  # tokens and cookies
    re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"),  # IPv4 addresses
    re.compile(r"(?<![\w-])\+?\d[\d ]{6,14}\d\b"),  # phone numbers and national ids
    re.compile(r"(?i)ice-(?:pwd|ufrag):\S+"),
)


class RepeatFilter(logging.Filter):
    """Passes `MOST_ALIKE` lines of one event per minute; the next line after that says how many were dropped.

    This keeps a caller who makes the server log the same line over and over from filling the disk.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is written."""
        now, key = self._clock(), (record.name, record.levelno, str(record.msg))
        with self._lock:
            began, count = self._seen.get(key, (now, 0))
            if now - began >= ALIKE_S:
                if count > MOST_ALIKE:
                    record.values = getattr(record, "values", {}) | {"left_out_before": count - MOST_ALIKE}
                began, count = now, 0
            if key not in self._seen and len(self._seen) >= MOST_EVENTS:
                self._seen.clear()
            self._seen[key] = (began, count + 1)
            return count < MOST_ALIKE


class JsonFormatter(logging.Formatter):
    """Formats each record as one line of JSON, without secrets and addresses."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if current := request_id.get():
            entry["request"] = current
        entry.update(getattr(record, "values", {}))
        if record.exc_info and record.exc_info[0]:
            entry["exception"] = record.exc_info[0].__name__
            entry["trace"] = _own_frames(record)
        return json.dumps({key: _clean(key, value) for key, value in entry.items()}, ensure_ascii=True)


def _own_frames(record: logging.LogRecord) -> str:
    """Return the last frames by file and line, without the message of a library's exception."""
    frames = traceback.extract_tb(record.exc_info[2]) if record.exc_info else []
    return " < ".join(f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in frames[-4:][::-1])


def _clean(key: str, value: Any) -> Any:
    if not isinstance(value, str) or key in {"at", "level", "request"}:
        return value
    text = value[:MAX_VALUE_CHARS]
    for pattern in _REDACT:
        text = pattern.sub("[redacted]", text)
    return text


def log_event(logger: logging.Logger, level: int, event: str, **values: Any) -> None:
    """Log `event` with `values`; neither may contain a person's name, a secret or an address."""
    logger.log(level, event, extra={"values": values})


def set_up_logging(level: str) -> None:
    """Route everything through the JSON formatter. Libraries log from warning upwards."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(RepeatFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("readiness", "reports"):
        logging.getLogger(name).setLevel(level.upper())
