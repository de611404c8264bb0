"""The fixed cast: anna takes part, lars leads her meeting, odd leads elsewhere, eve must never get in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from readiness.access.tokens import hash_token, new_token
from reports.store import Actor, Store
from reports.store.records import Invitation, Meeting, Organisation, Participant, Session, StaffRole, new_id
from reports.store.staff_records import Staff
from tests.actors import add_meeting

CANARY_LABEL = "CanaryLabel"
SUNNAAS = Organisation(
    id="sunnaas",
    slug="sunnaas",
    name="Sunnaas",
    support_phone="+47 66 96 90 00",
    support_hours="00-24",
    languages=("nb", "nn", "en"),
    time_zone="Europe/Oslo",
    drop_in_allowed=True,
)


@dataclass(frozen=True)
class Cast:
    """One meeting with its people and the tokens of their links."""

    meeting: Meeting
    anna: Participant
    per: Participant
    anna_token: str
    per_token: str
    lars_token: str
    anna_invitation: Invitation


def supporter(organisation_id: str) -> Actor:
    """Nora, at that organisation's support."""
    return Actor("support", organisation_id, "link:nora")


async def signed_in(
    store: Store,
    organisation_id: str,
    now: datetime,
    roles: Sequence[StaffRole],
    *,
    name: str = "",
    units: Sequence[str] = (),
    whole: Sequence[StaffRole] = (),
    person_hash: bytes | None = None,
) -> tuple[str, str]:
    """Somebody of the staff signs in, as a provider would have it; the session and its cookie's secret.

    Their roles but those in `whole` are for `units`, if there are any, and they lead what `person_hash` leads.
    """
    secret, opened = new_token(), new_id()
    identity = hash_token(f"{organisation_id} {name}")
    limits = frozenset((role, unit) for role in roles for unit in units if role not in whole)
    who = Staff(new_id(), organisation_id, identity, "house", name, tuple(roles), now, limits, person_hash)
    session = Session(opened, "staff", organisation_id, None, None, None, now + timedelta(hours=8))
    await store.open_staff_session(who, session, hash_token(secret), None)
    return opened, secret


async def invite(
    store: Store, meeting: Meeting, person: Participant | None, *, expires_at=None
) -> tuple[str, Invitation]:
    """Give out a link."""
    token = new_token()
    invitation = Invitation(
        id=new_id(),
        organisation_id=meeting.organisation_id,
        kind="participant" if person else "leader",
        meeting_id=meeting.id,
        participant_id=person.id if person else None,
        expires_at=expires_at or meeting.ends_at + timedelta(hours=1),
        revoked_at=None,
    )
    await store.add_invitation(invitation, hash_token(token))
    return token, invitation


async def make_cast(store: Store, *, practical=(), organisation: Organisation = SUNNAAS) -> Cast:
    """Make a meeting tomorrow."""
    await store.ensure_organisation(organisation)
    starts = datetime.now(tz=UTC).replace(microsecond=0) + timedelta(days=1)
    meeting = Meeting(
        id=new_id(),
        organisation_id=organisation.id,
        title="Kontroll",
        starts_at=starts,
        ends_at=starts + timedelta(minutes=45),
        profile="consultation",
        practical=tuple(practical),
        expected_people=1,
    )
    anna = Participant(id=new_id(), meeting_id=meeting.id, role="patient", label=CANARY_LABEL, locale="nb", position=0)
    per = Participant(id=new_id(), meeting_id=meeting.id, role="relative", label="Per", locale="nn", position=1)
    await add_meeting(store, meeting, [anna, per])
    anna_token, anna_invitation = await invite(store, meeting, anna)
    per_token, _ = await invite(store, meeting, per)
    lars_token, _ = await invite(store, meeting, None)
    return Cast(meeting, anna, per, anna_token, per_token, lars_token, anna_invitation)
