"""``readiness calibration``: what support said of reports, for whoever sets limits."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from readiness.settings import Settings

if TYPE_CHECKING:
    from reports.calibration import Calibration, CheckSaid

__all__ = ["add_calibration"]


def add_calibration(commands: Any) -> argparse.ArgumentParser:
    """Add the command and return its parser."""
    one: argparse.ArgumentParser = commands.add_parser(
        "calibration", help="show which checks support calls false alarms, and what they missed"
    )
    one.add_argument("--organisation", required=True, help="the organisation's short name")
    one.add_argument("--json", action="store_true", help="as JSON")
    one.set_defaults(run=_calibration)
    return one


def _calibration(settings: Settings, options: argparse.Namespace) -> int:
    found = asyncio.run(_found(settings, options.organisation))
    if options.json:
        sys.stdout.write(json.dumps(_as_json(found), ensure_ascii=False, indent=1) + "\n")
        return 0
    said = ", ".join(f"{name} {count}" for name, count in found.judged.items()) or "none"
    lines = [f"{found.reports} reports; judged: {said}", *map(_line, found.checks)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


async def _found(settings: Settings, organisation: str) -> Calibration:
    from readiness.meetings.manage import planning  # noqa: PLC0415 - keeps --help quick

    async with planning(settings, organisation, needs_url=False) as desk:
        return await desk.store.calibration(desk.actor)


def _line(one: CheckSaid) -> str:
    limits = "; ".join(f"pass {good}, fail {bad}" for good, bad in one.limits)
    parts = [f"{one.check} ({one.unit})" if one.unit else one.check, f"limits: {limits}"]
    parts += [f"{len(values)} {kind}: {_span(values)}" for kind, values in
              (("false alarms", one.false_alarms), ("missed", one.missed)) if values]  # fmt: skip
    return "  ".join(parts)


def _span(values: Sequence[Any]) -> str:
    """Return the least, the middle and the greatest of numbers, else the words that were found."""
    numbers = sorted(value for value in values if isinstance(value, int | float) and not isinstance(value, bool))
    if len(numbers) == len(values):
        return f"{numbers[0]:g} / {numbers[len(numbers) // 2]:g} / {numbers[-1]:g}"
    return ", ".join(sorted({str(value) for value in values}))


def _as_json(found: Calibration) -> dict[str, Any]:
    checks = [
        {
            "check": one.check,
            "unit": one.unit,
            "limits": [{"pass": good, "fail": bad, "reports": count} for (good, bad), count in one.limits.items()],
            "false_alarms": one.false_alarms,
            "missed": one.missed,
        }
        for one in found.checks
    ]
    return {"reports": found.reports, "judged": found.judged, "checks": checks}
