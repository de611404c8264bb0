"""Figures of an organisation's tests, for a look at how other limits would have judged them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import sqlalchemy as sa

from reports.kept_figures import KeptTest, kept_figures, read_kept

from .actors import Actor
from .audit_part import AuditPart
from .participation import iso_week
from .scope import also_in
from .tables import report, unlinked_report

__all__ = ["StoredFiguresPart", "figures_since"]

LOOKED_BACK: Final = timedelta(days=28)
"""Of figures only the week is known, so that they are read from the Monday before this."""


def figures_since(now: datetime) -> date:
    """Return the first day whose tests are read: a Monday."""
    day = (now.astimezone(UTC) - LOOKED_BACK).date()
    return day - timedelta(days=day.weekday())


class StoredFiguresPart(AuditPart):
    """The part of the store that reads many tests at once."""

    async def kept_tests(self, actor: Actor, now: datetime) -> dict[str, Sequence[KeptTest]]:
        """Return the tests of the actor's organisation since `figures_since`, by profile, without whose they were.

        Those of meetings to come are among them. Figures carry no unit, so whoever reaches only some units gets none.
        """
        scope = actor.require("figures.read")
        if not scope.is_whole:
            return {}
        monday = datetime.combine(figures_since(now), time(), UTC)
        over = sa.and_(
            unlinked_report.c.organisation_id == scope.organisation_id, unlinked_report.c.week >= iso_week(monday)
        )
        to_come = sa.and_(also_in(scope, report), report.c.created_at >= monday, report.c.meeting_id.is_not(None))
        chosen = sa.union_all(
            _read(unlinked_report.c.figures, unlinked_report.c.profile, unlinked_report.c.checks).where(over),
            _read(report.c.figures, report.c.body["profile"].as_string(), report.c.body["checks"]).where(to_come),
        )
        tests: dict[str, list[KeptTest]] = defaultdict(list)
        for row in await self._rows(sa.select(chosen.subquery())):
            figures: Mapping[str, Any] | None = row.figures or kept_figures(str(row.profile), row.checks or ())
            if figures is not None:
                tests[figures["profile"]].append(read_kept(figures))
        return dict(tests)


def _read(figures: Any, profile: Any, checks: Any) -> sa.Select[Any]:
    """Return a query for what is kept of tests; profile and checks only of those from before it was kept."""
    old = [
        sa.case((figures.is_(sa.null()), one)).label(name) for name, one in (("profile", profile), ("checks", checks))
    ]
    return sa.select(figures.label("figures"), *old)
