"""Imports: what a file says is what is made, a bad row is named, and nothing is changed then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.errors import InputError
from readiness.meetings.addresses import open_reach
from readiness.meetings.planner import Planner
from readiness.meetings.reading import MOST_MEETINGS, read_file
from readiness.meetings.tables import COLUMNS, guarded
from readiness.meetings.wanted import Bad
from readiness.meetings.wishes import Change
from tests.actors import otto
from tests.cast import SUNNAAS
from tests.meetings.files import CALENDAR, CSV
from tests.meetings.scene import import_file, planning

NOW = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)
SPAN = (NOW, datetime(2028, 1, 1, tzinfo=UTC))


@pytest.fixture
async def planner(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Planner]:
    """What plans for Sunnaas in January 2027."""
    async with planning(migrated_file, tmp_path, NOW) as made:
        yield made


async def titles(planner: Planner) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """Every meeting as start, title, participants and leaders."""
    lines = await planner.store.meetings(planner.actor, starts=SPAN, now=NOW)
    return [(one.meeting.starts_at.isoformat(), one.meeting.title, one.labels, one.leaders) for one in lines]


EXPECTED = [
    ("2027-03-29T08:00:00+00:00", "Kontroll", ("A. H.", "Tolk; polsk"), ("Lars",)),
    ("2027-03-30T07:15:00+00:00", "Gruppe", ("Rom 12",), ("Lars",)),
    ("2027-04-01T06:00:00+00:00", "", ("P. P.",), ()),
]


@pytest.mark.parametrize("spelling", ["plain", "bom", "comma", "crlf", "tab"])
async def test_a_spreadsheet_as_it_is_saved(planner, spelling):
    """Semicolons, commas or tabs, with a byte order mark or Windows' line ends: the same meetings, in local time."""
    text = {"comma": CSV.replace(";", ",").replace("Tolk, polsk", "Tolk; polsk"), "crlf": CSV.replace("\n", "\r\n")}
    text |= {"tab": CSV.replace(";", "\t").replace("Tolk\t polsk", "Tolk; polsk"), "bom": "\ufeff" + CSV}
    done = await import_file(planner, text.get(spelling, CSV).encode())
    assert (len(done.made), done.changed, done.bad) == (3, [], [])
    assert await titles(planner) == EXPECTED
    first = (await planner.store.meetings(planner.actor, starts=SPAN, now=NOW))[0].meeting
    anna, tolk = await planner.store.participants(planner.actor, first.id)
    assert open_reach(planner.contacts, anna.reach).mail == "anna@post.example"
    assert (open_reach(planner.contacts, tolk.reach).phone, tolk.locale) == ("+4791111111", "en")
    assert await planner.store.outgoing_of(planner.actor, first.id) == []


async def test_the_same_file_again_changes_and_does_not_add(planner):
    """Moved, renamed and joined by somebody: the meeting is the same; nobody is taken out."""
    await import_file(planner, CSV.encode())
    assert (await import_file(planner, CSV.encode())).changed == []
    before = await planner.store.meetings(planner.actor, starts=SPAN, now=NOW)
    again = CSV.replace("2027-03-29 10:00", "2027-03-29 12:00").replace("A. H.", "Anna")
    again = again.replace("A2;30.03", "A1;;;;;;relative;Per;;;;\nA2;30.03")
    done = await import_file(planner, again.encode())
    assert (done.made, done.changed, done.bad) == ([], [before[0].meeting.id], [])
    found = await titles(planner)
    assert found[0] == ("2027-03-29T10:00:00+00:00", "Kontroll", ("Anna", "Tolk; polsk", "Per"), ("Lars",))
    assert found[1:] == EXPECTED[1:]


async def test_everybody_is_invited_if_asked(planner):
    """By mail, else SMS; whoever has neither is left to be handed a letter."""
    done = await import_file(planner, CSV.encode(), invite=True)
    sent = [one for meeting in done.made for one in await planner.store.outgoing_of(planner.actor, meeting)]
    assert sorted((one.kind, one.channel) for one in sent) == [
        ("invitation", "mail"), ("invitation", "sms"), ("invitation", "sms"), ("leader_link", "mail"),
        ("leader_link", "mail"),
    ]  # fmt: skip


BAD_ROWS = [
    ("A1;;;;;;interpreter", "A1;;;;;;king", Bad(3, "person.role", "role")),
    ("+47 911 11 111", "911", Bad(3, "person.phone", "phone")),
    ("anna@post.example", "anna@post", Bad(2, "person.mail", "mail")),
    ("lars@hospital.example;patient", "lars@;patient", Bad(2, "person.mail", "leader_mail")),
    (";en;", ";pl;", Bad(3, "person.language", "language")),
    ("2027-03-29 10:00", "tomorrow", Bad(2, "meeting.time_form", "starts")),
    ("2027-03-29 10:00", "2027-03-28 02:30", Bad(2, "meeting.no_such_time", "starts")),
    ("2027-03-29 10:00", "2020-03-29 10:00", Bad(2, "meeting.past", "starts")),
    (";30;Kontroll", ";many;Kontroll", Bad(2, "import.number", "minutes")),
    (";30;Kontroll", ";0;Kontroll", Bad(2, "meeting.length", "minutes")),
    (";;4\n", ";;999\n", Bad(4, "person.together", "together")),
    ("A1;;;", "A1;;;Annet", Bad(3, "import.differs", "title")),
    (";90000000;\n", ";90000000;;more\n", Bad(5, "import.cells")),
    ("A. H.", "x" * 61, Bad(2, "text.too_long", "label")),
]


@pytest.mark.parametrize(("old", "new", "bad"), BAD_ROWS)
async def test_a_bad_row_is_named_and_nothing_is_changed(planner, old, new, bad):
    """Row, reason and column; told to skip, the whole meeting of that row is left out and the others made."""
    assert old in CSV
    raw = CSV.replace(old, new, 1).encode()
    done = await import_file(planner, raw)
    assert (done.made, done.changed, done.bad) == ([], [], [bad])
    assert await titles(planner) == []
    skipped = await import_file(planner, raw, skip_bad=True)
    assert (len(skipped.made), skipped.bad) == (2, [bad])
    left_out = {2: 0, 3: 0, 4: 1, 5: 2}[bad.row]
    assert await titles(planner) == [one for number, one in enumerate(EXPECTED) if number != left_out]


async def test_a_bad_row_changes_nothing_that_was_imported_before(planner):
    """One row moves a meeting, another is bad: nothing is moved and nobody is told."""
    await import_file(planner, CSV.encode(), invite=True)
    before = await titles(planner)
    raw = CSV.replace("2027-03-29 10:00", "2027-03-29 12:00").replace("90000000", "9").encode()
    done = await import_file(planner, raw)
    assert (done.made, done.changed) == ([], [])
    assert Bad(5, "person.phone", "phone") in done.bad
    assert await titles(planner) == before


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "import.empty"),
        (b"\n\n", "import.empty"),
        (b"starts;role\n", "import.empty"),
        ("starts;role\n2027-03-29 10:00;Åse".encode("mac_roman"), "import.encoding"),
        (b"starts;role\n\0", "import.damaged"),
        (b'starts;role\n"2027', "import.unreadable"),
        (b"BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "import.empty"),
        (b"PK\x03\x04\xff\xfe", "import.workbook"),
        (
            b"starts;role\n" + b"".join(b"2027-03-29 10:00;patient\n" for _ in range(MOST_MEETINGS + 1)),
            "import.too_large",
        ),
    ],
)
def test_what_is_no_such_file_is_refused_as_a_whole(raw, code):
    """Empty, of a Mac of old, broken, an Excel file, too many."""
    with pytest.raises(InputError) as caught:
        read_file(raw)
    assert caught.value.code == code


def test_a_heading_that_is_not_known_is_named():
    """Misspelt, missing or doubled columns: nothing else of the file is looked at."""
    wanted, bad = read_file(b"starts;role;maill;starts\n2027-03-29 10:00;patient;x;y")
    assert (wanted, bad) == ([], [Bad(1, "import.column", "maill"), Bad(1, "import.column_twice", "starts")])
    assert read_file(b"begin;role\nx;y")[1] == [
        Bad(1, "import.column", "begin"),
        Bad(1, "import.column_missing", "starts"),
    ]


async def test_a_calendar(planner):
    """Zones, the night the clocks change, lengths, people by what they are, and the meeting's link."""
    done = await import_file(planner, CALENDAR.encode())
    assert (len(done.made), done.bad) == (2, [])
    assert await titles(planner) == [
        ("2027-03-28T00:30:00+00:00", "Kontroll", ("A. H.", "Kari", "Rom 12"), ("Lars L.",)),
        ("2027-04-01T08:00:00+00:00", "Samtale", (), ()),
    ]
    first, second = [await planner.meeting(one) for one in done.made]
    assert (first.ends_at - first.starts_at).total_seconds() == 3600, "an hour was jumped over"
    assert (second.ends_at - second.starts_at).total_seconds() == 20 * 60
    assert planner.contacts.open(first.join_link) == "https://whereby.com/rom-12"
    roles = [one.role for one in await planner.store.participants(planner.actor, first.id)]
    assert roles == ["patient", "staff", "meeting_room"]
    again = CALENDAR.replace("20270401T080000Z", "20270402T080000Z")
    moved = await import_file(planner, again.encode())
    assert (moved.made, moved.changed) == ([], [second.id])
    gone = again.replace("SUMMARY:Samtale", "STATUS:CANCELLED\nSUMMARY:Samtale")
    assert (await import_file(planner, gone.encode())).changed == [second.id]
    assert (await planner.meeting(second.id)).state == "cancelled"
    assert (await import_file(planner, gone.encode())).changed == []
    back = await import_file(planner, again.encode())
    assert (back.changed, back.bad) == ([], [Bad(2, "meeting.cancelled")])


@pytest.mark.parametrize(
    ("old", "new", "bad"),
    [
        ("DURATION", "RRULE:FREQ=DAILY\nDURATION", Bad(2, "import.repeats", "RRULE")),
        ("DTSTART:20270401T080000Z", "DTSTART;VALUE=DATE:20270401", Bad(2, "import.all_day", "DTSTART", "20270401")),
        ("UID:two@hospital.example\n", "", Bad(2, "import.no_id", "UID")),
        ("ATTENDEE:mailto:per@post.example\n", "", Bad(2, "meeting.nobody", "ATTENDEE")),
        ("mailto:per@post.example", "mailto:per", Bad(2, "person.mail", "ATTENDEE", "per")),
    ],
)
async def test_a_bad_event_is_named(planner, old, new, bad):
    """By its number among the file's events."""
    assert old in CALENDAR
    done = await import_file(planner, CALENDAR.replace(old, new).encode())
    assert (done.made, done.bad) == ([], [bad])
    assert await titles(planner) == []


def test_a_marked_number_is_read_back():
    """A spreadsheet that was exported by us is imported as it was."""
    raw = f"starts;role;phone\n2027-03-29 10:00;patient;{guarded('+4790000000')}"
    (wanted,), bad = read_file(raw.encode())
    assert (wanted.plan.people[0].phone, bad) == ("+4790000000", [])
    assert set(COLUMNS) >= {"starts", "role", "phone"}


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(str.encode),
        st.text(alphabet="starole;,\n\"'0123456789-: ", max_size=200).map(
            lambda text: b"starts;role\n" + text.encode()
        ),
        st.text(alphabet="BEGINVCALDRT:;=\n0123456789TZ", max_size=200).map(
            lambda text: CALENDAR.replace("SUMMARY:Samtale", text).encode()
        ),
    )
)
def test_any_bytes_are_read_or_refused(raw):
    """Nothing but an InputError comes of a file, whatever is in it."""
    try:
        wanted, bad = read_file(raw)
    except InputError as error:
        assert error.code.startswith("import.")
    else:
        assert wanted or bad


async def test_two_organisations_may_import_the_same_file(planner):
    """Keys are an organisation's own."""
    await import_file(planner, CSV.encode())
    ahus = await planner.store.ensure_organisation(replace(SUNNAAS, id="ahus", slug="ahus"))
    with pytest.raises(ValueError, match="of another organisation"):
        replace(planner, organisation=ahus)
    elsewhere = replace(planner, organisation=ahus, actor=otto("ahus"))
    assert len((await import_file(elsewhere, CSV.encode())).made) == 3


def saved(name: str) -> bytes:
    """A table of ``tests/data/csv``."""
    return (Path(__file__).resolve().parent.parent / "data" / "csv" / f"{name}.csv").read_bytes()


async def invitations(planner: Planner, made: list[str]) -> int:
    return len([sent for one in made for sent in await planner.store.outgoing_of(planner.actor, one)])


@pytest.mark.parametrize("invite", [False, True])
async def test_a_row_without_an_identifier_that_was_moved_is_told(planner, invite):
    """Coffey-Labs/ihasmail#222: it can't be followed, so it is made and noted; nobody is invited to both."""
    first = await import_file(planner, saved("no_id_moved_1"), invite=invite)
    second = await import_file(planner, saved("no_id_moved_2"), invite=invite)
    assert (len(first.made), first.notes, len(second.made)) == (1, [], 1)
    assert second.notes == [Bad(2, "import.moved_not_invited" if invite else "import.moved")]
    assert (await invitations(planner, first.made), await invitations(planner, second.made)) == (int(invite), 0)
    again = await import_file(planner, saved("no_id_moved_2"), invite=invite)
    assert (again.made, again.changed, again.notes) == ([], [], [])


@pytest.mark.parametrize(
    "second",
    [
        "starts;role;label;phone\n2027-03-02 10:00;patient;P. P.;90000000\n2027-03-09 10:00;patient;P. P.;90000000\n",
        "starts;role;label;phone\n2027-03-09 10:00;patient;P. P.;90000001\n",
        "meeting;starts;role;label;phone\nA7;2027-03-09 10:00;patient;P. P.;90000000\n",
        "starts;role\n2027-03-09 10:00;patient\n",
    ],
)
async def test_what_is_no_move_is_not_called_one(planner, second):
    """The old row stands in the file too, it is somebody else, it has an identifier, or nobody is named."""
    await import_file(planner, saved("no_id_moved_1"))
    await import_file(planner, b"starts;role\n2027-03-03 10:00;patient\n")
    assert (await import_file(planner, second.encode())).notes == []


async def test_two_with_one_number_stay_who_they_are(planner):
    """A child and its mother, in another order: the same two, each with the link that was theirs."""
    done = await import_file(planner, saved("same_phone_two"))
    before = {one.label: (one.id, one.role) for one in await planner.store.participants(planner.actor, done.made[0])}
    again = await import_file(planner, saved("same_phone_two_swapped"))
    after = {one.label: (one.id, one.role) for one in await planner.store.participants(planner.actor, done.made[0])}
    assert (again.made, again.changed, again.bad, after) == ([], [], [], before)
    assert set(before) == {"Barn", "Mor"}


async def test_a_file_changes_only_what_it_names(planner):
    """baserow/baserow#3746, Budibase/budibase#12001: title, solution, link and phone set on the page stay."""
    rows = "meeting;starts;role;label\nA1;2027-03-02 10:00;patient;P. P.\n"
    (made,) = (await import_file(planner, rows.encode())).made
    await planner.change(made, Change(title="Kontroll", solution="teams", support_phone="66 96 90 00", minutes=20))
    (person,) = await planner.store.participants(planner.actor, made)
    await planner.change_person(made, person.id, {"phone": "900 00 000", "role": "relative"})
    empty = "meeting;starts;minutes;title;role;label;phone\nA1;2027-03-02 12:00;;;relative;P. P.;\n"
    done = await import_file(planner, empty.encode())
    found = await planner.meeting(made)
    (person,) = await planner.store.participants(planner.actor, made)
    assert (done.changed, done.bad) == ([made], [])
    assert (found.title, found.solution, found.support_phone) == ("Kontroll", "teams", "66 96 90 00")
    assert found.starts_at.hour == 11
    assert (found.ends_at - found.starts_at).total_seconds() == 20 * 60
    assert (open_reach(planner.contacts, person.reach).phone, person.role) == ("+4790000000", "relative")


async def test_the_unit_may_be_given(planner):
    """Under our own heading or a Norwegian one; changed by a second import, kept where a file does not name it."""
    rows = "meeting;starts;{head};role;label\nA1;2027-03-02 10:00;{unit};patient;P. P.\n"
    (made,) = (await import_file(planner, rows.format(head="Enhet", unit="Nevrologi").encode())).made
    assert (await planner.meeting(made)).unit == "Nevrologi"
    done = await import_file(planner, rows.format(head="unit", unit="Slag").encode())
    assert (done.changed, (await planner.meeting(made)).unit) == ([made], "Slag")
    await import_file(planner, rows.format(head="title", unit="Kontroll").encode())
    assert (await planner.meeting(made)).unit == "Slag"
    long = await import_file(planner, rows.format(head="avdeling", unit="x" * 61).encode())
    assert long.bad == [Bad(2, "text.too_long", "unit")]


async def test_a_row_without_an_identifier_keeps_its_meeting_though_a_column_came(planner):
    """The key of such a row is its content, as it was before tables had units."""
    head, cells = "starts;role;label", "2027-03-02 10:00;patient;P. P."
    before = "\x1f".join(("", "2027-03-02 10:00", *[""] * 9, "patient", "P. P.", *[""] * 4))
    (wanted,), _ = read_file(f"{head}\n{cells}\n".encode())
    assert wanted.key == f"csv-row:{before}\x1f1"
    (empty,), _ = read_file(f"{head};unit\n{cells};\n".encode())
    (other,), _ = read_file(f"{head};unit\n{cells};Slag\n".encode())
    assert (empty.key == wanted.key, other.key == wanted.key) == (True, False)


async def test_the_solution_is_told_by_the_link(planner):
    """derekantrican/GAS-ICS-Sync#447."""
    (made,) = (await import_file(planner, saved("solution_from_link"))).made
    assert (await planner.meeting(made)).solution == "whereby"
