"""The ``readiness`` command."""

from __future__ import annotations

import argparse
import asyncio
import csv
import functools
import gc
import itertools
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from readiness import __version__
from readiness.cli_audit import add_audit
from readiness.cli_calibration import add_calibration
from readiness.cli_organisation import add_organisation
from readiness.cli_rooms import add_rooms
from readiness.cli_voices import add_voices
from readiness.errors import InputError, SettingError
from readiness.settings import SETTINGS, Settings, load_settings
from reports.profile import profile_names

__all__ = ["main", "parser"]

OFFICES = (
    ("support", "support-link", "a link to the page of support", 90),
    ("organiser", "organiser-link", "a link to the pages of planning", 365),
    ("api", "api-token", "a token for a program that plans", 365),
)
EXIT_SETTING = 2
EXIT_USAGE = 2
MOST_DAYS = 10_000
"""Most days that are parsed, to be refused as too many; beyond this a date overflows."""
SHOWN_EVERYWHERE = frozenset({"data_dir", "database_url", "public_url"})
"""Settings in every command's help: the place of the data, and the beginning of links. `serve` shows all."""


class _Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line, like the settings, without listing every option first."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog.split()[0]}: {message}; see `{self.prog} --help`\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status. Any fault of the settings is reported in one clear line."""
    given = sys.argv[1:] if arguments is None else [*arguments]
    if given[:1] == ["room"]:
        from readiness.room.command import main as room  # noqa: PLC0415 - a room has neither server nor its settings

        return room(given[1:])
    options = parser().parse_args(given)
    from reports.store.trail import open_trail  # noqa: PLC0415 - keeps --help quick

    try:
        settings = load_settings(flags={s.name: getattr(options, s.name, None) for s in SETTINGS})
        words = itertools.takewhile(lambda word: not word.startswith("-"), ["readiness", *given])
        with open_trail(" ".join([*words][:3]), kind="operator", actor="operator", waits=False):
            status: int = options.run(settings, options)
    except SettingError as error:
        print(f"readiness: {error.message}", file=sys.stderr)  # noqa: T201 - this is the command's output
        return EXIT_SETTING
    except KeyboardInterrupt:
        return 130
    return status


@functools.cache
def parser() -> argparse.ArgumentParser:
    """Return the parser, built once; its settings come from the one table."""
    top = _Parser(prog="readiness", description="Technical readiness tests before video meetings.")
    top.add_argument("--version", action="version", version=f"readiness {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="command")

    serve = commands.add_parser("serve", help="run the server", description="Run the server until it is stopped.")
    serve.add_argument("--demo", action="store_true", help="make a demo meeting and print fresh links to it")
    serve.add_argument("--json", action="store_true", help="print the addresses as one JSON line")
    serve.add_argument("--force", action="store_true", help="allow the demo together with a public address")
    serve.set_defaults(run=_serve)

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

    meeting.add_argument("--leader", default="", help="what the meeting's leader is called")
    meeting.add_argument("--leader-mail", default="", help="where the leader's messages go")
    meeting.add_argument("--leader-phone", default="", help="the leader's own phone")
    meeting.add_argument("--solution", default="other", help="the video solution, such as whereby")
    meeting.add_argument("--join-link", default="", help="the meeting's own address")

    made = [add_organisation(commands), *(_office_parser(commands, *one) for one in OFFICES)]
    made += [*_meetings_parsers(commands), *add_rooms(commands), *add_audit(commands)]
    made += [add_calibration(commands), add_voices(commands)]
    commands.add_parser("room", help="check this meeting room's own loudspeaker, microphones, camera and PC")
    key = commands.add_parser("key", help="show which key this machine and the database have")
    key.add_argument("--replace", action="store_true", help="keep this machine's key: what the lost one sealed is gone")
    key.set_defaults(run=_key)
    _add_settings(serve, shown={setting.name for setting in SETTINGS})
    for command in (meeting, key, *made):
        _add_settings(command, shown=SHOWN_EVERYWHERE)
    return top


def _office_parser(commands: Any, kind: str, name: str, text: str, days: int) -> argparse.ArgumentParser:
    office: argparse.ArgumentParser = commands.add_parser(name, help=f"print {text}, or close all of them")
    office.add_argument("--organisation", required=True, help="the organisation's short name")
    office.add_argument("--days", type=int, default=days, help="how long it opens")
    office.add_argument("--revoke", action="store_true", help="close every one given out so far, make none")
    office.set_defaults(run=_office, kind=kind)
    return office


def _meetings_parsers(commands: Any) -> list[argparse.ArgumentParser]:
    """Add ``readiness meetings`` with its own commands, and return these."""
    meetings = commands.add_parser("meetings", help="list, show, move, cancel, invite to and import meetings")
    actions = meetings.add_subparsers(title="commands", required=True, metavar="command")
    listed = actions.add_parser("list", help="list meetings from today on")
    listed.add_argument("--days", type=int, default=31, help="how many days")
    listed.add_argument("--csv", action="store_true", help="as a spreadsheet")
    listed.set_defaults(run=_list)
    show = actions.add_parser("show", help="print one meeting as JSON")
    show.set_defaults(run=_show)
    move = actions.add_parser("move", help="move a meeting and tell whoever was invited")
    move.add_argument("--starts", required=True, help="local time, such as 2026-12-01T10:00")
    move.add_argument("--minutes", type=int, help="how long it lasts")
    move.set_defaults(run=_move)
    cancel = actions.add_parser("cancel", help="cancel a meeting and tell whoever was invited")
    cancel.set_defaults(run=_cancel)
    invite = actions.add_parser("invite", help="send invitations, or print links and codes")
    invite.add_argument("--channel", default="auto", choices=["auto", "mail", "sms", "letter", "link"])
    invite.add_argument("--people", default="", help="ids with commas between; all participants where none is named")
    invite.add_argument("--replace", action="store_true", help="close earlier links first")
    invite.set_defaults(run=_invite)
    load = actions.add_parser("import", help="make and change meetings from a CSV or iCalendar file")
    load.add_argument("file", type=Path, help="the file")
    load.add_argument("--skip-bad", action="store_true", help="leave out meetings with a bad row")
    load.add_argument("--invite", action="store_true", help="invite everybody in new meetings")
    load.set_defaults(run=_import)
    for one in (show, move, cancel, invite):
        one.add_argument("meeting", help="the meeting's id, from `readiness meetings list`")
    every = [listed, show, move, cancel, invite, load]
    for one in every:
        one.add_argument("--organisation", required=True, help="the organisation's short name")
    return every


def _add_settings(command: argparse.ArgumentParser, *, shown: Collection[str]) -> None:
    """Add every setting as a flag; the help lists only those in `shown`."""
    more = "" if len(shown) == len(SETTINGS) else "; `readiness serve --help` lists them all"
    group = command.add_argument_group(
        "settings", f"each is also a variable; NAME_FILE reads a secret from a file{more}"
    )
    for setting in SETTINGS:
        default = f" [{setting.default}]" if setting.default else ""
        text = f"{setting.help}{default} ({setting.variable})".replace("%", "%%")
        text = text if setting.name in shown else argparse.SUPPRESS
        group.add_argument(setting.flag, dest=setting.name, default=None, metavar="VALUE", help=text)


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    gc.disable()  # what an import makes stays: looking for garbage in it is a tenth of a start
    from readiness.server.serve import serve  # noqa: PLC0415 - keeps --help quick

    gc.enable()
    gc.freeze()
    if options.demo and settings.public_url and not options.force:
        raise SettingError("READINESS_PUBLIC_URL: a demo on a public address lets anybody in; --force if you mean it")
    return serve(settings, demo=options.demo, as_json=options.json)


def _key(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import show_key  # noqa: PLC0415 - keeps --help quick

    own, stored = asyncio.run(show_key(settings, replace_it=options.replace))
    _print(f"this machine  {own}")
    _print(f"the database  {stored or 'none yet'}")
    return int(stored not in {own, ""})


def _meeting(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import make_meeting  # noqa: PLC0415 - keeps --help quick
    from readiness.meetings.wishes import HostPlan  # noqa: PLC0415

    people = [
        tuple(one.strip() for one in part.partition(":")[::2]) for part in options.people.split(",") if part.strip()
    ]
    links = asyncio.run(
        make_meeting(
            settings,
            organisation=options.organisation,
            starts=_starts(options.starts),
            lasts=timedelta(minutes=options.minutes),
            title=options.title,
            profile=options.profile,
            people=people,
            leader=HostPlan("leader", options.leader, mail=options.leader_mail, phone=options.leader_phone),
            solution=options.solution,
            join_link=options.join_link,
        )
    )
    for label, link in links:
        _print(f"{label:<24} {link}")
    return 0


def _office(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import close_links, make_link  # noqa: PLC0415 - keeps --help quick

    if options.revoke:
        closed = asyncio.run(close_links(settings, options.kind, organisation=options.organisation))
        _print(f"closed {closed}")
        return 0
    lasts = timedelta(days=max(0, min(options.days, MOST_DAYS)))
    _print(asyncio.run(make_link(settings, options.kind, organisation=options.organisation, lasts=lasts)))
    return 0


def _list(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import list_meetings  # noqa: PLC0415
    from readiness.meetings.tables import guarded  # noqa: PLC0415 - keeps --help quick

    days = max(1, min(options.days, MOST_DAYS))
    found = asyncio.run(list_meetings(settings, organisation=options.organisation, days=days))
    rows = [
        (line.meeting.id, f"{starts:%Y-%m-%d %H:%M}", line.meeting.state, _counts(line.people), line.meeting.title)
        for line, starts in found
    ]
    if options.csv:
        written = csv.writer(sys.stdout)
        written.writerow(("id", "starts", "state", "people", "title"))
        written.writerows([guarded(cell) for cell in row] for row in rows)
        return 0
    for row in rows:
        _print("  ".join(row))
    return 0


def _counts(people: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(people.items()))


def _show(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import show_meeting  # noqa: PLC0415 - keeps --help quick

    found = asyncio.run(show_meeting(settings, organisation=options.organisation, meeting=options.meeting))
    _print(json.dumps(found, indent=1, ensure_ascii=False))
    return 0


def _move(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import move_meeting  # noqa: PLC0415 - keeps --help quick

    whose = {"organisation": options.organisation, "meeting": options.meeting}
    moved = asyncio.run(move_meeting(settings, **whose, starts=_starts(options.starts), minutes=options.minutes))
    _print(f"moved {moved.id}")
    return 0


def _cancel(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import cancel_meeting  # noqa: PLC0415 - keeps --help quick

    found = asyncio.run(cancel_meeting(settings, organisation=options.organisation, meeting=options.meeting))
    _print(f"cancelled {found.id}")
    return 0


def _invite(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import invite_people  # noqa: PLC0415 - keeps --help quick

    done = asyncio.run(
        invite_people(
            settings,
            organisation=options.organisation,
            meeting=options.meeting,
            people=[one for one in options.people.split(",") if one],
            channel=options.channel,
            renew=options.replace,
        )
    )
    for one in done:
        _print("  ".join(filter(None, (one.id, one.state, one.link, one.code))))
    return int(any(one.state.startswith("no_") for one in done))


def _import(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage import describe, import_meetings  # noqa: PLC0415 - keeps --help quick

    done = asyncio.run(
        import_meetings(
            settings,
            organisation=options.organisation,
            file=options.file,
            skip_bad=options.skip_bad,
            invite=options.invite,
        )
    )
    for one in (*done.bad, *done.notes):
        where = ": ".join(filter(None, (f"row {one.row}", one.column, one.found, describe(one.reason))))
        print(where, file=sys.stderr)  # noqa: T201
    _print(f"made {len(done.made)}, changed {len(done.changed)}, bad rows {len(done.bad)}")
    return int(bool(done.bad))


def _starts(typed: str) -> datetime:
    """Read a date with a time of day. A date alone is refused: it would mean midnight, which nobody wants."""
    from readiness.typed import read_start  # noqa: PLC0415 - keeps --help quick

    try:
        return read_start(typed)
    except InputError as error:
        said = {"meeting.no_clock": "has no time of day", "meeting.no_such_time": "is a time that no calendar has"}
        why = said.get(error.code, "is no time")
        raise SettingError(f"--starts: {typed!r} {why}; write it as 2026-12-01T10:00") from None


def _print(line: str) -> None:
    print(line)  # noqa: T201 - this is the command's output
