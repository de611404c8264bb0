"""Where a server listens and under which address browsers know it, read in the form that browsers use. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

__all__ = ["listening_host", "public_origin", "reachable"]

_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_USUAL: Final = {"http": 80, "https": 443}
"""Ports that no browser writes in an origin."""


def listening_host(text: str) -> str:
    """Return a host name or an address, one of IPv6 without brackets. Raises ValueError."""
    plain = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
    if ":" in plain:
        try:
            return str(ipaddress.IPv6Address(plain))
        except ValueError:
            raise ValueError("a host name or an address; the port has a setting of its own") from None
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", plain):
        raise ValueError("a host name or an address")
    return plain


def public_origin(text: str) -> str:
    """Return an origin as browsers send it: small letters, ``xn--``, no usual port; "" for nothing.

    Raises ValueError.
    """
    if not text.strip():
        return ""
    try:
        parts = urlsplit(text.strip())
        host, port = _host_of(parts.hostname or ""), parts.port
    except ValueError:
        raise _no_address() from None
    rest = (parts.path.strip("/"), parts.query, parts.fragment, "@" in parts.netloc, parts.hostname == "0.0.0.0")  # noqa: S104
    if not host or parts.scheme not in _USUAL or any(rest) or port == 0:
        raise _no_address()
    return f"{parts.scheme}://{host}" + ("" if port in {None, _USUAL[parts.scheme]} else f":{port}")


def _no_address() -> ValueError:
    return ValueError("an address such as https://ready.hospital.example, without a path")


def _host_of(name: str) -> str:
    """Return a host name in ASCII, or an address of IPv6 in brackets; "" if it is neither. Raises ValueError."""
    if ":" in name:
        return f"[{ipaddress.IPv6Address(name)}]"
    plain = name.rstrip(".")
    if not plain.isascii():
        plain = plain.encode("idna").decode()
    return plain if _NAME.fullmatch(plain) else ""


def reachable(address: str) -> str:
    """Return an address that others can send to. Raises ValueError for ``0.0.0.0``, groups and what is no address."""
    found = ipaddress.ip_address(address.strip().strip("[]"))
    if found.is_unspecified or found.is_multicast:
        raise ValueError("no browser can send to this; give the address by which browsers reach this server")
    return str(found)
