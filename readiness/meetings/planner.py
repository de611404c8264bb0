"""Planning: make, change and cancel meetings. Used by the pages, the API, imports and the command line.

`values` checks the wishes, `inviting` decides who is told; this module stores the result, all of it or nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from readiness.access.contacts import ContactBox
from readiness.access.links import GivenLink, Links, new_link
from readiness.access.tokens import hash_token, hashes_of
from readiness.errors import AccessError, InputError, Unprocessable
from readiness.meetings.addresses import Person, opened, sealed
from readiness.meetings.inviting import Invited, Inviting, invitation
from readiness.meetings.kinds import FOLLOWS_UP
from readiness.meetings.knowing import may_know
from readiness.meetings.letter import LetterContext
from readiness.meetings.marks import state_mark
from readiness.meetings.values import MOST_PEOPLE, Values
from readiness.meetings.wishes import Change, HostPlan, MeetingPlan, PersonPlan, Way
from reports.model import rfc3339
from reports.store import Actor, Conflict, Gone, Store
from reports.store.records import Host, Meeting, NewMeeting, Organisation, Outgoing, Participant

__all__ = ["Made", "Planner"]

PERSON_KEPT = timedelta(hours=24)
"""How long after its end a meeting keeps its people; nothing can be changed once they are deleted."""


@dataclass(frozen=True, slots=True)
class Made:
    """A stored meeting with its people; `is_new` is False if it existed already."""

    meeting: Meeting
    participants: tuple[Participant, ...]
    hosts: tuple[Host, ...]
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for one organisation at one moment. A wrong wish raises InputError; its `field` says where."""

    store: Store
    contacts: ContactBox
    organisation: Organisation
    base_url: str
    now: datetime
    actor: Actor
    """The planning actor; belongs to the organisation."""

    def __post_init__(self) -> None:
        if self.actor.organisation_id != self.organisation.id:
            raise ValueError("who plans is of another organisation")

    @property
    def values(self) -> Values:
        """The checker of wishes for this organisation and moment."""
        return Values(self.organisation, self.contacts, self.now, self.actor.scope("meeting.change").units)

    @property
    def _links(self) -> Links:
        return Links(self.store, self.contacts, self.organisation, self.base_url, self.now)

    @property
    def _inviting(self) -> Inviting:
        return Inviting(self.store, self.contacts, self._links, self.now, self.actor)

    # ---- making

    def draft(self, plan: MeetingPlan, *, may_be_past: bool = False) -> NewMeeting:
        """Check a plan and return what `make` would store, without storing it. Safe in a thread."""
        values = self.values
        meeting = values.meeting(plan, may_be_past=may_be_past)
        people = values.people(meeting.id, plan)
        ways = [one.channel for one in plan.people] + [one.channel for one in plan.hosts]
        messages = [invitation(one, meeting, way, self.now) for one, way in zip(people, ways, strict=True)]
        stored = [sealed(self.contacts, one) for one in people]
        links = [new_link(self.organisation.id, meeting, one) for one in stored]
        return NewMeeting(
            meeting,
            tuple(one for one in stored if isinstance(one, Participant)),
            tuple(one for one in stored if isinstance(one, Host)),
            tuple((link, *hashes_of(self.contacts, link)) for link in links),
            tuple(filter(None, messages)),
        )

    async def make(self, plan: MeetingPlan) -> Made:
        """Store a meeting with its people and queue its invitations. For a known key, return the existing one.

        Raises Unprocessable("request.key_reused") if that one was made from another version of the wish.
        """
        drafted = self.draft(plan)
        known = await self._known(drafted.meeting) if drafted.meeting.import_key else None
        if known is not None:
            return known
        try:
            await self.store.add_meetings(self.actor, [drafted])
        except Conflict:  # another request for the same came at the same moment
            known = await self._known(drafted.meeting)
            if known is None:  # it is of a unit that is not theirs
                raise Unprocessable("request.key_reused", field="Idempotency-Key") from None
            return known
        return Made(drafted.meeting, tuple(drafted.participants), tuple(drafted.hosts))

    async def links(self, made: Made) -> dict[str, GivenLink]:
        """Return the link of each person in a meeting, by id."""
        links = self._links
        everybody: list[Participant | Host] = [*made.participants, *made.hosts]
        return {one.id: await links.of(made.meeting, one) for one in everybody}

    async def known(self, keys: Sequence[str]) -> dict[str, Meeting]:
        """Return the meetings that were made under these keys, by key."""
        hashes = {hash_token(key): key for key in keys if key}
        meetings = await self.store.meetings_by_keys(self.actor, list(hashes))
        return {hashes[key]: one for key, one in meetings.items()}

    async def in_series(self, names: Sequence[str]) -> dict[str, list[Meeting]]:
        """Return the planned occurrences of these series, by series."""
        hashes = {hash_token(name): name for name in names if name}
        occurrences: dict[str, list[Meeting]] = {}
        for one in await self.store.meetings_in_series(self.actor, list(hashes)) if hashes else []:
            occurrences.setdefault(hashes[one.import_series or b""], []).append(one)
        return occurrences

    async def _known(self, drafted: Meeting) -> Made | None:
        key = drafted.import_key
        meeting = await self.store.meeting_by_key(self.actor, key) if key else None
        if meeting is None:
            return None
        if meeting.import_version and drafted.import_version not in {"", meeting.import_version}:
            raise Unprocessable("request.key_reused", field="Idempotency-Key")
        people = await self.store.participants(self.actor, meeting.id)
        hosts = await self.store.hosts(self.actor, meeting.id)
        return Made(meeting, tuple(people), tuple(hosts), is_new=False)

    # ---- changing

    async def meeting(self, meeting_id: str) -> Meeting:
        """Return the organisation's meeting. Raises AccessError("meeting.not_found")."""
        meeting = await self.store.meeting(self.actor, meeting_id)
        if meeting is None:
            raise AccessError("meeting.not_found")
        return meeting

    def check_change(self, found: Meeting, wish: Change) -> None:
        """Raise the InputError that `change` would raise for the meeting as it is now. Safe in a thread."""
        self._refuse_closed(found)
        self.values.changes(found, wish)

    async def change(self, meeting_id: str, wish: Change) -> Meeting:
        """Change a meeting; a new time, solution or link is told to everybody who knew the old one."""
        meeting = await self._open(meeting_id)
        wished = self.values.changes(meeting, wish)
        changes = {name: value for name, value in wished.items() if value != getattr(meeting, name)}
        if not changes:
            return meeting
        moves = {"starts_at", "ends_at", "join_link", "solution"} & set(changes)
        messages: list[Outgoing] = []
        if moves:
            was = {"moved_from": rfc3339(meeting.starts_at), "was": state_mark(self.contacts, meeting)}
            messages = await self._inviting.told(meeting, "moved", was)
            changes["changed_at"] = self.now
        with _not_found("meeting.not_found"):
            drops = FOLLOWS_UP if "starts_at" in changes else {"moved"} if moves else ()
            return await self.store.change_meeting(self.actor, meeting_id, changes, messages=messages, drops=drops)

    async def cancel(self, meeting_id: str) -> Meeting:
        """Cancel a meeting and tell everybody who knew of it. A second call changes nothing."""
        meeting = await self.meeting(meeting_id)
        if meeting.state == "cancelled":
            return meeting
        if not self.is_open(meeting):
            raise InputError("meeting.ended")
        messages = await self._inviting.told(meeting, "cancelled", {})
        return await self.store.cancel_meeting(self.actor, meeting_id, self.now, messages=messages)

    async def invite(
        self, meeting_id: str, people: Sequence[str] | None, channel: Way, *, renew: bool = False
    ) -> list[Invited]:
        """Invite people to a meeting that is not over, or return their links; see `Inviting.invite`."""
        return await self._inviting.invite(await self._open(meeting_id), people, channel, renew=renew)

    async def letters(self, meeting: Meeting, people: Sequence[str] | None) -> list[LetterContext]:
        """Return the content of these participants' letters (None: of all); see `Inviting.letters`."""
        self._refuse_closed(meeting)
        return await self._inviting.letters(meeting, people)

    async def printed(self, meeting: Meeting, people: Sequence[str] | None) -> None:
        """Note that these letters were printed; see `Inviting.printed`."""
        await self._inviting.printed(meeting, people)

    async def told(self, meeting_id: str, person_id: str) -> None:
        """Note that the organiser told a participant or host how the meeting is now. They need not be called."""
        await self.meeting(meeting_id)
        with _not_found("meeting.not_found"):
            if not await self.store.note_told(self.actor, meeting_id, person_id, at=self.now):
                raise AccessError("person.not_found")

    async def add_person(self, meeting_id: str, wish: PersonPlan | HostPlan) -> Participant | Host:
        """Add a participant or host to a meeting, and invite them at once if `channel` is set."""
        meeting = await self._open(meeting_id)
        values = self.values
        person = values.host(meeting_id, wish) if isinstance(wish, HostPlan) else values.person(meeting_id, wish)
        added = await self._add(meeting_id, sealed(self.contacts, person))
        await self._links.of(meeting, added)
        message = invitation(person, meeting, wish.channel, self.now)
        await self.store.queue([message] if message else [])
        return added

    async def _add(self, meeting_id: str, added: Participant | Host) -> Participant | Host:
        with _not_found("meeting.not_found"):
            if isinstance(added, Host):
                return await self.store.add_host(self.actor, meeting_id, added)
            try:
                return await self.store.add_participant(self.actor, meeting_id, added, most=MOST_PEOPLE)
            except Conflict:
                raise InputError("meeting.too_many", field="participants") from None

    async def change_person(self, meeting_id: str, participant_id: str, wish: Mapping[str, Any]) -> Participant:
        """Change the fields in `wish` (those of `PersonPlan`) of a participant."""
        await self._open(meeting_id)
        people = await self.store.participants(self.actor, meeting_id)
        participant = next((one for one in people if one.id == participant_id), None)
        if participant is None:
            raise AccessError("person.not_found")
        known = opened(self.contacts, participant)
        kept = PersonPlan(
            participant.role,
            participant.label,
            participant.locale,
            known.reach.phone,
            known.reach.mail,
            participant.together,
            participant.interprets,
        )
        new = self.values.person(meeting_id, replace(kept, **{**wish, "channel": ""}))
        changes = self._differing(known, new, ("role", "label", "locale", "together", "interprets", "phone_hash"))
        if not changes:
            return participant
        with _not_found("person.not_found"):
            return await self.store.change_participant(self.actor, meeting_id, participant_id, changes)

    async def change_host(self, meeting_id: str, host_id: str, wish: Mapping[str, Any]) -> Host:
        """Change the fields in `wish` (those of `HostPlan`) of a leader or technical host."""
        await self._open(meeting_id)
        host = next((one for one in await self.store.hosts(self.actor, meeting_id) if one.id == host_id), None)
        if host is None:
            raise AccessError("person.not_found")
        known = opened(self.contacts, host)
        kept = HostPlan(host.role, host.label, host.locale, known.reach.phone, known.reach.mail)
        new = self.values.host(meeting_id, replace(kept, **{**wish, "channel": ""}))
        changes = self._differing(known, new, ("role", "label", "locale", "person_hash", "phone_hash"))
        if not changes:
            return host
        with _not_found("person.not_found"):
            return await self.store.change_host(self.actor, meeting_id, host_id, changes)

    def _differing(self, known: Person, new: Person, names: Sequence[str]) -> dict[str, Any]:
        """Return the changed fields as they are stored. Contact data is compared before it is encrypted."""
        stored = sealed(self.contacts, new)
        changes = {name: getattr(stored, name) for name in names if getattr(stored, name) != getattr(known.whose, name)}
        return changes if new.reach == known.reach else changes | {"reach": stored.reach}

    async def remove_person(self, meeting_id: str, participant_id: str) -> None:
        """Remove a participant from a meeting, with link, messages and report, and tell them if they were invited."""
        meeting = await self.meeting(meeting_id)
        keeps, messages = await self._told_out(meeting, participant_id)
        with _not_found("meeting.not_found"):
            if not await self.store.remove_participant(
                self.actor, meeting_id, participant_id, keeps=keeps, messages=messages
            ):
                raise AccessError("person.not_found")

    async def remove_host(self, meeting_id: str, host_id: str) -> None:
        """Remove a leader or technical host from a meeting, with link and messages; as `remove_person`."""
        meeting = await self.meeting(meeting_id)
        keeps, messages = await self._told_out(meeting, host_id)
        with _not_found("meeting.not_found"):
            if not await self.store.remove_host(self.actor, meeting_id, host_id, keeps=keeps, messages=messages):
                raise AccessError("person.not_found")

    async def _told_out(self, meeting: Meeting, person_id: str) -> tuple[bool, list[Outgoing]]:
        """Return whether somebody who is taken out has to be told, and the message that does so where one can.

        No message goes where somebody who stays in the meeting is reached: they would take it for their own. The same
        person entered twice has nothing to be told.
        """
        stored: list[Participant | Host] = [*await self.store.participants(self.actor, meeting.id)]
        stored += await self.store.hosts(self.actor, meeting.id)
        person = next((one for one in stored if one.id == person_id), None)
        if person is None:
            raise AccessError("person.not_found")
        if meeting.state != "planned" or self.now >= meeting.ends_at:
            return False, []
        if not may_know(person, await self.store.outgoing_of(self.actor, meeting.id)):
            return False, []
        gone = opened(self.contacts, person)
        others = [opened(self.contacts, one) for one in stored if one.id != person_id]
        if not any(one.reach.meets(gone.reach) for one in others):
            return True, await self._inviting.told_out(meeting, person)
        return not any(_is_twice(gone, one) for one in others), []

    async def forget_taken_out(self, meeting_id: str, person_id: str) -> None:
        """Take somebody who was taken out off the list of those to call: they know."""
        with _not_found("meeting.not_found"):
            if not await self.store.forget_taken_out(self.actor, meeting_id, person_id):
                raise AccessError("person.not_found")

    # ---- parts

    def is_open(self, found: Meeting) -> bool:
        """Return whether the meeting's people are still stored, so that they can be told."""
        return found.ends_at + PERSON_KEPT >= self.now

    async def _open(self, meeting_id: str) -> Meeting:
        meeting = await self.meeting(meeting_id)
        self._refuse_closed(meeting)
        return meeting

    def _refuse_closed(self, found: Meeting) -> None:
        if found.state == "cancelled":
            raise InputError("meeting.cancelled")
        if not self.is_open(found):
            raise InputError("meeting.ended")


def _is_twice(one: Person, other: Person) -> bool:
    """Return whether these are the same person, entered twice; a couple with one number has two names or roles."""
    return (one.whose.role, one.whose.label, one.reach) == (other.whose.role, other.whose.label, other.reach)


@contextlib.contextmanager
def _not_found(code: str) -> Iterator[None]:
    try:
        yield
    except Gone:
        raise AccessError(code) from None
