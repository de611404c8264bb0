"""Distinguishes variables that Kubernetes puts into every container from our settings."""

from __future__ import annotations

import re

__all__ = ["is_injected"]

_SERVICE = r"READINESS_(?:[A-Z0-9_]+_)?"
_ADDRESS = r"[0-9]+(?:\.[0-9]+){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+"
_PORT = r"[0-9]{1,5}"
_LINK = rf"(?:tcp|udp|sctp)://(?:[0-9]+(?:\.[0-9]+){{3}}|\[[0-9A-Fa-f:.]+\]):{_PORT}"
_OF_PORT = rf"{_SERVICE}PORT_{_PORT}_(?:TCP|UDP|SCTP)"
_INJECTED = (
    (rf"{_SERVICE}SERVICE_HOST", _ADDRESS),
    (rf"{_SERVICE}SERVICE_PORT(?:_[A-Z0-9_]+)?", _PORT),
    (rf"{_SERVICE}PORT", _LINK),
    (_OF_PORT, _LINK),
    (rf"{_OF_PORT}_PROTO", "tcp|udp|sctp"),
    (rf"{_OF_PORT}_PORT", _PORT),
    (rf"{_OF_PORT}_ADDR", _ADDRESS),
)
"""Names of Kubernetes' variables for a Service, and the form of their values."""


def is_injected(name: str, value: str) -> bool:
    """Return whether Kubernetes made this variable for a Service called "readiness" or "readiness-...".

    It puts seven into every container of the namespace, such as ``READINESS_PORT=tcp://10.0.0.7:8080``. Name and value
    must both match: ``READINESS_WEB_PORT=8080`` is a typo of somebody's.
    """
    return any(re.fullmatch(names, name) and re.fullmatch(values, value) for names, values in _INJECTED)
