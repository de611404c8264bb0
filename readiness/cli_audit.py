"""``readiness audit``, ``purge`` and ``subject-access``: who did what, what is due to go, what is held of one."""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from readiness.errors import SettingError
from readiness.settings import Settings

__all__ = ["add_audit"]

SHOWN_DAYS = 31
COLUMNS = ("seq", "at", "kind", "actor", "name", "act", "object", "outcome", "detail", "via", "request")


def add_audit(commands: Any) -> list[argparse.ArgumentParser]:
    """Add the commands and return their parsers."""
    audit = commands.add_parser("audit", help="verify the audit log, or show who did what")
    actions = audit.add_subparsers(title="commands", required=True, metavar="command")
    verify = actions.add_parser("verify", help="check every entry; exit status 1 and the entry where one is wrong")
    verify.set_defaults(run=_verify)
    show = actions.add_parser("show", help="print who did what, oldest first")
    export = actions.add_parser("export", help="the same as a table (CSV) or as JSON")
    export.add_argument("--json", action="store_true", help="as JSON, one entry a line")
    for one in (show, export):
        one.add_argument("--organisation", required=True, help="the organisation's short name")
        one.add_argument("--from", dest="since", default="", help=f"first day, in UTC [{SHOWN_DAYS} days ago]")
        one.add_argument("--to", dest="until", default="", help="last day, in UTC [today]")
        one.add_argument("--who", default="", help="only this actor, such as host:ID or staff:ID")
        one.add_argument("--about", default="", help="only about this, such as participant:ID, report:ID or meeting:ID")
        one.add_argument("--act", default="", help="only this act, such as phone.read")
    show.set_defaults(run=_show)
    export.set_defaults(run=_export)
    purge = commands.add_parser("purge", help="forget now what is due; a running server does so by itself")
    purge.add_argument("--dry-run", action="store_true", help="only count it, by kind")
    purge.set_defaults(run=_purge)
    access = commands.add_parser("subject-access", help="print all that is held of a participant who asks, as JSON")
    access.add_argument("--organisation", required=True, help="the organisation's short name")
    access.add_argument("--find", default="", help="list people by a part of the label, a whole number or address")
    access.add_argument("--person", default="", help="the participant's id, from --find")
    access.set_defaults(run=_access)
    return [verify, show, export, purge, access]


def _verify(settings: Settings, _options: argparse.Namespace) -> int:
    from readiness.meetings.manage_audit import verify_log  # noqa: PLC0415 - keeps --help quick

    found = asyncio.run(verify_log(settings))
    for one in found.segments:
        state = "purged" if one.is_purged else f"{one.entries} entries"
        _print(f"segment {one.number}  {one.month}  {one.first}-{one.last}  {state}  head {one.head[:16]}")
    for fault in found.faults:
        said = f"{fault.kind} at entry {fault.seq} of segment {fault.segment}"
        print(f"readiness: {said}", file=sys.stderr)  # noqa: T201 - this is the command's output
    if not found.faults:
        _print(f"whole; newest entry {found.head.seq} {found.head.mac.hex()}")
    return int(bool(found.faults))


def _show(settings: Settings, options: argparse.Namespace) -> int:
    for row in _rows(settings, options):
        _print("  ".join(str(row[name]) for name in COLUMNS if row[name] != ""))
    return 0


def _export(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.tables import guarded  # noqa: PLC0415 - keeps --help quick

    rows = _rows(settings, options)
    if options.json:
        for row in rows:
            _print(json.dumps(row, ensure_ascii=False))
        return 0
    written = csv.writer(sys.stdout)
    written.writerow(COLUMNS)
    written.writerows([guarded(str(row[name])) for name in COLUMNS] for row in rows)
    return 0


def _rows(settings: Settings, options: argparse.Namespace) -> list[dict[str, Any]]:
    from readiness.meetings.manage_audit import Asked, show_log  # noqa: PLC0415 - keeps --help quick

    today = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = _day("--from", options.since) if options.since else today - timedelta(days=SHOWN_DAYS)
    until = _day("--to", options.until) if options.until else today
    asked = Asked((since, until + timedelta(days=1)), options.who, options.about, options.act)
    found, names = asyncio.run(show_log(settings, organisation=options.organisation, asked=asked))
    return [_row({**asdict(one), "at": f"{one.at:%Y-%m-%dT%H:%M:%SZ}"}, names) for one in found]


def _row(entry: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    told = {**entry, "name": names.get(entry["actor"], "")}
    return {name: told[name] for name in COLUMNS}


def _purge(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage_audit import purge  # noqa: PLC0415 - keeps --help quick

    done, busy, large = asyncio.run(purge(settings, dry_run=options.dry_run))
    for name, count in asdict(done).items():
        _print(f"{name.replace('_', ' '):<18} {count}")
    for table in (*busy, *large):
        said = f"not written anew: {table} ({'in use, try again' if table in busy else 'too large, see operations.md'})"
        print(f"readiness: {said}", file=sys.stderr)  # noqa: T201 - this is the command's output
    if options.dry_run:
        _print("nothing was changed")
    return 0


def _access(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.subject import find_people, subject_access  # noqa: PLC0415 - keeps --help quick

    if bool(options.find) == bool(options.person):
        raise SettingError("subject-access: name one of --find and --person")
    if options.find:
        for row in asyncio.run(find_people(settings, organisation=options.organisation, wanted=options.find)):
            _print("  ".join(row))
        return 0
    found = asyncio.run(subject_access(settings, organisation=options.organisation, person=options.person))
    if found is None:
        raise SettingError(f"--person: there is no {options.person!r} any more; --find lists who is known")
    _print(json.dumps(found, ensure_ascii=False, indent=1))
    return 0


def _day(option: str, typed: str) -> datetime:
    try:
        return datetime.strptime(typed, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise SettingError(f"{option}: {typed!r} is no day; write it as 2026-12-01") from None


def _print(line: str) -> None:
    print(line)  # noqa: T201 - this is the command's output
