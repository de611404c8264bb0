"""RTC-7: which addresses an answer names."""

from __future__ import annotations

import pytest

from readiness.media.limits import Budget
from readiness.media.loopback import Loopback, public_answer
from tests.media.support import recorded_offer

ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 10.0.0.7\r\ns=-\r\nt=0 0\r\nm=application 50001 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 10.0.0.7\r\n"
    "a=candidate:abc 1 udp 2130706431 10.0.0.7 50001 typ host\r\n"
    "a=candidate:def 1 udp 2130706431 172.17.0.1 50002 typ host\r\n"
    "a=candidate:ghi 1 udp 1694498815 198.51.100.9 50003 typ srflx raddr 10.0.0.7 rport 50001\r\n"
    "a=end-of-candidates\r\n"
)


def test_an_answer_names_only_public_addresses():
    """1:1 NAT: the local address becomes the public one; Docker's and reflexive ones vanish (koush/scrypted#2134)."""
    answer = public_answer(ANSWER, (("203.0.113.5", "10.0.0.7"),))
    assert "a=candidate:abc 1 udp 2130706431 203.0.113.5 50001 typ host\r\n" in answer
    for address in ("10.0.0.7", "172.17.0.1", "198.51.100.9"):
        assert address not in answer


def test_one_local_address_may_have_several_public_names():
    """IPv4 and IPv6, inside and outside: each gets its candidate, with its own foundation."""
    answer = public_answer(ANSWER, (("203.0.113.5", "10.0.0.7"), ("2001:db8::5", "10.0.0.7")))
    assert "a=candidate:abc 1 udp 2130706431 203.0.113.5 50001" in answer
    assert "a=candidate:abc1 1 udp 2130706431 2001:db8::5 50001" in answer


def test_sound_is_asked_for_in_pieces_of_ten_milliseconds():
    """After each opus codec line and nowhere else: twice the packets, so that a track carries twice the rate."""
    sound = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n"
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n"
    answer = public_answer(ANSWER + sound + video + sound, ())
    assert answer.count("a=rtpmap:111 opus/48000/2\r\na=ptime:10\r\n") == 2
    assert answer.count("a=ptime") == 2
    assert "a=ptime" not in public_answer(ANSWER + video, ())


@pytest.mark.parametrize("name", ["chromium-full", "firefox-full"])
async def test_an_answer_to_a_browser_takes_sound_and_gives_video(name):
    """Sound only up, in pieces of 10 ms; video only down.

    We are the client of DTLS, so no large hello of a browser is put together (signalwire/freeswitch#2966).
    """
    peer = Loopback((("127.0.0.1", "127.0.0.1"),), None, budget=Budget(), on_event=lambda *_: None)
    try:
        answer = await peer.answer(recorded_offer(name))
    finally:
        await peer.close()
    assert answer.count("a=setup:active\r\n") == answer.count("\r\nm=")
    kinds = {part.split(" ", 1)[0]: part for part in answer.split("\r\nm=")[1:]}
    assert "a=recvonly" in kinds["audio"]
    assert "a=ptime:10" in kinds["audio"]
    assert "a=ptime" not in kinds["video"]
    assert "a=sendonly" in kinds["video"] or "a=inactive" in kinds["video"]
