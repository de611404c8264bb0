"""The shared helper: looks again for everybody, hurts nobody, and a missing answer is None, never a wait."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from readiness.media import heavy as heavy_module
from readiness.media.heavy import Heavy
from readiness.media.heavy_worker import OPS
from readiness.server.admission import Lines
from readiness.server.live_test import LiveTest
from readiness.server.steps.running import Setup
from reports.kinds import SELF_TEST
from reports.profile import load_profile
from tests.media.support import pool_of, process_exists, until
from tests.probes.test_camera import a_face, a_still


def jpeg_of(rgb) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()


@pytest.fixture(scope="module")
def portrait() -> bytes:
    """A still with one face, the astronaut's."""
    return jpeg_of(skimage.data.astronaut())


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """On a busy machine a job may take long: what a test does not time has all the time."""
    monkeypatch.setattr(heavy_module, "WAIT_S", 60.0)
    monkeypatch.setattr(heavy_module, "JOB_TIMEOUT_S", 60.0)


async def test_the_helper_looks_again_and_outlives_hostile_pictures(monkeypatch, portrait):
    """Started by the first job, the same process afterwards; what is no still is None; it cannot write a byte."""
    async with pool_of(1, warm=1) as pool:
        assert pool.heavy.pid is None
        (face,) = await pool.heavy.ask("faces", portrait)
        assert face["height_pct"] == pytest.approx(100 * 113 / 512, abs=3)
        assert set(face) == set(a_face().to_json())
        pid = pool.heavy.pid
        hostile = [b"", b"\xff\xd8\xff\xd9", portrait[:-200], portrait[:3000] + portrait[-3000:], os.urandom(60_000)]
        damaged = bytearray(portrait)
        damaged[700:720] = b"\xff" * 20
        answers = [await pool.heavy.ask("faces", data) for data in (*hostile, bytes(damaged))]
        assert answers[:3] == [None, None, None]
        assert await pool.heavy.ask("no such job", b"") is None
        assert len(await pool.heavy.ask("faces", portrait)) == 1
        assert pool.heavy.pid == pid
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "Max file size             0 " in limits
        monkeypatch.setattr(heavy_module, "IDLE_S", 0.05)
        await pool.heavy.ask("faces", b"")
        await until(lambda: not process_exists(pid))
        assert pool.heavy.pid is None


@pytest.mark.parametrize("harm", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_helper_that_dies_or_hangs_is_replaced(monkeypatch, harm, portrait):
    """The job it owed is None in time, nobody waits for it, and the next one starts a fresh process."""
    monkeypatch.setattr(heavy_module, "RETRY_S", 1000.0)
    async with pool_of(1, warm=1) as pool:
        assert await pool.heavy.ask("faces", portrait)
        pid = pool.heavy.pid
        monkeypatch.setattr(heavy_module, "JOB_TIMEOUT_S", 1.0)
        os.kill(pid, signal.SIGSTOP)  # so that the job is under way when the harm comes
        asking = asyncio.create_task(pool.heavy.ask("faces", portrait))
        await asyncio.sleep(0.1)
        os.kill(pid, harm)
        assert await asking is None
        assert await pool.heavy.ask("faces", portrait) is None, "it rests before it is started again"
        monkeypatch.setattr(heavy_module, "JOB_TIMEOUT_S", 60.0)
        pool.heavy._not_before_s = 0.0
        assert await pool.heavy.ask("faces", portrait)
        assert pool.heavy.pid != pid
        fresh = pool.heavy.pid
    await until(lambda: not process_exists(pid) and not process_exists(fresh))


async def test_the_queue_is_bounded_and_waiting_ends(monkeypatch, portrait):
    """Beyond the bound the answer is None at once; whoever stops waiting does not break another's job."""
    monkeypatch.setattr(heavy_module, "MAX_WAITING", 2)
    async with pool_of(1, warm=1) as pool:
        assert await pool.heavy.ask("faces", portrait)
        pid = pool.heavy.pid
        jobs = [asyncio.create_task(pool.heavy.ask("faces", portrait)) for _ in range(6)]
        await asyncio.sleep(0)
        jobs[0].cancel()
        answers = await asyncio.gather(*jobs, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert [bool(answer) for answer in answers[1:]] == [True, True, False, False, False]
        assert pool.heavy.pid == pid
        assert "faces" in OPS


async def test_a_helper_that_cannot_start_is_no_second_look(portrait):
    """None, and for a while nobody tries again."""
    tries = 0

    async def start():
        nonlocal tries
        tries += 1
        raise OSError

    heavy = Heavy(start)
    assert [await heavy.ask("faces", portrait) for _ in range(3)] == [None, None, None]
    assert tries == 1
    await heavy.close()
    assert await heavy.ask("faces", portrait) is None


class _Worker:
    """Says the stills it was given."""

    end_cause = "worker_died"

    def __init__(self, stills) -> None:
        self._stills = stills

    async def messages(self):
        for still, jpeg in self._stills:
            yield {"op": "still", "numbers": still.to_json()}, jpeg
            await asyncio.sleep(0.05)
        await asyncio.sleep(10)


class _Heavy:
    """Sees two faces, once it is let."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, of: str, payload: bytes):
        assert (of, payload) == ("faces", b"jpeg")
        self.asked += 1
        await asyncio.sleep(0.01)
        return [a_face().to_json(), a_face().to_json()] if self.asked != 2 else None


async def test_what_the_second_look_saw_joins_the_still_in_its_order():
    """Stills keep their order; without an answer the first look stands; the finding rests on both."""
    heavy, sent = _Heavy(), []

    async def send(message) -> None:
        sent.append(message)

    seen = [(a_still(500 * n, faces=[a_face()]), b"jpeg" if n != 3 else b"") for n in range(6)]
    setup = Setup(
        kind=SELF_TEST, profile=load_profile("consultation"), expected_people=2, worker=_Worker(seen), send=send,
        send_bytes=send, keep=send, keep_phone=send, digits=[], lines=Lines(1), heavy=heavy,
    )  # fmt: skip
    run = LiveTest(setup, {})
    stills = run._steps["picture"].stills
    following = asyncio.create_task(run.follow_worker())
    await until(lambda: len(stills) == 6)
    following.cancel()
    await run.close()
    assert [still.t_ms for still in stills] == [0, 500, 1000, 1500, 2000, 2500]
    assert [len(still.faces) for still in stills] == [2, 1, 2, 1, 2, 2]
    assert np.all([message["type"] == "hint" for message in sent])
