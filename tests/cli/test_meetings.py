"""Planning from the command line: the whole life of a meeting, links of offices, imports, and one line for mistakes."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from readiness.cli import main
from readiness.media import chores
from readiness.media.limits import WorkerLimits
from readiness.media.pool import WorkerPool
from reports.store import Store
from reports.store.records import Organisation
from tests.meetings.bombs import BOMBS, DEAR

TOMORROW = (datetime.now(tz=ZoneInfo("Europe/Oslo")) + timedelta(days=1)).date().isoformat()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data folder with one organisation, to copy: migrating takes longest."""
    folder = tmp_path_factory.mktemp("made")
    options = ["--slug", "a", "--name", "A", "--support-phone", "112", "--data-dir", str(folder)]
    assert main(["organisation", *options]) == 0
    return folder


@pytest.fixture
def run(data, tmp_path, monkeypatch, capsys):
    """Run a command in this process; return its status, output and errors."""
    shutil.copytree(data, tmp_path / "data")
    monkeypatch.setenv("READINESS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("READINESS_PUBLIC_URL", "https://ready.example")

    def command(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def meetings(run, action: str, *arguments: str) -> tuple[int, str, str]:
    return run("meetings", action, "--organisation", "a", *arguments)


def test_the_life_of_a_meeting(run):
    """Made, listed, shown, invited to, moved and cancelled."""
    status, out, _ = run(
        "meeting", "--organisation", "a", "--starts", f"{TOMORROW}T10:00", "--title", "=Kontroll", "--people",
        "patient:Anna, interpreter: TK,", "--leader", "Lars", "--leader-mail", "lars@hospital.example",
    )  # fmt: skip
    assert status == 0
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert lines["Anna"].startswith("https://ready.example/o/a/t#")
    assert lines["leader"].startswith("https://ready.example/o/a/board#")
    status, out, _ = meetings(run, "list")
    meeting, shown = out.split("  ", 1)
    assert shown.strip() == f"{TOMORROW} 10:00  planned  2 not_tested  =Kontroll"
    assert f"{meeting},{TOMORROW} 10:00,planned,2 not_tested,'=Kontroll" in meetings(run, "list", "--csv")[1]
    found = json.loads(meetings(run, "show", meeting)[1])
    assert [one["label"] for one in found["participants"]] == ["Anna", "TK"]
    assert found["hosts"][0]["mail"] == "lars@hospital.example"
    anna, lars = found["participants"][0]["id"], found["hosts"][0]["id"]
    status, out, _ = meetings(run, "invite", meeting, "--channel", "letter", "--people", anna)
    assert (status, out.split()[:3]) == (0, [anna, "ready", lines["Anna"].strip()])
    assert meetings(run, "invite", meeting, "--people", lars)[:2] == (0, f"{lars}  waiting\n")
    status, out, _ = meetings(run, "invite", meeting, "--channel", "mail", "--people", anna)
    assert (status, out) == (1, f"{anna}  no_mail\n")
    assert meetings(run, "move", meeting, "--starts", f"{TOMORROW}T12:30", "--minutes", "20")[0] == 0
    assert json.loads(meetings(run, "show", meeting)[1])["local_start"] == f"{TOMORROW}T12:30"
    assert meetings(run, "cancel", meeting)[:2] == (0, f"cancelled {meeting}\n")
    status, out, err = meetings(run, "move", meeting, "--starts", f"{TOMORROW}T14:00")
    assert (status, out, err) == (2, "", "readiness: The meeting was cancelled. Make a new one instead.\n")


def test_a_file_is_imported(run, tmp_path):
    """Bad rows are told one a line, and nothing is made unless told to skip them."""
    file = tmp_path / "meetings.csv"
    rows = ["starts;role;label;mail", f"{TOMORROW} 10:00;patient;A;a@b.example", f"{TOMORROW} 11:00;patient;B;b@"]
    file.write_text("\n".join(rows), encoding="utf-8")
    status, out, err = meetings(run, "import", str(file))
    assert (status, out) == (1, "made 0, changed 0, bad rows 1\n")
    assert err == "row 3: mail: The mail address is wrong. Write one address, such as anna@post.example.\n"
    assert meetings(run, "list")[1] == ""
    assert meetings(run, "import", str(file), "--skip-bad", "--invite")[:2] == (1, "made 1, changed 0, bad rows 1\n")
    assert len(meetings(run, "list")[1].splitlines()) == 1
    status, _, err = meetings(run, "import", str(tmp_path / "none.csv"))
    assert (status, "none.csv" in err) == (2, True)


def test_a_file_that_costs_too_much_is_ended_and_named(run, tmp_path, monkeypatch):
    """F2: a file is read within the limits of a server; one line says which it was, and the next is imported."""
    monkeypatch.setattr(chores, "CHORE_LIMITS", WorkerLimits(cpu_s=1, memory_mb=256, wall_s=60))
    monkeypatch.setattr(chores, "WAIT_S", 120.0)
    file = tmp_path / "dear.ics"
    told = {
        DEAR: (2, "", f"readiness: {file}: The file takes too long to read. Split it into more, and try again.\n"),
        BOMBS["6,000 daily rules of a zone"]: (1, "made 0, changed 0, bad rows 1\n", "row 1: DTSTART: X: "),
        f"starts;role;label\n{TOMORROW} 10:00;patient;A\n": (0, "made 1, changed 0, bad rows 0\n", ""),
    }
    began_s = time.process_time()
    for text, (status, out, err) in told.items():
        file.write_text(text, encoding="utf-8")
        done = meetings(run, "import", str(file))
        assert done[:2] == (status, out)
        assert done[2].startswith(err)
    assert time.process_time() - began_s < 4, "what a file costs is paid in the confined process"


def test_a_file_can_not_be_read_outside_the_limits(run, tmp_path, monkeypatch):
    """Where no confined process can be started the file is not read at all, and the line says so."""

    async def start(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(WorkerPool, "_spawn_chore", start)
    file = tmp_path / "meetings.csv"
    file.write_text(f"starts;role;label\n{TOMORROW} 10:00;patient;A\n", encoding="utf-8")
    status, out, err = meetings(run, "import", str(file))
    assert (status, out) == (2, "")
    assert err.endswith(f"readiness: {file}: can't be read just now, the machine is too busy; try again\n")


def test_links_of_offices(run):
    """Printed once, closed all at a time."""
    for command, page in (("organiser-link", "/o/a/plan#"), ("support-link", "/o/a/support#"), ("api-token", "")):
        status, out, _ = run(command, "--organisation", "a")
        assert status == 0
        assert page in out
        assert run(command, "--organisation", "a", "--revoke")[1] == "closed 1\n"
        status, _, err = run(command, "--organisation", "a", "--days", "0")
        assert (status, "--days" in err) == (2, True)


def test_no_links_are_made_where_they_are_off(run):
    """One line says that their people sign in; tokens of programs and links of another kind are made all the same."""
    links = (("support-link",), ("organiser-link",), ("rooms", "link"))
    others = (("api-token",), ("rooms", "token"))
    house = ("organisation", "--slug", "a", "--name", "A", "--support-phone", "112", "--links-off")
    assert run(*house, "support,organiser,room_manager")[0] == 0
    for command in links:
        status, out, err = run(*command, "--organisation", "a")
        assert (status, out, err.count("\n"), "sign in" in err) == (2, "", 1, True), command
    assert [run(*command, "--organisation", "a")[0] for command in others] == [0, 0]
    assert run(*house, "support")[0] == 0
    assert [run(*command, "--organisation", "a")[0] for command in links] == [2, 0, 0]


def test_an_organisations_own_texts(run, tmp_path):
    """Given by language; kept when the organisation is stated again without them; a bad option is one line."""
    text = tmp_path / "checklist.md"
    text.write_text("# Hos oss\n", encoding="utf-8")
    base = ("organisation", "--slug", "a", "--name", "A", "--support-phone", "112")
    assert run(*base, "--checklist", f"nb={text}")[0] == 0
    assert run(*base, "--emergency", f"en={text}")[0] == 0

    async def stored() -> object:
        store = await Store.open(f"sqlite:///{tmp_path / 'data' / 'readiness.sqlite3'}")
        found = await store.organisation("a")
        await store.close()
        return found.texts

    assert asyncio.run(stored()) == {"checklist": {"nb": "# Hos oss\n"}, "emergency": {"en": "# Hos oss\n"}}
    for option in (str(text), f"sv={text}", f"nb={tmp_path / 'none.md'}"):
        status, _, err = run(*base, "--checklist", option)
        assert (status, err.count("\n"), "--checklist" in err) == (2, 1, True)


def test_what_an_administrator_changes_meanwhile_is_not_taken_back(run, tmp_path, monkeypatch):
    """A command changes what it names and nothing else; of the same setting it says that somebody was faster."""

    async def then_changed(self: Store, slug: str) -> Organisation | None:
        found = await read(self, slug)
        await self.ensure_organisation(replace(found, support_phone="99 88 77 66"))
        return found

    read = Store.organisation
    with monkeypatch.context() as patched:
        patched.setattr(Store, "organisation", then_changed)
        assert run("organisation", "--slug", "a", "--support-hours", "man-fre 08-15")[0] == 0
    with closing(sqlite3.connect(tmp_path / "data" / "readiness.sqlite3")) as database, database:
        told = database.execute("SELECT support_phone, support_hours FROM organisation").fetchall()
        database.execute("UPDATE organisation SET support_phone = '112'")
    assert told == [("99 88 77 66", "man-fre 08-15")]
    with monkeypatch.context() as patched:
        patched.setattr(Store, "organisation", then_changed)
        status, out, err = run("organisation", "--slug", "a", "--support-phone", "113")
    assert (status, out, err.count("\n"), "--support-phone: somebody changed" in err) == (2, "", 1, True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--starts", "tomorrow"], "--starts"),
        (["--starts", "2020-01-01T10:00"], "time has passed"),
        (["--starts", f"{TOMORROW}T10:00", "--minutes", "0"], "minutes"),
        (["--starts", f"{TOMORROW}T10:00", "--people", "king:A"], "--people"),
        (["--starts", f"{TOMORROW}T10:00", "--profile", "opera"], "--profile"),
        (["--starts", f"{TOMORROW}T10:00", "--solution", "skype"], "solution"),
        (["--starts", f"{TOMORROW}T10:00", "--leader-mail", "lars"], "hosts.0.mail"),
    ],
)
def test_a_mistake_is_one_line(run, arguments, named):
    """It names what is wrong, and nothing is made."""
    status, out, err = run("meeting", "--organisation", "a", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert named in err
    assert meetings(run, "list")[1] == ""


def test_help_names_every_command(capsys):
    """`readiness meetings --help` and the top's."""
    expected = {"--help": ["meetings", "organiser-link", "api-token"], "meetings --help": ["import", "move"]}
    for arguments, words in expected.items():
        with pytest.raises(SystemExit):
            main(arguments.split())
        shown = capsys.readouterr().out
        assert all(word in shown for word in words)


@pytest.mark.parametrize(
    ("name", "out", "warns"),
    [("Sámi klinihkka", "in SMS it is written 'Sami klinihkka'", False), ("Клиника", "", True), ("Åse", "", False)],
)
def test_what_an_sms_makes_of_a_name_is_told(run, name, out, warns):
    """At once, not when a patient gets it."""
    status, said, wrong = run("organisation", "--slug", "a", "--name", name, "--support-phone", "112")
    assert (status, "--name" in wrong, bool(wrong)) == (0, warns, warns)
    assert out in said
