"""The overview's page, table, JSON and paper: the same month, words in the reader's language, nobody of few."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from reports.store.records import new_id
from reports.store.tables import feedback, participation
from tests.cast import make_cast, signed_in

NOW = datetime(2026, 12, 10, 9, 0, tzinfo=UTC)
ROW: Mapping[str, Any] = {
    "organisation_id": "sunnaas", "week": "2026-W46", "profile": "consultation", "solution": "teams",
    "client_class": "Chrome/Android/phone", "tested": "in_time", "first_verdict": "ready", "last_verdict": "ready",
    "cause": "", "solved_min": None, "unit": "", "room": "",
}  # fmt: skip


@pytest.fixture
async def overview(server, http):
    """Forty who tested for meetings in November, three of them with a rare program; sven of support is signed in."""
    await make_cast(server.store)
    server.services.now = lambda: NOW
    rows = [dict(ROW, id=new_id()) for _ in range(24)]
    rows += [dict(ROW, id=new_id(), first_verdict="not_ready", cause="network.path") for _ in range(13)]
    rows += [dict(ROW, id=new_id(), solution="=cmd()", week="2026-W47") for _ in range(3)]
    said = {"organisation_id": "sunnaas", "role": "patient", "profile": "consultation", "solution": "teams"}
    said |= {"verdict": "ready", "score": 5, "problem": "", "week": "2026-W46", "satisfied": 4}
    async with server.store._database.write() as connection:
        await connection.execute(sa.insert(participation), rows)
        await connection.execute(sa.insert(feedback), [dict(said, id=new_id()) for _ in range(12)])
    session, secret = await signed_in(server.store, "sunnaas", NOW, ("support",), name="sven")

    async def get(path: str, status: int = 200) -> tuple[str, bytes]:
        headers = {"Cookie": f"rd-{session}={secret}", "Accept": "text/html"}
        async with http.get(f"/overview/{session}{path}", headers=headers) as answer:
            assert answer.status == status, await answer.text()
            return answer.content_type, await answer.read()

    return get


async def test_the_month_is_told_with_denominators_and_intervals(overview):
    """Forty of forty in time, 27 of 40 ready at first, twelve of twelve right; three with a rare program not alone."""
    _, page = await overview("?lang=en")
    text = page.decode()
    for said in (
        "November 2026",
        "40 of 40",
        "27 of 40",
        "12 of 12",
        "between 52 and 80\u00a0%",
        "Tested before the meeting",
    ):
        assert said in text, said
    assert "=cmd()" not in text
    assert "Satisfied with meeting by video" in text
    assert "/figures?month=2026-11" in text
    assert "Month after" not in text
    assert text.count('<svg class="bar"') >= 3
    _, empty = await overview("?lang=en&month=2026-09")
    assert "too few meetings" in empty.decode()
    _, ahead = await overview("?lang=en&month=2026-12")
    assert "November 2026" in ahead.decode(), "a month that is not over is not told"


async def test_table_json_and_paper_say_the_same(overview):
    """No cell is a formula; the PDF is one of ours."""
    kind, table = await overview("/overview.csv")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"))))
    assert kind == "text/csv"
    assert {row["measure"]: row["people"] for row in rows if not row["by"] and row["percent"]} == {
        "in_time": "40", "first_try": "40", "right": "12", "satisfied": "12",
        "solved": "13",
    }  # fmt: skip
    assert all(int(row["people"]) >= 10 for row in rows)
    assert not [cell for row in rows for cell in row.values() if cell and cell[0] in "=+-@"]
    kind, told = await overview("/overview.json")
    assert kind == "application/json"
    assert b'"least": 10' in told
    kind, paper = await overview("/overview.pdf?lang=nb")
    assert (kind, paper[:5]) == ("application/pdf", b"%PDF-")


async def test_three_who_never_tested_are_a_range_without_numbers(overview, server):
    """On the page, in the table and on paper: neither 40 of 43, nor a table from which the three could be had."""
    rows = [dict(ROW, id=new_id(), tested="never", first_verdict=None, last_verdict=None) for _ in range(3)]
    async with server.store._database.write() as connection:
        await connection.execute(sa.insert(participation), rows)
    _, page = await overview("?lang=en")
    text = page.decode()
    assert "between 65 and 100\u00a0%" in text
    assert "27 of 40" in text
    for unsaid in ("of 43", ">43<", ">None", "None %"):
        assert unsaid not in text.partition("<h1>")[2], unsaid
    _, table = await overview("/overview.csv")
    found = [row for row in csv.DictReader(io.StringIO(table.decode("utf-8-sig"))) if row["measure"] == "in_time"]
    assert [(row["people"], row["counted"], row["percent"], row["low"], row["high"]) for row in found] == [
        ("", "", "", "65", "100")
    ]
    kind, paper = await overview("/overview.pdf?lang=nb")
    assert (kind, paper[:5]) == ("application/pdf", b"%PDF-")


async def test_units_and_rooms_that_lack_most_stand_first(overview, server):
    """By name, as typed; 24 units of ten are cut on screen and on paper, and whole in the table."""
    failed = {"first_verdict": "not_ready", "cause": "network.path"}
    rows = [dict(ROW, id=new_id(), unit=f"Unit {at % 24}", room="<b>Viken") for at in range(240)]
    rows += [dict(ROW, id=new_id(), unit="=HYPERLINK", room="Fjorden", **failed) for _ in range(20)]
    async with server.store._database.write() as connection:
        await connection.execute(sa.insert(participation), rows)
    _, page = await overview("?lang=en")
    text = page.decode()
    by_unit = text.partition("Ready at the first test: by unit")[2]
    assert by_unit.index("=HYPERLINK") < by_unit.index("Unit 1")
    assert "6 more: see the table (CSV)." in by_unit
    assert "&lt;b&gt;Viken" in text
    assert "No meeting room" in text
    _, table = await overview("/overview.csv")
    named = [row["group"] for row in csv.DictReader(io.StringIO(table.decode("utf-8-sig"))) if row["by"] == "unit"]
    assert {f"Unit {at}" for at in range(24)} < set(named)
    assert "'=HYPERLINK" in named
    kind, paper = await overview("/overview.pdf?lang=nn")
    assert (kind, paper[:5]) == ("application/pdf", b"%PDF-")
