"""``readiness audit``, ``purge`` and ``subject-access``: what the commands say, and their exit status."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from readiness.meetings.manage import planning
from readiness.meetings.wishes import PersonPlan
from readiness.settings import load_settings


@pytest.fixture
def run(sunnaas):
    """Runs a command on an own database with a meeting in it, and returns status, output and error."""
    meeting = ("--starts", "2031-05-06T10:00", "--people", "patient:=Anna Nordmann", "--title", "Kontroll")
    assert sunnaas("meeting", "--organisation", "sunnaas", *meeting)[0] == 0
    assert sunnaas("support-link", "--organisation", "sunnaas")[0] == 0
    return sunnaas


def test_LOG_2_what_was_typed_on_the_server_is_shown_and_verified(run, tmp_path):
    """Who, what, through which command; whole, until somebody changes an entry: then status 1 and its number."""
    status, shown, _ = run("audit", "show", "--organisation", "sunnaas")
    assert status == 0
    assert "operator  operator  meeting.change  meeting:" in shown
    assert "link.make" in shown
    assert "readiness support-link" in shown
    assert "Anna" not in shown
    status, table, _ = run("audit", "export", "--organisation", "sunnaas", "--act", "meeting.change")
    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["kind"], row["outcome"], row["via"]) == ("operator", "done", "readiness meeting")
    rows = [json.loads(one) for one in run("audit", "export", "--organisation", "sunnaas", "--json")[1].splitlines()]
    assert rows[-1]["act"] == "audit.read"
    status, said, _ = run("audit", "verify")
    assert status == 0
    assert "whole; newest entry" in said
    assert (tmp_path / "audit.anchors").stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(tmp_path / "readiness.sqlite3")) as database:
        database.execute("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 2")
        database.commit()
    status, _, error = run("audit", "verify")
    assert status == 1
    assert "changed at entry 2 of segment 1" in error
    status, _, error = run("audit", "show", "--organisation", "sunnaas", "--from", "yesterday")
    assert (status, error) == (2, "readiness: --from: 'yesterday' is no day; write it as 2026-12-01\n")


def test_who_asks_in_writing_is_found_and_told(run):
    """By a part of the label; then everything as JSON, title and all, since somebody reads it before it goes out."""
    status, found, _ = run("subject-access", "--organisation", "sunnaas", "--find", "nordmann")
    assert status == 0
    person, starts, role, *label = found.split()
    entries = run("audit", "show", "--organisation", "sunnaas", "--about", f"participant:{person}")[1].splitlines()
    (entry,) = [one for one in entries if "readiness subject-access" in one]
    assert "meeting.find" in entry, "who found her is told to her"
    assert run("subject-access", "--organisation", "sunnaas", "--find", "olsen")[1] == ""
    assert (starts, role, label) == ("2031-05-06T08:00:00Z", "patient", ["=Anna", "Nordmann"])
    status, said, _ = run("subject-access", "--organisation", "sunnaas", "--person", person)
    told = json.loads(said)
    assert (told["participant"][0]["label"], told["meeting"][0]["title"]) == ("=Anna Nordmann", "Kontroll")
    assert told["taken_out"] == []
    assert run("subject-access", "--organisation", "sunnaas", "--person", "nobody")[0] == 2
    assert run("subject-access", "--organisation", "sunnaas")[0] == 2


def test_who_was_taken_out_and_is_not_told_yet_is_found_and_told(run, tmp_path):
    """By number: the name and address that are kept for telling them, also beside another meeting of theirs."""

    async def taken_out() -> str:
        settings = load_settings({"READINESS_DATA_DIR": str(tmp_path)})
        wish = PersonPlan("relative", "Kari", "nb", "+4790000009", "")
        async with planning(settings, "sunnaas", needs_url=False) as desk:
            people = await desk.store.people_of(desk.actor)
            added = [await desk.add_person(people[0][0].id, wish) for _ in range(2)]
            await desk.change_person(people[0][0].id, added[1].id, {"label": "Kari N."})
            await desk.told(people[0][0].id, added[0].id)
            await desk.remove_person(people[0][0].id, added[0].id)
            return added[1].id

    stays = asyncio.run(taken_out())
    status, found, _ = run("subject-access", "--organisation", "sunnaas", "--find", "+47 90 00 00 09")
    assert status == 0
    rows = {one.split()[0]: one for one in found.splitlines()}
    assert len(rows) == 2
    (gone,) = set(rows) - {stays}
    for person in (stays, gone):
        told = json.loads(run("subject-access", "--organisation", "sunnaas", "--person", person)[1])
        (row,) = told["taken_out"]
        assert (row["label"], row["reach"]["phone"], row["starts_at"]) == (
            "Kari",
            "+4790000009",
            "2031-05-06T08:00:00Z",
        )
    assert "participant" not in told, "of whoever is in no meeting any more there is nothing else"


def test_a_dry_run_says_what_is_due_and_changes_nothing(run, tmp_path):
    """Of a meeting three days ago: it says what a purge after it does, as often as it is asked."""
    past = f"{datetime.now(tz=UTC) - timedelta(days=3):%Y-%m-%d}"
    with closing(sqlite3.connect(tmp_path / "readiness.sqlite3")) as database, database:
        for moment in ("starts_at", "ends_at"):
            database.execute(f"UPDATE meeting SET {moment} = replace({moment}, '2031-05-06', ?)", (past,))
    tries = [run("purge", "--dry-run")[:2] for _ in range(2)]
    assert tries[0] == tries[1]
    status, said = tries[0]
    assert status == 0
    assert said.endswith("nothing was changed\n")
    assert said.splitlines()[:-1] == run("purge")[1].splitlines()
    assert run("purge", "--dry-run")[1] != said, "what was due is gone now"
