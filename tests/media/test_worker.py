"""A worker at work, over real sockets: clock, RTP, picture, sound, budgets."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct

import cv2
import numpy as np
import pytest
from aiortc import RTCDataChannel

from probes.measurement import Measurement
from readiness.client.media import MediaPeer
from readiness.media.limits import Budget
from readiness.media.network import IDLE_MBPS
from readiness.media.pool import MediaSettings
from readiness.media.uplink import payload_of
from tests.media.support import Inbox, connected, pool_of, recorded_offer, until


def jpeg(width: int = 640, height: int = 360) -> bytes:
    """A grey picture with some structure, as JPEG."""
    picture = np.full((height, width, 3), 120, np.uint8)
    cv2.circle(picture, (width // 2, height // 2), 80, (180, 180, 200), -1)
    return cv2.imencode(".jpg", picture)[1].tobytes()


class Reliable(MediaPeer):
    """Its "clock" sends again what was lost, and in order."""

    def clock_channel(self) -> RTCDataChannel:
        return self.pc.createDataChannel("clock", ordered=True)


LOAD = {
    "op": "net",
    "step": "load",
    "tiers": [["720p", 1.5]],
    "need_mbps": 1.5,
    "factor": 1.25,
    "most_bytes": 4_500_000,
}


async def net(inbox: Inbox, phase: str, state: str) -> dict:
    return await inbox.get("net", where=lambda message: (message["phase"], message["state"]) == (phase, state))


@pytest.mark.alone
async def test_the_clock_is_echoed_and_the_farewell_tells_the_cost():
    """Connect, 60 pings in the idle run, and its round trips; nothing is left over."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        async with connected(worker, inbox) as client:
            assert (await inbox.get("peer"))["state"] == "connected"
            await worker.send({"op": "net", "step": "idle"})
            started = await net(inbox, "clock", "started")
            assert started["values"] == {"run": 1, "ms": 1500, "tracks": 1, "bytes": payload_of(IDLE_MBPS, 1)}
            await client.ping(60)
            await until(lambda: len(client.pongs) == 60)
            assert [pong.server_seq for pong in client.pongs] == list(range(60))
            mark = {"run": 1, "rows": client.rows(), "sent": 0, "received": 0, "lag_ms": 2.0}
            await worker.send({"op": "net", "step": "mark", "phase": "clock", "data": mark})
            assert "again" in (await net(inbox, "clock", "ended"))["values"]
            await worker.send({"op": "finish", "phase": "clock", "data": {}})
            measured = await inbox.get("measured")
            found = {row["check"]: Measurement.from_json(row) for row in measured["measurements"]}
            assert 0 <= found["network.rtt"].value < 50
            assert found["network.rtt"].metric("device_lag_p99_ms") == 2.0
            assert measured["numbers"]["server_lag_p99_ms"] is not None
            assert measured["numbers"]["pings"] == 60
        await worker.close()
        assert worker.end_cause is None
        assert worker.farewell["failures"] == 0
        assert worker.cpu_s > 0
        assert pool.live == 0


async def test_a_peer_without_feedback_leaves_the_way_down_not_measured():
    """The figure is missing with a cause, never made up, and the page is told so that TCP may serve."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        client = MediaPeer(tracks=1, feedback=False)
        await worker.send({"op": "offer", "sdp": await client.offer()})
        await client.accept((await inbox.get("answer"))["sdp"])
        await client.opened()
        await worker.send({**LOAD, "ways": ["down"]})
        assert (await net(inbox, "downlink", "ended"))["values"] == {"measured": False}
        await worker.send({"op": "finish", "phase": "downlink", "data": {"lag_ms": 1.0}})
        (row,) = (await inbox.get("measured"))["measurements"]
        assert (row["check"], row["value"], row["cause"]) == ("network.throughput_down", None, "no_feedback")
        await client.close()
        await worker.close()


async def test_without_media_each_phase_says_so():
    """No peer at all: idle fails, each way ends unmeasured, and every finish has an answer."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        await worker.send({"op": "net", "step": "idle"})
        assert (await net(inbox, "clock", "failed"))["code"] == "disconnected"
        await worker.send({**LOAD, "ways": ["up"]})
        await worker.send({**LOAD, "ways": ["down"]})
        for phase in ("uplink", "downlink"):
            assert (await net(inbox, phase, "ended"))["values"] == {"measured": False}
        for phase, data in (("clock", {"rows": "x"}), ("downlink", {}), ("uplink", {"rows": [[1], None, "x"]})):
            await worker.send({"op": "finish", "phase": phase, "data": data})
            measured = await inbox.get("measured")
            assert measured["phase"] == phase
            assert "error" not in measured
            assert {row["value"] for row in measured["measurements"]} == {None}
        await worker.close()
        assert worker.farewell["failures"] == 0


async def test_picture_and_sound_are_analysed_in_memory():
    """Stills give numbers; nonsense is refused by code and ends nothing; sound gives live numbers and measurements."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        await worker.send({"op": "still", "t_ms": 100}, jpeg())
        still = await inbox.get("still")
        assert still["t_ms"] == 100
        assert still["numbers"]["width_px"] == 640
        assert still["numbers"]["faces"] == []
        for nonsense, code in ((b"\xff\xd8\xffnope", "still.rejected"), (b"GIF89a", "still.rejected")):
            await worker.send({"op": "still", "t_ms": 1}, nonsense)
            assert (await inbox.get("still_rejected"))["code"] == code
        await worker.send({"op": "still", "t_ms": 1}, bytes(65_000))
        assert (await inbox.get("still_rejected"))["code"] == "still.too_long"
        await worker.send({"op": "mark", "step": "silence_start", "t_ms": 0})
        noise = (np.random.default_rng(1).normal(0, 30, 16_000)).astype("<i2").tobytes()
        for second in range(4):
            await worker.send({"op": "pcm", "t_ms": second * 1000}, noise)
        sound = await inbox.get("sound")
        assert "level_dbfs" in sound["numbers"]
        await worker.send({"op": "pcm", "t_ms": 0}, b"odd")
        assert (await inbox.get("pcm_rejected"))["code"] == "pcm.length"
        await worker.send({"op": "finish", "phase": "sound", "data": {}})
        measured = await inbox.get("measured")
        assert "error" not in measured
        assert "microphone.noise" in {row["check"] for row in measured["measurements"]}
        for second in range(9):
            await worker.send({"op": "ear", "t_ms": 5000 + second * 1000}, noise)
        assert (await inbox.get("pcm_rejected"))["t_ms"] == 13_000, "what is heard of the digits is bounded"
        played = {"ended_by": "played", "lang": "nb", "digits": [3, 7, 1], "starts_ms": [5100, 6000, 6900]}
        await worker.send({"op": "finish", "phase": "echo", "data": played})
        (echo,) = (await inbox.get("measured"))["measurements"]
        assert (echo["check"], echo["details"]["heard"], echo["details"]["sounded"]) == (
            "microphone.echo",
            False,
            False,
        )
        await worker.close()
        assert worker.end_cause is None


async def test_of_stills_that_come_too_fast_the_newest_is_kept():
    """A flood of stills is never a queue: the last one is answered, the rest is dropped and counted."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        picture = jpeg(1280, 720)
        for number in range(60):
            await worker.send({"op": "still", "t_ms": number}, picture)
        await inbox.get("still", where=lambda message: message["t_ms"] == 59)
        answered = [message for message in inbox.seen if message["op"] in {"still", "still_rejected"}]
        assert sorted(message["t_ms"] for message in answered) == list(range(59)), "each is answered once"
        await worker.close()
        assert worker.farewell["dropped_stills"] > 30


@pytest.mark.alone
async def test_analysis_does_not_disturb_the_clock():
    """With stills at twice the page's rate, no ping is lost and the echo's own hold stays small."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        await worker.send({"op": "still", "t_ms": 0}, jpeg())
        await inbox.get("still")
        async with connected(worker, inbox) as client:
            for number in range(8):
                await worker.send({"op": "still", "t_ms": number}, jpeg())
                await client.ping(12)
            await until(lambda: len(client.pongs) == 96)
            held = sorted(row[3] - row[2] for row in client.rows())
            assert held[len(held) // 2] < 5000  # microseconds
        await worker.close()


async def test_unknown_and_broken_messages_end_nothing():
    """A mistake in the web process costs one message, not a person's test."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        broken = [{"op": "nonsense"}, {"op": "still"}, {"op": "finish", "phase": "x"}, {"op": "downlink"}]
        broken += [
            {"op": "net"},
            {"op": "net", "step": "x"},
            {"op": "net", "step": "mark"},
            {"op": "net", "step": "load"},
        ]
        broken += [{**LOAD, "ways": ["up"], "tiers": [["a", "b"]]}, {**LOAD, "ways": ["up"], "need_mbps": None}]
        for message in broken:
            await worker.send(message)
            assert (await inbox.get("failed"))["of"] == message["op"]
        await worker.send({"op": "net", "step": "mark", "phase": "clock", "data": {"run": 9}})
        await worker.send({"op": "finish", "phase": "clock", "data": {"rows": "x", "sent": None}})
        assert (await inbox.get("measured"))["phase"] == "clock"
        await worker.close()
        assert worker.end_cause is None


async def test_a_refused_offer_leaves_the_worker_ready_for_a_good_one():
    """A code for the bad, an answer for the good, and no endless trying."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        await worker.send({"op": "offer", "sdp": recorded_offer("firefox-page").replace("sha-256", "sha-1")})
        assert (await inbox.get("rejected"))["code"] == "sdp.fingerprint"
        async with connected(worker, inbox):
            pass
        await worker.send({"op": "offer", "sdp": recorded_offer("firefox-page")})
        await inbox.get("answer")
        await worker.send({"op": "offer", "sdp": recorded_offer("firefox-page")})
        assert (await inbox.get("rejected"))["code"] == "sdp.too_many"
        await worker.close()


def candidates(answer: str) -> set[tuple[str, int]]:
    lines = [line.split() for line in answer.split("\r\n") if line.startswith("a=candidate:")]
    return {(parts[4], int(parts[5])) for parts in lines}


async def test_answers_name_only_configured_addresses_and_ports():
    """RTC-7, with 1:1 NAT: the public address, a port of the range; the local one nowhere."""
    low = 52_000 + secrets.randbelow(4000)
    settings = MediaSettings(addresses=(("203.0.113.5", "127.0.0.1"),), ports=(low, low + 3))
    async with pool_of(settings=settings) as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        await worker.send({"op": "offer", "sdp": recorded_offer("chromium-gathered")})
        answer = (await inbox.get("answer"))["sdp"]
        assert {host for host, _ in candidates(answer)} == {"203.0.113.5"}
        assert all(low <= port <= low + 3 for _, port in candidates(answer))
        assert "127.0.0.1" not in answer
        assert ".local" not in answer
        await worker.close()


async def test_an_exhausted_port_range_is_said_and_given_back():
    """Two ports carry two tests; the third is told `ports_exhausted`; when one ends, its port serves again."""
    low = 56_000 + secrets.randbelow(4000)
    settings = MediaSettings(ports=(low, low + 1))
    async with pool_of(settings=settings, warm=2) as pool:
        workers = [await pool.acquire() for _ in range(3)]
        inboxes = [Inbox(worker) for worker in workers]
        for worker, inbox in zip(workers[:2], inboxes[:2], strict=True):
            await worker.send({"op": "offer", "sdp": recorded_offer("firefox-page")})
            await inbox.get("answer")
        await workers[2].send({"op": "offer", "sdp": recorded_offer("firefox-page")})
        assert (await inboxes[2].get("rejected"))["code"] == "ports_exhausted"
        await workers[0].close()
        await workers[2].send({"op": "offer", "sdp": recorded_offer("firefox-page")})
        await inboxes[2].get("answer")
        await asyncio.gather(*(worker.close() for worker in workers))


async def test_a_foreign_address_is_said():
    """A configured address that is not this machine's is our fault and has its own code."""
    async with pool_of(settings=MediaSettings(addresses=(("192.0.2.9", "192.0.2.9"),))) as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        await worker.send({"op": "offer", "sdp": recorded_offer("firefox-page")})
        assert (await inbox.get("rejected"))["code"] == "address_unavailable"
        await worker.close()


async def test_addresses_of_one_test_may_differ_from_the_settings():
    """The address a session arrived at is known only then."""
    async with pool_of() as pool:
        worker = await pool.acquire(addresses=(("198.51.100.4", "127.0.0.1"),))
        inbox = Inbox(worker)
        await worker.send({"op": "offer", "sdp": recorded_offer("firefox-page")})
        assert {host for host, _ in candidates((await inbox.get("answer"))["sdp"])} == {"198.51.100.4"}
        await worker.close()


async def closed_with(inbox: Inbox) -> str | None:
    return (await inbox.get("peer", where=lambda message: message["state"] == "closed"))["code"]


async def test_a_peer_that_never_comes_is_closed():
    """RTC-3: 15 s to connect (here half a second), then the port is free again."""
    async with pool_of(settings=MediaSettings(budget=Budget(connect_s=0.5))) as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        await worker.send({"op": "offer", "sdp": recorded_offer("firefox-page")})
        answer = (await inbox.get("answer"))["sdp"]
        assert await closed_with(inbox) == "budget.connect"
        ((host, port),) = candidates(answer)

        def free() -> bool:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                try:
                    sock.bind((host, port))
                except OSError:
                    return False
                return True

        await until(free)
        await worker.close()
        assert worker.end_cause is None


async def test_a_fifth_data_channel_closes_the_peer():
    """RTC-3: four data channels, no more."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        async with connected(worker, inbox) as client:
            for number in range(4):
                client.pc.createDataChannel(f"more{number}")
            assert await closed_with(inbox) == "budget.channels"
        await worker.close()


async def test_one_endless_message_closes_the_peer():
    """RTC-3: an unfinished message above the bound ends the peer before it costs seconds of reassembly."""
    async with pool_of(settings=MediaSettings(budget=Budget(unfinished_bytes=30_000))) as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        async with connected(worker, inbox) as client:
            channel = client.pc.createDataChannel("big")
            await until(lambda: channel.readyState == "open")
            channel.send(bytes(200_000))
            assert await closed_with(inbox) == "budget.message"
        await worker.close()
        assert worker.cpu_s < 5


async def test_too_many_bytes_close_the_peer():
    """RTC-3: 25 MB each way (here 100 kB), also in mid-trial; the way is then not measured."""
    async with pool_of(settings=MediaSettings(budget=Budget(bytes_each_way=100_000))) as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        client = MediaPeer(tracks=1)
        await worker.send({"op": "offer", "sdp": await client.offer()})
        await client.accept((await inbox.get("answer"))["sdp"])
        await client.opened()
        await worker.send({**LOAD, "ways": ["down"], "need_mbps": 4.0})
        run = (await net(inbox, "downlink", "run"))["values"]["run"]
        assert await closed_with(inbox) == "budget.bytes"
        await net(inbox, "downlink", "stop")
        mark = {"run": run, "received": client.received}
        await worker.send({"op": "net", "step": "mark", "phase": "downlink", "data": mark})
        assert (await net(inbox, "downlink", "ended"))["values"] == {"measured": False}
        await client.close()
        await worker.close()
        assert worker.end_cause is None


async def test_measuring_time_is_bounded_waiting_time_is_not():
    """RTC-3: seconds with pings count (here 1), seconds in which a person thinks do not."""
    async with pool_of(settings=MediaSettings(budget=Budget(measuring_s=1))) as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        async with connected(worker, inbox) as client:
            await client.ping(2)
            await asyncio.sleep(3)
            assert not [message for message in inbox.seen if message.get("state") == "closed"]
            pinging = asyncio.create_task(client.ping(200))
            assert await closed_with(inbox) == "budget.time"
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
        await worker.close()


async def test_messages_off_the_clock_are_ignored():
    """Text, long and malformed messages get no answer and do no harm; neither does a reliable "clock"."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        async with connected(worker, inbox) as client:
            for nonsense in ("text", "", b"", b"x" * 101, b"x" * 1000, struct.pack("!BBHIQQ", 9, 0, 0, 1, 1, 0)):
                client.channel.send(nonsense)
            await client.ping(3)
            await until(lambda: len(client.pongs) == 3)
        await worker.close()
        assert worker.farewell["pings_ignored"] == 6
        worker = await pool.acquire()
        inbox = Inbox(worker)
        client = Reliable(tracks=0)
        await worker.send({"op": "offer", "sdp": await client.offer()})
        await client.accept((await inbox.get("answer"))["sdp"])
        await client.opened()
        await client.ping(3)
        await asyncio.sleep(0.2)
        assert client.pongs == []
        await client.close()
        await worker.close()
