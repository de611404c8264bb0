"""Rooms in words: how one is now and who mends it, its last thirty days, and what changed. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from reports.model import READY_VERDICTS
from reports.render.tones import TONES
from reports.render.words import Words
from reports.room_course import Standing, standing_of
from reports.room_hours import hours_of
from reports.store.room_records import MeetingRoom, Room, RoomEvent, RoomResult, RoomSettings

__all__ = [
    "DAYS",
    "beside_view",
    "changed_since",
    "check_lines",
    "days_of",
    "events_view",
    "line_of",
    "order_of",
    "room_line",
    "worked",
]

DAYS: Final = 30
_WORST: Final = ("not_ready", "incomplete", "ready_with_warnings", "ready")
"""Of a day with several checks the worst is shown, and what was not measured is worse than a warning."""
_ORDER: Final = {"not_ready": 0, "unknown": 1, "incomplete": 2, "ready_with_warnings": 4, "in_use": 5, "ready": 6}
_LAST: Final = 7
_STATE_TONES: Final = {"unknown": "bad", "in_use": "calm", "new": "calm", "not_enrolled": "calm"}
_MOVED: Final = 0.25
"""A figure that moved by less than a quarter is told by its check's outcome alone."""
_MOST_POINTS: Final = 5
_WIDTH, _HEIGHT = 300, 40
"""Of a check's line, px."""


def line_of(room: Room, newest: RoomResult | None, words: Words, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """Return a room as one line: how it is in one sentence, since when, and who mends it."""
    standing = standing_of(room, now)
    finding = _first_finding(standing, newest)
    checked_at = None if standing.state == "in_use" else room.checked_at
    return {
        "id": room.id,
        "name": room.name,
        "building": room.building,
        "zone": room.zone,
        "state": standing.state,
        "tone": _STATE_TONES.get(standing.state) or TONES.get(standing.state, "calm"),
        "said": words.t(f"room.state.{standing.state}"),
        "finding": finding and _title(finding, words),
        "remedy": finding and words.first(f"advice.{finding['code']}.do"),
        "who": words.first(f"room.who.{finding['responsible']}") if finding and finding.get("responsible") else "",
        "when": words.t("room.checked", when=words.moment(checked_at, zone)) if checked_at else "",
        "since": words.t("room.since", when=words.moment(standing.since, zone)) if standing.since else "",
        "alarm": words.t("room.alarm") if standing.is_alarm else "",
        "known": _known(standing, words, zone),
        "last_step": _last_step(standing, words, zone),
        "twins": words.t("room.twins") if _has_twins(room, now) else "",
    }


def room_line(room: Room, newest: RoomResult | None, now: datetime) -> dict[str, Any]:
    """Return a room for programs and boards: codes and moments, no words."""
    standing = standing_of(room, now)
    finding = _first_finding(standing, newest)
    return {
        "id": room.id,
        "name": room.name,
        "building": room.building,
        "zone": room.zone,
        "state": standing.state,
        "since": standing.since,
        "alarm": standing.is_alarm,
        "checked_at": room.checked_at,
        "known_until": standing.known_until,
        "finding": finding["code"] if finding else None,
        "responsible": finding.get("responsible") if finding else None,
        "sequence": room.sequence,
    }


def order_of(line: Mapping[str, Any]) -> tuple[int, str]:
    """Return what rooms are sorted by: failed first, then by name, so that nothing jumps while one looks."""
    return _ORDER.get(str(line["state"]), _LAST), str(line["name"]).casefold()


def _known(standing: Standing, words: Words, zone: ZoneInfo) -> str:
    """Return until when it is known: the last whole day, for it ends as the next one begins."""
    if standing.known_until is None:
        return ""
    return words.t("room.known", when=words.day(standing.known_until - timedelta(seconds=1), zone))


def _first_finding(standing: Standing, newest: RoomResult | None) -> Mapping[str, Any] | None:
    if newest is None or standing.state not in _WORST:
        return None
    return next(iter(newest.body.get("findings", ())), None)


def _title(finding: Mapping[str, Any], words: Words) -> str:
    code = str(finding["code"])
    said = words.first(f"advice.{code}.title", code)
    return f"{words.t('check.' + str(finding['check']))}: {said}" if code.startswith("cause.") else said


def _last_step(standing: Standing, words: Words, zone: ZoneInfo) -> str:
    if standing.state not in {"unknown", "new"} or standing.last_at is None:
        return ""
    return words.t(f"room.step.{standing.last_step}", when=words.moment(standing.last_at, zone))


def _has_twins(room: Room, now: datetime) -> bool:
    return room.twins_at is not None and room.twins_at > now - timedelta(days=1)


def days_of(
    results: Sequence[RoomResult], words: Words, zone: ZoneInfo, now: datetime, days: int = DAYS
) -> list[dict[str, str]]:
    """Return the last days, the oldest first, each with the worst verdict of its checks."""
    worst: dict[Any, str] = {}
    for one in results:
        day, said = one.ended_at.astimezone(zone).date(), one.verdict
        if said in _WORST and (day not in worst or _WORST.index(said) < _WORST.index(worst[day])):
            worst[day] = said
    today = now.astimezone(zone).replace(hour=12, minute=0, second=0, microsecond=0)
    shown = [today - timedelta(days=back) for back in reversed(range(days))]
    found = []
    for noon in shown:
        state = worst.get(noon.date(), "none")
        text = words.t("room.day", day=words.day(noon, zone), state=words.t(f"room.short.{state}"))
        found.append({"state": state, "tone": TONES.get(state, "none"), "text": text})
    return found


def worked(room: Room, results: Sequence[RoomResult], words: Words, zone: ZoneInfo, now: datetime) -> str:
    """Return for how long the room was not ready in working hours, in a sentence or two; empty without any check."""
    hours = hours_of(results, RoomSettings.read(room.settings), now)
    if hours is None:
        return ""
    since = words.day(hours.since, zone)
    if not hours.not_ready_min and not hours.unknown_min:
        return words.t("room.worked_always", since=since)
    told = words.t(
        "room.worked",
        time=_duration(hours.not_ready_min, words),
        of=_duration(hours.worked_min, words),
        since=since,
    )
    if not hours.unknown_min:
        return told
    return f"{told} {words.t('room.worked_unknown', time=_duration(hours.unknown_min, words))}"


def _duration(minutes: int, words: Words) -> str:
    hours, left = divmod(minutes, 60)
    text = words.t("room.hours" if hours else "room.minutes", hours=hours, minutes=left)
    return text.replace(" ", "\u00a0")


def changed_since(results: Sequence[RoomResult], words: Words, zone: ZoneInfo) -> dict[str, Any] | None:
    """Return what is another thing now than at the last check that passed; None where that is the newest one."""
    checked = [one for one in results if one.verdict is not None]
    before = next((one for one in checked if one.verdict in READY_VERDICTS), None)
    if before is None or before is checked[0]:
        return None
    now, then = _by_check(checked[0]), _by_check(before)
    lines = [
        words.t("room.was", check=words.t(f"check.{name}"), before=_told(then.get(name), words), now=_told(one, words))
        for name, one in now.items()
        if _differs(then.get(name), one)
    ]
    versions = [str(one.body.get("software_version", "")) for one in (before, checked[0])]
    if versions[0] != versions[1]:
        lines.append(words.t("room.was", check=words.t("room.program"), before=versions[0], now=versions[1]))
    return {"since": words.t("room.passed", when=words.moment(before.ended_at, zone)), "lines": lines}


def beside_view(
    beside: MeetingRoom, passed: RoomResult | None, words: Words, zone: ZoneInfo, now: datetime
) -> dict[str, Any]:
    """Return a meeting's room as one line, with what is another thing than at the last check that passed."""
    known = [one for one in (beside.newest, passed) if one is not None]
    line = line_of(beside.room, beside.newest, words, zone, now)
    return line | {"changed": changed_since(known, words, zone)}


def _by_check(one: RoomResult) -> dict[str, Mapping[str, Any]]:
    return {str(check["id"]): check for check in one.body.get("checks", ()) if check.get("cause") != "not_asked"}


def _told(check: Mapping[str, Any] | None, words: Words) -> str:
    if check is None:
        return words.t("outcome.not_measured")
    value, outcome = check.get("value"), words.t(f"outcome.{check['outcome']}")
    is_figure = isinstance(value, int | float) and check["outcome"] in {"pass", "warn", "fail"}
    return (
        f"{outcome} ({words.amount(float(value), check.get('unit'))})" if is_figure and value is not None else outcome
    )


def _sun(check: Mapping[str, Any], words: Words) -> str:
    """Return in which window the sun is expected, and how often it stood there; empty for other checks."""
    details = check.get("details") or {}
    if check.get("id") != "camera.sun" or not details.get("window"):
        return ""
    numbers = {name: int(details.get(name) or 0) for name in ("window", "hour", "days", "of_days")}
    return words.t("room.sun", **numbers)


def _differs(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> bool:
    if before is None or before["outcome"] != now["outcome"]:
        return True
    was, value = before.get("value"), now.get("value")
    if now["outcome"] == "pass" or not isinstance(was, int | float) or not isinstance(value, int | float):
        return False
    return abs(value - was) > _MOVED * max(abs(was), abs(value), 1.0)


def check_lines(results: Sequence[RoomResult], words: Words, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return each check of the newest result with its line over time and the moments at which its outcome changed."""
    checked = [one for one in results if one.verdict is not None]
    if not checked:
        return []
    past = [(one.ended_at, _by_check(one)) for one in reversed(checked)]
    found = []
    for name, newest in _by_check(checked[0]).items():
        series = [(at, checks[name]) for at, checks in past if name in checks]
        changes = [
            words.t(
                "room.change",
                when=words.moment(at, zone),
                before=words.t(f"outcome.{before['outcome']}"),
                now=words.t(f"outcome.{check['outcome']}"),
            )
            for (_, before), (at, check) in pairwise(series)
            if before["outcome"] != check["outcome"]
        ]
        outcome = str(newest["outcome"])
        found.append({
            "id": name,
            "name": words.t(f"check.{name}"),
            "outcome": outcome,
            "tone": TONES.get(outcome, "calm"),
            "said": _told(newest, words),
            "more": _sun(newest, words),
            "points": _points(series),
            "changes": changes[: -_MOST_POINTS - 1 : -1],
        })  # fmt: skip
    return sorted(found, key=lambda one: {"fail": 0, "not_measured": 1, "warn": 2}.get(one["outcome"], 3))


def _points(series: Sequence[tuple[datetime, Mapping[str, Any]]]) -> str:
    """Return a check's figures as the points of a line in a box of 300 by 40; empty for words and for too few."""
    figures = [(at, float(one["value"])) for at, one in series if isinstance(one.get("value"), int | float)]
    if len(figures) < 3:  # noqa: PLR2004 - two points are no line
        return ""
    first, last = figures[0][0], figures[-1][0]
    low, high = min(value for _, value in figures), max(value for _, value in figures)
    span_s, height = max((last - first).total_seconds(), 1.0), max(high - low, 1e-9)
    across = [(at - first).total_seconds() / span_s * _WIDTH for at, _ in figures]
    down = [_HEIGHT - 2 - (value - low) / height * (_HEIGHT - 4) for _, value in figures]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))


def events_view(events: Sequence[RoomEvent], words: Words, zone: ZoneInfo) -> list[dict[str, str]]:
    """Return what happened, the newest first."""
    return [
        {
            "number": str(one.sequence),
            "said": words.t(f"room.event.{one.kind}"),
            "when": words.moment(one.at, zone),
            "finding": words.first(f"advice.{one.codes[0]}.title", one.codes[0]) if one.codes else "",
        }
        for one in events
    ]
