"""What claims are worth here: roles at an organisation, for all of it or for some units. Without a grant: nothing.

There is no default role, no grant without a condition, and none whose units a claim names wrongly or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from readiness.errors import InputError, SettingError
from readiness.reach import clean_mail
from readiness.typed import one_line
from reports.store.records import StaffRole

__all__ = ["LEADER_NEEDS_MAIL", "Condition", "Grant", "Rights", "condition_of", "grants_of", "mail_of", "texts_of"]

Refuse = Callable[[str], SettingError]
WITHOUT_UNITS: Final = frozenset({"administrator", "room_manager"})
"""Roles over what has no unit: settings, and rooms."""
LEADER_NEEDS_MAIL: Final = "a leader is found by the mail address that meetings have; name its claim in `mail`"
MOST_UNITS: Final = 100
LONGEST_UNIT: Final = 100
"""Of a claim: more units, or a longer name, is no list of departments."""
_FIELDS: Final = frozenset({"organisation", "roles", "when", "units", "units_claim"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A claim, by the names that lead to it, and the values of which it must be or contain one."""

    claim: tuple[str, ...]
    values: frozenset[str]

    def holds(self, claims: Mapping[str, Any]) -> bool:
        """Return whether `claims` meet it. What is neither a text nor a list of texts meets nothing."""
        return any(value in self.values for value in _texts_at(claims, self.claim))


@dataclass(frozen=True, slots=True)
class Rights:
    """The roles of one person at one organisation; those in `limits` for these units only."""

    roles: frozenset[StaffRole] = frozenset()
    limits: frozenset[tuple[StaffRole, str]] = frozenset()

    @classmethod
    def of(cls, given: Iterable[tuple[frozenset[StaffRole], frozenset[str] | None]]) -> Rights:
        """Return what several grants are worth together; one for the whole organisation lifts a role's limits."""
        whole: set[StaffRole] = set()
        limits: set[tuple[StaffRole, str]] = set()
        for roles, units in given:
            if units is None:
                whole |= roles
            else:
                limits |= {(role, unit) for role in roles for unit in units}
        left = frozenset((role, unit) for role, unit in limits if role not in whole)
        return cls(frozenset(whole) | {role for role, _unit in left}, left)


@dataclass(frozen=True, slots=True)
class Grant:
    """At `organisation`, whoever meets every condition has `roles`: for `units`, for those that a claim names, or all.

    Where a claim is to name units and names none, the grant is worth nothing.
    """

    organisation: str
    roles: frozenset[StaffRole]
    when: tuple[Condition, ...]
    units: frozenset[str] = frozenset()
    units_claim: tuple[str, ...] = ()

    def holds(self, claims: Mapping[str, Any]) -> bool:
        """Return whether every condition is met."""
        return all(condition.holds(claims) for condition in self.when)

    def units_for(self, claims: Mapping[str, Any]) -> frozenset[str] | None:
        """Return the units that the roles are for; None: all of the organisation."""
        if not self.units_claim:
            return self.units or None
        named = {one_line(value) for value in _texts_at(claims, self.units_claim)}
        return frozenset(sorted(unit for unit in named if 0 < len(unit) <= LONGEST_UNIT)[:MOST_UNITS])


def _value_at(claims: Mapping[str, Any], path: Sequence[str]) -> Any:
    """Return what `path` leads to, None where it leads nowhere. A name with dots or slashes is one name."""
    found: Any = claims
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _texts_at(claims: Mapping[str, Any], path: Sequence[str]) -> list[str]:
    found = _value_at(claims, path)
    return [value for value in (found if isinstance(found, list) else [found]) if isinstance(value, str)]


def mail_of(claims: Mapping[str, Any], path: Sequence[str], *, is_ours: bool) -> str:
    """Return the mail address by which a leader is found; empty where there is none to rely on.

    Unless the house sets it itself (`is_ours`) the provider has to say that it was verified: by an address that people
    may choose, somebody else's meetings would open.
    """
    found = _value_at(claims, path) if path else None
    if not isinstance(found, str) or not (is_ours or claims.get("email_verified") is True):
        return ""
    try:
        return clean_mail(found)
    except InputError:
        return ""


def condition_of(where: str, table: object, refuse: Refuse) -> Condition:
    """Read a condition. Raises what `refuse` makes of the reason."""
    if not isinstance(table, dict) or set(table) != {"claim", "is"}:
        raise refuse(f'{where}: {{claim = ["name"], is = "value"}}')
    wrong = refuse(f'{where}: {{claim = ["name"], is = "value"}}; either may be a list of texts')
    return Condition(texts_of(table["claim"], wrong), frozenset(texts_of(table["is"], wrong)))


def texts_of(value: object, wrong: SettingError) -> tuple[str, ...]:
    """Return a text, or a list of some, as a tuple. Raises `wrong` for anything else, and for none."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or not all(isinstance(item, str) and item for item in listed):
        raise wrong
    return tuple(listed)


def grants_of(name: str, table: Mapping[str, Any], refuse: Refuse) -> tuple[Grant, ...]:
    """Read a provider's grants. Raises what `refuse` makes of the reason."""
    rows = table.get("grant")
    if not isinstance(rows, list) or not rows:
        raise refuse(f"[{name}] has no [[{name}.grant]], so nobody would get in; say which claims give which role")
    return tuple(_grant(f"[[{name}.grant]]", row, refuse) for row in rows)


def _grant(where: str, row: object, refuse: Refuse) -> Grant:
    if not isinstance(row, dict) or not {"organisation", "roles", "when"} <= set(row) <= _FIELDS:
        raise refuse(f"{where} needs organisation, roles and when, and may have units or units_claim")
    organisation, roles, when = row["organisation"], row["roles"], row["when"]
    if not isinstance(organisation, str) or not organisation:
        raise refuse(f"{where} organisation: the short name in its addresses")
    if not isinstance(roles, list) or not roles or not set(map(str, roles)) <= set(get_args(StaffRole)):
        raise refuse(f"{where} roles: some of {', '.join(get_args(StaffRole))}")
    if not isinstance(when, list) or not when:
        raise refuse(f"{where} when: at least one condition, or everybody at the provider would get in")
    if {"units", "units_claim"} <= set(row):
        raise refuse(f"{where} has both units and units_claim; keep one")
    whole = WITHOUT_UNITS.intersection(roles)
    if whole and {"units", "units_claim"} & set(row):
        raise refuse(f"{where} units: {min(whole)} is for the whole organisation; give it in a grant without units")
    units: tuple[str, ...] = ()
    claim: tuple[str, ...] = ()
    if "units" in row:
        units = texts_of(row["units"], refuse(f"{where} units: a list of units as meetings have them"))
    if "units_claim" in row:
        claim = texts_of(row["units_claim"], refuse(f"{where} units_claim: the claim that names the units"))
    conditions = tuple(condition_of(f"{where} when", one, refuse) for one in when)
    return Grant(organisation, frozenset(roles), conditions, frozenset(map(one_line, units)), claim)
