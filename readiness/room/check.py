"""One check of this room: runs each probe in a child process and judges the results."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from probes.hardware.machine import machine_measurements
from probes.hardware.scene import is_somebody_seen
from probes.hardware.view import view_measurements
from probes.loop import LOUDEST_DBFS, LoopFigures
from probes.measurement import Measurement, not_measured
from probes.room_sound import Baseline, Mixer, sound_measurements, unmeasured_sound
from readiness import __version__
from readiness.room.children import DEADLINES_S, FAREWELL_S, ask
from readiness.room.errors import RoomBusyError
from readiness.room.history import History
from readiness.room.seating import own_seats
from reports.model import CheckResult, Level, Outcome, rfc3339
from reports.rooms import PARTS, findings, judge_room, room_profile
from reports.verdict import Judgement

__all__ = ["REFERENCE", "WHOLE_S", "LinePlan", "RoomPlan", "check_json", "check_room"]

SCHEMA: Final = "readiness.room_check/1"
REFERENCE: Final = "reference.npz"
"""The camera's fingerprints, in the state folder."""
WHOLE_S: Final = 118.0
"""A whole check ends within this, whatever hangs: what there is no time for any more is not measured."""
LEAST_S: Final = 3.0
QUIET_TIME_DB: Final = 15.0
"""So much quieter than its loudest is a room's check when people around may sleep."""
SYSTEM_SOUND: Final = frozenset({"", "default", "pipewire", "pulse"})
"""Names of a device for which the system's own mute and volume hold."""
COMPARED: Final = ("room.signal", "room.loop", "room.level", "room.dull", "microphone.clipping")
"""Checks that must pass, or not be asked, for a check to say what is usual."""
Ask = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class LinePlan:
    """The server that the line is measured with."""

    server: str
    key: str = field(repr=False)
    hosts: tuple[str, ...] = ()
    """Of the meeting's solution."""
    speed: bool = False
    public_speed: bool = False


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """What this room has, and what is to be checked of it."""

    microphone: str = ""
    """Names of devices, whole or in part; empty: the system's default."""
    speaker: str = ""
    camera: str = ""
    """A name, a file or an address; empty: the only one."""
    host_api: str = ""
    channels: int | None = None
    """How many are recorded, the reference too; None: all there are, or two where a sound system offers dozens."""
    reference: int | None = None
    """Channel, from 1, that carries what the PC plays."""
    cancels_echo: bool = False
    loudest_dbfs: float = LOUDEST_DBFS
    parts: tuple[str, ...] = tuple(PARTS)
    line: LinePlan | None = None
    """None: this room has no server, and nothing is asked of a line."""
    clock_off_s: float | None = None
    """How far this PC's clock is from the server's, where that is known."""
    meetings_s: tuple[float, ...] = ()
    """When the room's next meetings begin, s since 1970: what the sun does then is told from earlier days."""
    away_from_people: bool = False
    """Play nothing where somebody is seen or heard: nobody asked for this check at the room."""
    is_quiet_time: bool = False
    disk_is_full: bool = False

    @property
    def devices(self) -> tuple[str, ...]:
        """What sets this room's sound apart from another's."""
        return self.host_api, self.microphone, self.speaker, str(self.channels), str(self.reference)

    def sound_request(self) -> dict[str, Any]:
        """Return how the sound probes find this room's devices."""
        return {name: getattr(self, name) for name in ("microphone", "speaker", "host_api", "channels", "reference")}


def check_room(
    plan: RoomPlan,
    folder: Path,
    *,
    ask_probe: Ask = ask,
    tell: Callable[[str], None] = lambda _part: None,
    steady_s: Callable[[], float] = time.monotonic,
) -> Judgement:
    """Return what this room is judged to be. `folder` keeps what is usual here; `tell` hears of each part as it begins.

    A folder that cannot be written costs only the comparison of later checks. Raises RoomBusyError where the plan is to
    stay away from people, and somebody is there.
    """
    run = _Run(plan, folder, ask_probe, steady_s)
    for part in _order(plan):
        tell(part)
        run.parts[part]()
    judgement = judge_room(run.measured, parts=plan.parts, cancels_echo=plan.cancels_echo, line=run.line)
    if run.figures is not None and _is_good(judgement):
        try:
            run.history.add(Baseline.of(run.figures))
        except OSError:
            tell("state_lost")
    return judgement


def check_json(judgement: Judgement, *, now: datetime | None = None) -> dict[str, Any]:
    """Return the check for printing: no names of devices, no addresses, no sound and no picture."""
    return {
        "schema": SCHEMA,
        "verdict": judgement.verdict.value,
        "complete": judgement.complete,
        "checked_at": rfc3339(now or datetime.now(UTC)),
        "profile": room_profile().name,
        "profile_version": room_profile().version,
        "software_version": __version__,
        "findings": [finding.to_json() for finding in findings(judgement)],
        "checks": [check.to_json() for check in judgement.checks],
    }


def _order(plan: RoomPlan) -> list[str]:
    """Return the parts in order: where people must not be disturbed the picture tells of them before any sound."""
    parts = [part for part in plan.parts if part != "network" or plan.line is not None]
    return sorted(parts, key=("picture", "sound", "machine", "network").index) if plan.away_from_people else parts


class _Run:
    """One check on its way."""

    def __init__(self, plan: RoomPlan, folder: Path, ask_probe: Ask, steady_s: Callable[[], float]) -> None:
        self.measured: list[Measurement] = []
        self.line: list[CheckResult] = []
        self.figures: LoopFigures | None = None
        self.history = History(folder, plan.devices)
        self.parts = {
            "sound": self._sound, "picture": self._picture, "machine": self._machine, "network": self._network,
        }  # fmt: skip
        self._plan, self._folder, self._ask_probe = plan, folder, ask_probe
        self._steady_s, self._end_s = steady_s, steady_s() + WHOLE_S

    def _ask(self, probe: str, request: Mapping[str, Any]) -> Any:
        """Ask a probe, within its own deadline and what is left of the whole."""
        left_s = self._end_s - self._steady_s() - FAREWELL_S
        if left_s < LEAST_S:
            return {"error": "no_time"}
        if left_s < DEADLINES_S[probe]:
            return self._ask_probe(probe, request, deadline_s=left_s)
        return self._ask_probe(probe, request)

    def _sound(self) -> None:
        plan = self._plan
        mixed = self._ask("mixer", {}) if {plan.microphone.lower(), plan.speaker.lower()} <= SYSTEM_SOUND else {}
        mixer = Mixer() if not mixed or "error" in mixed else Mixer(**mixed)
        found = self._ask(
            "sound",
            {
                **plan.sound_request(),
                "loudest_dbfs": plan.loudest_dbfs - QUIET_TIME_DB * plan.is_quiet_time,
                "people": plan.away_from_people,
            },
        )
        cause = found.get("error") or found.get("cause")
        if cause == "people":
            raise RoomBusyError
        self.figures = LoopFigures.from_json(found["figures"]) if found.get("figures") else None
        devices = [_device(check, found, cause) for check in ("microphone", "speaker")]
        if self.figures is None:
            self.measured += [*devices, *unmeasured_sound(_loop_cause(devices, cause))]
            return
        usual = self.history.usual()
        self.measured += [*devices, *sound_measurements(self.figures, mixer=mixer, usual=usual, system=sys.platform)]

    def _picture(self) -> None:
        path = self._folder / REFERENCE
        scene = {
            "people": self._plan.away_from_people,
            "path": str(path) if path.exists() else "",
            "seats": own_seats(self._folder),
            "meetings": list(self._plan.meetings_s),
        }
        is_looked_at = scene["people"] or scene["path"]
        asked = {"source": self._plan.camera, **({"scene": scene} if is_looked_at else {})}
        found = self._ask("picture", asked)
        if self._plan.away_from_people and is_somebody_seen(found.get("scene")):
            raise RoomBusyError
        self.measured += view_measurements(found)

    def _machine(self) -> None:
        self.measured += machine_measurements({**self._ask("machine", {}), "unwritable": self._plan.disk_is_full})
        if self._plan.clock_off_s is not None:
            self.measured.append(Measurement("machine.clock", abs(round(self._plan.clock_off_s)), "s", samples=1))

    def _network(self) -> None:
        line = self._plan.line
        if line is None:
            return
        if line.hosts:
            hosts = self._ask("hosts", {"hosts": list(line.hosts)})
            self.measured.append(_hosts(hosts))
        asked = {"server": line.server, "key": line.key, "speed": line.speed, "public": line.public_speed}
        found = self._ask("line", asked)
        self.measured += [Measurement.from_json(one) for one in found.get("speed") or []]
        try:
            self.line = [CheckResult.from_json(one) for one in found["checks"]]
        except (KeyError, TypeError, ValueError):
            self.line = []
        if not self.line:
            cause = str(found.get("error") or "no_value")
            self.line = [CheckResult("network.path", Outcome.NOT_MEASURED, Level.REQUIRED, cause=cause)]


def _hosts(found: Mapping[str, Any]) -> Measurement:
    if found.get("error"):
        return not_measured("solution.hosts", str(found["error"]))
    asked, reached = int(found["asked"]), int(found["reached"])
    return Measurement("solution.hosts", asked - reached, samples=asked, details={"reached": reached})


def _device(device: str, found: Mapping[str, Any], cause: str | None) -> Measurement:
    """Return whether a device is present; both fail if the pair does not open, because PortAudio does not say which."""
    check, status = f"{device}.present", found.get(device)
    if status is None:
        return not_measured(check, str(cause or "step_died"))
    if status == "present" and cause in {"in_use", "no_channel", "other_device", "hung"}:
        return not_measured(check, str(cause))
    return Measurement(check, "failed" if status == "present" and cause == "failed" else status, samples=1)


def _loop_cause(devices: Iterable[Measurement], cause: str | None) -> str:
    """Return why the loop was not tried; a missing device comes before any other cause."""
    return cause if cause and all(one.value in {None, "present"} for one in devices) else "no_microphone"


def _is_good(judgement: Judgement) -> bool:
    """Return whether this check counts as usual: every microphone hears every loudspeaker as well as before."""
    outcomes = {check.id: check.outcome for check in judgement.checks}
    return all(outcomes[check] in {Outcome.PASS, Outcome.SKIPPED} for check in COMPARED) and (
        outcomes["room.loop"] is Outcome.PASS
    )
