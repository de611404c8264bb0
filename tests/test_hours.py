"""When a phone is open, from words as organisations write them; what can't be read says nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from readiness.hours import read_hours
from readiness.server.board import organisation_json
from readiness.server.pages import opens_words
from readiness.texts import catalogue
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


@pytest.mark.parametrize("language", ["nb", "nn", "en"])
def test_pages_are_told_while_the_phone_is_closed(language: str) -> None:
    """When it opens, as moment and in words; nothing while it is open, or where the hours say nothing."""
    evening, noon = datetime(2027, 3, 26, 18, 0, tzinfo=UTC), datetime(2027, 3, 26, 11, 0, tzinfo=UTC)
    clinic = replace(SUNNAAS, support_hours="man-fre 08-15")
    told = organisation_json(clinic, evening)
    assert told is not None
    assert (told["opens_at"], told["time_zone"]) == ("2027-03-29T06:00:00Z", "Europe/Oslo")
    assert "08" in opens_words(clinic, language, evening)
    assert catalogue(language)["time.weekday_1"] in opens_words(clinic, language, evening)
    for organisation, now in ((clinic, noon), (replace(clinic, support_hours="etter avtale"), evening)):
        shown = organisation_json(organisation, now)
        assert shown is not None
        assert shown["opens_at"] is None
        assert opens_words(organisation, language, now) == ""
