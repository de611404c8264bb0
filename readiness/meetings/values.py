"""Values: checks wishes for meetings and people and brings them into one form, or refuses the wrong field. Pure.

Contact data stays readable here; it is encrypted once, when it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from readiness.access.contacts import ContactBox
from readiness.access.tokens import hash_token
from readiness.errors import InputError
from readiness.meetings.addresses import Person, Reach
from readiness.meetings.join_links import solution_of_link
from readiness.meetings.wishes import Change, HostPlan, MeetingPlan, PersonPlan
from readiness.meetings.wrapped_links import unwrapped
from readiness.reach import clean_mail, clean_phone, region_of
from readiness.typed import clean_link, one_line
from reports.profile import load_profile, profile_names
from reports.solution import solution_names
from reports.store.records import Host, HostRole, JoinShown, Meeting, Organisation, Participant, new_id

__all__ = [
    "HOST_ROLES",
    "JOIN_SHOWN",
    "LONGEST_LABEL",
    "LONGEST_MIN",
    "LONGEST_PHONE",
    "LONGEST_TITLE",
    "MOST_PEOPLE",
    "MOST_TOGETHER",
    "ROLES",
    "SOLUTIONS",
    "Values",
    "local_moment",
]

ROLES = ("patient", "relative", "interpreter", "municipal_partner", "staff", "meeting_room")
HOST_ROLES: tuple[HostRole, ...] = ("leader", "technical_host")
JOIN_SHOWN: tuple[JoinShown, ...] = ("page", "mail", "kept")
SOLUTIONS = solution_names()
OTHER = "other"
"""The solution of a meeting that is known by its link only."""
MOST_REMINDERS = 5
EARLIEST_REMINDER_MIN = 30 * 24 * 60
LONGEST_MIN = 720
MOST_PEOPLE = 60
MOST_TOGETHER = 50
LONGEST_TITLE = 120
LONGEST_LABEL = 60
LONGEST_PHONE = 30
MOST_YEARS = 5
EARLIEST = timedelta(hours=12)
"""How long ago a new meeting may have begun: it may be running already, and its people need the link."""


@dataclass(frozen=True, slots=True)
class Values:
    """Reads wishes for one organisation at one moment. A wrong one raises InputError; its `field` says where."""

    organisation: Organisation
    contacts: ContactBox
    now: datetime
    units: frozenset[str] | None = None
    """The units that the planner may plan for; None: any, and none."""

    @property
    def region(self) -> str:
        """Return the organisation's country; its numbers are typed without the country code."""
        return region_of(self.organisation.support_phone, self.organisation.time_zone)

    def clean_phone(self, typed: str) -> str:
        """Return a phone number as ``+4790000000``, or "" for nothing. Raises InputError("person.phone")."""
        return clean_phone(typed, self.region)

    def meeting(self, plan: MeetingPlan, *, may_be_past: bool = False) -> Meeting:
        """Return the meeting that is planned."""
        starts_at = self._start(plan.starts)
        ends_at = starts_at + self._length(plan.minutes)
        if not may_be_past:
            self._refuse_past(starts_at, ends_at)
        if not plan.people:
            raise InputError("meeting.nobody", field="participants")
        if len(plan.people) > MOST_PEOPLE or len(plan.hosts) > MOST_PEOPLE:
            raise InputError("meeting.too_many", field="participants")
        needs = load_profile(_CLEAN["profile"](plan.profile))
        join_link = _CLEAN["join_link"](plan.join_link)
        solution = _CLEAN["solution"](plan.solution or OTHER)
        return Meeting(
            id=new_id(),
            organisation_id=self.organisation.id,
            title=_CLEAN["title"](plan.title),
            starts_at=starts_at,
            ends_at=ends_at,
            profile=needs.name,
            practical=needs.practical if plan.practical is None else _practical(plan.practical),
            expected_people=_people(plan.expected_people or needs.expected_people),
            solution=(solution_of_link(join_link) or solution) if solution == OTHER else solution,
            join_link=self.contacts.close(join_link) if join_link else None,
            join_shown=_CLEAN["join_shown"](plan.join_shown),
            join_from=_CLEAN["join_from"](plan.join_from),
            support_phone=_CLEAN["support_phone"](plan.support_phone),
            clinic_phone=_CLEAN["clinic_phone"](plan.clinic_phone),
            contact=_CLEAN["contact"](plan.contact),
            assessed_by=_CLEAN["assessed_by"](plan.assessed_by),
            agenda_sent=plan.agenda_sent,
            companion=_CLEAN["companion"](plan.companion),
            unit=self._unit(plan.unit),
            reminders=_reminders(plan.reminders),
            import_key=hash_token(plan.key) if plan.key else None,
            import_series=hash_token(plan.series) if plan.series else None,
            import_version=plan.version,
        )

    def people(self, meeting_id: str, plan: MeetingPlan) -> list[Person]:
        """Return the participants and then the hosts, in the plan's order."""
        people = [self.person(meeting_id, one, place) for place, one in enumerate(plan.people)]
        return people + [self.host(meeting_id, one, place) for place, one in enumerate(plan.hosts)]

    def person(self, meeting_id: str, wish: PersonPlan, place: int | None = None) -> Person:
        """Return a participant. `place` is the position in the plan, for the error's field."""
        where = "" if place is None else f"participants.{place}."
        if not 1 <= wish.together <= MOST_TOGETHER:
            raise InputError("person.together", field=where + "together")
        person = Participant(
            id=new_id(),
            meeting_id=meeting_id,
            role=_one_of(wish.role, ROLES, "person.role", where + "role"),
            label=_text(wish.label, LONGEST_LABEL, where + "label"),
            locale=self._locale(wish.locale, where),
            position=place or 0,
            together=wish.together,
            interprets=_text(wish.interprets, LONGEST_LABEL, where + "interprets"),
        )
        return Person(person, self._reach(wish, where))

    def host(self, meeting_id: str, wish: HostPlan, place: int | None = None) -> Person:
        """Return a leader or technical host; as `person`."""
        where = "" if place is None else f"hosts.{place}."
        reach = self._reach(wish, where)
        _one_of(wish.role, HOST_ROLES, "person.role", where + "role")
        host = Host(
            id=new_id(),
            meeting_id=meeting_id,
            role="leader" if wish.role == "leader" else "technical_host",
            label=_text(wish.label, LONGEST_LABEL, where + "label"),
            locale=self._locale(wish.locale, where),
        )
        return Person(host, reach)

    def changes(self, found: Meeting, wish: Change) -> dict[str, Any]:
        """Return the wished fields as they are stored. An unchanged link keeps its bytes."""
        changes: dict[str, Any] = {}
        if wish.starts is not None or wish.minutes is not None:
            starts_at = found.starts_at if wish.starts is None else self._start(wish.starts)
            lasts = found.ends_at - found.starts_at if wish.minutes is None else self._length(wish.minutes)
            if (starts_at, starts_at + lasts) != (found.starts_at, found.ends_at):
                self._refuse_past(starts_at, starts_at + lasts)
                changes |= {"starts_at": starts_at, "ends_at": starts_at + lasts}
        for name, clean in _CLEAN.items():
            if getattr(wish, name) is not None:
                changes[name] = clean(getattr(wish, name))
        if "unit" in changes:
            changes["unit"] = self._unit(changes["unit"])
        if "join_link" in changes:
            link, before = (
                changes.pop("join_link"),
                (self.contacts.open(found.join_link) if found.join_link else "") or "",
            )
            if link != before:
                changes["join_link"] = self.contacts.close(link) if link else None
                changes |= self._told_by(link, before, changes.get("solution"), found)
        return changes

    @staticmethod
    def _told_by(link: str, before: str, wished: str | None, found: Meeting) -> dict[str, str]:
        """Return the solution that a new link implies, where nobody named one."""
        told = solution_of_link(link)
        if told and wished in {None, OTHER}:
            return {"solution": told}
        was_told = wished is None and found.solution == solution_of_link(before)
        return {"solution": OTHER} if was_told and not told else {}

    def _unit(self, typed: str) -> str:
        """Return the unit. Whoever plans for one unit only need not name it, and for no other one may anybody plan."""
        unit = str(_CLEAN["unit"](typed))
        if self.units is None or unit in self.units:
            return unit
        if not unit and len(self.units) == 1:
            return min(self.units)
        raise InputError("meeting.unit", field="unit")

    def _refuse_past(self, starts_at: datetime, ends_at: datetime) -> None:
        if starts_at < self.now - EARLIEST or ends_at <= self.now:
            raise InputError("meeting.past", field="starts_at")

    def _start(self, starts: datetime) -> datetime:
        if starts.year > self.now.year + MOST_YEARS:
            raise InputError("meeting.too_far", field="starts_at")
        if starts.year < self.now.year - 1:
            raise InputError("meeting.past", field="starts_at")
        return local_moment(starts, ZoneInfo(self.organisation.time_zone)).astimezone(UTC)

    def _length(self, minutes: int) -> timedelta:
        if not 1 <= minutes <= LONGEST_MIN:
            raise InputError("meeting.length", field="minutes")
        return timedelta(minutes=minutes)

    def _reach(self, wish: PersonPlan | HostPlan, where: str) -> Reach:
        phone = _at(where + "phone", self.clean_phone, wish.phone)
        return Reach(phone=phone, mail=_at(where + "mail", clean_mail, wish.mail))

    def _locale(self, asked: str, where: str) -> str:
        languages = self.organisation.languages
        return _one_of(asked or languages[0], languages, "person.language", where + "locale")


def local_moment(typed: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment that `typed` stands for, in `zone` unless it has a zone of its own.

    Raises InputError("meeting.no_such_time") for a time that the clocks skip in spring. Of one that comes twice in
    autumn the first is taken, unless `fold` says otherwise.
    """
    if typed.tzinfo is not None:
        return typed
    local = typed.replace(tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != typed:
        raise InputError("meeting.no_such_time", field="starts_at")
    return local


def _at(where: str, clean: Any, typed: str) -> str:
    try:
        return str(clean(typed))
    except InputError as error:
        raise InputError(error.code, field=where) from None


def _one_of(value: str, known: Sequence[str], code: str, where: str) -> str:
    if value not in known:
        raise InputError(code, field=where)
    return value


def _text(typed: str, longest: int, where: str) -> str:
    """Return one line of text: composed letters, nothing invisible, single spaces. Raises InputError if too long."""
    plain = one_line(typed)
    if len(plain) > longest:
        raise InputError("text.too_long", field=where)
    return plain


def _reminders(wished: Sequence[int]) -> tuple[int, ...]:
    if len(wished) > MOST_REMINDERS or any(not 1 <= one <= EARLIEST_REMINDER_MIN for one in wished):
        raise InputError("meeting.reminders", field="reminders")
    return tuple(sorted(set(wished), reverse=True))


def _practical(wished: Sequence[str]) -> tuple[str, ...]:
    known = {name.removeprefix("practical.") for one in profile_names() for name in load_profile(one).checks}
    if not set(wished) <= known:
        raise InputError("meeting.practical", field="practical")
    return tuple(dict.fromkeys(wished))


def _people(wished: int) -> int:
    if not 1 <= wished <= MOST_TOGETHER:
        raise InputError("person.together", field="expected_people")
    return wished


_CLEAN: Mapping[str, Callable[[Any], Any]] = {
    "title": lambda typed: _text(typed, LONGEST_TITLE, "title"),
    "join_shown": lambda name: _one_of(name, JOIN_SHOWN, "meeting.join_shown", "join_shown"),
    "join_from": lambda typed: _text(typed, LONGEST_LABEL, "join_from"),
    "support_phone": lambda typed: _text(typed, LONGEST_PHONE, "support_phone"),
    "clinic_phone": lambda typed: _text(typed, LONGEST_PHONE, "clinic_phone"),
    "contact": lambda typed: _text(typed, LONGEST_LABEL, "contact"),
    "assessed_by": lambda typed: _text(typed, LONGEST_LABEL, "assessed_by"),
    "agenda_sent": bool,
    "companion": lambda typed: _text(typed, LONGEST_LABEL, "companion"),
    "unit": lambda typed: _text(typed, LONGEST_LABEL, "unit"),
    "profile": lambda name: _one_of(name, profile_names(), "meeting.profile", "profile"),
    "solution": lambda name: _one_of(name, SOLUTIONS, "meeting.solution", "solution"),
    "join_link": lambda typed: _at("join_link", clean_link, unwrapped(_at("join_link", clean_link, typed))),
    "reminders": _reminders,
    "practical": _practical,
    "expected_people": _people,
}
"""How each field of a meeting is checked and normalised."""
