"""``python -m tests.bench.crowd BASE COUNT``: people who take a whole self-test each, at once, without a browser.

Cheap so as not to be the bottleneck: stills and sound are the same bytes for all, made once, and all people of
`readiness.client` are in this one process. Prints one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
import cv2
import numpy as np

from readiness.client.person import Script, take_test
from readiness.client.service import Service
from readiness.client.session import SessionSocket
from tests.data.clips import camera_frames
from tests.integration.participant import BROWSER, PRESENT, voice

STAGGER_S = 1.0
"""People do not tap in the same instant."""
QUEUE_S = 300.0


def script() -> Script:
    """What everybody shows and says: a good picture, and a clear voice in a quiet room."""
    frame = next(iter(camera_frames("good", 1)))
    still = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    spoken = voice()
    quiet = (np.frombuffer(spoken, "<i2") // 300).tobytes()
    return Script(devices=PRESENT, still=still, voice=spoken, quiet=quiet, hears_digits=False)


async def attend(base: str, what: Script) -> dict[str, Any]:
    """Take one whole test; return the report, how long it took and how long it waited in the queue, s."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        service = Service(http, base)
        socket = SessionSocket(service, (await service.try_out("demo")).id, client=BROWSER)
        asked = time.monotonic()
        try:
            plan = await socket.begin(timeout_s=QUEUE_S)
            began = time.monotonic()
            queued = [message["place"] for message in socket.inbox if message["type"] == "queued"]
            report = await take_test(socket, plan, what)
        finally:
            await socket.leave()
        return {
            "report": report,
            "took_s": time.monotonic() - began,
            "waited_s": began - asked,
            "queued": queued,
        }


async def main(base: str, count: int) -> None:
    """Send `count` people through at once."""
    what = script()

    async def one(index: int) -> dict[str, Any]:
        await asyncio.sleep(index * STAGGER_S)
        try:
            return await attend(base, what)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"[:300]}

    began = time.process_time()
    found = await asyncio.gather(*(one(index) for index in range(count)))
    print(json.dumps({"people": found, "client_cpu_s": time.process_time() - began}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
