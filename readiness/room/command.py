"""``readiness room``: a meeting room checks itself, on its own PC."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

from probes.loop import LOUDEST_DBFS
from readiness.room.check import Ask, RoomPlan, check_json, check_room
from readiness.room.children import ask
from readiness.room.history import History, state_folder
from readiness.texts import LANGUAGES, catalogue, negotiate
from reports.model import Outcome, Verdict
from reports.rooms import PARTS, Finding, findings
from reports.verdict import Judgement

__all__ = ["EXITS", "main"]

EXITS: Final = {
    Verdict.READY: 0,
    Verdict.READY_WITH_WARNINGS: 1,
    Verdict.NOT_READY: 2,
    Verdict.INCOMPLETE: 3,
}
EXIT_USAGE: Final = 64
"""From `sysexits.h`, because a mistyped option is no verdict on the room."""
EXIT_UNCHANGED: Final = 73
"""From `sysexits.h`, "can't create": the usual figures could not be forgotten."""
EXIT_INTERRUPTED: Final = 130
CAMERA: Final = "READINESS_ROOM_CAMERA"
"""For an address with a password, which every user of the PC could read on a command line."""
QUIETEST_DBFS: Final = -60.0


class _Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line, with a status that is none of the verdicts."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"readiness: {message}; see `{self.prog} --help`\n")


def main(arguments: Sequence[str], *, ask_probe: Ask = ask) -> int:
    """Run ``readiness room`` and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options, ask_probe)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    top = _Parser(prog="readiness room", description="A meeting room checks itself; nothing leaves this PC.")
    actions = top.add_subparsers(title="commands", required=True, metavar="command")
    check = actions.add_parser(
        "check",
        help="check loudspeaker, microphones, camera and PC",
        description="Exit status: 0 ready, 1 ready with warnings, 2 not ready, 3 incomplete, 64 a wrong option.",
    )
    check.add_argument("--only", choices=[*PARTS], action="append", help="only this part; may be given again")
    check.add_argument("--json", action="store_true", help="print the check as JSON")
    check.add_argument(
        "--camera", default=None, metavar="NAME", help=f"a name, file or address ({CAMERA}) [the only one]"
    )
    check.add_argument(
        "--cancels-own-echo", action="store_true", help="the speakerphone or video bar removes its own sound"
    )
    check.add_argument(
        "--loudest",
        type=_level,
        default=LOUDEST_DBFS,
        metavar="DBFS",
        help=f"peak of the loudest sweep [{LOUDEST_DBFS:g}]",
    )
    check.add_argument("--language", choices=LANGUAGES, help="of what is said [the system's]")
    check.set_defaults(run=_check)
    forget = actions.add_parser("forget", help="forget what is usual in this room, after it was changed on purpose")
    forget.set_defaults(run=_forget)
    for one in (check, forget):
        _add_devices(one)
    devices = actions.add_parser("devices", help="list the sound devices and cameras by name")
    devices.add_argument("--json", action="store_true", help="print them as JSON")
    devices.set_defaults(run=_devices)
    return top


def _add_devices(command: argparse.ArgumentParser) -> None:
    command.add_argument("--microphone", default="", metavar="NAME", help="whole or part of it [the system's default]")
    command.add_argument("--loudspeaker", default="", metavar="NAME", help="whole or part of it [the system's default]")
    command.add_argument("--host-api", default="", metavar="NAME", help="where two systems list the same device")
    command.add_argument("--channels", type=_channel, metavar="NUMBER", help="how many to record [all, or 2 of dozens]")
    command.add_argument("--reference", type=_channel, metavar="CHANNEL", help="channel with what the PC plays, from 1")
    command.add_argument("--state", type=Path, default=None, metavar="FOLDER", help="where what is usual is kept")


def _level(text: str) -> float:
    with contextlib.suppress(ValueError):
        if QUIETEST_DBFS <= (level := float(text)) <= 0.0:
            return level
    raise argparse.ArgumentTypeError(f"a level is between {QUIETEST_DBFS:g} and 0 dBFS, not {text}")


def _channel(text: str) -> int:
    with contextlib.suppress(ValueError):
        if (channel := int(text)) >= 1:
            return channel
    raise argparse.ArgumentTypeError(f"channels count from 1, not {text}")


def _plan(options: argparse.Namespace) -> RoomPlan:
    return RoomPlan(
        microphone=options.microphone,
        speaker=options.loudspeaker,
        host_api=options.host_api,
        channels=options.channels,
        reference=options.reference,
    )


def _check(options: argparse.Namespace, ask_probe: Ask) -> int:
    plan = replace(
        _plan(options),
        camera=options.camera if options.camera is not None else os.environ.get(CAMERA, ""),
        cancels_echo=options.cancels_own_echo,
        loudest_dbfs=options.loudest,
        parts=tuple(part for part in PARTS if part in (options.only or PARTS)),
    )
    texts = catalogue(options.language or _language())
    judgement = check_room(plan, options.state or state_folder(), ask_probe=ask_probe, tell=_teller(texts))
    if options.json:
        _print(json.dumps(check_json(judgement)))
    else:
        _say(judgement, texts)
    return EXITS[judgement.verdict]


def _teller(texts: Mapping[str, str]) -> Callable[[str], None]:
    """Return a function that reports progress on the error output, so that the answer can be piped."""

    def tell(part: str) -> None:
        print(texts[f"room.part.{part}"], file=sys.stderr, flush=True)  # noqa: T201 - this is the command's output

    return tell


def _say(judgement: Judgement, texts: Mapping[str, str]) -> None:
    _print(texts[f"room.verdict.{judgement.verdict.value}"])
    for finding in findings(judgement):
        _print("")
        for line in _sentences(finding, texts):
            _print(line)
    good = [texts[f"check.{check.id}"] for check in judgement.checks if check.outcome is Outcome.PASS]
    if good:
        _print("")
        _print(f"{texts['outcome.pass']}: {', '.join(good)}")


def _sentences(finding: Finding, texts: Mapping[str, str]) -> list[str]:
    """Return sentences on what is wrong, what to do, and who can do it."""
    about = f"{texts[f'outcome.{finding.outcome.value}']}: "
    if finding.code.startswith("cause."):
        lines = [f"{about}{texts[f'check.{finding.check}']}. {texts[finding.code]}"]
    else:
        lines = [about + texts[f"advice.{finding.code}.title"], f"  {texts[f'advice.{finding.code}.do']}"]
    if finding.responsible:
        lines.append(f"  {texts[f'room.who.{finding.responsible.value}']}")
    return lines


def _forget(options: argparse.Namespace, _ask_probe: Ask) -> int:
    folder = options.state or state_folder()
    try:
        History(folder, _plan(options).devices).forget()
    except OSError as error:
        print(f"readiness: {folder} can't be changed: {error.strerror}", file=sys.stderr)  # noqa: T201
        return EXIT_UNCHANGED
    return 0


def _devices(options: argparse.Namespace, ask_probe: Ask) -> int:
    sound, seen = ask_probe("sound_devices", {}), ask_probe("cameras", {})
    failed = [found["error"] for found in (sound, seen) if isinstance(found, dict)]
    if options.json:
        _print(json.dumps({"sound": sound, "cameras": seen}))
    else:
        _list_devices(sound if isinstance(sound, list) else [], seen if isinstance(seen, list) else [])
        for error in failed:
            print(f"readiness: {catalogue('en')[f'cause.{error}']}", file=sys.stderr)  # noqa: T201
    return EXITS[Verdict.INCOMPLETE] if failed else 0


def _list_devices(sound: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]]) -> None:
    for kind, count, default in (
        ("microphone", "inputs", "is_default_input"),
        ("loudspeaker", "outputs", "is_default_output"),
    ):
        for device in sound:
            if device[count]:
                mark = "*" if device[default] else " "
                _print(f"{mark} {kind:<12} {device['name']}  [{device['host_api']}, {device[count]} ch]")
    for camera in seen:
        _print(f"  {'camera':<12} {camera['name']}")


def _language() -> str:
    """Return the language of the system's messages, else English, like the rest of the command line."""
    asked = next((found for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (found := os.environ.get(name))), "")
    return negotiate(None, asked.partition(".")[0].replace("_", "-"), ("en", *LANGUAGES))


def _print(text: str) -> None:
    print(text)  # noqa: T201 - this is the command's output
