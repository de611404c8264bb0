"""Meetings that are changed: who, when, what follows for links and messages; and nobody from another organisation."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from reports.store import Conflict, Gone, NewMeeting, Store
from tests.actors import add_meeting
from tests.store import cast

pytestmark = pytest.mark.asyncio

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ANNA = "meeting-anna-anna"


async def test_moving_moves_what_hangs_on_the_meeting(store: Store) -> None:
    """Links and open pages last until a week after the new end; testing until an hour after it; SEQUENCE counts."""
    await store.add_invitation(cast.invitation(), cast.digest("token"))
    added = cast.session(id="s2", invitation_id="link-anna", expires_at=cast.ENDS + 7 * DAY)
    await store.add_session(added, cast.digest("cookie"))
    found = await store.find_session("s2", cast.digest("cookie"), cast.NOW)
    assert found is not None
    assert found.testing_until == cast.ENDS + HOUR
    moved = await store.change_meeting(
        cast.OTTO, "meeting-anna", {"starts_at": cast.STARTS + 14 * DAY, "ends_at": cast.ENDS + 14 * DAY}
    )
    assert moved == replace(cast.meeting(), starts_at=cast.STARTS + 14 * DAY, ends_at=cast.ENDS + 14 * DAY, sequence=1)
    assert await store.meeting(cast.CLOCK, "meeting-anna") == moved
    late = cast.ENDS + 20 * DAY
    found = await store.find_session("s2", cast.digest("cookie"), late)
    assert found is not None
    assert (found.testing_until, found.expires_at) == (moved.ends_at + HOUR, moved.ends_at + 7 * DAY)
    assert await store.find_invitation("sunnaas", cast.digest("token"), late) is not None
    titled = await store.change_meeting(cast.OTTO, "meeting-anna", {"title": "Kontroll"})
    assert (titled.sequence, titled.title) == (1, "Kontroll")
    asked, follows = cast.outgoing(kind="reminder"), cast.outgoing(kind="moved")
    await store.queue([asked, cast.outgoing(id="invites")])
    await store.change_meeting(cast.OTTO, "meeting-anna", {"title": "K"}, messages=[follows], drops={"reminder"})
    states = {one.kind: one.state for one in await store.outgoing_of(cast.CLOCK, "meeting-anna")}
    assert states == {"reminder": "dropped", "invitation": "waiting", "moved": "waiting"}
    with pytest.raises(ValueError, match="state"):
        await store.change_meeting(cast.OTTO, "meeting-anna", {"state": "cancelled"})


async def test_cancelling_drops_messages_and_keeps_links(store: Store) -> None:
    """Who opens a link is told that there is no meeting; twice is the same as once."""
    await store.add_host(cast.OTTO, "meeting-anna", cast.host())
    await store.add_invitation(cast.invitation(), cast.digest("token"))
    leads = cast.invitation(id="link-lars", kind="leader", participant_id=None, host_id="host-lars")
    await store.add_invitation(leads, cast.digest("lars"))
    await store.queue([cast.outgoing()])
    store.queued.clear()
    tells = cast.outgoing(kind="cancelled")
    cancelled = await store.cancel_meeting(cast.OTTO, "meeting-anna", cast.NOW, messages=[tells])
    assert store.queued.is_set()
    assert (cancelled.state, cancelled.sequence) == ("cancelled", 1)
    assert await store.cancel_meeting(cast.OTTO, "meeting-anna", cast.NOW) == cancelled
    assert await store.find_invitation("sunnaas", cast.digest("token"), cast.NOW) is not None
    assert await store.find_invitation("sunnaas", cast.digest("lars"), cast.NOW) == leads
    states = {one.kind: one.state for one in await store.outgoing_of(cast.CLOCK, "meeting-anna")}
    assert states == {"invitation": "dropped", "cancelled": "waiting"}


async def test_people_come_change_and_go(store: Store) -> None:
    """In order after the others; who goes takes links, messages and reports along."""
    came = await store.add_participant(cast.OTTO, "meeting-anna", cast.participant("tolk", 0, role="interpreter"))
    assert came.position == 3
    assert [one.label for one in await store.participants(cast.CLOCK, "meeting-anna")] == [
        "Lars",
        "Anna",
        "Kari",
        "Tolk",
    ]
    changed = await store.change_participant(cast.OTTO, "meeting-anna", ANNA, {"label": "A. H.", "together": 2})
    assert changed == replace(cast.participant("anna", 1), label="A. H.", together=2)
    assert await store.participant(cast.CLOCK, ANNA) == changed
    await store.add_invitation(cast.invitation(), cast.digest("token"))
    await store.queue([cast.outgoing()])
    await store.save_report(cast.CLOCK, cast.report())
    assert await store.remove_participant(cast.OTTO, "meeting-anna", ANNA)
    assert not await store.remove_participant(cast.OTTO, "meeting-anna", ANNA)
    assert await store.find_invitation("sunnaas", cast.digest("token"), cast.NOW) is None
    assert await store.outgoing_of(cast.CLOCK, "meeting-anna") == []
    assert await store.latest_report(cast.CLOCK, ANNA) is None
    with pytest.raises(ValueError, match="position"):
        await store.change_participant(cast.OTTO, "meeting-anna", ANNA, {"position": 0})


async def test_hosts_come_change_and_go(store: Store) -> None:
    """A meeting may have a leader and a technical host; both are stored with it or added later."""
    hosts = [cast.host(meeting_id="m2", id="h1"), cast.host(meeting_id="m2", id="h2", role="technical_host")]
    await add_meeting(store, cast.meeting(id="m2"), [], hosts)
    assert await store.hosts(cast.CLOCK, "m2") == hosts
    changed = await store.change_host(cast.OTTO, "m2", "h1", {"label": "Lege", "person_hash": None})
    assert await store.host(cast.CLOCK, "h1") == changed == replace(hosts[0], label="Lege", person_hash=None)
    added = await store.add_host(cast.OTTO, "m2", cast.host(meeting_id="m2", id="h3"))
    assert {one.id for one in await store.hosts(cast.CLOCK, "m2")} == {"h1", "h2", added.id}
    assert await store.remove_host(cast.OTTO, "m2", "h2")
    assert not await store.remove_host(cast.OTTO, "m2", "h2")
    assert await store.host(cast.CLOCK, "h2") is None
    with pytest.raises(ValueError, match="another meeting"):
        await add_meeting(store, cast.meeting(id="m3"), [], hosts)
    with pytest.raises(ValueError, match="another meeting"):
        await store.add_host(cast.OTTO, "meeting-anna", hosts[0])


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.change_meeting(cast.EVE, "meeting-anna", {"title": "Stolen"}),
        lambda store: store.cancel_meeting(cast.EVE, "meeting-anna", cast.NOW),
        lambda store: store.add_participant(cast.EVE, "meeting-anna", cast.participant("eve", 9)),
        lambda store: store.change_participant(cast.EVE, "meeting-anna", ANNA, {"label": "Stolen"}),
        lambda store: store.change_participant(cast.OTTO, "meeting-odd", ANNA, {"label": "Stolen"}),
        lambda store: store.remove_participant(cast.EVE, "meeting-anna", ANNA),
        lambda store: store.add_host(cast.EVE, "meeting-anna", cast.host(id="eve")),
        lambda store: store.change_host(cast.EVE, "meeting-anna", "host-lars", {"label": "Stolen"}),
        lambda store: store.remove_host(cast.EVE, "meeting-anna", "host-lars"),
    ],
)
async def test_nothing_is_changed_from_another_organisation(store: Store, act: Any) -> None:
    """AUT-2: the id of somebody else's meeting opens nothing."""
    await add_meeting(store, cast.meeting(id="meeting-odd"), [])
    await store.add_host(cast.OTTO, "meeting-anna", cast.host())
    before = await state_of(store)
    with pytest.raises(Gone):
        await act(store)
    assert await state_of(store) == before
    assert await store.meeting(cast.EVE, "meeting-anna") is None
    assert await store.meeting(cast.OTTO, "meeting-anna") == cast.meeting()


async def test_nothing_is_made_in_another_organisation(store: Store) -> None:
    """AUT-2: neither a meeting, nor a link or a message of one beside one's own."""
    own, foreign = cast.meeting(id="m2"), cast.meeting(id="m3", organisation_id="org-ahus")
    link = cast.invitation(meeting_id="m2", participant_id=None, organisation_id="org-ahus")
    message = cast.outgoing(meeting_id="m2", participant_id=None, organisation_id="org-ahus")
    for batch in (
        [NewMeeting(own, []), NewMeeting(foreign, [])],
        [NewMeeting(own, [], links=[(link, cast.digest("token"), None)])],
        [NewMeeting(own, [], messages=[message])],
    ):
        with pytest.raises(ValueError, match="of another organisation"):
            await store.add_meetings(cast.OTTO, batch)
    assert await store.meeting(cast.CLOCK, "m2") is None
    assert await store.meeting(cast.EVE, "m3") is None


async def state_of(store: Store) -> tuple[object, ...]:
    """Everything about Anna's meeting."""
    meeting_id = "meeting-anna"
    return (
        await store.meeting(cast.CLOCK, meeting_id),
        await store.participants(cast.CLOCK, meeting_id),
        await store.hosts(cast.CLOCK, meeting_id),
    )


async def test_the_list_of_meetings(store: Store) -> None:
    """In order of their start, a page at a time, with how ready their people are; other organisations' are left out."""
    for number in range(5):
        starts = cast.STARTS + (number // 2) * DAY
        made = cast.meeting(id=f"m{number}", title=f"Møte {number}", starts_at=starts, ends_at=starts + HOUR)
        await add_meeting(
            store, made, [cast.participant("per", 0, made.id)], [cast.host(id=made.id, meeting_id=made.id)]
        )
    await add_meeting(store, cast.meeting(id="foreign", organisation_id="org-ahus"), [])
    await store.save_report(cast.CLOCK, cast.report())
    await store.save_report(cast.CLOCK, cast.report(participant_id="meeting-anna-kari", valid_until=cast.NOW))
    span = (cast.NOW, cast.NOW + 7 * DAY)
    lines = await store.meetings(cast.OTTO, starts=span, now=cast.NOW)
    assert [line.meeting.id for line in lines] == ["m0", "m1", "meeting-anna", "m2", "m3", "m4"]
    assert lines[2].people == {"not_tested": 1, "ready": 1, "stale": 1}
    assert lines[2].labels == ("Lars", "Anna", "Kari")
    assert (lines[0].people, lines[0].labels, lines[0].leaders) == ({"not_tested": 1}, ("Per",), ("Lars",))
    seen: list[str] = []
    while page := await store.meetings(cast.OTTO, starts=span, now=cast.NOW, after=seen[-1] if seen else None, most=2):
        seen += [line.meeting.id for line in page]
    assert seen == [line.meeting.id for line in lines]
    assert await store.meetings(cast.OTTO, starts=(cast.NOW + 3 * DAY, cast.NOW + 4 * DAY), now=cast.NOW) == []
    await add_meeting(store, cast.meeting(id="m5"), [cast.participant("A\u030ase", 0, "m5")])  # as a Mac writes it
    for typed, expected in (
        ("\u00e5se", {"m5"}),
        ("A\u030aSE", {"m5"}),
        ("kari", {"meeting-anna"}),
        ("MØTE 3", {"m3"}),
        ("lars", {*seen}),
        ("%", set()),
    ):
        found = await store.meetings(cast.OTTO, starts=span, now=cast.NOW, search=typed)
        assert {line.meeting.id for line in found} == expected, typed


async def test_the_number_of_statements_does_not_grow(store: Store) -> None:
    """Four for a page of the list, whether it has two meetings or thirty."""
    counted: list[str] = []
    engine = store._database._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", lambda *args: counted.append(args[2]))
    numbers = []
    for most in (2, 30):
        for number in range(most):
            made = cast.meeting(id=f"m{most}-{number}")
            await add_meeting(store, made, [cast.participant("per", 0, made.id)])
        counted.clear()
        await store.meetings(cast.OTTO, starts=(cast.NOW, cast.NOW + DAY), now=cast.NOW, most=most)
        numbers.append(len([one for one in counted if one.startswith("SELECT")]))
    assert numbers == [4, 4]


async def test_one_leaders_meetings(store: Store) -> None:
    """Found by the keyed hash of the person, in one organisation, on one day."""
    for number, organisation in enumerate(("org-sunnaas", "org-sunnaas", "org-ahus")):
        made = cast.meeting(id=f"m{number}", organisation_id=organisation, starts_at=cast.STARTS + number * HOUR)
        await add_meeting(store, made, [], [cast.host(id=f"h{number}", meeting_id=made.id)])
    today = (cast.NOW, cast.NOW + DAY)
    found = await store.meetings_of_person(cast.LARS, b"person-lars", starts=today)
    assert [one.id for one in found] == ["m0", "m1"]
    assert await store.meetings_of_person(cast.LARS, b"person-odd", starts=today) == []
    assert await store.meetings_of_person(cast.LARS, b"person-lars", starts=(cast.NOW + DAY, cast.NOW + DAY)) == []


async def test_an_import_key_names_one_meeting(store: Store) -> None:
    """A second meeting under the same key is refused; another organisation may have the same one."""
    key = cast.digest("uid")
    await add_meeting(store, cast.meeting(id="m2", import_key=key), [])
    with pytest.raises(Conflict):
        await add_meeting(store, cast.meeting(id="m3", import_key=key), [])
    await add_meeting(store, cast.meeting(id="m4", import_key=key, organisation_id="org-ahus"), [])
    found = await store.meeting_by_key(cast.OTTO, key)
    assert found is not None
    assert found.id == "m2"
    assert await store.meeting_by_key(cast.OTTO, cast.digest("other")) is None
    keys = [cast.digest(str(number)) for number in range(1200)]
    assert await store.meetings_by_keys(cast.OTTO, [*keys, key]) == {key: found}
    assert await store.meetings_by_keys(cast.OTTO, []) == {}


async def test_links_are_found_by_whose_they_are(store: Store) -> None:
    """By participant and kind, by typed code, by token alone for programs; revoked and foreign ones are not found."""
    await store.add_invitation(cast.invitation(), cast.digest("token"), cast.digest("code"))
    assert await store.invitation_for(participant_id=ANNA, kind="participant", now=cast.NOW) == cast.invitation()
    assert await store.invitation_for(participant_id="meeting-anna-kari", kind="participant", now=cast.NOW) is None
    assert await store.invitations("meeting-anna") == [cast.invitation()]
    assert await store.find_code("sunnaas", cast.digest("code"), cast.NOW) == cast.invitation()
    assert await store.find_code("ahus", cast.digest("code"), cast.NOW) is None
    assert await store.find_code("sunnaas", cast.digest("token"), cast.NOW) is None
    key = cast.invitation(id="key", kind="api", meeting_id=None, participant_id=None)
    await store.add_invitation(key, cast.digest("key"))
    assert await store.link_by_hash("api", cast.digest("key"), cast.NOW) == key
    assert await store.link_by_hash("api", cast.digest("token"), cast.NOW) is None
    assert await store.revoke_of(cast.NOW, participant_id=ANNA) == 1
    assert await store.revoke_of(cast.NOW, participant_id=ANNA) == 0
    assert await store.invitation_for(participant_id=ANNA, kind="participant", now=cast.NOW) is None
    assert await store.find_code("sunnaas", cast.digest("code"), cast.NOW) is None
    assert await store.link_by_hash("api", cast.digest("key"), cast.NOW + 2 * DAY) is None


async def test_a_calendar_link_goes_on_to_the_next_meeting(store: Store) -> None:
    """It hangs on one meeting of its leader, and on a later one as soon as there is one."""
    await store.add_host(cast.OTTO, "meeting-anna", cast.host())
    feed = cast.invitation(id="feed", kind="feed", participant_id=None, host_id="host-lars")
    await store.add_invitation(feed, cast.digest("feed"))
    later = cast.meeting(id="m2", starts_at=cast.STARTS + 30 * DAY, ends_at=cast.ENDS + 30 * DAY)
    await add_meeting(store, later, [], [cast.host(id="h2", meeting_id="m2")])
    await add_meeting(store, cast.meeting(id="m3"), [], [cast.host(id="h3", meeting_id="m3")])
    await store.purge(cast.ENDS + 8 * DAY)
    found = await store.link_by_hash("feed", cast.digest("feed"), cast.ENDS + 8 * DAY)
    assert found is not None
    assert (found.host_id, found.meeting_id, found.expires_at) == ("h2", "m2", later.ends_at + 7 * DAY)
    assert (await store.feed_of("org-sunnaas", cast.host(id="h9"), cast.NOW)).link == found
    assert await store.feed_of("org-sunnaas", cast.host(id="h9", person_hash=None), cast.NOW) is None
    assert await store.feed_of("org-ahus", cast.host(id="h2"), cast.NOW) is None


async def test_a_one_time_code_opens_once_and_is_tried_five_times(store: Store, url: str) -> None:
    """Twenty tries at the same moment from two processes: five are looked at; a new code counts anew."""
    right, until = cast.digest("123456"), cast.NOW + HOUR
    assert not await store.try_pin("session-anna", right, cast.NOW, until), "none was sent"
    await store.set_pin("session-anna", right, cast.NOW + HOUR)
    assert not await store.try_pin("session-anna", cast.digest("000000"), cast.NOW, until)
    assert not await store.unlocked("session-anna", cast.NOW)
    assert await store.try_pin("session-anna", right, cast.NOW, until)
    assert await store.unlocked("session-anna", cast.NOW)
    assert not await store.unlocked("session-anna", until)
    assert not await store.try_pin("session-anna", right, cast.NOW, until), "it was used"
    await store.set_pin("session-anna", right, cast.NOW + HOUR)
    assert not await store.try_pin("session-anna", right, cast.NOW + HOUR, until), "it was too old"
    other = await Store.open(url)
    wrong = cast.digest("wrong")
    await asyncio.gather(*(one.try_pin("session-anna", wrong, cast.NOW, until) for one in (store, other) * 10))
    assert not await store.try_pin("session-anna", right, cast.NOW, until + HOUR), "too many tries"
    await other.close()


async def test_one_answer_each_and_sums_of_ten_at_least(store: Store) -> None:
    """An answer may be changed; what fewer than ten said is not told, nor which word fewer than ten chose."""
    await store.add_host(cast.OTTO, "meeting-anna", cast.host())
    await store.add_invitation(
        cast.invitation(id="link-lars", kind="leader", participant_id=None, host_id="host-lars"), cast.digest("lars")
    )
    leads = cast.session(id="s-lars", kind="leader", invitation_id="link-lars", participant_id=None)
    await store.add_session(leads, cast.digest("s-lars"))
    assert await store.feedback_for(cast.session()) is None
    await store.add_feedback(cast.answer(score=1, problem="sound"))
    changed = cast.answer(score=4)
    await store.add_feedback(changed)
    found = await store.feedback_for(cast.session())
    assert found is not None
    assert (found.score, found.problem) == (4, "")
    assert await store.feedback_for(leads) is None
    assert await store.host_of_session("s-lars") == cast.host()
    assert await store.host_of_session("session-anna") is None
    await store.add_feedback(cast.answer(participant_id=None, host_id="host-lars", role="leader"))
    assert (await store.feedback_for(leads)) is not None
    with pytest.raises(ValueError, match="one participant's or one host's"):
        await store.add_feedback(cast.answer(host_id="host-lars"))
    people = [cast.participant(f"p{number}", 10 + number) for number in range(9)]
    for number, person in enumerate(people):
        await store.add_participant(cast.OTTO, "meeting-anna", person)
        if number == 8:
            assert await store.feedback_summary(cast.OTTO, ("2026-W01", "2026-W52")) == []
        said = {"score": 2, "problem": "sound"} if number < 2 else {}
        await store.add_feedback(cast.answer(participant_id=person.id, **({"score": 5} | said)))
        await store.add_feedback(cast.answer(participant_id=person.id, **({"score": 5} | said)))
    (cell,) = await store.feedback_summary(cast.OTTO, ("2026-W01", "2026-W52"))
    assert (cell.role, cell.verdict, cell.answers, cell.worked, dict(cell.problems)) == ("patient", "ready", 10, 8, {})
    assert await store.feedback_summary(replace(cast.OTTO, organisation_id="org-ahus"), ("2026-W01", "2026-W52")) == []
    assert await store.feedback_summary(cast.OTTO, ("2026-W49", "2026-W52")) == []
