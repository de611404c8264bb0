"""People at a real server without a browser: a participant at the session socket, a leader at the board's events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import wave
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
import numpy as np

from readiness.client import person
from readiness.client.service import Service
from readiness.client.session import SessionSocket
from tests.data.clips import microphone_clip
from tests.integration.support import CLIP_FOLDER, ROOT, candidates
from tests.patience import PATIENCE_S

RECORDED_OFFER = (ROOT / "tests" / "data" / "offers" / "chromium-full.sdp").read_bytes().decode()
BROWSER = {"kind": "browser", "browser": "Chrome 142", "os": "Linux"}
PRESENT = {
    "camera": {"status": "present", "width_px": 1280, "height_px": 720, "frame_rate_fps": 30, "device_class": "webcam"},
    "microphone": {"status": "present", "sample_rate_hz": 48000, "device_class": "webcam"},
    "browser": {"missing": []},
}


class Participant(SessionSocket):
    """Somebody at the session socket, and what only tests do there."""

    def __init__(self, service: Service, session: str) -> None:
        super().__init__(service, session, client=BROWSER)

    @property
    def http(self) -> aiohttp.ClientSession:
        return self.service.http

    @property
    def local_port(self) -> int:
        """Our end of the session socket."""
        assert self.socket is not None
        return int(self.socket.get_extra_info("sockname")[1])

    async def media_port(self) -> int:
        """Offer media as Chromium does, and return the UDP port of the answer."""
        return candidates(await self.offer(RECORDED_OFFER))[0][1]

    async def speak(self) -> None:
        """Take the sound step with a clear voice, 20 times as fast as it is spoken."""
        await person.speak(self, voice(), b"", silence_s=0.001, speech_s=4.0, pace=0.05)

    async def last_report(self) -> dict[str, Any] | None:
        """What the server has stored for this session."""
        report = (await self.service.describe(self.session))["last_report"]
        return None if report is None else dict(report)

    async def vanish(self) -> None:
        """Cut the connection without a word, as a dead battery does."""
        assert self.socket is not None
        self.socket.get_extra_info("socket").shutdown(2)
        await self._stop_reading()


@contextlib.asynccontextmanager
async def participant(base: str, link: str = "", **connect: Any) -> AsyncIterator[Participant]:
    """Somebody with a link, or without one: a drop-in test."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        service = Service(http, base, tls=connect.get("ssl", True))
        session = await (service.open_link(link) if link else service.try_out("demo"))
        somebody = Participant(service, session.id)
        try:
            yield somebody
        finally:
            await somebody.leave()
    await let_go(connect)


@contextlib.asynccontextmanager
async def board(base: str, link: str, **connect: Any) -> AsyncIterator[BoardWatch]:
    """The leader's board, as server-sent events."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        session = (await Service(http, base, tls=connect.get("ssl", True)).open_link(link)).id
        timeout = aiohttp.ClientTimeout(total=None)
        async with http.get(f"{base}/api/v1/boards/{session}/events", timeout=timeout, **connect) as response:
            assert response.status == 200
            watch = BoardWatch(response)
            reading = asyncio.create_task(watch.read())
            try:
                yield watch
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                watch.cut()
    await let_go(connect)


async def let_go(connect: Mapping[str, Any]) -> None:
    """TLS connections of aiohttp say goodbye after the session was closed."""
    if "ssl" in connect:
        await asyncio.sleep(0.25)


class BoardWatch:
    """What came over one stream of board events, and when."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.boards: list[tuple[float, dict[str, Any]]] = []
        connection = response.connection
        assert connection is not None
        assert connection.transport is not None
        self._transport = connection.transport
        self.local_port = int(self._transport.get_extra_info("sockname")[1])
        self._news = asyncio.Event()

    async def read(self) -> None:
        async for raw in self._response.content:
            if raw.startswith(b"data: ") and raw.strip() != b"data: {}":
                self.boards.append((time.monotonic(), json.loads(raw[6:])))
                self._news.set()

    def cut(self) -> None:
        """End the stream now; a polite end of TLS in mid-stream waits half a minute for the other side."""
        self._transport.abort()

    async def until(self, condition: Callable[[dict[str, Any]], bool], timeout_s: float = PATIENCE_S) -> float:
        """Return when (monotonic s) the first board came that `condition` holds for."""
        async with asyncio.timeout(timeout_s):
            while True:
                self._news.clear()
                for at, shown in self.boards:
                    if condition(shown):
                        return at
                await self._news.wait()


def state_of(shown: dict[str, Any], position: int = 0) -> str:
    """The state of one participant on a board."""
    return str(shown["participants"][position]["state"])


def voice() -> bytes:
    """A clear voice, mono, 16 bits, 16 kHz."""
    with wave.open(str(microphone_clip("voice_good", CLIP_FOLDER))) as clip:
        samples = np.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2").astype(float)
    whole = samples[: len(samples) // 3 * 3].reshape(-1, 3).mean(axis=1)
    return whole.astype("<i2").tobytes()
