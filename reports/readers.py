"""Reads each phase's figures: from the measurer's last message to measurements. Pure.

Messages have passed the protocol's schema (``web/shared/protocol.json``), so required fields are present.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from probes.camera import frame_rate_measurement, frozen_measurement, noise_measurement, picture_measurements
from probes.devices import device_measurements
from probes.measurement import Measurement
from probes.path import path_measurements, relay_measurements
from probes.service import service_measurement
from probes.speaker import speaker_measurement
from reports.guidance import picture_window
from reports.model import SkipReason
from reports.phases import Evidence, FinishedPhase, Phase

__all__ = [
    "PEOPLE_SAID",
    "read_answers",
    "read_client",
    "read_connection",
    "read_devices",
    "read_headroom",
    "read_picture",
    "read_relays",
    "read_service",
    "read_speaker",
    "read_worker",
    "unheard",
]

SKIPS: Final = {"no_sound": SkipReason.NO_SOUND, "declined": SkipReason.DECLINED}
"""Answers about the digits with which the check is skipped rather than unmeasured."""

PEOPLE_SAID: Final = "people"
"""Figure of the picture step: how many the person said they are."""


def read_devices(_phase: Phase, data: Mapping[str, Any], _evidence: Evidence) -> FinishedPhase:
    """Read the status of camera, microphone and browser."""
    return FinishedPhase(device_measurements(data), figures={"other_device": bool(data.get("other_device"))})


def read_picture(phase: Phase, data: Mapping[str, Any], evidence: Evidence) -> FinishedPhase:
    """Read the newest stills, and the noise and the frame times that only the page can see."""
    if data["ended_by"] == "no_camera":
        return phase.died("no_camera")
    measured = [
        *picture_measurements(picture_window(evidence.stills), evidence.expected_people),
        noise_measurement(data.get("noise_sigma", ())),
        frozen_measurement(evidence.stills),
        frame_rate_measurement(data["capture_ms"]),
    ]
    figures = {PEOPLE_SAID: evidence.people_said} if evidence.people_said else {}
    return FinishedPhase(measured, figures=figures, seconds=evidence.seconds)


def unheard(phase: Phase, data: Mapping[str, Any]) -> FinishedPhase | None:
    """Return the finished phase if the page's `data` says that there was nothing to listen to, else None."""
    if data["ended_by"] == "no_microphone":
        return phase.died("no_microphone")
    if data["ended_by"] == "not_played":
        return FinishedPhase(skipped={"microphone.echo": SkipReason.NOT_ASKED})
    return None


def read_worker(phase: Phase, data: Mapping[str, Any], evidence: Evidence) -> FinishedPhase:
    """Read the media worker's own measurements, of this phase's checks only."""
    if data.get("error"):
        return phase.died("step_died", seconds=evidence.seconds)
    return _own(phase, data, seconds=evidence.seconds, figures=dict(data.get("numbers") or {}))


def read_client(phase: Phase, data: Mapping[str, Any], evidence: Evidence) -> FinishedPhase:
    """Read the measurements of a client that measures by itself, of this phase's checks only."""
    return _own(phase, data, seconds=evidence.seconds)


def read_connection(_phase: Phase, data: Mapping[str, Any], evidence: Evidence) -> FinishedPhase:
    """Read the selected candidate pair and the set-up time; note the kind of connection."""
    figures = {"connection": data.get("connection", "unknown")}
    return FinishedPhase(path_measurements(data), figures=figures, seconds=evidence.seconds)


def read_relays(_phase: Phase, data: Mapping[str, Any], evidence: Evidence) -> FinishedPhase:
    """Read which paths through a relay are open."""
    return FinishedPhase(relay_measurements(data["tried"], direct=data["direct"]), seconds=evidence.seconds)


def read_service(_phase: Phase, data: Mapping[str, Any], evidence: Evidence) -> FinishedPhase:
    """Read whether the browser can reach the meeting's own page."""
    return FinishedPhase([service_measurement(data)], seconds=evidence.seconds)


def read_headroom(_phase: Phase, _data: Mapping[str, Any], evidence: Evidence) -> FinishedPhase:
    """Note the rate that TCP proved; the report uses it if media could not be tried."""
    figures: dict[str, Any] = {"tcp_mbps": evidence.tcp_mbps}
    if evidence.tcp_cause is not None:
        figures["cause"] = evidence.tcp_cause
    return FinishedPhase(figures=figures, seconds=evidence.seconds)


def read_speaker(_phase: Phase, data: Mapping[str, Any], evidence: Evidence) -> FinishedPhase:
    """Read what the person heard of the digits."""
    heard = speaker_measurement(data, evidence.digits)
    if heard.cause in SKIPS:
        return FinishedPhase(skipped={"speaker.heard": SKIPS[heard.cause]})
    return FinishedPhase([heard])


def read_answers(phase: Phase, data: Mapping[str, Any], _evidence: Evidence) -> FinishedPhase:
    """Read the answers to practical questions; of a phone number only that it was given."""
    measured: list[Measurement] = []
    skipped: dict[str, SkipReason] = {}
    for check in phase.checks:
        answer = data["answers"].get(check.partition(".")[2])
        if check == "practical.phone":
            answer = "given" if (answer or "").strip() else None
        if answer is None:
            skipped[check] = SkipReason.NOT_ASKED
        else:
            measured.append(Measurement(check, answer, samples=1))
    return FinishedPhase(measured, skipped)


def _own(
    phase: Phase, data: Mapping[str, Any], *, seconds: float, figures: Mapping[str, Any] | None = None
) -> FinishedPhase:
    measured = [Measurement.from_json(item) for item in data["measurements"]]
    return FinishedPhase([one for one in measured if one.check in phase.checks], figures=figures or {}, seconds=seconds)
