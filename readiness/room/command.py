"""``readiness room``: a meeting room checks itself, on its own PC."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

from probes.hardware.scene import LIGHT_FILE
from probes.loop import LOUDEST_DBFS
from probes.seats import read_seats, seat_of_percent
from readiness.room.check import REFERENCE, Ask, RoomPlan, check_json, check_room
from readiness.room.children import ask
from readiness.room.devices import own_plan
from readiness.room.errors import NothingFoundError, RevokedError, RoomError
from readiness.room.files import remove
from readiness.room.history import History, state_folder
from readiness.room.lock import held
from readiness.room.manners import ignore, users_now
from readiness.room.seating import SEATS, add_seats, own_seats, say_seats
from readiness.room.telling import complain, list_devices, print_line, say_check, system_language, teller
from readiness.texts import LANGUAGES, catalogue
from reports.model import Verdict
from reports.rooms import PARTS

__all__ = ["EXITS", "main"]

EXITS: Final = {
    Verdict.READY: 0,
    Verdict.READY_WITH_WARNINGS: 1,
    Verdict.NOT_READY: 2,
    Verdict.INCOMPLETE: 3,
}
EXIT_IN_USE: Final = 4
EXIT_USAGE: Final = 64
"""Of `sysexits.h`: a mistyped option is no verdict on the room."""
EXIT_AWAY: Final = 69
"""Of `sysexits.h`: the server, or the other half of this PC's own programs, is not there."""
EXIT_UNCHANGED: Final = 73
"""Of `sysexits.h` too, can't create: a file or folder could not be changed."""
EXIT_REVOKED: Final = 77
"""Of `sysexits.h`, no permission: the server no longer knows this room; the service is not started again."""
EXIT_INTERRUPTED: Final = 130
CAMERA: Final = "READINESS_ROOM_CAMERA"
"""An address with a password in it belongs here, and not where every user of the PC reads command lines."""
QUIETEST_DBFS: Final = -60.0


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with a status that is none of the verdicts."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"readiness: {message}; see `{self.prog} --help`\n")


def main(arguments: Sequence[str], *, ask_probe: Ask = ask) -> int:
    """Run ``readiness room`` and return its exit status."""
    options = _parser().parse_args(arguments)
    folder: Path = options.state or state_folder()
    try:
        status: int = options.run(options, folder, ask_probe)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except ValueError as error:
        complain(f"readiness: {error}")
        return EXIT_USAGE
    except NothingFoundError as error:
        complain(str(error))
        status = EXITS[Verdict.INCOMPLETE]
    except RevokedError as error:
        complain(f"readiness: {error}; enrol this PC again")
        return EXIT_REVOKED
    except RoomError as error:
        complain(f"readiness: {error}")
        return EXIT_AWAY
    except OSError as error:
        complain(f"readiness: {folder} can't be changed: {error.strerror}")
        return EXIT_UNCHANGED
    return status


def _parser() -> argparse.ArgumentParser:
    top = _Parser(
        prog="readiness room", description="A meeting room checks itself. Pictures and sound stay on this PC."
    )
    actions = top.add_subparsers(title="commands", required=True, metavar="command")
    _add_check(actions)
    _add_enrolment(actions)
    forget = actions.add_parser("forget", help="forget what is usual here, after it was changed on purpose; or all")
    forget.add_argument("--all", action="store_true", help="also key, reference, results, and the room at the server")
    forget.set_defaults(run=_forget)
    _add_devices(forget)
    devices = actions.add_parser("devices", help="list the sound devices and cameras by name")
    devices.add_argument("--json", action="store_true", help="print them as JSON")
    devices.set_defaults(run=_devices)
    reference = actions.add_parser(
        "reference", help="keep how the empty room looks, so that a turned camera is noticed"
    )
    reference.add_argument("--camera", default=None, metavar="NAME", help="as for check")
    reference.add_argument("--forget", action="store_true", help="forget it")
    reference.set_defaults(run=_reference)
    seats = actions.add_parser(
        "seats", help="keep where people sit now, so that it is noticed when the camera does not see them"
    )
    seats.add_argument("--area", action="append", type=_area, metavar="L,T,R,B", help="a seat, percent of the picture")
    seats.add_argument("--show", action="store_true", help="only list the seats")
    seats.add_argument("--forget", action="store_true", help="forget them")
    seats.set_defaults(run=_seats)
    in_use = actions.add_parser("in-use", help="list the programs that use microphone or camera now")
    in_use.add_argument("--ignore", action="store_true", help="take them for nobody from now on")
    in_use.set_defaults(run=_in_use)
    for name, text in (("install", "start the service with this account"), ("uninstall", "start it no more")):
        one = actions.add_parser(name, help=text)
        one.add_argument("--print", action="store_true", help="only print the file that the system would be given")
        one.set_defaults(run=_service_file, action=name)
    for one in (devices, reference, seats, in_use):
        _add_state(one)
    for name in ("install", "uninstall"):
        _add_state(actions.choices[name])
    return top


def _add_check(actions: Any) -> None:
    check = actions.add_parser(
        "check",
        help="check loudspeaker, microphones, camera, PC and line",
        description="Exit status: 0 ready, 1 with warnings, 2 not ready, 3 incomplete, 4 in use, 64 a wrong option.",
    )
    check.add_argument("--only", choices=[*PARTS], action="append", help="only this part; may be given again")
    check.add_argument("--json", action="store_true", help="print the check as JSON")
    check.add_argument("--anyway", action="store_true", help="check although the room is in use")
    check.add_argument("--language", choices=LANGUAGES, help="of what is said [the system's]")
    check.set_defaults(run=_check)
    _add_devices(check)
    _add_more_devices(check)


def _add_enrolment(actions: Any) -> None:
    enrol = actions.add_parser("enrol", help="make this PC a room of a server")
    enrol.add_argument("code", help="the code that the room's page shows")
    enrol.add_argument("--server", required=True, metavar="URL", help="such as https://ready.hospital.example")
    enrol.add_argument("--replace", action="store_true", help="although this PC is enrolled already")
    enrol.add_argument("--no-listening", action="store_true", help="do not ask whoever is there what they hear")
    enrol.add_argument("--key-store", choices=["auto", "file"], default="auto", help="where the key is kept [auto]")
    enrol.set_defaults(run=_enrol)
    _add_devices(enrol)
    _add_more_devices(enrol)
    listen = actions.add_parser(
        "listen", help="find out with you whether the speakerphone takes its own sound out of the microphone"
    )
    listen.add_argument("--language", choices=LANGUAGES, help="of what is said [the system's]")
    listen.set_defaults(run=_listen)
    _add_devices(listen)
    run = actions.add_parser("run", help="check when it is time, and tell the server: the service")
    run.set_defaults(run=_run)
    status = actions.add_parser("status", help="show the room, its last and next check, and what waits")
    status.add_argument("--json", action="store_true", help="print it as JSON")
    status.set_defaults(run=_status)
    for one in (run, status):
        _add_state(one)


def _add_devices(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--microphone", default=None, metavar="NAME", help="whole or part of it [the system's default]"
    )
    command.add_argument(
        "--loudspeaker", default=None, metavar="NAME", help="whole or part of it [the system's default]"
    )
    command.add_argument("--host-api", default=None, metavar="NAME", help="where two systems list the same device")
    command.add_argument("--channels", type=_channel, metavar="NUMBER", help="how many to record [all, or 2 of dozens]")
    command.add_argument("--reference", type=_channel, metavar="CHANNEL", help="channel with what the PC plays, from 1")
    _add_state(command)


def _add_more_devices(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--camera", default=None, metavar="NAME", help=f"a name, file or address ({CAMERA}) [the only one]"
    )
    command.add_argument(
        "--cancels-own-echo", action="store_true", help="the speakerphone or video bar removes its own sound"
    )
    command.add_argument(
        "--loudest",
        type=_level,
        default=None,
        metavar="DBFS",
        help=f"peak of the loudest sweep [{LOUDEST_DBFS:g}]",
    )


def _add_state(command: argparse.ArgumentParser) -> None:
    command.add_argument("--state", type=Path, default=None, metavar="FOLDER", help="where this room's files are kept")


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


def _area(text: str) -> Any:
    try:
        return seat_of_percent(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a seat is left,top,right,bottom in percent: {text} is {error}") from None


def _plan(options: argparse.Namespace, folder: Path) -> RoomPlan:
    """Return the room's own devices with what this command line says otherwise."""
    camera = getattr(options, "camera", None)
    asked = {
        "microphone": options.microphone,
        "speaker": options.loudspeaker,
        "host_api": options.host_api,
        "channels": options.channels,
        "reference": options.reference,
        "camera": camera if camera is not None else os.environ.get(CAMERA),
        "cancels_echo": getattr(options, "cancels_own_echo", False) or None,
        "loudest_dbfs": getattr(options, "loudest", None),
    }
    return replace(own_plan(folder), **{name: value for name, value in asked.items() if value is not None})


def _check(options: argparse.Namespace, folder: Path, ask_probe: Ask) -> int:
    from readiness.room.by_hand import Room  # noqa: PLC0415 - loads what talks to a server

    plan = replace(_plan(options, folder), parts=tuple(part for part in PARTS if part in (options.only or PARTS)))
    texts = catalogue(options.language or system_language())
    with contextlib.ExitStack() as stack:
        try:
            is_ours = stack.enter_context(held(folder / "check.lock"))
        except OSError:
            is_ours = True  # a folder that can't be written is no reason not to check
        if not is_ours:
            complain(texts["room.checking"])
            return EXIT_IN_USE
        room = Room.of(folder, ask_probe=ask_probe, complain=complain)
        users = None if options.anyway else users_now(folder, ask_probe=ask_probe)
        if users or (room.is_in_meeting and not options.anyway):
            complain(texts["room.in_use"])
            return EXIT_IN_USE
        judgement = check_room(room.plan_of(plan), folder, ask_probe=ask_probe, tell=teller(texts))
        checked = check_json(judgement)
        if options.json:
            print_line(json.dumps(checked))
        else:
            say_check(judgement, texts)
        if not options.only:
            room.hand_in(checked)
    return EXITS[judgement.verdict]


def _enrol(options: argparse.Namespace, folder: Path, ask_probe: Ask) -> int:
    from readiness.room.joining import join  # noqa: PLC0415 - loads what talks to a server

    with held(folder / "agent.lock") as is_ours:
        if not is_ours:
            raise ValueError("the service of this room runs: `readiness room uninstall` first, then enrol and install")
        print_line(join(options, folder, _plan(options, folder), ask_probe=ask_probe))
    if sys.stdin.isatty() and not (options.no_listening or options.cancels_own_echo):
        try:
            _listen(options, folder, ask_probe)
        except NothingFoundError as error:
            complain(str(error))
    return 0


def _listen(options: argparse.Namespace, folder: Path, ask_probe: Ask) -> int:
    from readiness.room.listening import find_class  # noqa: PLC0415 - loads numpy

    texts = catalogue(getattr(options, "language", None) or system_language())
    print_line(find_class(_plan(options, folder), folder, texts, ask_probe=ask_probe, ask_person=input))
    return 0


def _run(_options: argparse.Namespace, folder: Path, ask_probe: Ask) -> int:
    from readiness.room.diary import Diary  # noqa: PLC0415
    from readiness.room.enrolment import read_enrolment  # noqa: PLC0415
    from readiness.room.running import run_agent  # noqa: PLC0415 - loads what talks to a server

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    with held(folder / "agent.lock") as is_ours:
        if not is_ours:
            complain("readiness: the service of this room runs already")
            return EXIT_AWAY
        enrolment = read_enrolment(folder, ask_probe=ask_probe)
        if enrolment is None:
            raise ValueError("this PC is not enrolled: `readiness room enrol CODE --server URL`")
        if Diary.read(folder).is_revoked:
            raise RevokedError(f"{enrolment.server} no longer knows this room's key")
        asyncio.run(run_agent(enrolment, folder, ask_probe=ask_probe))
    return 0


def _status(options: argparse.Namespace, folder: Path, ask_probe: Ask) -> int:
    from readiness.room.joining import say_status, status  # noqa: PLC0415 - loads what talks to a server

    known = status(folder, ask_probe=ask_probe)
    print_line(json.dumps(known) if options.json else say_status(known))
    return 0


def _forget(options: argparse.Namespace, folder: Path, ask_probe: Ask) -> int:
    if options.all:
        from readiness.room.joining import leave  # noqa: PLC0415 - loads what talks to a server

        print_line(leave(folder, ask_probe=ask_probe))
        return 0
    History(folder, _plan(options, folder).devices).forget()
    return 0


def _reference(options: argparse.Namespace, folder: Path, ask_probe: Ask) -> int:
    if options.forget:
        for name in (REFERENCE, LIGHT_FILE, SEATS):
            remove(folder / name)
        return 0
    plan = own_plan(folder)
    camera = options.camera if options.camera is not None else os.environ.get(CAMERA, plan.camera)
    scene = {"path": str(folder / REFERENCE), "take": True}
    found = ask_probe("picture", {"source": camera, "scene": scene})
    taken = (found.get("scene") or {}).get("taken")
    if taken is True:
        if (folder / SEATS).exists():
            remove(folder / SEATS)
            print_line("Where people sit is forgotten: `readiness room seats` keeps it anew.")
        print_line("Kept. For a week this room learns how it looks in other light; after that a turned camera is told.")
        return 0
    why = {
        "people": "somebody is in the picture, or something moves: put `sleep 30;` before the command and leave",
        "plain": "too little stands out in the picture: is it dark, out of focus, or turned to a wall?",
        "failed": f"{folder} can't be written",
    }
    causes = f"the camera gives no picture ({found.get('error') or found.get('status')})"
    complain(f"readiness: nothing was kept: {why.get(str(taken), causes)}")
    return EXITS[Verdict.INCOMPLETE]


def _seats(options: argparse.Namespace, folder: Path, ask_probe: Ask) -> int:
    if options.forget:
        remove(folder / SEATS)
        return 0
    if not options.show:
        new = options.area
        if not new:
            asked = {"source": os.environ.get(CAMERA, own_plan(folder).camera), "scene": {"find": True}}
            found = ask_probe("picture", asked)
            new = read_seats((found.get("scene") or {}).get("seats"))
        add_seats(folder, new)
    print_line(say_seats(own_seats(folder)))
    return 0


def _in_use(options: argparse.Namespace, folder: Path, ask_probe: Ask) -> int:
    users = users_now(folder, ask_probe=ask_probe)
    if users is None:
        complain("readiness: this system can't say who uses microphone and camera")
        return EXITS[Verdict.INCOMPLETE]
    for user in users:
        print_line(f"{user['kind']:<12} {user['program']}")
    if options.ignore:
        ignore(folder, users)
    return EXIT_IN_USE if users and not options.ignore else 0


def _service_file(options: argparse.Namespace, folder: Path, _ask_probe: Ask) -> int:
    from readiness.room.install import install  # noqa: PLC0415

    print_line(install(options.action, folder, state=options.state, only_print=options.print))
    return 0


def _devices(options: argparse.Namespace, _folder: Path, ask_probe: Ask) -> int:
    sound, seen = ask_probe("sound_devices", {}), ask_probe("cameras", {})
    failed = [found["error"] for found in (sound, seen) if isinstance(found, dict)]
    if options.json:
        print_line(json.dumps({"sound": sound, "cameras": seen}))
    else:
        list_devices(sound if isinstance(sound, list) else [], seen if isinstance(seen, list) else [])
        for error in failed:
            complain(f"readiness: {catalogue('en')[f'cause.{error}']}")
    return EXITS[Verdict.INCOMPLETE] if failed else 0
