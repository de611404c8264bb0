"""Meetings from a file: CSV as spreadsheets save it, or iCalendar. Everything is checked before anything is changed.

A meeting with one bad row is left out as a whole: an interpreter who is silently dropped is worse than a meeting that
has to be corrected in the file. A second import of a file changes the meetings of the first; it removes nobody.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from readiness.access.tokens import hash_token
from readiness.errors import InputError, Unavailable, Unprocessable
from readiness.meetings.addresses import open_reach
from readiness.meetings.planner import Planner
from readiness.meetings.tables import COLUMNS
from readiness.meetings.values import local_moment
from readiness.meetings.wanted import LONGEST_FOUND, NAMELESS, Bad, Wanted
from readiness.meetings.wishes import Change, MeetingPlan, PersonPlan
from readiness.reach import clean_mail
from readiness.typed import one_line
from reports.store import Conflict
from reports.store.records import Meeting, NewMeeting, Participant

__all__ = ["Imported", "Reader", "import_file"]

_HEADS: Mapping[str, str] = {"starts_at": "starts", "locale": "language", "minutes": "minutes"}
"""Columns by the API's names of fields: a wrong field is reported by its name in the file."""
NOBODY = "\x1f"
"""Ends the mark of a person who is known by role only."""
STAYING: Mapping[str, str] = {
    "import.declined": "import.declined_stays",
    "import.delegated": "import.delegated_stays",
}
"""Why somebody is not invited, and what is said instead where they are in the meeting already."""
MOVED_WITHIN = timedelta(days=366)
_PROPERTIES: Mapping[str, str] = {
    "starts": "DTSTART",
    "minutes": "DTEND",
    "title": "SUMMARY",
    "join_link": "LOCATION",
    "participants": "ATTENDEE",
    "mail": "ATTENDEE",
    "label": "ATTENDEE",
    "leader": "ORGANIZER",
    "leader_mail": "ORGANIZER",
}
"""Properties of a calendar's entry, by the API's names of fields."""


@dataclass(slots=True)
class Imported:
    """The result: ids of the meetings that were made and changed; none of either if rows are bad and not skipped."""

    made: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    notes: list[Bad] = field(default_factory=list)
    """Remarks on what the file perhaps meant in another way."""


Reader = Callable[[bytes], Awaitable[tuple[list[Wanted], list[Bad]]]]
"""Reads a file in a confined process; raises the errors of `read_file`."""


@dataclass(slots=True)
class _Todo:
    """The work that a file asks for, checked against the stored meetings."""

    new: list[tuple[Wanted, NewMeeting]] = field(default_factory=list)
    changed: list[tuple[Wanted, Meeting]] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    notes: list[Bad] = field(default_factory=list)


async def import_file(
    planner: Planner, raw: bytes, *, read: Reader, skip_bad: bool = False, invite: bool = False
) -> Imported:
    """Make and change the meetings of a file: all of them, or none if a row is bad and `skip_bad` is not set.

    `invite` invites everybody in new meetings who can be reached, except to meetings that look like existing ones.
    """
    wanted, bad = await read(raw)
    known = await planner.known([one.key for one in wanted])
    series = await planner.in_series([one.plan.series for one in wanted if one.cancels_from is not None])
    others = await _not_all(planner, wanted, known)
    wanted = [await _with_who_stays(planner, one, known.get(one.key)) for one in wanted]
    todo = await asyncio.to_thread(_check, planner, wanted, known, series, invite=invite, others=others)
    done = Imported(bad=_in_order([*bad, *todo.bad]))
    if done.bad and not skip_bad:
        return done
    new = await _marked(planner, todo, invite=invite)
    done.notes = _in_order(todo.notes)
    try:
        await planner.store.add_meetings(planner.actor, new)
    except Conflict:
        if planner.values.units is not None:  # what others planned is not found
            raise Unprocessable("import.other_unit") from None
        raise Unavailable("store.unavailable", "the same file is being imported", retry_after_s=2.0) from None
    done.made = [one.meeting.id for one in new]
    for one, found in todo.changed:
        if await _apply(planner, one, found):
            done.changed.append(found.id)
    return done


async def _not_all(planner: Planner, wanted: Sequence[Wanted], known: Mapping[str, Meeting]) -> set[str]:
    """Return the keys of cancelling entries that name some of a meeting's people and not the others."""
    found = set()
    for one in wanted:
        meeting = known.get(one.key)
        if one.is_cancelled and one.plan.people and meeting is not None and not _is_older(one, meeting):
            people = await planner.store.participants(planner.actor, meeting.id)
            named = [same for _, same in _pairs(planner, one.plan.people, people, by_role=False) if same]
            if named and len(named) < len(people):
                found.add(one.key)
    return found


async def _with_who_stays(planner: Planner, one: Wanted, found: Meeting | None) -> Wanted:
    """Return the wish; whoever declined and is in the meeting already is noted as such, for imports remove nobody."""
    if found is None or not any(note.reason in STAYING for note in one.notes):
        return one
    people = await planner.store.participants(planner.actor, found.id)
    there = {name for who in people for name in (who.label, open_reach(planner.contacts, who.reach).mail) if name}
    notes = (
        replace(note, reason=STAYING.get(note.reason, note.reason)) if note.found in there else note
        for note in one.notes
    )
    return replace(one, notes=tuple(notes))


def _in_order(rows: Iterable[Bad]) -> list[Bad]:
    return sorted(dict.fromkeys(rows), key=lambda one: (one.row, one.reason))


def _check(
    planner: Planner,
    wanted: Sequence[Wanted],
    known: Mapping[str, Meeting],
    series: Mapping[str, Sequence[Meeting]],
    *,
    invite: bool,
    others: Container[str],
) -> _Todo:
    """Return the meetings to make, those to change, and the rows that can be neither."""
    todo = _Todo()
    for one in wanted:
        found = known.get(one.key)
        try:
            if one.key in others:
                todo.bad.append(Bad(one.rows[0], "import.cancels_some", "ATTENDEE", _named(one)))
                continue
            if one.is_cancelled:
                some = [
                    *([found] if found else []),
                    *(series.get(one.plan.series, []) if one.cancels_from is not None else []),
                ]
                todo.changed += [
                    (one, each) for each in {each.id: each for each in some}.values() if _ends(planner, one, each)
                ]
            elif found is not None and _is_older(one, found):
                todo.notes.append(Bad(one.rows[0], "import.older"))
                continue
            elif found is not None:
                planner.draft(one.plan, may_be_past=True)
                planner.check_change(found, _change_of(one))
                todo.changed.append((one, found))
            else:
                todo.new.append((one, planner.draft(_inviting(one.plan) if invite else one.plan)))
            todo.notes += one.notes
        except InputError as error:
            todo.bad.append(_bad_of(one, error))
    return todo


def _named(one: Wanted) -> str:
    return ", ".join(who.label or who.mail or who.phone for who in one.plan.people)[:LONGEST_FOUND]


def _is_older(one: Wanted, found: Meeting) -> bool:
    return bool(one.plan.version) and one.plan.version < found.import_version


def _ends(planner: Planner, one: Wanted, found: Meeting) -> bool:
    """Return whether a cancelling entry is about this meeting and newer than the stored version."""
    if _is_older(one, found) or not planner.is_open(found):
        return False
    is_this = found.import_key == hash_token(one.key)
    if is_this or not one.cancels_from:
        return True
    zone = ZoneInfo(planner.organisation.time_zone)
    return found.starts_at >= local_moment(datetime.fromisoformat(one.cancels_from), zone)


async def _marked(planner: Planner, todo: _Todo, *, invite: bool) -> list[NewMeeting]:
    """Note the new meetings with the time and people of an existing one, and invite nobody to them."""
    starts = sorted({new.meeting.starts_at for _, new in todo.new})
    there: dict[str, tuple[Meeting, list[Participant]]] = {}
    for meeting, person in await planner.store.people_at(planner.actor, starts):
        there.setdefault(meeting.id, (meeting, []))[1].append(person)
    seen = {(meeting.starts_at, _who(planner, people)) for meeting, people in there.values()}
    moved = await _perhaps_moved(planner, todo)
    by_start = Counter(new.meeting.starts_at for _, new in todo.new) + Counter(moment for moment, _ in seen)
    listed = []
    for one, drafted in todo.new:
        new, moment = drafted, drafted.meeting.starts_at
        looks = (moment, _who(planner, new.participants) if by_start[moment] > 1 else frozenset())
        told = "import.double" if looks in seen else "import.moved" if one.key in moved else ""
        if told:
            todo.notes.append(Bad(one.rows[0], f"{told}_not_invited" if invite else told))
            new = replace(new, messages=())
        seen.add(looks)
        listed.append(new)
    return listed


async def _perhaps_moved(planner: Planner, todo: _Todo) -> set[str]:
    """Return the keys of new rows without an identifier whose people have a coming meeting from another such row.

    Meetings whose rows are still in this file do not count.
    """
    rows = {one.key: _who(planner, new.participants) for one, new in todo.new if one.plan.version == NAMELESS}
    if not rows:
        return set()
    named = {found.id for _, found in todo.changed}
    span = (planner.now, planner.now + MOVED_WITHIN)
    there: dict[str, list[Participant]] = {}
    for meeting, person in await planner.store.people_of_version(planner.actor, NAMELESS, span):
        if meeting.id not in named:
            there.setdefault(meeting.id, []).append(person)
    others = {_who(planner, people) for people in there.values()}
    return {key for key, who in rows.items() if who in others and any(not name.endswith(NOBODY) for name in who)}


def _who(planner: Planner, people: Iterable[Participant]) -> frozenset[str]:
    """Return a mark of a meeting's people: their addresses, numbers, else their labels."""
    reaches = [(one, open_reach(planner.contacts, one.reach)) for one in people]
    return frozenset(reach.mail.casefold() or reach.phone or f"{one.role}{NOBODY}{one.label}" for one, reach in reaches)


def _inviting(plan: MeetingPlan) -> MeetingPlan:
    people = tuple(replace(one, channel="auto") for one in plan.people)
    return replace(plan, people=people, hosts=tuple(replace(one, channel="auto") for one in plan.hosts))


def _change_of(one: Wanted) -> Change:
    names = ("starts", "minutes", "title", "profile", "solution", "join_link", "support_phone", "unit")
    return Change(**{name: getattr(one.plan, name) for name in names if one.names(name)})


def _bad_of(one: Wanted, error: InputError) -> Bad:
    """Return the row that `error` is about, by the position of its participant."""
    parts = error.field.split(".")
    place = int(parts[1]) if parts[0] == "participants" and len(parts) > 1 else 0
    column = _HEADS.get(parts[-1], parts[-1])
    if parts[0] == "hosts":
        column = f"leader_{column}" if column in {"mail", "phone"} else "leader"
    if not one.plan.series:
        return Bad(one.rows[place], error.code, column if column in COLUMNS else "")
    shown = one.plan.people[place] if parts[0] == "participants" and len(parts) > 1 else None
    return Bad(
        one.rows[place],
        error.code,
        _PROPERTIES.get(column, ""),
        (shown.mail or shown.label if shown else "")[:LONGEST_FOUND],
    )


async def _apply(planner: Planner, one: Wanted, found: Meeting) -> bool:
    """Bring an imported meeting up to date; return whether anything changed."""
    if one.is_cancelled:
        await planner.cancel(found.id)
        await _note_version(planner, one, found)
        return found.state != "cancelled"
    before = list(await planner.store.participants(planner.actor, found.id))
    after = await planner.change(found.id, _change_of(one))
    is_changed = after != found
    for wish, same in _pairs(planner, one.plan.people, before, by_role=one.names("role")):
        if same is None:
            await planner.add_person(found.id, wish)
            is_changed = True
            continue
        wished = {name: getattr(wish, name) for name in ("label", "locale", "phone", "mail") if getattr(wish, name)}
        wished |= {name: getattr(wish, name) for name in ("role", "together") if one.names(name)}
        if not _is_as(planner, wished, same):
            is_changed |= await planner.change_person(found.id, same.id, wished) != same
    hosts = await planner.store.hosts(planner.actor, found.id)
    known = {name for host in hosts for name in (host.label, open_reach(planner.contacts, host.reach).mail)}
    for leader in one.plan.hosts:
        if (leader.mail or leader.label) not in known:
            await planner.add_person(found.id, leader)
            is_changed = True
    await _note_version(planner, one, found)
    return is_changed


async def _note_version(planner: Planner, one: Wanted, found: Meeting) -> None:
    if one.plan.version and one.plan.version != found.import_version:
        await planner.store.change_meeting(planner.actor, found.id, {"import_version": one.plan.version})


def _is_as(planner: Planner, wished: Mapping[str, Any], one: Participant) -> bool:
    """Return whether a person already matches the wish, which was checked before."""
    reach = open_reach(planner.contacts, one.reach)
    now = {"phone": reach.phone, "mail": reach.mail}
    clean = {"phone": planner.values.clean_phone, "mail": clean_mail, "label": one_line}
    return all(
        clean.get(name, str)(value) == now.get(name, str(getattr(one, name, ""))) for name, value in wished.items()
    )


def _pairs(
    planner: Planner, wishes: Sequence[PersonPlan], people: Sequence[Participant], *, by_role: bool
) -> list[tuple[PersonPlan, Participant | None]]:
    """Return the person meant by each wish, nobody twice; whoever matches a wish fully is not given to another one.

    Two people may have one number, a child and its mother, and their rows may come in any order.
    """
    left = list(people)
    found: dict[int, Participant] = {}
    for is_sure in (True, False):
        for at, wish in enumerate(wishes):
            if at in found:
                continue
            alike = [
                one for one in left if one.label == one_line(wish.label) and (one.role == wish.role or not by_role)
            ]
            same = _same(planner, wish, alike if is_sure else left, by_role=by_role)
            if same is not None:
                found[at] = same
                left.remove(same)
    return [(wish, found.get(at)) for at, wish in enumerate(wishes)]


def _same(planner: Planner, wish: PersonPlan, people: Sequence[Participant], *, by_role: bool) -> Participant | None:
    """Return the person meant by `wish`: same address or number, else same label; `by_role` wants the same role too."""
    for one in people:
        reach = open_reach(planner.contacts, one.reach)
        if wish.mail and clean_mail(wish.mail).casefold() == reach.mail.casefold():
            return one
        if wish.phone and not wish.mail and planner.values.clean_phone(wish.phone) == reach.phone:
            return one
    alike = [one for one in people if one.label == wish.label and (one.role == wish.role or not by_role)]
    return next(iter(alike), None)
