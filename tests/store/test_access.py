"""LNK-1, LNK-5: links and sessions open exactly what they should, and a closed one says nothing."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.store import Conflict, Gone, Store
from tests.statements import statements_of
from tests.store import cast

DAY = timedelta(days=1)


@pytest.mark.asyncio
async def test_a_link_opens_its_own_meeting(store: Store) -> None:
    """LNK-4: the right token in the right organisation finds the link, and its session finds itself."""
    await store.add_invitation(cast.invitation(), cast.digest("token"))
    assert await store.find_invitation("sunnaas", cast.digest("token"), cast.NOW) == cast.invitation()
    added = cast.session(id="s2", invitation_id="link-anna")
    await store.add_session(added, cast.digest("cookie"))
    assert await store.find_session("s2", cast.digest("cookie"), cast.NOW) == added
    assert await store.find_session("s2", cast.digest("cookie-anna"), cast.NOW) is None
    assert await store.find_session("session-anna", cast.digest("cookie"), cast.NOW) is None


@pytest.mark.asyncio
async def test_revoking_closes_the_link_and_its_sessions_in_every_process(store: Store, url: str) -> None:
    """LNK-5: revoked in one process, shut at once in another."""
    await store.add_invitation(cast.invitation(), cast.digest("token"))
    await store.add_session(cast.session(id="s2", invitation_id="link-anna"), cast.digest("cookie"))
    other = await Store.open(url)
    assert await other.find_session("s2", cast.digest("cookie"), cast.NOW) is not None
    assert await store.revoke_invitation("link-anna", cast.NOW)
    assert await other.find_session("s2", cast.digest("cookie"), cast.NOW) is None
    assert await other.find_invitation("sunnaas", cast.digest("token"), cast.NOW) is None
    assert not await store.revoke_invitation("link-anna", cast.NOW)
    assert not await store.revoke_invitation("none", cast.NOW)
    await other.close()


@pytest.mark.asyncio
async def test_links_of_support_are_closed_for_one_organisation_at_once(store: Store) -> None:
    """Every open one of it and what they opened; links to meetings and other organisations stay as they were."""
    for name, organisation in (("one", "sunnaas"), ("two", "sunnaas"), ("other", "ahus")):
        link = cast.invitation(
            id=name, organisation_id=f"org-{organisation}", kind="support", meeting_id=None, participant_id=None
        )
        await store.add_invitation(link, cast.digest(name))
    await store.add_invitation(cast.invitation(), cast.digest("token"))
    opened = cast.session(id="s", kind="support", invitation_id="one", meeting_id=None, participant_id=None)
    await store.add_session(opened, cast.digest("s"))
    assert await store.find_session("s", cast.digest("s"), cast.NOW) == opened
    assert await store.revoke_links("org-sunnaas", "support", cast.NOW) == 2
    assert await store.revoke_links("org-sunnaas", "support", cast.NOW) == 0
    assert await store.find_session("s", cast.digest("s"), cast.NOW) is None
    for name, slug, is_open in (("one", "sunnaas", False), ("two", "sunnaas", False), ("other", "ahus", True)):
        assert (await store.find_invitation(slug, cast.digest(name), cast.NOW) is not None) == is_open
    assert await store.find_invitation("sunnaas", cast.digest("token"), cast.NOW) is not None


@pytest.mark.asyncio
async def test_a_token_itself_is_refused(store: Store) -> None:
    """LNK-1: what is not a SHA-256 digest never reaches the database."""
    with pytest.raises(ValueError, match="SHA-256"):
        await store.add_invitation(cast.invitation(), secrets.token_urlsafe(32).encode())
    with pytest.raises(ValueError, match="SHA-256"):
        await store.add_session(cast.session(id="s2"), b"cookie")


@pytest.mark.asyncio
async def test_a_second_link_with_the_same_token_is_refused(store: Store) -> None:
    """A token opens one link; a link for a meeting that is gone is none."""
    await store.add_invitation(cast.invitation(), cast.digest("token"))
    with pytest.raises(Conflict):
        await store.add_invitation(cast.invitation(id="link-2"), cast.digest("token"))
    with pytest.raises(Gone):
        await store.add_invitation(cast.invitation(id="link-3", meeting_id="none"), cast.digest("token-3"))


def test_the_database_holds_no_token(url: str) -> None:
    """LNK-1: a thief of the whole database finds no token and no cookie in it, in any spelling we use."""
    made = [secrets.token_urlsafe(32) for _ in range(40)]

    async def store_them() -> None:
        store = await Store.open(url)
        await cast.fill(store)
        for number, token in enumerate(made):
            await store.add_invitation(cast.invitation(id=f"link-{number}"), cast.digest(token))
            await store.add_session(cast.session(id=f"s-{number}"), cast.digest(token[::-1]))
        await store.close()

    asyncio.run(store_them())
    content = dump(url)
    assert len(content) > 10_000
    for token in made:
        for spelling in (token.encode(), token[::-1].encode(), token.encode().hex().encode()):
            assert spelling not in content


def dump(url: str) -> bytes:
    """Return everything in the database: SQLite's files, or every table of PostgreSQL as text."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        return b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    with psycopg.connect(url) as connection:
        names = [name for (name,) in connection.execute(tables).fetchall()]
        return "".join(str(connection.execute(f"SELECT * FROM {name}").fetchall()) for name in names).encode()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    expires=st.integers(-3, 3),
    revoked=st.booleans(),
    right_token=st.booleans(),
    slug=st.sampled_from(["sunnaas", "ahus", "none"]),
)
def test_a_link_opens_only_if_everything_is_right(
    url: str, expires: int, revoked: bool, right_token: bool, slug: str
) -> None:
    """LNK-5: unknown, expired, revoked and another organisation's links are one and the same None."""
    token = secrets.token_urlsafe(32)
    open_ = expires > 0 and not revoked

    async def check() -> None:
        store = await Store.open(url)
        if await store.organisation("sunnaas") is None:
            await cast.fill(store)
        link = cast.invitation(id=f"link-{token}", expires_at=cast.NOW + expires * DAY)
        await store.add_invitation(link, cast.digest(token))
        added = cast.session(id=f"s-{token}", invitation_id=link.id, expires_at=cast.NOW + DAY)
        await store.add_session(added, cast.digest(token))
        if revoked:
            await store.revoke_invitation(link.id, cast.NOW)
        asked = cast.digest(token if right_token else "wrong")
        found = await store.find_invitation(slug, asked, cast.NOW)
        assert (found is not None) == (open_ and right_token and slug == "sunnaas")
        assert (await store.find_session(added.id, asked, cast.NOW) is not None) == (open_ and right_token)
        assert await store.find_session(added.id, cast.digest(token), cast.NOW + DAY) is None
        await store.close()

    asyncio.run(check())


@pytest.mark.asyncio
async def test_the_time_of_the_answer_does_not_tell_why(store: Store) -> None:
    """LNK-5: unknown, expired, revoked and another organisation's links cost the database the same statements."""
    yesterday = cast.NOW - DAY
    await store.add_invitation(cast.invitation(), cast.digest("good"))
    await store.add_invitation(cast.invitation(id="old", expires_at=yesterday), cast.digest("old"))
    await store.add_invitation(cast.invitation(id="revoked", revoked_at=yesterday), cast.digest("revoked"))
    cases = [("sunnaas", "unknown"), ("sunnaas", "old"), ("sunnaas", "revoked"), ("ahus", "good")]
    asked = []
    for slug, token in cases:
        with statements_of(store) as statements:
            assert await store.find_invitation(slug, cast.digest(token), cast.NOW) is None
        asked.append(statements)
    assert all(one == asked[0] for one in asked)
    assert len(asked[0]) > 0
