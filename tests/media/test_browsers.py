"""The product's page in real browsers against a real worker: media both ways; directly and through TURN."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import shutil
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from readiness.media.network import LATE_LOAD_MS
from readiness.media.pool import MediaSettings, MediaWorker, WorkerPool
from readiness.media.uplink import tracks_for
from reports.kinds import LINE_BYTES
from reports.profile import load_profile
from tests.media.browsers import chromium, firefox
from tests.media.support import Inbox, pool_of
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.browser

WEB = Path(__file__).parents[2] / "web"
PROFILE = load_profile("consultation")

MEASURE = """
async () => {
  const { run } = await import("/web/selftest/js/checks/network.js");
  const { systemClock } = await import("/web/selftest/js/clock.js");
  const { silentTrack } = await import("/web/selftest/js/audio.js");
  const socket = new WebSocket(`ws://${location.host}/session`);
  await new Promise((done) => (socket.onopen = done));
  const handlers = new Set();
  const on = (type, handler) => {
    const one = { type, handler };
    handlers.add(one);
    return () => handlers.delete(one);
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    for (const one of [...handlers]) if (one.type === message.type) one.handler(message);
  };
  const tell = (message) => socket.send(JSON.stringify(message));
  const link = {
    on, bufferedAmount: 0, sendChunk: () => {},
    send: (phase, kind, data) => tell({ phase, kind, data }),
    sendOffer: (sdp) => tell({ phase: "offer", sdp }),
    wait: (type, match, signal) => new Promise((resolve, reject) => {
      const stop = on(type, (message) => match(message) && (stop(), resolve(message)));
      signal.addEventListener("abort", () => (stop(), reject(signal.reason)));
    }),
  };
  const phases = ["connect", "clock", "downlink", "uplink"].map((name) => ({ name, budget_s: 25, budget_bytes: 6e6 }));
  const plan = { phases, done: ["tcp_down", "tcp_up", "paths"], ice_servers: ICE_SERVERS, probe: PROBE };
  const audio = new AudioContext();
  const real = systemClock();
  const clock = { now: () => real.now() * SPEED, sleep: (ms, signal) => real.sleep(ms / SPEED, signal) };
  const progress = {};
  const died = [];
  let peer = null;
  await run({
    link, plan, clock, signal: new AbortController().signal,
    createPeer: (config) => (peer = new RTCPeerConnection({ ...config, iceTransportPolicy: "POLICY" })),
    sound: () => silentTrack(audio), workerUrl: `${location.origin}/web/selftest/js/uplink-worker.js`,
    onProgress: (phase, state) => (progress[phase] = state), died: (...gone) => died.push(gone),
  });
  tell({ phase: "over" });
  await new Promise((done) => (socket.onclose = done));
  return { progress, died, sound: audio.state };
}
"""


def default_address() -> str:
    """The address of the default route; Firefox does not connect to an answer with loopback only."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return sock.getsockname()[0]


def settings() -> MediaSettings:
    pairs = dict.fromkeys(("127.0.0.1", default_address()))
    return MediaSettings(addresses=tuple((address, address) for address in pairs))


class Site:
    """The product's own page modules with one worker behind a socket; conducts as the server does."""

    def __init__(self, worker: MediaWorker) -> None:
        self.base = ""
        self.connect: dict[str, Any] = {}
        self.measured: dict[str, dict[str, Any]] = {}
        self._worker, self._inbox = worker, Inbox(worker)
        self._idle_runs = 0

    async def page(self, _: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>x</title>", content_type="text/html")

    async def session(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        passing = asyncio.create_task(self._pass_on(socket))
        async for text in socket:
            message = json.loads(text.data)
            if message["phase"] == "over":
                break
            await self._from_page(socket, **message)
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
        await socket.close()
        return socket

    async def _pass_on(self, socket: web.WebSocketResponse) -> None:
        while True:
            message = await self._inbox.get("net", timeout_s=90)
            await socket.send_json({**message, "type": "phase"})

    async def _from_page(
        self, socket: web.WebSocketResponse, phase: str, kind: str = "", data: Any = None, sdp: str = ""
    ) -> None:
        if phase == "offer":
            await self._worker.send({"op": "offer", "sdp": sdp})
            await socket.send_json({"type": "answer", "sdp": (await self._inbox.get("answer"))["sdp"]})
        elif phase == "connect":
            self.connect = data
        elif kind == "mark":
            await self._worker.send({"op": "net", "step": "mark", "phase": phase, "data": data})
        elif kind == "final":
            await self._worker.send({"op": "finish", "phase": phase, "data": data})
            self.measured[phase] = await self._inbox.get("measured")
        elif phase == "clock":
            await self._worker.send({"op": "net", "step": "idle", "again": self._idle_runs > 0})
            self._idle_runs += 1
        else:
            tiers = [[tier.name, tier.need_mbps] for tier in PROFILE.tiers]
            load = {"tiers": tiers, "need_mbps": PROFILE.need_mbps, "factor": PROFILE.probe_factor}
            load["most_bytes"] = LINE_BYTES
            ways = ["down" if phase == "downlink" else "up"]
            await self._worker.send({"op": "net", "step": "load", "ways": ways, **load})


@contextlib.asynccontextmanager
async def site(pool: WorkerPool) -> AsyncIterator[Site]:
    """A tiny server with one worker."""
    found = Site(await pool.acquire())
    app = web.Application()
    app.router.add_get("/", found.page)
    app.router.add_get("/session", found.session)
    app.router.add_static("/web", WEB)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.base = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield found
    finally:
        await runner.cleanup()
        await found._worker.close()
        assert found._worker.end_cause is None


def check(result: dict, server: Site, *, local: str | None = None) -> None:
    """A clean line measures as a clean line both ways; where this machine was late, that is what is said."""
    assert result["died"] == [], result
    assert set(result["progress"].values()) == {"done"}, result
    assert server.connect["state"] == "connected"
    if local:
        assert server.connect["local_candidate_type"] == local
    rows = {row["check"]: row for answer in server.measured.values() for row in answer["measurements"]}
    assert 0 <= rows["network.rtt"]["value"] < 100
    for way, phase in (("up", "uplink"), ("down", "downlink")):
        rate, loss = rows[f"network.throughput_{way}"], rows[f"network.loss_{way}"]
        numbers = server.measured[phase]["numbers"]
        print(phase, rate["value"], rate["cause"], rate["details"], loss["value"], loss["samples"], numbers)
        assert rate["check"] == f"network.throughput_{way}"
        assert rate["value"] is not None or rate["cause"] == "server_busy", rate
        if rate["value"] is not None and numbers["lag_p99_ms"] < LATE_LOAD_MS:
            assert rate["details"]["method"] == "rtp"
            assert rate["value"] >= PROFILE.need_mbps or rate["details"]["limit"] == "sender", rate
        assert loss["samples"] > 100
        assert loss["value"] < 3


def script(servers: str = "[]", policy: str = "all", *, speed: int = 1) -> str:
    """The page's script; at a higher `speed` its patience ends sooner."""
    tracks = tracks_for(PROFILE.probe_mbps)
    probe = {"need_mbps": PROFILE.need_mbps, "rate_mbps": PROFILE.probe_mbps, "up_tracks": tracks}
    return (
        MEASURE.replace("ICE_SERVERS", servers)
        .replace("POLICY", policy)
        .replace("PROBE", json.dumps(probe))
        .replace("SPEED", str(speed))
    )


@pytest.mark.alone
@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium")
async def test_chromium_measures_both_ways():
    """The product's own page: padded sound up, paced video down with the browser's own feedback, at 1.875 Mbit/s."""
    async with pool_of(settings=settings()) as pool, site(pool) as server, chromium(server.base) as evaluate:
        check(await evaluate(script()), server)


@pytest.mark.alone
@pytest.mark.skipif(not shutil.which("firefox-esr"), reason="no Firefox ESR")
async def test_firefox_measures_both_ways(tmp_path):
    """The same page in Firefox ESR."""
    async with (
        pool_of(settings=settings()) as pool,
        site(pool) as server,
        firefox(server.base, str(tmp_path)) as evaluate,
    ):
        check(await evaluate(script()), server)


@contextlib.asynccontextmanager
async def coturn(secret: str, folder: str, peer: str) -> AsyncIterator[int]:
    """A real coturn on loopback with time-limited credentials that relays to `peer` only; yields its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        "turnserver", "-n", "--listening-ip=127.0.0.1", f"--relay-ip={peer}", f"--listening-port={port}",
        "--use-auth-secret", f"--static-auth-secret={secret}", "--realm=readiness.test", "--no-tls", "--no-dtls",
        "--no-tcp-relay", "--no-multicast-peers", "--allow-loopback-peers", "--no-cli", "--min-port=49900",
        "--max-port=49950", "--denied-peer-ip=0.0.0.0-255.255.255.255", f"--allowed-peer-ip={peer}",
        f"--pidfile={folder}/pid", f"--userdb={folder}/db", "--log-file=stdout", "--simple-log",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    try:
        for _ in range(int(10 * PATIENCE_S)):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.1)
        else:
            raise TimeoutError("coturn does not listen")
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def credentials(secret: str, *, ttl_s: int = 600) -> tuple[str, str]:
    """Time-limited TURN credentials (draft-uberti-behave-turn-rest-00)."""
    user = f"{int(time.time()) + ttl_s}:test"
    return user, base64.b64encode(hmac.new(secret.encode(), user.encode(), hashlib.sha1).digest()).decode()


@pytest.mark.skipif(not (shutil.which("turnserver") and shutil.which("chromium")), reason="no coturn or no Chromium")
async def test_expired_credentials_relay_nothing(tmp_path):
    """A credential from yesterday opens no relay, so an old page can't be used as one."""
    peer = default_address()
    secret = "a-secret-of-this-test"
    user, password = credentials(secret, ttl_s=-60)
    async with (
        coturn(secret, str(tmp_path), peer) as port,
        pool_of(settings=settings()) as pool,
        site(pool) as server,
        chromium(server.base) as evaluate,
    ):
        servers = f'[{{urls: "turn:127.0.0.1:{port}", username: "{user}", credential: "{password}"}}]'
        result = await evaluate(script(servers, "relay", speed=4))
    assert server.connect["state"] == "failed"
    assert result["progress"] == {"connect": "failed", "tcp_down": "done", "tcp_up": "done"}
    assert {phase for phase, _, _ in result["died"]} == {"clock", "downlink", "uplink"}
