"""The process between two namespaces: reads packets from one TUN device, writes them to the other at their time.

Started by `lab.Lab` with one JSON argument. Takes one JSON command a line on standard input and answers each with one
line on standard output. When its input ends without "stop" its parent has died: then it ends what still runs in the two
namespaces and removes them and the lab's folder, so that a crashed test leaves nothing behind. Only the standard
library, to start fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from array import array
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.link.model import Channel, Link

COLUMNS = {
    "time_in": "d",
    "time_out": "d",
    "late_s": "f",
    "size": "H",
    "protocol": "B",
    "source_port": "H",
    "target_port": "H",
    "fate": "B",
    "head": "B",
}
"""Columns of the log, each an array of this type; `head` has `HEAD_BYTES` for each packet."""
HEAD_BYTES = 16
"""First bytes of the UDP payload (or of what follows the IP head) that are kept, enough to know a packet again."""
PASSED, LOST_RANDOM, LOST_QUEUE, BLOCKED, ON_ITS_WAY = range(5)
DEVICE = "eth0"
"""Name of the TUN device: browsers take other names for a VPN."""
UDP, TCP = 17, 6
IPV4 = 4
"""The only version on the link. The kernel announces itself by IPv6 too, some time after the device is up."""
MTU = 1500
BATCH = 4
"""Packets read from one device before looking at the clock for what is due."""
SPIN_S = 60e-6
"""The last part of a wait is spent looking at the clock: a sleep ends this late."""
LOOK_S = 1.0
"""Between looks whether the parent still lives."""
PRIORITY = 20
"""Real-time priority, so that a busy machine does not make the link late."""

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_PR_SET_TIMERSLACK = 29
_SCHED_RESET_ON_FORK = 0x40000000


class Way:
    """One direction: where packets come from and go to, what the link does to them, and what was written down."""

    def __init__(self, name: str, source: int, target: int, far_address: bytes, channel: Channel) -> None:
        self.name = name
        self.source = source
        self.target = target
        self.far_address = far_address
        self.channel = channel
        self.blocked = 0
        self.foreign = 0
        """Packets to other addresses than the far end's: browsers look for name servers and the like."""
        self.unwritable = 0
        self.waiting: deque[tuple[float, bytes, int]] = deque()
        self.columns: dict[str, array[Any]] = {name: array(kind) for name, kind in COLUMNS.items()}

    def take_in(self, blocked_protocols: frozenset[int]) -> bool:
        """Read one packet and decide its fate. False when there is none."""
        try:
            packet = os.read(self.source, MTU + 100)
        except BlockingIOError:
            return False
        now_s = time.monotonic()
        if packet[0] >> 4 != IPV4:
            return True
        if packet[16:20] != self.far_address:
            self.foreign += 1
            return True
        size, protocol, ip_head = len(packet), packet[9], (packet[0] & 15) * 4
        channel = self.channel
        out_s = None
        if protocol in blocked_protocols:
            self.blocked += 1
            fate = BLOCKED
        else:
            full = channel.lost_queue
            out_s = channel.offer(now_s, size)
            fate = ON_ITS_WAY if out_s is not None else LOST_QUEUE if channel.lost_queue > full else LOST_RANDOM
        columns = self.columns
        if out_s is not None:
            self.waiting.append((out_s, packet, len(columns["size"])))
        has_ports = protocol in (UDP, TCP) and not (packet[6] & 0x1F or packet[7])
        columns["time_in"].append(now_s)
        columns["time_out"].append(float("nan"))
        columns["late_s"].append(float("nan"))
        columns["size"].append(size)
        columns["protocol"].append(protocol)
        columns["source_port"].append(packet[ip_head] << 8 | packet[ip_head + 1] if has_ports else 0)
        columns["target_port"].append(packet[ip_head + 2] << 8 | packet[ip_head + 3] if has_ports else 0)
        columns["fate"].append(fate)
        start = ip_head + 8 if protocol == UDP else ip_head
        columns["head"].frombytes(packet[start : start + HEAD_BYTES].ljust(HEAD_BYTES, b"\0"))
        return True

    def give_out(self) -> None:
        """Write the first packet that waits to the far side, now."""
        due_s, packet, row = self.waiting.popleft()
        now_s = time.monotonic()
        try:
            os.write(self.target, packet)
        except OSError:
            self.unwritable += 1
        self.columns["time_out"][row] = now_s
        self.columns["late_s"][row] = now_s - due_s
        self.columns["fate"][row] = PASSED

    def counts(self) -> dict[str, int]:
        """What happened to the packets so far."""
        channel = self.channel
        return {
            "packets": channel.packets,
            "bytes": channel.bytes,
            "lost_random": channel.lost_random,
            "lost_queue": channel.lost_queue,
            "blocked": self.blocked,
            "foreign": self.foreign,
            "unwritable": self.unwritable,
            "waiting": len(self.waiting),
        }

    def write_log(self, folder: Path) -> int:
        """Write each column into a file of its own; returns the number of packets."""
        for name, column in self.columns.items():
            with (folder / f"{self.name}.{name}").open("wb") as file:
                column.tofile(file)
        return len(self.columns["size"])


class Emulator:
    """Both ways, the clock and the commands."""

    def __init__(self, fds: dict[str, int], addresses: dict[str, str], link: Link, seed: int) -> None:
        far = {side: bytes(map(int, address.split("."))) for side, address in addresses.items()}
        self.up = Way("up", fds["client"], fds["server"], far["server"], Channel(link.up, f"{seed}/up"))
        self.down = Way("down", fds["server"], fds["client"], far["client"], Channel(link.down, f"{seed}/down"))
        self.blocked = _blocked(link)
        self.stopping = False
        self._typed = b""

    def run(self) -> bool:
        """Forward packets until told to stop (True) or until the parent has died (False)."""
        ways = (self.up, self.down)
        fds = [self.up.source, self.down.source, 0]
        parent = os.getppid()
        look_s = 0.0
        monotonic = time.monotonic
        while not self.stopping:
            next_s = float("inf")
            for way in ways:
                waiting = way.waiting
                while waiting and waiting[0][0] <= monotonic():
                    way.give_out()
                if waiting:
                    next_s = min(next_s, waiting[0][0])
            now_s = monotonic()
            if now_s >= look_s:
                if os.getppid() != parent:
                    return False
                look_s = now_s + LOOK_S
            wait_s = min(next_s, look_s) - now_s
            ready = select.select(fds, (), (), wait_s - SPIN_S if wait_s > SPIN_S else 0)[0]
            for way in ways:
                if way.source in ready:
                    for _ in range(BATCH):
                        if not way.take_in(self.blocked):
                            break
            if 0 in ready and not self._listen():
                return False
        return True

    def _listen(self) -> bool:
        """Obey the commands that have come in. False at the end of input."""
        typed = os.read(0, 65536)
        if not typed:
            return False
        *lines, self._typed = (self._typed + typed).split(b"\n")
        for line in lines:
            try:
                answer = self._obey(json.loads(line))
            except (ValueError, KeyError, TypeError, OSError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            _say(answer)
        return True

    def _obey(self, command: dict[str, Any]) -> dict[str, Any]:
        match command["do"]:
            case "change":
                link = Link.from_json(command["link"])
                now_s = time.monotonic()
                self.up.channel.change(link.up, now_s)
                self.down.channel.change(link.down, now_s)
                self.blocked = _blocked(link)
                return {"at_s": now_s}
            case "counts":
                return {way.name: way.counts() for way in (self.up, self.down)}
            case "log":
                way = {"up": self.up, "down": self.down}[command["way"]]
                return {"packets": way.write_log(Path(command["folder"]))}
            case "stop":
                self.stopping = True
                return {}
            case other:
                raise ValueError(f"unknown command {other!r}")


def end_namespace(name: str) -> None:
    """Remove a namespace of ours and end what runs in it. Silent where it is gone already.

    The name goes first, so that a program which is just being started gets in no more.
    """
    try:
        held = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        for pid in _running_in(os.fstat(held).st_ino):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    finally:
        os.close(held)


def _running_in(inode: int) -> list[int]:
    """Return the processes in the network namespace with this inode, but this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and entry.name != str(os.getpid()):
            with contextlib.suppress(OSError):  # it has ended, or is not ours to look into
                if (entry / "ns" / "net").stat().st_ino == inode:
                    found.append(int(entry.name))
    return found


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Move this thread into a named network namespace and back again."""
    with Path("/proc/thread-self/ns/net").open("rb") as home, Path("/run/netns", name).open("rb") as there:
        _set_namespace(there.fileno(), name)
        try:
            yield
        finally:
            _set_namespace(home.fileno(), "home")


def open_tun(namespace: str) -> int:
    """Make the TUN device in a namespace."""
    with inside(namespace):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
    return fd


def _set_namespace(fd: int, name: str) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def _be_punctual() -> bool:
    """Take what helps to wake up on time; returns whether real-time priority was given."""
    gc.disable()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | _SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, -15)
        return False
    return True


def _blocked(link: Link) -> frozenset[int]:
    return frozenset([UDP] * link.udp_blocked + [TCP] * link.tcp_blocked)


def _say(answer: dict[str, Any]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Run until stopped; `sys.argv[1]` names the namespaces, addresses, link and seed."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    given = json.loads(sys.argv[1])
    namespaces = given["namespaces"]
    stopped = False
    try:
        fds = {side: open_tun(name) for side, name in namespaces.items()}
        emulator = Emulator(fds, given["addresses"], Link.from_json(given["link"]), given["seed"])
        _say({"pid": os.getpid(), "real_time": _be_punctual()})
        stopped = emulator.run()
    finally:
        if not stopped:
            for name in namespaces.values():
                end_namespace(name)
            shutil.rmtree(given["folder"], ignore_errors=True)


if __name__ == "__main__":
    main()
