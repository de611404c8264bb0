"""What systemd is told of the service: that it is ready, and that it still lives. Ten lines on a socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

__all__ = ["beat", "notify"]


def notify(state: str) -> None:
    """Send a line such as ``READY=1`` to whoever started us; nothing where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.connect("\0" + address[1:] if address.startswith("@") else address)
        one.sendall(state.encode())


async def beat() -> None:
    """Tell that we live, three times in each interval of the watchdog, until cancelled. A hung loop tells nothing."""
    try:
        every_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 3e6
    except ValueError:
        every_s = 0.0
    while every_s > 0:
        notify("WATCHDOG=1")
        await asyncio.sleep(every_s)
