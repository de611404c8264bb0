# ruff: noqa: E501 - lines of files as they are
"""Own cases of the kinds in ``test_ics.py``: what other programs, filters and code pages write."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from readiness.errors import InputError
from readiness.meetings.planner import Planner
from readiness.meetings.reading import read_file
from readiness.meetings.wanted import Bad
from readiness.meetings.wrapped_links import unwrapped
from tests.meetings.scene import import_file, planning
from tests.meetings.test_ics import NOW, TEAMS, calendar, event, meetings_of, people_of, raw_of

LENGTH = "DURATION:PT30M"
TOLK = "ATTENDEE;CN=Tolk{}:mailto:tolk@tolk.example"


@pytest.fixture
async def planner(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Planner]:
    """What plans for Sunnaas in November 2026."""
    async with planning(migrated_file, tmp_path, NOW) as made:
        yield made


STARRED = TEAMS.replace("%", "*")
SIGNS = urlsafe_b64encode(b"%" * STARRED.count("*")).decode().rstrip("=")
WRAPPED = [
    ("https://urldefense.proofpoint.com/v2/url?u=https-3A__join.nhn.no_rom&d=DwMFaQ&c=x&e=", "https://join.nhn.no/rom"),
    ("https://urldefense.proofpoint.com/v1/url?u=https://join.nhn.no/rom&k=abc%3D%0A", "https://join.nhn.no/rom"),
    (f"https://urldefense.com/v3/__{STARRED}__;{SIGNS}!!x!y$", TEAMS),
    ("https://urldefense.com/v3/__https://whereby.com/rom**B4__;JSUl!!x$", "https://whereby.com/rom%%%4"),
    ("https://urldefense.us/v3/__https://join.nhn.no/rom__;!!x!y$", "https://join.nhn.no/rom"),
    (f"https://ca-1-eu.urlprotection.trendmicro.com/wis/clicktime/v1/query?url={quote(TEAMS, safe='')}&umid=x", TEAMS),
    (f"https://clicktime.symantec.com/3xyz?u={quote(TEAMS, safe='')}", TEAMS),
    ("https://eu-central-1.protection.sophos.com?d=nhn.no&u=aHR0cHM6Ly9qb2luLm5obi5uby9yb20=&i=x", "https://join.nhn.no/rom"),
    ("https://protect.checkpoint.com/v2/___https://join.nhn.no/rom___.YzJ1OnN1", "https://join.nhn.no/rom"),
    ("https://url.avanan.click/v2/r02/___https://join.nhn.no/rom___.YXAz", "https://join.nhn.no/rom"),
    ("https://secure-web.cisco.com/1abc/https%3A%2F%2Fjoin.nhn.no%2From", "https://join.nhn.no/rom"),
    (f"https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url={quote(TEAMS, safe='')}", TEAMS),
    ("https://eur02.safelinks.protection.outlook.com/?url=" + quote(f"https://linkprotect.cudasvc.com/url?a={quote(TEAMS, safe='')}", safe=""), TEAMS),
]  # fmt: skip


@pytest.mark.parametrize(("link", "inside"), WRAPPED)
def test_a_filters_link_is_the_one_inside(link, inside):
    """Whole, with the signs that the filter wrote in another way."""
    assert unwrapped(link) == inside
    (wanted,), bad = read_file(calendar(event(LENGTH, f"LOCATION:{link}")))
    assert (wanted.plan.join_link, bad) == (inside, [])


@pytest.mark.parametrize(
    "link",
    [
        f"https://urldefense.com/v3/__{STARRED}__;JSU!!x!y$",
        "https://protect-eu.mimecast.com/s/abcDEF?domain=join.nhn.no",
        "https://protect.checkpoint.com/v2/r01/___mjjux://otns.smr.st/wtr___.YXAz",
        "https://linkprotect.cudasvc.com.evil.example/url?a=https%3A%2F%2Fjoin.nhn.no%2From",
    ],
)
def test_a_filters_link_that_cannot_be_read_stays(link):
    """A link that is nearly right opens nothing; the filter's own one does."""
    assert unwrapped(link) == link


BROKEN = [
    (f"DESCRIPTION:Bli med:\\n{TEAMS[:72]}\\n{TEAMS[72:]}\\nHilsen Lars", TEAMS),
    (f"DESCRIPTION:Bli med <{TEAMS[:40]}\\n{TEAMS[40:90]}\\n {TEAMS[90:]}>", TEAMS),
    (f"DESCRIPTION:{TEAMS[:72]}\\nwww.hospital.example/om\\n", TEAMS[:72]),
    (f"DESCRIPTION:{TEAMS[:72]}\\nHilsen", TEAMS[:72]),
    ("LOCATION:join.nhn.no/rom7", "https://join.nhn.no/rom7"),
    ("DESCRIPTION:Video: us02web.zoom.us/j/123456?pwd=abc.1", "https://us02web.zoom.us/j/123456?pwd=abc.1"),
    ("LOCATION:rom7@join.nhn.no", ""),
    ("LOCATION:evil.example/join.nhn.no/rom", ""),
    ("LOCATION:join.nhn.no.evil.example/rom", ""),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "link"), BROKEN)
def test_a_link_is_whole_or_nothing(lines, link):
    """Broken over lines by what sent it as plain text, or without its beginning; what follows it is no part of it."""
    (wanted,), bad = read_file(calendar(event(LENGTH, lines)))
    assert (wanted.plan.join_link, bad) == (link, [])


@pytest.mark.parametrize("name", ["cp865.ics", "mac_roman.ics"])
def test_names_in_an_old_code_page_are_refused(name):
    """They read ``p† �sen`` on letters; in a description, which nobody prints, they stop nothing."""
    with pytest.raises(InputError) as raised:
        read_file(raw_of(name))
    assert raised.value.code == "import.calendar_letters"
    (wanted,), _ = read_file(raw_of(name).replace(b"SUMMARY", b"DESCRIPTION"))
    assert wanted.plan.title == ""


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("saved_twice.ics", ["Møte på Åsen"]),
        ("cut_letter.ics", ["Møte på"]),
        ("two_mails.mbox", ["Kontroll", "Samtale"]),
    ],
)
def test_a_calendar_that_went_through_other_programs(name, titles):
    """UTF-8 saved as Windows-1252, a letter cut in two, several mails in one file: nothing wrong, nobody lost."""
    wanted, bad = read_file(raw_of(name))
    assert ([one.plan.title for one in wanted], bad) == (titles, [])


def test_each_mail_has_a_method_of_its_own():
    """The first mail plans; the second one cancels, which only its head says."""
    first, second = raw_of("two_mails.mbox").split(b"\r\n\r\nFrom - ")
    second = second.replace(b"charset=utf-8", b"charset=utf-8; method=CANCEL")
    wanted, _ = read_file(first + b"\r\n\r\nFrom - " + second)
    assert [one.is_cancelled for one in wanted] == [False, True]


def test_a_mail_that_says_from_when_is_one_mail():
    """A paragraph of prose that begins with "From" is no line between mails."""
    first, _ = raw_of("two_mails.mbox").split(b"\r\nFrom - ")
    said = first.partition(b"\r\n")[2].replace(b"\r\nHei\r\n", b"\r\nFrom Monday 1 March 2027\r\n")
    assert said != first
    wanted, bad = read_file(said)
    assert ([one.plan.title for one in wanted], bad) == (["Kontroll"], [])


PEOPLE = [
    ("ATTENDEE;CN=P\\;Prove:mailto:pas@post.example", ("P;Prove", "pas@post.example")),
    ("ATTENDEE;CN=P. Prove <pas@post.example>:mailto:pas@post.example", ("P. Prove", "pas@post.example")),
    ('ATTENDEE;CN="P. Prove (pas@post.example)":mailto:pas@post.example', ("P. Prove", "pas@post.example")),
    ("ATTENDEE;CN=P. Prove:mailto:unknownorganizer@calendar.google.com", ("P. Prove", "")),
    ("ATTENDEE;CN=P. Prove:mailto:no-reply@post.example", ("P. Prove", "")),
]  # fmt: skip


@pytest.mark.parametrize(("line", "person"), PEOPLE)
def test_a_person_keeps_the_name_and_a_real_address(line, person):
    """What stands for nobody's mailbox is no address; what was escaped belongs to the name."""
    (wanted,), bad = read_file(calendar(event(LENGTH, person=line)))
    assert ([(one.label, one.mail) for one in wanted.plan.people], bad) == ([person], [])


def test_people_behind_an_alarm_without_an_end_are_not_lost():
    """The entry is named as cut off: whoever stands behind the alarm would be dropped in silence."""
    cut = event(LENGTH, TOLK.format(""), "BEGIN:VALARM", "TRIGGER:-PT15M")
    assert read_file(calendar(cut)) == ([], [Bad(1, "import.cut", "END:VEVENT")])


@pytest.mark.parametrize("title", ["Avlyst: Kontroll", "Canceled: Check", "CANCELLED: Check", "Inställt : Besök"])
def test_a_title_that_says_cancelled_makes_no_meeting(title):
    """Outlook's published calendars say it nowhere else; a title that only speaks of it is one."""
    wanted, bad = read_file(calendar(event(LENGTH, f"SUMMARY:{title}")))
    assert (wanted, bad) == ([], [Bad(1, "import.called_off", "SUMMARY", title)])
    (wanted,), _ = read_file(calendar(event(LENGTH, "SUMMARY:Avlyst time erstattes")))
    assert wanted.plan.title == "Avlyst time erstattes"


def test_long_names_of_entries_are_not_mixed_up():
    """Two entries whose UIDs begin alike are two meetings; an American spelling cancels too."""
    long = "a" * 1500
    wanted, bad = read_file(calendar(event(LENGTH, uid=long + "1"), event(LENGTH, uid=long + "2")))
    assert (len(wanted), bad) == (2, [])
    (wanted,), _ = read_file(calendar(event(LENGTH, "STATUS:CANCELED")))
    assert wanted.is_cancelled


async def test_taking_one_person_out_cancels_for_nobody_else(planner):
    """RFC 5546 3.2.5: a CANCEL without a STATUS is for those in it. It is named; with all in it, all is cancelled."""
    both = calendar(event(LENGTH, TOLK.format("")))
    await import_file(planner, both)
    one = calendar(event("SEQUENCE:1", starts="", person=TOLK.format("")), method="CANCEL")
    done = await import_file(planner, one)
    assert (done.changed, done.bad) == ([], [Bad(1, "import.cancels_some", "ATTENDEE", "Tolk")])
    assert [found.state for found in await meetings_of(planner)] == ["planned"]
    everybody = calendar(event("SEQUENCE:1", TOLK.format(""), starts=""), method="CANCEL")
    assert len((await import_file(planner, everybody)).changed) == 1
    assert [found.state for found in await meetings_of(planner)] == ["cancelled"]


async def test_a_status_cancels_whoever_is_named(planner):
    """Exchange names one recipient beside STATUS:CANCELLED: the meeting is off."""
    await import_file(planner, calendar(event(LENGTH, TOLK.format(""))))
    raw = calendar(event("STATUS:CANCELLED", starts="", person=TOLK.format("")), method="CANCEL")
    assert len((await import_file(planner, raw)).changed) == 1


async def test_who_declines_later_is_noted_as_still_there(planner):
    """Imports remove nobody: the note must not say that the person was left out."""
    await import_file(planner, calendar(event(LENGTH, TOLK.format(""))))
    done = await import_file(planner, calendar(event(LENGTH, "SEQUENCE:1", TOLK.format(";PARTSTAT=DECLINED"))))
    assert done.notes == [Bad(1, "import.declined_stays", "ATTENDEE", "Tolk")]
    (found,) = await meetings_of(planner)
    assert "Tolk" in [label for _, label, _ in await people_of(planner, found.id)]
