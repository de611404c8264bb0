"""Planning: make, change and cancel meetings and invite to them. Used by the pages, the API, imports and the CLI.

What is told to people is queued in the transaction that changes the meeting, so that a crash never leaves them untold.
The texts are made when they are sent.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from readiness.access.contacts import ContactBox
from readiness.access.links import GivenLink, hash_token, hashes_of, leader_link, new_link, participant_link
from readiness.errors import AccessError, InputError, LimitError, Unprocessable
from readiness.meetings.addresses import Reach, open_reach, person_hash, seal_reach
from readiness.meetings.join_links import solution_of_link, unwrapped
from readiness.meetings.kinds import FOLLOWS_UP, INVITES
from readiness.meetings.letter import LetterContext
from readiness.meetings.marks import state_mark
from readiness.meetings.wishes import REMINDERS, Change, HostPlan, MeetingPlan, PersonPlan, Way
from readiness.reach import clean_mail, clean_phone, region_of
from readiness.typed import clean_link, one_line
from reports.model import rfc3339
from reports.profile import load_profile, profile_names
from reports.solution import solution_names
from reports.store import Conflict, Gone, Store
from reports.store.records import (
    Channel,
    Host,
    HostRole,
    Meeting,
    MessageName,
    NewMeeting,
    Organisation,
    Outgoing,
    Participant,
    new_id,
)

__all__ = [
    "HOST_ROLES",
    "REMINDERS",
    "ROLES",
    "SOLUTIONS",
    "Change",
    "HostPlan",
    "Invited",
    "Made",
    "MeetingPlan",
    "PersonPlan",
    "Planner",
    "Way",
    "local_moment",
]

ROLES = ("patient", "relative", "interpreter", "municipal_partner", "staff", "meeting_room")
HOST_ROLES: tuple[HostRole, ...] = ("leader", "technical_host")
SOLUTIONS = solution_names()
OTHER = "other"
"""The solution of a meeting of which nothing but the link is known."""
MOST_REMINDERS = 5
EARLIEST_REMINDER_MIN = 30 * 24 * 60
LONGEST_MIN = 720
MOST_PEOPLE = 60
MOST_INVITATIONS_A_DAY = 10
"""To one person in one meeting, whoever sends them."""
MOST_TOGETHER = 50
LONGEST_TITLE = 120
LONGEST_LABEL = 60
LONGEST_PHONE = 30
MOST_YEARS = 5
EARLIEST = timedelta(hours=12)
"""How long ago a meeting that is made now may have begun: it is running, and its people need the link."""
PERSON_KEPT = timedelta(hours=24)
"""After the end nothing is known of its people, so nothing can be changed."""


@dataclass(frozen=True, slots=True)
class Invited:
    """What came of inviting one: ``waiting`` to be sent, ``ready`` to be handed over, or why not."""

    id: str
    state: Literal["waiting", "ready", "no_mail", "no_phone", "no_mobile", "no_address"]
    link: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A meeting that is stored, with those in it; `is_new` is False where it had been made before."""

    meeting: Meeting
    participants: tuple[Participant, ...]
    hosts: tuple[Host, ...]
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for one organisation at one moment. Every wrong wish is an InputError whose `field` says where."""

    store: Store
    contacts: ContactBox
    organisation: Organisation
    base_url: str
    now: datetime

    @property
    def region(self) -> str:
        """The organisation's country, whose numbers are typed without its code."""
        return region_of(self.organisation.support_phone, self.organisation.time_zone)

    def clean_phone(self, typed: str) -> str:
        """Return a phone number as ``+4790000000``, or "" for nothing. Raises InputError("person.phone")."""
        return clean_phone(typed, self.region)

    # ---- making

    def draft(self, plan: MeetingPlan, *, may_be_past: bool = False) -> NewMeeting:
        """Check a plan and return what would be stored; nothing is stored. Safe in a thread."""
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
        meeting = Meeting(
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
            support_phone=_CLEAN["support_phone"](plan.support_phone),
            reminders=_reminders(plan.reminders),
            import_key=hash_token(plan.key) if plan.key else None,
            import_series=hash_token(plan.series) if plan.series else None,
            import_version=plan.version,
        )
        people = [self._person(meeting.id, one, place) for place, one in enumerate(plan.people)]
        hosts = [self._host(meeting.id, one, place) for place, one in enumerate(plan.hosts)]
        wished: list[tuple[Participant | Host, Way]] = []
        wished += [(one, wish.channel) for one, wish in zip(people, plan.people, strict=True)]
        wished += [(one, wish.channel) for one, wish in zip(hosts, plan.hosts, strict=True)]
        messages = [self._invitation(one, meeting, channel) for one, channel in wished]
        links = [new_link(self.organisation.id, meeting, one) for one, _ in wished]
        return NewMeeting(
            meeting,
            tuple(people),
            tuple(hosts),
            tuple((link, *hashes_of(self.contacts, link)) for link in links),
            tuple(filter(None, messages)),
        )

    async def make(self, plan: MeetingPlan) -> Made:
        """Store a meeting with its people and queue its invitations. A plan with a known key gives what is there.

        Raises Unprocessable("request.key_reused") where that was another wish, by its version.
        """
        drafted = self.draft(plan)
        known = await self._known(drafted.meeting)
        if known is not None:
            return known
        try:
            await self.store.add_meetings([drafted])
        except Conflict:  # somebody else asked for the same at the same moment
            known = await self._known(drafted.meeting)
            if known is None:
                raise
            return known
        return Made(drafted.meeting, tuple(drafted.participants), tuple(drafted.hosts))

    async def links(self, made: Made) -> dict[str, GivenLink]:
        """Return everybody's link by id."""
        given = {one.id: await self.link(made.meeting, one) for one in made.participants}
        return given | {one.id: await self.link(made.meeting, one) for one in made.hosts}

    async def link(self, meeting: Meeting, whose: Participant | Host, *, renew: bool = False) -> GivenLink:
        """Return the link of one participant or host; with `renew` earlier ones are closed."""
        common = (self.store, self.contacts, self.organisation, meeting)
        if isinstance(whose, Host):
            return await leader_link(*common, whose, base_url=self.base_url, now=self.now, replace=renew)
        return await participant_link(*common, whose, base_url=self.base_url, now=self.now, replace=renew)

    async def known(self, keys: Sequence[str]) -> dict[str, Meeting]:
        """Return the meetings that were made under these keys, by key."""
        hashes = {hash_token(key): key for key in keys if key}
        found = await self.store.meetings_by_keys(self.organisation.id, list(hashes))
        return {hashes[key]: one for key, one in found.items()}

    async def in_series(self, names: Sequence[str]) -> dict[str, list[Meeting]]:
        """Return the planned meetings that were made as occurrences of these series, by series."""
        hashes = {hash_token(name): name for name in names if name}
        found: dict[str, list[Meeting]] = {}
        for one in await self.store.meetings_in_series(self.organisation.id, list(hashes)) if hashes else []:
            found.setdefault(hashes[one.import_series or b""], []).append(one)
        return found

    async def _known(self, drafted: Meeting) -> Made | None:
        key = drafted.import_key
        found = await self.store.meeting_by_key(self.organisation.id, key) if key else None
        if found is None:
            return None
        if found.import_version and drafted.import_version not in {"", found.import_version}:
            raise Unprocessable("request.key_reused", field="Idempotency-Key")
        people, hosts = await self.store.participants(found.id), await self.store.hosts(found.id)
        return Made(found, tuple(people), tuple(hosts), is_new=False)

    # ---- changing

    async def meeting(self, meeting_id: str) -> Meeting:
        """Return the organisation's meeting. Raises AccessError("meeting.not_found")."""
        found = await self.store.meeting_in(self.organisation.id, meeting_id)
        if found is None:
            raise AccessError("meeting.not_found")
        return found

    def check_change(self, found: Meeting, wish: Change) -> None:
        """Raise InputError where `change` would, for a meeting as it is now. Safe in a thread."""
        self._refuse_closed(found)
        self._changes(found, wish)

    async def change(self, meeting_id: str, wish: Change) -> Meeting:
        """Change a meeting; where time, solution or link is another, whoever was told of the old one is told."""
        found = await self._open(meeting_id)
        changes = {name: value for name, value in self._changes(found, wish).items() if value != getattr(found, name)}
        if not changes:
            return found
        moves = {"starts_at", "ends_at", "join_link", "solution"} & set(changes)
        messages: list[Outgoing] = []
        if moves:
            was = {"moved_from": rfc3339(found.starts_at), "was": state_mark(self.contacts, found)}
            messages = await self._tell(found, "moved", was)
        with _not_found("meeting.not_found"):
            return await self.store.change_meeting(
                self.organisation.id, meeting_id, changes, messages=messages, drops=FOLLOWS_UP if moves else ()
            )

    async def cancel(self, meeting_id: str) -> Meeting:
        """Cancel a meeting and tell whoever was told of it. Twice is the same as once."""
        found = await self.meeting(meeting_id)
        if found.state == "cancelled":
            return found
        if not self.is_open(found):
            raise InputError("meeting.ended")
        messages = await self._tell(found, "cancelled", {})
        return await self.store.cancel_meeting(self.organisation.id, meeting_id, self.now, messages=messages)

    async def invite(
        self, meeting_id: str, people: Sequence[str] | None, channel: Way, *, renew: bool = False
    ) -> list[Invited]:
        """Invite these participants and hosts (None: all participants), or give their links to be handed over.

        With `renew` earlier links are closed. AccessError("person.not_found") for an id that is not in the meeting.
        """
        meeting = await self._open(meeting_id)
        everybody: dict[str, Participant | Host] = {one.id: one for one in await self.store.participants(meeting_id)}
        chosen = list(everybody) if people is None else list(dict.fromkeys(people))
        everybody |= {one.id: one for one in await self.store.hosts(meeting_id)}
        if not set(chosen) <= set(everybody):
            raise AccessError("person.not_found")
        if channel not in {"link", "letter"}:
            await refuse_too_many(self.store, meeting_id, chosen, self.now)
        answers, messages = [], []
        for one in (everybody[person_id] for person_id in chosen):
            missing = self._missing(one, channel)
            if missing is not None:
                answers.append(Invited(one.id, missing))
                continue
            given = await self.link(meeting, one, renew=renew)
            message = self._invitation(one, meeting, channel)
            if message is None:
                answers.append(Invited(one.id, "ready", given.link, given.code))
            else:
                messages.append(message)
                answers.append(Invited(one.id, "waiting"))
        await self.store.queue(messages)
        return answers

    async def letters(self, meeting: Meeting, people: Sequence[str] | None) -> list[LetterContext]:
        """Return what the letters of these participants say (None: of all). AccessError for who is not in it."""
        self._refuse_closed(meeting)
        everybody = {one.id: one for one in await self.store.participants(meeting.id)}
        chosen = list(everybody) if people is None else list(dict.fromkeys(people))
        if not chosen or not set(chosen) <= set(everybody):
            raise AccessError("person.not_found")
        letters = []
        for one in (everybody[person_id] for person_id in chosen):
            given = await self.link(meeting, one)
            code_url = f"{self.base_url}/o/{self.organisation.slug}/code"
            letters.append(
                LetterContext(
                    organisation=self.organisation,
                    meeting=meeting,
                    language=one.locale,
                    link=given.link,
                    code=given.code or "",
                    code_url=code_url,
                    label=one.label,
                )
            )
        return letters

    async def add_person(self, meeting_id: str, wish: PersonPlan | HostPlan) -> Participant | Host:
        """Add a participant or host to a meeting, and invite at once where `channel` says how."""
        meeting = await self._open(meeting_id)
        with _not_found("meeting.not_found"):
            added: Participant | Host
            if isinstance(wish, HostPlan):
                added = await self.store.add_host(self.organisation.id, meeting_id, self._host(meeting_id, wish, None))
            else:
                person = self._person(meeting_id, wish, None)
                try:
                    added = await self.store.add_participant(self.organisation.id, meeting_id, person, most=MOST_PEOPLE)
                except Conflict:
                    raise InputError("meeting.too_many", field="participants") from None
        await self.link(meeting, added)
        message = self._invitation(added, meeting, wish.channel)
        await self.store.queue([message] if message else [])
        return added

    async def change_person(self, meeting_id: str, participant_id: str, wish: Mapping[str, Any]) -> Participant:
        """Change the fields in `wish` (those of `PersonPlan`) of a participant."""
        await self._open(meeting_id)
        found = next((one for one in await self.store.participants(meeting_id) if one.id == participant_id), None)
        if found is None:
            raise AccessError("person.not_found")
        reach = open_reach(self.contacts, found.reach)
        kept = PersonPlan(found.role, found.label, found.locale, reach.phone, reach.mail, found.together)
        new = self._person(meeting_id, replace(kept, **{**wish, "channel": ""}), None)
        changes = self._differing(found, new, ("role", "label", "locale", "together"))
        if not changes:
            return found
        with _not_found("person.not_found"):
            return await self.store.change_participant(self.organisation.id, meeting_id, participant_id, changes)

    async def change_host(self, meeting_id: str, host_id: str, wish: Mapping[str, Any]) -> Host:
        """Change the fields in `wish` (those of `HostPlan`) of a leader or technical host."""
        await self._open(meeting_id)
        found = next((one for one in await self.store.hosts(meeting_id) if one.id == host_id), None)
        if found is None:
            raise AccessError("person.not_found")
        reach = open_reach(self.contacts, found.reach)
        kept = HostPlan(found.role, found.label, found.locale, reach.phone, reach.mail)
        new = self._host(meeting_id, replace(kept, **{**wish, "channel": ""}), None)
        changes = self._differing(found, new, ("role", "label", "locale", "person_hash"))
        if not changes:
            return found
        with _not_found("person.not_found"):
            return await self.store.change_host(self.organisation.id, meeting_id, host_id, changes)

    async def remove_person(self, meeting_id: str, participant_id: str) -> None:
        """Take a participant out of a meeting, with link, messages and report."""
        with _not_found("meeting.not_found"):
            if not await self.store.remove_participant(self.organisation.id, meeting_id, participant_id):
                raise AccessError("person.not_found")

    async def remove_host(self, meeting_id: str, host_id: str) -> None:
        """Take a leader or technical host out of a meeting, with link and messages."""
        with _not_found("meeting.not_found"):
            if not await self.store.remove_host(self.organisation.id, meeting_id, host_id):
                raise AccessError("person.not_found")

    # ---- parts

    def is_open(self, found: Meeting) -> bool:
        """Return whether anything is known of its people still, so that they can be told."""
        return found.ends_at + PERSON_KEPT >= self.now

    async def _open(self, meeting_id: str) -> Meeting:
        found = await self.meeting(meeting_id)
        self._refuse_closed(found)
        return found

    def _refuse_closed(self, found: Meeting) -> None:
        if found.state == "cancelled":
            raise InputError("meeting.cancelled")
        if not self.is_open(found):
            raise InputError("meeting.ended")

    def _changes(self, found: Meeting, wish: Change) -> dict[str, Any]:
        """Return the wished fields as they are stored. An unchanged link stays the bytes it is."""
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
        """Return the solution that a new link tells, where nobody said which it is."""
        told = solution_of_link(link)
        if told and wished in {None, OTHER}:
            return {"solution": told}
        was_told = wished is None and found.solution == solution_of_link(before)
        return {"solution": OTHER} if was_told and not told else {}

    def _refuse_past(self, starts_at: datetime, ends_at: datetime) -> None:
        if starts_at < self.now - EARLIEST or ends_at <= self.now:
            raise InputError("meeting.past", field="starts_at")

    async def _tell(self, meeting: Meeting, kind: MessageName, data: Mapping[str, Any]) -> list[Outgoing]:
        """Return a message to everybody who was told of the meeting as it was, by the way they were told.

        Whose invitation still waits hears of the new state by it. Who was not told yet of an earlier move hears of both
        as one.
        """
        told: dict[tuple[str | None, str | None], tuple[Channel, Mapping[str, Any]]] = {}
        queued = await self.store.outgoing_of(meeting.id)
        for one in sorted(queued, key=lambda one: (one.created_at, one.kind == kind)):  # of one moment: invited first
            whose = (one.participant_id, one.host_id)
            if one.kind in INVITES and one.state in {"sending", "sent"}:
                told[whose] = (one.channel, data)
            elif one.kind == kind and one.state == "waiting" and whose in told:
                told[whose] = (told[whose][0], one.data)
        return [
            Outgoing(
                id=new_id(),
                organisation_id=meeting.organisation_id,
                meeting_id=meeting.id,
                participant_id=participant_id,
                host_id=host_id,
                kind=kind,
                channel=channel,
                once=None,
                created_at=self.now,
                due_at=self.now,
                data=dict(known),
            )
            for (participant_id, host_id), (channel, known) in told.items()
        ]

    def _missing(
        self, whose: Participant | Host, channel: Way
    ) -> Literal["no_mail", "no_phone", "no_mobile", "no_address"] | None:
        reach = open_reach(self.contacts, whose.reach)
        if channel == "mail" and not reach.mail:
            return "no_mail"
        if channel == "sms" and not reach.phone:
            return "no_phone"
        if channel == "sms" and not reach.takes_sms:
            return "no_mobile"
        return "no_address" if channel == "auto" and reach.channel() is None else None

    def _invitation(self, whose: Participant | Host, meeting: Meeting, way: Way) -> Outgoing | None:
        """Return the message that invites, or None where the link is handed over in another way, or not yet."""
        channel = open_reach(self.contacts, whose.reach).channel() if way == "auto" else way
        if channel not in {"mail", "sms"}:
            return None
        if self._missing(whose, way) == "no_mail":
            raise InputError("person.no_mail")
        if self._missing(whose, way) == "no_phone":
            raise InputError("person.no_phone")
        if self._missing(whose, way) == "no_mobile":
            raise InputError("person.no_mobile")
        is_host = isinstance(whose, Host)
        return Outgoing(
            id=new_id(),
            organisation_id=self.organisation.id,
            meeting_id=meeting.id,
            participant_id=None if is_host else whose.id,
            host_id=whose.id if is_host else None,
            kind="leader_link" if is_host else "invitation",
            channel=channel,
            once=None,
            created_at=self.now,
            due_at=self.now,
        )

    def _differing(self, found: Participant | Host, new: Participant | Host, names: Sequence[str]) -> dict[str, Any]:
        """Return what is another now. The same address looks different each time it is closed."""
        changes = {name: getattr(new, name) for name in names if getattr(new, name) != getattr(found, name)}
        if open_reach(self.contacts, new.reach) != open_reach(self.contacts, found.reach):
            changes["reach"] = new.reach
        return changes

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

    def _person(self, meeting_id: str, wish: PersonPlan, place: int | None) -> Participant:
        where = "" if place is None else f"participants.{place}."
        if not 1 <= wish.together <= MOST_TOGETHER:
            raise InputError("person.together", field=where + "together")
        return Participant(
            id=new_id(),
            meeting_id=meeting_id,
            role=_one_of(wish.role, ROLES, "person.role", where + "role"),
            label=_text(wish.label, LONGEST_LABEL, where + "label"),
            locale=self._locale(wish.locale, where),
            position=place or 0,
            together=wish.together,
            reach=seal_reach(self.contacts, self._reach(wish, where)),
        )

    def _host(self, meeting_id: str, wish: HostPlan, place: int | None) -> Host:
        where = "" if place is None else f"hosts.{place}."
        reach = self._reach(wish, where)
        _one_of(wish.role, HOST_ROLES, "person.role", where + "role")
        return Host(
            id=new_id(),
            meeting_id=meeting_id,
            role="leader" if wish.role == "leader" else "technical_host",
            label=_text(wish.label, LONGEST_LABEL, where + "label"),
            locale=self._locale(wish.locale, where),
            reach=seal_reach(self.contacts, reach),
            person_hash=person_hash(self.contacts, reach),
        )


def local_moment(typed: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment that `typed` names, in `zone` where it names none.

    A time that the clocks jump over in spring is no time: InputError("meeting.no_such_time"). One that comes twice in
    autumn is the first of the two, unless `fold` says otherwise.
    """
    if typed.tzinfo is not None:
        return typed
    local = typed.replace(tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != typed:
        raise InputError("meeting.no_such_time", field="starts_at")
    return local


@contextlib.contextmanager
def _not_found(code: str) -> Iterator[None]:
    try:
        yield
    except Gone:
        raise AccessError(code) from None


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
    """Return a line of text: composed letters, nothing that can't be seen, spaces joined, not too long."""
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
    "support_phone": lambda typed: _text(typed, LONGEST_PHONE, "support_phone"),
    "profile": lambda name: _one_of(name, profile_names(), "meeting.profile", "profile"),
    "solution": lambda name: _one_of(name, SOLUTIONS, "meeting.solution", "solution"),
    "join_link": lambda typed: _at("join_link", clean_link, unwrapped(_at("join_link", clean_link, typed))),
    "reminders": _reminders,
    "practical": _practical,
    "expected_people": _people,
}
"""How each field of a meeting is checked and written."""


async def refuse_too_many(store: Store, meeting_id: str, people: Sequence[str], now: datetime) -> None:
    """Raise LimitError where somebody of `people` has been written to too often within a day."""
    since = now - timedelta(days=1)
    sent = Counter(
        one.participant_id or one.host_id
        for one in await store.outgoing_of(meeting_id)
        if one.kind in INVITES and one.created_at > since
    )
    if any(sent[person_id] >= MOST_INVITATIONS_A_DAY for person_id in people):
        raise LimitError("rate.limited", retry_after_s=timedelta(days=1).total_seconds())
