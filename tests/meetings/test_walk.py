"""How straight the way is from an organiser's POST to the mail: who follows it need not come back to what they left."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from readiness.access.links import organiser_link
from readiness.media.pool import WorkerPool
from readiness.meetings.outbox import OutboxRunner
from reports.store import Store
from tests.cast import SUNNAAS
from tests.meetings.receivers import mailbox
from tests.meetings.scene import make_scene, make_services, runner_of
from tests.walk import followed, returns

MOST_RETURNS = 4
ANNA = {"role": "patient", "mail": "anna@post.example", "channel": "mail"}
LARS = {"role": "leader", "mail": "lars@hospital.example", "channel": "mail"}


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes requests; it sends nothing and starts no media worker."""

    async def wait(_runner: OutboxRunner) -> None:
        await asyncio.Event().wait()

    async def nothing(*_anything: object) -> None:
        return None

    monkeypatch.setattr(OutboxRunner, "run", wait)
    monkeypatch.setattr(OutboxRunner, "stop", nothing)
    monkeypatch.setattr(WorkerPool, "start", nothing)


async def test_from_the_post_to_the_queue(nothing_runs, server, http):
    """A patient and a leader are invited by mail; followed until the transaction that stores it all."""
    organisation = await server.store.ensure_organisation(SUNNAAS)
    link = await organiser_link(server.store, organisation, server.base, datetime.now(tz=UTC))
    wish = {"organisation": organisation.slug, "token": link.partition("#")[2]}
    async with http.post("/api/v1/links/redeem", json=wish) as answer:
        headers = {"Readiness-Session": (await answer.json())["session"]}
    day = (datetime.now(tz=UTC) + timedelta(days=2)).date()
    body = {"local_start": f"{day.isoformat()}T10:00", "participants": [ANNA], "hosts": [LARS]}
    for _ in range(2):  # what is read once is read by then
        with followed() as walk:
            async with http.post("/api/v1/meetings", json=body, headers=headers) as answer:
                assert answer.status == 201
    stays = walk.stays(start="make_meeting", until="add_meetings")
    assert {"readiness/meetings/planner", "readiness/meetings/inviting"} <= {stay[0] for stay in stays}
    assert returns(stays) <= MOST_RETURNS, "\n".join(map(str, stays))


@pytest.mark.parametrize("kind", ["invitation", "leader_link"])
async def test_from_the_queue_to_the_mail(kind: str, migrated_file: Path, tmp_path: Path):
    """Followed from the claimed message until it is settled; a leader's tells of the calendar too."""
    shutil.copy(migrated_file, tmp_path / "r.db")
    store = await Store.open(f"sqlite:///{tmp_path / 'r.db'}")
    async with mailbox() as post:
        scene = await make_scene(make_services(store, smtp_url=post.url, mail_from="video@hospital.example"))
        runner = runner_of(scene.services)
        for _ in range(2):
            await store.queue([scene.outgoing(kind, "mail", scene.lars if kind == "leader_link" else scene.anna)])
            with followed() as walk:
                assert await runner.send_due() == 1
        assert len(post.mails) == 2
    await store.close()
    stays = walk.stays(start="_send", until="settle_outgoing")
    assert {"readiness/access/links", "readiness/meetings/mail"} <= {stay[0] for stay in stays}
    assert returns(stays) <= MOST_RETURNS, "\n".join(map(str, stays))
