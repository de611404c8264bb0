"""Offers as the field makes them: each file is a thread of a system like ours, or a browser's own oddity."""

from __future__ import annotations

from pathlib import Path

import pytest

from readiness.media import aiortc_private as private
from readiness.media.limits import Budget
from readiness.media.loopback import Loopback
from readiness.media.sdp_policy import SdpRejected, check_offer
from tests.media.support import recorded_offer

FOLDER = Path(__file__).parents[1] / "data" / "sdp"
LET_THROUGH = [
    ("meetecho/janus-gateway#2544", "chrome_opus_pt63"),
    ("webrtcHacks/sdp-anatomy#11", "cryptex_extmap_mixed"),
    ("extra", "attr_underscore"),
    ("extra", "msid_utf8"),
    ("extra", "session_name_utf8"),
    ("extra", "mid_words"),
    ("extra", "mid_sdparta"),
    ("extra", "blank_lines_end"),
    ("extra", "extmap_no_twcc"),
    ("extra", "extmap_two_byte"),
    ("extra", "fingerprint_at_session_only"),
    ("extra", "ice_options_renomination"),
    ("extra", "long_ufrag_pwd"),
    ("extra", "msid_semantic_star"),
    ("extra", "rtcp_fb_star"),
    ("extra", "safari_names"),
    ("own", "mid_token"),
    ("own", "max_message_64_bits"),
]
REFUSED = [
    ("meetecho/janus-gateway#2544", "no_vp8_h264_only", "sdp.no_vp8"),
    ("extra", "video_disabled_port0", "sdp.no_video"),
    ("extra", "legacy_sctpmap", "sdp.media"),
    ("extra", "tcp_dtls_sctp", "sdp.media"),
    ("extra", "fingerprint_sha384_only", "sdp.fingerprint"),
    ("extra", "identity_attr", "sdp.attribute"),
]


def offer_of(name: str) -> str:
    return (FOLDER / f"{name}.sdp").read_bytes().decode()


@pytest.mark.parametrize(("thread", "name"), LET_THROUGH, ids=[name for _, name in LET_THROUGH])
def test_an_odd_offer_is_let_through(thread: str, name: str):
    """What is not used is no reason to refuse, and is not passed on; the peer's parser sees plain ASCII."""
    assert thread
    checked = check_offer(offer_of(name))
    assert checked.isascii()
    assert check_offer(checked) == checked
    assert checked.count("\nm=") == offer_of(name).count("\nm=")


@pytest.mark.parametrize(("thread", "name", "code"), REFUSED, ids=[name for _, name, _ in REFUSED])
def test_what_cannot_work_is_refused_with_what_is_missing(thread: str, name: str, code: str):
    """The answer says that the browser has no VP8, or has switched its video off."""
    assert thread
    with pytest.raises(SdpRejected, match=code):
        check_offer(offer_of(name))


def test_every_file_is_tried():
    """Nothing lies there unread."""
    assert {path.stem for path in FOLDER.iterdir()} == {row[1] for row in (*LET_THROUGH, *REFUSED)}


@pytest.mark.parametrize("number", [35, 39, 63, 127])
async def test_the_answer_keeps_the_payload_types_of_the_offer(number: int):
    """meetecho/janus-gateway#2544, jitsi/jitsi-videobridge#445: a browser short of 96 to 127 uses 35 to 63 too."""
    private.extend_tables()
    offer = recorded_offer("chromium-full").replace(
        "m=video 9 UDP/TLS/RTP/SAVPF 96", f"m=video 9 UDP/TLS/RTP/SAVPF {number}"
    )
    offer = offer.replace("a=rtpmap:96 VP8", f"a=rtpmap:{number} VP8")
    peer = Loopback((("127.0.0.1", "127.0.0.1"),), None, budget=Budget(), on_event=lambda *_: None)
    try:
        answer = await peer.answer(offer)
    finally:
        await peer.close()
    assert f"a=rtpmap:{number} VP8/90000" in answer


OWN = [
    ("a dot in an attribute's name", "a=x.google.flag:1", None),
    ("an empty attribute", "a=", None),
    ("a name of signs", "a=!$%:1", None),
    ("another script in a line that is not used", "a=label:камера", None),
    ("half a letter", "a=label:\ud83d", None),
    (
        "a line that is used, in wide digits",
        "a=max-message-size:\uff12\uff16\uff12\uff11\uff14\uff14",
        "sdp.characters",
    ),
    ("a control character", "a=label:\x9b", "sdp.characters"),
    ("a line separator of Unicode", "a=label:x\u2028a=ice-lite", "sdp.characters"),
]


@pytest.mark.parametrize(("what", "line", "code"), OWN, ids=[row[0] for row in OWN])
def test_more_of_the_same_kinds(what: str, line: str, code: str | None):
    """A line nobody uses is left out; one that is used keeps to ASCII, and nothing that ends a line is let in."""
    offer = recorded_offer("firefox-full").rstrip("\r\n") + f"\r\n{line}\r\n"
    if code is None:
        assert check_offer(offer) == check_offer(recorded_offer("firefox-full")), what
        return
    with pytest.raises(SdpRejected, match=code):
        check_offer(offer)


async def test_the_answer_keeps_the_names_of_the_offers_sections():
    """An own case: a name may be any token (RFC 8866 9), and the answer is of no use with another."""
    private.extend_tables()
    peer = Loopback((("127.0.0.1", "127.0.0.1"),), None, budget=Budget(), on_event=lambda *_: None)
    try:
        answer = await peer.answer(offer_of("mid_token"))
    finally:
        await peer.close()
    assert "a=group:BUNDLE {s#0|t} {s#1|t} {s#2|t}\r\n" in answer
    assert "a=mid:{s#1|t}\r\n" in answer


@pytest.mark.parametrize(("told", "kept"), [("0", "262144"), ("18446744073709551615", "262144"), ("1024", "1024")])
def test_the_largest_message_is_what_we_send_at_most(told: str, kept: str):
    """None (0) and every size above ours are ours (RFC 8841 6.1)."""
    offer = recorded_offer("firefox-full").replace("a=max-message-size:1073741823", f"a=max-message-size:{told}")
    assert f"a=max-message-size:{told}\r\n" in offer
    assert f"a=max-message-size:{kept}\r\n" in check_offer(offer)


def test_spaces_at_the_end_of_a_line_are_nothing():
    """Some gateways pad."""
    offer = recorded_offer("chromium-page")
    assert check_offer(offer.replace("\r\n", " \r\n")) == check_offer(offer)
