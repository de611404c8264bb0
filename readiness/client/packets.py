"""Packets that a client of the network part writes and reads. Pure: bytes in, bytes out."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from probes.feedback import DELTA_MS, REFERENCE_MS, SEQUENCES
from readiness.media.uplink import MAGIC, STAMP

__all__ = ["feedback_packets", "padded_frame", "transport_number", "unwrapped"]

RTP_HEAD: Final = struct.Struct("!BBHII")
RTP_VERSION: Final = 0x80
EXTENSION_BIT: Final = 0x10
ONE_BYTE_PROFILE: Final = 0xBEDE
"""Header extensions with heads of one byte (RFC 8285)."""
FRAME_TICKS: Final = 480
"""10 ms of the 48 kHz clock of Opus."""
FEEDBACK_HEAD: Final = struct.Struct("!BBHII")
FEEDBACK_TYPE: Final = 205
FEEDBACK_FORMAT: Final = 15
MAX_STATUSES: Final = 250
"""Most packets in one feedback; about 1000 bytes."""
RECEIVED: Final = 0x4001
LOST: Final = 0x0001
"""Status chunks of one packet each: received with a delta of two bytes, or not received."""
MAX_DELTA: Final = 2**15 - 1


def padded_frame(*, ssrc: int, payload_type: int, count: int, run: int, track: int, number: int, size_bytes: int,
                 sent_us: int) -> bytes:  # fmt: skip
    """Return the RTP packet of a stamped frame of `size_bytes`.

    `count` is the running number of packets of this SSRC, `number` that of frames in the run over all its tracks.
    """
    head = RTP_HEAD.pack(RTP_VERSION, payload_type, count % SEQUENCES, FRAME_TICKS * count % 2**32, ssrc)
    stamp = STAMP.pack(MAGIC, run, track, number, sent_us)
    return head + stamp + bytes(size_bytes - len(stamp))


def transport_number(rtp: bytes, extension_id: int) -> int | None:
    """Return the transport-wide sequence number in an RTP packet's header extension, or None."""
    if len(rtp) < RTP_HEAD.size + 4 or not rtp[0] & EXTENSION_BIT:
        return None
    position = RTP_HEAD.size + 4 * (rtp[0] & 0x0F)
    profile, words = struct.unpack_from("!HH", rtp, position)
    position += 4
    end = min(position + 4 * words, len(rtp))
    while profile == ONE_BYTE_PROFILE and position < end:
        element, size = rtp[position] >> 4, (rtp[position] & 0x0F) + 1
        if rtp[position] == 0:
            position += 1
        elif element == extension_id:
            return int.from_bytes(rtp[position + 1 : position + 3], "big") if position + 3 <= end else None
        else:
            position += 1 + size
    return None


def unwrapped(number: int, near: int) -> int:
    """Return the running number for a 16-bit `number`: the one closest to `near`."""
    half = SEQUENCES // 2
    return near + (number - near + half) % SEQUENCES - half


def feedback_packets(
    first: int, arrivals_s: Sequence[float | None], *, count: int, sender_ssrc: int, media_ssrc: int
) -> Iterator[bytes]:
    """Yield RTCP packets with the arrival of each packet from number `first` on, s; None was not received.

    Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01), `count` is that of the first packet.
    There are several if one cannot hold them all, or two arrivals are more than 8 s apart.
    """
    rest = list(arrivals_s)
    while rest:
        statuses, deltas, reference, told = _told(rest[:MAX_STATUSES])
        head = struct.pack("!HH", first % SEQUENCES, told) + (reference % 2**24).to_bytes(3, "big")
        fci = head + bytes([count % 256]) + statuses + deltas
        fci += bytes(-len(fci) % 4)
        words = 2 + len(fci) // 4
        yield FEEDBACK_HEAD.pack(
            RTP_VERSION | FEEDBACK_FORMAT, FEEDBACK_TYPE, words, sender_ssrc, media_ssrc
        ) + fci  # fmt: skip
        rest, first, count = rest[told:], first + told, count + 1


def _told(arrivals_s: Sequence[float | None]) -> tuple[bytes, bytes, int, int]:
    """Return status chunks, deltas and reference time for as many packets as one feedback holds, and how many."""
    known_ms = [arrival * 1e3 for arrival in arrivals_s if arrival is not None]
    reference = int(known_ms[0] // REFERENCE_MS) if known_ms else 0
    statuses, deltas = bytearray(), bytearray()
    at_ms = reference * REFERENCE_MS
    told = 0
    for arrival in arrivals_s:
        if arrival is not None:
            delta = round((arrival * 1e3 - at_ms) / DELTA_MS)
            if abs(delta) > MAX_DELTA:
                break
            deltas += delta.to_bytes(2, "big", signed=True)
            at_ms += delta * DELTA_MS
        statuses += (LOST if arrival is None else RECEIVED).to_bytes(2, "big")
        told += 1
    return bytes(statuses), bytes(deltas), reference, told
