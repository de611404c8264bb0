"""How the rooms are, for programs and spreadsheets: state and history as JSON and CSV, and metrics for Prometheus.

By a token of `readiness rooms token`, which reads and nothing else, or by the session of a link to the pages of rooms.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from readiness.access.actors import actor_of, sessions_that_may
from readiness.access.tokens import hash_token
from readiness.errors import AccessError, InputError, Unauthorized
from readiness.meetings.tables import guarded
from readiness.server.services import SERVICES, caller, session_of
from readiness.server.strict import ID
from reports.model import rfc3339
from reports.render.rooms import order_of, room_line
from reports.store import Actor

__all__ = ["routes"]

routes = web.RouteTableDef()
LOOKERS = sessions_that_may("room.read")
LONGEST = timedelta(days=396)
MOST_RESULTS = 10_000
STATES = ("ready", "ready_with_warnings", "not_ready", "incomplete", "in_use", "unknown", "new", "not_enrolled")
LINE = (
    *("id", "building", "name", "zone", "state", "since", "alarm", "checked_at", "known_until"),
    *("finding", "responsible", "sequence"),
)
HISTORY = ("ended_at", "verdict", "not_checked", "reason", "findings")


async def _reader(request: web.Request) -> Actor:
    """Return who asks. Raises Unauthorized without a valid token or any session, AccessError for another session."""
    services = request.app[SERVICES]
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    session_id = request.headers.get("Readiness-Session", "")
    if session_id and not scheme:
        return actor_of(await session_of(request, session_id, kinds=LOOKERS))
    found = None
    if scheme.lower() == "bearer":
        found = await services.store.link_by_hash("fleet", hash_token(token.strip()), services.now())
        if found is None:
            services.failures.failed(caller(request).address)
    if found is None:
        raise Unauthorized("auth.required")
    return actor_of(found)


@routes.get("/api/v1/rooms")
async def list_rooms(request: web.Request) -> web.Response:
    """Give every room as it is now, failed first; ``?format=csv`` for a spreadsheet."""
    lines = await _lines(request, await _reader(request))
    if _wants_csv(request):
        return _csv("rooms", LINE, lines)
    return web.json_response({"rooms": [_plain(one) for one in lines]})


@routes.get("/api/v1/rooms/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Give the rooms of one organisation as metrics in the text format of Prometheus."""
    lines = await _lines(request, await _reader(request))
    text = "".join(_metric(*one, lines) for one in METRICS)
    states = [f'readiness_rooms{{state="{state}"}} {sum(one["state"] == state for one in lines)}\n' for state in STATES]
    head = "# HELP readiness_rooms Rooms by state.\n# TYPE readiness_rooms gauge\n"
    return web.Response(text=text + head + "".join(states), content_type="text/plain")


@routes.get("/api/v1/rooms/{room:" + ID + "}/history")
async def history(request: web.Request) -> web.Response:
    """Give a room's results and events since a moment (``since``, else the last 30 days), the newest first."""
    actor, services = await _reader(request), request.app[SERVICES]
    found = await services.store.room(actor, request.match_info["room"])
    if found is None:
        raise AccessError("page.not_found")
    since = _since(request, services.now())
    results = await services.store.room_results(actor, found.id, since, MOST_RESULTS)
    told: list[dict[str, Any]] = [
        {
            "id": one.id,
            "ended_at": one.ended_at,
            "verdict": one.verdict,
            "not_checked": one.not_checked,
            "reason": one.reason,
            "findings": [str(finding["code"]) for finding in one.body.get("findings", ())],
        }
        for one in results
    ]
    if _wants_csv(request):
        return _csv("history", HISTORY, [{**one, "findings": " ".join(one["findings"])} for one in told])
    events = await services.store.room_events(actor, found.id, most=MOST_RESULTS)
    return web.json_response({
        "room": found.id,
        "results": [_plain(one) for one in told],
        "events": [
            {"sequence": one.sequence, "kind": one.kind, "at": rfc3339(one.at), "known": one.is_known,
             "findings": list(one.codes)}
            for one in events
            if one.at >= since
        ],
    })  # fmt: skip


async def _lines(request: web.Request, actor: Actor) -> list[dict[str, Any]]:
    services = request.app[SERVICES]
    newest = await services.store.newest_room_results(actor)
    rooms = await services.store.rooms(actor)
    return sorted((room_line(one, newest.get(one.id), services.now()) for one in rooms), key=order_of)


def _wants_csv(request: web.Request) -> bool:
    wanted = request.query.get("format", "json")
    if wanted not in {"json", "csv"}:
        raise InputError("request.malformed", field="format")
    return wanted == "csv"


def _since(request: web.Request, now: datetime) -> datetime:
    asked = request.query.get("since")
    if asked is None:
        return now - timedelta(days=30)
    try:
        found = datetime.fromisoformat(asked.replace(" ", "+"))
    except ValueError:
        raise InputError("request.malformed", field="since") from None
    if found.tzinfo is None or not now - LONGEST <= found <= now:
        raise InputError("request.malformed", field="since")
    return found


def _plain(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in line.items()}


def _csv(name: str, columns: Iterable[str], lines: Iterable[Mapping[str, Any]]) -> web.Response:
    """Return a table whose cells no spreadsheet takes for a formula."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(columns)
    for line in map(_plain, lines):
        table.writerow([guarded("" if line[column] is None else str(line[column])) for column in columns])
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return web.Response(text=written.getvalue(), content_type="text/csv", charset="utf-8", headers=headers)


METRICS: tuple[tuple[str, str, str], ...] = (
    ("readiness_room_ready", "gauge", "1 if the newest check says that the room is ready, with warnings or without."),
    ("readiness_room_alarm", "gauge", "1 if there is an alarm that nobody has said to know of."),
    ("readiness_room_checked_timestamp_seconds", "gauge", "When the newest check ended; left out before the first."),
    ("readiness_room_events_total", "counter", "Events so far."),
)


def _metric(name: str, kind: str, text: str, lines: Iterable[Mapping[str, Any]]) -> str:
    rows = [f"# HELP {name} {text}\n# TYPE {name} {kind}\n"]
    for one in lines:
        value = _value(name, one)
        if value is not None:
            labels = ",".join(f'{label}="{_escaped(str(one[label]))}"' for label in ("id", "building", "name"))
            rows.append(f"{name}{{{labels}}} {value}\n")
    return "".join(rows)


def _value(name: str, one: Mapping[str, Any]) -> int | None:
    if name == "readiness_room_ready":
        return int(str(one["state"]).startswith("ready"))
    if name == "readiness_room_alarm":
        return int(bool(one["alarm"]) and one["known_until"] is None)
    if name == "readiness_room_events_total":
        return int(one["sequence"])
    return None if one["checked_at"] is None else int(one["checked_at"].timestamp())


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
