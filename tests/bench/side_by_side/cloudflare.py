"""The server that @cloudflare/speedtest needs: ``python -m tests.bench.side_by_side.cloudflare ADDRESS PORT FOLDER``.

``/__down?bytes=N``, ``/__up``, and a page with the package's own engine; nothing else of Cloudflare's is asked.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from aiohttp import web

CHUNK = os.urandom(65_536)
PAGE = """<!doctype html><title>x</title><script type="module">
import SpeedTest from "/dist/speedtest.js";
const { host, hostname } = location;
window.found = null;
window.failed = [];
const test = new SpeedTest({
  autoStart: false, downloadApiUrl: `http://${host}/__down`, uploadApiUrl: `http://${host}/__up`,
  logAimApiUrl: null, logMeasurementApiUrl: null,
  turnServerUri: `${hostname}:3478`, turnServerUser: "u", turnServerPass: "p",
});
test.onFinish = (results) => { window.found = results.getSummary(); };
test.onError = (error) => { window.failed.push(String(error)); };
window.test = test;
</script>
"""


def timed(began: float) -> dict[str, str]:
    """How long the server itself took, as the package subtracts it."""
    return {"server-timing": f"cfRequestDuration;dur={(time.perf_counter() - began) * 1000:.2f}"}


async def page(_request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


async def down(request: web.Request) -> web.StreamResponse:
    left = int(request.query["bytes"])
    response = web.StreamResponse(headers={"Content-Length": str(left), **timed(time.perf_counter())})
    await response.prepare(request)
    while left > 0:
        await response.write(CHUNK[: min(left, len(CHUNK))])
        left -= len(CHUNK)
    return response


async def up(request: web.Request) -> web.Response:
    began = time.perf_counter()
    async for _ in request.content.iter_any():
        pass
    return web.Response(text="OK", headers=timed(began if request.content_length == 0 else time.perf_counter()))


def main(address: str, port: str, folder: str) -> None:
    """Serve until killed."""
    app = web.Application(client_max_size=2**30)
    app.add_routes([web.get("/", page), web.get("/__down", down), web.post("/__up", up)])
    app.router.add_static("/dist", Path(folder))
    web.run_app(app, host=address, port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main(*sys.argv[1:4])
