"""Advice: turns codes into words of a catalogue, preferring the remedy for the person's own system.

There is no text in this module: the catalogues are JSON files of flat keys, one per language (``web/locales``).
The page's own ``advice.js`` looks keys up in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reports.model import Outcome
from reports.profile import Profile
from reports.verdict import CAUSE_ADVICE, NOT_MEASURED_ADVICE

__all__ = ["GENERAL_CODES", "advice_codes", "advice_key", "leader_area"]

GENERAL_CODES = frozenset({*NOT_MEASURED_ADVICE.values(), *CAUSE_ADVICE.values(), "service.fault", "speaker.no_sound"})
"""Codes that the verdict adds to those of a profile's rules."""


def advice_codes(profiles: Iterable[Profile]) -> frozenset[str]:
    """Return every code that can occur in a report judged by one of `profiles`."""
    return GENERAL_CODES.union(*(profile.advice_codes() for profile in profiles))


def advice_key(catalogue: Mapping[str, str], code: str, *, os: str = "", browser: str = "") -> str:
    """Return the key of the remedy for `code` that best fits the person's system.

    Looks for ``advice.<code>.do.<os>_<browser>``, ``.do.<os>``, ``.do.<browser>``, then ``.do``.
    """
    base = f"advice.{code}.do"
    system, program = os.lower(), browser.partition(" ")[0].lower()
    for key in (f"{base}.{system}_{program}", f"{base}.{system}", f"{base}.{program}"):
        if key in catalogue:
            return key
    return base


def leader_area(advice: Iterable[str], checks: Iterable[Mapping[str, object]]) -> tuple[str | None, str | None]:
    """Return (area, responsible) of the first advice of a report, for the leader's one sentence.

    `checks` are the report's own JSON checks. Returns (None, None) if there is nothing to do.
    """
    by_code = {check.get("advice"): check for check in checks if check.get("outcome") != Outcome.PASS.value}
    for code in advice:
        found = by_code.get(code)
        responsible = found.get("responsible") if found else None
        return code.split(".")[0], str(responsible) if responsible else None
    return None, None
