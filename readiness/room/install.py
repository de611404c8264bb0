"""The service's start with the room's account: a systemd user unit, a Windows logon task, a macOS LaunchAgent.

Sound and camera belong to the session of whoever is logged on at the PC, so none of them runs as the system.
"""

from __future__ import annotations

import os
import plistlib
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from readiness.room.errors import AwayError
from readiness.room.files import remove, sync_folder

__all__ = ["install", "launch_agent", "logon_task", "unit"]

UNIT: Final = "readiness-room.service"
LABEL: Final = "org.readiness.room"
TASK: Final = "Readiness room"
ANSWER_S: Final = 30.0
Run = Callable[[Sequence[str]], None]


def install(action: str, folder: Path, *, state: Path | None, only_print: bool = False, run: Run | None = None) -> str:
    """Install or uninstall, and return what to tell. Raises AwayError where the system refuses, OSError."""
    run = run or _run
    command = [sys.executable, "-m", "readiness", "room", "run", *(["--state", str(state)] if state else [])]
    system = sys.platform if sys.platform in {"win32", "darwin"} else "linux"
    place = {"linux": _config() / "systemd" / "user" / UNIT, "darwin": _agents() / f"{LABEL}.plist"}.get(
        system, folder / "logon-task.xml"
    )  # fmt: skip
    made = {
        "linux": lambda: unit(command, folder).encode(),
        "darwin": lambda: launch_agent(command, folder),
        "win32": lambda: b"\xff\xfe" + logon_task(command, _account()).encode("utf-16-le"),
    }[system]()
    if only_print:
        return made.decode("utf-16" if system == "win32" else "utf-8").rstrip()
    if action == "uninstall":
        for step in _stops(system):
            run(step)
        remove(place)
        return "The service is not started any more. The room stays enrolled: `readiness room forget --all` ends that."
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(made)
    sync_folder(place.parent)
    for step in _starts(system, place):
        run(step)
    return f"{place}\nThe service runs, and starts with this account. {_advice(system)}".rstrip()


def unit(command: Sequence[str], folder: Path) -> str:
    """Return the systemd user unit: it may write its own folder only, and reach sound, camera and network."""
    return f"""\
[Unit]
Description=Readiness: this room checks itself
After=pipewire.service pipewire-pulse.service network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={_quoted(command)}
Restart=always
RestartSec=30
RestartPreventExitStatus=64 77
TimeoutStartSec=90
TimeoutStopSec=20
WatchdogSec=120
Environment=PYTHONUNBUFFERED=1
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={_unit_path(folder)}
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=no
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
MemoryMax=1G
UMask=0077

[Install]
WantedBy=default.target
"""


def launch_agent(command: Sequence[str], folder: Path) -> bytes:
    """Return macOS' property list."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": [*command],
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 300,
            "ProcessType": "Background",
            "Umask": 0o077,
            "StandardErrorPath": str(folder / "service.log"),
        }
    )


def logon_task(command: Sequence[str], account: str) -> str:
    """Return Windows' task: at log-on of this account, again every 15 minutes if it ended, on battery too, no limit."""
    program, *arguments = command
    return f"""\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>Readiness: this room checks itself</Description></RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Repetition><Interval>PT15M</Interval><StopAtDurationEnd>false</StopAtDurationEnd></Repetition>
      <Enabled>true</Enabled>
      <UserId>{escape(account)}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{escape(account)}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Hidden>true</Hidden>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{escape(program)}</Command>
      <Arguments>{escape(subprocess.list2cmdline(arguments))}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def _starts(system: str, place: Path) -> list[list[str]]:
    return {
        "linux": [["systemctl", "--user", "daemon-reload"], ["systemctl", "--user", "enable", "--now", UNIT]],
        "darwin": [["launchctl", "bootstrap", f"gui/{_uid()}", str(place)]],
        "win32": [["schtasks", "/Create", "/TN", TASK, "/XML", str(place), "/F"], ["schtasks", "/Run", "/TN", TASK]],
    }[system]


def _stops(system: str) -> list[list[str]]:
    return {
        "linux": [["systemctl", "--user", "disable", "--now", UNIT]],
        "darwin": [["launchctl", "bootout", f"gui/{_uid()}/{LABEL}"]],
        "win32": [["schtasks", "/End", "/TN", TASK], ["schtasks", "/Delete", "/TN", TASK, "/F"]],
    }[system]


def _advice(system: str) -> str:
    return {
        "linux": "So that it also runs before somebody logs on: `loginctl enable-linger`.",
        "darwin": "Run `readiness room check` once in a terminal, and allow microphone and camera when asked.",
        "win32": "In Settings, Privacy, desktop apps must be allowed to use camera and microphone.",
    }[system]


def _quoted(command: Sequence[str]) -> str:
    r"""Return a command as systemd reads it: quoted, with ``%`` and ``$`` doubled."""
    doubled = (part.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$") for part in command)
    return " ".join(
        f'"{part.replace(chr(34), chr(92) + chr(34))}"' if shlex.quote(part) != part else part for part in doubled
    )


def _unit_path(folder: Path) -> str:
    return _quoted([str(folder)]).replace("$$", "$")


def _config() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _agents() -> Path:
    return Path.home() / "Library" / "LaunchAgents"


def _account() -> str:
    return "\\".join(filter(None, (os.environ.get("USERDOMAIN"), os.environ.get("USERNAME"))))


def _uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _run(argv: Sequence[str]) -> None:
    try:
        subprocess.run(argv, check=True, capture_output=True, text=True, timeout=ANSWER_S)  # noqa: S603 - fixed programs
    except FileNotFoundError:
        raise AwayError(
            f"{argv[0]} is not on this PC: start `readiness room run` with this account in another way"
        ) from None
    except subprocess.CalledProcessError as error:
        raise AwayError(f"`{' '.join(argv)}` failed: {(error.stderr or '').strip() or error.returncode}") from None
    except subprocess.TimeoutExpired:
        raise AwayError(f"`{' '.join(argv)}` did not end") from None
