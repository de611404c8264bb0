"""Real browsers against a real worker: passive ICE, clock, paced RTP with feedback; directly and through TURN."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import shutil
import socket
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from readiness.media.pool import MediaSettings, WorkerPool
from tests.media.browsers import chromium, firefox
from tests.media.support import Inbox, pool_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

MEASURE = """
async () => {
  const pc = new RTCPeerConnection({ iceServers: ICE_SERVERS, iceTransportPolicy: "POLICY" });
  pc.addTransceiver("video", { direction: "recvonly" });
  const channel = pc.createDataChannel("clock", { ordered: false, maxRetransmits: 0 });
  channel.binaryType = "arraybuffer";
  const began = performance.now();
  await pc.setLocalDescription(await pc.createOffer());
  const post = (path, body) => fetch(path, { method: "POST", body: JSON.stringify(body) }).then((r) => r.json());
  const answer = await post("/offer", { sdp: pc.localDescription.sdp });
  if (answer.op !== "answer") return { refused: answer.code };
  await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
  const opened = await new Promise((done) => {
    channel.onopen = () => done(true);
    setTimeout(() => done(false), OPEN_MS);
  });
  if (!opened) return { opened, state: pc.iceConnectionState };
  const setup_ms = performance.now() - began;
  const us = () => Math.round(performance.now() * 1000);
  const rows = [];
  channel.onmessage = ({ data }) => {
    const view = new DataView(data);
    const wide = (at) => Number(view.getBigUint64(at));
    rows.push([view.getUint32(4), wide(8), wide(16), wide(24), us()]);
  };
  let sent = 0;
  const ping = () => {
    const view = new DataView(new ArrayBuffer(24));
    view.setUint8(0, 1);
    view.setUint32(4, sent++);
    view.setBigUint64(8, BigInt(us()));
    channel.send(view.buffer);
  };
  for (let n = 0; n < 60; n++) {
    ping();
    await new Promise((done) => setTimeout(done, 20));
  }
  await new Promise((done) => setTimeout(done, 500));
  const clock = await post("/finish", { phase: "clock", data: { rows, sent, tags: { idle: [0, sent - 1] } } });
  const ended = await post("/downlink", { rate_mbps: 2.0, duration_s: 1.5 });
  await new Promise((done) => setTimeout(done, 700));
  const stats = [...(await pc.getStats()).values()];
  const video = stats.find((entry) => entry.type === "inbound-rtp" && entry.kind === "video") || {};
  const chosen = stats.find((entry) => entry.type === "transport")?.selectedCandidatePairId;
  const pair = stats.find((entry) => entry.id === chosen || (entry.type === "candidate-pair" && entry.selected));
  const local = stats.find((entry) => entry.id === pair?.localCandidateId);
  const data = { packets_received: video.packetsReceived, packets_lost: video.packetsLost };
  const down = await post("/finish", { phase: "downlink", data });
  pc.close();
  const pli = video.pliCount;
  return { opened, setup_ms, clock, ended, down, data, pli, local: local?.candidateType };
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


@contextlib.asynccontextmanager
async def site(pool: WorkerPool) -> AsyncIterator[str]:
    """A tiny page with one worker behind it; yields its address."""
    worker = await pool.acquire()
    inbox = Inbox(worker)

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>x</title>", content_type="text/html")

    async def offer(request: web.Request) -> web.Response:
        await worker.send({"op": "offer", **(await request.json())})
        answers = [asyncio.create_task(inbox.get(op)) for op in ("answer", "rejected")]
        done, pending = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return web.json_response(done.pop().result())

    async def downlink(request: web.Request) -> web.Response:
        await worker.send({"op": "downlink", **(await request.json())})
        return web.json_response(await inbox.get("downlink_ended"))

    async def finish(request: web.Request) -> web.Response:
        await worker.send({"op": "finish", **(await request.json())})
        return web.json_response(await inbox.get("measured"))

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_post("/offer", offer)
    app.router.add_post("/downlink", downlink)
    app.router.add_post("/finish", finish)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
        await worker.close()
        assert worker.end_cause is None


def check(result: dict, *, local: str | None = None) -> None:
    """A clean line measures as a clean line, with the browser's own feedback."""
    assert result.get("opened"), result
    clock = {row["check"]: row for row in result["clock"]["measurements"]}
    assert clock["network.loss_up"]["value"] == clock["network.loss_down"]["value"] == 0
    assert 0 <= clock["network.rtt"]["value"] < 60
    assert result["ended"]["code"] is None
    assert result["data"]["packets_received"] >= 0.99 * result["ended"]["sent"]
    assert result["data"]["packets_lost"] == 0
    (throughput,) = result["down"]["measurements"]
    assert throughput["check"] == "network.throughput_down"
    assert throughput["value"] == pytest.approx(2.0, rel=0.2)
    assert result["pli"] is None or result["pli"] < 40, "no key-frame request for each packet"
    if local:
        assert result["local"] == local


def script(servers: str = "[]", policy: str = "all", open_ms: int = 12_000) -> str:
    return MEASURE.replace("ICE_SERVERS", servers).replace("POLICY", policy).replace("OPEN_MS", str(open_ms))


@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium")
async def test_chromium_connects_and_measures():
    """Passive ICE on an offer sent before gathering; 60 pongs; 2 Mbit/s proven by the browser's own feedback."""
    async with pool_of(settings=settings()) as pool, site(pool) as base, chromium(base) as evaluate:
        result = await evaluate(script())
        print(f"chromium setup {result.get('setup_ms', 0):.0f} ms, rate {result.get('down')}")
        check(result, local=None)


@pytest.mark.skipif(not shutil.which("firefox-esr"), reason="no Firefox ESR")
async def test_firefox_connects_and_measures(tmp_path):
    """The same page in Firefox ESR."""
    async with pool_of(settings=settings()) as pool, site(pool) as base, firefox(base, str(tmp_path)) as evaluate:
        result = await evaluate(script())
        print(f"firefox setup {result.get('setup_ms', 0):.0f} ms, rate {result.get('down')}")
        check(result)


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
        for _ in range(50):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.1)
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
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_chromium_connects_through_a_relay(tmp_path, transport):
    """Only relayed candidates, as on a network that lets nothing else out: connects, measures, says `relay`."""
    peer = default_address()
    media = MediaSettings(addresses=((peer, peer),))
    secret = "a-secret-of-this-test"
    user, password = credentials(secret)
    async with (
        coturn(secret, str(tmp_path), peer) as port,
        pool_of(settings=media) as pool,
        site(pool) as base,
        chromium(base) as evaluate,
    ):
        urls = f"turn:127.0.0.1:{port}?transport={transport}"
        servers = f'[{{urls: "{urls}", username: "{user}", credential: "{password}"}}]'
        result = await evaluate(script(servers, "relay"))
    print(f"relay {transport}: setup {result.get('setup_ms', 0):.0f} ms")
    check(result, local="relay")


@pytest.mark.skipif(not (shutil.which("turnserver") and shutil.which("chromium")), reason="no coturn or no Chromium")
async def test_expired_credentials_relay_nothing(tmp_path):
    """A credential from yesterday opens no relay, so an old page can't be used as one."""
    peer = default_address()
    secret = "a-secret-of-this-test"
    user, password = credentials(secret, ttl_s=-60)
    async with (
        coturn(secret, str(tmp_path), peer) as port,
        pool_of(settings=settings()) as pool,
        site(pool) as base,
        chromium(base) as evaluate,
    ):
        servers = f'[{{urls: "turn:127.0.0.1:{port}", username: "{user}", credential: "{password}"}}]'
        result = await evaluate(script(servers, "relay", 4000))
    assert result["opened"] is False
