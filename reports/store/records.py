"""The store's values: frozen, without behaviour or SQL. Moments are aware and in UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from .ids import CODE_ALPHABET, CODE_LENGTH, clean_code, new_code, new_id

__all__ = [
    "ANSWERS_AFTER_END",
    "CODE_ALPHABET",
    "CODE_LENGTH",
    "TESTS_AFTER_END",
    "BoardRow",
    "Channel",
    "GivenAs",
    "HeldLink",
    "Host",
    "HostRole",
    "HostRow",
    "Invitation",
    "InvitationKind",
    "JoinShown",
    "Judged",
    "Meeting",
    "MeetingLine",
    "MeetingState",
    "MessageName",
    "NewMeeting",
    "Organisation",
    "Outgoing",
    "OutgoingState",
    "Participant",
    "ReportMark",
    "SelfTest",
    "SelfTestState",
    "Session",
    "SessionKind",
    "StaffRole",
    "StoredReport",
    "TakenOut",
    "clean_code",
    "new_code",
    "new_id",
]

InvitationKind = Literal["participant", "leader", "support", "organiser", "api", "feed", "room_manager", "fleet"]
"""``fleet``: a token with which a program reads how the rooms are."""
SessionKind = Literal[
    "participant", "leader", "host_test", "drop_in", "support", "organiser", "room_manager", "room", "staff"
]
"""``host_test``: a leader or technical host who tests, opened from their board by their own link."""
StaffRole = Literal["administrator", "support", "organiser", "leader", "room_manager", "reader"]
"""What staff who sign in may be: each is a kind of actor. No link makes anybody an administrator, or a reader of
figures."""
HostRole = Literal["leader", "technical_host"]
MeetingState = Literal["planned", "cancelled"]
JoinShown = Literal["page", "mail", "kept"]
Channel = Literal["mail", "sms"]
GivenAs = Literal["", "letter", "link", "unknown"]
"""How a link was handed over; ``unknown`` of whoever took part before this was noted."""
MessageName = Literal[
    "invitation",
    "reminder",
    "recheck",
    "moved",
    "cancelled",
    "removed",
    "afterwards",
    "leader_link",
    "summary",
    "alert",
    "pin",
]
OutgoingState = Literal["waiting", "sending", "sent", "failed", "dropped"]
SelfTestState = Literal["running", "finished", "incomplete"]
Judged = Literal["false_alarm", "missed_sound", "missed_picture", "missed_line", "missed_other"]
"""What support says of a report afterwards: it was worse than the meeting, or it overlooked something."""

TESTS_AFTER_END = timedelta(hours=1)
"""How long after its end a meeting's links still open a test."""
ANSWERS_AFTER_END = timedelta(days=7)
"""How long after the end a link still opens the question how it went."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """A hospital or clinic, with the phone number for its participants."""

    id: str
    slug: str
    name: str
    support_phone: str
    support_hours: str
    languages: tuple[str, ...]
    time_zone: str
    drop_in_allowed: bool
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Its own Markdown by name (checklist, emergency, privacy) and language; a missing one has a default."""
    clinic_phone: str = ""
    """Whom to call for another time or a meeting in person; empty: the number for technical help."""
    asks_afterwards: bool = False
    """Whether participants get a message after the meeting that asks how it went."""
    links_off: tuple[InvitationKind, ...] = ()
    """Kinds of links that open nothing here: their people sign in."""
    clinic_contact: str = ""
    """Whom to ask for there, a person or a ward."""
    clinics: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """``number`` and ``contact`` of a unit, by its name, where they are others than the organisation's."""
    choices: Mapping[str, Any] = field(default_factory=dict)
    """What else was chosen, by name; a missing one has a default."""
    closed_days: str = ""
    """On which days nobody answers the phone besides public holidays, such as ``24.12, 27.12-30.12``."""


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
    solution: str = "other"
    """The video solution, by the name of its file among the solutions."""
    join_link: bytes | None = None
    """The meeting's own address, encrypted by the caller: a private room's address is personal."""
    join_shown: JoinShown = "page"
    """Who gets that address: participants on the page behind their own link, also in mail and letter, or nobody."""
    join_from: str = ""
    """Where participants get the meeting's own link where it is kept back, in the organiser's words."""
    support_phone: str = ""
    """The support phone for this meeting; empty: the organisation's."""
    clinic_phone: str = ""
    """Whom to call for another time or a meeting in person; empty: the organisation's."""
    contact: str = ""
    """Who answers there, as participants know them; emptied 24 h after the end."""
    assessed_by: str = ""
    """Who judged that video suits this meeting; emptied 24 h after the end."""
    agenda_sent: bool = False
    companion: str = ""
    """Who is with the patient and knows the emergency routine there; emptied 24 h after the end."""
    unit: str = ""
    """The department or ward, by which answers are summed; empty: none."""
    state: MeetingState = "planned"
    sequence: int = 0
    """Counts every move and the cancelling (RFC 5545 SEQUENCE)."""
    reminders: tuple[int, ...] = ()
    """Minutes before the start of reminders to participants who have not tested."""
    changed_at: datetime | None = None
    """When what its people had been told was changed last; None: never."""
    import_key: bytes | None = None
    """SHA-256 of its identifier in an import, so that the same import changes it instead of adding another."""
    import_series: bytes | None = None
    """SHA-256 of the common identifier of an imported series."""
    import_version: str = ""
    """Version of the imported entry, compared as text; an older file changes nothing. Empty: not known."""


@dataclass(frozen=True, slots=True)
class Participant:
    """A person or room that takes part; `label` is the leader's choice and is emptied 24 h after the end."""

    id: str
    meeting_id: str
    role: str
    label: str
    locale: str
    position: int
    together: int = 1
    """How many people sit together at this device or in this room."""
    reach: bytes | None = None
    """Phone and mail address that invitations go to, as JSON, encrypted by the caller."""
    last_verdict: str | None = None
    """The last report's verdict, kept after the report is unlinked, until the meeting is deleted."""
    interprets: str = ""
    """An interpreter's language, in the organiser's words; emptied 24 h after the end."""
    phone_hash: bytes | None = None
    """HMAC of the number under the service's key: finds who calls without revealing the number."""
    given_as: GivenAs = ""
    """In which form the link was last handed to the organiser to pass on."""
    given_at: datetime | None = None
    told_at: datetime | None = None
    """When the organiser last said that they told this person themselves."""


@dataclass(frozen=True, slots=True)
class Host:
    """A leader or technical host of a meeting; `label` and `reach` are emptied 24 h after the end."""

    id: str
    meeting_id: str
    role: HostRole
    label: str
    locale: str
    reach: bytes | None = None
    person_hash: bytes | None = None
    """HMAC of the address under the service's key: finds a leader's meetings without revealing the address."""
    phone_hash: bytes | None = None
    """HMAC of the number alone, as of a participant."""
    given_as: GivenAs = ""
    given_at: datetime | None = None
    told_at: datetime | None = None
    """These three as of a participant."""


@dataclass(frozen=True, slots=True)
class TakenOut:
    """Somebody who was in a meeting and is no more; deleted 24 h after its end, or when they are told."""

    id: str
    meeting_id: str
    role: str
    """A participant's role, or a host's."""
    label: str
    locale: str
    reach: bytes | None = None
    given_as: GivenAs = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent. Its text is made when it is sent; nothing of it is stored."""

    id: str
    organisation_id: str
    meeting_id: str
    participant_id: str | None
    host_id: str | None
    kind: MessageName
    channel: Channel
    once: str | None
    """A name that only one message may have, such as one reminder to one person; None: no limit."""
    created_at: datetime
    due_at: datetime
    state: OutgoingState = "waiting"
    attempts: int = 0
    error: str | None = None
    sent_at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """Values that can't be looked up at sending; never a name, an address or a link."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that was handed out; its token is stored as a hash only and is not part of this value.

    Links for support, organisers and programs have no meeting, every other link has one.
    """

    id: str
    organisation_id: str
    kind: InvitationKind
    meeting_id: str | None
    participant_id: str | None
    expires_at: datetime
    revoked_at: datetime | None = None
    host_id: str | None = None
    seen_at: datetime | None = None
    """When another link replaced it because others may have read its token on the way. From then on it opens only for
    holders of its sessions; those and its typed code go on."""


@dataclass(frozen=True, slots=True)
class HeldLink:
    """An open link with the SHA-256 of its token, which shows whether the token can be derived again."""

    link: Invitation
    token_hash: bytes


@dataclass(frozen=True, slots=True)
class Session:
    """An open page, in exchange for a link or of a drop-in."""

    id: str
    kind: SessionKind
    organisation_id: str
    invitation_id: str | None
    meeting_id: str | None
    participant_id: str | None
    expires_at: datetime
    testing_until: datetime | None = field(default=None, compare=False)
    """Until when a meeting's page may test, set by the store when it finds the session; None: no limit."""
    staff_id: str | None = None
    """Who signed in, where the page was opened so."""
    roles: tuple[StaffRole, ...] = field(default=(), compare=False)
    """What that person may be, as of the newest sign-in; told by the store, as are the next two."""
    limits: frozenset[tuple[StaffRole, str]] = field(default=frozenset(), compare=False)
    """The units of those roles that are not for the whole organisation."""
    person_hash: bytes | None = field(default=None, compare=False)
    """By which hosts are found who are the same person."""
    seen_at: datetime | None = field(default=None, compare=False)
    """When such a page was last used, to the minute."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """One self-test; `phases` holds the results of ended phases, so that another process can go on with the rest."""

    id: str
    session_id: str
    organisation_id: str
    participant_id: str | None
    profile: str
    state: SelfTestState
    started_at: datetime
    updated_at: datetime
    """The page's last sign of life, or the end of the test."""
    client: Mapping[str, Any] = field(default_factory=dict)
    phases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    claim: int = 1
    """Raised by each page that takes the test over. Only the page with the newest claim may write, see `TakenOver`."""


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report as committed; `body` is the JSON object for the participant's page."""

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
    """One line of a leader's board: the newest report if any, and whether a test is running."""

    participant: Participant
    report: StoredReport | None
    running: bool


@dataclass(frozen=True, slots=True)
class HostRow:
    """A leader or technical host on the board, with the newest test of the same person, for whichever meeting."""

    host: Host
    report: StoredReport | None
    running: bool


@dataclass(frozen=True, slots=True)
class NewMeeting:
    """A meeting with all that is stored along with it, in one transaction."""

    meeting: Meeting
    participants: Sequence[Participant] = ()
    hosts: Sequence[Host] = ()
    links: Sequence[tuple[Invitation, bytes, bytes | None]] = ()
    """Links, each with the hashes of its token and of its typed code."""
    messages: Sequence[Outgoing] = ()


@dataclass(frozen=True, slots=True)
class MeetingLine:
    """One line of the organiser's list."""

    meeting: Meeting
    people: Mapping[str, int]
    """The number of participants by state: not_tested, stale, or the newest report's verdict."""
    labels: tuple[str, ...]
    """The participants' labels, in order."""
    leaders: tuple[str, ...]
    """The leaders' labels."""


@dataclass(frozen=True, slots=True)
class ReportMark:
    """Verdict and time of one report of a meeting."""

    participant_id: str
    report_id: str
    verdict: str
    created_at: datetime
