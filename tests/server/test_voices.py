"""An organisation's own recordings: used where they keep the rules, refused with a word in the log where not."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from readiness.server.app import make_services
from readiness.server.voices import load_voices
from readiness.settings import load_settings
from readiness.texts import WEB_FOLDER
from reports.store import Store

OURS = WEB_FOLDER / "selftest" / "audio"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """English digits as everybody's bokmål, and nynorsk ones as one organisation's."""
    shutil.copytree(OURS / "en", tmp_path / "voices" / "nb")
    shutil.copytree(OURS / "nn", tmp_path / "voices" / "sunnaas" / "nb")
    return tmp_path / "voices"


def test_each_organisation_has_its_own_else_everybodys_else_ours(folder: Path) -> None:
    """A language that nobody recorded is the product's."""
    voices = load_voices(folder)
    assert voices.of("sunnaas")[0] == "voices/sunnaas"
    assert voices.of("oslo")[0] == "voices/all"
    assert voices.of("sunnaas")[1] == {
        "nb": str(folder / "sunnaas" / "nb"), "nn": str(OURS / "nn"), "en": str(OURS / "en"),
    }  # fmt: skip
    assert voices.of("oslo")[1]["nb"] == str(folder / "nb")


def test_without_a_folder_the_products_own_are_played() -> None:
    """Nothing set, nothing changed."""
    assert load_voices(None).of("sunnaas") == (
        "selftest/audio", {language: str(OURS / language) for language in ("nb", "nn", "en")},
    )  # fmt: skip
    assert load_voices(None).files() == {}


def test_recordings_that_break_a_rule_are_not_played(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One digit is missing: the whole set is left out, the others stay, and the log says which and why."""
    (folder / "sunnaas" / "nb" / "7.mp3").unlink()
    with caplog.at_level(logging.ERROR):
        voices = load_voices(folder)
    assert voices.of("sunnaas")[0] == "voices/all"
    assert "voices.refused" in caplog.text


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_recordings_is_told(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The server starts all the same, with its own recordings."""
    (tmp_path / "empty").mkdir()
    with caplog.at_level(logging.ERROR):
        assert load_voices(tmp_path / name).of("")[0] == "selftest/audio"
    assert "voices.none" in caplog.text


async def test_the_pages_are_served_what_they_are_told_to_play(
    folder: Path, tmp_path: Path, migrated_file: Path
) -> None:
    """Every digit of every language has an address, and it gives the right recording."""
    settings = load_settings({"READINESS_DATA_DIR": str(tmp_path / "data"), "READINESS_VOICES_DIR": str(folder)})
    (tmp_path / "data").mkdir()
    shutil.copy(migrated_file, tmp_path / "data")
    store = await Store.open(settings.database)
    services = make_services(settings, store)
    await store.close()
    for slug, source in (("sunnaas", folder / "sunnaas" / "nb"), ("oslo", folder / "nb")):
        base, _ = services.voices.of(slug)
        for digit in range(10):
            asset = services.assets.get(f"{base}/nb/{digit}.mp3")
            assert asset
            assert asset.plain == (source / f"{digit}.mp3").read_bytes()
            other = services.assets.get(f"{base}/en/{digit}.mp3")
            assert other
            assert other.plain == (OURS / "en" / f"{digit}.mp3").read_bytes()
