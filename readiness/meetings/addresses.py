"""How people are reached: phone numbers and mail addresses, kept closed under the service's key."""

from __future__ import annotations

import json
from dataclasses import dataclass

from readiness.access.contacts import ContactBox
from readiness.reach import takes_sms
from reports.store.records import Channel

__all__ = ["Reach", "open_reach", "person_hash", "seal_reach"]


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
