"""Contact data: phone numbers and mail addresses, stored encrypted under the service's key."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from readiness.access.contacts import ContactBox
from readiness.reach import takes_sms
from reports.store.records import Channel, Host, Participant

__all__ = ["Person", "Reach", "open_reach", "opened", "person_hash", "seal_reach", "sealed"]


@dataclass(frozen=True, slots=True)
class Reach:
    """A person's contact data; empty where unknown."""

    phone: str = ""
    mail: str = ""

    @property
    def takes_sms(self) -> bool:
        """Return whether an SMS may arrive: there is a number, and nothing says that it is no mobile."""
        return takes_sms(self.phone)

    def channel(self) -> Channel | None:
        """Return the preferred channel: mail, which puts the meeting in the calendar, else SMS, else None."""
        return "mail" if self.mail else "sms" if self.takes_sms else None


@dataclass(frozen=True, slots=True)
class Person:
    """A person in a meeting with decrypted contact data: opened once when read, sealed once when stored."""

    whose: Participant | Host
    """The stored row, or the one to store; its own `reach` is ignored."""
    reach: Reach


def opened(contacts: ContactBox, whose: Participant | Host) -> Person:
    """Decrypt the contact data of a stored participant or host."""
    return Person(whose, open_reach(contacts, whose.reach))


def sealed(contacts: ContactBox, person: Person) -> Participant | Host:
    """Return the participant or host to store: contact data encrypted, and a host's hash to find other meetings."""
    closed = seal_reach(contacts, person.reach)
    if isinstance(person.whose, Host):
        return replace(person.whose, reach=closed, person_hash=person_hash(contacts, person.reach))
    return replace(person.whose, reach=closed)


def seal_reach(contacts: ContactBox, reach: Reach) -> bytes | None:
    """Return `reach` encrypted for storage; None if it is empty."""
    if not reach.phone and not reach.mail:
        return None
    return contacts.close(json.dumps({"phone": reach.phone, "mail": reach.mail}))


def open_reach(contacts: ContactBox, sealed: bytes | None) -> Reach:
    """Reverse `seal_reach`; empty if there is nothing, or it was encrypted under another key."""
    opened = contacts.open(sealed) if sealed else None
    if opened is None:
        return Reach()
    found = json.loads(opened)
    return Reach(phone=str(found.get("phone", "")), mail=str(found.get("mail", "")))


def person_hash(contacts: ContactBox, reach: Reach) -> bytes | None:
    """Return a keyed hash of the mail address, else of the number, for finding the same person's other meetings."""
    name = reach.mail.casefold() or reach.phone
    return contacts.derive("person", name) if name else None
