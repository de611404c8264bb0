"""What a compressed body can cost: nothing is inflated, whichever address it is sent to."""

from __future__ import annotations

import time
import zlib

import pytest

from tests.security.support import raw

PIECE = bytes(1 << 20)
PIECES = 1024
MOST_CPU_S = 1.0
"""Inflating this bomb takes above 2 s of CPU time; refusing it takes some milliseconds."""


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """One megabyte that holds a gigabyte of zeros: pieces after a full flush are coded alike. Its checksum is wrong."""
    coder = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    first, again = (coder.compress(PIECE) + coder.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (PIECES - 2) + coder.compress(PIECE) + coder.flush()


@pytest.mark.parametrize(
    "path", ["/api/v1/links/redeem", "/api/v1/csp-reports", "/api/v1/meetings/import", "/no/such/page"]
)
async def test_a_bomb_is_refused_and_never_inflated(server, bomb, path):
    """Not even while the rest of a refused body is read away."""
    host = server.base.removeprefix("http://")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n"
        "Content-Type: application/json\r\nX-Readiness: 1\r\nConnection: close\r\n\r\n"
    )
    before_s = time.process_time()
    status, headers, _ = await raw(server.base, head.encode() + bomb)
    assert time.process_time() - before_s < MOST_CPU_S
    assert status == 415
    assert headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x-unknown"])
async def test_every_coding_but_none_is_refused(http, coding):
    """Whatever it is called; a body that says it is not encoded is read."""
    body = {"organisation": "sunnaas", "token": "x" * 43}
    async with http.post("/api/v1/links/redeem", json=body, headers={"Content-Encoding": coding}) as answer:
        assert answer.status == 415
    async with http.post("/api/v1/links/redeem", json=body, headers={"Content-Encoding": "identity"}) as answer:
        assert answer.status == 404
