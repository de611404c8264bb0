"""``python -m tests.bench.crowd BASE COUNT``: people who take a whole self-test each, at once, without a browser.

Cheap so as not to be the bottleneck: stills and sound are the same bytes for all, made once; the network part is that
of `tests.media.page` (aiortc with padded sound, pings and feedback), all in this one process. Prints one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from typing import Any

import aiohttp
import cv2

from tests.data.clips import camera_frames
from tests.integration.participant import PRESENT, SOUND_UP, Participant, redeem, voice
from tests.media.page import MediaClient, Page

__all__ = ["take_test"]

STILL_UP = 0x01
SILENCE_MS = 3000
STILLS, STILL_EVERY_S = 9, 0.5
SOUND_S, PIECE_S = 7.0, 0.2
ANSWER_S = 4.0
"""How long the question about the digits takes a person; the line is measured meanwhile."""
STAGGER_S = 1.0
"""People do not tap in the same instant."""


def still() -> bytes:
    """One good still, as a page sends it."""
    frame = next(iter(camera_frames("good", 1)))
    return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


class Visitor(Participant):
    """A participant whose `phase` messages go to a page."""

    page: Page | None = None

    async def sound(self) -> None:
        """Silence, then a voice, as fast as they are spoken."""
        assert self.socket is not None
        samples, size = voice(), int(PIECE_S * 16_000)
        await self.send("sound", "mark", {"step": "silence_start", "t_ms": 0})
        for index in range(round(SOUND_S / PIECE_S)):
            t_ms = round(index * PIECE_S * 1000)
            if t_ms == SILENCE_MS:
                await self.send("sound", "mark", {"step": "silence_end", "t_ms": t_ms})
                await self.send("sound", "mark", {"step": "speech_start", "t_ms": t_ms})
            spoken = max(0, index * size - SILENCE_MS * 16)
            piece = samples[spoken : spoken + size] if t_ms >= SILENCE_MS else samples[:size] // 300
            await self.socket.send_bytes(struct.pack("!BI", SOUND_UP, t_ms) + piece.tobytes())
            await asyncio.sleep(PIECE_S)
        await self.send("sound", "mark", {"step": "speech_end", "t_ms": round(SOUND_S * 1000)})
        await self.send("sound", "final", {"blocks": [], "ended_by": "heard"})

    async def network(self) -> None:
        """Connect and run the whole network part."""
        plan_tracks = 2
        client = MediaClient(tracks=plan_tracks)

        async def mark(phase: str, data: dict[str, Any]) -> None:
            await self.send(phase, "mark", data)

        page = self.page = Page(client, mark)
        pump = asyncio.create_task(self._pump(page))
        try:
            assert self.socket is not None
            await self.socket.send_json({"type": "offer", "sdp": await client.offer()})
            await client.accept((await self.get("answer"))["sdp"])
            await client.opened()
            where = {"local_candidate_type": "host", "remote_candidate_type": "host", "protocol": "udp"}
            await self.send("connect", "final", {"state": "connected", "setup_ms": 50, **where})
            for _ in range(2):
                await self.send("clock", "start", {})
                if not (await page.ended("clock", within_s=60))["again"]:
                    break
            await self.send("clock", "final", {})
            first = len(client.pongs)
            await self.send("downlink", "start", {})
            await self.send("uplink", "start", {})
            pinging = asyncio.create_task(client.ping(400, every_s=0.05, tag=1))
            await asyncio.gather(page.ended("downlink", within_s=60), page.ended("uplink", within_s=60))
            pinging.cancel()
            await self.send("downlink", "final", {"lag_ms": 1.0})
            await self.send("uplink", "final", {"rows": client.rows()[first:], "lag_ms": 1.0})
        finally:
            pump.cancel()
            await page.close()
            await client.close()

    async def _pump(self, page: Page) -> None:
        while True:
            page.tell(await self.get("phase", timeout_s=600))


async def take_test(base: str, jpeg: bytes) -> dict[str, Any]:
    """Take one whole test; return the report, how long it took and how long it waited in the queue, s."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        person = Visitor(http, base, await redeem(http, base, ""))
        asked = time.monotonic()
        await person.open()
        await person.get("plan", timeout_s=300.0)
        began = time.monotonic()
        queued = [one for one in person.inbox if one["type"] == "queued"]
        try:
            await person.send("devices", "final", {**PRESENT, "other_device": False})
            assert person.socket is not None
            for index in range(STILLS):
                t_ms = round(index * STILL_EVERY_S * 1000)
                await person.socket.send_bytes(struct.pack("!BI", STILL_UP, t_ms) + jpeg)
                await asyncio.sleep(STILL_EVERY_S)
            await person.send("picture", "final", {"capture_ms": [i * 33 for i in range(90)], "ended_by": "good"})
            await person.sound()
            await asyncio.gather(person.network(), asyncio.sleep(ANSWER_S))
            played = {"played": [1, 2, 3], "answer": "no_sound", "heard": None, "plays": 1}
            await person.send("speaker", "final", played)
            await asyncio.sleep(ANSWER_S)
            await person.send("practical", "final", {"answers": {}})
            report = await person.finish()
        finally:
            await person.leave()
        return {
            "report": report,
            "took_s": time.monotonic() - began,
            "waited_s": began - asked,
            "queued": [one["place"] for one in queued],
        }


async def main(base: str, count: int) -> None:
    """Send `count` people through at once."""
    jpeg = still()

    async def one(index: int) -> dict[str, Any]:
        await asyncio.sleep(index * STAGGER_S)
        try:
            return await take_test(base, jpeg)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"[:300]}

    began = time.process_time()
    found = await asyncio.gather(*(one(index) for index in range(count)))
    print(json.dumps({"people": found, "client_cpu_s": time.process_time() - began}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
