# ruff: noqa: E501 - lines of files as they are
"""Calendars as the field writes them: each row is a thread of a system like ours and its right outcome."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from readiness.errors import InputError
from readiness.meetings.addresses import open_reach
from readiness.meetings.importing import Imported
from readiness.meetings.planner import Planner
from readiness.meetings.reading import read_file
from readiness.meetings.wanted import Bad
from readiness.meetings.wishes import Change
from reports.store.records import Meeting
from tests.meetings.scene import import_file, planning

FOLDER = Path(__file__).parent.parent / "data" / "ics"
NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
MARCH = "2027-03-02T09:00"
JULY = "2027-07-06T"
PROVE = ("patient", "P. Prove", "pas@post.example")


@pytest.fixture
async def planner(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Planner]:
    """What plans for Sunnaas in November 2026."""
    async with planning(migrated_file, tmp_path, NOW) as made:
        yield made


def raw_of(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


async def brought(planner: Planner, *names: str, **options: bool) -> Imported:
    """Import these files one after the other and return what came of the last."""
    done = Imported()
    for name in names:
        done = await import_file(planner, raw_of(name), **options)
    return done


async def people_of(planner: Planner, meeting_id: str) -> list[tuple[str, str, str]]:
    """Role, label and mail address of everybody who takes part."""
    found = await planner.store.participants(planner.actor, meeting_id)
    return [(one.role, one.label, open_reach(planner.contacts, one.reach).mail) for one in found]


async def meetings_of(planner: Planner) -> list[Meeting]:
    span = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC))
    return [one.meeting for one in await planner.store.meetings(planner.actor, starts=span, now=NOW)]


@dataclass(frozen=True)
class Taken:
    """What is made of a file: one meeting, unless `starts` names more."""

    thread: str
    file: str
    starts: tuple[str, ...] = (MARCH,)
    minutes: int = 30
    people: tuple[tuple[str, str, str], ...] = (PROVE,)
    title: str | None = None
    link: str | None = None
    solution: str | None = None
    notes: tuple[Bad, ...] = field(default=())


TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_ABC%40thread.v2/0?context=%7b%22Tid%22%3a%221%22%7d"
TAKEN = [
    # ---- zones
    Taken("home-assistant/core#179613", "tz_windows_no_vtimezone.ics", (JULY + "08:00",)),
    Taken("mangstadt/biweekly#115", "tz_windows_quoted.ics", (JULY + "08:00",)),
    Taken("iCalcreator/iCalcreator#102", "tz_central_europe.ics", (JULY + "08:00",)),
    Taken("iCalcreator/iCalcreator#102", "tz_us_eastern_no_vtimezone.ics", (JULY + "14:00",)),
    Taken("allenporter/ical#595", "tz_prefix_mozilla.ics", (JULY + "07:00",)),
    Taken("gelin/calendar-bot#42", "tz_customized_with_vtimezone_gmt.ics", (JULY + "09:00",)),
    Taken("derekantrican/GAS-ICS-Sync#254", "tz_gmt_standard_time_1_vtimezone.ics", (JULY + "09:00",)),
    Taken("allenporter/ical#468", "tz_owa_display_name.ics", (JULY + "08:00",)),
    Taken("allenporter/ical#468", "tz_owa_display_name_no_vtimezone.ics", (JULY + "07:00",)),
    Taken("fmeum/ics2gcal#2", "tz_xwr_floating.ics", (JULY + "09:00",)),
    Taken("add2cal/timezones-ical-library#75", "vtimezone_end_glued.ics", (JULY + "08:00",)),
    # ---- people
    Taken("tutao/tutanota#2962", "att_cn_comma_unquoted.ics", people=(("patient", "Prove, Pasient", PROVE[2]),)),
    Taken(
        "tutao/tutanota#2962",
        "att_cn_long.ics",
        people=(("patient", "Avdeling for svært lange navn Avdeling for svært lange navn", PROVE[2]),),
    ),
    Taken("alcionai/corso#5190", "att_x400.ics", people=(("patient", "Kollega", ""), PROVE)),
    Taken("tutao/tutanota#6195", "att_invalid_nomail.ics", people=(("patient", "Uten Adresse", ""), PROVE)),
    Taken("insanum/gcalcli#27", "att_urn_uuid.ics"),
    Taken("tutao/tutanota#6195", "att_nomail_no_organizer.ics", people=(("patient", "Tolk uten adresse", ""), PROVE)),
    Taken("tutao/tutanota#6195", "organizer_no_mail.ics", people=(("patient", "Tolk uten adresse", ""), PROVE)),
    Taken("tutao/tutanota#6195", "att_no_scheme.ics"),
    Taken("tutao/tutanota#2196", "att_declined.ics", notes=(Bad(1, "import.declined", "ATTENDEE", "Tolk T."),)),
    Taken(
        "open-horizon-labs/obsidian-ics#19",
        "att_non_participant_group.ics",
        notes=(Bad(1, "import.group", "ATTENDEE", "Postliste"),),
    ),
    Taken("insanum/gcalcli#27", "att_duplicate.ics"),
    Taken(
        "insanum/gcalcli#27", "att_mail_idn_domain.ics", people=(("patient", "B. B.", "post@xn--blfjell-fxa.example"),)
    ),
    Taken("insanum/gcalcli#27", "att_mail_percent.ics", people=(("patient", "P", "pas+test@post.example"),)),
    Taken("insanum/gcalcli#27", "att_mail_space.ics", people=(("patient", "P", PROVE[2]),)),
    Taken("insanum/gcalcli#27", "att_mail_angle.ics", people=(("patient", "P", PROVE[2]),)),
    Taken("insanum/gcalcli#27", "att_mail_quoted_cn_mail.ics", people=(("patient", "", PROVE[2]),)),
    Taken(
        "insanum/gcalcli#27",
        "att_google_resource.ics",
        people=(("meeting_room", "Rom 3", "c_188abc@resource.calendar.google.com"), PROVE),
    ),
    Taken("insanum/gcalcli#27", "no_organizer.ics"),
    Taken("insanum/gcalcli#27", "organizer_is_room.ics"),
    Taken("insanum/gcalcli#27", "att_self_only_organizer_listed_other_mail.ics"),
    # ---- times
    Taken("MaxFangX/calendar-analytics#3", "created_year_zero.ics"),
    Taken("eoleedi/TimeTree-Exporter#110", "bad_exdate.ics"),
    Taken("eoleedi/TimeTree-Exporter#110", "bad_param_line.ics"),
    Taken("jrvarma/icalcli#5", "dtend_date_only.ics", minutes=45),
    Taken("jrvarma/icalcli#5", "dtstart_utc_and_tzid.ics"),
    Taken("jrvarma/icalcli#5", "start_tz_end_floating.ics", ("2027-03-02T08:00",)),
    Taken("jrvarma/icalcli#5", "no_dtend_no_duration.ics", minutes=45),
    Taken("jrvarma/icalcli#5", "duration_pt1h.ics", minutes=60),
    Taken("jrvarma/icalcli#5", "dtstamp_local.ics"),
    # ---- one entry more than once
    Taken("nextcloud/calendar#4580", "dup_uid_identical.ics"),
    Taken(
        "tutao/tutanota#2220",
        "dup_uid_skipbad.ics",
        (MARCH, "2027-03-02T10:00"),
        notes=(Bad(1, "import.older", "UID"),),
    ),
    Taken("cozy/cozy-calendar#491", "two_calendars.ics", (MARCH, MARCH), notes=(Bad(2, "import.double"),)),
    # ---- the file's own form
    Taken("icalendar/icalendar#238", "fold_in_utf8.ics", title="Kontroll av hørsel"),
    Taken("icalendar/icalendar#238", "utf16_bom.ics", title="Møte"),
    Taken("icalendar/icalendar#238", "utf8_bom.ics"),
    Taken("icalendar/icalendar#238", "crcrlf.ics"),
    Taken("icalendar/icalendar#238", "cr_only.ics"),
    Taken("icalendar/icalendar#238", "lf_blank_lines.ics"),
    Taken("icalendar/icalendar#238", "leading_blank.ics"),
    Taken(
        "icalendar/icalendar#238", "unfolded_description.ics", people=(PROVE, ("patient", "Tolk", "tolk@tolk.example"))
    ),
    Taken("ietf-tools/datatracker#8498", "glued_none.ics"),
    Taken("ietf-tools/datatracker#8498", "no_end_vcalendar.ics"),
    Taken("ietf-tools/datatracker#8498", "garbage_after.ics"),
    Taken("ietf-tools/datatracker#8498", "vfreebusy_and_event.ics"),
    Taken("ietf-tools/datatracker#8498", "big_attachment.ics"),
    Taken("ietf-tools/datatracker#8498", "title_with_name.ics", title="Kontroll, P. Prove"),
    Taken("ietf-tools/datatracker#8498", "quoted_printable.ics", title="Møte på Åsen"),
    Taken("ietf-tools/datatracker#8498", "vcal_1_0.vcs", people=(("patient", "P", PROVE[2]),)),
    Taken("ietf-tools/datatracker#8498", "saved_as_eml.eml"),
    # ---- links
    Taken("Etar-Group/Etar-Calendar#2140", "link_teams_description.ics", link=TEAMS, solution="teams"),
    Taken("Etar-Group/Etar-Calendar#2140", "link_angle.ics", link="https://whereby.com/rom-4", solution="whereby"),
    Taken(
        "Etar-Group/Etar-Calendar#2140",
        "link_conference_7986.ics",
        link="https://join.nhn.no/rom?pin=1",
        solution="nhn_join",
    ),
    Taken(
        "Etar-Group/Etar-Calendar#2140", "link_location_multi.ics", link="https://whereby.com/rom-4", solution="whereby"
    ),
    Taken(
        "Leworoe/thunderbird-outlook-appointment#10",
        "link_safelinks.ics",
        link="https://join.nhn.no/rom",
        solution="nhn_join",
    ),
    Taken("derekantrican/GAS-ICS-Sync#447", "link_solution_guess.ics", link=TEAMS, solution="teams"),
    Taken(
        "derekantrican/GAS-ICS-Sync#447",
        "link_url_is_event_page.ics",
        link="https://join.nhn.no/sunnaas.rom7",
        solution="nhn_join",
    ),
]


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: f"{case.thread} {case.file}")
async def test_what_is_taken(planner, case: Taken):
    """Time, length, people, title, link and solution are what the file means; what was done otherwise is noted."""
    done = await brought(planner, case.file)
    assert (len(done.made), done.changed, done.bad) == (len(case.starts), [], [])
    assert tuple(done.notes) == case.notes
    made = await meetings_of(planner)
    assert tuple(one.starts_at.isoformat()[:16] for one in made) == case.starts
    assert {(one.ends_at - one.starts_at).total_seconds() / 60 for one in made} == {case.minutes}
    assert tuple(await people_of(planner, made[0].id)) == case.people
    if case.title is not None:
        assert made[0].title == case.title
    if case.link is not None:
        assert (planner.contacts.open(made[0].join_link), made[0].solution) == (case.link, case.solution)


REFUSED = [
    (
        "allenporter/ical#468",
        "tz_customized_no_vtimezone.ics",
        Bad(1, "import.zone", "DTSTART", "Customized Time Zone"),
    ),
    ("allenporter/ical#595", "tz_unknown_far.ics", Bad(1, "import.zone", "DTSTART", "Pacific SA Weird Time")),
    (
        "derekantrican/GAS-ICS-Sync#254",
        "tz_gmt_standard_time_1.ics",
        Bad(1, "import.zone", "DTSTART", "GMT Standard Time 1"),
    ),
    ("jrvarma/icalcli#5", "dst_gap.ics", Bad(1, "meeting.no_such_time", "DTSTART", "20270328T023000")),
    ("jrvarma/icalcli#5", "dst_gap_long.ics", Bad(1, "meeting.no_such_time", "DTSTART", "20270328T023000")),
    ("jrvarma/icalcli#5", "dtend_bad_month.ics", Bad(1, "import.time", "DTEND", "20272802T093000Z")),
    ("jrvarma/icalcli#5", "dtstart_no_seconds.ics", Bad(1, "import.time", "DTSTART", "20270302T0900")),
    ("jrvarma/icalcli#5", "dtstart_date_no_value.ics", Bad(1, "import.all_day", "DTSTART", "20270302")),
    ("jrvarma/icalcli#5", "dtend_equals_start.ics", Bad(1, "meeting.length", "DTEND")),
    ("jrvarma/icalcli#5", "dtend_before_start.ics", Bad(1, "meeting.length", "DTEND")),
    ("jrvarma/icalcli#5", "duration_minus.ics", Bad(1, "meeting.length", "DTEND")),
    ("jrvarma/icalcli#5", "multi_day.ics", Bad(1, "meeting.length", "DTEND")),
    ("insanum/gcalcli#102", "past_and_future.ics", Bad(1, "meeting.past", "DTSTART")),
    ("pimutils/khal#1082", "no_uid.ics", Bad(1, "import.no_id", "UID")),
    ("pimutils/khal#1082", "empty_uid.ics", Bad(1, "import.no_id", "UID")),
    ("insanum/gcalcli#27", "att_mail_non_ascii.ics", Bad(1, "person.mail", "ATTENDEE", "bjørn.bø@blåfjell.example")),
    ("arran4/golang-ical#120", "method_reply.ics", Bad(1, "import.answer", "METHOD", "REPLY")),
    ("Foundry376/Mailspring-Sync#130", "method_counter.ics", Bad(1, "import.answer", "METHOD", "COUNTER")),
    ("nextcloud/calendar#7057", "rrule_with_exception.ics", Bad(1, "import.repeats", "RRULE")),
]


@pytest.mark.parametrize(("thread", "file", "bad"), REFUSED, ids=lambda one: str(one)[:40])
async def test_what_is_named_and_not_taken(planner, thread, file, bad):
    """Entry, property and what stands there; nothing is made of the file."""
    done = await brought(planner, file)
    assert (done.made, done.changed, done.bad) == ([], [], [bad]), thread
    assert await meetings_of(planner) == []


@pytest.mark.parametrize(
    ("thread", "file"),
    [
        ("nextcloud/calendar#8293", "method_cancel_unknown.ics"),
        ("tutao/tutanota#5752", "method_lowercase_cancel_crlf.ics"),
    ],
)
async def test_what_cancels_nothing_we_know_makes_nothing(planner, thread, file):
    """Neither a meeting nor a fault."""
    assert await brought(planner, file) == Imported(), thread
    assert await meetings_of(planner) == []


async def test_files_without_a_meeting():
    """A list of things to do is no meeting; said as such."""
    with pytest.raises(InputError, match=r"import\.empty"):
        read_file(raw_of("only_vtodo.ics"))


# ---- one file after the other


@pytest.mark.parametrize(
    ("thread", "files", "state", "starts"),
    [
        ("Foundry376/Mailspring-Sync#130", ("method_counter_0_before", "method_counter"), "planned", MARCH),
        ("nextcloud/mail#12166", ("method_counter_0_before", "method_reply"), "planned", MARCH),
        ("nextcloud/calendar#8293", ("method_counter_0_before", "method_cancel_without_dtstart"), "cancelled", MARCH),
        ("lochmueller/calendarize#799", ("recurrence_id_zone_changes_1", "recurrence_id_zone_changes_2"), "planned",
         "2027-03-16T11:00"),
        ("nextcloud/calendar#7057", ("recurrence_id_zone_changes_1", "cancel_one_occurrence"), "cancelled",
         "2027-03-16T11:00"),
    ],
)  # fmt: skip
async def test_one_after_the_other(planner, thread, files, state, starts):
    """The same meeting: as it was, or as the later file says."""
    await brought(planner, *(f"{name}.ics" for name in files))
    (only,) = await meetings_of(planner)
    assert (only.state, only.starts_at.isoformat()[:16]) == (state, starts), thread


async def test_new_names_for_the_same_meeting_are_told(planner):
    """lochmueller/calendarize#381: Microsoft 365 names its entries anew each time; nobody is invited twice."""
    await brought(planner, "uid_changes_1.ics", invite=True)
    done = await brought(planner, "uid_changes_2.ics", invite=True)
    assert (len(done.made), done.bad, done.notes) == (1, [], [Bad(1, "import.double_not_invited")])
    assert await planner.store.outgoing_of(planner.actor, done.made[0]) == []


async def test_told_to_skip_the_exception_of_a_series_is_made(planner):
    """nextcloud/calendar#7057: the series is named, its one entry with a time of its own is a meeting."""
    done = await brought(planner, "rrule_with_exception.ics", skip_bad=True)
    assert (len(done.made), done.bad) == (1, [Bad(1, "import.repeats", "RRULE")])


# ---- own cases of the same kinds

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\n"
PERSON = "ATTENDEE;CN=P. Prove:mailto:pas@post.example"


def event(*lines: str, uid: str = "own@x", starts: str = "DTSTART:20270302T090000Z", person: str = PERSON) -> str:
    body = ["BEGIN:VEVENT", f"UID:{uid}", starts, *lines, person, "END:VEVENT"]
    return "\r\n".join(filter(None, body)) + "\r\n"


def calendar(*parts: str, method: str = "") -> bytes:
    head = f"METHOD:{method}\r\n" if method else ""
    return (HEAD + head + "".join(parts) + "END:VCALENDAR\r\n").encode()


def zone(name: str, *rules: str) -> str:
    return f"BEGIN:VTIMEZONE\r\nTZID:{name}\r\n" + "".join(rules) + "END:VTIMEZONE\r\n"


def rule(kind: str, begins: str, before: str, away: str, *lines: str) -> str:
    body = [f"BEGIN:{kind}", f"DTSTART:{begins}", f"TZOFFSETFROM:{before}", f"TZOFFSETTO:{away}", *lines, f"END:{kind}"]
    return "\r\n".join(body) + "\r\n"


SUMMER = "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3"
WINTER = "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10"
OSLO_BY_HAND = (
    rule("STANDARD", "16010101T030000", "+0200", "+0100", WINTER),
    rule("DAYLIGHT", "16010101T020000", "+0100", "+0200", SUMMER),
)
SOUTH = zone(
    "South",
    rule("STANDARD", "20080406T030000", "+1100", "+1000", "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU"),
    rule(
        "DAYLIGHT",
        "20081005T020000",
        "+1000",
        "+1100",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=SU;BYMONTHDAY=1,2,3,4,5,6,7",
    ),
)
FIXED = zone("Fast", rule("STANDARD", "19700101T000000", "+0300", "+0300"))
PAST_LAW = zone(
    "Law",
    rule(
        "DAYLIGHT", "20000326T020000", "+0100", "+0200", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;UNTIL=20250330T010000Z"
    ),
    rule(
        "STANDARD",
        "20001029T030000",
        "+0200",
        "+0100",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20251026T010000Z",
    ),
)
DATED = zone("Dated", rule("STANDARD", "20260101T000000", "+0100", "+0100"),
             rule("DAYLIGHT", "20260329T020000", "+0100", "+0200", "RDATE:20270328T020000"))  # fmt: skip
LOCATED = zone("Custom 7", "X-LIC-LOCATION:Europe/Helsinki\r\n", rule("STANDARD", "19700101T000000", "+0500", "+0500"))
AT_TEN = "DTSTART;TZID={}:20270706T100000"
MOMENTS = [
    ("summer by the file's own rules", zone("Own", *OSLO_BY_HAND), AT_TEN.format("Own"), JULY + "08:00"),
    ("winter by the file's own rules", zone("Own", *OSLO_BY_HAND), "DTSTART;TZID=Own:20270112T100000", "2027-01-12T09:00"),
    ("an hour that comes twice is the first", zone("Own", *OSLO_BY_HAND), "DTSTART;TZID=Own:20271031T023000", "2027-10-31T00:30"),
    ("south of the equator", SOUTH, AT_TEN.format("South"), JULY + "00:00"),
    ("south of the equator in summer", SOUTH, "DTSTART;TZID=South:20270112T100000", "2027-01-11T23:00"),
    ("one offset for ever", FIXED, AT_TEN.format("Fast"), JULY + "07:00"),
    ("a law that has ended", PAST_LAW, AT_TEN.format("Law"), JULY + "09:00"),
    ("dates written out", DATED, AT_TEN.format("Dated"), JULY + "08:00"),
    ("a place beside the zone's name", LOCATED, AT_TEN.format("Custom 7"), JULY + "07:00"),
    ("a known name wins over a wrong definition", zone("Europe/Oslo", rule("STANDARD", "19700101T000000", "+0500", "+0500")),
     AT_TEN.format("Europe/Oslo"), JULY + "08:00"),
    ("a Windows name without summer time is what the file says", zone("W. Europe Standard Time", rule(
        "STANDARD", "16010101T000000", "+0100", "+0100")), AT_TEN.format("W. Europe Standard Time"), JULY + "09:00"),
    (
        "hour and minute beside the day, and the name in other letters",
        zone(
            "OWN",
            rule("STANDARD", "16010101T030000", "+0200", "+0100", WINTER + ";BYHOUR=3;BYMINUTE=0"),
            rule("DAYLIGHT", "16010101T020000", "+0100", "+0200", SUMMER + ";BYHOUR=2;BYMINUTE=0;WKST=MO"),
        ),
        AT_TEN.format("Own"),
        JULY + "08:00",
    ),
    ("small letters", "", AT_TEN.format("europe/oslo"), JULY + "08:00"),
    ("another program's prefix", "", AT_TEN.format("/freeassociation.sourceforge.net/Tzfile/America/Argentina/Ushuaia"), JULY + "13:00"),
    ("Microsoft's word for UTC", "", AT_TEN.format("tzone://Microsoft/Utc"), JULY + "10:00"),
    ("an offset as a name", "", AT_TEN.format("UTC+02:00"), JULY + "08:00"),
    ("an offset at the time", "", "DTSTART:20270706T100000+0200", JULY + "08:00"),
    ("towns in brackets", "", AT_TEN.format('"(UTC) Dublin, Edinburgh, Lisbon, London"'), JULY + "09:00"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "zones", "starts", "moment"), MOMENTS, ids=[row[0] for row in MOMENTS])
def test_a_zone_is_what_is_known_of_it(what, zones, starts, moment):
    """The right hour, in summer and winter."""
    (wanted,), bad = read_file(calendar(zones, event("DURATION:PT30M", starts=starts)))
    assert (wanted.plan.starts.isoformat()[:16], bad, wanted.notes) == (moment, [], ()), what


UNKNOWN = [
    ("a rule for every day", zone("Own", rule("STANDARD", "16010101T000000", "+0100", "+0100", "RRULE:FREQ=DAILY")), "Own"),
    ("a rule by the second", zone("Own", rule("STANDARD", "19700101T000000", "+0100", "+0100",
                                              "RRULE:FREQ=YEARLY;BYSECOND=" + ",".join(["1"] * 300))), "Own"),
    ("no offset", zone("Own", "BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nEND:STANDARD\r\n"), "Own"),
    ("an offset beyond a day", zone("Own", rule("STANDARD", "19700101T000000", "+0100", "+9900")), "Own"),
    ("no rules", zone("Own"), "Own"),
    ("towns that do not keep one time", "", "(UTC+01:00) Berlin, Lagos"),
    ("towns with another offset", "", "(UTC+03:00) Berlin, Rome"),
    ("Microsoft's word for anything", "", "tzone://Microsoft/Custom"),
    ("a folder", "", "Europe"),
    ("a way out", "", "../../etc/passwd"),
    ("the machine's own", "", "localtime"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "zones", "name"), UNKNOWN, ids=[row[0] for row in UNKNOWN])
def test_a_zone_that_is_not_known_is_named(what, zones, name):
    """Never the organisation's clock in silence."""
    wanted, bad = read_file(calendar(zones, event(starts=f'DTSTART;TZID="{name}":20270706T100000')))
    assert (wanted, bad) == ([], [Bad(1, "import.zone", "DTSTART", name)]), what


def test_the_clock_of_a_calendar():
    """Floating times: the calendar's zone; one that is not known is named; none is the organisation's clock, and said."""
    floating = event(starts="DTSTART:20270706T100000")
    (wanted,), _ = read_file(calendar(floating))
    assert (wanted.plan.starts.tzinfo, wanted.notes) == (None, (Bad(1, "import.clock", "DTSTART", "20270706T100000"),))
    (wanted,), _ = read_file(calendar("X-WR-TIMEZONE:W. Europe Standard Time\r\n", floating))
    assert (wanted.plan.starts.isoformat()[:16], wanted.notes) == (JULY + "08:00", ())
    wanted, bad = read_file(calendar("X-WR-TIMEZONE:Nowhere\r\n", floating))
    assert (wanted, bad) == ([], [Bad(1, "import.zone", "DTSTART", "Nowhere")])


ADDRESSES = [
    ('ATTENDEE;CN="Prove\\, P.":MAILTO:pas@post.example', ("patient", "Prove, P.", PROVE[2])),
    ("ATTENDEE;CN=Prove^'P^':mailto:pas@post.example", ("patient", 'Prove"P', PROVE[2])),
    ('ATTENDEE;CN="Rom: 3;A";CUTYPE=ROOM:mailto:rom3@hospital.example', ("meeting_room", "Rom: 3;A", "rom3@hospital.example")),
    ("ATTENDEE;CUTYPE=RESOURCE;ROLE=NON-PARTICIPANT;CN=Rom 4:mailto:rom4@hospital.example",
     ("meeting_room", "Rom 4", "rom4@hospital.example")),
    ("ATTENDEE;CN=P. Prove;EMAIL=pas@post.example:/aAbBcC/principal/", PROVE),
    ("ATTENDEE;CN=pas@post.example:urn:uuid:9f1c", ("patient", "", PROVE[2])),
    ("ATTENDEE;CN=P. Prove:mailto:pas@post.example?subject=Hei", PROVE),
    ("ATTENDEE;CN=P. Prove:MAILTO:mailto:pas@post.example", PROVE),
    ('ATTENDEE;CN=P. Prove;SENT-BY="mailto:andre@post.example":mailto:pas@post.example', PROVE),
    ("ATTENDEE;CN=P. Prove;SENT-BY=mailto:andre@post.example:mailto:pas@post.example", PROVE),
    ('ATTENDEE;CN="P. Prove:mailto:pas@post.example', PROVE),
    ("ATTENDEE;CN=P. Prove:mailto:P. Prove <pas@post.example>", PROVE),
    ("ATTENDEE;CN=P. Prove:mailto:IMCEAEX-_O=EXCH_cn=883@hospital.example", ("patient", "P. Prove", "")),
    ("ATTENDEE;CN=P. Prove:", ("patient", "P. Prove", "")),
    ("ATTENDEE;CN=Kari;ROLE=REQ-PARTICIPANT:mailto:kari@hospital.example", ("staff", "Kari", "kari@hospital.example")),
    ("ATTENDEE;CN=P. Prove:mailto://pas@post.example", PROVE),
    ("ATTENDEE;CN=P. Prove:mailto:pas@post.example\\n", PROVE),
    ("ATTENDEE;CN=P. Prove:CN=P. Prove/OU=Klinikk/O=Sykehus@NOTES", ("patient", "P. Prove", "")),
    ("ATTENDEE;CN==?UTF-8?Q?P=C3=A5l_Pr=C3=B8ve?=:mailto:pas@post.example", ("patient", "Pål Prøve", PROVE[2])),
    ("ATTENDEE;CN=Prove =?x?:mailto:pas@post.example", ("patient", "Prove =?x?", PROVE[2])),
]  # fmt: skip


@pytest.mark.parametrize(("line", "person"), ADDRESSES)
def test_an_address_in_any_form(line, person):
    """The person is kept, with a mail address where there is one."""
    (wanted,), bad = read_file(calendar(event("ORGANIZER;CN=Lege:mailto:lege@hospital.example", person=line)))
    assert [(one.role, one.label, one.mail) for one in wanted.plan.people] == [person]
    assert (bad, wanted.notes) == ([], ())


@pytest.mark.parametrize(
    "uri", ["tel:+47-900-00-000", "TEL:+4790000000;ext=1", "sms:%2B47%20900%2000%20000", "tel:90000000"]
)
async def test_somebody_who_is_asked_by_telephone_keeps_the_number(planner, uri):
    """An own case: an attendee whose address is a telephone number (RFC 3966) was kept without it."""
    done = await import_file(planner, calendar(event(person=f"ATTENDEE;CN=P. Prove:{uri}")))
    assert done.bad == []
    (person,) = await planner.store.participants(planner.actor, done.made[0])
    assert open_reach(planner.contacts, person.reach).phone == "+4790000000"


LEFT_OUT = [
    ("PARTSTAT=DECLINED", "import.declined"),
    ('PARTSTAT=DELEGATED;DELEGATED-TO="mailto:b@post.example"', "import.delegated"),
    ("CUTYPE=GROUP", "import.group"),
    ("ROLE=NON-PARTICIPANT", "import.only_told"),
    ("CUTYPE=ROOM;PARTSTAT=DECLINED", "import.declined"),
]  # fmt: skip


@pytest.mark.parametrize(("param", "reason"), LEFT_OUT)
def test_who_does_not_come_is_left_out_and_told(param, reason):
    """Nobody is dropped in silence."""
    (wanted,), _ = read_file(calendar(event(f"ATTENDEE;CN=Tolk;{param}:mailto:tolk@tolk.example")))
    assert [one.label for one in wanted.plan.people] == ["P. Prove"]
    assert wanted.notes == (Bad(1, reason, "ATTENDEE", "Tolk"),)


def test_organizers_of_other_kinds():
    """A room or a calendar at Google leads nothing; who is organizer in vCalendar 1.0 does; twice listed is once."""
    (wanted,), _ = read_file(calendar(event("ORGANIZER;CN=Rom;CUTYPE=ROOM:mailto:rom@hospital.example")))
    assert wanted.plan.hosts == ()
    (wanted,), _ = read_file(calendar(event("ORGANIZER;CN=Timer:mailto:abc@group.calendar.google.com")))
    assert [(one.label, one.mail) for one in wanted.plan.hosts] == [("Timer", "")]
    (wanted,), _ = read_file(calendar(event("ATTENDEE;ROLE=ORGANIZER;CN=Lege:lege@hospital.example")))
    assert [one.mail for one in wanted.plan.hosts] == ["lege@hospital.example"]
    assert len(wanted.plan.people) == 1


GOOGLE = "https://meet.google.com/abc-defg-hij"
ZOOM = "https://us02web.zoom.us/j/123456?pwd=abc.1"
LINKS = [
    (f"X-GOOGLE-CONFERENCE:{GOOGLE}", GOOGLE, "other"),
    (f"DESCRIPTION:Join Zoom Meeting\\n{ZOOM}\\n\\nFind your local number: https://us02web.zoom.us/u/kabc", ZOOM, "zoom"),
    (f"DESCRIPTION:Options: https://teams.microsoft.com/meetingOptions/?organizerId=1\\nJoin: {TEAMS}", TEAMS, "teams"),
    ("DESCRIPTION:Microsoft Teams\\nJoin: https://teams.microsoft.com/meet/222333444?p=Ab",
     "https://teams.microsoft.com/meet/222333444?p=Ab", "teams"),
    ("LOCATION:https://maps.google.com/?q=Sunnaas\r\nDESCRIPTION:Bli med: " + ZOOM, ZOOM, "zoom"),
    ("DESCRIPTION:Les mer på https://www.hospital.example/om", "", "other"),
    ("DESCRIPTION:Bli med på video: https://video.hospital.example/rom/7.", "https://video.hospital.example/rom/7", "other"),
    ("URL:https://kalender.hospital.example/event/42", "", "other"),
    ("URL:https://whereby.com/rom-9", "https://whereby.com/rom-9", "whereby"),
    ('X-ALT-DESC;FMTTYPE=text/html:<a href="' + ZOOM.replace("?", "?a=1&amp;") + '">Join</a>', ZOOM.replace("?", "?a=1&"), "zoom"),
    ("LOCATION:https://urldefense.com/v3/__https://join.nhn.no/rom__;!!x", "https://join.nhn.no/rom", "nhn_join"),
    ("LOCATION:https://nam02.safelinks.protection.outlook.com/ap/t-59584e83/?url=https%3A%2F%2Fteams.microsoft.com%2Fl%2Fmeetup-join%2F19%253ameeting_A%2540thread.v2%2F0&data=1", "https://teams.microsoft.com/l/meetup-join/19%3ameeting_A%40thread.v2/0",
     "teams"),
    (f"CONFERENCE;VALUE=URI;FEATURE=PHONE:https://dial.example/1\r\nCONFERENCE;FEATURE=VIDEO:{GOOGLE}", GOOGLE, "other"),
    ("LOCATION:http://whereby.com/rom-4", "", "other"),
    ("DESCRIPTION:https:///rom https://[::1 https://whereby.com/rom-6", "https://whereby.com/rom-6", "whereby"),
    ("DESCRIPTION:Hei\r\nhttps://whereby.com/rom-5\r\nvelkommen", "https://whereby.com/rom-5", "whereby"),
]  # fmt: skip


PLAIN = [
    ("LOCATION:http://whereby.com/rom-4", "", ("LOCATION", "http://whereby.com/rom-4")),
    (f"DESCRIPTION:Join: HTTP{TEAMS[5:]}", "", ("DESCRIPTION", f"http{TEAMS[5:]}"[:80])),
    ("URL:http://whereby.com/rom-9", "", ("URL", "http://whereby.com/rom-9")),
    ("CONFERENCE;FEATURE=VIDEO:http://video.hospital.example/7", "", ("CONFERENCE", "http://video.hospital.example/7")),
    ("LOCATION:http://whereby.com/rom-4\r\nDESCRIPTION:Bli med på https://video.hospital.example/rom/7",
     "https://video.hospital.example/rom/7", ("LOCATION", "http://whereby.com/rom-4")),
    (f"LOCATION:{ZOOM}\r\nDESCRIPTION:http://www.hospital.example", ZOOM, None),
    ("DESCRIPTION:Les mer på http://www.hospital.example/om", "", None),
    ("LOCATION:https://urldefense.com/v3/__http://join.nhn.no/rom__;!!x",
     "https://urldefense.com/v3/__http://join.nhn.no/rom__;!!x", None),
]  # fmt: skip
"""Entries with links that begin with ``http://``: which link is kept, and what is told of the other."""


@pytest.mark.parametrize(("lines", "link", "told"), PLAIN)
def test_a_link_that_is_left_out_is_told(lines, link, told):
    """No join link is lost in silence; a page that opens no meeting is not worth a word."""
    (wanted,), bad = read_file(calendar(event(lines)))
    assert (wanted.plan.join_link, bad) == (link, [])
    assert wanted.notes == ((Bad(1, "import.link_plain", *told),) if told else ())


@pytest.mark.parametrize(("lines", "link", "solution"), LINKS)
async def test_the_link_that_opens_the_meeting(planner, lines, link, solution):
    """Wherever programs put it, without a filter's own before it; never a page about the entry."""
    done = await import_file(planner, calendar(event(lines)))
    made = await planner.meeting(done.made[0])
    assert ((planner.contacts.open(made.join_link) if made.join_link else ""), made.solution) == (link, solution)


FORMS = [
    ("a title as a mail writes it", calendar(event("SUMMARY:=?utf-8?B?TcO4dGUgcMOlIMOFc2Vu?=")), "Møte på Åsen"),
    ("utf-16 without a mark", calendar(event("SUMMARY:Møte")).decode().encode("utf-16-le"), "Møte"),
    ("Windows-1252", calendar(event("SUMMARY:Møte på Åsen")).decode().encode("cp1252"), "Møte på Åsen"),
    ("folded by a tab", calendar(event("SUMMARY:Mø\r\n\tte")), "Møte"),
    ("quoted-printable over two lines", calendar(event("SUMMARY;ENCODING=QUOTED-PRINTABLE:M=C3=B8te p=\r\n=C3=A5 =C3=85sen")), "Møte på Åsen"),
    ("vCalendar 1.0 by its own words", calendar(event("SUMMARY;QUOTED-PRINTABLE;CHARSET=ISO-8859-1:M=F8te")), "Møte"),
    ("a mail with the calendar in base64", (
        b"From: lege@hospital.example\r\nSubject: Invitasjon\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nHei\r\n--b\r\nContent-Type: application/ics; name=invite.ics\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + encodebytes(calendar(event("SUMMARY:Møte"))) + b"\r\n--b--\r\n"
    ), "Møte"),
    ("an alarm's words are not the meeting's", calendar(event(
        "SUMMARY:Møte\r\nBEGIN:VALARM\r\nACTION:EMAIL\r\nSUMMARY:Alarm\r\nDURATION:PT5H\r\nATTENDEE:mailto:a@b.example\r\nEND:VALARM")), "Møte"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "raw", "title"), FORMS, ids=[row[0] for row in FORMS])
def test_a_calendar_in_any_form(what, raw, title):
    """Read as it was meant."""
    (wanted,), bad = read_file(raw)
    assert (wanted.plan.title, bad, len(wanted.plan.people)) == (title, [], 1), what


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"From: a@b.example\r\nSubject: Hei\r\nContent-Type: text/plain\r\n\r\nBEGIN:VCALENDAR", "import.mail"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "__substg1.0_0037001F".encode("utf-16-le"), "import.mail"),
        (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n\0\0\0\r\nEND:VCALENDAR\r\n", "import.calendar"),
        (calendar("BEGIN:VEVENT\r\nEND:VEVENT\r\n" * 2001), "import.too_large"),
    ],
)
def test_what_is_no_calendar_is_said_in_words_about_it(raw, code):
    """A mail without a calendar, Outlook's own form, damaged bytes, too many entries."""
    with pytest.raises(InputError) as raised:
        read_file(raw)
    assert raised.value.code == code


def test_an_entry_that_is_cut_off_is_named():
    """A file that was not saved whole may lack people."""
    wanted, bad = read_file(
        calendar(event()) + b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:b\r\nDTSTART:20270302T090000Z\r\n"
    )
    assert (len(wanted), bad) == (1, [Bad(2, "import.cut", "END:VEVENT")])


# ---- versions, series, and what a file leaves alone


def version(sequence: int | None, stamp: str, hour: int = 9, **more: str) -> bytes:
    lines = [f"SEQUENCE:{sequence}" if sequence is not None else "", f"DTSTAMP:{stamp}"]
    return calendar(event(*filter(None, lines), starts=f"DTSTART:20270302T{hour:02}0000Z"), **more)


async def test_an_older_version_changes_nothing(planner):
    """SEQUENCE decides, then DTSTAMP; a late REQUEST or CANCEL of an older version is told and does nothing."""
    await import_file(planner, version(2, "20261101T080000Z", 9))
    older = [
        version(1, "20261105T080000Z", 10),
        version(2, "20261031T080000Z", 11),
        version(None, "20261110T080000Z", 12),
    ]
    for raw in older:
        done = await import_file(planner, raw)
        assert (done.changed, done.bad, done.notes) == ([], [], [Bad(1, "import.older")])
    await import_file(planner, version(1, "20261120T080000Z", method="CANCEL"))
    (only,) = await meetings_of(planner)
    assert (only.starts_at.hour, only.state) == (9, "planned")
    assert (await import_file(planner, version(2, "20261102T080000Z", 13))).changed == [only.id]
    await import_file(planner, version(3, "20261103T080000Z", method="CANCEL"))
    (only,) = await meetings_of(planner)
    assert (only.starts_at.hour, only.state) == (13, "cancelled")
    late = await import_file(planner, version(2, "20261102T080000Z", 13))
    assert (late.changed, late.bad, late.notes) == ([], [], [Bad(1, "import.older")])


def occurrence(day: int, *lines: str, **more: str) -> str:
    return event(f"RECURRENCE-ID;TZID=Europe/Oslo:202703{day:02}T100000", *lines,
                 starts=f"DTSTART;TZID=Europe/Oslo:202703{day:02}T100000", **more)  # fmt: skip


@pytest.mark.parametrize(
    ("what", "cancel", "left"),
    [
        ("the whole series", calendar(event(starts=""), method="CANCEL"), []),
        ("the whole series by its state", calendar(event("STATUS:CANCELLED", "RRULE:FREQ=WEEKLY"), method="REQUEST"), []),
        ("this one and those to come", calendar(event(
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20270309T090000Z", starts=""), method="CANCEL"), [2]),
        ("one, named in UTC", calendar(event("RECURRENCE-ID:20270309T090000Z", starts=""), method="CANCEL"), [2, 16]),
        ("one of another series", calendar(event(starts="", uid="other@x"), method="CANCEL"), [2, 9, 16]),
    ],
)  # fmt: skip
async def test_a_series_is_cancelled_as_far_as_it_says(planner, what, cancel, left):
    """nextcloud/calendar#8293: without a time, all of it, from one on, or one; another series stays."""
    await import_file(planner, calendar(*(occurrence(day) for day in (2, 9, 16))))
    await import_file(planner, cancel)
    assert [one.starts_at.day for one in await meetings_of(planner) if one.state == "planned"] == left, what


async def test_what_a_file_does_not_name_stays(planner):
    """baserow/baserow#3746: title, solution, link, telephone, roles set on the page; nobody is told of nothing."""
    raw = calendar(event("DURATION:PT30M"))
    (meeting,) = (await import_file(planner, raw, invite=True)).made
    person = (await planner.store.participants(planner.actor, meeting))[0]
    set_by_hand = Change(title="Kontroll", profile="group", solution="skype_for_business", support_phone="22110099",
                         join_link="https://sfb.hospital.example/meet/1")  # fmt: skip
    before = await planner.change(meeting, set_by_hand)
    await planner.change_person(meeting, person.id, {"role": "interpreter", "phone": "90000000", "together": 3})
    told = len(await planner.store.outgoing_of(planner.actor, meeting))
    done = await import_file(planner, raw.replace(b"END:VEVENT", b"DTSTAMP:20270101T080000Z\r\nEND:VEVENT"))
    assert (done.changed, done.bad, done.notes) == ([], [], [])
    after = await planner.meeting(meeting)
    assert (after.title, after.profile, after.solution, after.support_phone, after.join_link) == (
        before.title, before.profile, before.solution, before.support_phone, before.join_link,
    )  # fmt: skip
    (kept,) = await planner.store.participants(planner.actor, meeting)
    assert (kept.role, kept.together, open_reach(planner.contacts, kept.reach).phone) == (
        "interpreter",
        3,
        "+4790000000",
    )
    assert len(await planner.store.outgoing_of(planner.actor, meeting)) == told


async def test_the_solution_is_told_by_a_new_link(planner):
    """Whoever sets the link: the host tells, unless another solution is said; a link to elsewhere tells that nothing is known."""
    (meeting,) = (await import_file(planner, calendar(event()))).made
    assert (await planner.change(meeting, Change(join_link=TEAMS))).solution == "teams"
    assert (await planner.change(meeting, Change(join_link="https://video.hospital.example/1"))).solution == "other"
    assert (await planner.change(meeting, Change(join_link=ZOOM, solution="other"))).solution == "zoom"
    assert (await planner.change(meeting, Change(join_link=TEAMS, solution="whereby"))).solution == "whereby"
    wrapped = "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fjoin.nhn.no%2From&data=05"
    changed = await planner.change(meeting, Change(join_link=wrapped))
    assert planner.contacts.open(changed.join_link) == "https://join.nhn.no/rom"
