"""The shared helper process: runs large, rarely used models for all tests of one web process.

A test's own worker stays small; jobs that need a large model come here, one at a time. The helper does not know whose
test a job belongs to, keeps nothing and judges nothing.

To the helper: job{id, of}+bytes · stop.
From it: ready{missing_walls} · alive{cpu_s} · done{id, result} or done{id, error} · bye{cpu_s}.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import resource
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from readiness.media.frames import FrameError, encode_frame, read_frame
from readiness.media.limits import ALIVE_INTERVAL_S, WorkerLimits
from readiness.media.sandbox import EXIT_LIMIT, Confinement, confine

__all__ = ["OPS", "serve"]


def serve(channel: socket.socket, limits: WorkerLimits) -> None:
    """Confine this process, do jobs until the socket closes, and exit."""
    code = EXIT_LIMIT
    try:
        channel.setblocking(False)
        walls = confine(channel.fileno(), limits)
        code = asyncio.run(_serve(channel, walls))
    except MemoryError:
        code = EXIT_LIMIT
    except BaseException:  # noqa: BLE001 - whatever it was, this process ends here
        code = 1
    finally:
        os._exit(code)  # nothing to tidy up: the thread may be deep in a library


async def _serve(channel: socket.socket, walls: Confinement) -> int:
    reader, writer = await asyncio.open_connection(sock=channel)
    thread = ThreadPoolExecutor(1, thread_name_prefix="heavy", initializer=os.nice, initargs=(5,))
    alive = asyncio.create_task(_say_alive(writer))
    writer.write(encode_frame({"op": "ready", "missing_walls": walls.missing}))
    with contextlib.suppress(EOFError, FrameError, ConnectionError):
        while True:
            message, payload = await read_frame(reader)
            if message["op"] == "stop":
                writer.write(encode_frame({"op": "bye", "cpu_s": _cpu_s()}))
                await writer.drain()
                break
            done = await asyncio.get_running_loop().run_in_executor(thread, _do, message, payload)
            writer.write(encode_frame(done))
            await writer.drain()
    alive.cancel()
    return 0


def _do(message: Mapping[str, Any], payload: bytes) -> dict[str, Any]:
    try:
        return {"op": "done", "id": message["id"], "result": OPS[message["of"]](payload)}
    except MemoryError:
        os._exit(EXIT_LIMIT)
    except Exception as error:  # noqa: BLE001 - a hostile picture is one job's misfortune
        return {"op": "done", "id": message.get("id"), "error": type(error).__name__}


async def _say_alive(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(encode_frame({"op": "alive", "cpu_s": _cpu_s()}))
        await asyncio.sleep(ALIVE_INTERVAL_S)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round(usage.ru_utime + usage.ru_stime, 3)


# ---- what it can do


def _faces(jpeg: bytes) -> list[dict[str, float | None]]:
    """Return the faces of a still as `PictureAnalyser` describes them. Raises ValueError if it is not a still."""
    from probes.picture import decode_still, face_rows  # noqa: PLC0415 - loads numpy

    picture = decode_still(jpeg)
    return [face.to_json() for face in face_rows(picture, _second_finder().find(picture))]


@functools.cache
def _second_finder() -> Any:
    from probes.centerface import SecondFinder  # noqa: PLC0415 - heavy, and only when asked for

    return SecondFinder()


OPS: Mapping[str, Callable[[bytes], Any]] = {"faces": _faces}
"""Job name to the pure function that maps its bytes to a result that JSON can carry."""
