"""Phone numbers and mail addresses: read as people type them, checked, and kept closed under the service's key."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

from readiness.access.contacts import ContactBox
from readiness.errors import InputError
from reports.store.records import Channel

__all__ = ["Reach", "clean_link", "clean_mail", "clean_phone", "open_reach", "person_hash", "seal_reach"]

HOME = "+47"
"""Norwegian numbers of eight digits are typed without it."""
HOME_DIGITS = 8
LONGEST_MAIL = 254
"""RFC 5321 4.5.3.1, less the angle brackets."""
LONGEST_LINK = 2000
_MAIL = re.compile(
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}\Z"
)
"""The form that HTML's mail field takes, with a dot in the domain: nothing in it can end a header."""
_PHONE = re.compile(r"^\+[1-9][0-9]{5,14}\Z")
"""E.164: at most 15 digits with the country's."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How somebody is reached; empty where it is not known."""

    phone: str = ""
    mail: str = ""

    def channel(self) -> Channel | None:
        """Return the better way: mail shows the meeting in the calendar, SMS is read sooner."""
        return "mail" if self.mail else "sms" if self.phone else None


def clean_phone(typed: str) -> str:
    """Return the number as ``+4790000000``, or "" for nothing. Raises InputError("person.phone")."""
    plain = re.sub(r"[\s().\u2010-\u2015\-/]", "", unicodedata.normalize("NFKC", typed))
    if not plain:
        return ""
    if plain.startswith("00"):
        plain = "+" + plain[2:]
    if len(plain) == HOME_DIGITS and plain.isdigit():
        plain = HOME + plain
    if not _PHONE.match(plain):
        raise InputError("person.phone")
    return plain


def clean_mail(typed: str) -> str:
    """Return the address without spaces around it, or "" for nothing. Raises InputError("person.mail")."""
    plain = typed.strip()
    if plain and (len(plain) > LONGEST_MAIL or not _MAIL.match(plain) or ".." in plain):
        raise InputError("person.mail")
    return plain


def clean_link(typed: str) -> str:
    """Return the meeting's own address, or "" for nothing. Raises InputError("meeting.link") for anything but https."""
    plain = typed.strip()
    try:
        parts = urlsplit(plain)
        is_right = parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        is_right = False
    if plain and (not is_right or len(plain) > LONGEST_LINK or not plain.isprintable() or " " in plain):
        raise InputError("meeting.link")
    return plain


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
