"""A planned meeting as JSON, for the API and the command line; fields are named as in ``web/api/openapi.json``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from readiness.meetings.addresses import open_reach
from readiness.meetings.kinds import INVITES
from readiness.meetings.knowing import has_to_be_called
from readiness.meetings.meeting_rooms import rooms_json
from readiness.meetings.planner import Planner
from reports.model import rfc3339
from reports.store.records import BoardRow, Host, Meeting, MeetingLine, Outgoing, Participant, TakenOut
from reports.validity import state_of

__all__ = ["line_json", "meeting_json"]


async def meeting_json(planner: Planner, found: Meeting) -> dict[str, Any]:
    """Return a meeting with its people, their readiness, and the state of their invitations."""
    store, actor, zone = planner.store, planner.actor, ZoneInfo(planner.organisation.time_zone)
    rows, hosts = await asyncio.gather(store.board(actor, found.id), store.hosts(actor, found.id))
    messages = await store.outgoing_of(actor, found.id)
    sent = _newest(messages)
    return {
        **_times(found, zone),
        "id": found.id,
        "title": found.title,
        "time_zone": planner.organisation.time_zone,
        "profile": found.profile,
        "solution": found.solution,
        "join_link": (planner.contacts.open(found.join_link) if found.join_link else None) or "",
        "join_shown": found.join_shown,
        "join_from": found.join_from,
        "support_phone": found.support_phone,
        "clinic_phone": found.clinic_phone,
        "contact": found.contact,
        "assessed_by": found.assessed_by,
        "agenda_sent": found.agenda_sent,
        "companion": found.companion,
        "unit": found.unit,
        "state": found.state,
        "sequence": found.sequence,
        "reminders": list(found.reminders),
        "practical": list(found.practical),
        "expected_people": found.expected_people,
        "rooms": rooms_json(await store.meeting_rooms(actor, found.id), planner.now),
        "participants": [
            _participant_json(planner, row, sent) | _known_json(row.participant, found, messages) for row in rows
        ],
        "hosts": [_host_json(planner, one, sent) | _known_json(one, found, messages) for one in hosts],
        "taken_out": [_taken_out_json(planner, one, messages) for one in await store.taken_out(actor, found.id)],
    }


def line_json(line: MeetingLine, zone: ZoneInfo) -> dict[str, Any]:
    """Return one line of a list of meetings: how many of its people are in which state, and who leads it."""
    found = line.meeting
    return {
        **_times(found, zone),
        "id": found.id,
        "title": found.title,
        "state": found.state,
        "profile": found.profile,
        "solution": found.solution,
        "counts": dict(line.people),
        "labels": list(line.labels),
        "leaders": list(line.leaders),
    }


def _participant_json(planner: Planner, row: BoardRow, sent: Mapping[str, Outgoing]) -> dict[str, Any]:
    person = row.participant
    reach = open_reach(planner.contacts, person.reach)
    return {
        "id": person.id,
        "role": person.role,
        "label": person.label,
        "locale": person.locale,
        "together": person.together,
        "interprets": person.interprets,
        "phone": reach.phone,
        "mail": reach.mail,
        "state": state_of(row.report, planner.now),
        "running": row.running,
        "tested_at": row.report and rfc3339(row.report.created_at),
        "invitation": _sent_json(sent.get(person.id)),
    }


def _host_json(planner: Planner, one: Host, sent: Mapping[str, Outgoing]) -> dict[str, Any]:
    reach = open_reach(planner.contacts, one.reach)
    return {
        "id": one.id,
        "role": one.role,
        "label": one.label,
        "locale": one.locale,
        "phone": reach.phone,
        "mail": reach.mail,
        "invitation": _sent_json(sent.get(one.id)),
    }


def _taken_out_json(planner: Planner, one: TakenOut, messages: Sequence[Outgoing]) -> dict[str, Any]:
    """Return who was taken out; ``call`` unless a message is on its way to them or has arrived."""
    told = [message.state for message in messages if message.data.get("taken_out") == one.id]
    return {
        "id": one.id,
        "role": one.role,
        "label": one.label,
        "phone": open_reach(planner.contacts, one.reach).phone,
        "given_as": one.given_as or None,
        "call": not {"waiting", "sending", "sent"} & set(told),
    }


def _known_json(person: Participant | Host, found: Meeting, messages: Sequence[Outgoing]) -> dict[str, Any]:
    """Return how somebody may know of the meeting besides by message, and whether they have to be called."""
    given = {"as": person.given_as, "at": rfc3339(person.given_at)} if person.given_at else None
    return {
        "given": given,
        "told_at": rfc3339(person.told_at) if person.told_at else None,
        "call": has_to_be_called(person, found, messages),
    }


def _newest(messages: Sequence[Outgoing]) -> dict[str, Outgoing]:
    """Return the newest invitation by participant or host."""
    inviting = [one for one in messages if one.kind in INVITES]
    return {str(one.participant_id or one.host_id): one for one in inviting}


def _sent_json(message: Outgoing | None) -> dict[str, Any] | None:
    if message is None:
        return None
    return {
        "channel": message.channel,
        "state": message.state,
        "sent_at": message.sent_at and rfc3339(message.sent_at),
        "error": message.error,
    }


def _times(found: Meeting, zone: ZoneInfo) -> dict[str, str]:
    local = found.starts_at.astimezone(zone).replace(tzinfo=None)
    return {
        "starts_at": rfc3339(found.starts_at),
        "ends_at": rfc3339(found.ends_at),
        "local_start": local.isoformat(timespec="minutes"),
    }
