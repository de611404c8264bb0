"""The whole test in Chromium, under each name that a server on this host can be opened by."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from tests.integration.chromium import chromium
from tests.integration.participant import RECORDED_OFFER, participant
from tests.integration.support import ServerProcess, candidates, free_udp_range, host_address, serving
from tests.integration.walking import (
    assert_finished,
    assert_network_measured,
    assert_words_shown,
    blemishes,
    report_of,
    walk,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server on all addresses, IPv6 included."""
    with serving(tmp_path_factory.mktemp("addresses"), "--demo", HOST="0.0.0.0") as running:
        yield running


@pytest.mark.parametrize("name", ["localhost", "host"])
async def test_the_network_is_measured_under_every_name(server, name):
    """Localhost, and the address that others use: the media path is found without a setting.

    Under 127.0.0.1 every other test with a browser opens it; with addresses and ports set, `test_turn_product`.
    """
    host = host_address() if name == "host" else name
    insecure = [] if host == "localhost" else [f"http://{host}:{server.port}"]
    async with chromium(secure_origins=insecure) as page:
        await page.goto(server.at(host))
        entered = await walk(page)
        report = await report_of(page)
        values = assert_network_measured(report)
        await assert_words_shown(page)
    print(f"{name}: answer after {entered['answer']:.1f} s; {values}; {blemishes(report)}")
    assert_finished(report)
    assert not page.faults


async def test_behind_one_to_one_nat_the_answer_says_the_public_address(tmp_path):
    """public=local: the browser is told the first, the worker binds to the second."""
    low, high = free_udp_range(8)
    settings = {"MEDIA_ADDRESSES": "198.51.100.7=127.0.0.1", "MEDIA_PORTS": f"{low}-{high}"}
    with serving(tmp_path, "--demo", **settings) as running:
        async with participant(running.base) as anna:
            await anna.begin()
            ((host, port),) = set(candidates(await anna.offer(RECORDED_OFFER)))
            bound = {c.laddr.ip for c in psutil.net_connections(kind="udp") if c.laddr.port == port}
    assert host == "198.51.100.7"
    assert low <= port <= high
    assert bound == {"127.0.0.1"}
