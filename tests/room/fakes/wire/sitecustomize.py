"""Keeps what a process sends to the network and gets from it, in ``WIRE_FOLDER``: Python imports this at its start.

``<pid>.bytes`` is every payload in order, both ways; ``<pid>.datagrams`` has one byte for each datagram. Sockets of the
machine itself (D-Bus, the sound system) are no network.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

FOLDER = os.environ.get("WIRE_FOLDER")


def keep(name: str, payload_of) -> None:
    """Wrap a method of sockets; `payload_of` returns what went through it, of its result and arguments."""
    real = getattr(socket.socket, name)

    def kept(self, *arguments, **named):
        done = real(self, *arguments, **named)
        if self.family in {socket.AF_INET, socket.AF_INET6} and (payload := payload_of(done, arguments)):
            BYTES.write(payload)
            if self.type == socket.SOCK_DGRAM:
                DATAGRAMS.write(b".")
        return done

    setattr(socket.socket, name, kept)


if FOLDER:
    BYTES = (Path(FOLDER) / f"{os.getpid()}.bytes").open("ab", buffering=0)
    DATAGRAMS = (Path(FOLDER) / f"{os.getpid()}.datagrams").open("ab", buffering=0)
    keep("send", lambda done, arguments: bytes(arguments[0])[:done])
    keep("sendall", lambda _done, arguments: bytes(arguments[0]))
    keep("sendto", lambda done, arguments: bytes(arguments[0])[:done])
    keep("sendmsg", lambda _done, arguments: b"".join(map(bytes, arguments[0])))
    keep("recv", lambda done, _arguments: done)
    keep("recvfrom", lambda done, _arguments: done[0])
    keep("recvmsg", lambda done, _arguments: done[0])
    keep("recv_into", lambda done, arguments: bytes(arguments[0])[:done])
    keep("recvfrom_into", lambda done, arguments: bytes(arguments[0])[: done[0]])
