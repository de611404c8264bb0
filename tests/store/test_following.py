"""A followed test in the store: the person lets it begin; they, the clock or the link end it; figures never stay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
import sqlalchemy as sa

from readiness.access.actors import operator_of
from reports.store import Store
from reports.store.audit import Keys
from reports.store.desk_records import desk_of
from reports.store.follow_records import HINT_EVERY, Following, follow_of, line_of_follow
from reports.store.passing import MOST_BYTES, Receiver
from tests.patience import PATIENCE_S
from tests.store import cast
from tests.store.test_events import woken
from tests.store.test_migrations import sync_engine

pytestmark = pytest.mark.asyncio

SESSION, LATER = "session-anna", cast.NOW + timedelta(minutes=30)
ELSEWHERE = replace(cast.NORA, organisation_id="org-ahus", id="link:odd")
ADMIN = operator_of(cast.organisation())
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@pytest_asyncio.fixture
async def other(url: str, store: Store) -> AsyncIterator[Store]:
    """Another process; a file has one process only, so there it is the same."""
    if url.startswith("sqlite"):
        yield store
        return
    opened = await Store.open(url)
    yield opened
    await opened.close()


async def let(store: Store, session: str = SESSION) -> Following:
    """Anna lets support follow."""
    given = await store.let_follow(cast.ANNA, session, cast.NOW, LATER)
    assert given is not None
    return given


async def heard(receiver: Receiver) -> dict[str, object]:
    """The next message."""
    found = await receiver.fetch(PATIENCE_S)
    assert found is not None
    return found


async def test_support_of_the_own_organisation_finds_who_lets_it_follow(store: Store, other: Store) -> None:
    """By the list, with role, meeting and code; nobody else's support does, and nobody before. Again is the same."""
    assert await store.followings(cast.NORA, cast.NOW) == []
    async with other.watch(desk_of("org-sunnaas"), follow_of(SESSION)) as watcher:
        given = await let(store)
        assert await woken(watcher)
    assert (given.role, given.starts_at, given.participant_id) == ("participant", cast.STARTS, "meeting-anna-anna")
    assert await let(store) == given
    assert await other.followings(cast.NORA, cast.NOW) == [given]
    assert await other.following(cast.NORA, given.id, cast.NOW) == given
    assert await store.followings(ELSEWHERE, cast.NOW) == []
    assert await store.following(ELSEWHERE, given.id, cast.NOW) is None
    assert await store.give_hint(ELSEWHERE, given.id, "camera.dark", cast.NOW) is None
    assert await store.let_follow(replace(cast.ANNA, organisation_id="org-ahus"), SESSION, cast.NOW, LATER) is None


async def test_it_ends_by_the_person_and_the_clock(store: Store, other: Store) -> None:
    """From that moment on nobody finds it, and who listens is told, in any process."""
    for ends in ("stop", "clock"):
        given = await let(store)
        async with other.listen(line_of_follow(given.id)) as receiver:
            if ends == "stop":
                assert await store.end_following(cast.ANNA, SESSION)
            else:
                await store.follow_until(cast.ANNA, SESSION, cast.NOW + timedelta(minutes=5))
                assert await store.end_followings_due(cast.NOW) == 0
                assert await store.following(cast.NORA, given.id, cast.NOW + timedelta(minutes=5)) is None
                assert await store.end_followings_due(cast.NOW + timedelta(minutes=5)) == 1
            assert await heard(receiver) == {"type": "ended"}
        assert await store.followings(cast.NORA, cast.NOW) == []
        assert await store.give_hint(cast.NORA, given.id, "camera.dark", cast.NOW) is None
        assert not await store.end_following(cast.ANNA, SESSION)


async def test_a_revoked_link_is_followed_no_more(store: Store) -> None:
    """At once, before the clock comes round."""
    await store.add_invitation(cast.invitation(), cast.digest("token"))
    opened = cast.session(id="by-link", invitation_id="link-anna")
    await store.add_session(opened, cast.digest("secret"))
    given = await let(store, "by-link")
    assert await store.following(cast.NORA, given.id, cast.NOW) == given
    await store.revoke_invitation("link-anna", cast.NOW)
    assert await store.following(cast.NORA, given.id, cast.NOW) is None
    assert await store.following_of(cast.ANNA, "by-link", cast.NOW) is None
    assert await store.end_followings_due(cast.NOW) == 1


async def test_messages_reach_who_listens_in_any_process_and_no_row(url: str, store: Store, other: Store) -> None:
    """Figures, with every letter; those of another line do not. No table has a word of it."""
    given = await let(store)
    line = line_of_follow(given.id)
    async with other.listen(line) as receiver, other.listen("line:another") as stranger:
        await store.pass_on(line, {"type": "test", "said": "canary-figure æ \n ' {}"})
        assert await heard(receiver) == {"type": "test", "said": "canary-figure æ \n ' {}"}
        assert await stranger.fetch(0) is None
        with pytest.raises(ValueError, match="too long"):
            await store.pass_on(line, {"type": "x" * MOST_BYTES})
        hint = await store.give_hint(cast.NORA, given.id, "camera.dark", cast.NOW)
        assert await heard(receiver) == {"type": "hint", "id": hint, "code": "camera.dark"}
        assert await store.give_hint(cast.NORA, given.id, "camera.dark", cast.NOW) is None, "it is being read"
        assert await store.give_hint(cast.NORA, given.id, "camera.dark", cast.NOW + HINT_EVERY)
    engine = sync_engine(url)
    with engine.connect() as connection:
        for table in sa.inspect(engine).get_table_names():
            rows = connection.execute(sa.text(f'SELECT * FROM "{table}"')).all()
            assert not [row for row in rows if "canary-figure" in str(row) or "camera.dark" in str(row)], table
    engine.dispose()


async def test_beginning_end_hint_and_look_are_in_the_audit_log(store: Store) -> None:
    """Each with whose test it was, and a hint that reached nobody as such."""
    store.keep_audit(Keys(b"c" * 32, b"m" * 32), lambda: cast.NOW)
    given = await let(store)
    await store.following(cast.NORA, given.id, cast.NOW)
    await store.give_hint(cast.NORA, given.id, "camera.dark", cast.NOW)
    await store.end_following(cast.ANNA, SESSION)
    await store.give_hint(cast.NORA, given.id, "camera.dark", cast.NOW + HINT_EVERY)
    await let(store)
    await store.end_followings_due(LATER)
    mine = await store.audit_entries(ADMIN, between=EVER, about="participant:meeting-anna-anna")
    assert [(one.kind, one.act, one.outcome) for one in mine] == [
        ("participant", "follow.give", "done"), ("support", "follow.read", "done"), ("support", "follow.hint", "done"),
        ("participant", "follow.end", "done"), ("participant", "follow.give", "done"), ("clock", "follow.end", "done"),
    ]  # fmt: skip
    missed = await store.audit_entries(ADMIN, between=EVER, act="follow.hint")
    assert [one.outcome for one in missed] == ["done", "nothing"]
