"""Contact data: phone numbers and mail addresses, stored encrypted under the service's key."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from readiness.access.contacts import ContactBox, person_hash_of
from readiness.errors import InputError
from readiness.reach import HOME_REGION, clean_phone, region_of, takes_sms
from reports.store.records import Channel, Host, Organisation, Participant

__all__ = [
    "Person",
    "Reach",
    "called_number",
    "open_reach",
    "opened",
    "person_hash",
    "phone_hash",
    "seal_reach",
    "sealed",
]


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

    def meets(self, other: Reach) -> bool:
        """Return whether what is sent to one may reach the other: they share a number or an address."""
        is_same_mail = bool(self.mail) and self.mail.casefold() == other.mail.casefold()
        return is_same_mail or (bool(self.phone) and self.phone == other.phone)


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
    """Return the participant or host to store: contact data encrypted, and the hashes by which they are found."""
    closed, number = seal_reach(contacts, person.reach), phone_hash(contacts, person.reach.phone)
    if isinstance(person.whose, Host):
        found = person_hash(contacts, person.reach)
        return replace(person.whose, reach=closed, person_hash=found, phone_hash=number)
    return replace(person.whose, reach=closed, phone_hash=number)


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
    return person_hash_of(contacts, reach.mail or reach.phone)


def phone_hash(contacts: ContactBox, phone: str) -> bytes | None:
    """Return a keyed hash of a number (E.164) for finding who calls; None without a number."""
    return contacts.derive("phone", phone) if phone else None


def called_number(typed: str, organisation: Organisation | None) -> str:
    """Return a number as somebody typed it, or as a switchboard shows it, in the form of `Reach`; "" for none."""
    region = region_of(organisation.support_phone, organisation.time_zone) if organisation else HOME_REGION
    try:
        return clean_phone(typed, region)
    except InputError:
        return ""
