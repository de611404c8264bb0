"""The outbox's runner with a real SMTP server and a real gateway: who gets what, what is tried again or dropped."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import icalendar
import pytest

from readiness.access.tokens import hash_token
from readiness.meetings.addresses import Reach, seal_reach
from readiness.meetings.delivery import OURS
from readiness.meetings.gsm import carried, parts
from readiness.meetings.marks import state_mark
from readiness.meetings.message_parts import MessageContext
from readiness.meetings.messages import render_message
from readiness.meetings.outbox import retry_delay
from readiness.meetings.planner import Planner
from readiness.meetings.views import meeting_json
from readiness.meetings.wishes import Change
from readiness.texts import catalogue
from reports.store import Store
from reports.store.records import new_id
from tests.actors import CLOCK, otto
from tests.cast import SUNNAAS
from tests.meetings.receivers import Gateway, Mailbox, gateway, mailbox
from tests.meetings.scene import ANNA, BASE, NOW, STARTS, Scene, make_scene, make_services, runner_of


@pytest.fixture
async def store(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Store]:
    shutil.copy(migrated_file, tmp_path / "r.db")
    opened = await Store.open(f"sqlite:///{tmp_path / 'r.db'}")
    yield opened
    await opened.close()


@pytest.fixture
async def post() -> AsyncIterator[Mailbox]:
    async with mailbox() as kept:
        yield kept


@pytest.fixture
async def sms() -> AsyncIterator[Gateway]:
    async with gateway() as kept:
        yield kept


@pytest.fixture
async def scene(store: Store, post: Mailbox, sms: Gateway) -> Scene:
    return await make_scene(
        make_services(store, smtp_url=post.url, mail_from="video@hospital.example", sms_url=sms.url + "/send")
    )


async def sent(scene: Scene, *messages) -> None:
    await scene.services.store.queue(messages)
    runner = runner_of(scene.services)
    while await runner.send_due():
        pass


async def test_an_invitation_arrives_with_the_link_in_the_persons_language(scene: Scene, post: Mailbox, sms: Gateway):
    """Anna's mail has text, HTML and a calendar entry, all with her own link; the interpreter's SMS is English."""
    await sent(
        scene,
        scene.outgoing("invitation", "mail", scene.anna),
        scene.outgoing("invitation", "sms", scene.tolk),
        scene.outgoing("leader_link", "mail", scene.lars),
    )
    assert [state for _, state, _ in await scene.states()] == ["sent"] * 3
    (mail,) = post.to("anna@post.example")
    text, page = mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()
    link = scene.links[scene.anna.id]
    assert link.startswith(f"{BASE}/o/sunnaas/t#")
    assert f"\n{link}\n" in text.replace("\r\n", "\n")
    assert f'href="{link}"' in page
    assert "tirsdag 1. desember kl. 10.00" in text
    assert "66\N{NO-BREAK SPACE}96\N{NO-BREAK SPACE}90\N{NO-BREAK SPACE}00" in text
    assert not [one for one in ("<img", "CanaryTitle", "CanaryLabel", "http-equiv") if one in page + text]
    assert mail["Auto-Submitted"] == "auto-generated"
    (entry,) = mail.iter_attachments()
    assert entry.get_params(header="content-type")
    calendar = icalendar.Calendar.from_ical(entry.get_content())
    (event,) = calendar.walk("VEVENT")
    assert calendar["METHOD"] == entry.get_param("method") == "REQUEST"
    assert event["DTSTART"].dt == STARTS
    assert event["URL"] == link
    (wish,) = sms.sent()
    assert wish["to"] == "+4790000002"
    assert scene.links[scene.tolk.id] in wish["text"]
    assert "Video meeting" in wish["text"]
    (board,) = post.to("lars@hospital.example")
    said = board.get_body(("plain",)).get_content()
    assert scene.links[scene.lars.id] in said
    token = re.search(rf"{BASE}/feed/([\w-]{{43}})\.ics", said)[1]
    assert (await scene.services.store.link_by_hash("feed", hash_token(token), NOW)).host_id == scene.lars.id


async def test_a_kind_of_a_newer_version_waits_for_it(scene: Scene, post: Mailbox):
    """Nothing is sent and nothing is lost: it is tried again, by whoever knows what it says."""
    await sent(scene, scene.outgoing("of_tomorrow", "mail", scene.anna))
    assert await scene.states() == [("of_tomorrow", "waiting", "fault")]
    assert post.mails == []


async def test_a_reminder_carries_the_same_link_and_a_withdrawn_one_is_not_made_again(scene: Scene, post: Mailbox):
    """LNK-1: derived, so the same; after a revoke a reminder is dropped, while a new invitation makes a new link."""
    await sent(scene, scene.outgoing("reminder", "mail", scene.anna))
    assert scene.links[scene.anna.id] in post.mails[0].get_body(("plain",)).get_content()
    await scene.services.store.revoke_of(NOW, participant_id=scene.anna.id)
    await sent(scene, scene.outgoing("reminder", "mail", scene.anna))
    await sent(scene, scene.outgoing("invitation", "mail", scene.anna))
    assert [one[:2] for one in await scene.states()] == [
        ("invitation", "sent"),
        ("reminder", "dropped"),
        ("reminder", "sent"),
    ]
    assert scene.links[scene.anna.id] not in post.mails[1].get_body(("plain",)).get_content()


async def test_a_new_link_alone_is_told_and_one_that_is_back_is_not(scene: Scene, post: Mailbox):
    """The time is the same: said so, with a higher SEQUENCE; taken back before it was sent, nobody hears of it."""
    services = scene.services
    planner = Planner(services.store, services.contacts, SUNNAAS, "https://ready.example", NOW, otto(SUNNAAS.id))
    await sent(scene, scene.outgoing("invitation", "mail", scene.anna))
    for link in ("https://teams.microsoft.com/meet/222333444", "", "https://teams.microsoft.com/meet/555666777"):
        await planner.change(scene.meeting.id, Change(join_link=link))
        if not link:
            await sent(scene)
    await sent(scene)
    told = [one for one in await services.store.outgoing_of(CLOCK, scene.meeting.id) if one.kind == "moved"]
    assert sorted((one.state, one.error or "") for one in told) == [("dropped", ""), ("dropped", "over"), ("sent", "")]
    _, changed = post.to("anna@post.example")
    words = catalogue("nb")["mail.changed.subject"]
    assert changed["Subject"].startswith(words.partition("{")[0])
    event = icalendar.Calendar.from_ical(next(changed.iter_attachments()).get_content()).walk("VEVENT")[0]
    assert int(event["SEQUENCE"]) > 0
    assert (await services.store.meeting(CLOCK, scene.meeting.id)).solution == "teams"


async def test_what_was_moved_or_cancelled_counts_up_in_the_calendar(scene: Scene, post: Mailbox):
    """Moved: old time and new, a higher SEQUENCE. Cancelled: CANCEL, no link. Neither when it was taken back."""
    store = scene.services.store
    later = STARTS + timedelta(days=1)
    changes = {"starts_at": later, "ends_at": later + timedelta(minutes=45)}
    await store.change_meeting(otto("sunnaas"), scene.meeting.id, changes)
    told = {"moved_from": STARTS.isoformat()}
    await sent(scene, scene.outgoing("moved", "mail", scene.anna, data=told))
    await sent(scene, scene.outgoing("moved", "mail", scene.tolk, data=told))
    back = {"was": state_mark(scene.services.contacts, await scene.services.store.meeting(CLOCK, scene.meeting.id))}
    await sent(scene, scene.outgoing("moved", "mail", scene.anna, data={"moved_from": later.isoformat(), **back}))
    await store.cancel_meeting(otto("sunnaas"), scene.meeting.id, NOW)
    await sent(scene, scene.outgoing("cancelled", "mail", scene.anna), scene.outgoing("invitation", "mail", scene.anna))
    assert await scene.states() == [
        ("cancelled", "sent", None),
        ("invitation", "dropped", "over"),
        ("moved", "dropped", "over"),
        ("moved", "failed", "no_address"),
        ("moved", "sent", None),
    ]
    moved, cancelled = post.to("anna@post.example")
    text = moved.get_body(("plain",)).get_content()
    assert "onsdag 2. desember kl. 10.00" in text
    assert "Før var det tirsdag 1. desember kl. 10.00" in text
    events = [icalendar.Calendar.from_ical(next(mail.iter_attachments()).get_content()) for mail in (moved, cancelled)]
    first, second = (one.walk("VEVENT")[0] for one in events)
    assert [one["METHOD"] for one in events] == ["REQUEST", "CANCEL"]
    assert first["UID"] == second["UID"]
    assert 0 < int(first["SEQUENCE"]) < int(second["SEQUENCE"])
    assert "http" not in cancelled.get_body(("plain",)).get_content()


async def test_who_is_taken_out_is_told_and_loses_the_entry_in_the_calendar(scene: Scene, post: Mailbox, sms: Gateway):
    """Anna by mail, with CANCEL for her entry alone; the leader by SMS; who was never invited, by nobody."""
    services, store = scene.services, scene.services.store
    planner = Planner(store, services.contacts, SUNNAAS, "https://ready.example", NOW, otto(SUNNAAS.id))
    await sent(
        scene, scene.outgoing("invitation", "mail", scene.anna), scene.outgoing("leader_link", "sms", scene.lars)
    )
    await planner.remove_person(scene.meeting.id, scene.anna.id)
    await planner.remove_person(scene.meeting.id, scene.tolk.id)
    await planner.remove_host(scene.meeting.id, scene.lars.id)
    await sent(scene)
    assert await scene.states() == [("removed", "sent", None)] * 2
    invited, removed = post.to("anna@post.example")
    assert removed["Subject"] == "Du er ikke lenger med i videomøtet tirsdag 1. desember kl. 10.00"
    assert scene.links[scene.anna.id] not in removed.get_body(("plain",)).get_content()
    events = [icalendar.Calendar.from_ical(next(mail.iter_attachments()).get_content()) for mail in (invited, removed)]
    first, second = (one.walk("VEVENT")[0] for one in events)
    assert [one["METHOD"] for one in events] == ["REQUEST", "CANCEL"]
    assert first["UID"] == second["UID"]
    assert int(first["SEQUENCE"]) < int(second["SEQUENCE"])
    assert (await store.meeting(CLOCK, scene.meeting.id)).state == "planned"
    assert sms.sent()[-1]["to"] == "+4790000003"
    assert "ikkje lenger med" in sms.sent()[-1]["text"]
    shown = await meeting_json(planner, await planner.meeting(scene.meeting.id))
    assert shown["taken_out"] == [], "who was told is forgotten, and who was never told is not kept"


async def test_who_shares_a_number_with_somebody_who_stays_is_not_told_by_message(
    scene: Scene, post: Mailbox, sms: Gateway
):
    """Entered twice: no message and nobody to call. A couple with one phone: no message, and a call."""
    services, store = scene.services, scene.services.store
    planner = Planner(store, services.contacts, SUNNAAS, "https://ready.example", NOW, otto(SUNNAAS.id))
    twice = replace(scene.anna, id=new_id(), reach=seal_reach(services.contacts, ANNA))
    shared = seal_reach(services.contacts, Reach(phone=ANNA.phone))
    partner = replace(twice, id=new_id(), role="relative", label="Per", reach=shared)
    for one in (twice, partner):
        await store.add_participant(otto(SUNNAAS.id), scene.meeting.id, one)
        await sent(scene, scene.outgoing("invitation", "sms", one))
        await planner.remove_person(scene.meeting.id, one.id)
    told = len(sms.sent())
    await sent(scene)
    assert len(sms.sent()) == told == 2
    shown = await meeting_json(planner, await planner.meeting(scene.meeting.id))
    assert [(one["label"], one["call"]) for one in shown["taken_out"]] == [("Per", True)]


async def test_who_was_taken_out_is_told_also_when_the_meeting_is_cancelled_at_once(scene: Scene, post: Mailbox):
    """The message waits when the meeting is cancelled: the entry goes out of her calendar all the same."""
    services, store = scene.services, scene.services.store
    planner = Planner(store, services.contacts, SUNNAAS, "https://ready.example", NOW, otto(SUNNAAS.id))
    await sent(scene, scene.outgoing("invitation", "mail", scene.anna))
    await planner.remove_person(scene.meeting.id, scene.anna.id)
    await planner.cancel(scene.meeting.id)
    await sent(scene)
    assert await scene.states() == [("removed", "sent", None)]
    _, removed = post.to("anna@post.example")
    assert icalendar.Calendar.from_ical(next(removed.iter_attachments()).get_content())["METHOD"] == "CANCEL"


async def test_an_entry_reminds_ten_minutes_before(scene: Scene, post: Mailbox):
    """VALARM in what is invited to, with a neutral word; none in what is cancelled."""
    await sent(scene, scene.outgoing("invitation", "mail", scene.anna))
    await scene.services.store.cancel_meeting(otto("sunnaas"), scene.meeting.id, NOW)
    await sent(scene, scene.outgoing("cancelled", "mail", scene.anna))
    events = [icalendar.Calendar.from_ical(next(mail.iter_attachments()).get_content()) for mail in post.mails]
    alarms = [one.walk("VALARM") for one in events]
    assert [len(one) for one in alarms] == [1, 0]
    assert alarms[0][0]["TRIGGER"].dt == -timedelta(minutes=10)
    assert (alarms[0][0]["ACTION"], alarms[0][0]["DESCRIPTION"]) == ("DISPLAY", "Videomøte")


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [("550 no such user", "failed", "refused"), ("451 later", "waiting", "later")],
)
async def test_a_refused_address_fails_at_once_and_a_busy_server_is_tried_again(
    scene: Scene, post: Mailbox, answer: str, state: str, code: str
):
    """5xx is final, 4xx waits; the next recipient on the same connection gets the mail."""
    post.answers["anna@post.example"] = answer
    await sent(
        scene, scene.outgoing("invitation", "mail", scene.anna), scene.outgoing("leader_link", "mail", scene.lars)
    )
    assert await scene.states() == [("invitation", state, code), ("leader_link", "sent", None)]


async def test_without_a_server_it_is_tried_for_a_day(store: Store, sms: Gateway):
    """Nobody answers: waits longer each time, and gives up after 24 hours. Not set up: fails at once, and says so."""
    services = make_services(store, smtp_url="smtp://127.0.0.1:9", mail_from="v@hospital.example", sms_url=sms.url)
    scene = await make_scene(services)
    sms.status = 500
    await sent(scene, scene.outgoing("invitation", "mail", scene.anna), scene.outgoing("invitation", "sms", scene.tolk))
    assert await scene.states() == [("invitation", "waiting", "unreachable")] * 2
    tries = 1
    while tries < 60 and ("invitation", "waiting", "unreachable") in await scene.states():
        services.clock = max(one.due_at for one in await store.outgoing_of(CLOCK, scene.meeting.id))
        await sent(scene)
        tries += 1
    assert await scene.states() == [("invitation", "failed", "gave_up")] * 2
    assert 25 <= tries <= 40
    assert services.clock > NOW + timedelta(hours=22)
    bare = make_services(store)
    other = await make_scene(bare)
    await sent(other, other.outgoing("invitation", "mail", other.anna), other.outgoing("invitation", "sms", other.tolk))
    assert await other.states() == [
        ("invitation", "failed", "no_mail_server"),
        ("invitation", "failed", "no_sms_gateway"),
    ]


def test_delays_grow_to_an_hour():
    """30 s, doubled, and never longer than an hour and a fifth."""
    spans = [retry_delay(number).total_seconds() for number in range(1, 30)]
    assert all(30 * 2**at * 0.8 <= span <= 30 * 2**at * 1.2 for at, span in enumerate(spans[:7]))
    assert max(spans) <= 3600 * 1.2


async def test_a_summary_tells_how_the_leaders_day_stands_without_names(scene: Scene, post: Mailbox):
    """Both meetings of the day in one mail, roles and states, no labels; an alert goes by SMS with role and state."""
    second = await make_scene(
        scene.services, starts_at=STARTS + timedelta(hours=2), ends_at=STARTS + timedelta(hours=3)
    )
    await scene.report(scene.anna, "ready", NOW, STARTS + timedelta(hours=1))
    await sent(scene, scene.outgoing("summary", "mail", scene.lars))
    text = post.mails[0].get_body(("plain",)).get_content()
    assert post.mails[0]["Subject"] == "Videomøte tysdag 1. desember, klare: 1 av 4"
    assert text.index("Kl. 10.00: klare 1 av 2") < text.index("Kl. 12.00: klare 0 av 2")
    assert "Pasient: Klar" in text
    assert "CanaryLabel" not in text
    assert second.meeting.starts_at > scene.meeting.starts_at


async def test_a_pin_is_made_again_from_its_message_and_dies_with_it(scene: Scene, sms: Gateway):
    """The code sent is the one that opens; ten minutes later it is not sent any more."""
    from readiness.access.pins import pin_of

    wish = scene.outgoing("pin", "sms", scene.lars)
    await sent(scene, wish)
    assert pin_of(scene.services.contacts, wish.id) in sms.sent()[0]["text"]
    await sent(scene, replace(scene.outgoing("pin", "sms", scene.lars), created_at=NOW - timedelta(minutes=11)))
    assert [one[1] for one in await scene.states()] == ["dropped", "sent"]


@pytest.mark.parametrize(
    ("status", "state", "code"),
    [
        (204, "sent", None),
        (302, "waiting", "unreachable"),
        (400, "failed", "refused"),
        (400, "waiting", "request"),
        (401, "waiting", "login"),
        (402, "waiting", "declined"),
        (404, "waiting", "unreachable"),
        (429, "waiting", "later"),
        (503, "waiting", "unreachable"),
    ],
)
async def test_a_gateway_is_asked_as_it_wants_and_its_answer_is_believed(
    store: Store, sms: Gateway, status: int, state: str, code: str | None
):
    """A query instead of a body, with a key; redirects are not followed; only a wrong number is not ours."""
    services = make_services(
        store, sms_url=sms.url + "/send?to={to}&msg={text}", sms_method="GET", sms_headers="X-Key: hunter2\nX-B: 2"
    )
    scene = await make_scene(services)
    sms.status, sms.says = status, "Invalid recipient" if state == "failed" else "no"
    await sent(scene, scene.outgoing("invitation", "sms", scene.tolk))
    assert await scene.states() == [("invitation", state, code)]
    ((method, path, headers, body),) = sms.requests
    asked = parse_qs(urlsplit(path).query)
    assert (method, body, headers["X-Key"], headers["X-B"]) == ("GET", "", "hunter2", "2")
    assert asked["to"] == ["+4790000002"]
    assert scene.links[scene.tolk.id] in asked["msg"][0]


async def test_a_server_that_stops_finishes_one_message_and_gives_back_the_rest(scene: Scene, post: Mailbox):
    """What is in hand is settled, so that it is not sent twice; the rest is free for the next server at once."""
    runner = runner_of(scene.services)
    wishes = [scene.outgoing("invitation", "mail", scene.anna) for _ in range(3)]
    await scene.services.store.queue(wishes)
    task = asyncio.create_task(runner.run())
    while not post.mails:
        await asyncio.sleep(0.001)
    await runner.stop(5.0)
    assert task.done()
    states = [state for _, state, _ in await scene.states()]
    assert states.count("sent") == len(post.mails) < 3
    assert set(states) == {"sent", "waiting"}
    await sent(scene)
    assert len(post.mails) == 3
    assert len({mail["Message-ID"] for mail in post.mails}) == 3


async def test_what_is_ours_is_tried_again_and_named_as_ours(scene: Scene, post: Mailbox, monkeypatch):
    """nodemailer/nodemailer#386: for the whole batch, logged once; when it is mended everything goes out."""
    logged: list[tuple[str, dict]] = []
    monkeypatch.setattr(
        "readiness.meetings.outbox.log_event", lambda _log, _level, event, **said: logged.append((event, said))
    )
    for address in ("anna@post.example", "lars@hospital.example"):
        post.answers[address] = "550 5.7.1 Unable to relay"
    store, runner = scene.services.store, runner_of(scene.services)
    wishes = [scene.outgoing("invitation", "mail", scene.anna), scene.outgoing("leader_link", "mail", scene.lars)]
    await store.queue(wishes)
    await runner.send_due()
    assert await scene.states() == [("invitation", "waiting", "relay"), ("leader_link", "waiting", "relay")]
    assert await store.stuck(OURS) == await store.stuck(OURS, "sunnaas") == {"mail": "relay"}
    assert (await store.stuck(OURS, "ahus"), await store.stuck({"login"})) == ({}, {})
    assert logged == [("delivery.lost", {"channel": "mail", "code": "relay", "detail": "550 5.7.1"})]
    post.answers.clear()
    scene.services.clock = NOW + timedelta(hours=1)
    await runner.send_due()
    assert {state for _, state, _ in await scene.states()} == {"sent"}
    assert (logged[1:], await store.stuck(OURS)) == ([("delivery.back", {"channel": "mail"})], {})


async def test_after_a_day_the_reason_is_kept(scene: Scene, post: Mailbox):
    """What was ours to mend is still named when it is given up; a full mailbox too."""
    for answer, code in (("550 5.7.1 relaying denied", "relay"), ("552 5.2.2 full", "full"), ("451 later", "gave_up")):
        post.answers["anna@post.example"] = answer
        late = scene.outgoing("invitation", "mail", scene.anna, created_at=NOW - timedelta(hours=24))
        await sent(scene, late)
        found = await scene.services.store.outgoing_of(CLOCK, scene.meeting.id)
        assert [(one.state, one.error) for one in found if one.id == late.id] == [("failed", code)]


async def test_a_gateway_that_says_no_in_its_answer_is_asked_three_times(store: Store, sms: Gateway):
    """It may have sent the SMS all the same: nobody gets it thirty times."""
    scene = await make_scene(make_services(store, sms_url=sms.url, sms_success="^OK"))
    sms.says = "ERROR"
    await sent(scene, scene.outgoing("invitation", "sms", scene.tolk))
    while ("invitation", "waiting", "declined") in await scene.states():
        scene.services.clock += timedelta(hours=1)
        await sent(scene)
    assert (await scene.states(), len(sms.requests)) == ([("invitation", "failed", "declined")], 3)


@pytest.mark.parametrize(
    "name",
    [
        "Sámi klinihkka – Čáhppe’s «Đuođđu» psykisk helsevern og rus i Kárášjohka",
        "Helse Sør-Øst: " + "avdeling " * 20,
        "Å",
    ],
)
async def test_an_sms_stays_within_two_parts_whatever_the_organisation_is_called(scene: Scene, name: str):
    """mozilla/fxa#5207: every kind, in every language, with the longest of times."""
    for kind in ("invitation", "reminder", "recheck", "cancelled", "moved"):
        for language in ("nb", "nn", "en"):
            context = MessageContext(
                organisation=replace(SUNNAAS, name=name),
                meeting=scene.meeting,
                language=language,
                now=NOW,
                person_id="x",
                link=scene.links[scene.anna.id].replace(BASE, "https://videotest.sunnaas-sykehus.example"),
            )
            text = render_message(scene.outgoing(kind, "sms", scene.anna), context).text
            assert parts(text) <= 2
            assert (text.isascii() or carried(text) == text) and name[0] in {*text, "S"}
