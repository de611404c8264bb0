"""The kinds of test, each as a table. A new kind is a new table here, with readers for its own measurements.

``tests/reports/test_kinds.py`` checks the protocol's phase names, the media worker's operations and the page's types
against these tables.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from probes.path import PATHS
from reports.phases import Course, Occasion, Phase, TestKind
from reports.profile import Profile, load_profile, profile_names
from reports.readers import (
    read_answers,
    read_connection,
    read_devices,
    read_headroom,
    read_picture,
    read_relays,
    read_service,
    read_speaker,
    read_worker,
)
from reports.solution import solution_names

__all__ = [
    "DEFAULT_SOLUTION",
    "HOST_TEST",
    "KINDS",
    "LARGE_PARTS",
    "LINE_BYTES",
    "OTHER_BYTES",
    "PICTURE_BYTES",
    "PRACTICAL",
    "PROMISED_BYTES",
    "ROOM_LINE",
    "SELF_TEST",
    "SOUND_BYTES",
    "TESTERS",
    "kind_of",
    "profile_of",
    "questions_of",
    "solution_of",
]

MEGABYTE: Final = 1_000_000
PROMISED_BYTES: Final = 10 * MEGABYTE
"""Most bytes of one test, both ways together, however often parts of it are repeated: the page says so."""
PICTURE_BYTES: Final = 2_500_000
"""Half a minute of stills, and as long again at a third of the pace."""
SOUND_BYTES: Final = 2_500_000
"""78 s of sound: the sentence, and once a minute more."""
LINE_BYTES: Final = 4_500_000
"""The line, both ways together: its trials, and TCP where these give no figure."""
OTHER_BYTES: Final = PROMISED_BYTES - PICTURE_BYTES - SOUND_BYTES - LINE_BYTES
"""The page and all messages."""
LARGE_PARTS: Final = frozenset({"picture", "sound", "uplink"})
"""Phases whose budgets make up the promise; both ways of the line have one in common."""
DEFAULT_PROFILE: Final = "consultation"
DEFAULT_SOLUTION: Final = "other"
PRACTICAL: Final = ("private_room", "people", "company", "interpreter", "equipment", "phone")
"""Questions that a meeting may ask, in order."""


def solution_of(meeting: Occasion | None) -> str:
    """Return the name of the meeting's video solution; a name without a file counts as the default one."""
    return meeting.solution if meeting and meeting.solution in solution_names() else DEFAULT_SOLUTION


def profile_of(meeting: Occasion | None) -> Profile:
    """Return the profile of this meeting, with the needs of its video solution."""
    name = meeting.profile if meeting and meeting.profile in profile_names() else DEFAULT_PROFILE
    return load_profile(name, solution_of(meeting))


def questions_of(meeting: Occasion | None) -> tuple[str, ...]:
    """Return the practical questions that this meeting asks."""
    return tuple(meeting.practical) if meeting else ()


_PICTURE: Final = (
    *("camera.light", "camera.cover", "camera.flicker", "camera.backlight", "camera.people", "camera.framing"),
    *("camera.sharpness", "camera.noise", "camera.frozen", "camera.frame_rate"),
)
_SOUND: Final = (
    *("microphone.level", "microphone.speech", "microphone.clipping", "microphone.noise", "microphone.dropouts"),
    *("microphone.hum", "microphone.bandwidth", "microphone.equipment"),
)
_IDLE: Final = ("network.rtt", "network.jitter_up", "network.jitter_down", "network.loss_up", "network.loss_down")
_DOWN: Final = ("network.throughput_down", "network.loss_down")
_UP: Final = ("network.throughput_up", "network.loss_up", "network.rtt_loaded")
_QUESTIONS: Final = tuple(f"practical.{question}" for question in PRACTICAL)
_DEVICES: Final = ("browser.support", "camera.present", "camera.resolution", "microphone.present")

SELF_TEST: Final = TestKind(
    name="self_test",
    sessions=frozenset({"participant", "drop_in"}),
    phases=(
        Phase("devices", _DEVICES, 120.0, 0, "page", read_devices),
        Phase("picture", _PICTURE, 60.0, PICTURE_BYTES, "page", read_picture),
        Phase("sound", _SOUND, 40.0, SOUND_BYTES, "worker", read_worker),
        Phase("connect", ("network.path", "network.setup_time"), 15.0, MEGABYTE, "page", read_connection),
        Phase("paths", tuple(PATHS.values()), 12.0, MEGABYTE, "page", read_relays, is_optional=True),
        Phase("clock", _IDLE, 60.0, MEGABYTE, "worker", read_worker),
        Phase("downlink", _DOWN, 40.0, LINE_BYTES, "worker", read_worker),
        Phase("uplink", _UP, 40.0, LINE_BYTES, "worker", read_worker),
        Phase("tcp_down", ("network.throughput_down",), 5.0, 2 * MEGABYTE, "page", read_headroom),
        Phase("tcp_up", ("network.throughput_up",), 5.0, 2 * MEGABYTE, "page", read_headroom),
        Phase("service", ("meeting_service.reachable",), 12.0, 0, "page", read_service, is_optional=True),
        Phase("speaker", ("speaker.heard",), 120.0, 0, "page", read_speaker),
        Phase("echo", ("microphone.echo",), 10.0, MEGABYTE, "worker", read_worker),
        Phase("practical", _QUESTIONS, 300.0, 0, "page", read_answers, is_asked=True),
    ),
    whole=Course(
        phases=(
            *("devices", "picture", "sound", "connect", "clock", "downlink", "uplink", "paths", "tcp_down", "tcp_up"),
            *("service", "speaker", "echo", "practical"),
        ),
        together=frozenset({"connect", "clock", "downlink", "uplink"}),
    ),
    short=Course(phases=("devices", "connect", "paths", "service"), together=frozenset({"connect", "paths"})),
    profile_of=profile_of,
    questions_of=questions_of,
)
"""One person's test before a meeting, in a browser."""


HOST_TEST: Final = replace(
    SELF_TEST, name="host_test", sessions=frozenset({"host_test"}), short=None, questions_of=lambda _: ()
)
"""The same test of a leader or technical host, who are asked nothing besides: the board is theirs."""


def _line_profile(_occasion: Occasion | None) -> Profile:
    """Return the needs of a consultation's line alone, which a room's own profile names nothing of."""
    whole = profile_of(None)
    checks = {name: rule for name, rule in whole.checks.items() if name.startswith("network.")}
    alone = {
        name: replace(rule, after=tuple(one for one in rule.after if one in checks)) for name, rule in checks.items()
    }
    return replace(whole, checks=alone, practical=())


ROOM_LINE: Final = TestKind(
    name="room_line",
    sessions=frozenset({"room"}),
    phases=tuple(SELF_TEST.phase(name) for name in ("connect", "clock", "downlink", "uplink")),
    whole=Course(
        phases=("connect", "clock", "downlink", "uplink"),
        together=frozenset({"connect", "clock", "downlink", "uplink"}),
    ),
    short=None,
    profile_of=_line_profile,
    questions_of=lambda _: (),
)
"""The line of a meeting room, taken by the room's own PC as a part of its check."""

KINDS: Final = (SELF_TEST, HOST_TEST, ROOM_LINE)
TESTERS: Final = frozenset(session for kind in KINDS for session in kind.sessions)
"""Kinds of session that can take a test."""


def kind_of(session: str | None) -> TestKind:
    """Return the kind of test for a session of this kind; a self-test if the session is gone.

    Raises KeyError for a session that can take no test.
    """
    if session is None:
        return SELF_TEST
    for kind in KINDS:
        if session in kind.sessions:
            return kind
    raise KeyError(session)
