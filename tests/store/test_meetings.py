"""Organisations, meetings and participants: what goes in comes out, in UTC."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from reports.store import Actor, Conflict, Gone, Store, new_id
from reports.store.setting_records import Setting, changes_to
from tests.actors import add_meeting
from tests.store import cast

pytestmark = pytest.mark.asyncio


async def test_a_meeting_comes_back_as_it_was_stored(store: Store) -> None:
    """Every field of a meeting and a participant survives the store."""
    assert await store.meeting(cast.CLOCK, "meeting-anna") == cast.meeting()
    assert await store.participant(cast.CLOCK, "meeting-anna-anna") == cast.participant("anna", 1)
    assert await store.meeting(cast.CLOCK, "none") is None
    assert await store.participant(cast.CLOCK, "none") is None


async def test_the_organisation_follows_its_settings(store: Store) -> None:
    """Stating an organisation again changes its phone number, not its id, and never makes a second one."""
    changed = cast.organisation(id="another-id", support_phone="+47 22 22 22 22", languages=("se",))
    stored = await store.ensure_organisation(changed)
    assert (stored.id, stored.support_phone, stored.languages) == ("org-sunnaas", "+47 22 22 22 22", ("se",))
    assert await store.organisation("sunnaas") == stored == await store.organisation_by_id("org-sunnaas")
    assert await store.organisation("none") is None
    assert await store.organisation_by_id("none") is None


async def test_of_two_that_change_the_same_at_once_one_is_told(url: str) -> None:
    """Both saw the same phone, from two processes; another setting that was changed meanwhile stays."""
    stores = [await Store.open(url) for _ in range(2)]
    found = await stores[0].ensure_organisation(cast.organisation())
    actor = Actor("operator", found.id, "operator")
    await stores[1].change_settings(actor, changes_to(found, {"support_hours": "man-fre 08-15"}), cast.NOW)
    wishes = [changes_to(found, {"support_phone": number}) for number in ("22 33 44 55", "99 88 77 66")]
    told = await asyncio.gather(
        *(one.change_settings(actor, wish, cast.NOW) for one, wish in zip(stores, wishes, strict=True)),
        return_exceptions=True,
    )
    assert [str(one) for one in told if isinstance(one, Conflict)] == ["support_phone"]
    (saved,) = (one for one in told if not isinstance(one, BaseException))
    assert saved == await stores[0].organisation_by_id(found.id)
    assert saved.support_hours == "man-fre 08-15"
    for opened in stores:
        await opened.close()


async def test_changes_of_one_instant_stand_in_their_order(store: Store) -> None:
    """Also by a clock that was set back: the newest change of a setting is the one that was made last."""
    found = await store.ensure_organisation(cast.organisation())
    actor = Actor("operator", found.id, "operator")
    numbers = [f"22 33 44 {number}" for number in range(50, 60)]
    for number in numbers:
        found = await store.change_settings(actor, changes_to(found, {"support_phone": number}), cast.NOW)
    made = await store.setting_changes(actor)
    assert [one.after for one in made] == numbers[::-1]
    (newest, older, *_) = made
    back = [Setting("support_phone", newest.after, newest.before)]
    await store.change_settings(actor, back, cast.NOW - timedelta(hours=1), undoes=newest.id)
    (first, *_) = await store.setting_changes(actor)
    assert (first.undoes, first.after) == (newest.id, older.after)


async def test_two_processes_may_state_the_same_organisation_at_once(url: str) -> None:
    """Several web processes start together; all get the one organisation."""
    stores = [await Store.open(url) for _ in range(3)]
    found = await asyncio.gather(*(s.ensure_organisation(cast.organisation(id=f"id-{s!r}")) for s in stores))
    assert len({organisation.id for organisation in found}) == 1
    for opened in stores:
        await opened.close()


async def test_an_id_is_never_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 64 would begin with a hyphen, and no command could name that meeting or person."""
    made = iter(["-b-c", "-d", "b-c-"])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _count: next(made))
    assert new_id() == "b-c-"


async def test_a_meeting_is_stored_whole_or_not_at_all(store: Store) -> None:
    """Two people in one place: neither they nor the meeting are stored."""
    added = cast.meeting(id="m2")
    with pytest.raises(Conflict):
        await add_meeting(store, added, [cast.participant("anna", 0, "m2"), cast.participant("kari", 0, "m2")])
    assert await store.meeting(cast.CLOCK, "m2") is None
    with pytest.raises(ValueError, match="another meeting"):
        await add_meeting(store, added, [cast.participant("anna", 0)])
    with pytest.raises(Gone):
        await add_meeting(store, cast.meeting(id="m3", organisation_id="none"), [])


async def test_moments_are_utc_whatever_zone_they_came_in(store: Store) -> None:
    """DUR-5: 02:30 happens twice in the night the clocks go back; the store tells the two apart and orders them."""
    oslo = ZoneInfo("Europe/Oslo")
    first = datetime(2027, 10, 31, 2, 30, tzinfo=oslo)
    second = first.replace(fold=1)
    await add_meeting(store, cast.meeting(id="m2", starts_at=first, ends_at=second), [])
    found = await store.meeting(cast.CLOCK, "m2")
    assert found is not None
    assert found.starts_at.tzinfo is UTC
    assert found.ends_at - found.starts_at == timedelta(hours=1)
    with pytest.raises(Exception, match="time zone"):
        await add_meeting(store, cast.meeting(id="m3", starts_at=datetime(2027, 1, 1)), [])


async def test_the_phone_number_is_kept_as_the_caller_encrypted_it(store: Store) -> None:
    """A contact goes in as bytes, comes out as bytes and can be taken away."""
    secret = bytes(range(256))
    await store.set_practical(cast.ANNA, "meeting-anna-anna", phone_encrypted=secret)
    assert await store.phone(cast.LARS, "meeting-anna-anna") == secret
    await store.set_practical(cast.ANNA, "meeting-anna-anna", phone_encrypted=None)
    assert await store.phone(cast.LARS, "meeting-anna-anna") is None
    with pytest.raises(Gone):
        await store.set_practical(replace(cast.ANNA, id="participant:none"), "none", phone_encrypted=secret)
