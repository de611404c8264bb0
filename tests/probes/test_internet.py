"""Full speed with the real speedtest-cli package, against our own server; whatever goes wrong is a cause."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from probes.internet import Budget, internet_measurements
from probes.measurement import Measurement
from readiness.access.bandwidth import MOST_MBPS

# The package leaves some of its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
SHORT = Budget(seconds=1.0, bytes=8_000_000, answer_s=1.0)


def measured(url: str, budget: Budget = SHORT) -> Measurement:
    (found,) = internet_measurements(mini_url=url, budget=budget)
    assert found.check == "internet.speed"
    return found


async def test_our_own_server_is_measured(server):
    """Both directions and the ping, within the bytes, without asking anybody else."""
    found = await asyncio.to_thread(measured, f"{server.base}/mini/")
    assert found.cause is None
    down, up = found.metric("down_mbps"), found.metric("up_mbps")
    assert 5 < down < 2 * MOST_MBPS
    assert 5 < up < 2 * MOST_MBPS
    assert found.value == min(down, up)
    assert 0 < found.metric("ping_ms") < 500
    assert 0 < found.metric("down_bytes") <= SHORT.bytes
    assert 0 < found.metric("up_bytes") <= SHORT.bytes
    assert found.metric("is_public") is False


async def test_a_busy_server_is_not_a_slow_line(server):
    """503 is our fault, and said so."""
    pool = server.services.admission.pool
    pool._reserved = pool.capacity
    found = await asyncio.to_thread(measured, f"{server.base}/mini/")
    pool._reserved = 0
    assert (found.value, found.cause) == (None, "server_busy")


async def test_an_address_without_a_speed_test(server):
    """Something answers there, but it is no Speedtest Mini."""
    assert (await asyncio.to_thread(measured, f"{server.base}/nowhere/")).cause == "no_speedtest"
    assert (await asyncio.to_thread(measured, f"{server.base}/healthz")).cause == "no_speedtest"


def test_nobody_there():
    """A closed port and a name that is none are unreachable."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert measured(f"http://127.0.0.1:{port}/mini/").cause == "unreachable"
    assert measured("http://nobody.invalid/mini/").cause == "unreachable"
    assert measured("gopher://127.0.0.1/mini/").cause == "unreachable"


class Mute(BaseHTTPRequestHandler):
    """A Speedtest Mini that greets and then falls silent."""

    given_up = threading.Event()

    def do_GET(self) -> None:
        if "random" in self.path:
            self.given_up.wait()
            return
        body = b"test=test\n" if "latency" in self.path else b'upload_extension: "php"\n'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_server_that_falls_silent_ends_in_time():
    """No figure is made of nothing, and the time limit holds."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Mute) as there:
        thread = threading.Thread(target=there.serve_forever)
        thread.start()
        found = measured(f"http://127.0.0.1:{there.server_port}/mini/")
        Mute.given_up.set()  # only now: who waited for an answer would wait for ever
        there.shutdown()
        thread.join()
    assert (found.value, found.cause) == (None, "no_value")


def test_without_the_package_and_without_leave(monkeypatch):
    """A server's installation does not have it; and nobody's figures go to the public network unasked."""
    assert internet_measurements()[0].cause == "not_asked"
    monkeypatch.setitem(sys.modules, "speedtest", None)
    assert measured("http://127.0.0.1/mini/").cause == "not_installed"


@pytest.mark.parametrize("broken", [ValueError("x"), KeyError("x"), MemoryError()])
def test_whatever_the_package_stumbles_over(monkeypatch, broken):
    """An exception that nobody expected is a step that died."""

    def fail(*_: object, **__: object) -> None:
        raise broken

    monkeypatch.setattr("probes.internet._tester", fail)
    assert measured("http://127.0.0.1/mini/").cause == "step_died"
