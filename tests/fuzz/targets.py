"""Every fuzz target by its name."""

from __future__ import annotations

from tests.fuzz import media, web
from tests.fuzz.engine import Make

TARGETS: dict[str, Make] = {
    "sdp": media.offers,
    "ice": media.candidates,
    "stun": media.stun_packets,
    "sctp": media.sctp,
    "messages": media.messages,
    "rtp": media.rtp,
    "frames": web.frames,
    "json": web.bodies,
    "ics": web.calendars,
    "csv": web.tables,
}
