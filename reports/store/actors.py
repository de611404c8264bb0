"""Who asks the store, and what each kind of them may do: the one table of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from .errors import NotAllowed

__all__ = ["MAY", "Act", "Actor", "ActorKind"]

ActorKind = Literal[
    "participant", "guest", "leader", "host", "support", "organiser", "program", "calendar", "operator", "clock"
]
"""``guest``: who tests without an invitation; ``host``: a meeting's technical host; ``program``: who shows a token;
``calendar``: a leader's feed; ``operator``: who types commands on the server; ``clock``: the service by itself."""
Act = Literal[
    "case.open", "case.read", "case.list", "case.take", "report.find", "meeting.find", "meeting.change", "day.read"
]
_PLANS: Final = frozenset[ActorKind]({"organiser", "program", "operator"})
MAY: Final[Mapping[Act, frozenset[ActorKind]]] = {
    "case.open": frozenset({"leader", "host"}),
    "case.read": frozenset({"leader", "host"}),
    "case.list": frozenset({"support"}),
    "case.take": frozenset({"support"}),
    "report.find": frozenset({"support"}),
    "meeting.find": _PLANS,
    "meeting.change": _PLANS,
    "day.read": frozenset({"leader", "host", "calendar", "clock"}),
}
"""``meeting.find``: any meeting of the organisation, with the people in it; ``meeting.change``: it, and who is in it;
``day.read``: the meetings that one person leads or runs."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks, inside one organisation. `id` is stored beside what was done: no name, no address."""

    kind: ActorKind
    organisation_id: str
    id: str

    def may(self, act: Act) -> bool:
        """Return whether this kind of actor may do `act` at all; on which rows is the query's to say."""
        return self.kind in MAY[act]

    def require(self, act: Act) -> None:
        """Raise `NotAllowed` where `may` says no: the edge should have refused, so it is a fault of ours."""
        if not self.may(act):
            raise NotAllowed(f"{self.kind} may not {act}")
