"""RTC-1: which offers get through."""

from __future__ import annotations

import re
import time

import pytest

from readiness.media.limits import MAX_AUDIO_SECTIONS
from readiness.media.sdp_policy import SdpRejected, check_offer
from tests.media.support import recorded_offer

NAMES = [f"{browser}-{kind}" for browser in ("chromium", "firefox") for kind in ("page", "full", "gathered")]


@pytest.mark.parametrize("name", NAMES)
def test_a_browsers_own_offer_passes_without_its_candidates(name):
    """What real browsers offer is let through; no address of theirs is (aiortc/aioice#77: no mDNS name is resolved)."""
    checked = check_offer(recorded_offer(name))
    assert "candidate" not in checked
    assert ".local" not in checked
    assert checked.count("m=") == recorded_offer(name).count("\nm=")
    assert checked.count("a=fingerprint:sha-256 ") == checked.count("m=")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_our_codec_and_feedback_is_passed_on(name):
    """The peer's parser sees one codec a section, no retransmission, and the two extensions we use."""
    checked = check_offer(recorded_offer(name))
    assert "nack" not in checked
    assert "rtx" not in checked
    assert checked.count("a=rtpmap:") == checked.count("m=audio") + checked.count("m=video")
    assert "a=rtcp-fb:" in checked
    assert checked.count("transport-wide-cc") >= 1


def test_the_checked_text_is_its_own_fixed_point():
    """Checking our own text again changes nothing, so nothing slips through in a second reading."""
    checked = check_offer(recorded_offer("chromium-gathered"))
    assert check_offer(checked) == checked


def edit(old: str, new: str, name: str = "chromium-page", count: int = -1) -> str:
    offer = recorded_offer(name)
    assert old in offer
    return offer.replace(old, new, count)


FINGERPRINT = next(line for line in recorded_offer("chromium-page").split("\r\n") if line.startswith("a=fingerprint"))
MID = "a=mid:0\r\n"
BAD = {
    "too long": ("sdp.too_long", recorded_offer("chromium-page") + "a=x:" + "y" * 32768),
    "empty": ("sdp.line", ""),
    "not sdp": ("sdp.line", "hello"),
    "a null": ("sdp.characters", edit("s=-", "s=\0")),
    "not ascii": ("sdp.characters", edit("a=ice-ufrag:", "a=ice-ufrag:å")),
    "a form feed": ("sdp.characters", edit("s=-", "s=\x0c")),
    "no media": ("sdp.media", recorded_offer("chromium-page").split("m=")[0]),
    "tcp": ("sdp.media", edit("UDP/DTLS/SCTP", "TCP/DTLS/SCTP")),
    "plain rtp": ("sdp.media", edit("UDP/TLS/RTP/SAVPF", "RTP/AVP")),
    "sdes": ("sdp.media", edit("UDP/TLS/RTP/SAVPF", "RTP/SAVPF")),
    "another kind": ("sdp.media", edit("m=video", "m=image")),
    "two videos": (
        "sdp.media",
        edit("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=video 9 UDP/TLS/RTP/SAVPF 96"),
    ),
    "port too high": ("sdp.media", edit("m=video 9", "m=video 99999")),
    "port zero": ("sdp.no_video", edit("m=video 9", "m=video 0")),
    "no fingerprint": ("sdp.fingerprint", edit(FINGERPRINT, "a=x:y")),
    "sha-1": ("sdp.fingerprint", edit("fingerprint:sha-256", "fingerprint:sha-1")),
    "md5 besides": ("sdp.fingerprint", edit(FINGERPRINT, FINGERPRINT + "\r\na=fingerprint:md5 00:11")),
    "two fingerprints": ("sdp.fingerprint", edit(FINGERPRINT, f"{FINGERPRINT}\r\n{FINGERPRINT[:-2]}00")),
    "only sha-512": ("sdp.fingerprint", edit("fingerprint:sha-256", "fingerprint:sha-512")),
    "short fingerprint": ("sdp.fingerprint", edit(FINGERPRINT, FINGERPRINT[:-3])),
    "one section without": ("sdp.fingerprint", edit(FINGERPRINT, "a=x:y", count=1)),
    "ice-lite": ("sdp.attribute", edit(MID, MID + "a=ice-lite\r\n")),
    "crypto": ("sdp.attribute", edit(MID, MID + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n")),
    "short password": ("sdp.ice", edit("a=ice-pwd:", "a=ice-pwd:x\r\na=x:")),
    "no ufrag": ("sdp.ice", edit("a=ice-ufrag:", "a=x:")),
    "different credentials": ("sdp.ice", edit("a=ice-ufrag:", "a=ice-ufrag:other\r\na=x:", count=1)),
    "active": ("sdp.setup", edit("a=setup:actpass", "a=setup:active")),
    "passive": ("sdp.setup", edit("a=setup:actpass", "a=setup:passive")),
    "no setup": ("sdp.setup", edit("a=setup:actpass", "a=x:y")),
    "no bundle": ("sdp.bundle", edit("a=group:BUNDLE", "a=group:LS")),
    "half a bundle": ("sdp.bundle", edit("a=group:BUNDLE 0 1", "a=group:BUNDLE 0")),
    "mid twice": ("sdp.bundle", edit("a=mid:1", "a=mid:0")),
    "no mid": ("sdp.mid", edit(MID, "")),
    "long mid": ("sdp.mid", edit(MID, "a=mid:" + "x" * 65 + "\r\n")),
    "no rtcp-mux": ("sdp.rtcp_mux", edit("a=rtcp-mux\r\n", "")),
    "no codec of ours": ("sdp.no_vp8", edit("VP8/90000", "XYZ/90000")),
    "rtcp payload type": ("sdp.no_vp8", edit("a=rtpmap:96 VP8", "a=rtpmap:72 VP8").replace("SAVPF 96", "SAVPF 72")),
    "two directions": ("sdp.direction", edit("a=recvonly", "a=recvonly\r\na=sendonly")),
    "no sctp port": ("sdp.sctp", edit("a=sctp-port:5000\r\n", "")),
    "sctp port 0": ("sdp.sctp", edit("a=sctp-port:5000", "a=sctp-port:0")),
    "huge number": ("sdp.sctp", edit("a=sctp-port:5000", "a=sctp-port:" + "9" * 4000)),
    "legacy sctp": ("sdp.media", edit("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000")),
}


@pytest.mark.parametrize("case", BAD)
def test_anything_else_is_refused_with_its_code(case):
    """Each way of being wrong has a code of its own, for less than 50 ms of a processor and without a peer."""
    code, offer = BAD[case]
    started = time.thread_time()
    with pytest.raises(SdpRejected) as caught:
        check_offer(offer)
    assert caught.value.code == code
    assert time.thread_time() - started < 0.05


def with_audio(tracks: int, name: str = "chromium-full") -> str:
    """A browser's offer with so many sections of sound."""
    session, *sections = recorded_offer(name).removesuffix("\r\n").split("\r\nm=")
    sound = next(section for section in sections if section.startswith("audio"))
    rest = [section for section in sections if not section.startswith("audio")]
    mids = [re.search(r"a=mid:(\S+)", section)[1] for section in rest]
    more = [re.sub(r"a=mid:\S+", f"a=mid:t{n}", sound) for n in range(tracks)]
    session = re.sub(
        r"a=group:BUNDLE.*", " ".join(["a=group:BUNDLE", *mids, *(f"t{n}" for n in range(tracks))]), session
    )
    return "\r\nm=".join([session, *rest, *more]) + "\r\n"


@pytest.mark.parametrize("tracks", range(MAX_AUDIO_SECTIONS + 1))
@pytest.mark.parametrize("name", ["chromium-full", "firefox-full"])
def test_several_tracks_of_sound_are_let_through(name, tracks):
    """Up to five: each carries a share of the way up."""
    checked = check_offer(with_audio(tracks, name))
    assert checked.count("m=audio ") == tracks
    assert checked.count("m=") == tracks + 2
    assert check_offer(checked) == checked


def test_a_sixth_track_is_refused():
    """The largest profile needs five."""
    with pytest.raises(SdpRejected) as caught:
        check_offer(with_audio(MAX_AUDIO_SECTIONS + 1))
    assert caught.value.code == "sdp.media"


@pytest.mark.parametrize("kind", ["video", "application"])
def test_of_video_and_data_there_is_one(kind):
    """A second section of either, with everything else in order, is refused."""
    session, *sections = recorded_offer("chromium-full").removesuffix("\r\n").split("\r\nm=")
    twice = next(section for section in sections if section.startswith(kind))
    session = re.sub(r"(a=group:BUNDLE.*)", r"\1 again", session)
    offer = "\r\nm=".join([session, *sections, re.sub(r"a=mid:\S+", "a=mid:again", twice)]) + "\r\n"
    assert offer.count(f"m={kind} ") == 2
    with pytest.raises(SdpRejected) as caught:
        check_offer(offer)
    assert caught.value.code == "sdp.media"


def test_a_new_browsers_unknown_codec_and_attribute_are_left_out_not_refused():
    """Next year's browser still gets through; what we do not know never reaches the peer."""
    offer = edit(MID, MID + "a=rtpmap:127 FUTURE/90000\r\na=new-thing:1\r\n")
    assert "FUTURE" not in check_offer(offer)
    assert "new-thing" not in check_offer(offer)


def test_stronger_fingerprints_beside_sha256_are_tolerated():
    """SHA-384 and SHA-512 beside SHA-256 are no reason to refuse."""
    offer = edit(FINGERPRINT, FINGERPRINT + "\r\na=fingerprint:sha-512 " + ":".join(["AB"] * 64))
    assert "sha-512" not in check_offer(offer)


def test_bundled_sections_may_have_port_zero():
    """RFC 9143: a bundle-only section has port 0."""
    offer = edit("m=application 9", "m=application 0").replace("a=sctp-port", "a=bundle-only\r\na=sctp-port")
    assert "m=application 9 " in check_offer(offer)


def test_line_ends_without_carriage_return_are_read():
    """Old gateways send LF only."""
    offer = recorded_offer("firefox-page")
    assert check_offer(offer.replace("\r\n", "\n")) == check_offer(offer)
