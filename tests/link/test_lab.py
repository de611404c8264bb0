"""The emulator and its lab: what it does to packets against its own log, and against ping, iperf3 and irtt."""

from __future__ import annotations

import contextlib
import json
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.link.lab import ADDRESSES, TCP, UDP, Lab, PacketLog
from tests.link.model import Bursts, Direction, Link
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
PORT = 4000
CRASH = """
import os, signal, subprocess
from tests.link.lab import Lab
from tests.link.model import Link
lab = Lab(Link(), 1).__enter__()
sleeper = lab.popen("client", ["sleep", "600"])
print(*lab.namespaces.values(), sleeper.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

pytestmark = [pytest.mark.quiet, pytest.mark.needs_root]


class Talk:
    """Numbered UDP packets from the client to the server or back, sent and heard by this process."""

    def __init__(self, lab: Lab) -> None:
        self.client = lab.socket("client")
        self.server = lab.socket("server")
        self.server.bind((ADDRESSES["server"], PORT))
        self.client.bind((ADDRESSES["client"], PORT))
        for one in (self.client, self.server):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)

    def close(self) -> None:
        self.client.close()
        self.server.close()

    def up(self, count: int, *, gap_s: float = 0.0, size: int = 200, first: int = 0) -> None:
        """Send packets of `size` bytes with their heads; each begins with its number."""
        for number in range(first, first + count):
            self.client.sendto(number.to_bytes(4, "big").ljust(size - 28, b"."), (ADDRESSES["server"], PORT))
            if gap_s:
                time.sleep(gap_s)

    def heard(self, *, wait_s: float = 0.5) -> list[int]:
        """The numbers that came to the server until nothing came for `wait_s`."""
        return [int.from_bytes(packet[:4], "big") for packet in drain(self.server, wait_s)]


def drain(one, wait_s):
    while select.select([one], [], [], wait_s)[0]:
        yield one.recv(2000)


@pytest.fixture
def talk_in():
    """Make the two sockets in a lab, closed after the test."""
    with contextlib.ExitStack() as open_ones:
        yield lambda lab: open_ones.enter_context(contextlib.closing(Talk(lab)))


def numbers(log: PacketLog) -> list[int]:
    return [int.from_bytes(bytes(head[:4]), "big") for head in log.head]


def both(**direction) -> Link:
    return Link(Direction(**direction), Direction(**direction))


def median_ping_ms(lab, count) -> float:
    said = lab.run("client", ["ping", "-n", "-c", count, "-i", "0.005", ADDRESSES["server"]]).stdout
    trips = [float(trip) for trip in re.findall(r"time=([\d.]+)", said)]
    assert len(trips) == count
    return statistics.median(trips)


@contextlib.contextmanager
def listening(lab, argv, ready):
    """A server program on the server's side; begins when it has said `ready`."""
    with lab.popen("server", argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            said = b""
            while ready not in said:
                assert select.select([process.stdout], [], [], 20)[0], said
                part = process.stdout.read1(4096)
                assert part, said
                said += part
            yield
        finally:
            process.terminate()


# ---- against its own log


def test_the_log_tells_what_programs_saw(make_lab, talk_in):
    """Packet by packet: what arrived is what the log calls passed, in order, with heads and sizes."""
    lab = make_lab(Link(up=Direction(delay_ms=5, jitter_ms=4, loss_pct=20)), seed=3)
    talk = talk_in(lab)
    talk.up(400, gap_s=0.0005, size=321)
    heard = talk.heard()
    log = lab.log("up")
    assert numbers(log) == list(range(400))
    assert numbers(log.where(log.passed)) == heard
    assert 40 < log.lost_random == 400 - len(heard) < 120
    assert log.lost_queue == 0
    assert log.loss_pct == pytest.approx(100 * log.lost_random / 400)
    assert set(log.size.tolist()) == {321}
    assert set(log.protocol.tolist()) == {UDP}
    assert set(log.source_port.tolist()) == set(log.target_port.tolist()) == {PORT}
    assert lab.counts()["up"] | {"foreign": 0} == {
        "packets": 400, "bytes": 400 * 321, "lost_random": log.lost_random, "lost_queue": 0,
        "blocked": 0, "foreign": 0, "unwritable": 0, "waiting": 0,
    }  # fmt: skip
    assert len(lab.log("down")) == 0


def test_the_same_seed_loses_the_same_packets(make_lab, talk_in):
    fates = []
    for seed in (5, 5, 6):
        lab = make_lab(both(loss_pct=10, burst=Bursts(2, 30)), seed=seed)
        talk = talk_in(lab)
        talk.up(300)
        fates.append((talk.heard(wait_s=0.2), lab.log("up").fate.tolist()))
    assert fates[0] == fates[1] != fates[2]


def test_a_full_queue_is_as_deep_as_asked_and_drains_at_the_rate(make_lab, talk_in):
    """A burst of 250 packets of 1 ms each into 100 ms of queue: 100 pass, and as many as left meanwhile."""
    lab = make_lab(Link(up=Direction(rate_mbps=12, queue_ms=100)))
    talk = talk_in(lab)
    talk.up(250, size=1500)
    heard = talk.heard()
    log = lab.log("up")
    spent_ms = (log.time_in[-1] - log.time_in[0]) * 1e3
    late_ms = float(log.late_s[log.passed].max()) * 1e3
    assert 100 <= len(heard) <= 101 + spent_ms
    assert log.lost_queue == 250 - len(heard)
    assert 98.9 < log.delay_ms.max() < 100.1 + late_ms
    came, left = log.time_in[log.passed], log.time_out[log.passed]
    kept_busy = came[1:] < left[:-1]  # not where the sender was kept from sending and the queue ran empty
    gap_s = float(np.diff(left)[kept_busy].mean())
    assert 1500 * 8 / gap_s / 1e6 == pytest.approx(12, rel=0.01 + late_ms / 100)


def test_the_link_changes_in_the_middle_of_a_run(make_lab, talk_in):
    lab = make_lab(both(delay_ms=5))
    talk = talk_in(lab)
    talk.up(100, gap_s=0.001)
    at_s = lab.change(Link(up=Direction(delay_ms=40, loss_pct=50)))
    talk.up(100, gap_s=0.001, first=100)
    talk.heard()
    log = lab.log("up")
    before, after = log.select(until=at_s), log.select(since=at_s)
    assert (len(before), before.lost) == (100, 0)
    assert before.delay_quantiles_ms(0.5)[0] == pytest.approx(5, abs=1)
    assert 25 < after.lost < 75
    assert after.delay_quantiles_ms(0.5)[0] == pytest.approx(40, abs=1)
    lab.change(Link(Direction(delay_ms=3), Direction(delay_ms=22)))
    assert median_ping_ms(lab, 20) == pytest.approx(25, abs=1)


@pytest.mark.parametrize("blocked", ["udp", "tcp"])
def test_a_blocked_protocol_does_not_pass_and_the_other_does(make_lab, talk_in, blocked):
    lab = make_lab(Link(**{f"{blocked}_blocked": True}))
    talk = talk_in(lab)
    talk.up(5)
    assert len(talk.heard(wait_s=0.3)) == (0 if blocked == "udp" else 5)
    with contextlib.closing(lab.socket("server", kind=socket.SOCK_STREAM)) as server:
        server.bind((ADDRESSES["server"], PORT))
        server.listen()
        with contextlib.closing(lab.socket("client", kind=socket.SOCK_STREAM)) as client:
            client.settimeout(0.5)
            if blocked == "tcp":
                with pytest.raises(TimeoutError):
                    client.connect((ADDRESSES["server"], PORT))
            else:
                client.connect((ADDRESSES["server"], PORT))
    log = lab.log("up").select(protocol=UDP if blocked == "udp" else TCP)
    assert lab.counts()["up"]["blocked"] == len(log) > 0
    assert np.isnan(log.loss_pct)


@pytest.mark.parametrize("congestion", ["cubic", "reno"])
def test_both_sides_use_the_congestion_control_asked_for(make_lab, congestion):
    """Whatever this machine's own is: a TCP of BBR does not see loss as patients' machines do."""
    lab = make_lab(Link(), congestion=congestion)
    with contextlib.ExitStack() as stack:
        server, client = (
            stack.enter_context(contextlib.closing(lab.socket(side, kind=socket.SOCK_STREAM)))
            for side in ("server", "client")
        )  # fmt: skip
        server.bind((ADDRESSES["server"], PORT))
        server.listen()
        client.connect((ADDRESSES["server"], PORT))
        accepted = stack.enter_context(server.accept()[0])
        used = {one.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16) for one in (client, accepted)}
    assert used == {congestion.encode().ljust(16, b"\0")}


def test_what_goes_elsewhere_is_not_on_the_link(make_lab, talk_in):
    """A browser that looks for its name server neither fills the log nor the queue."""
    lab = make_lab(Link())
    talk = talk_in(lab)
    before = lab.counts()["up"]["foreign"]
    talk.client.sendto(b"query", ("192.0.2.53", 53))
    talk.up(1)
    assert talk.heard(wait_s=0.2) == [0]
    assert lab.counts()["up"]["foreign"] == before + 1
    assert len(lab.log("up")) == 1


def test_two_labs_do_not_meet(make_lab, talk_in):
    """Same addresses, same ports, other links."""
    labs = make_lab(both(delay_ms=2)), make_lab(both(delay_ms=30))
    talks = [talk_in(lab) for lab in labs]
    for number, talk in enumerate(talks):
        talk.up(20, gap_s=0.001, first=100 * number)
    assert [talk.heard(wait_s=0.2) for talk in talks] == [list(range(20)), list(range(100, 120))]
    for lab, delay_ms in zip(labs, (2, 30), strict=True):
        assert lab.log("up").delay_quantiles_ms(0.5)[0] == pytest.approx(delay_ms, abs=1)


def test_a_wrong_command_is_told(make_lab):
    lab = make_lab(Link())
    with pytest.raises(RuntimeError, match="KeyError"):
        lab._ask({"do": "log", "way": "sideways", "folder": "."})
    assert lab.counts()["up"]["packets"] == 0


# ---- against other programs


@pytest.mark.parametrize(("up_ms", "down_ms"), [(10, 10), (60, 5)])
def test_ping_sees_the_delay(make_lab, up_ms, down_ms):
    """The median of a hundred round trips is both delays, within a millisecond."""
    lab = make_lab(Link(Direction(delay_ms=up_ms), Direction(delay_ms=down_ms)))
    assert median_ping_ms(lab, 100) == pytest.approx(up_ms + down_ms, abs=1)


@pytest.mark.alone
def test_iperf3_sees_the_rate(make_lab):
    """10 Mbit/s up and 5 down, within 5 %: its payload of 1448 in packets of 1500 bytes."""
    lab = make_lab(Link(Direction(rate_mbps=10, delay_ms=5), Direction(rate_mbps=5, delay_ms=5)))
    got = []
    with listening(lab, ["iperf3", "--server", "--forceflush"], b"listening on"):
        for way in ([], ["--reverse"]):
            command = ["iperf3", "--client", ADDRESSES["server"], "--json", "--time", "2"]
            answer = json.loads(lab.run("client", [*command, "--congestion", "cubic", *way]).stdout)
            got.append(answer["end"]["sum_received"]["bits_per_second"] / 1e6 * 1500 / 1448)
    assert got == pytest.approx([10, 5], rel=0.05)


def test_irtt_sees_loss_and_delay_of_each_direction(make_lab):
    """Its count of lost packets is the log's, up and down apart; its delays are the link's."""
    lab = make_lab(Link(Direction(delay_ms=12, loss_pct=6), Direction(delay_ms=25, loss_pct=2)), seed=2)
    with listening(lab, ["irtt", "server", "-i", "0", "-b", f"{ADDRESSES['server']}:2112"], b"listener on"):
        command = ["irtt", "client", "-Q", "-i", "4ms", "-d", "3s", "-l", "160", "-o", "-", ADDRESSES["server"]]
        answer = json.loads(lab.run("client", command).stdout)
    stats = answer["stats"]
    up, down = (lab.log(way).select(protocol=UDP, port=2112, min_size=188) for way in ("up", "down"))
    assert stats["packets_sent"] >= 300
    assert stats["upstream_loss_percent"] == pytest.approx(up.loss_pct, abs=0.2)
    assert stats["downstream_loss_percent"] == pytest.approx(down.loss_pct, abs=0.2)
    assert up.loss_pct > down.loss_pct > 0
    assert stats["rtt"]["median"] / 1e6 == pytest.approx(37, abs=1)
    assert stats["send_delay"]["median"] / 1e6 == pytest.approx(12, abs=1)
    assert stats["receive_delay"]["median"] / 1e6 == pytest.approx(25, abs=1)


# ---- the end


def namespaces() -> set[str]:
    said = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in said.splitlines()}


def test_nothing_is_left_after_an_exception(make_lab):
    class OfTheTestError(Exception):
        pass

    with pytest.raises(OfTheTestError), Lab(Link(), 1) as lab:
        sleeper = lab.popen("server", ["sleep", "600"])
        assert set(lab.namespaces.values()) <= namespaces()
        raise OfTheTestError
    assert not set(lab.namespaces.values()) & namespaces()
    assert sleeper.poll() is not None
    assert not lab._folder.exists()


@pytest.mark.parametrize(
    ("stripped", "change", "reason"),
    [
        (
            ["--bounding-set", "-all,+dac_override", "--inh-caps", "-all"],
            "pass",
            "no network namespaces with TUN devices: .+",
        ),
        ([], "os.setuid(65534)", "network namespaces need root"),
    ],
)
def test_a_machine_that_allows_no_lab_says_why(make_lab, stripped, change, reason):
    """Without the rights, the tests are skipped with a reason instead of failing."""
    tell = f"import os; from tests.link.lab import lab_unavailable; {change}; print(lab_unavailable())"
    said = subprocess.run(
        ["setpriv", *stripped, sys.executable, "-c", tell], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.fullmatch(reason, said.stdout.strip()), said


def test_nothing_is_left_after_a_crash(make_lab):
    """The process with the lab is killed: its emulator ends the programs and removes the namespaces."""
    crashed = subprocess.run([sys.executable, "-c", CRASH], cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert crashed.returncode == -signal.SIGKILL, crashed.stderr
    *left, sleeper = crashed.stdout.split()
    until_s = time.monotonic() + PATIENCE_S
    while set(left) & namespaces() or Path(f"/proc/{sleeper}").exists():
        assert time.monotonic() < until_s
        time.sleep(0.05)
