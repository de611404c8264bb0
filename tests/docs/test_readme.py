"""The README stays true: its table of settings is the code's, and every file that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from readiness.docs_table import settings_table
from readiness.errors import SettingError
from readiness.settings import SETTINGS, Secret, load_settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_is_the_codes_own():
    """Name, flag, default and meaning of each setting stand in the README as in the code."""
    assert settings_table() in README


@pytest.mark.parametrize("document", sorted([ROOT / "README.md", *(ROOT / "readiness" / "docs").rglob("*.md")]))
def test_links_between_documents_lead_somewhere(document: Path):
    """No document names a file that is not there."""
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


def test_every_setting_is_a_field():
    """The table and the frozen settings have the same names."""
    from dataclasses import fields

    from readiness.settings import Settings

    assert [setting.name for setting in SETTINGS] == [field.name for field in fields(Settings)]


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"READINESS_PROT": "1"}, "READINESS_PROT"),
        ({"READINESS_PORT": "http"}, "READINESS_PORT"),
        ({"READINESS_PORT": "70000"}, "READINESS_PORT"),
        ({"READINESS_MEDIA_PORTS": "5-1"}, "READINESS_MEDIA_PORTS"),
        ({"READINESS_MEDIA_ADDRESSES": "hospital.example"}, "READINESS_MEDIA_ADDRESSES"),
        ({"READINESS_PUBLIC_URL": "ready.example"}, "READINESS_PUBLIC_URL"),
        ({"READINESS_TRUSTED_PROXIES": "127.0.0.1"}, "READINESS_MEDIA_ADDRESSES"),
        ({"READINESS_WORKERS": "2"}, "READINESS_DATABASE_URL"),
        ({"READINESS_TURN_URLS": "turn:a:3478"}, "READINESS_TURN_SECRET"),
        ({"READINESS_TURN_URLS": "stun:a:3478", "READINESS_TURN_SECRET": "x"}, "READINESS_TURN_URLS"),
        ({"READINESS_TLS_CERT": "/nowhere.pem"}, "READINESS_TLS"),
        ({"READINESS_TURN_SECRET_FILE": "/nowhere"}, "READINESS_TURN_SECRET_FILE"),
        ({"READINESS_TURN_SECRET_FILE": "/nowhere", "READINESS_TURN_SECRET": "x"}, "READINESS_TURN_SECRET"),
        ({"READINESS_LOG_LEVEL": "loud"}, "READINESS_LOG_LEVEL"),
        ({"READINESS_SPEEDTEST": "yes"}, "READINESS_SPEEDTEST"),
    ],
)
def test_a_bad_setting_is_named_in_one_line(environ, named):
    """Unknown, malformed and contradicting settings are refused, with their name and in one line."""
    with pytest.raises(SettingError, match=named) as caught:
        load_settings(environ)
    assert "\n" not in caught.value.message


def test_secrets_never_print_themselves():
    """Neither `print`, nor an f-string, nor the settings' own repr shows a secret."""
    settings = load_settings({"READINESS_TURN_URLS": "turn:a:3478", "READINESS_TURN_SECRET": "hemmelig"})
    assert isinstance(settings.turn_secret, Secret)
    assert "hemmelig" not in f"{settings} {settings.turn_secret} {settings.turn_secret!r} {settings.turn_secret!s}"
    assert settings.turn_secret.reveal() == "hemmelig"
