"""What an SMS gateway's answer means: the recipient's number, or something of our own. Pure.

HTTP has no code for a wrong number, and every gateway has words of its own. Only an answer that names the number, and
says that it is wrong, is final; all else is tried again for a day, as with mail, and never told as a wrong number.
"""

from __future__ import annotations

import re
from typing import Final

from readiness.meetings.delivery import DeliveryError

__all__ = ["MOST_BYTES", "WRONG_KEY", "judge"]

MOST_BYTES: Final = 64 * 1024
"""Of an answer that is looked through for success, or for whose fault it is."""
MOST_TRIES: Final = 3
"""Where a gateway took the request but did not say that it took the SMS: it may have gone out all the same."""
TAKEN: Final = range(200, 300)
CLIENT_ERRORS: Final = range(400, 500)
TRY_LATER: Final = frozenset({408, 425, 429})
OF_REQUEST: Final = frozenset({400, 422})
"""Answers that tell of what was asked for: the number is a part of it, and so are our template and our sender."""
WRONG_KEY: Final = frozenset({401, 403, 407})
"""Answers that tell of our key, or of the proxy's password."""
NOT_THERE: Final = frozenset({404, 405})
_OURS_BY_WORDS: Final = {
    "declined": r"(?:no|not enough|insufficient|low|out of)\W{1,3}(?:credit|balance|funds)|\bsaldo|kreditt",
    "later": r"throttl|rate (?:limit )?exceeded|too many requests",
    "login": r"(?:invalid|wrong|unknown|missing|bad|incorrect|feil|ugyldig)\W{1,3}(?:api.?key|token|password|credential"
    r"|user.?name|login|passord|brukernavn|brukarnamn)|not authenticated|authentication (?:failed|error|required)"
    r"|unauthori[sz]ed",
}
"""What gateways say under a code that does not tell it: whose trouble it is."""
MAY_BE_NUMBER: Final = frozenset({400, 403, 404, 422})
"""Answers that gateways give to a wrong number, among other things."""
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
"""Words for things that have numbers, and may be wrong, and are not the recipient's."""
BEFORE: Final = 20
"""Characters before such words that say whose number it is."""
_BETWEEN: Final = re.compile(r"[{}\[\],;.<>\n\r]\s")
_DIGITS: Final = re.compile(r"\+?\d[\d ]{5,}\d")


def judge(status: int, said: bytes, success: str) -> None:
    """Return where the gateway took the SMS, else raise DeliveryError: only a wrong number is final."""
    detail, text = str(status), said.decode("utf-8", "replace")
    if status in TAKEN:
        if success and not re.search(success, text):
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
    """Return whether an answer calls the number wrong, in one breath and without a word for something of ours."""
    for sentence in _BETWEEN.split(_DIGITS.sub("", text)):
        for found in _OF_NUMBER.finditer(sentence):
            if not _OF_OURS.search(sentence[max(0, found.start() - BEFORE) : found.end()]):
                return True
    return False
