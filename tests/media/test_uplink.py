"""What comes up: our own stamps are read, everything else is ignored, and what is kept is bounded."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.media import uplink
from readiness.media.limits import MAX_AUDIO_SECTIONS, MAX_PROBE_PACKETS, MAX_RATE_MBPS
from readiness.media.uplink import (
    FRAME_MS,
    HEADS_BYTES,
    MAGIC,
    MAX_PAYLOAD_BYTES,
    REORDERED,
    STAMP,
    UplinkLog,
    UplinkRun,
    payload_of,
    tracks_for,
)

HEAD = struct.pack("!BBHII", 0x80, 111, 7, 480, 9)


def rtp(number: int, *, run: int = 1, track: int = 0, sent_us: int = 0, magic: int = MAGIC, size: int = 100) -> bytes:
    return HEAD + STAMP.pack(magic, run, track, number, sent_us).ljust(size, b"\0")


def filled(numbers: list[int], *, run: int = 1) -> UplinkRun:
    """A run that these numbers came of, 10 ms apart, each 50 ms on its way."""
    log = UplinkLog()
    found = log.begin(run)
    for number in numbers:
        log.take(rtp(number, run=run, sent_us=10_000 * number), 10.0 * number + 50)
    return found


def test_a_stamp_is_read_with_its_arrival_and_its_size_on_the_wire() -> None:
    """Sent by the page's clock, arrived by ours; IP, UDP and SRTP's tag count."""
    log = UplinkLog()
    run = log.begin(3)
    log.take(rtp(5, run=3, track=1, sent_us=2_500, size=100), 77.0)
    assert run.arrived == {5: (2.5, 77.0)}
    assert run.wire_bytes == 100 + 12 + 38
    assert log.ignored == 0


def test_heads_of_any_legal_length_are_skipped() -> None:
    """Contributing sources and header extensions (RFC 3550 5.1 and 5.3.1)."""
    stamp = STAMP.pack(MAGIC, 1, 0, 4, 1000) + bytes(10)
    extension = struct.pack("!HH", 0xBEDE, 2) + bytes(8)
    sources = bytes(12)
    packets = [
        HEAD + stamp,
        bytes([0x90]) + HEAD[1:] + extension + stamp,
        bytes([0x83]) + HEAD[1:] + sources + stamp,
        bytes([0x93]) + HEAD[1:] + sources + extension + stamp,
    ]
    for packet in packets:
        log = UplinkLog()
        run = log.begin(1)
        log.take(packet, 1.0)
        assert run.arrived == {4: (1.0, 1.0)}


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        HEAD,
        HEAD + bytes(STAMP.size - 1),
        b"\x40" + rtp(1)[1:],
        bytes([0x90]) + HEAD[1:] + struct.pack("!HH", 0xBEDE, 65_535) + bytes(40),
        bytes([0x90]) + HEAD[1:] + bytes(STAMP.size),
        bytes([0x8F]) + rtp(1)[1:],
        rtp(1, magic=MAGIC + 1),
        rtp(1, run=2),
        rtp(1, run=0),
        rtp(MAX_PROBE_PACKETS + 1),
        rtp(2**32 - 1),
    ],
)
def test_anything_but_a_stamp_of_the_open_run_is_ignored(packet: bytes) -> None:
    """A stranger's sound, another run's late packet, numbers beyond all reason."""
    log = UplinkLog()
    run = log.begin(1)
    log.take(packet, 1.0)
    assert (run.arrived, run.bytes, log.ignored) == ({}, 0, 1)


def test_a_packet_counts_once_and_only_in_its_own_run() -> None:
    """A duplicate changes nothing, and one that comes after its run ended is not of the next."""
    log = UplinkLog()
    first = log.begin(1)
    log.take(rtp(0), 1.0)
    log.take(rtp(0), 9.0)
    second = log.begin(2)
    log.take(rtp(1), 10.0)
    log.take(rtp(1, run=2), 11.0)
    assert (first.arrived, second.arrived) == ({0: (0.0, 1.0)}, {1: (0.0, 11.0)})
    assert log.ignored == 2


def test_before_any_run_nothing_is_kept() -> None:
    """A page that sends too early."""
    log = UplinkLog()
    log.take(rtp(0, run=0), 1.0)
    assert (log.runs, log.ignored) == ({}, 1)


def test_what_is_kept_of_a_test_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all runs together."""
    monkeypatch.setattr(uplink, "MAX_PROBE_PACKETS", 10)
    log = UplinkLog()
    for run in (1, 2, 3):
        log.begin(run)
        for number in range(6):
            log.take(rtp(number, run=run), 1.0)
    assert sum(len(run.arrived) for run in log.runs.values()) == 10
    assert log.ignored == 8


def test_rows_are_in_the_order_of_sending_with_the_lost_between() -> None:
    """A gap is a loss; its send time is the one between its neighbours'."""
    times, arrivals = filled([0, 1, 3, *range(4, 20)]).rows()
    assert times[:4] == [0.0, 10.0, pytest.approx(20.0), 30.0]
    assert arrivals[:4] == [50.0, 60.0, None, 80.0]
    assert len(times) == len(arrivals) == 20


def test_reordered_packets_are_not_lost() -> None:
    """A gap counts only once enough later packets have come."""
    run = filled([0, 1, 2, *range(4, 4 + REORDERED)])
    assert None not in run.rows()[1]
    later = filled([0, 1, 2, *range(4, 5 + REORDERED)])
    assert later.rows()[1].count(None) == 1
    mended = filled([0, 1, 2, *range(4, 20), 3])
    assert None not in mended.rows()[1]
    assert mended.rows()[0] == [10.0 * n for n in range(20)]


def test_the_pages_own_count_settles_the_first_and_the_last() -> None:
    """Lost before the first and after the last arrival."""
    run = filled(list(range(3, 20)))
    assert len(run.rows()[0]) == 17
    times, arrivals = run.rows(25)
    assert len(times) == 25
    assert [n for n, arrival in enumerate(arrivals) if arrival is None] == [0, 1, 2, 20, 21, 22, 23, 24]
    assert len(run.rows(0)[0]) == 20, "fewer than arrived is not believed"


def test_an_absurd_count_costs_nothing() -> None:
    """Four thousand million packets are not counted one by one."""
    assert len(filled([0, 1, 2]).rows(2**32 - 1)[0]) == MAX_PROBE_PACKETS
    assert UplinkRun().rows(2**32 - 1) == ([], [])
    assert UplinkRun().wire_bytes == 0


@pytest.mark.parametrize("rate", [0.096, 0.125, 0.65, 1.5, 1.875, 2.6, 3.25, 3.8, 4.75])
def test_tracks_and_sizes_give_the_rate(rate: float) -> None:
    """Every rate that a profile tries, within 2 %, in frames that fit and tracks that may be offered."""
    tracks = tracks_for(rate)
    size = payload_of(rate, tracks)
    assert STAMP.size <= size <= MAX_PAYLOAD_BYTES
    assert tracks <= MAX_AUDIO_SECTIONS
    assert tracks * (size + HEADS_BYTES) * 8 * (1000 / FRAME_MS) / 1e6 == pytest.approx(rate, rel=0.02)


def test_the_dearest_profile_fits_the_tracks_that_may_be_offered() -> None:
    """1080p with room: as many tracks as the policy lets through, and not above the limit of a probe."""
    from reports.profile import PROFILE_FOLDER, load_profile

    dearest = max(load_profile(path.stem).probe_mbps for path in PROFILE_FOLDER.glob("*.toml"))
    assert tracks_for(dearest) <= MAX_AUDIO_SECTIONS
    assert dearest <= MAX_RATE_MBPS


@given(st.lists(st.tuples(st.binary(max_size=60) | st.builds(rtp, st.integers(0, 40)), st.floats(0, 1e9)), max_size=60))
def test_any_packets_give_rows(packets: list[tuple[bytes, float]]) -> None:
    """Whatever a stranger sends: nothing raises, and each packet is kept or counted as ignored."""
    log = UplinkLog()
    run = log.begin(1)
    for packet, at in packets:
        log.take(packet, at)
    assert len(run.arrived) + log.ignored == len(packets)
    times, arrivals = run.rows()
    assert len(times) == len(arrivals)
    assert sum(arrival is not None for arrival in arrivals) == len(run.arrived)


@given(st.permutations(range(30)), st.sets(st.integers(0, 29), max_size=20))
def test_the_order_of_arrival_is_nothing_once_all_is_told(order: list[int], lost: set[int]) -> None:
    """With the page's own count the losses are exact, whatever overtook what."""
    run = filled([number for number in order if number not in lost])
    if len(lost) < 30:
        assert {n for n, arrival in enumerate(run.rows(30)[1]) if arrival is None} == lost
