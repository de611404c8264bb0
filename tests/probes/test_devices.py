"""Devices: the page's statuses become measurements, and what it did not say is not measured."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.devices import device_measurements
from probes.measurement import Measurement

CHECKS = ["browser.support", "camera.present", "camera.resolution", "microphone.present"]


def by_check(data: dict[str, Any]) -> dict[str, Measurement]:
    return {measurement.check: measurement for measurement in device_measurements(data)}


def sample(**camera: Any) -> dict[str, Any]:
    return {
        "camera": {"status": "present", "width_px": 1280, "height_px": 720, "frame_rate_fps": 30, **camera},
        "microphone": {"status": "present", "echo_cancellation": True, "auto_gain_control": False},
        "browser": {"missing": []},
    }


def test_a_good_computer_reads_as_it_is() -> None:
    """Statuses, the shorter side and the settings the browser really used."""
    found = by_check(sample())
    assert list(found) == CHECKS
    assert found["browser.support"].value == "supported"
    assert found["camera.present"].value == "present"
    assert found["camera.resolution"].value == 720
    assert found["microphone.present"].metric("echo_cancellation") is True
    assert found["microphone.present"].metric("auto_gain_control") is False


def test_a_phone_held_upright_has_the_same_resolution() -> None:
    """720x1280 is no worse than 1280x720."""
    assert by_check(sample(width_px=720, height_px=1280))["camera.resolution"].value == 720


@pytest.mark.parametrize("status", ["NotAllowedError", "NotFoundError", "NotReadableError", "insecure", "ended"])
def test_a_camera_that_did_not_open_has_no_resolution(status: str) -> None:
    """The status stands, and the resolution is missing for that reason even if the page sent one."""
    found = by_check(sample(status=status))
    assert found["camera.present"].value == status
    assert found["camera.resolution"].value is None
    assert found["camera.resolution"].cause == "no_camera"


def test_missing_interfaces_are_named() -> None:
    """A browser without something says what."""
    data = sample() | {"browser": {"missing": ["RTCPeerConnection", "AudioWorklet"]}}
    support = by_check(data)["browser.support"]
    assert support.value == "missing"
    assert support.metric("missing") == "RTCPeerConnection, AudioWorklet"


@pytest.mark.parametrize("size", [{"width_px": 0}, {"height_px": None}, {"width_px": True}, {"height_px": "720"}])
def test_a_size_that_is_none_is_not_measured(size: dict[str, Any]) -> None:
    """Without both sides there is no resolution."""
    assert by_check(sample(**size))["camera.resolution"].value is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5))
def test_any_rubbish_gives_four_measurements_and_never_raises(part: object) -> None:
    """A part that is no object leaves its checks without a value."""
    found = by_check({"camera": part, "microphone": part, "browser": part})
    assert list(found) == CHECKS
    assert all(measurement.value is None for measurement in found.values())


def test_an_empty_sample_is_not_measured() -> None:
    """Missing data is never good news."""
    assert all(measurement.value is None and measurement.cause for measurement in device_measurements({}))
