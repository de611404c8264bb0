"""A stored report for support, in words of a catalogue. Pure; judges nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final
from urllib.parse import urlencode

from reports.advice import advice_key
from reports.checks import JUDGED
from reports.render.pictures import pictures
from reports.render.sketches import DRAWN_DETAILS, sketches
from reports.render.tones import TONES
from reports.render.words import Words
from reports.store.records import StoredReport

__all__ = ["advice_view", "line_view", "report_view"]

TROUBLE: Final = frozenset({"fail", "warn", "not_measured"})
SERVICE_CODES: Final = frozenset({"service.fault", "server.busy", "page.insecure"})
"""Advice that no check has, or that is ours to follow whatever the check says."""
SUFFIXES: Final = {
    **{unit: unit for unit in ("ms", "mbps", "pct", "dbfs", "db", "hz", "fps", "s", "px")},
    "stops": "stops",
}
"""Units by the last part of a detail's name."""
MOST_DETAIL: Final = 120
"""Most characters of a textual detail that are shown."""


def report_view(
    stored: StoredReport, series: Mapping[str, Any] | None, words: Words, *, zone: tzinfo, now: datetime
) -> dict[str, Any]:
    """Return the report for the page, in words."""
    body = stored.body
    checks: Sequence[Mapping[str, Any]] = body.get("checks", ())
    return {
        "code": stored.code,
        "verdict": stored.verdict,
        "tone": TONES.get(stored.verdict, "calm"),
        "short": words.t(f"verdict.{stored.verdict}.short"),
        "facts": _facts(stored, words, zone, now),
        "notes": _notes(stored, words),
        "advice": [advice_view(code, body, words) for code in body.get("advice", ())],
        "groups": _groups(checks, words, zone),
        "pictures": pictures(series, checks, words),
        "sketches": sketches(checks, words),
    }


def line_view(stored: StoredReport, words: Words, zone: tzinfo, language: str | None) -> dict[str, str]:
    """Return one line of a list of reports; its link keeps the requested `language`."""
    asked = {"lang": language} if language else {}
    return {
        "code": stored.code,
        "href": "?" + urlencode(asked | {"code": stored.code}) + "#report",
        "tone": TONES.get(stored.verdict, "calm"),
        "short": words.t(f"verdict.{stored.verdict}.short"),
        "when": words.moment(stored.created_at, zone),
        "device": _device(stored.body, words),
    }


def _device(body: Mapping[str, Any], words: Words) -> str:
    """Return the report's class of device, such as "Chrome 142, Android, phone"."""
    client = body.get("client") or {}
    form = words.first(f"form.{client.get('form')}")
    return ", ".join(str(part) for part in (client.get("browser"), client.get("os"), form) if part)


def _equipment(body: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    """Return the classes of camera and microphone in words; the page reduced their names to classes."""
    classes = {
        check.get("id"): (check.get("details") or {}).get("device_class")
        for check in body.get("checks", ())
        if check.get("value") == "present"
    }
    return [
        (
            words.t(f"check.{device}.present"),
            words.first(f"equipment.{device}.{classes[f'{device}.present']}", "value.unknown"),
        )
        for device in ("camera", "microphone")
        if classes.get(f"{device}.present")
    ]


def _facts(stored: StoredReport, words: Words, zone: tzinfo, now: datetime) -> list[tuple[str, str]]:
    body = stored.body
    valid = "support.stale" if stored.valid_until <= now else "support.valid"
    megabytes = (int(body.get("bytes_up") or 0) + int(body.get("bytes_down") or 0)) / 1e6
    return [
        (words.t("support.when"), words.moment(stored.created_at, zone)),
        (words.t(valid), words.moment(stored.valid_until, zone)),
        (words.t("support.device"), _device(body, words) or words.t("value.unknown")),
        *_equipment(body, words),
        (words.t("support.took"), words.amount(float(body.get("duration_s") or 0.0), "s")),
        (words.t("support.data"), f"{words.number(megabytes)}\u00a0MB"),
    ]


def _notes(stored: StoredReport, words: Words) -> list[str]:
    """Return remarks for support: an interrupted test, another device, events during the test."""
    body, notes = stored.body, []
    if body.get("cause"):
        place = words.first(f"support.part.{body.get('ended_in')}", otherwise=str(body.get("ended_in") or ""))
        why = words.first(f"cause.{body['cause']}", otherwise=str(body["cause"]))
        notes.append(words.t("support.broken", place=place, why=why) if place else why)
    if stored.other_device:
        notes.append(words.t("board.other_device"))
    if body.get("mode") == "recheck":
        notes.append(words.t("support.recheck"))
    notes += [words.first(f"support.not_tested.{what}", otherwise=str(what)) for what in body.get("not_tested", ())]
    return notes + [words.first(f"event.{code}", otherwise=str(code)) for code in body.get("events", ())]


def advice_view(code: str, body: Mapping[str, Any], words: Words) -> dict[str, str]:
    """Return one remedy in the participant's words, and who can apply it."""
    client = body.get("client") or {}
    key = advice_key(words.catalogue, code, os=str(client.get("os") or ""), browser=str(client.get("browser") or ""))
    named = (check.get("responsible") for check in body.get("checks", ()) if check.get("advice") == code)
    who = "service" if code in SERVICE_CODES else next(filter(None, named), "participant")
    return {
        "title": words.first(f"advice.{code}.title", otherwise=code),
        "remedy": words.first(key),
        "who": words.first(f"who.{who}"),
        "responsible": str(who),
    }


def _groups(checks: Sequence[Mapping[str, Any]], words: Words, zone: tzinfo) -> list[dict[str, Any]]:
    """Return the checks by area, in the report's order."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for check in checks:
        groups.setdefault(str(check.get("id", "")).split(".")[0], []).append(_check(check, words, zone))
    return [
        {
            "title": words.first(f"group.{area}", otherwise=area),
            "checks": inside,
            "trouble": sum(one["outcome"] in TROUBLE for one in inside),
            "count": len(inside),
        }
        for area, inside in groups.items()
    ]


def _check(check: Mapping[str, Any], words: Words, zone: tzinfo) -> dict[str, Any]:
    outcome, low, high = str(check.get("outcome", "")), check.get("low"), check.get("high")
    value, number = words.value_of(check), check.get("value")
    facts = [words.limits_of(check)]
    if facts[0] and check.get("own_limits"):
        facts.append(words.t("support.own_limits"))
    if outcome not in JUDGED and isinstance(number, int | float):
        facts.append(words.t("support.uncounted", value=words.figure(check, number)))
    if isinstance(low, int | float) and isinstance(high, int | float) and low != high:
        facts.append(words.t("support.interval", low=words.figure(check, low), high=words.figure(check, high)))
    if check.get("samples"):
        facts.append(words.plural("support.samples", check["samples"], count=words.number(check["samples"], 0)))
    why = words.first(f"cause.{check.get('cause')}")
    if why and why != value:
        facts.append(why)
    if check.get("measured_at"):
        when = words.moment(datetime.fromisoformat(check["measured_at"]), zone)
        facts.append(words.t("support.measured_at", when=when))
    return {
        "id": check.get("id", ""),
        "name": words.first(f"check.{check.get('id')}", otherwise=str(check.get("id", ""))),
        "outcome": outcome,
        "said": words.first(f"outcome.{outcome}", otherwise=outcome),
        "tone": TONES.get(outcome, "calm"),
        "value": value,
        "facts": " ".join(filter(None, facts)),
        "details": [
            _detail(name, found, words)
            for name, found in (check.get("details") or {}).items()
            if name not in DRAWN_DETAILS
        ],
    }


def _detail(name: str, found: object, words: Words) -> tuple[str, str]:
    """Return a detail's name, in words if the catalogue has any, and its value."""
    said = words.first(f"detail.{name}", otherwise=name)
    if found is None:
        return said, words.t("outcome.not_measured")
    if isinstance(found, bool):
        return said, words.t("value.yes" if found else "value.no")
    if isinstance(found, int | float):
        return said, words.amount(found, SUFFIXES.get(name.rsplit("_", 1)[-1]))
    if isinstance(found, str):
        return said, words.first(f"value.{found}", otherwise=found)[:MOST_DETAIL]
    return said, json.dumps(found)[:MOST_DETAIL]
