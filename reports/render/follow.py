"""A followed test in words for support, and the hints that support can send. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final
from urllib.parse import urlencode

from reports.render.tones import TONES
from reports.render.words import Words
from reports.store.follow_records import Following

__all__ = ["followed_line", "hint_groups", "hints_of", "seen_view"]

_NOT_THEIRS: Final = ("service.", "server.")
"""Beginnings of advice that only we can follow."""
_WORST_FIRST: Final = {"fail": 0, "not_measured": 1, "warn": 2}


def hints_of(catalogue: Mapping[str, str]) -> tuple[str, ...]:
    """Return the codes that support can send: all advice that a report can give."""
    named = [key.removeprefix("advice.").removesuffix(".title") for key in catalogue if _is_title(key)]
    return tuple(sorted(code for code in named if not code.startswith(_NOT_THEIRS)))


def _is_title(key: str) -> bool:
    return key.startswith("advice.") and key.endswith(".title")


def hint_groups(words: Words) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the hints by area, each with its title."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for code in hints_of(words.catalogue):
        area = code.split(".")[0]
        named = words.first(f"group.{area}", "group.browser")
        groups.setdefault(named, []).append((code, words.t(f"advice.{code}.title")))
    return list(groups.items())


def followed_line(one: Following, words: Words, zone: tzinfo, asked: Mapping[str, str]) -> dict[str, str]:
    """Return somebody who lets support follow, by role and meeting, with the code that the page shows."""
    whose = words.first(f"role.{one.role}", otherwise=one.role or "")
    meeting = words.t("support.meeting", when=words.moment(one.starts_at, zone)) if one.starts_at else ""
    return {
        "id": one.id,
        "person": one.participant_id or "",
        "code": one.code,
        "href": "?" + urlencode({**asked, "follow": one.id}),
        "who": ", ".join(filter(None, (whose, meeting))) or words.t("support.no_meeting"),
    }


def seen_view(message: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Return what a followed test does right now: the step, the page's own hint, and what is judged, worst first."""
    checks = sorted(message["checks"], key=lambda one: _WORST_FIRST.get(one["outcome"], len(_WORST_FIRST)))
    hints = hints_of(words.catalogue)
    advised = dict.fromkeys(one["advice"] for one in checks if one.get("advice") in hints)
    if message["hint"] in hints:
        advised = {message["hint"]: None} | advised
    step = words.first(f"support.part.{message['phase']}", otherwise=message["phase"])
    hint = words.first(f"advice.{message['hint']}.title", f"hint.{message['hint']}") if message["hint"] else ""
    return {
        "step": words.t("following.step", step=step),
        "hint": words.t("following.page_says", hint=hint) if hint else "",
        "done": len(message["done"]),
        "advice": [{"code": code, "title": words.t(f"advice.{code}.title")} for code in advised],
        "checks": [
            {
                "id": one["id"],
                "name": words.first(f"check.{one['id']}", otherwise=one["id"]),
                "said": words.first(f"outcome.{one['outcome']}", otherwise=one["outcome"]),
                "tone": TONES.get(one["outcome"], "calm"),
                "value": words.value_of(one),
            }
            for one in checks
        ],
    }
