"""What a worker of a test can reach by UDP: ``unshare --net python -m tests.security.way_out_udp MODE [RULES]``.

MODE is ``nobody`` (what a worker becomes where the server was started as root), ``root`` (where nobody can't read
Python: root without capabilities), ``user`` (a user of its own) or ``helper`` (what needs no media); RULES is a file
for nft. Says one JSON object: way to "arrives", "refused" or "lost".
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import pwd
import socket
import subprocess
import sys

from readiness.media.limits import HEAVY_LIMITS, WorkerLimits
from readiness.media.sandbox import confine

codecs.lookup("ascii")  # nobody may not read a Python below /root
USER = 12345
HERE, INNER = "127.0.0.1", "10.9.9.1"
PORT, NAMES = 7001, 53
MULTICAST = ("239.9.9.9", 7002)


def in_a_net_of_its_own() -> None:
    """Loopback and one inner address; nothing leads anywhere else."""
    for command in (
        "link set lo up",
        "link add inner type veth peer name outer",
        "link set outer up",
        f"addr add {INNER}/24 dev inner",
        "link set inner up",
        "route add 239.0.0.0/8 dev inner",
    ):
        subprocess.run(["ip", *command.split()], check=True)


def worker(channel: socket.socket, mode: str) -> None:
    """Confine this process and try each way; then answer whoever writes first."""
    if mode in {"user", "nobody"}:
        uid = USER if mode == "user" else pwd.getpwnam("nobody").pw_uid
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    walls = confine(channel.fileno(), HEAVY_LIMITS if mode == "helper" else WorkerLimits())
    if mode == "root" and walls.user:
        os._exit(2)  # it became nobody, which is tried by itself
    said: dict[str, str] = {}

    def tried(name: str, address: tuple[str, int], *, broadcast: bool = False, port: int = 0) -> None:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                if broadcast:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                if port:
                    sock.bind((INNER, port))
                sock.sendto(name.encode(), address)
            said[name] = "sent"
        except OSError:
            said[name] = "refused"

    tried("a service on this machine", (HERE, PORT))
    tried("an inner address", (INNER, PORT))
    tried("the name server", (INNER, NAMES))
    tried("a group of machines", MULTICAST)
    tried("a whole network", ("10.9.9.255", PORT), broadcast=True)
    tried("from a port of the system's", (INNER, PORT), port=67)
    channel.sendall(json.dumps(said).encode())
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((INNER, 0))
        channel.sendall(str(sock.getsockname()[1]).encode())
        _, peer = sock.recvfrom(10)
        sock.sendto(b"answer", peer)
    os._exit(0)


def main() -> None:
    """Make the net and the services, let the worker try, and say what arrived."""
    mode, rules = sys.argv[1], sys.argv[2:]
    in_a_net_of_its_own()
    if rules:
        subprocess.run(["nft", "-f", rules[0]], check=True)
    heard: dict[str, socket.socket] = {}
    for address in ((HERE, PORT), (INNER, PORT), (INNER, NAMES)):
        heard[f"{address}"] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        heard[f"{address}"].bind(address)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        worker(theirs, mode)
    theirs.close()
    told = ours.recv(65536)
    if not told:
        print(json.dumps(None))
        return
    said = json.loads(told)
    arrived = set()
    for sock in heard.values():
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                arrived.add(sock.recv(100).decode())
    names = {name: "arrives" if name in arrived else what.replace("sent", "lost") for name, what in said.items()}
    names["a group of machines"] = names["a group of machines"].replace("lost", "arrives")  # nobody listens there
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(30)
        peer.bind((INNER, 0))
        port = ours.recv(10)
        if port:
            peer.sendto(b"first", (INNER, int(port)))
            names["whoever wrote first"] = "arrives" if peer.recv(10) == b"answer" else "lost"
        else:
            names["whoever wrote first"] = "refused"
    print(json.dumps(names))


if __name__ == "__main__":
    main()
