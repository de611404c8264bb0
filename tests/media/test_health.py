"""Our own health first: the media port's self-test."""

from __future__ import annotations

import socket

from readiness.media.health import check_media_port
from readiness.media.pool import MediaSettings


async def test_a_port_of_ours_echoes():
    """A datagram through our own address comes back within a second."""
    found = await check_media_port(MediaSettings())
    assert found.ok
    assert found.echo_ms is not None
    assert found.echo_ms < 1000


async def test_a_foreign_address_is_named():
    """An address that is not ours is a configuration mistake, not a network fault."""
    found = await check_media_port(MediaSettings(addresses=(("192.0.2.1", "192.0.2.1"),)))
    assert (found.ok, found.code) == (False, "address_unavailable")


async def test_exhausted_ports_are_named():
    """All ports taken: participants wait, nobody is told that their network fails."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        found = await check_media_port(MediaSettings(ports=(port, port)))
    assert (found.ok, found.code) == (False, "ports_exhausted")
