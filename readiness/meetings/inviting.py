"""Inviting: how each person is reached, the messages that invite or tell of a change, and the content of letters.

Messages are queued in the transaction that changes the meeting, so that a crash leaves nobody uninformed; their
texts are made when they are sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from readiness.access.contacts import ContactBox
from readiness.access.links import Links
from readiness.errors import AccessError, InputError, LimitError
from readiness.meetings.addresses import Person, Reach, opened
from readiness.meetings.kinds import INVITES
from readiness.meetings.letter import LetterContext
from readiness.meetings.wishes import Way
from reports.store import Actor, Store
from reports.store.records import Channel, GivenAs, Host, Meeting, MessageName, Outgoing, Participant, new_id

__all__ = ["RESEND_EVERY", "Invited", "Inviting", "invitation", "refuse_too_many", "sent_again"]

MOST_INVITATIONS_A_DAY = 10
"""Limit for one person in one meeting, whoever sends them."""
RESEND_EVERY = timedelta(minutes=2)
"""A second press within this time sends nothing, whoever presses: a message is on its way."""
Missing = Literal["no_mail", "no_phone", "no_mobile", "no_address"]


@dataclass(frozen=True, slots=True)
class Invited:
    """The result of inviting a person: ``waiting`` to be sent, ``ready`` to be handed over, or why not."""

    id: str
    state: Literal["waiting", "ready"] | Missing
    link: str | None = None
    code: str | None = None


def sent_again(person_id: str, meeting: Meeting, channel: Channel, now: datetime) -> Outgoing:
    """Return a participant's invitation once more; of all within `RESEND_EVERY` only one can be queued."""
    bucket = int(now.timestamp() // RESEND_EVERY.total_seconds())
    return Outgoing(
        id=new_id(), organisation_id=meeting.organisation_id, meeting_id=meeting.id, participant_id=person_id,
        host_id=None, kind="invitation", channel=channel, once=f"resend:{person_id}:{bucket}",
        created_at=now, due_at=now,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inviting:
    """Sends invitations for one organisation at one moment."""

    store: Store
    contacts: ContactBox
    links: Links
    now: datetime
    actor: Actor

    async def invite(
        self, meeting: Meeting, people: Sequence[str] | None, channel: Way, *, renew: bool = False
    ) -> list[Invited]:
        """Invite these participants and hosts (None: all participants), or return their links to hand over.

        `renew` closes earlier links. Raises AccessError("person.not_found") for an id that is not in the meeting.
        """
        participants = await self.store.participants(self.actor, meeting.id)
        everybody: dict[str, Participant | Host] = {one.id: one for one in participants}
        chosen = list(everybody) if people is None else list(dict.fromkeys(people))
        everybody |= {one.id: one for one in await self.store.hosts(self.actor, meeting.id)}
        if not set(chosen) <= set(everybody):
            raise AccessError("person.not_found")
        if channel not in {"link", "letter"}:
            await refuse_too_many(self.store, self.actor, meeting.id, chosen, self.now)
        answers, messages = [], []
        for person in (opened(self.contacts, everybody[person_id]) for person_id in chosen):
            missing = _missing(person.reach, channel)
            if missing is not None:
                answers.append(Invited(person.whose.id, missing))
                continue
            given = await self.links.of(meeting, person.whose, renew=renew)
            message = invitation(person, meeting, channel, self.now)
            if message is None:
                answers.append(Invited(person.whose.id, "ready", given.link, given.code))
            else:
                messages.append(message)
                answers.append(Invited(person.whose.id, "waiting"))
        await self.store.queue(messages)
        handed = [one.id for one in answers if one.state == "ready"]
        if handed:
            given_as: GivenAs = "letter" if channel == "letter" else "link"
            await self.store.note_given(self.actor, meeting.id, handed, given_as=given_as, at=self.now)
        return answers

    async def letters(self, meeting: Meeting, people: Sequence[str] | None) -> list[LetterContext]:
        """Return the content of these participants' letters (None: of all). Raises AccessError for anybody else."""
        everybody = {one.id: one for one in await self.store.participants(self.actor, meeting.id)}
        chosen = list(everybody) if people is None else list(dict.fromkeys(people))
        if not chosen or not set(chosen) <= set(everybody):
            raise AccessError("person.not_found")
        organisation, letters = self.links.organisation, []
        shown = meeting.join_link is not None and meeting.join_shown == "mail"
        join = (self.contacts.open(meeting.join_link or b"") or "") if shown else ""
        for one in (everybody[person_id] for person_id in chosen):
            given = await self.links.of(meeting, one)
            code_url = f"{self.links.base_url}/o/{organisation.slug}/code"
            letters.append(
                LetterContext(
                    organisation=organisation,
                    meeting=meeting,
                    language=one.locale,
                    link=given.link,
                    code=given.code or "",
                    code_url=code_url,
                    label=one.label,
                    join=join,
                )
            )
        return letters

    async def printed(self, meeting: Meeting, people: Sequence[str] | None) -> None:
        """Note that letters of these participants (None: of all) were given out to be printed."""
        if people is None:
            people = [one.id for one in await self.store.participants(self.actor, meeting.id)]
        await self.store.note_given(self.actor, meeting.id, people, given_as="letter", at=self.now)

    async def told(self, meeting: Meeting, kind: MessageName, data: Mapping[str, Any]) -> list[Outgoing]:
        """Return a message to each person who knew of the meeting, by the channel that told them.

        People whose invitation is still queued learn the new state from that. An earlier move that is still
        queued and this one become one message.
        """
        told: dict[tuple[str | None, str | None], tuple[Channel, Mapping[str, Any]]] = {}
        queued = await self.store.outgoing_of(self.actor, meeting.id)
        for one in sorted(queued, key=lambda one: (one.created_at, one.kind == kind)):  # invitations first
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

    async def told_out(self, meeting: Meeting, person: Participant | Host) -> list[Outgoing]:
        """Return the message that tells somebody that they take part no more; none if none invited them."""
        sent = [
            one.channel
            for one in await self.store.outgoing_of(self.actor, meeting.id)
            if person.id in {one.participant_id, one.host_id}
            and one.kind in INVITES
            and one.state in {"sending", "sent"}
        ]
        return [
            Outgoing(
                id=new_id(),
                organisation_id=meeting.organisation_id,
                meeting_id=meeting.id,
                participant_id=None,
                host_id=None,
                kind="removed",
                channel=channel,
                once=None,
                created_at=self.now,
                due_at=self.now,
                data={"taken_out": person.id},
            )
            for channel in sent[-1:]
        ]


def invitation(person: Person, meeting: Meeting, way: Way, now: datetime) -> Outgoing | None:
    """Return the invitation, or None where the link is handed over in another way, or not yet.

    Raises InputError("person.no_mail"), ("person.no_phone") or ("person.no_mobile") if that way does not reach them.
    """
    channel = person.reach.channel() if way == "auto" else way
    if channel not in {"mail", "sms"}:
        return None
    missing = _missing(person.reach, way)
    if missing == "no_mail":
        raise InputError("person.no_mail")
    if missing == "no_phone":
        raise InputError("person.no_phone")
    if missing == "no_mobile":
        raise InputError("person.no_mobile")
    is_host = isinstance(person.whose, Host)
    return Outgoing(
        id=new_id(),
        organisation_id=meeting.organisation_id,
        meeting_id=meeting.id,
        participant_id=None if is_host else person.whose.id,
        host_id=person.whose.id if is_host else None,
        kind="leader_link" if is_host else "invitation",
        channel=channel,
        once=None,
        created_at=now,
        due_at=now,
    )


def _missing(reach: Reach, way: Way) -> Missing | None:
    if way == "mail" and not reach.mail:
        return "no_mail"
    if way == "sms" and not reach.phone:
        return "no_phone"
    if way == "sms" and not reach.takes_sms:
        return "no_mobile"
    return "no_address" if way == "auto" and reach.channel() is None else None


async def refuse_too_many(store: Store, actor: Actor, meeting_id: str, people: Sequence[str], now: datetime) -> None:
    """Raise LimitError if anybody of `people` has got too many invitations within a day."""
    since = now - timedelta(days=1)
    sent = Counter(
        one.participant_id or one.host_id
        for one in await store.outgoing_of(actor, meeting_id)
        if one.kind in INVITES and one.created_at > since
    )
    if any(sent[person_id] >= MOST_INVITATIONS_A_DAY for person_id in people):
        raise LimitError("rate.limited", retry_after_s=timedelta(days=1).total_seconds())
