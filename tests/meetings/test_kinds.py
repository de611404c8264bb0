"""The table of message kinds: whole, and for each kind what its readers are promised."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from readiness.access.pins import PIN_LIFE
from readiness.meetings.kinds import BRINGS_LINK, FOLLOWS_UP, INVITES, KINDS
from readiness.texts import LANGUAGES, catalogue
from reports.store.records import ANSWERS_AFTER_END, MessageName
from tests.store import cast

MINUTE = timedelta(minutes=1)
SMS_OF_MOVED = {"sms.moved", "sms.changed", "sms.moved_host", "sms.changed_host"}


def test_the_table_has_every_kind_and_each_has_words():
    """What the store may hold is in the table, in every language, as mail and as SMS."""
    assert set(KINDS) == set(get_args(MessageName))
    for language in LANGUAGES:
        words = catalogue(language)
        for name in KINDS:
            assert {f"mail.{name}.subject"} <= set(words)
            assert (SMS_OF_MOVED if name == "moved" else {f"sms.{name}"}) <= set(words)


def test_who_is_told_of_what():
    """The sets that others ask the table for, spelled out once."""
    assert {"invitation", "leader_link"} == INVITES
    assert {"reminder", "recheck", "moved", "afterwards", "summary", "alert"} == FOLLOWS_UP
    assert set(KINDS) - {"cancelled", "removed", "pin"} == BRINGS_LINK
    assert {name for name, kind in KINDS.items() if kind.has_calendar} == {*INVITES, "moved", "cancelled", "removed"}
    assert not INVITES & FOLLOWS_UP, "an invitation makes the link that others need"


@pytest.mark.parametrize("name", KINDS)
def test_until_when_a_message_is_of_use(name):
    """What asks for something ends when the meeting starts, a code after ten minutes, the rest with the meeting."""
    meeting = cast.meeting()
    planned = meeting if name != "cancelled" else replace(meeting, state="cancelled")
    end = {"pin": cast.NOW + PIN_LIFE, "afterwards": cast.ENDS + ANSWERS_AFTER_END}
    end |= dict.fromkeys(("reminder", "recheck", "summary", "alert"), cast.STARTS)
    message = cast.outgoing(kind=name)
    ends = end.get(name, cast.ENDS)
    assert not KINDS[name].is_over(message, planned, ends - MINUTE)
    assert KINDS[name].is_over(message, planned, ends)


@pytest.mark.parametrize("name", KINDS)
def test_of_a_cancelled_meeting_only_that_is_told(name):
    """And of one that goes on nobody is told that it does not; a leader's code, and being taken out, go by neither."""
    of = {state: not KINDS[name].is_over(cast.outgoing(kind=name), cast.meeting(state=state), cast.NOW)
          for state in ("planned", "cancelled")}  # fmt: skip
    expected = {"cancelled": (False, True), "pin": (True, True), "removed": (True, True)}.get(name, (True, False))
    assert (of["planned"], of["cancelled"]) == expected


def test_whoever_has_tested_is_not_asked():
    """A reminder asks for a report that is valid now, the morning's check for one that lasts until the meeting."""
    meeting = cast.meeting()
    until = {"over": cast.NOW, "now": cast.NOW + MINUTE, "start": cast.STARTS, "longer": cast.STARTS + MINUTE}
    answered = {
        name: {
            word for word, moment in until.items()
            if kind.is_answered(cast.report(valid_until=moment), meeting, cast.NOW, "Europe/Oslo")
        }
        for name, kind in KINDS.items()
    }  # fmt: skip
    assert answered.pop("reminder") == {"now", "start", "longer"}
    assert answered.pop("recheck") == {"longer"}
    assert set().union(*answered.values()) == set(), "the others ask for nothing"
    sore = cast.report(valid_until=cast.STARTS + MINUTE, verdict="not_ready")
    assert not KINDS["reminder"].is_answered(sore, meeting, cast.NOW, "Europe/Oslo")
    assert not KINDS["reminder"].is_answered(None, meeting, cast.NOW, "Europe/Oslo")
    broken = cast.report(verdict="incomplete", valid_until=until["longer"])
    assert not KINDS["reminder"].is_answered(broken, meeting, cast.NOW, "Europe/Oslo")
