"""The clock's reflector, by its wire format and limits."""

from __future__ import annotations

import struct

from readiness.media.clock_echo import ClockEcho


class Clock:
    def __init__(self) -> None:
        self.us = 0

    def __call__(self) -> int:
        return self.us


def ping(seq: int, t1_us: int = 7, kind: int = 1, tag: int = 0) -> bytes:
    return struct.pack("!BBHIQQ", kind, tag, 0, seq, t1_us, 0)


def test_a_pong_carries_both_stamps_and_the_servers_own_counter():
    """40 bytes, as written in the protocol."""
    clock = Clock()
    echo = ClockEcho(clock)
    for seq in (5, 9):
        clock.us += 20_000
        pong = echo.answer(ping(seq, t1_us=123, tag=1), arrived_us=clock.us - 300, can_send=True)
        assert pong is not None
        assert len(pong) == 40
        expected = (2, 1, 0, seq, 123, clock.us - 300, clock.us, 0 if seq == 5 else 1, 0)
        assert struct.unpack("!BBHIQQQII", pong) == expected


def test_when_the_buffer_is_busy_the_ping_counts_but_gets_no_pong():
    """A pong that would wait in our own buffer would measure us, not the line."""
    echo = ClockEcho(Clock())
    assert echo.answer(ping(1), arrived_us=0, can_send=False) is None
    assert [(row.seq, row.t3_us) for row in echo.rows] == [(1, None)]


def test_nonsense_is_ignored_and_counted():
    """Text, other lengths, other kinds and repeats are no pings."""
    echo = ClockEcho(Clock())
    for message in ("text", b"", b"x" * 23, b"x" * 25, b"x" * 5000, ping(1, kind=2), None):
        assert echo.answer(message, arrived_us=0, can_send=True) is None
    assert echo.answer(ping(1), arrived_us=0, can_send=True)
    assert echo.answer(ping(1), arrived_us=0, can_send=True) is None
    assert echo.ignored == 8
    assert len(echo.rows) == 1


def test_at_most_60_pings_and_50_pongs_a_second():
    """Over ten seconds of 200 pings a second, the rest is ignored."""
    clock = Clock()
    echo = ClockEcho(clock)
    pongs = 0
    for seq in range(2000):
        clock.us += 5000
        pongs += echo.answer(ping(seq), arrived_us=clock.us, can_send=True) is not None
    assert 600 <= len(echo.rows) <= 635
    assert 500 <= pongs <= 512
    assert echo.ignored == 2000 - len(echo.rows)


def test_fifty_pings_a_second_are_all_answered_even_in_bursts_of_five():
    """The page's own rate, with the jitter of a browser's timers, loses nothing to the limit."""
    clock = Clock()
    echo = ClockEcho(clock)
    for seq in range(500):
        if seq % 5 == 0:
            clock.us += 100_000
        assert echo.answer(ping(seq), arrived_us=clock.us, can_send=True)


def test_the_log_is_bounded():
    """A peer that pings for hours does not grow us."""
    clock = Clock()
    echo = ClockEcho(clock)
    for seq in range(7000):
        clock.us += 20_000
        echo.answer(ping(seq), arrived_us=clock.us, can_send=True)
    assert len(echo.rows) == 6000
