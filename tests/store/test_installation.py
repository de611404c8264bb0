"""One database, one key: the contract of the store, and what a machine with another key is told."""

from __future__ import annotations

import asyncio

import pytest

from readiness.access.contacts import KEY_FILE, ContactBox
from readiness.errors import SettingError
from readiness.opening import open_store
from readiness.settings import Settings, load_settings
from reports.store import Store
from tests.actors import add_meeting
from tests.store import cast


def settings(folder, url: str, **more: str) -> Settings:
    folder.mkdir(exist_ok=True)
    given = {"DATA_DIR": str(folder), "DATABASE_URL": url} | more
    return load_settings({f"READINESS_{name}": value for name, value in given.items()})


async def opened(chosen: Settings) -> Store:
    """Open as a server does at its start, and close again."""
    store = await open_store(chosen)
    await store.close()
    return store


async def test_of_several_keys_at_once_the_first_stays(store):
    """Machines that start together on a new database agree on one."""
    assert await store.key_fingerprint() is None
    kept = await asyncio.gather(*(store.claim_key(f"{number:016x}") for number in range(8)))
    assert len(set(kept)) == 1
    assert await store.key_fingerprint() == kept[0]
    await store.replace_key("f" * 16)
    assert await store.key_fingerprint() == "f" * 16


async def test_a_machine_with_another_key_refuses_to_start(url, tmp_path):
    """It names both fingerprints and what to do; with the right key, from a file or a setting, it starts."""
    first = settings(tmp_path / "a", url)
    await opened(first)
    await opened(first)
    own = ContactBox((tmp_path / "a" / KEY_FILE).read_text()).fingerprint
    with pytest.raises(SettingError, match="READINESS_SECRET_KEY") as caught:
        await opened(settings(tmp_path / "b", url))
    theirs = ContactBox((tmp_path / "b" / KEY_FILE).read_text()).fingerprint
    assert own in caught.value.message
    assert theirs in caught.value.message
    assert KEY_FILE in caught.value.message
    (tmp_path / "b" / KEY_FILE).write_text((tmp_path / "a" / KEY_FILE).read_text())
    await opened(settings(tmp_path / "b", url))
    with pytest.raises(SettingError, match="READINESS_SECRET_KEY"):
        await opened(settings(tmp_path / "a", url, SECRET_KEY="something else"))


async def test_what_was_sealed_before_fingerprints_were_kept_decides(store, url, tmp_path):
    """A database from before belongs to the key that opens its contacts, not to whoever starts first."""
    box = ContactBox("the first machine's")
    await add_meeting(store, cast.meeting(id="meeting-b", join_link=box.close("https://meet.example/1")), [])
    with pytest.raises(SettingError, match="another key"):
        await opened(settings(tmp_path / "b", url))
    assert await store.key_fingerprint() is None, "nothing was written"
    await opened(settings(tmp_path / "a", url, SECRET_KEY="the first machine's"))
    assert await store.key_fingerprint() == box.fingerprint


def test_a_fingerprint_tells_keys_apart_and_is_not_the_key():
    """The same for the same key, another for another, and short."""
    assert ContactBox("a").fingerprint == ContactBox("a").fingerprint != ContactBox("b").fingerprint
    assert len(ContactBox("a").fingerprint) == 16
