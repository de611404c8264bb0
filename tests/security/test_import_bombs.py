"""A file that costs too much: an answer, no harm to the web process, and the next import works."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from readiness.access.links import api_token
from readiness.media import chores
from readiness.media.limits import WorkerLimits
from tests.cast import SUNNAAS
from tests.meetings.bombs import BOMBS, DEAR

PLACE = "/api/v1/meetings/import"
SMALL = WorkerLimits(cpu_s=1, memory_mb=256, wall_s=60)
"""A second of processor time instead of four."""


async def test_no_file_harms_the_web_process(server, http, monkeypatch):
    """F2: calendars of zones, a mail that is ended for its cost, then a good table: nothing of it in this process."""
    monkeypatch.setattr(chores, "CHORE_LIMITS", SMALL)
    monkeypatch.setattr(chores, "WAIT_S", 120.0)
    found = await server.store.ensure_organisation(SUNNAAS)
    token = await api_token(server.store, found, datetime.now(tz=UTC))
    headers = {"Authorization": f"Bearer {token}"}
    starts = (datetime.now(tz=UTC) + timedelta(days=3)).strftime("%Y-%m-%d 10:00")
    good = f"starts;role;label\n{starts};patient;A. H.\n"
    answers = []
    began_s = time.process_time()
    for text in (BOMBS["6,000 daily rules of a zone"], BOMBS["50 daily rules of a zone"], DEAR, good):
        async with http.post(PLACE, data=text.encode(), headers=headers) as answer:
            answers.append((answer.status, await answer.json()))
    used_s = time.process_time() - began_s
    zone = {"row": 1, "reason": "import.zone", "field": "DTSTART", "found": "X"}
    assert [told.get("bad") for _, told in answers[:2]] == [[zone], [zone]]
    assert (answers[2][0], answers[2][1]["error"]["code"]) == (400, "import.costly")
    assert (answers[3][0], len(answers[3][1]["made"])) == (200, 1)
    assert used_s < SMALL.cpu_s + 1
