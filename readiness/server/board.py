"""The leader's board: shows who is ready, and what to do about those who are not. No figures, addresses or devices.

A leader's link opens its own meeting and the same person's other meetings of today and of that meeting's day. Who signs
in as a leader has the meetings that they lead themselves, a week at a time. Phone numbers are shown only while the
session is unlocked by the one-time code sent to that leader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from readiness.access.actors import actor_of, sessions_that_may
from readiness.access.links import Links
from readiness.errors import AccessError
from readiness.meetings.addresses import open_reach
from readiness.meetings.board_pdf import BoardContext, BoardLine, BoardMeeting
from readiness.meetings.kinds import BRINGS_LINK
from readiness.meetings.meeting_rooms import room_on_paper, room_row
from readiness.server.phone_hours import phone_opens_at
from readiness.server.services import Services
from reports.advice import leader_area
from reports.kinds import PRACTICAL
from reports.model import rfc3339
from reports.store import Actor
from reports.store.case_records import SupportCase
from reports.store.records import (
    BoardRow,
    Channel,
    Host,
    HostRow,
    Meeting,
    Organisation,
    Outgoing,
    Session,
    StoredReport,
)
from reports.validity import recheck_due, state_of

__all__ = ["LEADERS", "Day", "board_json", "day_of", "opened_by_link", "organisation_json", "pin_channel", "sheet_of"]

LED_AHEAD: Final = timedelta(days=60)
"""How far ahead the next meeting of somebody who signs in is looked for."""
WEEK: Final = timedelta(days=7)
MOST_OTHERS: Final = 20
"""Other meetings on one board: each is asked for whenever the board changes."""
LEADERS: Final = sessions_that_may("day.read")
"""The kinds of sessions that open a board."""


@dataclass(frozen=True, slots=True)
class Day:
    """The meetings that a leader's session opens: the link's own meeting and the others of the day."""

    organisation: Organisation
    own: Meeting
    others: tuple[Meeting, ...]
    host: Host | None
    """The leader; None for a link that was made for no particular person."""
    actor: Actor

    @property
    def meetings(self) -> tuple[Meeting, ...]:
        """All of them, the earliest first."""
        return tuple(sorted((self.own, *self.others), key=lambda one: (one.starts_at, one.id)))


async def day_of(services: Services, session: Session) -> Day:
    """Return the meetings that the leader's `session` opens. Raises AccessError when its own is gone."""
    if session.kind == "staff":
        return await _led_by(services, session)
    store = services.store
    host = await store.host_of_session(session.id)
    actor = actor_of(session, host)
    own = await store.meeting(actor, str(session.meeting_id))
    organisation = await store.organisation_by_id(session.organisation_id)
    if own is None or organisation is None:
        raise AccessError("session.not_valid")
    others: dict[str, Meeting] = {}
    if host is not None and host.person_hash is not None:
        zone = ZoneInfo(organisation.time_zone)
        for moment in {_midnight(services.now(), zone), _midnight(own.starts_at, zone)}:
            starts = (moment, _midnight(moment + timedelta(hours=36), zone))
            meetings = await store.meetings_of_person(actor, host.person_hash, starts=starts)
            others |= {one.id: one for one in meetings if one.id != own.id}
    ordered = tuple(sorted(others.values(), key=lambda one: (one.starts_at, one.id)))
    return Day(organisation, own, ordered, host, actor)


async def _led_by(services: Services, session: Session) -> Day:
    """Return the meetings that somebody who signed in leads: the one that runs or comes next, and those of the week.

    Raises AccessError where there are none, and where nobody knows which they are.
    """
    store, now = services.store, services.now()
    organisation = await store.organisation_by_id(session.organisation_id)
    if organisation is None:
        raise AccessError("session.not_valid")
    if session.person_hash is None:
        raise AccessError("board.nobody")
    today = _midnight(now, ZoneInfo(organisation.time_zone))
    span = (today, today + LED_AHEAD)
    led = await store.meetings_of_person(actor_of(session), session.person_hash, starts=span)
    if not led:
        raise AccessError("board.none")
    own = next((one for one in led if one.state == "planned" and one.ends_at > now), led[-1])
    host = await _host_in(services, session, own)
    soon = max(today + WEEK, own.starts_at + timedelta(days=1))
    others = [one for one in led if one.id != own.id and one.starts_at < soon]
    return Day(organisation, own, tuple(others[:MOST_OTHERS]), host, actor_of(session, host))


async def _host_in(services: Services, session: Session, own: Meeting) -> Host | None:
    hosts = await services.store.hosts(actor_of(session), own.id)
    return next((one for one in hosts if one.person_hash == session.person_hash), None)


async def opened_by_link(services: Services, session: Session) -> Session:
    """Return the session of the board that the host's own link would open, for a test that belongs to that link."""
    day = await day_of(services, session)
    if session.kind != "staff" or day.host is None:
        return session
    links = Links(services.store, services.contacts, day.organisation, services.base_url, services.now())
    link = (await links.of(day.own, day.host)).invitation
    return replace(
        session, kind="leader", invitation_id=link.id, meeting_id=day.own.id, expires_at=link.expires_at, staff_id=None
    )


def _midnight(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the start of the day that `moment` falls on."""
    return moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


async def board_json(services: Services, session: Session, day: Day | None = None) -> dict[str, Any]:
    """Return the board that the leader's `session` opens. Raises AccessError when its meeting is gone."""
    day = day or await day_of(services, session)
    now = services.now()
    unlocked = await services.store.unlocked(session.id, now)
    is_asked = day.host is not None and session.kind != "staff" and day.own.ends_at <= now
    told = await services.store.feedback_for(session) if is_asked else None
    return {
        "organisation": organisation_json(day.organisation, now),
        **await _part_json(services, day, day.own, now, unlocked=unlocked),
        "day": [await _part_json(services, day, one, now, unlocked=unlocked) for one in day.others],
        "at": rfc3339(now),
        "unlocked": unlocked,
        "you": day.host.role if day.host else "leader",
        "pin": pin_channel(services, day.host),
        "feedback": (told.score if told else 0) if is_asked else None,
    }


async def sheet_of(services: Services, session: Session, day: Day, shown: Meeting, language: str) -> BoardContext:
    """Return the printed sheet's content: the leader's meetings on the day of `shown`; numbers only if unlocked."""
    store, now, zone = services.store, services.now(), ZoneInfo(day.organisation.time_zone)
    unlocked = await store.unlocked(session.id, now)
    meetings = []
    for meeting in day.meetings:
        if _midnight(meeting.starts_at, zone) == _midnight(shown.starts_at, zone):
            rows = await store.board(day.actor, meeting.id)
            lines = [await _line(services, day.actor, row, now, unlocked=unlocked) for row in rows]
            lines += [room_on_paper(one, now) for one in await store.meeting_rooms(day.actor, meeting.id)]
            hosts = await store.host_board(day.actor, meeting.id)
            lines += [_host_line(services, one, now, unlocked=unlocked) for one in hosts]
            meetings.append(BoardMeeting(meeting, lines))
    return BoardContext(day.organisation, language, shown.starts_at, now, meetings)


def _concerns_leader(case: SupportCase) -> bool:
    """Whether the leader has to know of it: handed over, by somebody nobody knows any more too, or taken by support."""
    return case.handed_over or case.taken_at is not None or not case.opened_by


async def _line(services: Services, actor: Actor, row: BoardRow, now: datetime, *, unlocked: bool) -> BoardLine:
    told = _row_json(services, row, (), None, now)
    phones = await _phones(services, actor, row) if unlocked else []
    return BoardLine(
        role=row.participant.role,
        label=row.participant.label,
        state=told["state"],
        tested_at=row.report.created_at if row.report else None,
        area=told.get("area"),
        responsible=told.get("responsible"),
        together=int(told.get("practical", {}).get("people") or row.participant.together),
        interprets=row.participant.interprets,
        other_device=bool(told.get("other_device")),
        without_sound=bool(told.get("without_sound")),
        phone=phones[0] if phones else "",
    )


def _host_line(services: Services, row: HostRow, now: datetime, *, unlocked: bool) -> BoardLine:
    tested_at = row.report.created_at if row.report else None
    phone = open_reach(services.contacts, row.host.reach).phone if unlocked else ""
    return BoardLine(row.host.role, row.host.label, state_of(row.report, now), tested_at, phone=phone, kind="host")


def pin_channel(services: Services, host: Host | None) -> Channel | None:
    """Return the channel for a one-time code to the leader, SMS before mail because it is read sooner, or None."""
    reach = open_reach(services.contacts, host.reach if host else None)
    can_sms = reach.takes_sms and (services.settings.sms_url or not reach.mail)
    return "sms" if can_sms else "mail" if reach.mail else None


async def _part_json(
    services: Services, day: Day, meeting: Meeting, now: datetime, *, unlocked: bool
) -> dict[str, dict[str, Any] | list[dict[str, Any]]]:
    store, contacts = services.store, services.contacts
    rows, messages = await store.board(day.actor, meeting.id), await store.outgoing_of(day.actor, meeting.id)
    hosts = await store.host_board(day.actor, meeting.id)
    cases = {case.participant_id: case for case in await store.cases_of(day.actor, meeting.id)}  # the newest of each
    phones = {row.participant.id: await _phones(services, day.actor, row) for row in rows} if unlocked else {}
    return {
        "meeting": {
            "id": meeting.id,
            "title": meeting.title,
            "starts_at": rfc3339(meeting.starts_at),
            "ends_at": rfc3339(meeting.ends_at),
            "time_zone": day.organisation.time_zone,
            "state": meeting.state,
            "solution": meeting.solution,
            "join_link": (contacts.open(meeting.join_link) if meeting.join_link else None) or "",
            "support_phone": meeting.support_phone,
            "assessed_by": meeting.assessed_by,
            "agenda_sent": meeting.agenda_sent,
            "companion": meeting.companion,
            "hosts": [_host_json(services, one, day.host, now, unlocked=unlocked) for one in hosts],
        },
        "participants": [
            _row_json(services, row, messages, cases.get(row.participant.id), now)
            | {"recheck_due": recheck_due(row.report, meeting, day.organisation.time_zone, now)}
            | ({"phones": phones[row.participant.id]} if unlocked else {})
            for row in rows
        ]
        + [room_row(one, now) for one in await store.meeting_rooms(day.actor, meeting.id)],
    }


def _host_json(
    services: Services, row: HostRow, whose: Host | None, now: datetime, *, unlocked: bool
) -> dict[str, Any]:
    """Return a host with the own test; `own` is whether that is who reads the board. Nobody waits for a host's test."""
    host, report = row.host, row.report
    is_same = whose is not None and whose.person_hash is not None and whose.person_hash == host.person_hash
    shown: dict[str, Any] = {
        "role": host.role,
        "label": host.label,
        "state": state_of(report, now),
        "running": row.running,
        "own": is_same or (whose is not None and whose.id == host.id),
    }
    if report is not None:
        shown |= {"tested_at": rfc3339(report.created_at), "device": (report.body.get("client") or {}).get("form")}
    phone = open_reach(services.contacts, host.reach).phone if unlocked else ""
    return shown | ({"phones": [phone] if phone else []} if unlocked else {})


async def _phones(services: Services, actor: Actor, row: BoardRow) -> list[str]:
    """Return the numbers of a participant: the one given for the day first, then the one that was invited."""
    sealed = await services.store.phone(actor, row.participant.id)
    given = services.contacts.open(sealed) if sealed else None
    known = open_reach(services.contacts, row.participant.reach).phone
    return list(dict.fromkeys(one for one in (given, known) if one))


def _row_json(
    services: Services, row: BoardRow, messages: Sequence[Outgoing], case: SupportCase | None, now: datetime
) -> dict[str, Any]:
    report, person = row.report, row.participant
    invited = [one for one in messages if one.participant_id == person.id and one.kind in BRINGS_LINK]
    shown: dict[str, Any] = {
        "id": person.id,
        "label": person.label,
        "role": person.role,
        "state": state_of(report, now),
        "running": row.running,
        "together": person.together,
        "interprets": person.interprets,
        "invitation": _invitation_json(invited[-1]) if invited else None,
        "can_resend": open_reach(services.contacts, person.reach).channel(),
        "handed_over_at": rfc3339(case.opened_at) if case and _concerns_leader(case) else None,
        "taken": case is not None and case.taken_at is not None,
        "helped": case is not None and case.taken_at is not None and case.done_at is not None,
    }
    if report is not None:
        area, responsible = leader_area(report.body.get("advice", []), report.body.get("checks", []))
        shown |= {
            "verdict": report.verdict,
            "tested_at": rfc3339(report.created_at),
            "other_device": report.other_device,
            "without_sound": "speaker.no_sound" in report.body.get("advice", []),
            "area": area,
            "responsible": responsible,
            "device": (report.body.get("client") or {}).get("form"),
            "practical": _practical(report),
        }
    return shown


def _practical(report: StoredReport) -> dict[str, str | int]:
    """Return the participant's answers to the practical questions, all of them choices or numbers."""
    values = {str(check.get("id")): check.get("value") for check in report.body.get("checks", ())}
    said = {question: values.get(f"practical.{question}") for question in PRACTICAL}
    return {question: value for question, value in said.items() if isinstance(value, str | int)}


def _invitation_json(newest: Outgoing) -> dict[str, Any]:
    sent_at = rfc3339(newest.sent_at) if newest.sent_at else None
    return {"channel": newest.channel, "state": newest.state, "sent_at": sent_at, "error": newest.error}


def organisation_json(organisation: Organisation | None, now: datetime) -> dict[str, Any] | None:
    """Return what anyone may know about an organisation; ``opens_at`` while its phone is known to be closed."""
    if organisation is None:
        return None
    opens_at = phone_opens_at(organisation, now)
    return {
        "slug": organisation.slug,
        "name": organisation.name,
        "support_phone": organisation.support_phone,
        "support_hours": organisation.support_hours,
        "opens_at": rfc3339(opens_at) if opens_at else None,
        "time_zone": organisation.time_zone,
        "languages": list(organisation.languages),
    }
