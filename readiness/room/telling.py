"""What the room's commands print: a check in words, devices by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from readiness.texts import LANGUAGES, negotiate
from readiness.typed import one_line
from reports.model import Outcome
from reports.rooms import Finding, findings
from reports.verdict import Judgement

__all__ = ["complain", "list_devices", "print_line", "say_check", "system_language", "teller"]


def print_line(text: str) -> None:
    """Print what was asked for."""
    _put(text, sys.stdout)


def complain(text: str) -> None:
    """Print beside the answer, so that the answer can be piped."""
    _put(text, sys.stderr)
    sys.stderr.flush()


def _put(text: str, stream: TextIO) -> None:
    """Print; an old encoding (Windows writes cp1252 to a file) loses letters, and does not end the check."""
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=stream)


def system_language() -> str:
    """Return the language of the system's messages, else English, as the rest of the command line."""
    asked = next((found for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (found := os.environ.get(name))), "")
    return negotiate(None, asked.partition(".")[0].replace("_", "-"), ("en", *LANGUAGES))


def teller(texts: Mapping[str, str]) -> Callable[[str], None]:
    """Return what says how far the check is."""
    return lambda part: complain(texts[f"room.part.{part}"])


def say_check(judgement: Judgement, texts: Mapping[str, str]) -> None:
    """Print the answer, what is wrong, and what is good."""
    print_line(texts[f"room.verdict.{judgement.verdict.value}"])
    for finding in findings(judgement):
        print_line("")
        for line in _sentences(finding, texts):
            print_line(line)
    good = [texts[f"check.{check.id}"] for check in judgement.checks if check.outcome is Outcome.PASS]
    if good:
        print_line("")
        print_line(f"{texts['outcome.pass']}: {', '.join(dict.fromkeys(good))}")


def list_devices(sound: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]]) -> None:
    """Print sound devices, the default marked, and cameras. Whoever made a device wrote its name."""
    for kind, count, default in (
        ("microphone", "inputs", "is_default_input"),
        ("loudspeaker", "outputs", "is_default_output"),
    ):
        for device in sound:
            if device[count]:
                mark = "*" if device[default] else " "
                print_line(f"{mark} {kind:<12} {one_line(device['name'])}  [{device['host_api']}, {device[count]} ch]")
    for camera in seen:
        print_line(f"  {'camera':<12} {one_line(camera['name'])}")


def _sentences(finding: Finding, texts: Mapping[str, str]) -> list[str]:
    """Return what is wrong, what to do, and who can do it."""
    about = f"{texts[f'outcome.{finding.outcome.value}']}: "
    if finding.code.startswith("cause."):
        lines = [f"{about}{texts[f'check.{finding.check}']}. {texts[finding.code]}"]
    else:
        lines = [about + texts[f"advice.{finding.code}.title"], f"  {texts[f'advice.{finding.code}.do']}"]
    if finding.responsible:
        lines.append(f"  {texts[f'room.who.{finding.responsible.value}']}")
    return lines
