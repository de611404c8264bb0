"""TRN-1: coturn, set up as `operations.md` says, relays to this server and to nothing else, and not too much of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aioice import stun
from aioice.turn import TurnClientUdpProtocol

from readiness.server.turn import ice_servers
from readiness.settings import load_settings
from tests.integration.support import ROOT, free_port, free_udp_range, host_address, program
from tests.patience import PATIENCE_S

SECRET = "shared-between-coturn-and-readiness"
QUOTA = 4
"""Allocations of one user that the example allows."""
NEWER = {"unauthorized-ratelimit"}
"""Lines of the example that an older coturn (Debian 12: 4.6) does not know; it warns and goes on."""
ELSEWHERE = (
    "127.0.0.1", "127.0.0.2", "0.0.0.0", "0.1.2.3", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1",
    "100.64.0.1", "198.18.0.1", "192.0.2.1", "224.0.0.251", "239.255.255.250", "255.255.255.255", "8.8.8.8",
    "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "fc00::1", "fe80::1", "ff02::1", "2001:db8::1",
)  # fmt: skip
"""This machine by each of its spellings, the cloud's own service, a house's networks, groups, and the world."""


def example(peer: str) -> list[str]:
    """The lines of the example in operations.md, for this secret and this server."""
    text = (ROOT / "readiness" / "docs" / "operations.md").read_text(encoding="utf-8")
    block = next(block for block in text.split("```")[1::2] if "use-auth-secret" in block)
    lines = block.replace("<READINESS_TURN_SECRET>", SECRET).replace("<address of this server>", peer)
    return [line for line in lines.strip().splitlines() if line not in NEWER]


@contextlib.contextmanager
def coturn(folder: Path, peer: str) -> Iterator[int]:
    """A coturn by the example's file; yields its port on loopback."""
    port, (low, high) = free_port(), free_udp_range(16)
    here = [
        "listening-ip=127.0.0.1",
        f"listening-port={port}",
        f"relay-ip={peer}",
        f"min-port={low}",
        f"max-port={high}",
    ]
    here += ["no-tls", "no-dtls", "no-cli", f"pidfile={folder}/turn.pid", f"userdb={folder}/turn.db"]
    file = folder / "turnserver.conf"
    file.write_text("\n".join([*example(peer), *here, "log-file=stdout"]) + "\n")
    command = [program("turnserver"), "-c", str(file)]
    with (
        (folder / "coturn.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process,
    ):
        try:
            for _ in range(int(10 * PATIENCE_S)):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def credentials(port: int, user: str) -> tuple[str, str]:
    """What the product gives a test of this user."""
    settings = load_settings({"READINESS_TURN_URLS": f"turn:127.0.0.1:{port}", "READINESS_TURN_SECRET": SECRET})
    (server,) = ice_servers(settings, user, datetime.now(tz=UTC))
    return server["username"], server["credential"]


@contextlib.asynccontextmanager
async def allocated(port: int, username: str, password: str) -> AsyncIterator[TurnClientUdpProtocol]:
    """A client with an allocation. Raises stun.TransactionFailed where it gets none."""
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(
        lambda: TurnClientUdpProtocol(("127.0.0.1", port), username, password, 600, 500),
        remote_addr=("127.0.0.1", port),
    )
    try:
        await client.connect()
        yield client
        await client.delete()
    finally:
        transport.close()


async def refusals(client: TurnClientUdpProtocol, number: int, peer: str) -> list[int]:
    """The error codes of a permission and of a channel to `peer`; empty where it is relayed to."""
    codes = []
    for method in (stun.Method.CREATE_PERMISSION, stun.Method.CHANNEL_BIND):
        request = stun.Message(message_method=method, message_class=stun.Class.REQUEST)
        if method is stun.Method.CHANNEL_BIND:
            request.attributes["CHANNEL-NUMBER"] = 0x4000 + number
        request.attributes["XOR-PEER-ADDRESS"] = (peer, 50_000)
        try:
            await client.request_with_retry(request)
        except stun.TransactionFailed as error:
            codes.append(int(error.response.error_code or 0))
    return codes


async def test_TRN_1_nothing_but_this_server_is_relayed_to_and_quotas_hold(tmp_path):
    """Every other peer is refused by permission and by channel; of 50 allocations a user gets four."""
    peer = host_address()
    with coturn(tmp_path, peer) as port:
        username, password = credentials(port, "anna")
        async with allocated(port, username, password) as client:
            assert await refusals(client, 0, peer) == [], "our own address, so that the rest means something"
            said = {
                one: await refusals(client, 1 + number, one) for number, one in enumerate(ELSEWHERE) if peer not in one
            }
        assert {one: codes for one, codes in said.items() if set(codes) - {403, 443} or len(codes) != 2} == {}
        async with contextlib.AsyncExitStack() as held:
            username, password = credentials(port, "per")
            got = 0
            for _ in range(50):
                with contextlib.suppress(stun.TransactionFailed):
                    await held.enter_async_context(allocated(port, username, password))
                    got += 1
            assert got == QUOTA
            await held.enter_async_context(allocated(port, *credentials(port, "kari")))
        with pytest.raises(stun.TransactionFailed):
            async with allocated(port, username, "wrong"):
                pass


def test_TRN_1_the_example_bounds_what_one_user_and_all_may_have():
    """Everything that coturn leaves open until it is set."""
    names = {line.partition("=")[0] for line in example("192.0.2.1")} | NEWER
    assert names >= {"use-auth-secret", "denied-peer-ip", "allowed-peer-ip", "no-multicast-peers", "no-tcp-relay",
                     "user-quota", "total-quota", "max-bps", "unauthorized-ratelimit"}  # fmt: skip
