"""Meetings from a file: CSV as spreadsheets save it, or iCalendar. Everything is checked before anything is changed.

A meeting of which one row is wrong is left out as a whole: an interpreter who was silently dropped is worse than a
meeting that has to be mended in the file. Importing a file again changes what it made; it takes nobody out.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import icalendar

from readiness.errors import InputError, Unavailable
from readiness.meetings.addresses import Reach, clean_mail, clean_phone, open_reach
from readiness.meetings.plan import Change, HostPlan, MeetingPlan, PersonPlan, Planner
from reports.store import Conflict
from reports.store.records import Meeting, NewMeeting, Participant

__all__ = ["COLUMNS", "MOST_BYTES", "Bad", "Imported", "guarded", "import_file", "read_file"]

MOST_BYTES = 1_000_000
MOST_MEETINGS = 300
"""In one file: all are stored in one transaction, and within the time that a request has."""
OF_MEETING = ("starts", "minutes", "title", "profile", "solution", "join_link", "support_phone")
OF_LEADER = ("leader", "leader_mail", "leader_phone")
OF_PERSON = ("role", "label", "language", "phone", "mail", "together")
COLUMNS = ("meeting", *OF_MEETING, *OF_LEADER, *OF_PERSON)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV injection)."""
FIRST_ROW = 2
ROOMS = frozenset({"ROOM", "RESOURCE"})
LONGEST_TITLE = 120
_HEADS: Mapping[str, str] = {"starts_at": "starts", "locale": "language", "minutes": "minutes"}
"""What the API calls a column: a wrong field is named as it stands in the file."""


@dataclass(frozen=True, slots=True)
class Bad:
    """What is wrong with a row, as a code that has words; `column` may be empty."""

    row: int
    reason: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One meeting of the file, and in which rows it and its people stand."""

    plan: MeetingPlan
    rows: tuple[int, ...]
    """Of each participant; the first is the meeting's own where it has nobody."""
    is_cancelled: bool = False

    @property
    def key(self) -> str:
        """Names the meeting over several imports."""
        return self.plan.key


@dataclass(slots=True)
class Imported:
    """What was done: ids of meetings that were made and changed. Where `bad` stands without skipping, nothing was."""

    made: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; `read_file` takes the mark off again."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def read_file(raw: bytes) -> tuple[list[Wanted], list[Bad]]:
    """Return the meetings of a file and its bad rows. Raises InputError where the file as a whole is no such file."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("import.unreadable") from None
    if "\0" in text:
        raise InputError("import.unreadable")
    wanted, bad = _read_calendar(text) if text.lstrip()[:15].upper() == "BEGIN:VCALENDAR" else _read_csv(text)
    if not wanted and not bad:
        raise InputError("import.empty")
    if len(wanted) > MOST_MEETINGS:
        raise InputError("import.too_large")
    return wanted, bad


async def import_file(planner: Planner, raw: bytes, *, skip_bad: bool = False, invite: bool = False) -> Imported:
    """Make and change the meetings of a file: all of them, or none where a row is bad, unless told to skip those.

    With `invite` everybody in new meetings who can be reached is invited.
    """
    wanted, bad = await asyncio.to_thread(read_file, raw)
    known = await planner.known([one.key for one in wanted])
    new, changed, more_bad = await asyncio.to_thread(_check, planner, wanted, known, invite=invite)
    done = Imported(bad=sorted([*bad, *more_bad], key=lambda one: (one.row, one.reason)))
    if done.bad and not skip_bad:
        return done
    try:
        await planner.store.add_meetings(new)
    except Conflict:
        raise Unavailable("store.unavailable", "the same file is being imported", retry_after_s=2.0) from None
    done.made = [one.meeting.id for one in new]
    for one, found in changed:
        if await _apply(planner, one, found):
            done.changed.append(found.id)
    return done


def _check(
    planner: Planner, wanted: Sequence[Wanted], known: Mapping[str, Meeting], *, invite: bool
) -> tuple[list[NewMeeting], list[tuple[Wanted, Meeting]], list[Bad]]:
    """Return what is to be made, what is to be changed, and what can't be."""
    new: list[NewMeeting] = []
    changed: list[tuple[Wanted, Meeting]] = []
    bad: list[Bad] = []
    for one in wanted:
        found = known.get(one.key)
        try:
            if found is not None:
                if not one.is_cancelled:
                    planner.draft(one.plan, may_be_past=True)
                    planner.check_change(found, _change_of(one.plan))
                changed.append((one, found))
            elif not one.is_cancelled:
                new.append(planner.draft(_inviting(one.plan) if invite else one.plan))
        except InputError as error:
            bad.append(_bad_of(one, error))
    return new, changed, bad


def _inviting(plan: MeetingPlan) -> MeetingPlan:
    people = tuple(replace(one, channel="auto") for one in plan.people)
    return replace(plan, people=people, hosts=tuple(replace(one, channel="auto") for one in plan.hosts))


def _change_of(plan: MeetingPlan) -> Change:
    names = ("starts", "minutes", "title", "profile", "solution", "join_link", "support_phone")
    return Change(**{name: getattr(plan, name) for name in names})


def _bad_of(one: Wanted, error: InputError) -> Bad:
    """Return the row that `error` is about, by the place of the participant it names."""
    parts = error.field.split(".")
    place = int(parts[1]) if parts[0] == "participants" and len(parts) > 1 else 0
    column = _HEADS.get(parts[-1], parts[-1])
    if parts[0] == "hosts":
        column = f"leader_{column}" if column in {"mail", "phone"} else "leader"
    return Bad(one.rows[place], error.code, column if column in COLUMNS else "")


async def _apply(planner: Planner, one: Wanted, found: Meeting) -> bool:
    """Bring a meeting that was imported before up to date; return whether anything was another."""
    if one.is_cancelled:
        await planner.cancel(found.id)
        return found.state != "cancelled"
    before = await planner.store.participants(found.id)
    after = await planner.change(found.id, _change_of(one.plan))
    is_changed = after != found
    for wish in one.plan.people:
        same = _same(planner, wish, before)
        if same is None:
            await planner.add_person(found.id, wish)
            is_changed = True
            continue
        before.remove(same)
        wished = {name: getattr(wish, name) for name in ("role", "label", "phone", "mail", "together")}
        if wish.locale:
            wished["locale"] = wish.locale
        if not _is_as(planner, wish, same):
            is_changed |= await planner.change_person(found.id, same.id, wished) != same
    hosts = await planner.store.hosts(found.id)
    known = {name for host in hosts for name in (host.label, open_reach(planner.contacts, host.reach).mail)}
    for leader in one.plan.hosts:
        if (leader.mail or leader.label) not in known:
            await planner.add_person(found.id, leader)
            is_changed = True
    return is_changed


def _is_as(planner: Planner, wish: PersonPlan, one: Participant) -> bool:
    """Return whether somebody is as wished already; the wish was checked before."""
    reach = Reach(clean_phone(wish.phone), clean_mail(wish.mail))
    return (wish.role, wish.label, wish.together, wish.locale or one.locale, reach) == (
        one.role, one.label, one.together, one.locale, open_reach(planner.contacts, one.reach),
    )  # fmt: skip


def _same(planner: Planner, wish: PersonPlan, people: Iterable[Participant]) -> Participant | None:
    """Return whom `wish` means: the one with the same address or number, else of the same role and label."""
    for one in people:
        reach = open_reach(planner.contacts, one.reach)
        if wish.mail and wish.mail.casefold() == reach.mail.casefold():
            return one
        if wish.phone and not wish.mail and clean_phone(wish.phone) == reach.phone:
            return one
    return next((one for one in people if (one.role, one.label) == (wish.role, wish.label)), None)


# ---- CSV


def _read_csv(text: str) -> tuple[list[Wanted], list[Bad]]:
    first = text.partition("\n")[0]
    delimiter = max(";,\t", key=first.count)
    rows = _rows(text, delimiter)
    try:
        listed = list(rows)
    except csv.Error:
        raise InputError("import.unreadable") from None
    if not listed:
        raise InputError("import.empty")
    _, heads = listed[0]
    names = [head.strip().lower() for head in heads]
    bad = [Bad(1, "import.column", name[:40]) for name in names if name and name not in COLUMNS]
    bad += [Bad(1, "import.column", name) for name in ("starts", "role") if name not in names]
    bad += [Bad(1, "import.column", name) for name, number in Counter(filter(None, names)).items() if number > 1]
    if bad:
        return [], bad
    groups: dict[str, list[tuple[int, dict[str, str]]]] = {}
    seen: Counter[str] = Counter()
    for number, cells in listed[1:]:
        if any(cell.strip() for cell in cells[len(names) :]):
            bad.append(Bad(number, "import.cells"))
            continue
        row = {name: _cell(cell) for name, cell in zip(names, cells, strict=False) if name}
        whole = "\x1f".join(row.get(name, "") for name in COLUMNS)
        seen[whole] += 1
        key = f"csv:{row['meeting']}" if row.get("meeting") else f"csv-row:{whole}\x1f{seen[whole]}"
        groups.setdefault(key, []).append((number, row))
    wanted: list[Wanted] = []
    for key, group in groups.items():
        try:
            wanted.append(_meeting(key, group))
        except _BadRowError as error:
            bad.append(error.bad)
    return wanted, bad


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Give each row that says something with the number of the line it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield begins, cells
        begins = reader.line_num + 1


def _cell(typed: str) -> str:
    plain = typed.strip()
    return plain[1:] if plain.startswith("'") and plain[1:].startswith(FORMULA) else plain


class _BadRowError(Exception):
    """A row can't be read."""

    def __init__(self, bad: Bad) -> None:
        super().__init__(bad.reason)
        self.bad = bad


def _meeting(key: str, group: Sequence[tuple[int, Mapping[str, str]]]) -> Wanted:
    first, head = group[0]
    for number, row in group[1:]:
        for name in OF_MEETING:
            if row.get(name) and row[name] != head.get(name, ""):
                raise _BadRowError(Bad(number, "import.differs", name))
    people, rows, leaders = [], [], {}
    for number, row in group:
        if any(row.get(name) for name in OF_PERSON):
            people.append(_person(number, row))
            rows.append(number)
        leader = tuple(row.get(name, "") for name in OF_LEADER)
        if any(leader):
            leaders[leader] = HostPlan("leader", leader[0], mail=leader[1], phone=leader[2])
    plan = MeetingPlan(
        starts=_starts(first, head.get("starts", "")),
        minutes=_number(first, head, "minutes", 45),
        title=head.get("title", ""),
        profile=head.get("profile", "").lower() or "consultation",
        solution=head.get("solution", "").lower() or "other",
        join_link=head.get("join_link", ""),
        support_phone=head.get("support_phone", ""),
        people=tuple(people),
        hosts=tuple(leaders.values()),
        key=key,
    )
    return Wanted(plan, tuple(rows) or (first,))


def _person(number: int, row: Mapping[str, str]) -> PersonPlan:
    return PersonPlan(
        role=row.get("role", "").lower(),
        label=row.get("label", ""),
        locale=row.get("language", "").lower(),
        phone=row.get("phone", ""),
        mail=row.get("mail", ""),
        together=_number(number, row, "together", 1),
    )


def _number(number: int, row: Mapping[str, str], name: str, otherwise: int) -> int:
    typed = row.get(name, "")
    if not typed:
        return otherwise
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 6):  # noqa: PLR2004 - clear of any limit
        raise _BadRowError(Bad(number, "import.number", name))
    return int(typed)


def _starts(number: int, typed: str) -> datetime:
    """Read ``2026-12-01 10:00`` (with an offset or without) or ``01.12.2026 10:00``."""
    try:
        return datetime.fromisoformat(typed)
    except ValueError:
        pass
    try:
        return datetime.strptime(typed, "%d.%m.%Y %H:%M")  # noqa: DTZ007 - the organisation's own zone
    except ValueError:
        raise _BadRowError(Bad(number, "meeting.no_such_time", "starts")) from None


# ---- iCalendar


def _read_calendar(text: str) -> tuple[list[Wanted], list[Bad]]:
    try:
        calendars = icalendar.Calendar.from_ical(text, multiple=True)
        events = [(one, event) for one in calendars for event in one.walk("VEVENT")]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError):
        raise InputError("import.unreadable") from None
    wanted: list[Wanted] = []
    bad: list[Bad] = []
    for number, (one, event) in enumerate(events, start=1):
        is_cancelled = str(one.get("METHOD", "")).upper() == "CANCEL"
        try:
            wanted.append(_event(number, event, is_cancelled=is_cancelled))
        except _BadRowError as error:
            bad.append(error.bad)
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError):
            bad.append(Bad(number, "import.unreadable"))
    return wanted, bad


def _event(number: int, event: Any, *, is_cancelled: bool) -> Wanted:
    uid = str(event.get("UID", "")).strip()
    if not uid:
        raise _BadRowError(Bad(number, "import.no_id"))
    if "RRULE" in event or "RDATE" in event:
        raise _BadRowError(Bad(number, "import.repeats"))
    starts, ends = event.get("DTSTART"), event.get("DTEND")
    if starts is None or not isinstance(starts.dt, datetime):
        raise _BadRowError(Bad(number, "import.all_day"))
    lasts = event.get("DURATION")
    minutes = 45
    if ends is not None and isinstance(ends.dt, datetime):
        minutes = round((_utc(ends.dt) - _utc(starts.dt)).total_seconds() / 60)
    elif lasts is not None:
        minutes = round(lasts.dt.total_seconds() / 60)
    organizer = event.get("ORGANIZER")
    leader = _mail_of(organizer)
    attendees = event.get("ATTENDEE", [])
    attendees = attendees if isinstance(attendees, list) else [attendees]
    people = [_attendee(one, leader) for one in attendees if _mail_of(one).casefold() != leader.casefold()]
    occurrence = event.get("RECURRENCE-ID")
    plan = MeetingPlan(
        starts=starts.dt,
        minutes=minutes,
        title=" ".join(str(event.get("SUMMARY", "")).split())[:LONGEST_TITLE],
        join_link=_link_of(event),
        people=tuple(people),
        hosts=(HostPlan("leader", _name_of(organizer), mail=leader),) if leader else (),
        key=f"ics:{uid}" + (f"\x1f{occurrence.dt.isoformat()}" if occurrence is not None else ""),
    )
    cancelled = is_cancelled or str(event.get("STATUS", "")).upper() == "CANCELLED"
    return Wanted(plan, (number,) * max(1, len(people)), is_cancelled=cancelled)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _mail_of(address: Any) -> str:
    plain = str(address or "")
    return plain[len("mailto:") :].strip() if plain.lower().startswith("mailto:") else ""


def _name_of(address: Any) -> str:
    name = str(address.params.get("CN", "")) if address is not None else ""
    return "" if "@" in name else " ".join(name.split())[:60]


def _attendee(address: Any, leader: str) -> PersonPlan:
    """Return somebody invited: a room, a colleague at the organizer's own domain, or else the patient."""
    mail = _mail_of(address)
    if str(address.params.get("CUTYPE", "")).upper() in ROOMS:
        role = "meeting_room"
    else:
        is_colleague = bool(leader) and mail.rpartition("@")[2].casefold() == leader.rpartition("@")[2].casefold()
        role = "staff" if is_colleague else "patient"
    return PersonPlan(role, _name_of(address), mail=mail)


def _link_of(event: Any) -> str:
    """Return the first https address among those that say where the meeting is."""
    for name in ("CONFERENCE", "URL", "LOCATION"):
        found = event.get(name, "")
        for one in found if isinstance(found, list) else [found]:
            for word in str(one).split():
                if word.lower().startswith("https://"):
                    return word.rstrip(",;.")
    return ""
