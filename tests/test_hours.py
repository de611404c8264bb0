"""When a phone is open, from words as organisations write them; what can't be read says nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from readiness.closed_days import public_holidays, read_closed_days
from readiness.hours import read_hours
from readiness.server.board import organisation_json
from readiness.server.pages import opens_words
from readiness.server.phone_hours import phone_opens_at
from readiness.texts import catalogue
from reports.store.records import Organisation
from tests.cast import SUNNAAS

OSLO = ZoneInfo("Europe/Oslo")
WEEK = [(day, 480, 900) for day in range(1, 6)]
LUNCH = [(day, *span) for day in range(1, 6) for span in ((480, 720), (780, 900))]


@pytest.mark.parametrize(
    ("typed", "spans"),
    [
        ("man-fre 08-15", WEEK),
        ("Mandag\N{EN DASH}fredag kl. 8.00\N{EN DASH}15.00", WEEK),
        ("hverdager kl. 8-15", WEEK),
        ("Kvardagar: 08:00 - 15:00", WEEK),
        ("mon-fri 08:00-15:00", WEEK),
        ("08-15", [(day, 480, 900) for day in range(1, 8)]),
        ("man-tors 8-15.30, fre 8-14", [(1, 480, 930), (2, 480, 930), (3, 480, 930), (4, 480, 930), (5, 480, 840)]),
        ("hverdager 8-15 og lørdag 10-12", [*WEEK, (6, 600, 720)]),
        ("man-fre 08-12, 13-15", LUNCH),
        ("hverdager 08-12 og 13-15", LUNCH),
        ("08-12, 13-15", [(day, *span) for day in range(1, 8) for span in ((480, 720), (780, 900))]),
        ("lør 10-12, 13-14, søn 12-13", [(6, 600, 720), (6, 780, 840), (7, 720, 780)]),
        ("døgnet rundt", [(day, 0, 1440) for day in range(1, 8)]),
    ],
)
def test_hours_are_read_as_people_write_them(typed: str, spans: list[tuple[int, int, int]]) -> None:
    """Days and times of day in three languages, with any dash; without days those before them, at first every day."""
    found = read_hours(typed)
    assert found is not None
    assert list(found.spans) == spans


@pytest.mark.parametrize(
    "typed", ["", "etter avtale", "fre-man 8-15", "8", "25-26", "15-08", "8.75-9", "man og fre", "i dag 8-15"]
)
def test_what_is_no_hours_says_nothing(typed: str) -> None:
    """Then the page shows the words, and claims neither open nor closed."""
    assert read_hours(typed) is None


def test_a_closed_phone_says_when_it_opens() -> None:
    """Open to the minute; in the evening the next day, on Friday evening on Monday, over a change of the clocks too."""
    hours = read_hours("man-fre 08-15")
    assert hours is not None

    def opens(day: int, at: str, month: int = 3) -> str | None:
        hour, minute = map(int, at.split(":"))
        found = hours.opens_at(datetime(2027, month, day, hour, minute, tzinfo=OSLO).astimezone(UTC), OSLO)
        return found and f"{found.astimezone(OSLO):%a %d %H:%M}"

    assert opens(1, "07:59") == "Mon 01 08:00"
    assert opens(1, "08:00") is None
    assert opens(1, "14:59") is None
    assert opens(1, "15:00") == "Tue 02 08:00"
    assert opens(26, "15:30") == "Mon 29 08:00", "the clocks go forward in between"
    assert opens(27, "12:00") == "Mon 29 08:00"


@pytest.mark.parametrize(
    ("year", "moving"),
    [
        (2026, ["04-02", "04-03", "04-05", "04-06", "05-14", "05-24", "05-25"]),
        (2027, ["03-25", "03-26", "03-28", "03-29", "05-06", "05-16", "05-17"]),
        (2038, ["04-22", "04-23", "04-25", "04-26", "06-03", "06-13", "06-14"]),
    ],
)
def test_norways_public_holidays_are_known(year: int, moving: list[str]) -> None:
    """As the almanac has them; Whit Monday may fall on the 17th of May, and Easter as late as it gets."""
    fixed = ["01-01", "05-01", "05-17", "12-25", "12-26"]
    assert public_holidays(year) == {date.fromisoformat(f"{year}-{day}") for day in {*fixed, *moving}}


def _opens(organisation: Organisation, at: str) -> str | None:
    found = phone_opens_at(organisation, datetime.fromisoformat(at).replace(tzinfo=OSLO))
    return found and f"{found.astimezone(OSLO):%a %Y-%m-%d %H:%M}"


def test_on_a_public_holiday_a_norwegian_phone_is_open_as_on_sundays() -> None:
    """Easter 2027 from Wednesday evening on; elsewhere nothing is known of holidays; open on Sundays is open then."""
    clinic = replace(SUNNAAS, support_hours="man-fre 08-15")
    assert _opens(clinic, "2027-03-24T15:00") == "Tue 2027-03-30 08:00"
    assert _opens(clinic, "2027-03-29T10:00") == "Tue 2027-03-30 08:00"
    assert _opens(replace(clinic, support_hours="døgnet rundt"), "2027-03-29T10:00") is None
    assert (
        _opens(replace(clinic, support_hours="man-fre 8-15, søn 10-12"), "2027-03-29T09:00") == "Mon 2027-03-29 10:00"
    )
    swedish = replace(clinic, support_phone="+46 8 123 456 00", time_zone="Europe/Stockholm")
    assert _opens(swedish, "2027-03-29T10:00") is None


def test_an_organisations_own_closed_days_are_kept_whatever_its_hours_say() -> None:
    """Each year or in one, alone or from one to another, also over New Year."""
    clinic = replace(SUNNAAS, support_hours="alle dager 08-15", closed_days="24.12 - 2.1, 2027-03-24; 30.4.2027")
    assert _opens(clinic, "2026-12-23T16:00") == "Sun 2027-01-03 08:00"
    assert _opens(clinic, "2031-12-30T10:00") == "Sat 2032-01-03 08:00"
    assert _opens(clinic, "2027-03-24T10:00") == "Thu 2027-03-25 08:00"
    assert _opens(clinic, "2027-04-30T10:00") == "Sat 2027-05-01 08:00"
    assert _opens(clinic, "2028-04-30T10:00") is None
    assert _opens(replace(clinic, support_hours="etter avtale"), "2027-04-30T10:00") is None


@pytest.mark.parametrize(
    "typed", ["24", "jul", "31.2", "2026-13-01", "3.1.2026-2.1.2026", "1.7-2026-07-31", "24.12-", "24.12 og 31.12"]
)
def test_what_is_no_day_is_refused(typed: str) -> None:
    """Whoever sets up the organisation reads how to write it."""
    assert read_closed_days(typed) is None


def test_days_are_read_as_people_write_them() -> None:
    """With and without spaces, full stops and years; the 29th of February is a day."""
    found = read_closed_days("24.12., 1. 7.-31. 7, 15.05.2026, 2026-12-23 - 2026-12-30; 29.2")
    assert found is not None
    assert [(str(one.first)[5:], str(one.last)[5:], one.is_yearly) for one in found] == [
        ("12-24", "12-24", True), ("07-01", "07-31", True), ("05-15", "05-15", False), ("12-23", "12-30", False),
        ("02-29", "02-29", True),
    ]  # fmt: skip
    assert read_closed_days("") == ()


@pytest.mark.parametrize("language", ["nb", "nn", "en"])
def test_pages_are_told_while_the_phone_is_closed(language: str) -> None:
    """When it opens, as moment and in words; nothing while it is open, or where the hours say nothing."""
    evening, noon = datetime(2027, 3, 19, 18, 0, tzinfo=UTC), datetime(2027, 3, 19, 11, 0, tzinfo=UTC)
    clinic = replace(SUNNAAS, support_hours="man-fre 08-15")
    told = organisation_json(clinic, evening)
    assert told is not None
    assert (told["opens_at"], told["time_zone"]) == ("2027-03-22T07:00:00Z", "Europe/Oslo")
    assert "08" in opens_words(clinic, language, evening)
    assert catalogue(language)["time.weekday_1"] in opens_words(clinic, language, evening)
    for organisation, now in ((clinic, noon), (replace(clinic, support_hours="etter avtale"), evening)):
        shown = organisation_json(organisation, now)
        assert shown is not None
        assert shown["opens_at"] is None
        assert opens_words(organisation, language, now) == ""
