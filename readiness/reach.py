"""Checks phone numbers and mail addresses as people type them, and brings them into one form. Pure.

Libraries know the existing numbers and the form of addresses; the network is never asked.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib import resources
from typing import Final
from urllib.parse import unquote

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from phonenumbers import PhoneNumberType

from readiness.errors import InputError
from readiness.typed import visible

__all__ = ["HOME_REGION", "LONGEST_MAIL", "clean_mail", "clean_phone", "region_of", "takes_sms"]

HOME_REGION: Final = "NO"
"""Country of numbers without a country code, if the organisation's own country is not known."""
LONGEST_MAIL: Final = 254
"""RFC 5321 4.5.3.1, less the angle brackets."""
_NUMBER: Final = re.compile(r"\(?\+?[0-9 ().\u2010-\u2015\-/]+")
"""Digits with the signs by which people group them; no letters, extension or second number."""
_DECIMAL: Final = re.compile(r"\d+\.\d")
"""A phone number that a spreadsheet took for a quantity."""
_REACHABLE: Final = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.VOIP,
        PhoneNumberType.UNKNOWN,
    }
)
"""Kinds of numbers that belong to one person or place; not those of switchboards, services and votes."""
_WITHOUT_SMS: Final = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)
_NAMED: Final = re.compile(r'(?:[^<>@]*|\s*"[^"<>]*"\s*)<([^<>]*)>')
"""An address after a name, as mail programs copy it."""
_INTERNAL: Final = "local"
"""Hospitals have mail servers under ``.local``; our own mail server reports what can't be delivered."""

if _INTERNAL in SPECIAL_USE_DOMAIN_NAMES:  # the library's own way of allowing it
    SPECIAL_USE_DOMAIN_NAMES.remove(_INTERNAL)


def clean_phone(typed: str, region: str = HOME_REGION) -> str:
    """Return the number as ``+4790000000``, or "" for nothing; without a country code it belongs to `region`.

    Raises InputError("person.phone") unless it is one existing number of a person or place.
    """
    plain = visible(unicodedata.normalize("NFKC", typed))
    if not plain:
        return ""
    if not _NUMBER.fullmatch(plain) or _DECIMAL.fullmatch(plain):
        raise InputError("person.phone")
    if plain.startswith("00"):
        plain = "+" + plain[2:]
    try:
        number = phonenumbers.parse(plain, region)
    except phonenumbers.NumberParseException:
        raise InputError("person.phone") from None
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in _REACHABLE:
        raise InputError("person.phone")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def takes_sms(phone: str) -> bool:
    """Return whether an SMS may reach `phone` (E.164): False for none and for a number known to be no mobile."""
    if not phone:
        return False
    try:
        return phonenumbers.number_type(phonenumbers.parse(phone)) not in _WITHOUT_SMS
    except phonenumbers.NumberParseException:
        return False


def region_of(phone: str, time_zone: str) -> str:
    """Return the country (ISO 3166) of an organisation, by its phone number if that has a code, else by its zone."""
    if visible(phone).startswith(("+", "00")):
        try:
            found = phonenumbers.region_code_for_number(phonenumbers.parse("+" + visible(phone).lstrip("+0")))
        except phonenumbers.NumberParseException:
            found = None
        if found:
            return found
    return _country_of_zone(time_zone) or HOME_REGION


@cache
def _country_of_zone(name: str) -> str:
    table = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    return next((row[0] for row in rows if row[2] == name), "")


def clean_mail(typed: str) -> str:
    """Return the address in ASCII, its domain in ``xn--`` form where needed, or "" for nothing.

    Removes ``mailto:`` and a name before ``<address>``. Raises InputError("person.mail"); asks no name server.
    """
    plain = visible(unicodedata.normalize("NFKC", typed))
    if plain.lower().startswith("mailto:"):
        plain = unquote(plain[len("mailto:") :].partition("?")[0])
    named = _NAMED.fullmatch(plain)
    plain = named[1].strip() if named else plain
    if not plain:
        if typed.strip() and named:
            raise InputError("person.mail")
        return ""
    try:
        found = validate_email(plain, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise InputError("person.mail") from None
    if found.ascii_email is None or len(found.ascii_email) > LONGEST_MAIL:
        raise InputError("person.mail")
    return found.ascii_email
