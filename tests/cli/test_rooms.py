"""``readiness rooms``: from a room to its code, list, links and hook; whatever is wrong is one line."""

from __future__ import annotations

import re

import pytest


@pytest.fixture
def rooms(sunnaas):
    """Runs a command of rooms in an own database and returns status, output and error."""
    return lambda *arguments: sunnaas("rooms", *arguments, "--organisation", "sunnaas")


def test_a_room_from_its_adding_to_its_end(rooms):
    """Added with a code, listed, another code, revoked, forgotten."""
    status, said, _ = rooms("add", "--name", "Fjorden", "--building", "B", "--contact", "rom@sykehus.example")
    assert status == 0
    assert re.search(r"^code   [0-9A-Z]{4}-[0-9A-Z]{4}$", said, re.MULTILINE)
    _, listed, _ = rooms("list")
    assert re.fullmatch(r"\S{24}  not_enrolled  -  B  Fjorden\n", listed)
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}\n", rooms("code", "Fjorden")[1])
    assert rooms("revoke", "Fjorden")[1] == "closed 0\n"
    assert rooms("revoke", listed.split()[0], "--forget")[0] == 0
    assert rooms("list")[1] == ""


def test_links_tokens_and_hooks(rooms):
    """Each is printed once, and closed all at once."""
    assert rooms("link")[1].startswith("https://video.example/o/sunnaas/rooms#")
    assert re.fullmatch(r"[\w-]{43}\n", rooms("token")[1])
    assert rooms("token", "--revoke")[1] == "closed 1\n"
    assert re.fullmatch(r"[\w-]{43}\n", rooms("hook", "https://fleet.example/rooms")[1])
    assert rooms("hook", "--remove")[1] == "removed 1\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("add", "--name", " "), "--name"),
        (("add", "--name", "Fjorden", "--contact", "nobody"), "--contact"),
        (("add", "--name", "Fjorden", "--cron", "0 6 * *"), "five fields"),
        (("add", "--name", "Fjorden", "--hosts", "http://x"), "hosts"),
        (("code", "Viken"), "Viken"),
        (("hook", "http://fleet.example"), "https"),
        (("link", "--days", "0"), "--days"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_what_to_do(rooms, arguments, named):
    """Nothing is stored then."""
    status, said, error = rooms(*arguments)
    assert (status, said) == (2, "")
    assert error.count("\n") == 1
    assert named in error
    assert rooms("list")[1] == ""
