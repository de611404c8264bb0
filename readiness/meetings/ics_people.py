"""Participants and leader from the addresses of a calendar's entry. Anybody left out is noted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from readiness.meetings.ics_lines import Line, of_a_mail
from readiness.meetings.wanted import LONGEST_FOUND, Bad
from readiness.meetings.wishes import HostPlan, PersonPlan

__all__ = ["Invited", "invited"]

LONGEST_LABEL = 60
LONGEST_NAME = 500
"""Characters of a name in which an address is looked for: longer ones are no name."""
ROOMS = frozenset({"ROOM", "RESOURCE"})
ROOM_DOMAINS = ("resource.calendar.google.com",)
CALENDAR_DOMAINS = ("group.calendar.google.com", "import.calendar.google.com", "group.v.calendar.google.com")
"""Domains of Google's calendars, which are nobody's mailboxes."""
LEAVING = {"DECLINED": "import.declined", "DELEGATED": "import.delegated"}
LEADING = frozenset({"CHAIR", "ORGANIZER", "OWNER"})
_NOBODY = re.compile(
    r"(?:invalid:|mailto:)*(?:no-?mail|invalid|unknown|none|undisclosed.*|unknownorganizer@calendar\.google\.com"
    r"|(?:no-?reply|do-?not-?reply|ikke-?svar)@.*)?",
    re.IGNORECASE,
)
"""Placeholders that programs write for a missing address, and addresses that nobody reads."""
_NAMED = re.compile(r"([^<>()@]{1,200}?)\s*[<(]\s*(?:mailto:)?[^\s<>()]+@[^\s<>()]+\s*[>)]", re.IGNORECASE)
"""A name with its mail address behind it."""
_DIRECTORY = re.compile(r"(?:cn|ou|o|uid|dc)=", re.IGNORECASE)
"""Beginning of a name in a directory (LDAP, Notes), which is no mail address even with an at sign in it."""
_PHONE = re.compile(r"(?:tel|sms):([^;?]{3,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Invited:
    """The people of one entry."""

    people: tuple[PersonPlan, ...]
    hosts: tuple[HostPlan, ...]
    notes: tuple[Bad, ...]


@dataclass(frozen=True, slots=True)
class _Address:
    """One ATTENDEE or ORGANIZER."""

    mail: str
    phone: str
    name: str
    raw: str
    """The address in small letters; empty where it names nobody."""
    kind: str
    role: str
    answer: str

    @property
    def is_room(self) -> bool:
        return self.kind in ROOMS or _at(self.mail, ROOM_DOMAINS)

    @property
    def shown(self) -> str:
        return (self.name or self.mail or self.raw)[:LONGEST_FOUND]

    def is_same(self, other: _Address) -> bool:
        """Return whether both are one person: the same address, of mail or another kind, in any case."""
        return bool(self.mail or self.raw) and (self.mail.casefold(), self.mail or self.raw) == (
            other.mail.casefold(),
            self.mail or other.raw,
        )


def invited(organizer: Line | None, attendees: Sequence[Line], row: int) -> Invited:
    """Return the participants and leader of the entry `row`, and whoever was left out, with the reason."""
    listed = [_address(line) for line in attendees]
    leader = (
        _address(organizer) if organizer else next((one for one in listed if one.role in {"ORGANIZER", "OWNER"}), None)
    )
    if leader and leader.is_room:
        leader = None
    domain = leader.mail.rpartition("@")[2].casefold() if leader else ""
    people: dict[str, PersonPlan] = {}
    notes: list[Bad] = []
    for number, one in enumerate(listed):
        if leader and _leads(one, leader):
            continue
        if reason := _left_out(one):
            notes.append(Bad(row, reason, "ATTENDEE", one.shown))
            continue
        key = one.mail.casefold() or one.raw or f"\0{number}"
        wish = PersonPlan(_role(one, domain), one.name, phone=one.phone, mail=one.mail)
        before = people.get(key)
        people[key] = wish if before is None else replace(before, label=before.label or wish.label)
    return Invited(tuple(people.values()), _hosts(leader), tuple(notes))


def _hosts(leader: _Address | None) -> tuple[HostPlan, ...]:
    if leader is None or not (leader.mail or leader.name):
        return ()
    mail = "" if _at(leader.mail, CALENDAR_DOMAINS) else leader.mail
    return (HostPlan("leader", leader.name, mail=mail),) if mail or leader.name else ()


def _leads(one: _Address, leader: _Address) -> bool:
    """Return whether an attendee is the organizer, perhaps under another address."""
    is_same_name = bool(one.name) and one.name.casefold() == leader.name.casefold()
    return one.is_same(leader) or (one.role in LEADING and is_same_name)


def _left_out(one: _Address) -> str:
    """Return the reason for leaving somebody out, or "". Outlook marks rooms as NON-PARTICIPANT too."""
    if one.answer in LEAVING:
        return LEAVING[one.answer]
    if one.kind == "GROUP":
        return "import.group"
    return "import.only_told" if one.role == "NON-PARTICIPANT" and not one.is_room else ""


def _role(one: _Address, domain: str) -> str:
    """Return the role: a room, a colleague if at the organizer's domain, else the patient."""
    if one.is_room:
        return "meeting_room"
    return "staff" if domain and one.mail.rpartition("@")[2].casefold() == domain else "patient"


def _address(line: Line) -> _Address:
    params, value = line.params, line.value.strip()
    name = of_a_mail(re.sub(r"\\(.)", r"\1", params.get("CN", ""))).strip(" \"'")
    phone = _PHONE.match(value)
    mail = _mail(value)
    for other in (params.get("EMAIL", ""), params.get("X-EMAIL", ""), name):
        mail = mail or (_mail(other) if "@" in other else "")
    named = _NAMED.fullmatch(name[:LONGEST_NAME])
    name = named[1].strip(" \"'") if named else name
    label = "" if "@" in name else " ".join(name.split())[:LONGEST_LABEL].strip()
    return _Address(
        mail=mail,
        phone=unquote(phone[1]).strip() if phone else "",
        name=label,
        raw="" if _NOBODY.fullmatch(value) else value.casefold()[:500],
        kind=params.get("CUTYPE", "").upper(),
        role=params.get("ROLE", "").upper(),
        answer=params.get("PARTSTAT", params.get("STATUS", "")).upper(),
    )


def _mail(address: str) -> str:
    """Return the mail address in `address`, or "" for another kind: X.400, a directory's, none."""
    plain = address.strip(" \"'")
    had_scheme = False
    while plain[:7].lower() == "mailto:":
        plain, had_scheme = plain[7:].lstrip("/").strip(" \"'"), True
    if had_scheme:
        plain = re.sub(r"(?:\\[nNrR])+\Z", "", unquote(plain.partition("?")[0]))
    named = re.fullmatch(r"[^<>]{0,200}<([^<>]*)>\s*", plain)
    plain = (named[1] if named else plain).strip(" \"'")
    is_other = (
        plain.startswith("/")
        or plain[:8].lower() == "imceaex-"
        or _DIRECTORY.match(plain)
        or (not had_scheme and ":" in plain)
    )
    if is_other or (not had_scheme and "@" not in plain) or _NOBODY.fullmatch(plain):
        return ""
    return plain


def _at(mail: str, domains: Sequence[str]) -> bool:
    return mail.rpartition("@")[2].casefold() in domains
