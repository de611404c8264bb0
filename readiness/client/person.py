"""A scripted person who takes a whole self-test over a session socket, with a given picture, voice and answers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from readiness.client.errors import NoAnswerError
from readiness.client.line_test import LineTest
from readiness.client.media import MediaPeer
from readiness.client.session import SessionSocket

__all__ = ["Script", "measure_line", "show", "speak", "take_test"]

SAMPLE_BYTES = 2
SOUND_HZ = 16_000
PIECE_S = 0.2
"""Length of one message of sound."""
FRAME_MS = 33
"""Time between two pictures of a camera with 30 a second."""
IDLE_TRIES = 2
"""The server asks for the idle line once more if it was late itself."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Script:
    """The person's devices, picture, voice and answers."""

    devices: Mapping[str, Any]
    """The data of phase `devices`: camera, microphone, browser."""
    still: bytes
    """A picture of the camera, JPEG."""
    voice: bytes
    """Speech as PCM for the socket, at least `speech_s` long."""
    quiet: bytes
    """The room without speech as PCM, at least `PIECE_S` long; repeated as long as needed."""
    stills: int = 9
    still_every_s: float = 0.5
    silence_s: float = 3.0
    speech_s: float = 4.0
    thinking_s: float = 4.0
    """Time for a question; during the one about the digits the line is measured."""
    hears_digits: bool = True
    answers: Mapping[str, Any] = field(default_factory=dict)
    """Answers to the practical questions."""


async def take_test(socket: SessionSocket, plan: Mapping[str, Any], script: Script) -> dict[str, Any]:
    """Take all phases of a plan that are not done yet; return the report.

    Raises ClosedError if the server ends the test, and NoAnswerError. A line without media is no error: the test goes
    on without its figures.
    """
    todo = {phase["name"] for phase in plan["phases"]} - set(plan["done"])
    if "devices" in todo:
        await socket.send("devices", "final", {**script.devices, "other_device": False})
    if "picture" in todo:
        await show(socket, script.still, count=script.stills, every_s=script.still_every_s)
    if "sound" in todo:
        await speak(
            socket, script.voice, script.quiet, silence_s=script.silence_s, speech_s=script.speech_s
        )  # fmt: skip
    thinking_s = script.thinking_s if "speaker" in todo else 0.0
    if "connect" in todo:
        await asyncio.gather(measure_line(socket, plan["probe"]["up_tracks"]), asyncio.sleep(thinking_s))
    if "speaker" in todo:
        await socket.send("speaker", "final", _heard(plan["digits"][0], script))
    if "practical" in todo:
        await asyncio.sleep(script.thinking_s)
        await socket.send("practical", "final", {"answers": dict(script.answers)})
    return await socket.finish()


async def show(socket: SessionSocket, still: bytes, *, count: int, every_s: float) -> None:
    """Take the phase `picture`, sending the same still each time. Raises ClosedError."""
    for index in range(count):
        await socket.send_still(round(index * every_s * 1e3), still)
        await asyncio.sleep(every_s)
    captured = [index * FRAME_MS for index in range(round(count * every_s * 1e3 / FRAME_MS))]
    await socket.send("picture", "final", {"capture_ms": captured[:600], "ended_by": "good"})


async def speak(
    socket: SessionSocket, voice: bytes, quiet: bytes, *, silence_s: float, speech_s: float, pace: float = 1.0
) -> None:
    """Take the phase `sound`: silence, then speech. `pace` 1 is the speed of speech, 0 the speed of the socket.

    Raises ClosedError.
    """
    silence_ms, end_ms = round(silence_s * 1e3), round((silence_s + speech_s) * 1e3)
    size = round(PIECE_S * SOUND_HZ) * SAMPLE_BYTES
    await socket.send("sound", "mark", {"step": "silence_start", "t_ms": 0})
    for index in range(round(silence_s / PIECE_S)):
        await socket.send_sound(round(index * PIECE_S * 1e3), quiet[:size])
        await asyncio.sleep(PIECE_S * pace)
    await socket.send("sound", "mark", {"step": "silence_end", "t_ms": silence_ms})
    await socket.send("sound", "mark", {"step": "speech_start", "t_ms": silence_ms})
    for index in range(round(speech_s / PIECE_S)):
        piece = voice[index * size : (index + 1) * size]
        await socket.send_sound(silence_ms + round(index * PIECE_S * 1e3), piece)
        await asyncio.sleep(PIECE_S * pace)
    await socket.send("sound", "mark", {"step": "speech_end", "t_ms": end_ms})
    await socket.send("sound", "final", {"blocks": [], "ended_by": "heard"})


async def measure_line(socket: SessionSocket, tracks: int) -> None:
    """Connect media and measure the line: the phases `connect`, `clock`, `downlink` and `uplink`.

    If media does not connect, `connect` reports it and the others are skipped. Raises ClosedError, NoAnswerError.
    """
    peer = MediaPeer(tracks=tracks)
    try:
        if await _connect(socket, peer):
            async with _following(socket, peer) as line:
                await _or_closed(line, _idle(socket, line.test))
                await _or_closed(line, _loaded(socket, line.test))
    finally:
        await peer.close()


async def _connect(socket: SessionSocket, peer: MediaPeer) -> bool:
    began_s = time.perf_counter()
    await peer.accept(await socket.offer(await peer.offer()))
    try:
        await peer.opened()
    except NoAnswerError:
        await socket.send("connect", "final", {"state": "failed", "setup_ms": _since_ms(began_s)})
        return False
    where = {"local_candidate_type": "host", "remote_candidate_type": "host", "protocol": "udp"}
    await socket.send("connect", "final", {"state": "connected", "setup_ms": _since_ms(began_s), **where})
    return True


async def _idle(socket: SessionSocket, test: LineTest) -> None:
    for _ in range(IDLE_TRIES):
        await socket.send("clock", "start", {})
        if not (await test.ended("clock")).get("again"):
            break
    await socket.send("clock", "final", {})


async def _loaded(socket: SessionSocket, test: LineTest) -> None:
    began_s, first = time.perf_counter(), len(test.peer.pongs)
    await socket.send("downlink", "start", {})
    await socket.send("uplink", "start", {})
    pinging = asyncio.create_task(test.ping_under_load())
    try:
        await asyncio.gather(test.ended("downlink"), test.ended("uplink"))
    finally:
        pinging.cancel()
        await asyncio.gather(pinging, return_exceptions=True)
    lag = {"lag_ms": test.lag.p99_ms(began_s) or 0.0}
    await socket.send("downlink", "final", lag)
    await socket.send("uplink", "final", {"rows": test.peer.rows()[first:], **lag})


@dataclass(frozen=True, slots=True)
class _Followed:
    """A line test and the task that passes the server's messages to it."""

    test: LineTest
    following: asyncio.Task[None]


@contextlib.asynccontextmanager
async def _following(socket: SessionSocket, peer: MediaPeer) -> AsyncIterator[_Followed]:
    async def send_mark(phase: str, data: dict[str, Any]) -> None:
        await socket.send(phase, "mark", data)

    async def follow() -> None:
        while True:
            test.follow(await socket.get("phase", timeout_s=None))

    test = LineTest(peer, send_mark)
    following = asyncio.create_task(follow())
    try:
        yield _Followed(test, following)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await test.close()


async def _or_closed(line: _Followed, work: Coroutine[Any, Any, _Result]) -> _Result:
    """Return the result of `work`, or raise the error that ended the following: the socket was closed."""
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({working, line.following}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            line.following.result()
        return await working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


def _heard(digits: list[int], script: Script) -> dict[str, Any]:
    if script.hears_digits:
        return {"played": digits, "answer": "digits", "heard": digits, "plays": 1}
    return {"played": digits, "answer": "no_sound", "heard": None, "plays": 1}


def _since_ms(began_s: float) -> int:
    return round((time.perf_counter() - began_s) * 1e3)
