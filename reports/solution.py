"""Video solutions: the needs of the program that a meeting runs in, read from TOML and strictly validated.

A file holds the hosts of its links, the ports of its media, the devices on which it runs in a program of its own that
no browser can test, its rate if that is known better than from the kind of meeting, and what a meeting's planner has
to know: how many take part at most, which browsers open it, where to practise, and what is done against recording.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

__all__ = [
    "Opening",
    "Recording",
    "Solution",
    "SolutionError",
    "host_of",
    "load_solution",
    "parse_solution",
    "solution_names",
]

SOLUTION_FOLDER = Path(__file__).parent / "solutions"
FORMS = frozenset({"phone", "tablet", "computer"})
Recording = Literal["told", "unknown"]
"""Everybody in the meeting is told of a recording; or not known."""
RECORDINGS = frozenset({"told", "unknown"})
_HOST = re.compile(r"^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$")
"""Nothing else may enter a header that tells a browser which hosts it may contact."""
_PATH = re.compile(r"^/[a-z0-9._/-]*$")
_PORTS = re.compile(r"^\d{1,5}(?:-\d{1,5})?(?:, \d{1,5}(?:-\d{1,5})?)*$")
_MOST_MBPS = 100.0
_LEAST_PEOPLE, _MOST_PEOPLE = 2, 100_000


class SolutionError(ValueError):
    """A solution file has invalid content; the message names the file."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a firewall must let out: ``udp`` to ports such as ``3478-3481`` of `to`."""

    protocol: Literal["tcp", "udp"]
    ports: str
    to: str


@dataclass(frozen=True, slots=True)
class Solution:
    """One video solution."""

    name: str
    title: str
    """Its own name, the same in every language; empty if nothing but the link is known."""
    hosts: tuple[str, ...]
    """Hosts of its links; empty if every organisation has its own."""
    program_on: frozenset[str]
    """Classes of device (phone, tablet, computer) on which the meeting runs in a program of its own."""
    probe_path: str
    ports: tuple[Opening, ...]
    need_mbps: Mapping[str, float]
    """Need by profile, Mbit/s each way including sound, if a public source is better than the profile's figure."""
    source: str
    most_people: int | None
    """How many a meeting holds at most, in its smallest room that is meant for patients; None: not known."""
    browsers: tuple[str, ...]
    """Browsers that open it without a program; empty: not known, or none."""
    practice: str
    """An https address where anybody can try it alone; empty: none is known."""
    recording: Recording
    """What is done where somebody records."""

    def host_for(self, join_link: str | None) -> str | None:
        """Return the host of this meeting's page: that of its link if it is one of the solution's, else the first.

        None if no host is known, or if the link leads elsewhere, because we vouch for no other host.
        """
        asked = host_of(join_link) if join_link else None
        if asked is None:
            return self.hosts[0] if self.hosts and not join_link else None
        name = asked.partition(":")[0]
        known = not self.hosts or any(name == host or name.endswith(f".{host}") for host in self.hosts)
        return asked if known else None


def host_of(link: str) -> str | None:
    """Return the host of an https link in lower case, with a port other than 443; None for any other link."""
    try:
        parts = urlsplit(link.strip())
        name, port = (parts.hostname or "").encode("idna").decode("ascii").lower(), parts.port
    except ValueError:
        return None
    if parts.scheme != "https" or parts.username is not None or not _HOST.match(name):
        return None
    return name if port in {None, 443} else f"{name}:{port}"


@cache
def solution_names() -> tuple[str, ...]:
    """Return the names of the packaged solutions."""
    return tuple(sorted(path.stem for path in SOLUTION_FOLDER.glob("*.toml")))


@cache
def load_solution(name: str) -> Solution:
    """Read the solution called `name` from the packaged folder. Raises SolutionError."""
    if name not in solution_names():
        raise SolutionError(f"there is no solution {name!r}; there are: {', '.join(solution_names())}")
    path = SOLUTION_FOLDER / f"{name}.toml"
    return parse_solution(path.read_text(encoding="utf-8"), where=path.name)


def parse_solution(text: str, *, where: str) -> Solution:
    """Return the solution written in `text` (TOML). Raises SolutionError that names `where`."""
    try:
        data = tomllib.loads(text)
        solution = Solution(
            name=data["name"],
            title=data["title"],
            hosts=tuple(data["hosts"]),
            program_on=frozenset(data["program_on"]),
            probe_path=data["probe_path"],
            ports=tuple(Opening(one["protocol"], one["ports"], one["to"]) for one in data["ports"]),
            need_mbps={name: _need(name, need) for name, need in data.get("need", {}).items()},
            source=data["source"],
            **_known(data),
        )
    except SolutionError as error:
        raise SolutionError(f"{where}: {error}") from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise SolutionError(f"{where}: {type(error).__name__} {error}") from error
    if problem := _problem(solution):
        raise SolutionError(f"{where}: {problem}")
    return solution


def _known(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a meeting's planner has to know; each fact stands beside its source."""
    people, opens, practice = (data.get(name, {}) for name in ("people", "opens", "practice"))
    recording = data.get("recording", {})
    for name, fact in (("people", people), ("opens", opens), ("practice", practice), ("recording", recording)):
        if fact and not str(fact["source"]).strip():
            raise SolutionError(f"{name}: a fact without a source")
    return {
        "most_people": people.get("most"),
        "browsers": tuple(opens.get("browsers", ())),
        "practice": str(practice.get("url", "")),
        "recording": recording.get("who", "unknown"),
    }


def _need(profile: str, data: Mapping[str, Any]) -> float:
    if not str(data["source"]).strip():
        raise SolutionError(f"need.{profile}: a figure without a source")
    mbps = float(data["throughput_mbps"])
    if not 0 < mbps < _MOST_MBPS:
        raise SolutionError(f"need.{profile}: {mbps} Mbit/s")
    return mbps


def _fact_problem(solution: Solution) -> str | None:
    """Return the fault of what a planner has to know, or None."""
    if solution.most_people is not None and not _LEAST_PEOPLE <= solution.most_people <= _MOST_PEOPLE:
        return f"people: {solution.most_people}"
    if solution.practice and host_of(solution.practice) is None:
        return f"practice: {solution.practice!r}"
    return None if solution.recording in RECORDINGS else f"recording: {solution.recording!r}"


def _problem(solution: Solution) -> str | None:
    """Return the fault of a solution, or None."""
    if not solution.source.strip():
        return "no source"
    if any(not _HOST.match(host) for host in solution.hosts):
        return f"hosts: {solution.hosts}"
    if not solution.program_on <= FORMS:
        return f"program_on: choose among {', '.join(sorted(FORMS))}"
    if not _PATH.match(solution.probe_path):
        return f"probe_path: {solution.probe_path!r}"
    for opening in solution.ports:
        if opening.protocol not in {"tcp", "udp"} or not _PORTS.match(opening.ports) or not opening.to.strip():
            return f"ports: {opening}"
    return _fact_problem(solution)
