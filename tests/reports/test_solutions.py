"""Video solutions: what each file says, whose word is taken for where a link leads, and what a broken file is."""

from __future__ import annotations

import pytest

from probes.ladder import Ladder
from reports.model import Outcome
from reports.profile import load_profile, profile_names
from reports.solution import SolutionError, host_of, load_solution, parse_solution, solution_names

WHOLE = """
name = "x"
title = "X"
hosts = ["x.example"]
program_on = ["phone"]
probe_path = "/favicon.ico"
source = "somewhere"
[[ports]]
protocol = "udp"
ports = "443, 3478-3481"
to = "*.x.example"
[need.consultation]
throughput_mbps = 2.0
source = "somewhere"
"""


def test_the_solutions_in_use_are_there_with_their_source():
    """Six files; each named as its file, with a public source, and with needs for profiles that exist."""
    assert solution_names() == ("nhn_join", "other", "skype_for_business", "teams", "whereby", "zoom")
    for name in solution_names():
        solution = load_solution(name)
        assert solution.name == name
        assert set(solution.need_mbps) <= set(profile_names())
        assert (solution.title == "") == (name == "other")
        assert solution.ports or name == "other"


@pytest.mark.parametrize(
    ("change", "by"),
    [
        (("source =", "x ="), "source"),
        (('source = "somewhere"\n[[', 'source = " "\n[['), "no source"),
        (('"x.example"', '"x.example; img-src *"'), "hosts"),
        (('"x.example"', '"https://x.example"'), "hosts"),
        (('["phone"]', '["watch"]'), "program_on"),
        (("/favicon.ico", "/a b"), "probe_path"),
        (("3478-3481", "all"), "ports"),
        (("2.0", "-1"), "Mbit/s"),
        (('source = "somewhere"', ""), "source"),
        (("name =", "name"), "TOMLDecodeError"),
    ],
)
def test_a_broken_file_is_an_error_that_names_it(change, by):
    """Nothing that could get into a header, and no figure without a source, is taken."""
    assert parse_solution(WHOLE, where="x.toml").need_mbps == {"consultation": 2.0}
    old, new = change
    head, _, tail = WHOLE.rpartition(old)
    broken = WHOLE.replace(old, new, 1) if by != "source" else head + new + tail
    with pytest.raises(SolutionError, match=rf"x\.toml: .*{by}"):
        parse_solution(broken, where="x.toml")


@pytest.mark.parametrize(
    ("link", "host"),
    [
        ("https://Join.NHN.no/webapp/1", "join.nhn.no"),
        ("https://whereby.com:8443/a", "whereby.com:8443"),
        ("https://møte.example/a", "xn--mte-0na.example"),
        ("http://whereby.com/a", None),
        ("https://user@whereby.com/", None),
        ("https://a b/", None),
        ("https://x.example;connect-src/", None),
        ("https://[::1]/", None),
        ("https://x:99999/", None),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_only_a_plain_https_host_comes_out_of_a_link(link, host):
    """What is not surely a host's name never reaches a policy."""
    assert host_of(link) == host


def test_a_link_is_believed_where_it_is_the_solutions_own():
    """A link below the solution's hosts is asked for; one that leads elsewhere is not, and no link means the first."""
    whereby, other, skype = load_solution("whereby"), load_solution("other"), load_solution("skype_for_business")
    assert whereby.host_for(None) == "whereby.com"
    assert whereby.host_for("https://sunnaas.whereby.com/anna") == "sunnaas.whereby.com"
    assert whereby.host_for("https://notwhereby.com/anna") is None
    assert other.host_for("https://video.example/1") == "video.example"
    assert other.host_for(None) is None
    assert skype.host_for("https://meet.sykehus.example/1") == "meet.sykehus.example"


def test_a_solution_may_need_more_than_its_kind_of_meeting():
    """The need, what is tried, the limits and the tier of that name move together; other profiles stay."""
    plain, join = load_profile("consultation"), load_profile("consultation", "nhn_join")
    assert (plain.need_mbps, join.need_mbps) == (1.5, 1.85)
    assert join.checks["network.throughput_up"].threshold(Outcome.FAIL) == 1.85
    assert {tier.name: tier.need_mbps for tier in join.tiers}["720p"] == 1.85
    assert load_profile("group", "nhn_join") == load_profile("group")
    rung = Ladder(join.tiers, need_mbps=join.need_mbps, factor=join.probe_factor).rung
    assert rung is not None
    assert (rung.tier, rung.need_mbps) == ("720p", 1.85)
