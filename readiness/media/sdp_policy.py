"""Decides which offers reach the peer connection (RTC-1). Pure: text in; out comes text of our own, or a code.

An offer is never passed on. Strict patterns read what is needed from it, and a new offer is written, so that the peer's
parser only ever sees our own text: no candidates (we learn the peer's address from its checks, B2), no codecs but
those we use, no retransmission, one BUNDLE, one SHA-256 fingerprint. Follows RFC 8866, RFC 9429 and RFC 8841.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from readiness.media.limits import MAX_AUDIO_SECTIONS, MAX_OFFER_BYTES, MAX_SECTIONS

__all__ = ["ABS_SEND_TIME", "DYNAMIC", "TRANSPORT_CC", "SdpRejected", "check_offer"]

ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
_EXTENSIONS = {ABS_SEND_TIME, TRANSPORT_CC}
_CODECS = {"audio": "opus/48000/2", "video": "VP8/90000"}
"""The codec of each kind in our answer; every browser must support both (RFC 7742, RFC 7874)."""
_MISSING = {"audio": "sdp.no_opus", "video": "sdp.no_vp8"}
"""What is said to a browser that has not got it."""
_PROTOCOLS = {"audio": "UDP/TLS/RTP/SAVPF", "video": "UDP/TLS/RTP/SAVPF", "application": "UDP/DTLS/SCTP"}
_DIRECTIONS = {"sendrecv", "sendonly", "recvonly", "inactive"}
_TOLERATED_HASHES = {"sha-384", "sha-512"}
_MAX_FORMATS = 120
"""Most RTP payload types in one section; Chromium offers about 40."""
DYNAMIC: Final = frozenset((*range(35, 64), *range(96, 128)))
"""Payload types we accept: any other could be mistaken for RTCP or a static codec (RFC 5761; every offer has rtcp-mux).
Chromium gives out the lower ones where it is short of the upper ones."""
_ONE_BYTE_IDS = range(1, 15)
_MAX_PORT = 65535
_MAX_MESSAGE_BYTES = 262_144
_REFUSED: Final = frozenset({"ice-lite", "crypto", "identity"})
_USED: Final = _REFUSED | _DIRECTIONS | {
    "bundle-only", "extmap", "fingerprint", "group", "ice-pwd", "ice-ufrag", "max-message-size", "mid", "rtcp-fb",
    "rtcp-mux", "rtpmap", "sctp-port", "setup",
}  # fmt: skip
"""Attributes that are looked at; a line with another is left out whatever it says, and in whichever letters."""

_LINE = re.compile(r"([a-z])=(.*)")
_ATTRIBUTE = re.compile(r"([A-Za-z0-9-]+)(?::(.*))?")
_CONTROLS = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_MEDIA = re.compile(r"(audio|video|application) ([0-9]{1,5}) ([A-Z/]{3,20}) ([A-Za-z0-9 -]{1,600})")
_ICE_CHARS = r"[A-Za-z0-9+/]"
_UFRAG = re.compile(_ICE_CHARS + r"{4,256}")
_PWD = re.compile(_ICE_CHARS + r"{22,256}")
_SHA256 = re.compile(r"(?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}")
_FINGERPRINT = re.compile(r"([A-Za-z0-9-]{1,10}) ([0-9A-Fa-f:]{1,200})")
_MID = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")
"""A token (RFC 8866 9), no longer than any browser's."""
_RTPMAP = re.compile(r"([0-9]{1,3}) ([A-Za-z0-9./_-]{1,60})")
_EXTMAP = re.compile(r"([0-9]{1,3})(?:/[a-z]{8})? (\S{1,200})(?: .{0,200})?")
_NUMBER = re.compile(r"[0-9]{1,20}")
"""The largest size of a message is any number of 64 bits where a browser names none (RFC 8841 6.1)."""


class SdpRejected(ValueError):  # noqa: N818 - reads as what it says
    """The offer is not one that a supported browser makes. `code` says why; none of the offer's text is kept."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class _Section:
    """One m-line and its attributes."""

    kind: str
    formats: list[str]
    attributes: list[tuple[str, str]] = field(default_factory=list)

    def one(self, name: str, pattern: re.Pattern[str], *, session: Mapping[str, str], code: str) -> str:
        """Return the single value of `name` from this section or the session. Raises SdpRejected if there is none."""
        values = {value for key, value in self.attributes if key == name} or {session.get(name, "")}
        if len(values) != 1:
            raise SdpRejected(code)
        value = values.pop()
        if not pattern.fullmatch(value):
            raise SdpRejected(code)
        return value

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.attributes)


def check_offer(offer: str) -> str:
    """Return the offer rewritten with only what we use. Raises SdpRejected with a code that starts with ``sdp.``."""
    session, sections = _parse(_lines(offer))
    kinds = Counter(section.kind for section in sections)
    if not sections or kinds["audio"] > MAX_AUDIO_SECTIONS or kinds["video"] > 1 or kinds["application"] > 1:
        raise SdpRejected("sdp.media")
    levels = {key: value for key, value in session if key in {"ice-ufrag", "ice-pwd", "setup"}}
    everywhere = [*session, *(pair for section in sections for pair in section.attributes)]
    if any(key in _REFUSED for key, _ in everywhere):
        raise SdpRejected("sdp.attribute")
    fingerprint = _fingerprint([value for key, value in everywhere if key == "fingerprint"])
    _need_fingerprints(session, sections)
    mids = [section.one("mid", _MID, session={}, code="sdp.mid") for section in sections]
    _check_bundle(mids, [value for key, value in session if key == "group"])
    ufrag, password = _credentials(sections, levels)
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {' '.join(mids)}"]
    for section, mid in zip(sections, mids, strict=True):
        if section.one("setup", re.compile("actpass"), session=levels, code="sdp.setup"):
            lines += _data_section(section) if section.kind == "application" else _media_section(section)
        lines += [
            f"a=mid:{mid}",
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{password}",
            f"a=fingerprint:sha-256 {fingerprint}",
            "a=setup:actpass",
        ]
    return "\r\n".join(lines) + "\r\n"


def _lines(offer: str) -> list[tuple[str, str]]:
    if len(offer.encode("utf-8", "surrogatepass")) > MAX_OFFER_BYTES:
        raise SdpRejected("sdp.too_long")
    if _CONTROLS.search(offer):
        raise SdpRejected("sdp.characters")
    found = []
    for line in offer.replace("\r\n", "\n").rstrip("\n").split("\n"):
        match = _LINE.fullmatch(line.rstrip(" "))
        if not match or match[1] not in "vosicbtmaurzkep":
            raise SdpRejected("sdp.line")
        found.append((match[1], match[2]))
    if found[0] != ("v", "0"):
        raise SdpRejected("sdp.line")
    return found


def _parse(lines: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[_Section]]:
    session: list[tuple[str, str]] = []
    sections: list[_Section] = []
    ports: list[str] = []
    for kind, value in lines:
        if kind == "m":
            match = _MEDIA.fullmatch(value)
            if not match or match[3] != _PROTOCOLS[match[1]] or len(sections) >= MAX_SECTIONS:
                raise SdpRejected("sdp.media")
            sections.append(_Section(match[1], match[4].split()))
            ports.append(match[2])
        elif kind == "a":
            attribute = _ATTRIBUTE.fullmatch(value)
            if not attribute or attribute[1] not in _USED:
                continue
            if not value.isascii():
                raise SdpRejected("sdp.characters")
            (sections[-1].attributes if sections else session).append((attribute[1], attribute[2] or ""))
    for section, port in zip(sections, ports, strict=True):
        if int(port) == 0 and not section.has("bundle-only"):
            raise SdpRejected(f"sdp.no_{section.kind}")  # the browser has switched this section off
        if int(port) > _MAX_PORT:
            raise SdpRejected("sdp.media")
    return session, sections


def _fingerprint(values: Sequence[str]) -> str:
    """Return the one SHA-256 fingerprint. Ignores SHA-384 and SHA-512 beside it, rejects anything else."""
    found = set()
    for value in values:
        match = _FINGERPRINT.fullmatch(value)
        name = match[1].lower() if match else ""
        if match and name == "sha-256" and _SHA256.fullmatch(match[2]):
            found.add(match[2].upper())
        elif name not in _TOLERATED_HASHES:
            raise SdpRejected("sdp.fingerprint")
    if len(found) != 1:
        raise SdpRejected("sdp.fingerprint")
    return found.pop()


def _need_fingerprints(session: Sequence[tuple[str, str]], sections: Sequence[_Section]) -> None:
    """Reject an offer unless each section, or the session, has a SHA-256 fingerprint."""
    if any(key == "fingerprint" and value.lower().startswith("sha-256 ") for key, value in session):
        return
    for section in sections:
        if not any(k == "fingerprint" and v.lower().startswith("sha-256 ") for k, v in section.attributes):
            raise SdpRejected("sdp.fingerprint")


def _check_bundle(mids: Sequence[str], groups: Sequence[str]) -> None:
    """Reject an offer unless all its sections are in one BUNDLE group, in order: one transport for everything."""
    bundles = [group.split()[1:] for group in groups if group.split()[:1] == ["BUNDLE"]]
    if len(set(mids)) != len(mids) or len(bundles) != 1 or sorted(bundles[0]) != sorted(mids):
        raise SdpRejected("sdp.bundle")


def _credentials(sections: Sequence[_Section], levels: Mapping[str, str]) -> tuple[str, str]:
    pairs = {
        (
            section.one("ice-ufrag", _UFRAG, session=levels, code="sdp.ice"),
            section.one("ice-pwd", _PWD, session=levels, code="sdp.ice"),
        )
        for section in sections
    }
    if len(pairs) != 1:
        raise SdpRejected("sdp.ice")
    return pairs.pop()


def _data_section(section: _Section) -> list[str]:
    if section.formats != ["webrtc-datachannel"]:
        raise SdpRejected("sdp.media")
    port = int(section.one("sctp-port", _NUMBER, session={}, code="sdp.sctp"))
    size = int(section.one("max-message-size", _NUMBER, session={"max-message-size": "65536"}, code="sdp.sctp"))
    if not 1 <= port <= _MAX_PORT:
        raise SdpRejected("sdp.sctp")
    return [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        f"a=sctp-port:{port}",
        f"a=max-message-size:{min(size or _MAX_MESSAGE_BYTES, _MAX_MESSAGE_BYTES)}",
    ]


def _media_section(section: _Section) -> list[str]:
    payload_type, feedback = _codec(section)
    if not section.has("rtcp-mux"):
        raise SdpRejected("sdp.rtcp_mux")
    directions = [key for key, _ in section.attributes if key in _DIRECTIONS]
    if len(directions) > 1:
        raise SdpRejected("sdp.direction")
    return [
        f"m={section.kind} 9 {_PROTOCOLS[section.kind]} {payload_type}",
        "c=IN IP4 0.0.0.0",
        f"a={directions[0] if directions else 'sendrecv'}",
        "a=rtcp-mux",
        f"a=rtpmap:{payload_type} {_CODECS[section.kind]}",
        *([f"a=rtcp-fb:{payload_type} transport-cc"] if feedback else []),
        *_extensions(section),
    ]


def _codec(section: _Section) -> tuple[int, bool]:
    """Return the payload type of our codec and whether it has transport-wide feedback.

    Unknown codecs are ignored, not rejected: next year's browser will offer one more.
    """
    if len(section.formats) > _MAX_FORMATS:
        raise SdpRejected("sdp.codec")
    wanted = _CODECS[section.kind].lower()
    for key, value in section.attributes:
        match = _RTPMAP.fullmatch(value) if key == "rtpmap" else None
        if match and match[2].lower() == wanted and match[1] in section.formats and int(match[1]) in DYNAMIC:
            tags = {f"{match[1]} transport-cc", "* transport-cc"}
            return int(match[1]), any(k == "rtcp-fb" and v in tags for k, v in section.attributes)
    raise SdpRejected(_MISSING[section.kind])


def _extensions(section: _Section) -> list[str]:
    """Return the header extensions we use whose number fits a one-byte header (RFC 8285)."""
    found: dict[str, int] = {}
    for key, value in section.attributes:
        match = _EXTMAP.fullmatch(value) if key == "extmap" else None
        if match and match[2] in _EXTENSIONS and int(match[1]) in _ONE_BYTE_IDS:
            found.setdefault(match[2], int(match[1]))
    if len(set(found.values())) != len(found):
        raise SdpRejected("sdp.extension")
    return [f"a=extmap:{number} {uri}" for uri, number in sorted(found.items())]
