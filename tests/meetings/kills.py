"""Send many invitations through a real server that is killed at random moments, and count what arrives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from readiness.access.contacts import contact_box
from readiness.meetings.addresses import Reach, seal_reach
from readiness.settings import load_settings
from reports.store import Store
from reports.store.records import Participant, new_id
from tests.actors import CLOCK, otto
from tests.cast import SUNNAAS
from tests.meetings.receivers import Mailbox, mailbox
from tests.meetings.scene import Services, make_scene

ROOT = Path(__file__).resolve().parent.parent.parent
SERVER = """
import readiness.meetings.outbox as outbox
outbox.CLAIM_S, outbox.HELD_S, outbox.POLL_S = 3.0, 2.0, 1.0
from readiness.cli import main
main()
"""
"""The whole server; a claim lasts three seconds instead of ninety, so that nobody waits for the dead."""


@dataclass(frozen=True)
class Arrived:
    """What came of `wanted` invitations."""

    wanted: int
    kills: int
    people: int
    mails: int
    duplicates: int
    states: dict[str, int]
    took_s: float


async def send_through_kills(folder: Path, *, count: int, kills: int, seed: int, longest_s: float) -> Arrived:
    """Queue `count` invitations, kill the server `kills` times while they go out, and wait until all are settled."""
    chance = random.Random(seed)
    async with mailbox() as post:
        variables = {
            "READINESS_DATA_DIR": str(folder),
            "READINESS_PORT": "0",
            "READINESS_CAPACITY": "1",
            "READINESS_SMTP_URL": post.url,
            "READINESS_MAIL_FROM": "video@hospital.example",
            "READINESS_PUBLIC_URL": "https://ready.hospital.example",
        }
        settings = load_settings(variables)
        store = await Store.open(settings.database, migrate=True)
        try:
            meeting_id = await _queue(store, Services(settings, store, contact_box(settings)), count)
            return await _run(store, post, variables, meeting_id, chance, count, kills, longest_s)
        finally:
            await store.close()


async def _queue(store: Store, services: Services, count: int) -> str:
    services.clock = starts = datetime.now(tz=UTC).replace(microsecond=0)
    scene = await make_scene(
        services, starts_at=starts + timedelta(days=5), ends_at=starts + timedelta(days=5, hours=1), reminders=()
    )
    people = []
    for number in range(count):
        reach = seal_reach(services.contacts, Reach(mail=f"person{number}@post.example"))
        person = Participant(new_id(), scene.meeting.id, "relative", f"P{number}", "nb", number + 2, reach=reach)
        people.append(await store.add_participant(otto(SUNNAAS.id), scene.meeting.id, person))
    await store.queue([scene.outgoing("invitation", "mail", person) for person in people])
    return scene.meeting.id


async def _run(
    store: Store,
    post: Mailbox,
    variables: dict[str, str],
    meeting_id: str,
    chance: random.Random,
    count: int,
    kills: int,
    longest_s: float,
) -> Arrived:
    began = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("READINESS_")} | variables
    moments = sorted(chance.sample(range(count // 20, count - count // 10), kills))
    killed, states = 0, Counter[str]()
    while time.monotonic() - began < longest_s:
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SERVER,
            "serve",
            cwd=ROOT,
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while time.monotonic() - began < longest_s:
                if server.returncode is not None:
                    raise RuntimeError("the server ended by itself")
                if killed < kills and len(post.mails) >= moments[killed]:
                    await asyncio.sleep(chance.uniform(0.0, 0.5))  # anywhere among the next messages
                    killed += 1
                    break
                await asyncio.sleep(0.01)
                if len(post.mails) < count:
                    continue
                states = Counter(one.state for one in await store.outgoing_of(CLOCK, meeting_id))
                if states.keys() <= {"sent"}:
                    break
                await asyncio.sleep(0.2)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            await server.wait()
        if states.keys() <= {"sent"} and states:
            break
    names = Counter(mail["Message-ID"] for mail in post.mails)
    people = {mail["To"] for mail in post.mails}
    return Arrived(
        wanted=count,
        kills=killed,
        people=len(people),
        mails=len(post.mails),
        duplicates=len(post.mails) - len(names),
        states=dict(states),
        took_s=time.monotonic() - began,
    )
