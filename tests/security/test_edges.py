"""Small holes: names that are not ours, protocols nobody asked for, methods nobody knows, checks without a password."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path

import aiohttp
import pytest
from aioice import stun

from readiness.media import aiortc_private, pool
from tests.cast import make_cast
from tests.security.support import raw, raw_get

HOSTS = {
    "ready.hospital.example": 200, "READY.hospital.example": 200, "ready.hospital.example:8443": 200,
    "127.0.0.1:8080": 200, "[::1]": 200, "localhost": 200, "localhost:99": 200, "evil.example": 421,
    "ready.hospital.example.evil.example": 421, "hospital.example": 421, "127.0.0.1.evil.example": 421,
}  # fmt: skip


@pytest.mark.parametrize(("host", "status"), HOSTS.items())
async def test_WEB_5_a_foreign_host_is_refused_where_ours_is_known(server, host, status):
    """Nobody's own name for this machine is answered as if it were ours; without a public URL all are.

    Except for what load balancers ask, which is nobody's secret (`test_proxies`).
    """
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert (await raw(server.base, request))[0] == 200
    server.services.settings = replace(server.services.settings, public_url="https://ready.hospital.example")
    found, headers, _ = await raw(server.base, request)
    assert found == status
    assert headers["server"] == "readiness"


async def test_LOG_1_a_protocol_that_nobody_asked_for_is_not_logged(server, http, caplog):
    """A socket with a sub-protocol is refused, and its text stands nowhere."""
    await make_cast(server.store)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect("/api/v1/session", protocols=("canary-01019012345",))
    assert refused.value.status == 400
    assert "canary" not in caplog.text


@pytest.mark.parametrize("method", ["BREW", "PROPFINDX", "get"])
async def test_WEB_6_unknown_methods_are_405(server, method):
    """And not 400, which would say that something else is wrong."""
    assert (await raw_get(server.base, "/", method=method))[0] == 405


async def test_WEB_6_too_large_a_head_is_told_to_a_person(server):
    """In all languages, for nothing is known of the browser but that it sent too much."""
    extra = "Cookie: " + "x" * 60_000 + "\r\n"
    status, headers, body = await raw_get(server.base, "/", extra=extra)
    assert status == 431
    assert headers["content-type"].startswith("text/html")
    assert [language in body for language in (b'lang="nb"', b'lang="nn"', b'lang="en"')] == [True] * 3


class Receiver:
    """Stands for the ICE connection: counts the checks that come through."""

    local_password = "p" * 22

    def __init__(self) -> None:
        self.checks = 0
        self._check_list: list = []

    def _valid_username(self, name: str) -> bool:
        return name == "a:b"

    def request_received(self, _message, _source, _protocol) -> None:
        self.checks += 1


def check(*, username: str | None, password: str | None, cookie: bytes | None = None) -> bytes:
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes["PRIORITY"] = 1
    if username:
        message.attributes["USERNAME"] = username
    if password:
        message.add_message_integrity(password.encode())
    data = bytes(message)
    return data if cookie is None else data[:4] + cookie + data[8:]


@pytest.mark.parametrize(
    ("data", "passes"),
    [
        (check(username="a:b", password="p" * 22), True),
        (check(username="a:b", password="q" * 22), False),
        (check(username=None, password="p" * 22), False),
        (check(username="a:b", password=None), False),
        (check(username=None, password=None), False),
        (check(username=None, password=None, cookie=b"\0\0\0\0"), False),
        (check(username="a:b", password="p" * 22)[:-1], False),
    ],
    ids=["right", "wrong password", "no name", "no proof", "bare", "bare, another cookie", "cut off"],
)
async def test_RTC_5_a_check_without_the_password_gets_no_answer(data, passes):
    """Not even an error: the server sends nothing to an address that has proved nothing."""
    receiver, meter = Receiver(), aiortc_private.Meter(10**9, lambda: None)
    protocol = aiortc_private.GuardedProtocol(receiver, meter)
    protocol.datagram_received(data, ("192.0.2.1", 1000))
    assert receiver.checks == int(passes)
    assert meter.strangers == int(not passes)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="states of processes are read there")
def test_RTC_4_a_stopped_fork_server_is_killed_and_a_running_one_is_not(monkeypatch):
    """Stopped, it would never start a worker again, and nobody could begin a test."""
    child = os.fork()
    if not child:
        while True:
            signal.pause()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(forkserver._forkserver, "_forkserver_pid", child)
            pool._replace_stopped_server()
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
            os.kill(child, signal.SIGSTOP)
            os.waitpid(child, os.WUNTRACED)
            pool._replace_stopped_server()
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        child = 0
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
