"""Acoustics: the sweep is found with its delay and level, noise is never taken for it, and each fault has its name."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from probes.acoustics import LISTEN_S, RATE_HZ, arrival_of, clipped_pct, quiet_of, response_of, sweep
from probes.loop import LOUDEST_DBFS, LoopFigures, Spoiled, listen
from probes.room_sound import Baseline, Mixer, sound_measurements
from reports.model import Outcome, Responsible, Verdict
from reports.rooms import findings, judge_room
from tests.room.rooms import NOWHERE, SILENT, Room, air, convolved, faulty, gains, pink
from tests.running import tries

SEEDS = range(1, 1 + tries(5, quick=1))
COUNT = round(LISTEN_S * RATE_HZ)


def played(response=None):
    sound = np.zeros(COUNT)
    sound[: len(sweep())] = sweep()
    return sound if response is None else convolved(sound, response)


def in_band(sound) -> float:
    """Power in the sweep's band."""
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    return float(np.sum(spectrum[(frequency > 300) & (frequency < 6000)]) * 2 / len(sound) ** 2)


# ---- the sweep


def test_a_path_has_its_delay_and_its_gain():
    """To a hundredth of a millisecond and a quarter of a decibel, between samples too."""
    response = np.zeros(RATE_HZ // 2)
    response[4800] = 0.5
    found = arrival_of([response_of(played(response).astype(np.float32))])
    assert found.is_heard
    assert found.delay_ms == pytest.approx(100.0, abs=0.01)
    assert found.gain_db == pytest.approx(-6.02, abs=0.25)
    assert all(gain == pytest.approx(-6.02, abs=1.0) for gain in found.octaves_db)
    later = arrival_of([response_of(played(air(100.37, 0.0, 1, tail_db=-60.0)).astype(np.float32))])
    assert later.delay_ms == pytest.approx(100.37, abs=0.02)


@pytest.mark.parametrize("snr_db", [0, -10, -15])
def test_delays_between_microphones_are_exact_under_noise(snr_db: float):
    """Down to -15 dB in the band: 0.2 ms between two microphones, five rooms, three sweeps each."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        delays = []
        for path_ms in (150.0, 157.5):
            clean = played(air(path_ms, -20.0, seed))
            noise = pink(rng, COUNT)
            scale = np.sqrt(np.mean(clean[:RATE_HZ] ** 2) / in_band(noise) / 10 ** (snr_db / 10))
            heard = [(clean + pink(rng, COUNT) * scale).astype(np.float32) for _ in range(3)]
            found = arrival_of([response_of(one) for one in heard])
            assert found.is_heard, (seed, found)
            delays.append(found.delay_ms)
        assert delays[1] - delays[0] == pytest.approx(7.5, abs=0.2), seed


def test_noise_alone_is_never_the_sweep():
    """Thirty rooms, half of them with noise that comes and goes."""
    for seed in range(tries(30)):
        rng = np.random.default_rng(seed)
        shapes = [np.interp(np.arange(COUNT), np.linspace(0, COUNT, 12), rng.uniform(0, 1, 12) ** 2) for _ in range(3)]
        noises = [pink(rng, COUNT) * (shape if seed % 2 else 1.0) for shape in shapes]
        assert not arrival_of([response_of(noise.astype(np.float32)) for noise in noises]).is_heard, seed


def test_what_the_quiet_tells():
    """Zeros are not quiet; noise and hum have their level."""
    rng = np.random.default_rng(1)
    count = 3 * RATE_HZ
    assert quiet_of(np.zeros(count, np.float32)).is_zero
    found = quiet_of((rng.standard_normal(count) * 1e-3).astype(np.float32))
    assert not found.is_zero
    assert found.hum_db == 0
    assert found.band_dbfs == pytest.approx(-60 + 10 * np.log10(5700 / 24000), abs=0.5)
    assert found.noise_dbfs == pytest.approx(-60 + 10 * np.log10(7920 / 24000), abs=0.5)
    hum = sum(0.003 * np.sin(2 * np.pi * 50 * n * np.arange(count) / RATE_HZ) for n in (1, 2, 3))
    humming = quiet_of((hum + rng.standard_normal(count) * 1e-3).astype(np.float32))
    assert humming.hum_db > 12
    assert humming.hum_dbfs == pytest.approx(10 * np.log10(3 * 0.003**2 / 2), abs=2)


def test_clipped_is_a_run_at_full_scale():
    """A sine turned up too far is clipped, its whole peaks and nothing else; a single full sample is a peak."""
    sine = np.sin(2 * np.pi * 100 * np.arange(RATE_HZ) / RATE_HZ)
    assert clipped_pct((0.99 * sine).astype(np.float32)) == 0
    clipped = np.clip(2 * sine, -1, 1).astype(np.float32)
    assert clipped_pct(clipped) == pytest.approx(100 * np.mean(np.abs(clipped) >= 0.999), abs=0.1)
    one = np.zeros(100, np.float32)
    one[50] = 1
    assert clipped_pct(one) == 0
    one[50:53] = 1
    assert clipped_pct(one) == pytest.approx(3)


def test_a_recording_shorter_than_the_sweep_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        response_of(np.zeros(100, np.float32))


# ---- the test in a room


@cache
def healthy(seed: int, *, has_reference: bool = False) -> LoopFigures:
    return listen(Room(seed, has_reference=has_reference), reference=2 if has_reference else None)


@cache
def usual(seed: int) -> Baseline | None:
    return Baseline.usual([Baseline.of(healthy(seed))])


def told(figures: LoopFigures, *, seed: int, mixer: Mixer | None = None, system: str = "linux", **how):
    """What a room with these figures is judged to be, with the devices in place."""
    from probes.measurement import Measurement

    found = sound_measurements(figures, mixer=mixer or Mixer(), usual=usual(seed), system=system)
    there = [Measurement(f"{device}.present", "present", samples=1) for device in ("microphone", "speaker")]
    return judge_room([*there, *found], parts=["sound"], **how)


FAULTS = {
    "muted in the system": ({"zero": frozenset({0, 1})}, {"mixer": Mixer(microphone_muted=True)},
                            "fail", "room.microphone_muted", "room_host"),
    "no permission": ({"zero": frozenset({0, 1})}, {"system": "darwin"},
                      "fail", "room.microphone_denied", "local_it"),
    "no signal": ({"zero": frozenset({0, 1})}, {}, "fail", "room.microphone_silent", "room_host"),
    "one channel dead": ({"zero": frozenset({1})}, {}, "fail", "room.microphone_dead", "local_it"),
    "loudspeaker muted": ({"gains_db": SILENT}, {"mixer": Mixer(speaker_muted=True)},
                          "fail", "room.speaker_muted", "room_host"),
    "volume at 2 %": ({"gains_db": SILENT}, {"mixer": Mixer(speaker_muted=False, speaker_pct=2.0)},
                      "fail", "room.speaker_muted", "room_host"),
    "amplifier off": ({"gains_db": SILENT, "has_reference": True}, {}, "fail", "room.unheard", "room_host"),
    "amplifier off, no reference": ({"gains_db": SILENT}, {}, "fail", "room.unheard", "room_host"),
    "the PC did not play": ({"plays": False, "has_reference": True}, {}, "fail", "room.not_played", "local_it"),
    "too noisy": ({"gains_db": gains() - 30, "noise_dbfs": -25.0}, {}, "not_measured", "cause.too_noisy", None),
    "left silent": ({"gains_db": gains(s0m0=NOWHERE, s0m1=NOWHERE)}, {},
                    "warn", "room.one_silent", "local_it"),
    "one microphone deaf": ({"gains_db": gains(s0m1=NOWHERE, s1m1=NOWHERE)}, {},
                            "fail", "room.one_deaf", "room_host"),
    "turned down": ({"volume_db": -16.0}, {}, "warn", "room.turned_down", "room_host"),
    "one microphone covered": ({"gains_db": gains(s0m1=-36, s1m1=-36)}, {},
                               "warn", "room.microphone_covered", "room_host"),
    "turned up": ({"volume_db": 15.0}, {}, "warn", "room.turned_up", "room_host"),
    "microphones clip": ({"amplified_db": 36.0, "noise_dbfs": -38.0}, {}, "warn", "room.turned_up", "room_host"),
    "dull": ({"covered": frozenset({1})}, {}, "warn", "room.dull", "local_it"),
    "hum": ({"hum_dbfs": -55.0}, {}, "warn", "room.hum", "local_it"),
    "ventilation": ({"noise_dbfs": -38.0}, {}, "warn", "room.noisy", "local_it"),
}  # fmt: skip
"""By name: what is wrong with the room, what else is known, and what is to be said of it, and who mends it."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_named(name: str):
    """In five rooms each: the first thing that is said is the fault, and who can mend it."""
    fault, known, outcome, code, who = FAULTS[name]
    for seed in SEEDS:
        judgement = told(faulty(seed, **fault), seed=seed, **known)
        first = findings(judgement)[0]
        assert (first.outcome.value, first.code) == (outcome, code), (seed, findings(judgement))
        assert first.responsible == (Responsible(who) if who else None)
        assert judgement.verdict is {
            "fail": Verdict.NOT_READY, "warn": Verdict.READY_WITH_WARNINGS, "not_measured": Verdict.INCOMPLETE
        }[outcome]  # fmt: skip


def test_a_healthy_room_is_ready():
    """Twelve checks with noise of every level that stays or comes and goes, and a volume that is moved a little."""
    for seed in range(tries(12)):
        room = Room(
            1 + seed % 5,
            noise_dbfs=-75.0 + 2 * seed,
            noise_comes_and_goes=seed % 2 == 1,
            volume_db=(-3.0, 0.0, 3.0)[seed % 3],
        )
        judgement = told(listen(room), seed=room.seed)
        assert judgement.verdict is Verdict.READY, (seed, findings(judgement))
        assert max(room.played) <= 10 ** (LOUDEST_DBFS / 20) + 1e-6


def test_a_microphone_with_a_noise_gate_is_not_muted():
    """Exact zeros in a quiet room, but the sweep comes through: as with speakerphones, and rooms made of software."""
    judgement = told(listen(Room(1, is_gated=True)), seed=1)
    assert judgement.verdict is Verdict.READY, findings(judgement)


def test_without_an_earlier_check_levels_are_not_judged():
    """The first check of a room is whole: what could only be compared is left out, and is no blemish."""
    found = sound_measurements(healthy(1), mixer=Mixer(), usual=None, system="linux")
    assert {one.check for one in found}.isdisjoint({"room.level", "room.dull"})


def test_the_delay_is_told_against_the_reference():
    """5 and 7.5 ms of air, and 1 ms more from the other loudspeaker; the card's own latency falls out."""
    figures = healthy(1, has_reference=True)
    (delay,) = [one for one in sound_measurements(figures, mixer=Mixer(), usual=None, system="linux")
                if one.check == "room.delay"]  # fmt: skip
    assert delay.value == pytest.approx(6.75, abs=0.1)
    assert [path.is_heard for path in figures.paths].count(False) == 0


def test_no_louder_than_needed_and_never_louder_than_allowed():
    """A quiet room hears less than 40 dB under full scale; a deaf one no more than the limit."""
    quiet = Room(1, noise_dbfs=-75.0)
    figures = listen(quiet)
    assert max(quiet.played) < 0.01
    loud = [figures.over_noise_db(path) for path in figures.of_microphones()]
    assert -3 < max(loud) < 12
    deaf = Room(1, gains_db=SILENT)
    listen(deaf, loudest_dbfs=-30.0)
    assert max(deaf.played) == pytest.approx(10 ** (-30 / 20), rel=1e-3)


def test_a_flagged_recording_is_made_again_and_never_judged():
    """Two flags cost two recordings and change nothing; flags without an end are a busy machine."""
    figures = listen(Room(1, flagged=2))
    assert figures.repeated == 2
    assert all(path.is_heard for path in figures.paths)
    busy = Room(1, always_flagged=True)
    with pytest.raises(Spoiled):
        listen(busy)
    assert len(busy.played) == 3


class Shifting(Room):
    """A PC whose sound system drops samples without a flag: each of so many recordings is later than the one before."""

    def shift(self, recordings: int) -> Shifting:
        self.shifted = recordings
        return self

    def play(self, sound):
        heard = super().play(sound)
        if np.any(sound[:, 0]) == np.any(sound[:, 1]) or not self.shifted:
            return heard
        self.shifted -= 1
        return replace(heard, sound=np.roll(heard.sound, 480 * (self.shifted % 3), axis=0))


def test_samples_that_were_lost_without_a_flag_are_no_silent_loudspeaker():
    """Three sweeps that are plainly there at three moments are recorded anew; without an end it is a busy machine."""
    figures = listen(Shifting(1, noise_dbfs=-60.0).shift(3))
    assert figures.repeated == 1
    assert all(path.is_heard for path in figures.paths)
    with pytest.raises(Spoiled):
        listen(Shifting(1, noise_dbfs=-60.0).shift(1000))


def test_a_reference_that_is_no_channel_is_refused():
    with pytest.raises(ValueError, match="channel 3"):
        listen(Room(1), reference=2)


def test_figures_come_back_as_they_were_stored():
    figures = healthy(1)
    assert LoopFigures.from_json(figures.to_json()) == figures


def test_a_device_that_cancels_its_echo_is_never_broken_and_never_quite_ready():
    """Where that is known: silence and a healthy loop both leave a room that can be used; a muted one stays a fault."""
    deaf = told(listen(Room(1, gains_db=SILENT)), seed=1, cancels_echo=True)
    assert deaf.verdict is Verdict.READY_WITH_WARNINGS
    assert [one.code for one in findings(deaf)] == ["cause.echo_cancelled"]
    muted = told(listen(Room(1, gains_db=SILENT)), seed=1, mixer=Mixer(speaker_muted=True), cancels_echo=True)
    assert muted.verdict is Verdict.NOT_READY


def test_a_channel_that_fell_under_its_own_noise_is_dead():
    """Not exactly zero, but 25 dB quieter than it ever was, and deaf."""
    figures = listen(Room(1, gains_db=gains(s0m1=NOWHERE, s1m1=NOWHERE)))
    quiet = list(figures.quiet)
    quiet[1] = replace(quiet[1], band_dbfs=quiet[1].band_dbfs - 25)
    judgement = told(replace(figures, quiet=tuple(quiet)), seed=1)
    (signal,) = [check for check in judgement.checks if check.id == "room.signal"]
    assert (signal.outcome, signal.details["dead"]) == (Outcome.FAIL, "2")
