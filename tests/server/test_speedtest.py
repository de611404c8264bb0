"""The full speed test: an unmodified speedtest-cli runs against us, and nobody's self-test pays for it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from readiness.access import bandwidth
from readiness.access.bandwidth import CALLER_BYTES, MOST_RUNS, MOST_TRANSFERS, Load, SpeedGate
from readiness.errors import LimitError, Unavailable
from readiness.server import speedtest
from reports.profile import PROFILE_FOLDER, load_profile
from tests.cast import make_cast
from tests.patience import PATIENCE_S
from tests.security.support import redeem

ROOT = Path(__file__).resolve().parents[2]
CLI = Path(sys.executable).parent / "speedtest-cli"
FREE = Load(running=0, waiting=0, capacity=12)


async def stock_client(base: str, *arguments: str) -> tuple[int, str, str]:
    """Run speedtest-cli as a stranger would: its settings through http_proxy, everything else from us directly."""
    host = base.removeprefix("http://").split(":")[0]
    environment = {"PATH": os.environ["PATH"], "http_proxy": base, "no_proxy": host}
    process = await asyncio.create_subprocess_exec(
        CLI, "--mini", f"{base}/mini/", *arguments, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(2 * PATIENCE_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_an_unmodified_speedtest_cli_runs(server, monkeypatch, caplog):
    """Its figures parse, both ways and the round trip, and agree with what went through us; memory stays flat."""
    monkeypatch.setattr(speedtest, "DOWNLOAD_S", 2)
    monkeypatch.setattr(speedtest, "UPLOAD_S", 2)
    tracemalloc.start()
    status, out, err = await stock_client(server.base, "--json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert status == 0, err
    found = json.loads(out)
    most = bandwidth.MOST_MBPS * 1e6
    assert 20e6 < found["download"] < 1.2 * most, "bit/s on loopback, up to the common rate"
    assert 5e6 < found["upload"] < 2 * most, "counted as sent, so with what waits in buffers"
    assert 0 < found["ping"] < 500
    assert found["bytes_received"] > 5e6
    assert found["bytes_sent"] > 1e6
    assert found["server"]["sponsor"] == "Speedtest Mini"
    assert peak < 12e6, "bodies of up to 31 MB, eight at a time"
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


async def test_a_self_test_comes_first(server, http):
    """While self-tests need the machine there is no speed test: 503, when to come back, and a sentence."""
    pool = server.services.admission.pool
    pool._reserved = pool.capacity
    try:
        status, _, err = await stock_client(server.base, "--simple")
        assert status != 0
        assert "503" in err
        for path in ("/mini/", "/mini/speedtest/latency.txt", "/mini/speedtest/random350x350.jpg"):
            async with http.get(path) as answer:
                assert answer.status == 503
                assert int(answer.headers["Retry-After"]) >= 1
                error = (await answer.json())["error"]
        assert error["code"] == "server.busy"
        assert "self-tests come first" in error["message"]
        async with http.post("/mini/speedtest/upload.php", data=b"x" * 1000) as answer:
            assert answer.status == 503
    finally:
        pool._reserved = 0
    async with http.get("/mini/") as answer:
        assert answer.status == 200


async def test_a_self_test_that_comes_during_a_speed_test_gets_the_line(server, http):
    """What is on its way ends within a chunk or two when a participant needs the machine."""
    pool = server.services.admission.pool
    async with http.get("/mini/speedtest/random4000x4000.jpg") as answer:
        received = len(await answer.content.readany())
        pool._reserved = pool.capacity
        async with asyncio.timeout(PATIENCE_S):
            received += len(await answer.read())
    pool._reserved = 0
    assert 0 < received < speedtest.SIZES_BYTES[4000]


async def test_bodies_are_bounded_and_counted(server, http):
    """Each size is exact, an upload is counted, and one that is too large is refused, announced or not."""
    for size in (350, 750):
        async with http.get(f"/mini/speedtest/random{size}x{size}.jpg") as answer:
            assert len(await answer.read()) == speedtest.SIZES_BYTES[size]
            assert answer.headers["Cache-Control"] == "no-store"
    async with http.post("/mini/speedtest/upload.php", data=b"content1=" + bytes(300_000)) as answer:
        assert await answer.text() == "size=300009"

    async def endless():
        for _ in range(200):
            yield bytes(65_536)

    for body in (io.BytesIO(bytes(speedtest.MAX_UPLOAD_BYTES + 1)), endless()):
        async with http.post("/mini/speedtest/upload.php", data=body) as answer:
            assert answer.status == 413
    for name in ("random351x351.jpg", "random350x500.jpg", "random99999x99999.jpg", "upload.asp", "..%2f..%2fx"):
        async with http.get(f"/mini/speedtest/{name}") as answer:
            assert answer.status == 404, name


async def test_an_upload_that_is_given_up_is_no_error_of_ours(server, caplog):
    """speedtest-cli hangs up in mid-body when its time is over."""
    host, port = server.base.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = "POST /mini/speedtest/upload.php HTTP/1.1\r\nHost: x\r\nContent-Length: 524288\r\n\r\n"
    writer.write(head.encode() + bytes(100_000))
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(PATIENCE_S):
        while any(run.transfers for run in server.services.speed._runs.values()) or not server.services.speed._runs:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


async def test_who_does_not_read_is_hung_up_on(server, monkeypatch):
    """A body has a time limit, and nobody keeps a connection by standing still."""
    monkeypatch.setattr(speedtest, "LONGEST_S", 0.5)
    host, port = server.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(b"GET /mini/speedtest/random4000x4000.jpg HTTP/1.1\r\nHost: x\r\n\r\n")
    runs = server.services.speed._runs
    async with asyncio.timeout(PATIENCE_S):
        while not runs or any(run.transfers for run in runs.values()):
            await asyncio.sleep(0.02)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        async with asyncio.timeout(PATIENCE_S):
            await reader.readexactly(speedtest.SIZES_BYTES[4000])
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_the_allowance_ends(server, http, monkeypatch):
    """A caller who has used it up is told 429 and when it is back; others are not affected."""
    monkeypatch.setattr(bandwidth, "CALLER_BYTES", 1.5e6)
    async with http.get("/mini/speedtest/random1000x1000.jpg") as answer:
        assert answer.status == 200
        assert len(await answer.read()) <= 1.5e6 + bandwidth.CHUNK_BYTES
    async with http.get("/mini/") as answer:
        assert answer.status == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 2
        assert "used up" in (await answer.json())["error"]["message"]
    server.services.speed.look_in("203.0.113.7")


async def test_who_may(server, http):
    """Off is off; with a public address only those with a self-test of their own, unless it is on; no other site."""
    cast = await make_cast(server.store)
    settings = server.services.settings

    async def status(path: str = "/mini/speedtest/latency.txt", **headers: str) -> int:
        async with http.get(path, headers=headers) as answer:
            return answer.status

    assert await status() == 200
    assert await status(**{"Sec-Fetch-Site": "cross-site"}) == 404
    server.services.settings = replace(settings, speedtest="off")
    assert await status() == 404
    assert await status("/speedtest-config.php") == 404
    server.services.settings = replace(settings, public_url=server.base)
    assert await status() == 404
    session = await redeem(http, cast.anna_token)
    assert await status() == 404
    assert await status(f"/mini/speedtest/latency.txt?session={session}") == 200
    server.services.settings = replace(settings, public_url=server.base, speedtest="on")
    assert await status() == 200


def gate(load: Load = FREE) -> tuple[SpeedGate, SimpleNamespace]:
    now = SimpleNamespace(s=0.0, load=load)
    return SpeedGate(lambda: now.load, lambda: now.s), now


def test_a_few_callers_at_a_time():
    """One more is asked to wait; a seat is free again when its caller has asked for nothing for some seconds."""
    door, now = gate()
    for number in range(MOST_RUNS):
        door.look_in(f"198.51.100.{number}")
    with pytest.raises(Unavailable):
        door.look_in("203.0.113.1")
    door.look_in("198.51.100.0")
    now.s += bandwidth.IDLE_S
    door.look_in("203.0.113.1")
    assert door.runs == 1


def test_a_running_transfer_keeps_its_seat_and_only_so_many_run():
    """However long a body takes, its caller is still there."""
    door, now = gate()
    with door.transfer("198.51.100.1"):
        now.s += 10 * bandwidth.IDLE_S
        assert door.runs == 1
        held = [door.transfer("198.51.100.1") for _ in range(MOST_TRANSFERS - 1)]
        for one in held:
            one.__enter__()
        with pytest.raises(LimitError), door.transfer("198.51.100.1"):
            pass
        for one in held:
            one.__exit__(None, None, None)
    now.s += bandwidth.IDLE_S
    assert door.runs == 0


@pytest.mark.parametrize(
    ("load", "allowed"),
    [
        (Load(0, 0, 1), True),
        (Load(1, 0, 1), False),
        (Load(8, 0, 12), True),
        (Load(9, 0, 12), False),
        (Load(1, 1, 12), False),
    ],
)
def test_a_speed_test_takes_the_place_of_some_self_tests(load, allowed):
    """Where that place is missing, or somebody waits in the queue, there is none."""
    door, _ = gate(load)
    assert door.has_room(new=True) is allowed


async def test_the_rate_and_the_bytes_of_all_are_bounded():
    """Whoever asks from however many addresses, no more than the common rate and sum goes out."""
    door, now = gate()
    moved = 0
    for number in range(20):
        now.s += bandwidth.IDLE_S
        try:
            with door.transfer(f"198.51.100.{number}") as transfer:
                allowance = door._allowance((False, f"198.51.100.{number}"))
                assert transfer is not None
                while door.pay(allowance, 1_000_000):
                    moved += 1_000_000
        except LimitError:
            break
    assert CALLER_BYTES * 4 <= moved <= bandwidth.ALL_BYTES + 20 * bandwidth.IDLE_S * bandwidth.ALL_BYTES_PER_S


def test_guests_never_keep_an_invited_person_out():
    """Guests who hold every place and look in for ever give way at once, and begin again only afterwards."""
    door, now = gate()
    for number in range(MOST_RUNS):
        door.look_in(f"198.51.100.{number}", guest=True)
    with door.transfer("198.51.100.0", guest=True), door.transfer("person anna"):
        assert door.has_room()
        assert not door.has_room(guest=True)
        for number in range(MOST_RUNS):
            with pytest.raises(Unavailable):
                door.look_in(f"198.51.100.{number}", guest=True)
    door.look_in("198.51.100.0", guest=True)
    with pytest.raises(Unavailable):
        door.look_in("198.51.100.1", guest=True)
    door.look_in("person olav")
    with pytest.raises(Unavailable):
        door.look_in("198.51.100.0", guest=True)
    now.s += bandwidth.IDLE_S
    door.look_in("198.51.100.1", guest=True)


@pytest.mark.parametrize(
    ("load", "allowed"),
    [
        (Load(17, 0, 12, guests_running=9), True),
        (Load(18, 0, 12, guests_running=9), False),
        (Load(9, 100, 12, guests_running=9, guests_waiting=100), True),
        (Load(9, 101, 12, guests_running=9, guests_waiting=100), False),
        (Load(1, 0, 1, guests_running=1), True),
    ],
)
def test_self_tests_of_guests_never_keep_an_invited_person_out(load, allowed):
    """Neither by running nor by waiting; those of the invited still come first."""
    door, _ = gate(load)
    assert door.has_room(new=True) is allowed
    assert not door.has_room(new=True, guest=True)


def test_guests_never_use_up_the_bytes_of_the_invited():
    """However many addresses they have, and at an invited person's own address, a whole run is left for others."""
    door, _ = gate()
    for number in range(20):
        allowance = door._allowance((True, f"198.51.100.{number}"))
        while door.pay(allowance, 1_000_000, guest=True):
            pass
    with pytest.raises(LimitError):
        door.look_in("203.0.113.1", guest=True)
    door.look_in("person anna")
    allowance, moved = door._allowance((False, "person anna")), 0
    while door.pay(allowance, 1_000_000):
        moved += 1_000_000
    assert moved == CALLER_BYTES


async def test_an_invited_person_measures_while_drop_ins_hold_every_place(server, http, monkeypatch):
    """Two addresses that look in again and again, one of them her own: she is let in, they are sent away, then back."""
    cast = await make_cast(server.store)
    server.services.settings = replace(server.services.settings, public_url=server.base)
    monkeypatch.setattr(bandwidth, "IDLE_S", 0.5)
    anna = await redeem(http, cast.anna_token)
    async with http.post("/api/v1/organisations/sunnaas/try", json={}) as answer:
        guest = (await answer.json())["session"]

    async def status(session: str) -> int:
        async with http.get(f"/mini/speedtest/latency.txt?session={session}") as answer:
            return answer.status

    server.services.speed.look_in("203.0.113.7", guest=True)
    assert await status(guest) == 200
    assert server.services.speed.runs == MOST_RUNS
    assert await status(anna) == 200
    assert await status(guest) == 503
    async with asyncio.timeout(PATIENCE_S):
        while await status(guest) != 200:
            await asyncio.sleep(0.1)


def test_what_a_speed_is_good_for_is_what_the_profiles_say():
    """The page's own list, loaded with the speed test, has the tiers and the room of every profile."""
    script = (ROOT / "web" / "selftest" / "js" / "speedview.js").read_text(encoding="utf-8")
    found = {name: float(need) for name, need in re.findall(r'\["(\w+)", ([\d.]+)\]', script)}
    (factor,) = re.findall(r"FACTOR = ([\d.]+);", script)
    for path in PROFILE_FOLDER.glob("*.toml"):
        profile = load_profile(path.stem)
        assert found == {tier.name: tier.need_mbps for tier in profile.tiers}
        assert float(factor) == profile.probe_factor
