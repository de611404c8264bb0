"""The ``readiness`` command."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from readiness import __version__
from readiness.errors import SettingError
from readiness.settings import SETTINGS, Settings, load_settings
from reports.profile import profile_names

__all__ = ["main", "parser"]

EXIT_SETTING = 2
MOST_DAYS = 10_000
"""Enough to say that it is too many; more would not be a time at all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status. One clear line for whatever is wrong with the settings."""
    options = parser().parse_args(arguments)
    try:
        settings = load_settings(flags={s.name: getattr(options, s.name, None) for s in SETTINGS})
        status: int = options.run(settings, options)
    except SettingError as error:
        print(f"readiness: {error.message}", file=sys.stderr)  # noqa: T201 - this is the command's output
        return EXIT_SETTING
    except KeyboardInterrupt:
        return 130
    return status


def parser() -> argparse.ArgumentParser:
    """Return the parser; its settings come from the one table."""
    top = argparse.ArgumentParser(prog="readiness", description="Technical readiness tests before video meetings.")
    top.add_argument("--version", action="version", version=f"readiness {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="command")

    serve = commands.add_parser("serve", help="run the server", description="Run the server until it is stopped.")
    serve.add_argument("--demo", action="store_true", help="make a demo meeting and print fresh links to it")
    serve.add_argument("--json", action="store_true", help="print the addresses as one JSON line")
    serve.add_argument("--force", action="store_true", help="allow the demo together with a public address")
    serve.set_defaults(run=_serve)

    organisation = commands.add_parser("organisation", help="add or change the organisation that people can call")
    organisation.add_argument("--slug", required=True, help="short name in links, such as sunnaas")
    organisation.add_argument("--name", required=True, help="name as participants know it")
    organisation.add_argument("--support-phone", required=True, help="whom to call when it does not work")
    organisation.add_argument("--support-hours", default="", help="when somebody answers, such as 08-15")
    organisation.add_argument("--languages", default="nb,nn,en", help="languages offered, the first is the default")
    organisation.add_argument("--time-zone", default="Europe/Oslo", help="zone that meeting times are shown in")
    organisation.add_argument("--no-drop-in", action="store_true", help="no tests without an invitation")
    organisation.set_defaults(run=_organisation)

    meeting = commands.add_parser("meeting", help="make a meeting and print its links")
    meeting.add_argument("--organisation", required=True, help="the organisation's short name")
    meeting.add_argument("--starts", required=True, help="local time, such as 2026-12-01T10:00")
    meeting.add_argument("--minutes", type=int, default=45, help="how long it lasts")
    meeting.add_argument("--title", default="", help="shown to the leader only")
    meeting.add_argument("--people", default="patient", help="roles with labels, such as patient:Anna,relative:Per")
    meeting.add_argument(
        "--profile", default="consultation", help="what the meeting needs: " + ", ".join(profile_names())
    )
    meeting.set_defaults(run=_meeting)

    support = commands.add_parser("support-link", help="print a link to the page of support, or close all of them")
    support.add_argument("--organisation", required=True, help="the organisation's short name")
    support.add_argument("--days", type=int, default=90, help="how long it opens")
    support.add_argument("--revoke", action="store_true", help="close every support link given out so far, make none")
    support.set_defaults(run=_support_link)
    for command in (serve, organisation, meeting, support):
        _add_settings(command)
    return top


def _add_settings(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("settings", "each is also a variable; NAME_FILE reads a secret from a file")
    for setting in SETTINGS:
        default = f" [{setting.default}]" if setting.default else ""
        text = f"{setting.help}{default} ({setting.variable})".replace("%", "%%")
        group.add_argument(setting.flag, dest=setting.name, default=None, metavar="VALUE", help=text)


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.server.serve import serve  # noqa: PLC0415 - keeps --help quick

    if options.demo and settings.public_url and not options.force:
        raise SettingError("READINESS_PUBLIC_URL: a demo on a public address lets anybody in; --force if you mean it")
    return serve(settings, demo=options.demo, as_json=options.json)


def _organisation(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import set_organisation  # noqa: PLC0415 - keeps --help quick
    from reports.store.records import Organisation  # noqa: PLC0415

    languages = tuple(part.strip() for part in options.languages.split(",") if part.strip())
    _zone(options.time_zone)
    record = Organisation(
        id=options.slug,
        slug=options.slug,
        name=options.name,
        support_phone=options.support_phone,
        support_hours=options.support_hours,
        languages=languages,
        time_zone=options.time_zone,
        drop_in_allowed=not options.no_drop_in,
    )
    asyncio.run(set_organisation(settings, record))
    return 0


def _meeting(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import make_meeting  # noqa: PLC0415 - keeps --help quick

    try:
        starts = datetime.fromisoformat(options.starts)
    except ValueError:
        raise SettingError(f"--starts: {options.starts!r} is no time; write it as 2026-12-01T10:00") from None
    people = [tuple(part.partition(":")[::2]) for part in options.people.split(",") if part]
    links = asyncio.run(
        make_meeting(
            settings,
            organisation=options.organisation,
            starts=starts,
            lasts=timedelta(minutes=options.minutes),
            title=options.title,
            profile=options.profile,
            people=people,
        )
    )
    for label, link in links:
        print(f"{label:<24} {link}")  # noqa: T201 - this is the command's output
    return 0


def _support_link(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import close_support_links, make_support_link  # noqa: PLC0415 - keeps --help quick

    if options.revoke:
        closed = asyncio.run(close_support_links(settings, organisation=options.organisation))
        print(f"closed {closed}")  # noqa: T201 - this is the command's output
        return 0
    lasts = timedelta(days=max(0, min(options.days, MOST_DAYS)))
    print(asyncio.run(make_support_link(settings, organisation=options.organisation, lasts=lasts)))  # noqa: T201
    return 0


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingError(f"--time-zone: there is no zone {name!r}; an example is Europe/Oslo") from None
