"""A whole check of a room with its server: the line as a browser tests it, few bytes, nothing that it saw or heard."""

from __future__ import annotations

import base64
import logging

import numpy as np
import pytest

from readiness.access.rooms import give_code
from tests.cast import SUNNAAS, supporter
from tests.fleet import RITA, room
from tests.room.test_scene import garage
from tests.room.wire import Wire, film_of

MOST_BYTES = 4_000_000
"""On the line, both ways, with the full speed that a check of every day measures. ``docs/rooms.md`` says so."""
CANARY = "canary-7f3a"


@pytest.mark.pair
async def test_a_whole_check_is_small_and_tells_nothing_of_what_it_saw(server, tmp_path, caplog):
    """Real probes, line and server: enrolled, a reference taken, checked. Names, film and fingerprint stay here.

    The line is tested with the room's key alone, judged by the line's needs, and no caller's report.
    """
    caplog.set_level(logging.DEBUG)
    store, now = server.store, server.services.now()
    await store.ensure_organisation(SUNNAAS)
    await store.add_room(RITA, room())
    code = await give_code(store, server.services.contacts, RITA, room().id, now)
    film = tmp_path / f"{CANARY}.avi"
    film_of(garage()[0], film)
    state, wire = tmp_path / "state", Wire(tmp_path / "wire", mark=f" {CANARY}")
    here = ("--state", str(state))
    name = f"speakerphone {CANARY}"
    devices = ("--microphone", name, "--loudspeaker", name, "--host-api", "ALSA")
    enrol = ("enrol", code, "--server", server.base, "--key-store", "file", *devices, "--camera", str(film), *here)
    status, printed = await wire.room(*enrol)
    assert status == 0, printed
    status, said = await wire.room("reference", *here)
    assert status == 0, said
    printed += said
    wire_before = wire.said()
    wire.clear()
    status, said = await wire.room("check", *here)
    assert status in {0, 1}, said
    printed += said
    assert wire.line_bytes() <= MOST_BYTES
    assert wire.line_bytes() > 200_000, "media went over sockets that nobody counts"

    (result,) = await store.room_results(RITA, room().id, now.replace(year=now.year - 1))
    measured = {one["id"]: one for one in result.body["checks"]}
    assert measured["network.path"]["outcome"] == measured["room.loop"]["outcome"] == "pass"
    assert measured["network.rtt"]["value"] is not None
    assert measured["internet.speed"]["value"] is not None
    assert await store.report_lines(supporter("sunnaas"), 20) == [], "no caller's report"

    fingerprint = np.load(state / "reference.npz")
    corners = [bytes(row) for row in fingerprint["descriptors0"][::50]]
    assert len(corners) > 5
    pieces = [CANARY.encode(), b"JFIF", b"RIFF", *corners, *(base64.b64encode(one)[:40] for one in corners)]
    told = {
        "network": wire_before + wire.said(),
        "printed": printed,
        "log of the server": caplog.text.encode(),
        "result": str(result).encode(),
        "spool": b"".join(path.read_bytes() for path in (state / "spool").rglob("*") if path.is_file()),
    }
    assert CANARY.encode() in (state / "room.json").read_bytes(), "the room has these devices"
    found = {(where, piece) for where, text in told.items() for piece in pieces if piece in text}
    assert found == set()
