"""Mail servers' refusals: whether the recipient's address is at fault, or something of ours. Pure.

Judged by the enhanced status code (RFC 3463, 7504) where there is one, else by the words that mail servers use. Only a
known fault of the address is final; anything else is tried again for a day, and never reported as a wrong address.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from readiness.meetings.delivery import DeliveryError

__all__ = ["PERMANENT", "Stage", "judged"]

Stage = Literal["connect", "login", "sender", "recipient", "data"]
"""When the server refused: before any mail, at our password, MAIL FROM, RCPT TO, or the mail's content."""
TRANSIENT: Final = 400
PERMANENT: Final = 500
"""Codes from here on are permanent failures; a retry will not help (RFC 5321 4.2.1)."""
MOST_READ: Final = 2000
"""Characters of an answer that are looked at: what it means stands at its beginning."""
_ENHANCED: Final = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
_ADDRESS: Final = re.compile(r"<[^<>]*>|\S+@\S+")
"""Quotations in an answer; their words are not the server's."""
_RELAY: Final = re.compile(r"\brelay|rcpthosts", re.IGNORECASE)
_UNKNOWN: Final = re.compile(
    r"(?:user|recipient|mailbox|address|account|person)\b.{0,30}?"
    r"(?:unknown|not found|unavailable|does(?: not|n't) exist|disabled|inactive|invalid|not known|: undeliverable)"
    r"|(?:unknown|no such|invalid|bad|nonexistent|non-existent)\s+(?:\w+\s){0,2}?"
    r"(?:user|recipient|mailbox|address|account|person|here)"
    r"|does(?: not|n't) (?:exist|have an? \S{1,40} account)|no mailbox|unroute?able|no longer (?:valid|available|here)"
    r"|ukjent (?:mottaker|bruker|adresse)|(?:mottak|bruk|adress)\w{1,6} er ukjent|finnes ikke|finst ikkje|unbekannt\b",
    re.IGNORECASE,
)
_SENDER: Final = re.compile(
    r"\b(?:sender|from|sending)(?:'s)? (?:address|domain|mailbox|denied|rejected|unknown|verif|is not|not)|mail from",
    re.IGNORECASE,
)
_POLICY_OF: Final = re.compile(r"sender (?:policy|id)|dmarc|dkim|\bspf\b|authentication level", re.IGNORECASE)
_FULL: Final = re.compile(r"quota|mailbox (?:is )?full|over(?:\s?quota| limit)|storage", re.IGNORECASE)
_RULE: Final = re.compile(
    r"spam|junk|block|black.?list|deny|denied|polic|reputation|not (?:allowed|permitted|authori)|dmarc|\bspf\b|dkim"
    r"|unauthori|authenticat|reject|virus|suspicious|listed",
    re.IGNORECASE,
)
_TLS: Final = re.compile(r"tls|ssl|encrypt", re.IGNORECASE)
_WANTS_TLS: Final = re.compile(
    r"(?:tls|ssl|encrypt\w*)\b.{0,12}?(?:required|needed|mandatory|first)"
    r"|(?:must|require\w*|need\w*) .{0,12}?(?:tls|ssl|encrypt)",
    re.IGNORECASE,
)
_WANTS_LOGIN: Final = re.compile(
    r"auth(?:entication|enticate)? (?:is )?(?:required|first|needed)|not (?:authenticated|logged in)|log ?in first"
    r"|(?:must|need to|please) (?:first )?(?:authenticate|log ?in)",
    re.IGNORECASE,
)
_OF_ANY: Final = frozenset({-1, 0, 1})
"""Details of 5.7 that say no more than that: the words tell."""
ADDRESS: Final = 1
MAILBOX: Final = 2
POLICY: Final = 7
"""The subject of an enhanced status, its second number."""
_NO_MAIL_THERE: Final = (4, 4)
"""The recipient's domain takes no mail."""
_ACCESS_DENIED: Final = (4, 1)
"""Exchange Online's status for an unknown recipient, and for much else."""
_NULL_MX: Final = 556
"""RFC 7504: the recipient's domain takes no mail."""
_LOGIN_CODES: Final = frozenset({530, 534, 535, 538})
_TLS_CODES: Final = frozenset({523, 530, 538})
_TLS_DETAILS: Final = frozenset({10, 11})
"""Of 5.7: encryption is needed (RFC 5248)."""
_LOGIN_DETAILS: Final = frozenset({3, 8, 11, 13, 14, 57})
"""Of 5.7: no or wrong credentials (RFC 4954; Exchange's 5.7.3, 5.7.57)."""
_SENDER_DETAILS: Final = frozenset({7, 8})
"""Of 5.1: the sender's own address."""
_GONE_DETAILS: Final = frozenset({1, 2, 3, 4, 6, 10})
"""Of 5.1: the recipient's address."""
_AS_SENDER: Final = 60
"""Of 5.7: no leave to send as this sender (Exchange)."""


def judged(stage: Stage, code: int, text: str) -> DeliveryError:
    """Return the DeliveryError for a mail that was answered with `code` and `text` at `stage`."""
    text = text[:MOST_READ]
    found = _ENHANCED.match(text)
    subject, detail = (int(found[2]), int(found[3])) if found else (-1, -1)
    said = _ADDRESS.sub(" ", text)
    numbers = f"{code} {found[0].strip()}" if found else str(code)
    if code < TRANSIENT:
        return DeliveryError("unreachable", detail=numbers)  # no mail server, or one that breaks the protocol
    if code < PERMANENT:
        wants = "encryption" if _WANTS_TLS.search(said) else "later"
        waits = "relay" if _RELAY.search(said) else "full" if (subject, detail) == (2, 2) else wants
        return DeliveryError(waits, detail=numbers)
    if stage == "login":
        return DeliveryError("login", detail=numbers)
    name = _of_login(stage, code, subject, detail, said) or _of_sender(stage, said)
    name = name or _by_number(stage, subject, detail, said)
    name = name or _by_words(stage, code, said)
    return DeliveryError(name, is_final=name == "refused", detail=numbers)


def _of_login(stage: Stage, code: int, subject: int, detail: int, said: str) -> str | None:
    is_login = code in _LOGIN_CODES or (subject == POLICY and detail in _LOGIN_DETAILS)
    if _TLS.search(said) and (code in _TLS_CODES or (subject == POLICY and detail in _TLS_DETAILS)):
        return "encryption"
    if stage in {"sender", "recipient"} and detail in _OF_ANY and not _RELAY.search(said):
        if _WANTS_TLS.search(said):
            return "encryption"
        is_login = is_login or _WANTS_LOGIN.search(said) is not None
    return "login" if is_login else None


def _of_sender(stage: Stage, said: str) -> str | None:
    """Return the code if the words are about the sender; many servers say so at the first recipient only."""
    is_told = stage in {"recipient", "data"} and _SENDER.search(said) and not _POLICY_OF.search(said)
    return "sender_refused" if is_told else None


def _by_number(stage: Stage, subject: int, detail: int, said: str) -> str | None:
    """Return the code by the enhanced status, None if that leaves open whose fault it is."""
    is_told = stage in {"recipient", "data"}
    if subject == ADDRESS:
        if is_told and (detail in _GONE_DETAILS or (detail == 0 and stage == "recipient")):
            return "refused"
        return "sender_refused" if detail in _SENDER_DETAILS or stage == "sender" else None
    if subject == MAILBOX and is_told:
        return {1: "refused", 2: "full"}.get(detail, "declined")
    if subject == POLICY:
        is_relay = _RELAY.search(said) and not _UNKNOWN.search(said)
        return "relay" if is_relay else "sender_refused" if detail == _AS_SENDER else "policy"
    return {_NO_MAIL_THERE: "refused", _ACCESS_DENIED: "declined"}.get((subject, detail)) if is_told else None


def _by_words(stage: Stage, code: int, said: str) -> str:
    if stage in {"recipient", "data"} and (code == _NULL_MX or _UNKNOWN.search(said)):
        return "refused"
    if _RELAY.search(said):
        return "relay"
    if stage == "connect":
        return "policy"
    if stage == "sender":
        return "sender_refused"
    if _FULL.search(said) or (code == 552 and stage == "recipient"):  # noqa: PLR2004 - RFC 5321: storage
        return "full"
    return "policy" if _RULE.search(said) else "declined"
