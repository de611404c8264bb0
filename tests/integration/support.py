"""A real server in a process of its own, started as an operator starts it, and small helpers around it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from readiness.server.health import default_route_address

ROOT = Path(__file__).parents[2]
CLIP_FOLDER = ROOT / ".cache" / "clips"
START_S = 90.0
"""Generous: a cold start takes 3 s, or 36 s where eight other programs keep two cores busy (measured)."""


class ServerProcess:
    """`readiness serve --json` in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log_file = log
        self.links: dict[str, str] = {}
        self.started_s = 0.0

    @property
    def base(self) -> str:
        return self.links["base_url"]

    @property
    def port(self) -> int:
        return int(self.base.rsplit(":", 1)[1])

    @property
    def log(self) -> str:
        """What it said on standard error."""
        return self.log_file.read_text()

    def web_processes(self) -> list[psutil.Process]:
        """The processes that answer on the port: this one, or its children where there are several."""
        found = []
        for process in (psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                listening = [c for c in process.net_connections(kind="tcp") if c.status == psutil.CONN_LISTEN]
                if any(c.laddr.port == self.port for c in listening):
                    found.append(process)
        return found

    def owner_of(self, client_port: int) -> psutil.Process:
        """The web process at the other end of a client's TCP connection."""
        for process in self.web_processes():
            for connection in process.net_connections(kind="tcp"):
                if connection.raddr and connection.raddr.port == client_port:
                    return process
        raise LookupError(f"nobody holds the connection from port {client_port}")

    def media_worker_on(self, udp_port: int) -> psutil.Process:
        """The media worker that has `udp_port`. It lets nobody look into it, so an ordinary user asks through sudo."""
        if os.geteuid() != 0:
            asked = ["sudo", "-n", program("ss"), "-lunpH", f"sport = :{udp_port}"]
            told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
            if found := re.search(r"pid=(\d+)", told):
                return psutil.Process(int(found[1]))
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(c.laddr.port == udp_port for c in process.net_connections(kind="udp")):
                    return process
        raise LookupError(f"no media worker has UDP port {udp_port}")

    def at(self, host: str, link: str = "selftest_url") -> str:
        """A link of the demo, opened under another name of this host."""
        return self.links[link].replace("//127.0.0.1:", f"//{host}:")

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(75)


def settings_env(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """The environment of a server: no setting of the machine, a data folder of its own, a free port."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("READINESS_") and not name.lower().endswith("_proxy")
    }
    wanted = {"PORT": "0", "DATA_DIR": str(folder / "data"), **settings}
    return own | {f"READINESS_{name}": value for name, value in wanted.items()}


@contextlib.contextmanager
def serving(
    folder: Path, *arguments: str, command: tuple[str, ...] | None = None, cwd: Path = ROOT, **settings: str
) -> Iterator[ServerProcess]:
    """Start a server with `settings` (names without prefix), and stop it in the end. It must serve within 90 s."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    began = time.monotonic()
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [*(command or (sys.executable, "-m", "readiness")), "serve", "--json", *arguments],
            cwd=cwd, env=settings_env(folder, settings), stdout=subprocess.PIPE, stderr=errors, text=True,
        ) as process,
    ):  # fmt: skip
        server = ServerProcess(process, log)
        try:
            line = _first_line(process, START_S)
            if not line:
                raise AssertionError(f"the server did not start:\n{server.log}")
            server.links = json.loads(line)
            server.started_s = time.monotonic() - began
            yield server
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.stop()
            if process.poll() is None:
                process.kill()


def _first_line(process: subprocess.Popen[str], timeout_s: float) -> str:
    """The first line on standard output; empty when it ended instead."""
    stdout: Any = process.stdout
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        return stdout.readline() if selector.select(timeout_s) else ""


def free_port() -> int:
    """A TCP port on loopback that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def free_udp_range(size: int) -> tuple[int, int]:
    """The first and last of `size` UDP ports in a row that nobody has."""
    for low in random.sample(range(42_000, 60_000, size), 200):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(low, low + size):
                    stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("0.0.0.0", port))
            except OSError:
                continue
            return low, low + size - 1
    raise RuntimeError("no free UDP ports")


def host_address() -> str:
    """The address that others reach this host at."""
    address = default_route_address()
    if address is None:
        raise RuntimeError("these tests need a default route: Firefox does not connect to loopback alone")
    return address


def program(name: str) -> str:
    """The path of a program that the tests drive (`.ci/install-system` installs them)."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if found is None:
        raise RuntimeError(f"{name} is missing; run .ci/install-system")
    return found


def certificate(folder: Path, *, address: str = "127.0.0.1") -> tuple[Path, Path]:
    """A self-signed certificate for `address` and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=readiness.test", "-addext", f"subjectAltName=IP:{address},DNS:localhost",
            "-keyout", key, "-out", cert,
        ],
        check=True, capture_output=True, timeout=150,
    )  # fmt: skip
    return cert, key


def candidates(sdp: str) -> list[tuple[str, int]]:
    """Address and port of each candidate of an answer."""
    fields = [line.split() for line in sdp.splitlines() if line.startswith("a=candidate:")]
    return [(field[4], int(field[5])) for field in fields]
