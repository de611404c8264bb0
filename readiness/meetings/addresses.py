"""How people are reached: phone numbers and mail addresses, kept closed under the service's key."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from readiness.access.contacts import ContactBox
from readiness.reach import takes_sms
from reports.store.records import Channel, Host, Participant

__all__ = ["Person", "Reach", "open_reach", "opened", "person_hash", "seal_reach", "sealed"]


@dataclass(frozen=True, slots=True)
class Reach:
    """How somebody is reached; empty where it is not known."""

    phone: str = ""
    mail: str = ""

    @property
    def takes_sms(self) -> bool:
        """Whether an SMS may arrive: there is a number, and it is not known to be no mobile."""
        return takes_sms(self.phone)

    def channel(self) -> Channel | None:
        """Return the better way: mail shows the meeting in the calendar, SMS is read sooner."""
        return "mail" if self.mail else "sms" if self.takes_sms else None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a meeting whose contact data is open: opened once when read, sealed once when stored."""

    whose: Participant | Host
    """As it is, or will be, stored; its own `reach` is not looked at."""
    reach: Reach


def opened(contacts: ContactBox, whose: Participant | Host) -> Person:
    """Open the contact data of a stored participant or host."""
    return Person(whose, open_reach(contacts, whose.reach))


def sealed(contacts: ContactBox, person: Person) -> Participant | Host:
    """Return the participant or host to store: contact data closed, and a host findable in other meetings by it."""
    closed = seal_reach(contacts, person.reach)
    if isinstance(person.whose, Host):
        return replace(person.whose, reach=closed, person_hash=person_hash(contacts, person.reach))
    return replace(person.whose, reach=closed)


def seal_reach(contacts: ContactBox, reach: Reach) -> bytes | None:
    """Return what is stored of `reach`; None for nothing."""
    if not reach.phone and not reach.mail:
        return None
    return contacts.close(json.dumps({"phone": reach.phone, "mail": reach.mail}))


def open_reach(contacts: ContactBox, sealed: bytes | None) -> Reach:
    """Return what `seal_reach` kept; nothing where there is none, or it was closed under another key."""
    opened = contacts.open(sealed) if sealed else None
    if opened is None:
        return Reach()
    found = json.loads(opened)
    return Reach(phone=str(found.get("phone", "")), mail=str(found.get("mail", "")))


def person_hash(contacts: ContactBox, reach: Reach) -> bytes | None:
    """Return what finds the same person's other meetings: keyed, from the mail address, else the number."""
    name = reach.mail.casefold() or reach.phone
    return contacts.derive("person", name) if name else None
