"""SMS gateways' answers: whether the recipient's number is at fault, or something of ours. Pure.

HTTP has no code for a wrong number, and each gateway has its own words. Only an answer that mentions the number and
calls it wrong is final; anything else is tried again for a day, as with mail, and never reported as a wrong number.
"""

from __future__ import annotations

import re
from typing import Final

from readiness.meetings.delivery import DeliveryError

__all__ = ["MOST_BYTES", "WRONG_KEY", "judge"]

MOST_BYTES: Final = 64 * 1024
"""Bytes of an answer that are searched for success, or for whose fault it is."""
MOST_TRIES: Final = 3
"""Tries if a gateway took the request but did not confirm the SMS: it may have been sent all the same."""
TAKEN: Final = range(200, 300)
CLIENT_ERRORS: Final = range(400, 500)
TRY_LATER: Final = frozenset({408, 425, 429})
OF_REQUEST: Final = frozenset({400, 422})
"""Status codes about the request: that includes the number, but also our template and our sender."""
WRONG_KEY: Final = frozenset({401, 403, 407})
"""Status codes about our key, or the proxy's password."""
NOT_THERE: Final = frozenset({404, 405})
_OURS_BY_WORDS: Final = {
    "declined": r"(?:no|not enough|insufficient|low|out of)\W{1,3}(?:credit|balance|funds)|\bsaldo|kreditt",
    "later": r"throttl|rate (?:limit )?exceeded|too many requests",
    "login": r"(?:invalid|wrong|unknown|missing|bad|incorrect|feil|ugyldig)\W{1,3}(?:api.?key|token|password|credential"
    r"|user.?name|login|passord|brukernavn|brukarnamn)|not authenticated|authentication (?:failed|error|required)"
    r"|unauthori[sz]ed",
}
"""Words by which gateways name the trouble under an unspecific status code."""
MAY_BE_NUMBER: Final = frozenset({400, 403, 404, 422})
"""Status codes that gateways use for a wrong number, among other things."""
_NUMBER: Final = (
    r"(?:recipients?|receiver|destination|msisdn|mobile|phone ?number|(?:the )?number|to.?number|subscriber|mottaker\w*"
    r"|(?:telefon)?nummer\w*|[\"'`\[]to(?:\[\d+\])?[\"'`\]])"
)
_WRONG: Final = (
    r"(?:invalid|not (?:a |an )?(?:valid|correct|reachable|found|known|mobile)|isn't (?:a )?valid|unknown|malformed"
    r"|incorrect|wrong|bad|no (?:such|\(correct\)|correct|valid)|does(?: not|n't) exist|unsubscribed|blacklisted"
    r"|opted out|ugyldig|ikk?j?e (?:er )?(?:et |eit )?gyldig|ukjent|finnes ikke|finst ikkje)"
)
_OF_NUMBER: Final = re.compile(
    rf"\b{_WRONG}(?!\w).{{0,40}}?{_NUMBER}|{_NUMBER}.{{0,40}}?\b{_WRONG}(?!\w)", re.IGNORECASE
)
_OF_OURS: Final = re.compile(
    r"\b(?:key|token|password|credentials?|auth\w*|accounts?|user(?:name)?|customer|sender\w*|from|originator|source|route"
    r"|template|json|xml|body|content\w*|header|order|reference|version|request|method|avsender\w*|konto\w*)\b",
    re.IGNORECASE,
)
"""Words for things that may have a wrong number too, but are not the recipient's."""
BEFORE: Final = 20
"""Characters before such a word that may say whose number is meant."""
_BETWEEN: Final = re.compile(r"[{}\[\],;.<>\n\r]\s")
_DIGITS: Final = re.compile(r"\+?\d[\d ]{5,}\d")


_SAYS_NO: Final = re.compile(
    r"\A\W{0,5}(?:ERR|ERROR|FAIL|FAILED|FAILURE|NOK|NAK)\b(?!\W{0,5}(?:0|null|none|false)\b)"
    r"(?![\"']\s{0,9}:\s{0,9}(?:\"\"|''|\[\]|\{\})|>\s{0,9}</|/>|=(?:&|\Z))"
    r"|[\"'](?:success|ok|accepted|is_?success)[\"']\s{0,9}:\s{0,9}(?:false\b|[\"'](?:false|no)[\"'])"
    r"|[\"'](?:status|result|state)[\"']\s{0,9}:\s{0,9}[\"'](?:err|error|fail|failed|failure|rejected|undeliverable)[\"']"
    r"|<(?:\w+:)?(?:status|result|success|state)>\s{0,9}(?:err|error|fail|failed|failure|rejected|false)\s{0,9}</",
    re.IGNORECASE,
)
"""Forms in which gateways report a failure under a 2xx, but not an error of nothing (``"error": null``)."""


def judge(status: int, said: bytes, success: str) -> None:
    """Return if the gateway took the SMS, else raise DeliveryError; only a wrong number is final."""
    detail, text = str(status), said.decode("utf-8", "replace")
    if status in TAKEN:
        if not re.search(success, text) if success else _SAYS_NO.search(text):
            if _tells_of_number(text):
                raise DeliveryError("refused", is_final=True, detail=detail)
            name = _by_words(text) or "declined"
            raise DeliveryError(name, tries=MOST_TRIES, detail=f"{status}, without success")
        return
    if status in MAY_BE_NUMBER and _tells_of_number(text):
        raise DeliveryError("refused", is_final=True, detail=detail)
    if status in OF_REQUEST:
        raise DeliveryError(_by_words(text) or "request", detail=detail)
    if status in WRONG_KEY:
        raise DeliveryError("login", detail=detail)
    if status in CLIENT_ERRORS and status not in TRY_LATER | NOT_THERE:
        raise DeliveryError("declined", detail=detail)
    raise DeliveryError("later" if status in TRY_LATER else "unreachable", detail=detail)


def _by_words(text: str) -> str | None:
    return next((name for name, words in _OURS_BY_WORDS.items() if re.search(words, text, re.IGNORECASE)), None)


def _tells_of_number(text: str) -> bool:
    """Return whether an answer calls the number wrong in one phrase, without a word for something of ours."""
    for sentence in _BETWEEN.split(_DIGITS.sub("", text)):
        for found in _OF_NUMBER.finditer(sentence):
            if not _OF_OURS.search(sentence[max(0, found.start() - BEFORE) : found.end()]):
                return True
    return False
