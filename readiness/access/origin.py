"""Where a request comes from: the address and origin as seen by the browser, and whether another site sent it.

``X-Forwarded-*`` counts only from configured proxies. Cross-site requests are recognised by ``Sec-Fetch-Site`` or, if a
browser does not send it, by comparing full origins (the approach of Filippo Valsorda's "Cross-Site Request Forgery",
2025, as also used in Go 1.25's CrossOriginProtection).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from readiness.errors import Forbidden, InputError, Misdirected
from readiness.settings import Network

__all__ = ["Caller", "caller_of", "is_trusted", "refuse_cross_site", "refuse_foreign_host", "refuse_foreign_socket"]

_HOST = re.compile(r"^[A-Za-z0-9.\-_\[\]:]{1,255}$")
_WITH_PORT = re.compile(r"^(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\])(?::\d+)?$")
"""``192.0.2.1:4711`` and ``[2001:db8::1]:4711``, as written by some proxies."""
PROXIED = "/speedtest-config.php"
PROBED = frozenset({"/healthz", "/readyz"})
"""Asked by load balancers, with any Host or none (HTTP/1.0); what they answer is nobody's secret."""
_OF_SOCKETS = {"ws": "http", "wss": "https"}
"""What some proxies call the scheme of a WebSocket (Traefik)."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """The browser's side of one request."""

    scheme: str
    host: str
    address: str

    @property
    def origin(self) -> str:
        """The origin under which the page was opened."""
        return f"{self.scheme}://{self.host}"

    @property
    def is_secure(self) -> bool:
        """Whether the browser came by https."""
        return self.scheme == "https"

    @property
    def socket_origin(self) -> str:
        """The origin as a WebSocket address."""
        return ("wss://" if self.is_secure else "ws://") + self.host


def caller_of(request: web.BaseRequest, trusted: Sequence[Network], public_origin: str = "") -> Caller:
    """Return the caller, looking through trusted proxies. Raises InputError for a malformed Host.

    A proxy that does not say by which scheme the browser came is taken to use that of our public address.
    """
    peer = request.remote or ""
    scheme, host, address = request.scheme, request.headers.get("Host", ""), peer
    if is_trusted(peer, trusted):
        host = _forwarded(request, "X-Forwarded-Host", host)[-1]
        if _name_of(host) == _name_of(public_origin.partition("://")[2]):
            scheme = public_origin.partition("://")[0] or scheme
        scheme = _forwarded(request, "X-Forwarded-Proto", scheme)[-1].lower()
        scheme = _OF_SOCKETS.get(scheme, scheme)
        address = _client_address(_forwarded(request, "X-Forwarded-For", peer), peer, trusted)
    if request.path in PROBED and not _HOST.match(host):
        host = "localhost"
    if not _HOST.match(host) or scheme not in {"http", "https"}:
        raise InputError("host.malformed")
    return Caller(scheme=scheme, host=host, address=address)


def refuse_foreign_host(request: web.BaseRequest, caller: Caller, public_origin: str) -> None:
    """Raise Misdirected for a host other than ours, if ours is known: somebody may point any name at this machine.

    Accepts an address or ``localhost``, which nobody can point elsewhere, and requests of a client that uses us as its
    proxy (for the speed test's settings).
    """
    if not public_origin or request.path == PROXIED or request.path in PROBED:
        return
    name = _name_of(caller.host)
    if name in {_name_of(public_origin.partition("://")[2]), "localhost"}:
        return
    try:
        ipaddress.ip_address(name)
    except ValueError:
        raise Misdirected("host.unknown") from None


def _name_of(host: str) -> str:
    """Return the name in a Host header, in small letters, without port and the dot of a full name; "" for none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def refuse_cross_site(request: web.BaseRequest, caller: Caller, public_origin: str) -> None:
    """Raise Forbidden if another site makes the browser send a request that changes something."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site in {"same-origin", "none"}:
            return
        raise Forbidden("origin.foreign")
    origin = request.headers.get("Origin")
    if origin is not None and not _is_own(origin, caller, public_origin):
        raise Forbidden("origin.foreign")


def refuse_foreign_socket(request: web.BaseRequest, caller: Caller, public_origin: str) -> None:
    """Raise Forbidden for a WebSocket opened by another site's page. Browsers always send Origin on it."""
    origin = request.headers.get("Origin")
    if origin is not None and not _is_own(origin, caller, public_origin):
        raise Forbidden("origin.foreign")


def _is_own(origin: str, caller: Caller, public_origin: str) -> bool:
    return origin == caller.origin or (bool(public_origin) and origin == public_origin)


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    """Whether `address` is a trusted proxy."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in trusted)


def _forwarded(request: web.BaseRequest, name: str, otherwise: str) -> list[str]:
    """Return the values of a header over all its lines, the nearest last: some proxies add a line, some a comma."""
    lines = ",".join(request.headers.getall(name, ()))
    return [part.strip() for part in lines.split(",") if part.strip()] or [otherwise]


def _client_address(forwarded: Sequence[str], peer: str, trusted: Sequence[Network]) -> str:
    """Return the right-most address of X-Forwarded-For that is not one of our proxies, without a port."""
    for item in reversed(forwarded):
        match = _WITH_PORT.match(item)
        address = (match[1] or match[2]) if match else item
        if not is_trusted(address, trusted):
            return address
    return peer
