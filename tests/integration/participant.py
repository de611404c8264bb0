"""A participant without a browser: the session socket, spoken by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import time
import wave
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np

from tests.data.clips import microphone_clip
from tests.integration.support import CLIP_FOLDER, ROOT, candidates
from tests.patience import PATIENCE_S

RECORDED_OFFER = (ROOT / "tests" / "data" / "offers" / "chromium-full.sdp").read_bytes().decode()
PRESENT = {
    "camera": {"status": "present", "width_px": 1280, "height_px": 720, "frame_rate_fps": 30, "device_class": "webcam"},
    "microphone": {"status": "present", "sample_rate_hz": 48000, "device_class": "webcam"},
    "browser": {"missing": []},
}
SOUND_UP = 0x02


class Participant:
    """One session and its socket."""

    def __init__(self, http: aiohttp.ClientSession, base: str, session: str, **connect: Any) -> None:
        self.http, self.base, self.session = http, base, session
        self._connect = connect
        self.test = ""
        self.inbox: list[dict[str, Any]] = []
        self.closed = False
        self._news = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self.socket: aiohttp.ClientWebSocketResponse | None = None

    @property
    def local_port(self) -> int:
        """Our end of the session socket."""
        assert self.socket is not None
        return int(self.socket.get_extra_info("sockname")[1])

    async def open(self, *, resume: str = "") -> None:
        """Open the socket and say hello."""
        url = self.base.replace("http", "ws", 1) + "/api/v1/session"
        self.socket = await self.http.ws_connect(url, headers={"Origin": self.base}, **self._connect)
        self.closed = False
        self.inbox.clear()
        self._reading = asyncio.create_task(self._read(self.socket))
        hello = {
            "type": "hello", "version": 1, "client": {"kind": "browser", "browser": "Chrome 142", "os": "Linux"},
            "locale": "nb", "session": self.session, **({"resume": resume} if resume else {}),
        }  # fmt: skip
        await self.socket.send_json(hello)

    async def begin(self, *, resume: str = "") -> dict[str, Any]:
        """Open the socket and return the plan."""
        await self.open(resume=resume)
        plan = await self.get("plan")
        self.test = plan["test"]
        return plan

    async def send(self, phase: str, kind: str, data: dict[str, Any]) -> None:
        """Send samples."""
        assert self.socket is not None
        end = {"final": True} if kind in {"final", "died"} else {}
        await self.socket.send_json({"type": "samples", "phase": phase, "kind": kind, "data": data, **end})

    async def get(
        self, kind: str, *, timeout_s: float = PATIENCE_S, where: Callable[[dict[str, Any]], bool] = bool
    ) -> dict[str, Any]:
        """Return the next message of a type, taken out; earlier ones of other types stay."""
        async with asyncio.timeout(timeout_s):
            while True:
                self._news.clear()
                for message in self.inbox:
                    if message["type"] == kind and where(message):
                        self.inbox.remove(message)
                        return message
                if self.closed:
                    raise ConnectionError(f"closed before {kind}; left over: {self.inbox}")
                await self._news.wait()

    async def media_port(self) -> int:
        """Offer media as Chromium does, and return the UDP port of the answer."""
        assert self.socket is not None
        await self.socket.send_json({"type": "offer", "sdp": RECORDED_OFFER})
        return candidates((await self.get("answer"))["sdp"])[0][1]

    async def speak(self, seconds: float = 4.0) -> None:
        """Take the sound step with a clear voice."""
        assert self.socket is not None
        samples = voice()
        await self.send("sound", "mark", {"step": "silence_start", "t_ms": 0})
        await self.send("sound", "mark", {"step": "silence_end", "t_ms": 1})
        await self.send("sound", "mark", {"step": "speech_start", "t_ms": 1})
        for t_ms in range(0, int(seconds * 1000), 200):
            piece = samples[t_ms * 16 : (t_ms + 200) * 16]
            await self.socket.send_bytes(struct.pack("!BI", SOUND_UP, t_ms) + piece.tobytes())
            await asyncio.sleep(0.01)
        await self.send("sound", "mark", {"step": "speech_end", "t_ms": int(seconds * 1000)})
        await self.send("sound", "final", {"blocks": [], "ended_by": "heard"})

    async def finish(self) -> dict[str, Any]:
        """Say that all is done and return the report."""
        await self.send("finish", "final", {})
        return dict((await self.get("report"))["report"])

    async def last_report(self) -> dict[str, Any] | None:
        """What the server has stored for this session."""
        async with self.http.get(f"{self.base}/api/v1/sessions/{self.session}", **self._connect) as response:
            report = (await response.json())["last_report"]
            return None if report is None else dict(report)

    async def leave(self) -> None:
        """Close the socket properly."""
        if self.socket is not None:
            await self.socket.close()
        await self._stop_reading()

    async def vanish(self) -> None:
        """Cut the connection without a word, as a dead battery does."""
        assert self.socket is not None
        self.socket.get_extra_info("socket").shutdown(2)
        await self._stop_reading()

    async def _stop_reading(self) -> None:
        if self._reading is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await self._reading

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.inbox.append(json.loads(message.data))
                self._news.set()
        self.closed = True
        self._news.set()


@contextlib.asynccontextmanager
async def participant(base: str, link: str = "", **connect: Any) -> AsyncIterator[Participant]:
    """Somebody with a link, or without one: a drop-in test."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        session = await redeem(http, base, link, **connect)
        person = Participant(http, base, session, **connect)
        try:
            yield person
        finally:
            await person.leave()
    await let_go(connect)


async def redeem(http: aiohttp.ClientSession, base: str, link: str, **connect: Any) -> str:
    """Swap a link for a session, or start a drop-in test where there is none."""
    if link:
        parts = urlsplit(link)
        body = {"organisation": parts.path.split("/")[2], "token": parts.fragment}
        call = http.post(f"{base}/api/v1/links/redeem", json=body, **connect)
    else:
        call = http.post(f"{base}/api/v1/organisations/demo/try", json={}, **connect)
    async with call as response:
        answer = await response.json()
        assert response.status == 200, answer
        return str(answer["session"])


@contextlib.asynccontextmanager
async def board(base: str, link: str, **connect: Any) -> AsyncIterator[BoardWatch]:
    """The leader's board, as server-sent events."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        session = await redeem(http, base, link, **connect)
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


def voice() -> np.ndarray:
    """A clear voice, mono, 16 bits, 16 kHz."""
    with wave.open(str(microphone_clip("voice_good", CLIP_FOLDER))) as clip:
        samples = np.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2").astype(float)
    whole = samples[: len(samples) // 3 * 3].reshape(-1, 3).mean(axis=1)
    return whole.astype("<i2")
