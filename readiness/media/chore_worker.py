"""The confined process that does one piece of work (see `chores`), answers and exits."""

from __future__ import annotations

import importlib
import json
import os
import socket
import struct
import zoneinfo
from collections.abc import Callable

from readiness.errors import InputError
from readiness.media.frames import FAULT, RESULT, WRONG
from readiness.media.limits import WorkerLimits
from readiness.media.sandbox import EXIT_LIMIT, confine, start_deadline

__all__ = ["serve"]

_HEAD = struct.Struct("!HI")


def serve(channel: socket.socket, limits: WorkerLimits) -> None:
    """Confine this process, do one piece of work, send the answer, and exit."""
    code = 1
    try:
        channel.setblocking(True)
        confine(channel.fileno(), limits)
        start_deadline(limits.wall_s)
        zoneinfo.reset_tzpath(to=[])  # use the tzdata package: the system's files are out of reach
        channel.sendall(_answer(channel))
        code = 0
    except MemoryError:
        code = EXIT_LIMIT
    finally:
        os._exit(code)  # nothing to tidy up


def _answer(channel: socket.socket) -> bytes:
    length, size = _HEAD.unpack(_read(channel, _HEAD.size))
    module, _, name = _read(channel, length).decode("ascii").partition(":")
    payload = _read(channel, size)
    try:
        work: Callable[[bytes], bytes] = getattr(importlib.import_module(module), name)
        return RESULT + work(payload)
    except InputError as error:
        return WRONG + json.dumps({"code": error.code, "field": error.field}).encode()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, whoever asked is told
        return FAULT + type(error).__name__.encode("ascii", "replace")


def _read(channel: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        piece = channel.recv(min(65536, size - len(found)))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)
