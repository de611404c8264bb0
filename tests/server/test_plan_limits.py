"""The organiser's fields take what the planner takes, and a refusal names the field."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from readiness.access.links import organiser_link
from readiness.server.plan_pages import LIMITS
from tests.cast import SUNNAAS
from tests.server.test_meetings_api import ANNA, Program, nothing_is_sent, program, wished

__all__ = ["nothing_is_sent", "program"]

OF_PERSON = {"label", "mail", "phone", "together", "interprets"}
IDS = {
    "title": 'id="name"',
    "join_link": 'id="join"',
    "support_phone": 'id="support"',
    "clinic_phone": 'id="clinic"',
    "contact": 'id="contact"',
    "join_from": 'id="join-from"',
    "unit": 'id="unit"',
    "assessed_by": 'id="assessed"',
    "companion": 'id="companion"',
}


def text_of(name: str, length: int) -> str:
    """Right in every way but perhaps its length."""
    if name == "mail":
        start, end = "a" * 64 + "@" + ("x" * 62 + ".") * 2, ".example"
        return start + "z" * (length - len(start) - len(end)) + end
    if name == "join_link":
        return "https://join.example/".ljust(length, "x")
    if name == "phone":
        return "+47 900 00 000".ljust(length)
    return "2" * length


def body(name: str, value: Any) -> dict[str, Any]:
    """A meeting with this value in this field."""
    return wished(participants=[ANNA | {name: value}]) if name in OF_PERSON else wished(**{name: value})


@pytest.mark.parametrize("name", LIMITS)
async def test_page_and_planner_have_the_same_limits(server, http, program: Program, name: str):
    """What just fits into the field is taken; one more is refused, and the answer says in which field."""
    token = (await organiser_link(server.store, SUNNAAS, "", datetime.now(tz=UTC))).partition("#")[2]
    async with http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "token": token}) as answer:
        session = (await answer.json())["session"]
    async with http.get(f"/plan/{session}/new") as answer:
        page = await answer.text()
    written = " ".join(f'{attribute}="{value}"' for attribute, value in LIMITS[name].items())
    what = IDS.get(name, f'data-field="{name}"')
    fields = [field for field in re.findall(r"<input [^>]*>", page) if what in field]
    assert fields
    assert all(written in field for field in fields), fields
    least, most = LIMITS[name].get("min"), LIMITS[name].get("max")
    longest = LIMITS[name].get("maxlength", 0)
    right = [least, most] if most else [text_of(name, longest)]
    wrong = [least - 1, most + 1, 99] if most and least else [text_of(name, longest + 1)]
    for value in right:
        status, answered = await program("POST", "", body(name, value))
        assert status == 201, answered
    for value in wrong if name != "phone" else ["1" * (longest + 1)]:
        status, answered = await program("POST", "", body(name, value))
        assert status == 400
        assert answered["error"]["field"] == (f"participants.0.{name}" if name in OF_PERSON else name)
