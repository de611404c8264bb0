"""One check of this room: runs each probe in a child process and judges the results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from probes.hardware.machine import machine_measurements
from probes.hardware.view import view_measurements
from probes.loop import LOUDEST_DBFS, LoopFigures
from probes.measurement import Measurement, not_measured
from probes.room_sound import Baseline, Mixer, sound_measurements, unmeasured_sound
from readiness import __version__
from readiness.room.children import ask
from readiness.room.history import History
from reports.model import Outcome, rfc3339
from reports.rooms import PARTS, findings, judge_room, room_profile
from reports.verdict import Judgement

__all__ = ["RoomPlan", "check_json", "check_room"]

SCHEMA: Final = "readiness.room_check/1"
SYSTEM_SOUND: Final = frozenset({"", "default", "pipewire", "pulse"})
"""Names of a device that the system's mute and volume apply to."""
COMPARED: Final = ("room.signal", "room.loop", "room.level", "room.dull", "microphone.clipping")
"""Checks that must pass, or not apply, for a room check to count as usual."""
Ask = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """The devices of this room, and the checks to make."""

    microphone: str = ""
    """Names of devices, whole or in part; empty: the system's default."""
    speaker: str = ""
    camera: str = ""
    """A name, a file or an address; empty: the only one."""
    host_api: str = ""
    channels: int | None = None
    """Channels to record, with the reference; None: all, or two if a sound system offers dozens."""
    reference: int | None = None
    """The channel, from 1, with the sound that the PC plays."""
    cancels_echo: bool = False
    loudest_dbfs: float = LOUDEST_DBFS
    parts: tuple[str, ...] = tuple(PARTS)

    @property
    def devices(self) -> tuple[str, ...]:
        """Return what identifies this room's sound devices."""
        return self.host_api, self.microphone, self.speaker, str(self.channels), str(self.reference)


def check_room(
    plan: RoomPlan, folder: Path, *, ask_probe: Ask = ask, tell: Callable[[str], None] = lambda _part: None
) -> Judgement:
    """Return the judgement on this room. `folder` keeps the usual figures; `tell` is called as each part begins.

    A folder that cannot be written costs only the comparison of later checks.
    """
    measured: list[Measurement] = []
    figures: LoopFigures | None = None
    history = History(folder, plan.devices)
    for part in plan.parts:
        tell(part)
        if part == "sound":
            sound, figures = _sound(plan, history.usual(), ask_probe)
            measured += sound
        elif part == "picture":
            measured += view_measurements(ask_probe("picture", {"source": plan.camera}))
        else:
            measured += machine_measurements(ask_probe("machine", {}))
    judgement = judge_room(measured, parts=plan.parts, cancels_echo=plan.cancels_echo)
    if figures is not None and _is_good(judgement):
        try:
            history.add(Baseline.of(figures))
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


def _sound(plan: RoomPlan, usual: Baseline | None, ask_probe: Ask) -> tuple[list[Measurement], LoopFigures | None]:
    """Return the sound probe's findings, and its figures if there are any."""
    mixed = ask_probe("mixer", {}) if {plan.microphone.lower(), plan.speaker.lower()} <= SYSTEM_SOUND else {}
    mixer = Mixer() if not mixed or "error" in mixed else Mixer(**mixed)
    found = ask_probe(
        "sound",
        {
            "microphone": plan.microphone,
            "speaker": plan.speaker,
            "host_api": plan.host_api,
            "channels": plan.channels,
            "reference": plan.reference,
            "loudest_dbfs": plan.loudest_dbfs,
        },
    )
    cause = found.get("error") or found.get("cause")
    figures = LoopFigures.from_json(found["figures"]) if found.get("figures") else None
    devices = [_device(check, found, cause) for check in ("microphone", "speaker")]
    if figures is None:
        return [*devices, *unmeasured_sound(_loop_cause(devices, cause))], None
    return [*devices, *sound_measurements(figures, mixer=mixer, usual=usual, system=sys.platform)], figures


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
