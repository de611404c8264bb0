"""The queue with real pages: everybody gets in, one after the other, and nobody is left with "just a moment"."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import Person
from tests.integration.support import free_port
from tests.store.conftest import PostgresServer

QUEUED = "() => document.querySelector('[data-step=waiting]:not([hidden]) #waiting-leave') !== null"
PLACE = "place => document.querySelector('#waiting-text').textContent.includes(` ${place} `)"
INSIDE = ("picture", "sound", "speaker")
"""Who has a place is in one of these; a good picture goes on to the sound by itself while others are still coming."""
IN_TURN_S = 300.0
"""Longest wait for a place behind three others who take the whole test, s."""


@pytest.fixture
def narrow_server(tmp_path: Path) -> Iterator[LiveServer]:
    """A server with one place."""
    server = LiveServer(tmp_path / "narrow", settings={"READINESS_CAPACITY": "1"})
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def two_processes(tmp_path: Path) -> Iterator[LiveServer]:
    """Two web processes with one place each, on a PostgreSQL of their own."""
    postgres = PostgresServer()
    settings = {
        "READINESS_CAPACITY": "2",
        "READINESS_WORKERS": "2",
        "READINESS_DATABASE_URL": postgres.create(),
    }
    server = LiveServer(tmp_path / "two", port=free_port(), settings=settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        postgres.close()


async def quick(person: Person) -> dict:
    """Take the test without waiting for picture or sound to please anybody."""
    await person.wait_step(*INSIDE, timeout_s=IN_TURN_S)
    return await person.finish(look=False, hear="no-sound")


async def queued(person: Person) -> str:
    """Wait until the page says that it is in the queue; returns what it says."""
    await person.until("#waiting-title", "waiting.queued_title")
    await person.wait_until(QUEUED)
    return await person.reads("#waiting-text")


@pytest.mark.pair
async def test_four_pages_at_one_place_get_in_one_after_the_other(narrow_server: LiveServer, chromium: Launch):
    """Each sees its place and how long it takes, moves up, and gets in by turns; who leaves makes room.

    The first and the last come to their answers; between them somebody gets in and thinks better of it.
    """
    browser = await chromium()
    people = [await Person.at(browser, narrow_server.drop_in) for _ in range(5)]
    for number, person in enumerate(people):
        await person.start()
        if number == 0:
            await person.wait_step(*INSIDE)
            continue
        words = await queued(person)
        assert f" {number} " in words, words
        assert await person.page.is_visible("#waiting-leave")
    gone = people.pop(2)
    await gone.press("leave")
    assert await gone.wait_step("welcome") == "welcome"
    await people[2].wait_until(PLACE, 2)
    await people[3].wait_until(PLACE, 3)
    order: list[int] = []

    async def takes_turn(number: int) -> dict | None:
        person = people[number]
        await person.wait_step(*INSIDE, timeout_s=IN_TURN_S)
        order.append(number)
        if number in {1, 2}:
            return await person.page.close()
        return await quick(person)

    first, *_, last = await asyncio.gather(*(takes_turn(number) for number in range(4)))
    assert order == [0, 1, 2, 3], "first come, first served"
    assert first["cause"] is last["cause"] is None
    for person in (people[0], people[3], gone):
        assert not await person.complaints()
    await gone.start()
    await gone.wait_step("picture")


@pytest.mark.pair
async def test_a_server_that_restarts_takes_the_queue_in_again(narrow_server: LiveServer, chromium: Launch):
    """The page says that the line is lost and that the place is a new one; then it gets in by itself."""
    browser = await chromium()
    first = await Person.at(browser, narrow_server.links["selftest_url"])
    await first.start()
    await first.wait_step("picture")
    second = await Person.at(browser, narrow_server.drop_in)
    await second.start()
    await queued(second)
    narrow_server.kill()
    await second.until("#waiting-text", "waiting.lost_place", "waiting.longer")
    await first.until("#waiting-text", "waiting.lost", "waiting.longer")
    narrow_server.start()

    async def leaves() -> None:
        await first.wait_step(*INSIDE, timeout_s=IN_TURN_S)
        await first.page.close()

    _, report = await asyncio.gather(leaves(), quick(second))
    assert report["cause"] is None


@pytest.mark.slow
@pytest.mark.pair
async def test_four_pages_at_two_processes_all_get_in(two_processes: LiveServer, chromium: Launch):
    """However the connections are dealt out, each waits at its own process and gets in there; the last two finish."""
    browser = await chromium()
    people = [await Person.at(browser, two_processes.drop_in) for _ in range(4)]
    for person in people:
        await person.start()
    inside: list[Person] = []

    async def takes_turn(person: Person) -> dict | None:
        await person.wait_step(*INSIDE, timeout_s=IN_TURN_S)
        inside.append(person)
        if len(inside) <= 2:
            return await person.page.close()
        return await quick(person)

    reports = [report for report in await asyncio.gather(*map(takes_turn, people)) if report is not None]
    assert all(report["cause"] is None for report in reports)
    assert len({report["id"] for report in reports}) == 2
