"""The whole test in Firefox ESR, on loopback and on the address that others use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.firefox import firefox
from tests.integration.support import ServerProcess, host_address, serving
from tests.integration.walking import assert_network_measured, assert_words_shown, blemishes, checks, report_of, walk

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server on all addresses."""
    with serving(tmp_path_factory.mktemp("firefox"), "--demo", HOST="0.0.0.0") as running:
        yield running


@pytest.mark.parametrize("name", ["127.0.0.1", "host"])
async def test_the_whole_test_runs_in_firefox(server, tmp_path, name):
    """From the link to an answer in words; the network is measured with values under both names."""
    host = host_address() if name == "host" else name
    async with firefox(tmp_path / "profile", treat_as_secure=[host]) as page:
        await page.goto(server.at(host))
        entered = await walk(page)
        report = await report_of(page)
        await assert_words_shown(page)
    values = assert_network_measured(report)
    found = checks(report)
    print(f"firefox on {name}: answer after {entered['answer']:.1f} s; {values}; {blemishes(report)}")
    assert found["camera.present"]["outcome"] == "pass", found["camera.present"]
    assert found["camera.people"]["value"] == 0, "a coloured pattern has no face"
    # Firefox has no sound output, and its audio never starts, where the machine has no sound device.
    heard = found["speaker.heard"]
    assert (heard["value"], heard["cause"]) in {("digits_right", None), (None, "not_played")}, heard
    assert found["microphone.present"]["outcome"] == "pass", found["microphone.present"]
    assert report["client"]["browser"].startswith("Firefox")
