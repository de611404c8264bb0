"""Proxies, balancers and addresses as they are set up in the field: each gets its page, and nobody is sent in circles.

Own cases of the kind of langgenius/dify#539: what stands around a server, and what an operator writes of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from readiness.errors import SettingError
from readiness.settings import load_settings
from tests.cast import make_cast
from tests.patience import PATIENCE_S
from tests.security.support import raw

PUBLIC = "https://ready.example"
PAGE = "/o/sunnaas/try"


def at(server: Any, public_url: str = PUBLIC, *, proxied: bool = True) -> None:
    """Let the server be known as `public_url`, behind a proxy on this machine."""
    networks = (ip_network("127.0.0.0/8"),) if proxied else ()
    server.services.settings = replace(server.services.settings, public_url=public_url, trusted_proxies=networks)


async def asked(server: Any, path: str, *headers: str, version: str = "1.1") -> tuple[int, dict[str, str]]:
    lines = "".join(f"{one}\r\n" for one in ("Accept: text/html", *headers))
    status, found, _ = await raw(server.base, f"GET {path} HTTP/{version}\r\n{lines}Connection: close\r\n\r\n".encode())
    return status, found


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_balancer_asks_without_a_host_or_by_a_name_of_its_own(server, path):
    """HAProxy's check is HTTP/1.0 without Host; in a cluster it is the service's name. Pages keep to their own name."""
    at(server)
    async with asyncio.timeout(PATIENCE_S):  # until there are media workers
        while (await asked(server, path, version="1.0"))[0] != 200:
            await asyncio.sleep(0.1)
    for host in ("readiness:8080", "readiness.default.svc", "a_b", "", "[fe80::1%25eth0]"):
        assert (await asked(server, path, f"Host: {host}"))[0] == 200, host
    assert (await asked(server, PAGE, "Host: readiness:8080"))[0] == 421
    assert (await asked(server, PAGE, version="1.0"))[0] == 400


async def test_the_name_with_the_dot_of_a_full_name_is_ours(server):
    """Browsers send it as it was typed."""
    await make_cast(server.store)
    at(server)
    assert (await asked(server, PAGE, "Host: ready.example."))[0] == 200
    assert (await asked(server, PAGE, "Host: ready.example.evil.example."))[0] == 421


@pytest.mark.parametrize(
    ("public_url", "headers", "socket"),
    [
        (PUBLIC, ("X-Forwarded-Proto: wss",), "wss://ready.example"),
        (PUBLIC, ("X-Forwarded-Proto: ws",), "ws://ready.example"),
        (PUBLIC, (), "wss://ready.example"),
        (PUBLIC, ("X-Forwarded-Proto: http",), "ws://ready.example"),
        ("http://ready.example", (), "ws://ready.example"),
        ("", (), "ws://ready.example"),
    ],
)
async def test_the_scheme_is_what_the_proxy_says_or_that_of_the_public_address(server, public_url, headers, socket):
    """Traefik says wss of a socket, which was refused; one that says nothing made cookies that http may carry."""
    await make_cast(server.store)
    at(server, public_url)
    status, found = await asked(server, PAGE, "Host: ready.example", *headers)
    assert status == 200
    assert f"connect-src 'self' {socket};" in found["content-security-policy"]
    assert ("strict-transport-security" in found) == socket.startswith("wss")


async def test_without_a_proxy_the_public_address_changes_no_scheme(server):
    """Whoever comes by http to the server itself does so."""
    await make_cast(server.store)
    at(server, proxied=False)
    _, found = await asked(server, PAGE, "Host: ready.example")
    assert "strict-transport-security" not in found


@pytest.mark.parametrize(
    ("typed", "origin"),
    [
        ("https://Ready.Hospital.Example/", "https://ready.hospital.example"),
        ("https://ready.example:443", "https://ready.example"),
        ("http://ready.example:80/", "http://ready.example"),
        ("https://ready.example:8443", "https://ready.example:8443"),
        ("https://klar.sykehus-ø.no", "https://klar.xn--sykehus--d5a.no"),
        ("https://ready.example. ", "https://ready.example"),
        ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]"),
        ("", ""),
    ],
)
def test_a_public_address_is_what_browsers_call_it(typed, origin):
    """Letters, port and spaces of its own made every page of another name, or a link with a space in it."""
    assert load_settings({"READINESS_PUBLIC_URL": typed}).public_url == origin


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "https://user@ready.example"),
        ("PUBLIC_URL", "https://*.example"),
        ("PUBLIC_URL", "https://ready.example:99999"),
        ("PUBLIC_URL", "https://ready.example/#x"),
        ("HOST", "0.0.0.0:8080"),
        ("HOST", "[::1]:8080"),
        ("MEDIA_ADDRESSES", "0.0.0.0"),
        ("MEDIA_ADDRESSES", "::"),
        ("MEDIA_ADDRESSES", "224.0.0.1"),
    ],
)
def test_what_cannot_work_stops_the_start(name, value):
    """With the setting's name, not when the first person comes."""
    with pytest.raises(SettingError, match=f"READINESS_{name}: "):
        load_settings({f"READINESS_{name}": value})


def test_addresses_of_ipv6_may_stand_in_brackets():
    """As they stand in addresses of pages."""
    assert load_settings({"READINESS_HOST": "[::]"}).host == "::"
    found = load_settings({"READINESS_MEDIA_ADDRESSES": "[2001:db8::1]=[fd00::1]"}).media_addresses
    assert [(one.public, one.local) for one in found] == [("2001:db8::1", "fd00::1")]
