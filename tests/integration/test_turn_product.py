"""The whole test through a real TURN server (coturn, time-limited credentials), as behind a firewall that stops UDP."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.chromium import chromium
from tests.integration.support import candidates, certificate, free_port, free_udp_range, host_address, program, serving
from tests.integration.walking import assert_network_measured, assert_words_shown, report_of, walk
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SECRET = "shared-between-coturn-and-readiness"
RELAY_ONLY = """
const Own = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Own {
  constructor(config = {}) { super({ ...config, iceTransportPolicy: "relay" }); }
};
"""


@contextlib.contextmanager
def coturn(folder: Path, peer: str, *, tls: bool = False) -> Iterator[tuple[int, int]]:
    """A coturn on loopback that relays to `peer` and to nothing else; yields its ports without and with TLS."""
    port, tls_port = free_port(), free_port()
    secure = ["--no-tls", "--no-dtls"]
    if tls:
        cert, key = certificate(folder)
        secure = [f"--tls-listening-port={tls_port}", f"--cert={cert}", f"--pkey={key}", "--no-dtls"]
    low, high = free_udp_range(16)
    log = folder / "coturn.log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [
                program("turnserver"), "-n", "--listening-ip=127.0.0.1", f"--listening-port={port}",
                f"--relay-ip={peer}", f"--min-port={low}", f"--max-port={high}", "--use-auth-secret",
                f"--static-auth-secret={SECRET}", "--realm=readiness.test", *secure, "--no-cli",
                "--no-tcp-relay", "--no-multicast-peers", "--denied-peer-ip=0.0.0.0-255.255.255.255",
                f"--allowed-peer-ip={peer}", f"--pidfile={folder}/turn.pid", f"--userdb={folder}/turn.db",
                "--log-file=stdout", "--simple-log",
            ],
            stdout=output, stderr=output, cwd=folder,
        ) as process,
    ):  # fmt: skip
        try:
            _await_answer(port, log)
            yield port, tls_port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _await_answer(port: int, log: Path) -> None:
    for _ in range(int(10 * PATIENCE_S)):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"coturn does not answer: {log.read_text()}")


async def test_the_whole_test_works_through_a_relay(tmp_path):
    """With relayed candidates only, the test completes and the report says so.

    By TCP, the harder way; that UDP is open too stands in the rows below.
    """
    peer = host_address()
    with coturn(tmp_path, peer) as (port, _):
        settings = {
            "MEDIA_ADDRESSES": peer,
            "TURN_URLS": f"turn:127.0.0.1:{port}?transport=tcp",
            "TURN_SECRET": SECRET,
        }
        with serving(tmp_path, "--demo", **settings) as server:
            async with chromium(init_script=RELAY_ONLY) as page:
                await page.goto(server.links["selftest_url"])
                entered = await walk(page)
                report = await report_of(page)
                await assert_words_shown(page)
            assert SECRET not in server.log
    values = assert_network_measured(report, path="relay-tcp")
    print(f"relay: answer after {entered['answer']:.1f} s; {values}")
    (plan,) = page.said("plan")
    (offered,) = plan["ice_servers"]
    assert offered["username"].partition(":")[0].isdigit(), "time-limited: the name begins with when it ends"
    assert 0 < int(offered["username"].partition(":")[0]) - time.time() <= 600
    assert SECRET not in str(page.messages)


async def test_every_way_has_its_own_row_and_media_goes_where_it_is_told(tmp_path):
    """Direct media beside three relays: UDP and TLS are open, TCP goes to a port where nobody answers.

    READINESS_MEDIA_ADDRESSES and READINESS_MEDIA_PORTS: the answer names nothing else, and the test works there.
    """
    peer, (low, high) = host_address(), free_udp_range(8)
    with coturn(tmp_path, peer, tls=True) as (port, tls_port):
        settings = {
            "MEDIA_ADDRESSES": peer,
            "MEDIA_PORTS": f"{low}-{high}",
            "TURN_URLS": f"turn:127.0.0.1:{port},turn:127.0.0.1:{free_port()}?transport=tcp,"
            f"turns:127.0.0.1:{tls_port}?transport=tcp",
            "TURN_SECRET": SECRET,
        }
        with serving(tmp_path, "--demo", **settings) as server:
            async with chromium(arguments=["--ignore-certificate-errors"]) as page:
                await page.goto(server.links["selftest_url"])
                await walk(page)
                report = await report_of(page)
    assert_network_measured(report, path="udp")
    found = [candidate for message in page.said("answer") for candidate in candidates(message["sdp"])]
    assert found
    assert {host for host, _ in found} == {peer}
    assert all(low <= udp <= high for _, udp in found), found
    rows = {one["id"]: one for one in report["checks"] if one["id"].startswith("network.path_")}
    assert {name.removeprefix("network.path_"): one["value"] for name, one in rows.items()} == {
        "direct": "open", "relay_udp": "open", "relay_tcp": "blocked", "relay_tls": "open",
    }  # fmt: skip
    assert rows["network.path_relay_udp"]["details"]["setup_ms"] > 0
    assert "network.way_closed" not in report["advice"], "for IT, not for the person"
