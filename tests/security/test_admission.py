"""Who has no invitation never keeps those out who have one, neither from a worker nor from a measured line (RTC-3)."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

import aiohttp
import pytest

from readiness.media.pool import PoolFull
from readiness.server import admission as door
from readiness.server import socket as session_socket
from readiness.server.admission import Admission, Lines
from tests.actors import CLOCK
from tests.cast import make_cast
from tests.patience import PATIENCE_S
from tests.security.support import HELLO, ended, next_of, redeem, started


@dataclass(eq=False)
class Worker:
    """Stands for a media worker."""

    ended: bool = False


@dataclass(eq=False)
class Pool:
    """Hands out workers up to its capacity, after a moment as a real one does."""

    capacity: int
    workers: list[Worker] = field(default_factory=list)
    starting: int = 0

    @property
    def live(self) -> int:
        return sum(not worker.ended for worker in self.workers) + self.starting

    async def acquire(self, *, addresses) -> Worker:
        assert addresses == []
        if self.live >= self.capacity:
            raise PoolFull
        self.starting += 1
        await asyncio.sleep(0.001)
        self.starting -= 1
        self.workers.append(Worker())
        return self.workers[-1]


class Crowd:
    """People at the door of a pool, each with the places it was told."""

    def __init__(self, capacity: int, **options) -> None:
        self.pool = Pool(capacity)
        self.door = Admission(self.pool, **options)
        self.told: dict[asyncio.Task, list[int]] = {}

    def comes(self, guest: str | None = None) -> asyncio.Task:
        places: list[int] = []

        async def tell(place: int, _eta_s: float) -> None:
            places.append(place)

        task = asyncio.create_task(self.door.admit([], tell, guest=guest))
        self.told[task] = places
        return task

    async def settle(self) -> None:
        """Let all that follows happen. In many turns of the loop: on a busy machine one long sleep may be only one."""
        for _ in range(20):
            await asyncio.sleep(0.0025)

    async def leaves(self, task: asyncio.Task) -> None:
        task.result().ended = True
        await self.settle()

    async def close(self) -> None:
        for task in self.told:
            task.cancel()
        await asyncio.gather(*self.told, return_exceptions=True)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(door, "POLL_S", 0.005)
    monkeypatch.setattr(door, "TELL_S", 0.01)


@pytest.mark.parametrize(("capacity", "guests"), [(1, 1), (2, 1), (3, 2), (4, 3), (12, 9), (40, 30)])
async def test_RTC_3_the_uninvited_leave_a_share_to_the_invited(quick, capacity, guests):
    """However many come, from however many addresses, a share of the places stays free, and it is given at once."""
    crowd = Crowd(capacity)
    strangers = [crowd.comes(f"198.51.100.{number}") for number in range(60)]
    await crowd.settle()
    assert sum(task.done() for task in strangers) == guests
    invited = [crowd.comes() for _ in range(capacity - guests)]
    await crowd.settle()
    assert all(task.done() for task in invited)
    await crowd.close()


async def test_RTC_3_the_invited_go_before_all_the_uninvited(quick):
    """The next free place is an invited person's, who came last; guests' places in the queue say so."""
    crowd = Crowd(2)
    first, *others = [crowd.comes(f"2001:db8:{number}::/64") for number in range(5)]
    early = crowd.comes()
    await crowd.settle()
    assert first.done()
    assert early.done()
    late = [crowd.comes(), crowd.comes()]
    await crowd.settle()
    assert [crowd.told[task][-1] for task in late] == [1, 2]
    assert [crowd.told[task][-1] for task in others] == [3, 4, 5, 6]
    await crowd.leaves(first)
    assert late[0].done()
    await crowd.leaves(early)
    assert late[1].done()
    await crowd.leaves(late[0])
    assert [task.done() for task in others] == [True, False, False, False], "one kept for the invited, one is theirs"
    await crowd.close()


async def test_RTC_3_no_uninvited_test_begins_in_the_place_of_an_invited_speed_test(quick):
    """It takes the place of some self-tests: of the guests' ones, while the invited go in as before."""
    crowd = Crowd(4)
    places = 3
    crowd.door.spoken_for = lambda: places
    stranger = crowd.comes("192.0.2.1")
    invited = [crowd.comes() for _ in range(2)]
    await crowd.settle()
    assert [task.done() for task in (stranger, *invited)] == [False, True, True]
    places = 0
    await crowd.settle()
    assert stranger.done()
    await crowd.close()


async def test_RTC_3_one_prefix_has_three_tests_at_a_time(quick):
    """The fourth from there waits while others who came later go in; a test that ends makes room for it."""
    crowd = Crowd(12)
    greedy = [crowd.comes("192.0.2.1") for _ in range(6)]
    other = crowd.comes("192.0.2.2")
    await crowd.settle()
    assert [task.done() for task in greedy] == [True, True, True, False, False, False]
    assert other.done()
    await crowd.leaves(greedy[1])
    assert [task.done() for task in greedy] == [True, True, True, True, False, False]
    await crowd.close()


async def test_RTC_3_a_queue_full_of_strangers_takes_the_invited(quick):
    """One address has 25 places in the queue, all strangers together 100; the invited have a queue of their own."""
    crowd = Crowd(1)
    taken = crowd.comes("192.0.2.9")
    await crowd.settle()
    flood = [crowd.comes("192.0.2.1") for _ in range(40)]
    flood += [crowd.comes(f"192.0.3.{number}") for number in range(200)]
    await crowd.settle()
    refused = [task for task in flood if task.done() and isinstance(task.exception(), PoolFull)]
    assert len(refused) == 15 + 200 - 75
    invited = crowd.comes()
    await crowd.settle()
    assert crowd.told[invited][-1] == 1
    await crowd.leaves(taken)
    assert invited.done()
    await crowd.close()


async def test_LOD_1_ten_times_too_many_at_once_are_served_queued_or_told(quick):
    """Of 500 invited at 50 places fifty begin, two hundred know their place, and the others hear no at once."""
    crowd = Crowd(50)
    people = [crowd.comes() for _ in range(50)]
    await crowd.settle()
    people += [crowd.comes() for _ in range(450)]
    await crowd.settle()
    begun = [task for task in people if task.done() and not task.exception()]
    told_no = [task for task in people if task.done() and isinstance(task.exception(), PoolFull)]
    waiting = [task for task in people if not task.done()]
    assert (len(begun), len(waiting), len(told_no)) == (50, 200, 250)
    assert sorted(crowd.told[task][-1] for task in waiting) == list(range(1, 201))
    for task in begun:
        task.result().ended = True
    async with asyncio.timeout(PATIENCE_S):
        while sum(task.done() for task in waiting) < 50:
            await asyncio.sleep(0.01)
    assert [task.done() for task in waiting] == [True] * 50 + [False] * 150, "in the order they came"
    await crowd.close()


async def test_RTC_3_many_invited_at_once_start_side_by_side(quick, monkeypatch):
    """Nobody waits for another one's worker to start while there is room."""
    monkeypatch.setattr(door, "POLL_S", PATIENCE_S)
    crowd = Crowd(10)
    invited = [crowd.comes() for _ in range(10)]
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait(invited)
    await crowd.close()


async def test_RTC_3_lines_go_to_the_invited_first():
    """Uninvited tests hold all lines but the kept ones; a line that gets free is an invited one's."""
    lines = Lines(4)
    strangers = [asyncio.create_task(lines.acquire(invited=False)) for _ in range(6)]
    await asyncio.sleep(0)
    assert [task.done() for task in strangers] == [True] * 3 + [False] * 3
    first, second = (asyncio.create_task(lines.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    assert (first.done(), second.done()) == (True, False)
    lines.release(invited=False)
    await asyncio.sleep(0)
    assert second.done()
    assert not strangers[3].done()
    for kind in (True, True, False):
        lines.release(invited=kind)
    await asyncio.sleep(0)
    assert [task.done() for task in strangers[3:]] == [True, True, False]
    strangers[5].cancel()
    await asyncio.sleep(0)
    for _ in range(3):
        lines.release(invited=False)
    assert lines.free == 4


async def test_RTC_3_a_line_is_given_back_by_who_was_cancelled_on_getting_it():
    """A page that vanishes in the moment in which its turn comes keeps nothing."""
    lines = Lines(1)
    await lines.acquire()
    waiting = asyncio.create_task(lines.acquire())
    await asyncio.sleep(0)
    lines.release()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert lines.free == 1


async def drop_in(base: str) -> tuple[aiohttp.ClientSession, str]:
    client = aiohttp.ClientSession(base, cookie_jar=aiohttp.CookieJar(unsafe=True))
    async with client.post("/api/v1/organisations/sunnaas/try", json={}) as answer:
        return client, (await answer.json())["session"]


async def test_RTC_3_silent_strangers_do_not_keep_a_patient_waiting(server, http):
    """With every place that strangers may have taken, and more of them waiting, an invited person begins at once."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    async with contextlib.AsyncExitStack() as stack:
        strangers = [await drop_in(server.base) for _ in range(4)]
        for client, _ in strangers:
            await stack.enter_async_context(client)
        sockets = [await client.ws_connect("/api/v1/session") for client, _ in strangers]
        for socket, (_, own) in zip(sockets, strangers, strict=True):
            await socket.send_json({**HELLO, "session": own})
        door = server.services.admission
        async with asyncio.timeout(PATIENCE_S):
            while (door.pool.live, door.waiting) != (1, 3):
                await asyncio.sleep(0.02)
        socket, plan = await started(http, session)
        assert plan["test"]
        await socket.close()


def event(code: str) -> dict:
    return {"type": "samples", "phase": "finish", "kind": "event", "data": {"code": code}}


async def test_RTC_3_who_is_away_gives_the_worker_back_and_goes_on_with_the_same_test(server, http, monkeypatch):
    """An invited person who says nothing holds no worker, is not ended, and goes on where the test was (WCAG 2.2.1)."""
    monkeypatch.setattr(session_socket, "LOOK_S", 0.02)
    monkeypatch.setattr(session_socket, "IDLE_S", 0.1)
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    socket, plan = await started(http, session)
    pool = server.services.admission.pool
    async with asyncio.timeout(PATIENCE_S):
        while pool.live:
            await asyncio.sleep(0.02)
    assert not socket.closed
    assert (await server.store.self_test(plan["test"], session)).state == "running"
    monkeypatch.setattr(session_socket, "IDLE_S", 600.0)
    await socket.send_json(event("tab_hidden"))
    messages, _ = await ended(socket)
    assert messages == [], "the line ends without a word, as if it were lost: the page comes back by itself"
    again, resumed = await started(http, session, resume=plan["test"])
    assert resumed["test"] == plan["test"]
    assert pool.live == 1
    assert await server.store.report_for_session(CLOCK, session) is None
    await again.close()


@pytest.mark.parametrize("goodbye", ["bye", "close"])
async def test_RTC_3_who_leaves_after_a_rest_has_left(server, http, monkeypatch, goodbye):
    """A page that is closed while its worker was given back is kept as disconnected, as any other."""
    monkeypatch.setattr(session_socket, "LOOK_S", 0.02)
    monkeypatch.setattr(session_socket, "IDLE_S", 0.05)
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    socket, _ = await started(http, session)
    async with asyncio.timeout(PATIENCE_S):
        while server.services.admission.pool.live:
            await asyncio.sleep(0.02)
        await (socket.send_json({"type": "bye"}) if goodbye == "bye" else socket.close())
        while (report := await server.store.report_for_session(CLOCK, session)) is None:
            await asyncio.sleep(0.02)
    assert report.body["cause"] == "disconnected"
    await socket.close()


async def test_RTC_3_an_uninvited_test_without_a_step_is_ended_and_kept(server, http, monkeypatch):
    """Messages alone keep no worker: without a finished step the test ends, with its report; an invited one goes on."""
    monkeypatch.setattr(session_socket, "LOOK_S", 0.02)
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    invited, _ = await started(http, session)
    client, own = await drop_in(server.base)
    async with client:
        socket, _ = await started(client, own)
        monkeypatch.setattr(session_socket, "GUEST_STEP_S", 0.3)
        await socket.send_json(event("tab_hidden"))
        messages, _ = await ended(socket)
    assert [one["type"] for one in messages] == ["report", "bye"]
    assert messages[0]["report"]["cause"] == "interrupted"
    assert not invited.closed
    await invited.close()


async def test_RTC_3_a_line_without_a_connection_holds_no_place(server, http):
    """Asking over and over to be measured without any media takes no line from anybody."""
    await make_cast(server.store)
    client, own = await drop_in(server.base)
    lines = server.services.admission.lines
    async with client:
        socket, _ = await started(client, own)
        for _ in range(10):
            await socket.send_json({"type": "samples", "phase": "clock", "kind": "start", "data": {}})
        told = await next_of(socket, "phase")
        assert (told["phase"], told["state"]) == ("clock", "failed")
        assert lines.free == lines.places
