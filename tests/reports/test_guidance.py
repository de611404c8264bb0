"""Live guidance: hints that do not flicker, and a picture without hints that really passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.camera import frozen_measurement, picture_measurements
from probes.measurement import Measurement
from probes.stills import Still
from reports.guidance import (
    GOOD,
    HEARD,
    LISTENING,
    MORE_PEOPLE,
    PICTURE_CHECKS,
    Hint,
    PictureGuidance,
    SoundGuidance,
    picture_window,
)
from reports.model import Outcome
from reports.profile import load_profile
from reports.verdict import judge_check

PROFILE = load_profile("consultation")


def still(
    number: int,
    *,
    faces: int = 1,
    x_pct: float = 40.0,
    height_pct: float = 30.0,
    luma: float = 120.0,
    background: float = 110.0,
    p95: float = 190.0,
    mean: float = 100.0,
    diff: float = 1.5,
) -> Still:
    """Return the figures of one still, half a second after the one before."""
    face = {
        "x_pct": x_pct,
        "y_pct": 25.0,
        "width_pct": 20.0,
        "height_pct": height_pct,
        "score": 0.9,
        "luma": luma,
        "bright_luma": luma + 30.0,
        "background_luma": background,
        "ev_stops": 0.2 if background < 150 else 3.5,
        "clipped_pct": 0.0,
        "red_clipped_pct": 0.0,
        "top_margin": 0.6,
        "eye_line_pct": 38.0,
        "bottom_margin": 1.4,
        "side_margin": 1.2,
    }
    return Still.from_json(
        {
            "t_ms": number * 500,
            "width_px": 640,
            "height_px": 360,
            "luma_mean": mean,
            "covered_pct": 0.0,
            "luma_p1": 8.0,
            "luma_p5": 15.0,
            "luma_p50": mean,
            "luma_p95": p95,
            "luma_p99": p95 + 20,
            "luma_p999": p95 + 25,
            "luma_std": 45.0 if mean > 5 else 1.0,
            "luma_range": p95 - 15.0,
            "frame_clipped_pct": 0.0,
            "noise_sigma": 1.0,
            "diff_luma": None if number == 0 else diff,
            "faces": [face] * faces,
        }
    )


def hints(stills: list[Still]) -> list[str]:
    """Return the codes that were shown, in order."""
    guidance = PictureGuidance(PROFILE, expected_people=1)
    return [hint.code for one in stills if (hint := guidance.add(one))]


def test_a_good_picture_is_acknowledged_once():
    """Good is said once, after it was steady."""
    assert hints([still(n) for n in range(8)]) == [GOOD]


def test_a_hint_that_was_obeyed_is_acknowledged():
    """Nobody in the picture, then somebody: the hint, then good."""
    assert hints([still(n, faces=0) for n in range(6)] + [still(n) for n in range(6, 14)]) == ["camera.nobody", GOOD]


def test_one_odd_still_does_not_flicker():
    """A single still without a face changes nothing."""
    series = [still(n) for n in range(6)] + [still(6, faces=0)] + [still(n) for n in range(7, 12)]
    assert hints(series) == [GOOD]


def test_the_worst_fault_is_told_first():
    """A black picture is told as black, not as a picture without a face."""
    assert hints([still(n, faces=0, p95=4.0, mean=2.0) for n in range(6)])[0] in {"camera.black", "camera.no_signal"}


def test_a_window_behind_the_face_is_told():
    """Backlight has its own hint."""
    assert hints([still(n, luma=40.0, background=230.0) for n in range(6)]) == ["camera.backlit"]


def test_a_turned_picture_is_told_and_is_not_called_good():
    """The face is seen; that it does not stand upright is told before anything else."""
    assert hints([replace(still(n), rotation_deg=90) for n in range(8)]) == ["camera.rotated"]


def test_a_bright_face_before_a_window_is_good():
    """Many stops between window and face are no fault as long as the bright parts of the face are bright."""
    assert hints([still(n, luma=110.0, background=255.0) for n in range(8)]) == [GOOD]


def test_a_frozen_picture_is_told():
    """A picture that does not change at all is no living picture."""
    assert "camera.frozen" in hints([still(n, diff=0.0) for n in range(9)])


@given(
    st.lists(
        st.builds(
            dict,
            faces=st.integers(0, 2),
            x_pct=st.floats(0, 80),
            height_pct=st.floats(2, 80),
            luma=st.floats(20, 220),
            background=st.floats(50, 250),
            p95=st.floats(5, 250),
            mean=st.floats(1, 200),
            diff=st.sampled_from([0.0, 0.005, 0.5, 3.0]),
        ),
        min_size=3,
        max_size=4,
    ),
    st.integers(1, 3),
)
@settings(max_examples=300, deadline=None)
def test_a_picture_without_hints_passes(kinds, times):
    """Where the guidance ends at good, every check of the picture passes on the same stills."""
    series = [still(n, **kind) for n, kind in enumerate([kind for kind in kinds for _ in range(times + 1)])]
    shown = hints(series)
    measured = {m.check: m for m in picture_measurements(picture_window(series), expected_people=1)}
    measured["camera.frozen"] = frozen_measurement(series)
    outcomes = {name: judge_check(measured[name], PROFILE.checks[name]).outcome for name in PICTURE_CHECKS}
    look = PictureGuidance(PROFILE, expected_people=1)
    for one in series:
        look.add(one)
    last = look._look()
    if last is not None and last.code == GOOD:
        assert set(outcomes.values()) == {Outcome.PASS}
    if set(outcomes.values()) & {Outcome.FAIL, Outcome.WARN}:
        assert last is None or last.code != GOOD
    assert shown.count(GOOD) <= len(series)


def test_speech_counts_from_the_question_on():
    """What was said during the asked silence is no answer to "read this sentence"."""
    guidance = SoundGuidance(PROFILE)
    assert guidance.add({"speech_s": 3.0, "level_dbfs": -25, "speaking": True}).code != HEARD
    guidance.speech_asked()
    assert guidance.add({"speech_s": 3.5, "level_dbfs": -25, "speaking": True}).code != HEARD
    assert guidance.add({"speech_s": 4.6, "level_dbfs": -25, "speaking": True}).code == HEARD


LEVEL = Measurement(
    "microphone.level",
    -24.0,
    "dbfs",
    details={"digital_zero_pct": 0.0, "processed": True, "muted": False, "snr_known": True, "snr_db": 35.0},
)
SPEECH = Measurement(
    "microphone.speech",
    2.0,
    "s",
    details={"floor_dbfs": -65.0, "rise_db": 30.0, "snr_known": True, "snr_db": 35.0, "silence_speech_s": 0.0},
)
NOISE = Measurement("microphone.noise", -65.0, "dbfs", details={"processed": True, "snr_db": 35.0})
BAND = Measurement("microphone.bandwidth", 7500.0, "hz", details={"noise_reaches_higher": False})


def with_details(found: Measurement, value: float | None = None, **details: Any) -> Measurement:
    value = found.value if value is None else value
    return replace(found, value=value, details={**found.details, **details})


def speaking(*measured: Measurement, pause_s: float = 0.0, looks: int = 2) -> Hint:
    """What is shown after two seconds of speech that is measured as usual, but for `measured`."""
    guidance = SoundGuidance(PROFILE)
    guidance.speech_asked()
    usual = {one.check: one for one in (LEVEL, SPEECH, NOISE, BAND, *measured)}
    numbers = {"speech_s": 2.0, "level_dbfs": -25.0, "speaking": pause_s == 0, "pause_s": pause_s}
    return [guidance.add(numbers, list(usual.values())) for _ in range(looks)][-1]


def test_the_step_ends_at_a_pause_after_clear_speech_not_in_the_middle_of_it():
    """Praised at once; done only when there was a pause of 0.7 s."""
    assert (speaking().code, speaking().values["done"]) == (HEARD, False)
    assert speaking(pause_s=0.5).values["done"] is False
    assert speaking(pause_s=0.7).values["done"] is True


@pytest.mark.parametrize(
    ("found", "code", "waits"),
    [
        (with_details(LEVEL, -56.0), "microphone.too_quiet", True),
        (with_details(LEVEL, -33.0, snr_db=12.0), "microphone.too_quiet", True),
        (with_details(LEVEL, -9.0), "microphone.too_loud", True),
        (with_details(NOISE, -42.0), "microphone.noisy", True),
        (with_details(SPEECH, snr_db=1.0), "microphone.drowned", True),
        (with_details(BAND, 4000.0), "microphone.telephone", False),
        (with_details(SPEECH, silence_speech_s=2.0), LISTENING, False),
    ],
)
def test_a_fault_of_the_sound_is_told_instead_of_praise(found: Measurement, code: str, waits: bool):
    """What the verdict would find fault with is never praised; what can be mended there and then is waited for."""
    assert speaking(found, looks=1).code == LISTENING
    shown = speaking(found, pause_s=1.0)
    assert (shown.code, shown.values["done"]) == (code, not waits)


def test_praise_is_given_only_to_what_the_verdict_passes():
    """Over every level and ratio: praised means that none of the four checks would be failed or warned."""
    for level in range(-60, 0, 3):
        for snr in (None, 1.0, 10.0, 19.0, 21.0, 40.0):
            known = {"snr_db": snr, "snr_known": snr is not None}
            found = (with_details(LEVEL, float(level), **known), with_details(SPEECH, **known))
            if speaking(*found).code == HEARD:
                assert {judge_check(one, PROFILE.checks[one.check]).outcome for one in found} == {Outcome.PASS}


def test_noise_and_other_voices_are_told_while_it_is_to_be_quiet():
    """Before anybody was asked to speak: a fan, or a television."""
    for found, code in (
        (with_details(NOISE, -42.0), "microphone.noisy"),
        (with_details(SPEECH, silence_speech_s=1.5), "microphone.others_talk"),
    ):
        guidance = SoundGuidance(PROFILE)
        shown = [guidance.add({"speech_s": 0.0, "level_dbfs": -42.0}, [found]) for _ in range(2)][-1]
        assert shown.code == code
        assert shown.values["others"] is (code == "microphone.others_talk")


def test_a_mended_fault_is_acknowledged_also_when_another_is_left():
    """Dark, then light but too far away: the second hint says that the first was obeyed."""
    guidance = PictureGuidance(PROFILE, expected_people=1)
    series = [still(n, faces=0) for n in range(5)] + [still(n, height_pct=12.0) for n in range(5, 12)]
    shown = [hint for one in series if (hint := guidance.add(one))]
    assert [hint.code for hint in shown] == ["camera.nobody", "camera.too_far"]
    assert "obeyed" not in shown[0].values
    assert shown[1].values["obeyed"] is True


def test_fewer_people_are_told_with_their_number():
    """Two of three: the hint carries both figures."""
    guidance = PictureGuidance(PROFILE, expected_people=3)
    shown = [hint for n in range(6) if (hint := guidance.add(still(n, faces=2)))]
    assert shown[0].code == "camera.fewer_people"
    assert (shown[0].values["seen"], shown[0].values["expected"]) == (2, 3)


def test_a_spouse_is_asked_about_and_never_told_to_leave():
    """More are seen than expected: how many are there? Whoever says two is judged as two, and one as one."""
    guidance = PictureGuidance(PROFILE, expected_people=1)
    asked = [hint for n in range(6) if (hint := guidance.add(still(n, faces=2)))]
    assert [(hint.code, hint.values["seen"]) for hint in asked] == [(MORE_PEOPLE, 2)]
    guidance.expect(2)
    both = [hint.code for n in range(6, 12) if (hint := guidance.add(still(n, faces=2)))]
    assert both == [GOOD]
    alone = [hint.code for n in range(12, 18) if (hint := guidance.add(still(n)))]
    assert alone == ["camera.fewer_people"]
    guidance.expect(1)
    visited = [hint.code for n in range(18, 26) if (hint := guidance.add(still(n, faces=2)))]
    assert visited == [GOOD]
    dark = PictureGuidance(PROFILE, expected_people=1)
    unlit = [hint.code for n in range(6) if (hint := dark.add(still(n, faces=2, p95=88.0, luma=50.0)))]
    assert unlit == ["camera.dark"]


def test_blur_is_told_last_and_an_unknown_sharpness_does_not_keep_the_picture_from_good():
    """Sharpness is advice: missing it changes nothing, a low one is named."""
    blurred = []
    for n in range(6):
        one = still(n)
        blurred.append(one.with_faces([replace(one.faces[0], sharpness=0.9)]))
    assert hints(blurred) == ["camera.blurred"]
    assert hints([still(n) for n in range(6)]) == [GOOD]


@pytest.mark.parametrize(
    ("low", "high", "cured", "code"),
    [
        ({"height_pct": 17.6}, {"height_pct": 18.6}, {"height_pct": 21.0}, "camera.too_far"),
        ({"x_pct": 55.6}, {"x_pct": 54.2}, {"x_pct": 50.0}, "camera.move_right"),
        ({"p95": 88.0, "luma": 50.0}, {"p95": 93.0, "luma": 50.0}, {"p95": 130.0}, "camera.dark"),
        ({"luma": 93.0, "background": 250.0}, {"luma": 98.0, "background": 250.0}, {"luma": 98.0}, "camera.backlit"),
    ],
)
def test_a_figure_at_its_limit_does_not_flicker(low, high, cured, code):
    """A figure that swings about its limit shows one hint, until it is clearly better; then it is acknowledged."""
    swinging = [{**(low if n // 3 % 2 == 0 else high)} for n in range(24)]
    series = [still(n, **kind) for n, kind in enumerate([*swinging, *([cured] * 6)])]
    guidance = PictureGuidance(PROFILE, expected_people=1)
    shown = [hint for one in series if (hint := guidance.add(one))]
    assert [hint.code for hint in shown] == [code, GOOD]
    assert shown[1].values["obeyed"] is True


def test_a_slack_only_holds_a_hint_longer_and_never_makes_one():
    """A figure inside the slack from the beginning is good, for the hint as for the verdict."""
    assert hints([still(n, height_pct=18.6) for n in range(8)]) == [GOOD]
    for rule in PROFILE.checks["camera.framing"].rules:
        assert rule.slack > 0
        assert rule.lenient().slack == 0


def test_several_people_are_framed_by_the_smallest_and_by_their_middle():
    """Two of 8 % of the frame are near enough for a room, one of 5 % is not; two side by side are in the middle."""

    def framing(*faces):
        one = still(0)
        one = one.with_faces([replace(one.faces[0], **face) for face in faces])
        found = {m.check: m for m in picture_measurements([one] * 3, expected_people=2)}["camera.framing"]
        return judge_check(found, PROFILE.checks["camera.framing"]).advice

    left, right = {"x_pct": 10.0}, {"x_pct": 70.0}
    assert framing({**left, "height_pct": 8.0}, {**right, "height_pct": 9.0}) is None
    assert framing({**left, "height_pct": 5.0}, {**right, "height_pct": 9.0}) == "camera.too_far"
    assert framing({**left, "top_margin": 0.0}, right) == "camera.head_cut"
    assert framing(right, {"x_pct": 65.0}) == "camera.move_right"
