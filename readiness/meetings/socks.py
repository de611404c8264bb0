"""A way through a SOCKS5 proxy (RFC 1928, RFC 1929) for aiohttp, which knows none. The proxy looks names up."""

from __future__ import annotations

import ssl
from typing import Final
from urllib.parse import unquote, urlsplit

from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError, ProxyType

from readiness.meetings.delivery import DeliveryError

__all__ = ["SocksTrouble", "connector_through", "is_socks", "trouble_with_proxy"]

SCHEMES: Final = frozenset({"socks5", "socks5h", "socks"})
"""All of them ask the proxy for the name: whoever needs a proxy often has no name server that knows it."""
DEFAULT_PORT: Final = 1080
_NOT_ALLOWED: Final = 2
"""What a proxy answers where its rules are against it (RFC 1928, 6): it may want to know who asks."""
SocksTrouble: Final = (ProxyError, ProxyConnectionError, ProxyTimeoutError)
"""What a request through the connector raises besides aiohttp's own errors."""


def is_socks(proxy: str) -> bool:
    """Return whether `proxy` is a SOCKS proxy's address."""
    return urlsplit(proxy).scheme.lower() in SCHEMES


def connector_through(proxy: str, *, tls: ssl.SSLContext | bool) -> ProxyConnector:
    """Return a connector whose connections go through `proxy`. Raises ValueError for an address that names no port."""
    where = urlsplit(proxy)
    return ProxyConnector(
        where.hostname or "",
        where.port or DEFAULT_PORT,
        ProxyType.SOCKS5,
        unquote(where.username) if where.username else None,
        unquote(where.password or ""),
        rdns=True,
        force_close=True,
        ssl=tls,
    )


def trouble_with_proxy(error: Exception) -> DeliveryError:
    """Return "login" where the proxy wants another user or password, and "unreachable" for anything else.

    Only the words of an error tell that a password was refused; a test holds them.
    """
    refused = isinstance(error, ProxyError) and (error.error_code == _NOT_ALLOWED or "authentication" in str(error))
    return DeliveryError("login" if refused else "unreachable", detail="proxy")
