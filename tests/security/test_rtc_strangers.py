"""RTC-5, RTC-6 and RTC-9 in small: what strangers and hostile peers send to the media port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import struct
import time

import pytest
from aioice import ice, stun

from readiness.client.media import MediaPeer
from readiness.media.limits import Budget
from readiness.media.loopback import Loopback
from tests.media.support import Inbox, connected, pool_of, recorded_offer, until
from tests.patience import PATIENCE_S

ALERT = bytes([21, 0xFE, 0xFD]) + bytes(8) + struct.pack("!H", 2) + bytes([2, 40])
"""A plaintext DTLS alert "handshake failure": 15 bytes that end a handshake where anybody is believed."""


MIN_SPRAYED = 40
"""Rounds for each connect; what is left after the handshake hits the open connection."""


def spray(sock: socket.socket, port: int) -> None:
    """One of each kind of unwanted datagram."""
    hello = bytes([22, 0xFE, 0xFD]) + bytes(8) + struct.pack("!H", 40) + secrets.token_bytes(40)
    stun = b"\x00\x01\x00\x08\x21\x12\xa4\x42" + secrets.token_bytes(12) + b"\x00\x06\x00\x04evil"
    for datagram in (ALERT, hello, b"", b"\x80" + secrets.token_bytes(50), stun, stun[:9], secrets.token_bytes(1200)):
        sock.sendto(datagram, ("127.0.0.1", port))


async def connect_under_fire(worker, inbox: Inbox, sock: socket.socket) -> int:
    """Connect while a stranger sprays the port; return how many alerts were sent."""
    client = MediaPeer(tracks=0)
    sprayed = 0
    try:
        await worker.send({"op": "offer", "sdp": await client.offer()})
        answer = (await inbox.get("answer"))["sdp"]
        port = int(answer.split("a=candidate:")[1].split()[5])
        accepting = asyncio.create_task(client.accept(answer))
        deadline = time.monotonic() + PATIENCE_S
        while (client.channel.readyState != "open" or sprayed < MIN_SPRAYED) and time.monotonic() < deadline:
            spray(sock, port)
            sprayed += 1
            await asyncio.sleep(0.001)
        await accepting
        await client.opened()
    finally:
        await client.close()
    return sprayed


async def test_rtc5_a_strangers_datagrams_do_not_end_a_handshake():
    """Alerts, hellos, junk and empty datagrams at the port during ten connects: all ten connect."""
    sprayed = 0
    async with pool_of(12, warm=2) as pool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            for _ in range(10):
                worker = await pool.acquire()
                sprayed += await connect_under_fire(worker, Inbox(worker), sock)
                await worker.close()
                assert worker.end_cause is None
                assert worker.farewell["strangers"] > 0
    assert sprayed >= 300


async def test_rtc5_a_wrong_fingerprint_never_connects():
    """The certificate is the one that came over the session socket, or there is no connection."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        client = MediaPeer(tracks=0)
        offer = await client.offer()
        digest = offer.split("a=fingerprint:sha-256 ")[1].split("\r\n")[0]
        await worker.send({"op": "offer", "sdp": offer.replace(digest, ":".join(["AB"] * 32))})
        await client.accept((await inbox.get("answer"))["sdp"])
        assert (await inbox.get("peer"))["state"] == "failed"
        assert client.channel.readyState != "open"
        await client.close()
        await worker.close()


async def test_rtc6_junk_from_a_stranger_does_not_disturb_a_running_test():
    """Twenty thousand datagrams at another test's port, and at ours: loss stays below 1 %."""
    async with pool_of(warm=2) as pool:
        ours, other = await pool.acquire(), await pool.acquire()
        inbox, others = Inbox(ours), Inbox(other)
        await other.send({"op": "offer", "sdp": recorded_offer("firefox-page")})
        target = int((await others.get("answer"))["sdp"].split("a=candidate:")[1].split()[5])
        async with connected(ours, inbox) as client:
            pinging = asyncio.create_task(client.ping(150))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                while not pinging.done():
                    for _ in range(100):
                        sock.sendto(b"\x80\x60" + os.urandom(100), ("127.0.0.1", target))
                    await asyncio.sleep(0.01)
            await until(lambda: len(client.pongs) >= 149)
        await asyncio.gather(ours.close(), other.close())


async def test_rtc6_junk_from_a_peer_itself_does_not_disturb_another_test():
    """A peer that is connected and sends what is no SRTP, as fast as it can: another test loses nothing."""
    async with pool_of(warm=2) as pool:
        ours, theirs = await pool.acquire(), await pool.acquire()
        inbox, others = Inbox(ours), Inbox(theirs)
        async with connected(ours, inbox) as client, connected(theirs, others) as hostile:
            assert hostile.pc.sctp is not None
            way = hostile.pc.sctp.transport.transport._connection
            pinging = asyncio.create_task(client.ping(75))
            sent = 0
            with contextlib.suppress(ConnectionError):  # it may be sent away for this
                while not pinging.done():
                    for _ in range(50):
                        await way.send(b"\x80\x60" + os.urandom(100))
                        sent += 1
                    await asyncio.sleep(0.01)
            await pinging
            await until(lambda: len(client.pongs) >= 75)
        assert sent > 500
        await asyncio.gather(ours.close(), theirs.close())


async def test_rtc9_a_peer_that_vanishes_ends(monkeypatch):
    """No answer to six checks of consent ends it: within 33 s on average, here in a hundredth of that."""
    assert ice.CONSENT_FAILURES * (ice.CONSENT_INTERVAL + stun.RETRY_RTO) <= 35
    monkeypatch.setattr(ice, "CONSENT_INTERVAL", 0.05)
    monkeypatch.setattr(stun, "RETRY_RTO", 0.02)
    states: list[str] = []
    addresses = (("127.0.0.1", "127.0.0.1"),)
    peer = Loopback(addresses, None, budget=Budget(), on_event=lambda state, _code: states.append(state))
    client = MediaPeer(tracks=0)
    try:
        await client.accept(await peer.answer(await client.offer()))
        await client.opened()
        await until(lambda: "connected" in states)
        assert client.pc.sctp is not None
        way = client.pc.sctp.transport.transport._connection
        for protocol in way._protocols:
            protocol.transport.abort()
        await until(lambda: not peer.is_connected)
        assert states[-1] in {"closed", "failed"}
    finally:
        await peer.close()
        await client.close()


async def test_rtc9_no_log_line_prints_an_ice_password(capfd, caplog):
    """Workers print nothing at all, whatever happens in them; the pool's own lines hold no SDP."""
    caplog.set_level("DEBUG", logger="readiness")
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        await worker.send({"op": "offer", "sdp": recorded_offer("chromium-page")})
        answer = (await inbox.get("answer"))["sdp"]
        await worker.send({"op": "offer", "sdp": recorded_offer("chromium-page")[:200]})
        await inbox.get("rejected")
        worker.kill()
        await inbox.get("ended")
    password = answer.split("a=ice-pwd:")[1].split("\r\n")[0]
    offered = recorded_offer("chromium-page").split("a=ice-pwd:")[1].split("\r\n")[0]
    out, err = capfd.readouterr()
    for text in (out, err, *(record.getMessage() + str(record.__dict__) for record in caplog.records)):
        assert password not in text
        assert offered not in text


async def test_rtc9_two_workers_never_share_a_secret():
    """Forked from one parent, each has its own randomness: passwords, fragments and certificates differ."""
    async with pool_of(6, warm=3) as pool:
        answers = []
        for _ in range(4):
            worker = await pool.acquire()
            inbox = Inbox(worker)
            await worker.send({"op": "offer", "sdp": recorded_offer("chromium-page")})
            answers.append((await inbox.get("answer"))["sdp"])
        for mark in ("a=ice-pwd:", "a=ice-ufrag:", "a=fingerprint:sha-256 ", "a=ssrc:"):
            assert len({answer.split(mark)[1].split("\r\n")[0] for answer in answers}) == 4


def test_rtc8_a_confined_process_can_write_no_file(tmp_path):
    """The operating system refuses: files stay empty, descriptors but the pipe are gone, nothing can be dumped."""
    import subprocess
    import sys
    from pathlib import Path

    script = f"""
import ctypes, os, resource, socket, sys
from readiness.media.limits import WorkerLimits
from readiness.media.sandbox import confine
theirs = socket.socket(fileno=int(sys.argv[1]))
leak = open({str(tmp_path / "leak")!r}, "wb", buffering=0)
confine(theirs.fileno(), WorkerLimits())
lines = []
try:
    leak.write(b"x")
    lines.append("leaked")
except OSError as error:
    lines.append(error.strerror)
try:
    os.write(os.open({str(tmp_path / "file")!r}, os.O_WRONLY | os.O_CREAT), b"secret")
    lines.append("wrote")
except OSError as error:
    lines.append(error.strerror)
lines.append(str(resource.getrlimit(resource.RLIMIT_CORE)))
lines.append(str(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)))
print("nobody hears this", flush=True)
theirs.send("|".join(lines).encode())
os._exit(0)
"""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [sys.executable, "-c", script, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),), cwd=Path(__file__).parents[2], capture_output=True, timeout=150, check=False,
        )  # fmt: skip
        ours.settimeout(2)
        said = ours.recv(1000).decode().split("|") if done.returncode == 0 else [done.stderr.decode()]
    assert said[0] == "Bad file descriptor"
    assert said[1] in {"Operation not permitted", "Permission denied"}
    assert said[2:] == ["(0, 0)", "1"]
    assert done.stdout == b""
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "leak").read_bytes() == b""


@pytest.mark.parametrize("name", ["chromium-gathered", "firefox-gathered"])
async def test_the_server_sends_nothing_to_an_address_an_offer_names(name):
    """B2: candidates in an offer never make us send a datagram; the peer is learnt from its own checks."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
        victim.bind(("127.0.0.1", 0))
        victim.setblocking(False)
        port = victim.getsockname()[1]
        candidate = f"a=candidate:1 1 udp 2122260223 127.0.0.1 {port} typ host\r\n"
        offer = recorded_offer(name).replace("a=setup:actpass\r\n", candidate + "a=setup:actpass\r\n")
        async with pool_of() as pool:
            worker = await pool.acquire()
            inbox = Inbox(worker)
            await worker.send({"op": "offer", "sdp": offer})
            await inbox.get("answer")
            await asyncio.sleep(1.5)
            with pytest.raises(BlockingIOError):
                victim.recv(2000)
            await worker.close()
            assert worker.farewell["bytes_out"] == 0
