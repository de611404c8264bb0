"""The texts of mail and SMS: every kind in every language, neutral, and impossible to break out of."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import icalendar
import pytest

from readiness.errors import SettingError
from readiness.meetings.calendars import feed_calendar
from readiness.meetings.mail import _client, build_mail
from readiness.meetings.message_parts import MessageContext, Tally
from readiness.meetings.messages import Message, render_message
from readiness.meetings.sms import fill_body
from readiness.settings import load_settings
from readiness.texts import LANGUAGES, catalogue
from reports.render.phones import phone_in
from reports.render.words import Words
from reports.store.records import Outgoing
from tests.cast import SUNNAAS
from tests.meetings.scene import BASE, NOW, STARTS, a_meeting

LINK = f"{BASE}/o/sunnaas/t#{'x' * 43}"
KINDS = {
    None: ("invitation", "reminder", "recheck", "moved", "cancelled", "removed", "afterwards"),
    "leader": ("leader_link", "moved", "cancelled", "removed", "summary", "alert", "pin"),
    "technical_host": ("leader_link",),
}
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""GSM 03.38 without its extension: one sign outside halves what an SMS holds."""


def context(language: str, role: str | None, **changes) -> MessageContext:
    made = MessageContext(
        organisation=SUNNAAS,
        meeting=a_meeting(),
        language=language,
        now=NOW,
        person_id="person",
        link=LINK,
        host_role=role,
        mail="anna@post.example",
        sender="video@hospital.example",
        moved_from=STARTS - timedelta(days=2),
        day=(Tally(STARTS, (("patient", "ready"), ("interpreter", "not_tested")), (("leader", "not_tested"),)),),
        changed=("patient", "not_ready"),
        pin="012345",
        pin_minutes=10,
    )
    return replace(made, **changes)


def wish(kind: str, channel: str) -> Outgoing:
    return Outgoing("id", "o", "m", "p", None, kind, channel, None, NOW, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("role", "kind"), [(role, kind) for role, kinds in KINDS.items() for kind in kinds])
def test_every_message_is_whole_and_neutral(language: str, role: str | None, kind: str):
    """PRV-5: no title, no label; no key or brace left; the link once in text and once in HTML; SMS in two parts."""
    mail = render_message(wish(kind, "mail"), context(language, role))
    sms = render_message(wish(kind, "sms"), context(language, role))
    for said in (mail.subject, mail.text, mail.html, sms.text):
        assert said.strip()
        assert not re.search(r"\{\w+\}|\b(mail|sms|ics|time|role|state)\.[a-z_]+", said), said
        assert "Canary" not in said
    has_link = kind not in {"cancelled", "removed", "pin"}
    assert mail.text.count(LINK) == mail.html.count(f'href="{LINK}"') == sms.text.count(LINK) == has_link
    assert "<img" not in mail.html
    assert f'<html lang="{language}" dir="ltr">' in mail.html
    assert set(sms.text) <= GSM
    assert len(sms.text) <= 306
    if kind in {"invitation", "reminder", "recheck"}:
        for key in (
            "what",
            "voluntary",
            "company",
            "secrecy",
            "stops",
            "private",
            "help",
            "step_1",
            "step_2",
            "step_3",
        ):
            said = catalogue(language)[f"mail.{key}"]
            phone = phone_in(language, SUNNAAS.support_phone)
            said = said.replace("{phone}", phone).replace("{clinic}", phone)
            assert said in mail.text
            assert said.replace("'", "&#39;") in mail.html
    assert (mail.calendar is not None) == (kind in {"invitation", "leader_link", "moved", "cancelled", "removed"})


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("role", [None, "leader"])
def test_a_change_that_is_no_move_says_that_the_time_is_the_same(language: str, role: str | None):
    """Another link, length or program: the time once, no "before", the link of the person."""
    here = context(language, role, moved_from=STARTS)
    mail, sms = render_message(wish("moved", "mail"), here), render_message(wish("moved", "sms"), here)
    assert mail.subject != render_message(wish("moved", "mail"), context(language, role)).subject
    before = catalogue(language)["mail.moved.before"].partition("{")[0]
    assert before not in mail.text
    assert mail.text.count(LINK) == sms.text.count(LINK) == 1
    assert not re.search(r"\{\w+\}|\b(mail|sms)\.[a-z_]+", mail.text + mail.subject + sms.text)
    assert set(sms.text) <= GSM
    assert len(sms.text) <= 306


@pytest.mark.parametrize(
    ("starts", "said"),
    [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "søndag 25. oktober kl. 02.30"),
        (datetime(2026, 10, 25, 9, 0, tzinfo=UTC), "søndag 25. oktober kl. 10.00"),
        (datetime(2027, 3, 28, 0, 59, tzinfo=UTC), "søndag 28. mars kl. 01.59"),
        (datetime(2027, 3, 28, 1, 0, tzinfo=UTC), "søndag 28. mars kl. 03.00"),
    ],
)
def test_times_are_the_organisations_over_both_changes_of_the_clocks(starts: datetime, said: str):
    """Mail says the wall clock's time, the calendar entry the moment itself."""
    meeting = a_meeting(starts_at=starts, ends_at=starts + timedelta(hours=1))
    mail = render_message(wish("invitation", "mail"), context("nb", None, meeting=meeting))
    assert said in mail.text
    assert mail.calendar
    (event,) = icalendar.Calendar.from_ical(mail.calendar.content).walk("VEVENT")
    assert event["DTSTART"].dt == starts
    assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(hours=1)


def test_what_an_organisation_is_called_is_never_markup():
    """A name with markup is shown literally."""
    name = '<script>alert(1)</script> & "Sons"'
    mail = render_message(wish("invitation", "mail"), context("en", None, organisation=replace(SUNNAAS, name=name)))
    assert "<script>" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert name in mail.text


@pytest.mark.parametrize("evil", ["a\r\nBcc: eve@evil.example", "a\nX-Evil: 1", "a\rb"])
@pytest.mark.parametrize("where", ["subject", "to", "sender_name"])
def test_no_header_can_be_smuggled_in(evil: str, where: str):
    """CR and LF in anything that becomes a header are refused before a server is asked."""
    values = {"to": "anna@post.example", "sender_name": "Sunnaas", "subject": "Hei"} | {where: evil}
    with pytest.raises(ValueError, match=r"(?i)invalid|newline|linefeed|carriage"):
        build_mail(
            Message(values["subject"], "text"),
            to=values["to"],
            sender="video@hospital.example",
            sender_name=values["sender_name"],
            message_id="id",
            language="nb",
            now=NOW,
        )


def test_a_mail_is_the_same_message_however_often_it_is_sent():
    """The Message-ID is the outbox row's, so a server that looks can drop a copy; every line is short enough."""
    made = render_message(wish("invitation", "mail"), context("nb", None))
    common = {"to": "a@b.example", "sender": "video@hospital.example", "sender_name": "Sunnaas sykehus HF, Ås"}
    one, two = (build_mail(made, **common, message_id="id", language="nb", now=NOW) for _ in range(2))
    assert one["Message-ID"] == two["Message-ID"] == "<id@hospital.example>"
    assert one["From"].addresses[0].display_name == "Sunnaas sykehus HF, Ås"
    assert max(len(line) for line in one.as_bytes().splitlines()) <= 998


@pytest.mark.parametrize("text", ['Hei "du" \\ {to} {text} & 100 %', "æøå\nlinje", "}{"])
def test_nothing_breaks_out_of_the_gateways_body(text: str):
    """JSON stays JSON and a form stays a form; what was filled in is not filled again."""
    body, kind = fill_body('{"to": ["{to}"], "message": {"body": "SMS: {text}"}, "n": 1}', "+4790000000", text)
    assert kind == "application/json"
    assert json.loads(body) == {"to": ["+4790000000"], "message": {"body": f"SMS: {text}"}, "n": 1}
    body, kind = fill_body("to={to}&text={text}&from=Sunnaas", "+4790000000", text)
    assert kind == "application/x-www-form-urlencoded"
    assert parse_qs(body) == {"to": ["+4790000000"], "text": [text], "from": ["Sunnaas"]}


@pytest.mark.parametrize(
    ("url", "port", "tls", "starttls"),
    [
        ("smtp://mail.example", 25, False, None),
        ("smtp://mail.example?starttls", 587, False, True),
        ("smtp://u:p%40ss@mail.example:2525", 2525, False, True),
        ("smtp://u:p@127.0.0.1", 25, False, None),
        ("smtps://u:p@mail.example", 465, True, False),
    ],
)
def test_a_password_needs_tls(url: str, port: int, *, tls: bool, starttls: bool | None):
    """Without TLS a password goes to this machine only."""
    client = _client(url)
    assert (client.port, client.use_tls, client._start_tls_on_connect) == (port, tls, starttls)
    assert client._login_password in {None, "p", b"p@ss", "p@ss", b"p"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"SMTP_URL": "http://mail.example", "MAIL_FROM": "a@b.example"},
        {"SMTP_URL": "smtp://mail.example?tls=no", "MAIL_FROM": "a@b.example"},
        {"SMTP_URL": "smtp://user:CanarySecret@mail.example"},
        {"SMTP_URL": "smtp://user:CanarySecret@:bad:port", "MAIL_FROM": "a@b.example"},
        {"MAIL_FROM": "Sunnaas <a@b.example>"},
        {"SMS_URL": "ftp://CanarySecret"},
        {"SMS_METHOD": "DELETE"},
        {"SMS_BODY": "{text}"},
        {"SMS_BODY": '{"to": "{to}", "text": "{text}"'},
        {"SMS_HEADERS": "CanarySecret without a colon"},
    ],
)
def test_a_wrong_setting_stops_the_start_and_shows_no_secret(wrong: dict[str, str]):
    """One line names the setting; passwords and keys never stand in it."""
    with pytest.raises(SettingError) as caught:
        load_settings({f"READINESS_{name}": value for name, value in wrong.items()})
    assert "READINESS_" in caught.value.message
    assert "Canary" not in caught.value.message


def test_a_feed_holds_no_link_and_marks_what_is_cancelled():
    """Times, a neutral summary, and SEQUENCE for calendars that keep what they fetched."""
    meetings = [a_meeting(), a_meeting(state="cancelled", sequence=3)]
    content = feed_calendar(meetings, Words(catalogue("nb"), "nb"), NOW)
    assert b"http" not in content
    assert b"Canary" not in content
    first, second = icalendar.Calendar.from_ical(content).walk("VEVENT")
    assert (first["STATUS"], second["STATUS"]) == ("CONFIRMED", "CANCELLED")
    assert (first["SUMMARY"], int(second["SEQUENCE"])) == ("Videomøte", 3)
    assert first["UID"] != second["UID"]
