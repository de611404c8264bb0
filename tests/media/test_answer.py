"""RTC-7: which addresses an answer names."""

from __future__ import annotations

from readiness.media.loopback import public_answer

ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 10.0.0.7\r\ns=-\r\nt=0 0\r\nm=application 50001 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 10.0.0.7\r\n"
    "a=candidate:abc 1 udp 2130706431 10.0.0.7 50001 typ host\r\n"
    "a=candidate:def 1 udp 2130706431 172.17.0.1 50002 typ host\r\n"
    "a=candidate:ghi 1 udp 1694498815 198.51.100.9 50003 typ srflx raddr 10.0.0.7 rport 50001\r\n"
    "a=end-of-candidates\r\n"
)


def test_an_answer_names_only_public_addresses():
    """1:1 NAT: the local address becomes the public one; Docker's and reflexive candidates vanish."""
    answer = public_answer(ANSWER, (("203.0.113.5", "10.0.0.7"),))
    assert "a=candidate:abc 1 udp 2130706431 203.0.113.5 50001 typ host\r\n" in answer
    for address in ("10.0.0.7", "172.17.0.1", "198.51.100.9"):
        assert address not in answer


def test_one_local_address_may_have_several_public_names():
    """IPv4 and IPv6, inside and outside: each gets its candidate, with its own foundation."""
    answer = public_answer(ANSWER, (("203.0.113.5", "10.0.0.7"), ("2001:db8::5", "10.0.0.7")))
    assert "a=candidate:abc 1 udp 2130706431 203.0.113.5 50001" in answer
    assert "a=candidate:abc1 1 udp 2130706431 2001:db8::5 50001" in answer
