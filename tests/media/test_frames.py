"""The pipe's framing: neither side can make the other allocate or wait without bound."""

from __future__ import annotations

import asyncio
import struct

import pytest

from readiness.media.frames import MAX_PAYLOAD_BYTES, FrameError, encode_frame, read_frame


def reader_of(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def test_message_and_payload_come_back_as_they_were():
    """Any bytes travel beside any JSON."""
    payload = bytes(range(256))
    assert await read_frame(reader_of(encode_frame({"op": "x", "n": 1}, payload))) == ({"op": "x", "n": 1}, payload)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!II", 2**31, 0),
        struct.pack("!II", 0, 2**31),
        struct.pack("!II", 3, 0) + b"{x}",
        struct.pack("!II", 2, 0) + b"[]",
        struct.pack("!II", 2, 0) + b"{}",
        struct.pack("!II", 200_000, 0) + b"[" * 200_000,
        struct.pack("!II", 2, 0) + b"\xff\xfe",
    ],
)
async def test_nonsense_is_refused(data):
    """Too long, not JSON, no object, no operation, nested a hundred thousand deep."""
    with pytest.raises(FrameError):
        await read_frame(reader_of(data))


async def test_half_a_frame_is_the_end():
    """A process that dies while it speaks is a process that died."""
    with pytest.raises(EOFError):
        await read_frame(reader_of(encode_frame({"op": "x"}, b"abc")[:-1]))


def test_what_is_too_long_is_not_sent():
    """Our own mistakes are found at home."""
    with pytest.raises(FrameError):
        encode_frame({"op": "x"}, bytes(MAX_PAYLOAD_BYTES + 1))
