"""Devices: the result of the page's one `getUserMedia` call (W3C Media Capture and Streams). No numpy, no opinion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.measurement import Measurement, Number, not_measured

__all__ = ["device_measurements"]

PRESENT = "present"
"""The status of a device that opened; any other status names the reason why it did not."""

_CAMERA_DETAILS = ("width_px", "height_px", "frame_rate_fps", "device_class")
_MICROPHONE_DETAILS = (
    "echo_cancellation",
    "noise_suppression",
    "auto_gain_control",
    "sample_rate_hz",
    "device_class",
)


def device_measurements(data: Mapping[str, Any]) -> list[Measurement]:
    """Return browser.support, camera.present, camera.resolution and microphone.present.

    `data` is the final `devices` sample: ``{camera: {status, ...}, microphone: {status, ...}, browser: {missing}}``.
    """
    camera = _part(data, "camera")
    microphone = _part(data, "microphone")
    return [
        _support(_part(data, "browser")),
        _present("camera.present", camera, _CAMERA_DETAILS),
        _resolution(camera),
        _present("microphone.present", microphone, _MICROPHONE_DETAILS),
    ]


def _support(browser: Mapping[str, Any]) -> Measurement:
    missing = browser.get("missing")
    if not isinstance(missing, (list, tuple)):
        return not_measured("browser.support", "step_died")
    names = ", ".join(str(name) for name in missing)
    value = "no_capture" if "getUserMedia" in missing else "missing" if missing else "supported"
    return Measurement("browser.support", value, details={"missing": names or None})


def _present(check: str, device: Mapping[str, Any], names: tuple[str, ...]) -> Measurement:
    status = device.get("status")
    if not isinstance(status, str):
        return not_measured(check, "step_died")
    details: dict[str, Number | str | bool | None] = {}
    for name in names:
        found = device.get(name)
        if isinstance(found, (bool, int, float, str)):
            details[name] = found
    return Measurement(check, status, samples=1, details=details)


def _resolution(camera: Mapping[str, Any]) -> Measurement:
    """Return the shorter side of the picture in px, so that a phone held upright reads the same as one on its side."""
    if camera.get("status") != PRESENT:
        return not_measured("camera.resolution", "no_camera", "px")
    width, height = _size(camera.get("width_px")), _size(camera.get("height_px"))
    if width is None or height is None:
        return not_measured("camera.resolution", "step_died", "px")
    details = {"width_px": width, "height_px": height}
    return Measurement("camera.resolution", min(width, height), "px", samples=1, details=details)


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = data.get(name)
    return part if isinstance(part, Mapping) else {}
