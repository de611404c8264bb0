"""Actors: everybody who asks the store, and the one table of what each kind may do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from .errors import NotAllowed
from .trail import note

__all__ = ["MAY", "OWN_ONLY", "Act", "Actor", "ActorKind", "Part", "Scope"]

ActorKind = Literal[
    "participant", "guest", "leader", "host", "host_test", "support", "organiser", "program", "calendar", "operator",
    "clock", "room", "room_manager", "fleet", "staff", "administrator", "reader",
]  # fmt: skip
"""``guest``: tests without an invitation; ``host``: a meeting's technical host; ``host_test``: one of those who lead or
run a meeting, on the page of their own test; ``program``: has a token;
``calendar``: a leader's feed; ``operator``: types commands on the server; ``clock``: the service by itself;
``room``: a meeting room's PC; ``room_manager``: looks after rooms; ``fleet``: a program that reads rooms' states;
``staff``: signed in, and may what the own roles may; ``administrator`` and ``reader`` (of figures) are such roles only,
for which there is no link."""
Act = Literal[
    "case.open", "case.read", "case.list", "case.take", "person.help", "report.find", "report.judge", "report.last",
    "report.own", "report.save", "report.delete", "meeting.read", "meeting.find", "meeting.change", "day.read",
    "people.read", "person.read", "host.read", "phone.read", "phone.give", "room.report", "room.read", "room.manage",
    "room.invite", "room.beside", "audit.read", "data.own", "figures.read", "follow.give", "follow.end", "follow.own",
    "follow.read", "follow.hint", "settings.read", "settings.change", "sums.read",
]  # fmt: skip
OWN_ONLY: Final = frozenset[ActorKind]({"participant", "guest", "host_test"})
"""Kinds that test, and reach nobody else's data."""
_PLANS: Final = frozenset[ActorKind]({"organiser", "program", "operator"})
_RULES: Final = frozenset[ActorKind]({"administrator", "operator"})
_LEADS: Final = frozenset[ActorKind]({"leader", "host"})
MAY: Final[Mapping[Act, frozenset[ActorKind]]] = {
    "case.open": _LEADS,
    "case.read": _LEADS,
    "case.list": frozenset({"support"}),
    "case.take": frozenset({"support"}),
    "person.help": frozenset({"support"}),
    "report.find": frozenset({"support"}),
    "report.judge": frozenset({"support"}),
    "report.last": frozenset({"participant", "clock"}),
    "report.own": OWN_ONLY | {"clock"},
    "report.save": OWN_ONLY | {"clock"},
    "report.delete": OWN_ONLY,
    "meeting.read": _LEADS | _PLANS | {"participant", "host_test", "calendar", "clock"},
    "meeting.find": _PLANS,
    "meeting.change": _PLANS,
    "day.read": _LEADS | {"calendar", "clock"},
    "people.read": _LEADS | _PLANS | {"clock"},
    "person.read": _LEADS | {"participant", "clock"},
    "host.read": frozenset({"calendar", "clock"}),
    "phone.read": _LEADS,
    "phone.give": frozenset({"participant"}),
    "room.report": frozenset({"room"}),
    "room.read": frozenset({"room_manager", "fleet", "operator", "clock"}),
    "room.manage": frozenset({"room_manager", "operator"}),
    "room.invite": _PLANS,
    "room.beside": _LEADS | _PLANS | {"clock", "support"},
    "audit.read": frozenset({"operator"}),
    "data.own": OWN_ONLY | {"operator"},
    "figures.read": frozenset({"support", "organiser", "operator", "administrator", "reader"}),
    "sums.read": _LEADS | _PLANS | {"support"},
    "settings.read": _RULES,
    "settings.change": _RULES,
    "follow.give": OWN_ONLY,
    "follow.end": OWN_ONLY,
    "follow.own": OWN_ONLY,
    "follow.read": frozenset({"support"}),
    "follow.hint": frozenset({"support"}),
}
"""``meeting.read``: one meeting, by its id; ``meeting.find``: any of the organisation, with the people in it;
``meeting.change``: it, and who is in it; ``day.read``: the meetings that one person leads or runs; ``people.read``: all
who are in a meeting, how ready they are and what was sent to them; ``phone``: the number that was typed in;
``person.help``: one participant, found by number or label, with the meeting and what was done;
``report.last``: a participant's newest; ``report.own``: that of a session; ``report.find``: by code, or all of them;
``room.report``: of a room's own checks; ``room.read``: how all rooms are; ``room.manage``: rooms, their codes and keys;
``room.invite``: rooms by name; ``room.beside``: those of one meeting; ``audit.read``: who did what;
``data.own``: all that is held of one person; ``figures.read``: sums that single nobody out;
``sums.read``: those of what was said after meetings; ``settings.read``: what was changed of what holds for the whole
organisation; ``settings.change``: that itself; ``follow.give``, ``follow.end``: that support may follow one's own test;
``follow.own``: whether it does; ``follow.read``: a test that is followed; ``follow.hint``: a hint to its page."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one role reaches: meetings of these units, and led or run by this person; None does not narrow."""

    units: frozenset[str] | None = None
    led_by: bytes | None = None


WHOLE: Final = (Part(),)
"""Everything of the organisation: what links, programs and the service itself reach."""


@dataclass(frozen=True, slots=True)
class Scope:
    """An organisation, and the parts of it that are reached; without a part nothing is."""

    organisation_id: str
    parts: tuple[Part, ...] = WHOLE

    @property
    def is_whole(self) -> bool:
        """Return whether all of the organisation is reached."""
        return Part() in self.parts

    @property
    def units(self) -> frozenset[str] | None:
        """Return the units whose sums are reached; None: all, also for who leads. Of meetings `led_by` narrows too."""
        if any(part.units is None for part in self.parts):
            return None
        return frozenset().union(*(part.units for part in self.parts if part.units is not None))

    def has_unit(self, unit: str) -> bool:
        """Return whether a meeting of this unit may be reached, whoever leads it."""
        return self.units is None or unit in self.units


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks, within one organisation. `id` is stored with each action; it is no name and no address."""

    kind: ActorKind
    organisation_id: str
    id: str
    roles: frozenset[ActorKind] = frozenset()
    """Of staff: the kinds that they stand for."""
    limits: frozenset[tuple[ActorKind, str]] = frozenset()
    """Of staff: the units of those roles that have any; the others are for the whole organisation."""
    person_hash: bytes | None = None
    """Of staff: by which hosts are the same person. Who has none leads nothing."""
    host_id: str | None = None
    """Of staff on the board: as which host of its meeting they act."""

    def may(self, act: Act) -> bool:
        """Return whether this kind of actor may do `act` at all; `scope` says on what."""
        return self.kind in MAY[act] or not self.roles.isdisjoint(MAY[act])

    def scope(self, act: Act) -> Scope:
        """Return how far `act` reaches: for staff as far as their roles that allow it do together, else everywhere.

        Of one who leads it is what that person leads. No role that allows it, no reach.
        """
        if self.kind != "staff":
            return Scope(self.organisation_id)
        return Scope(self.organisation_id, tuple(self._parts(self.roles & MAY[act])))

    def _parts(self, roles: Iterable[ActorKind]) -> Iterator[Part]:
        limited = {role for role, _unit in self.limits}
        for role in sorted(roles):
            units = frozenset(unit for whose, unit in self.limits if whose == role) if role in limited else None
            if role != "leader":
                yield Part(units)
            elif self.person_hash is not None:
                yield Part(units, self.person_hash)

    def reads_one_sum(self) -> bool:
        """Return whether this actor reads both kinds of sums of the same units; else their difference tells more."""
        return not self.may("sums.read") or self.scope("sums.read").units == self.scope("figures.read").units

    def only(self, role: ActorKind) -> Actor:
        """Return who acts, on a page of this role: what staff reach in others of their roles is not reached there."""
        return replace(self, roles=self.roles & {role})

    def require(self, act: Act, about: str | None = None) -> Scope:
        """Return how far `act` reaches, and note it for the audit log; raise `NotAllowed` unless `may` allows it.

        The edge should have refused, so that is a fault of ours.

        `about` is the participant whose data it is, if any; a participant reaches nobody else's.
        """
        if not self.may(act):
            raise NotAllowed(f"{self.kind} may not {act}")
        if about is not None and self.kind in OWN_ONLY and self.id != f"participant:{about}":
            raise NotAllowed(f"{self.kind} may not {act} of another one")
        note(self.kind, self.organisation_id, self.id, act)
        return self.scope(act)
