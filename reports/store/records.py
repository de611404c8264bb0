"""What the store takes and gives: frozen values, no behaviour, no SQL. Moments are aware and in UTC."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

__all__ = [
    "CODE_ALPHABET",
    "CODE_LENGTH",
    "BoardRow",
    "Invitation",
    "InvitationKind",
    "Meeting",
    "Organisation",
    "Participant",
    "Purged",
    "SelfTest",
    "SelfTestState",
    "Session",
    "SessionKind",
    "StoredReport",
    "clean_code",
    "new_code",
    "new_id",
]

InvitationKind = Literal["participant", "leader", "support"]
SessionKind = Literal["participant", "leader", "drop_in", "support"]
SelfTestState = Literal["running", "finished", "incomplete"]

CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no I, L, O, U, so that a code survives being read aloud."""
CODE_LENGTH = 6
"""30 bits: names a report to support inside one organisation; it opens nothing, so it need not be unguessable."""
_MISREAD = str.maketrans("OILU", "011V")
_MOST_TYPED = 40
"""Characters looked at of what somebody typed as a code."""
_ID_BYTES = 18
"""144 bits of randomness, above the 128 a session id needs."""


def new_id() -> str:
    """Return a fresh unguessable id of 24 URL-safe characters."""
    return secrets.token_urlsafe(_ID_BYTES)


def new_code() -> str:
    """Return a fresh report code, for example ``K7MB2Q``."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def clean_code(typed: str) -> str | None:
    """Return the report code that somebody meant to type, or None where it can't be one.

    Small letters, spaces and hyphens do not matter; O is 0, I and L are 1, as Crockford has it, and U is heard for V.
    """
    plain = unicodedata.normalize("NFKC", typed[:_MOST_TYPED]).upper()
    code = "".join(letter for letter in plain if letter.isalnum()).translate(_MISREAD)
    return code if len(code) == CODE_LENGTH and set(code) <= set(CODE_ALPHABET) else None


@dataclass(frozen=True, slots=True)
class Organisation:
    """A hospital or clinic, and whom its participants can call."""

    id: str
    slug: str
    name: str
    support_phone: str
    support_hours: str
    languages: tuple[str, ...]
    time_zone: str
    drop_in_allowed: bool


@dataclass(frozen=True, slots=True)
class Meeting:
    """A planned video meeting; its title is emptied 24 h after its end."""

    id: str
    organisation_id: str
    title: str
    starts_at: datetime
    ends_at: datetime
    profile: str
    practical: tuple[str, ...]
    expected_people: int


@dataclass(frozen=True, slots=True)
class Participant:
    """Someone or some room taking part; `label` is what the leader chose and is emptied 24 h after the end."""

    id: str
    meeting_id: str
    role: str
    label: str
    locale: str
    position: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that was given out; its token is stored as a hash only and is not part of this value.

    A link for support has no meeting, every other link has one.
    """

    id: str
    organisation_id: str
    kind: InvitationKind
    meeting_id: str | None
    participant_id: str | None
    expires_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """An open page: what a link, or a drop-in, was swapped for."""

    id: str
    kind: SessionKind
    organisation_id: str
    invitation_id: str | None
    meeting_id: str | None
    participant_id: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SelfTest:
    """One run; `phases` holds what each ended phase found, so that another process can go on with the rest."""

    id: str
    session_id: str
    organisation_id: str
    participant_id: str | None
    profile: str
    state: SelfTestState
    started_at: datetime
    updated_at: datetime
    client: Mapping[str, Any] = field(default_factory=dict)
    phases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report as committed; `body` is the JSON object the participant's page gets."""

    id: str
    code: str
    organisation_id: str
    meeting_id: str | None
    participant_id: str | None
    self_test_id: str | None
    session_id: str | None
    verdict: str
    complete: bool
    other_device: bool
    created_at: datetime
    valid_until: datetime
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One line of a leader's board: the newest report if there is one, and whether a test runs right now."""

    participant: Participant
    report: StoredReport | None
    running: bool


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows one purge deleted, emptied or unlinked."""

    drop_in_reports: int = 0
    unlinked_reports: int = 0
    people: int = 0
    self_tests: int = 0
    links: int = 0
    sessions: int = 0
    meetings: int = 0
    old_figures: int = 0
