"""A laboratory: two network namespaces with an emulated link between them, programs in them, and the link's log.

See the package's docstring for what is emulated.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tests.link import emulator
from tests.link.model import Link

if TYPE_CHECKING:  # what browsers and our server need is imported where they are launched: a lab starts in 0.1 s
    from playwright.async_api import Browser, Playwright

    from tests.integration.firefox import FirefoxPage
    from tests.integration.support import ServerProcess

__all__ = ["ADDRESSES", "TCP", "UDP", "Lab", "PacketLog", "lab_unavailable"]

ROOT = Path(__file__).parents[2]
Side = Literal["client", "server"]
Way = Literal["up", "down"]
ADDRESSES: dict[Side, str] = {"client": "10.98.0.1", "server": "10.98.0.2"}
PREFIX: dict[Side, str] = {"client": "rdc", "server": "rds"}
UDP, TCP = emulator.UDP, emulator.TCP
QUEUE_PACKETS = 2000
"""Depth of a TUN device's own queue: it holds what comes while the emulator is late, and must not drop."""
ANSWER_S = 20.0
"""Longest wait for the emulator: a start takes 0.1 s on an idle machine."""
_numbers = itertools.count()


@dataclass(frozen=True)
class PacketLog:
    """Packets of one direction in the order in which they went in; one row of each array is one packet."""

    time_in: NDArray[np.float64]
    """When it went in, s on ``time.monotonic()``."""
    time_out: NDArray[np.float64]
    """When it came out, s; NaN where it did not (yet)."""
    late_s: NDArray[np.float32]
    """How much later it came out than the model said, s: the emulator's own fault."""
    size: NDArray[np.uint16]
    """Bytes, IP head included."""
    protocol: NDArray[np.uint8]
    source_port: NDArray[np.uint16]
    target_port: NDArray[np.uint16]
    fate: NDArray[np.uint8]
    """`emulator.PASSED`, `LOST_RANDOM`, `LOST_QUEUE`, `BLOCKED` or `ON_ITS_WAY`."""
    head: NDArray[np.uint8]
    """First 16 bytes of the UDP payload, or of what follows the IP head of another protocol; zeros after its end."""

    @classmethod
    def read(cls, folder: Path, way: Way) -> PacketLog:
        """The log that the emulator wrote into `folder`."""
        columns = {
            name: np.fromfile(folder / f"{way}.{name}", dtype=np.dtype(kind))
            for name, kind in emulator.COLUMNS.items()
        }  # fmt: skip
        return cls(**{**columns, "head": columns["head"].reshape(-1, emulator.HEAD_BYTES)})

    def __len__(self) -> int:
        return len(self.time_in)

    def where(self, chosen: NDArray[np.bool_]) -> PacketLog:
        """The packets where `chosen` is true."""
        return replace(self, **{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def select(
        self,
        *,
        protocol: int | None = None,
        port: int | None = None,
        min_size: int = 0,
        max_size: int = 65535,
        since: float = -np.inf,
        until: float = np.inf,
    ) -> PacketLog:
        """The packets that fit: `port` at either end, sizes included, gone in from `since` on and before `until`."""
        chosen = np.asarray((self.size >= min_size) & (self.size <= max_size))
        chosen &= (self.time_in >= since) & (self.time_in < until)
        if protocol is not None:
            chosen &= self.protocol == protocol
        if port is not None:
            chosen &= (self.source_port == port) | (self.target_port == port)
        return self.where(chosen)

    @property
    def passed(self) -> NDArray[np.bool_]:
        """Which packets came out."""
        return self.fate == emulator.PASSED

    @property
    def lost(self) -> int:
        """Packets lost at random or in the full queue."""
        return self.lost_random + self.lost_queue

    @property
    def lost_random(self) -> int:
        return int(np.count_nonzero(self.fate == emulator.LOST_RANDOM))

    @property
    def lost_queue(self) -> int:
        return int(np.count_nonzero(self.fate == emulator.LOST_QUEUE))

    @property
    def loss_pct(self) -> float:
        """Share of lost packets among those that were lost or came out, %; NaN for none."""
        decided = self.lost + int(np.count_nonzero(self.passed))
        return 100 * self.lost / decided if decided else float("nan")

    @property
    def delay_ms(self) -> NDArray[np.float64]:
        """One-way delay of each packet that came out, ms."""
        return np.asarray((self.time_out - self.time_in)[self.passed] * 1e3)

    def delay_quantiles_ms(self, *shares: float) -> list[float]:
        """One-way delay that each share (0 to 1) of the packets keeps, ms."""
        return [float(value) for value in np.quantile(self.delay_ms, shares)]

    @property
    def extra_delay_ms(self) -> NDArray[np.float64]:
        """Delay of each packet above that of the quickest one, ms."""
        delay_ms = self.delay_ms
        return delay_ms - delay_ms.min()

    @property
    def extra_delay_p95_ms(self) -> float:
        """95 % of the packets took at most this much longer than the quickest one, ms."""
        return float(np.quantile(self.extra_delay_ms, 0.95))

    @property
    def carried_mbps(self) -> float:
        """Rate at which packets came out, Mbit/s with IP heads: bytes after the first packet over the time since it."""
        return _mbps(self.time_out[self.passed], self.size[self.passed])

    @property
    def offered_mbps(self) -> float:
        """Rate at which packets went in, Mbit/s with IP heads."""
        return _mbps(self.time_in, self.size)


def _mbps(times: NDArray[np.float64], sizes: NDArray[np.uint16]) -> float:
    if len(times) < 2 or times[-1] <= times[0]:
        return float("nan")
    return float(sizes[1:].sum(dtype=np.int64) * 8 / (times[-1] - times[0]) / 1e6)


class Lab:
    """Two sides and the link between them; use it in a ``with`` block. Several at once do not meet."""

    def __init__(self, link: Link, seed: int, *, congestion: str = "cubic") -> None:
        """`congestion` is the TCP congestion control of both sides: what most machines use, not what this one does."""
        self.link = link
        self.real_time = False
        """Whether the emulator was given real-time priority."""
        number = next(_numbers)
        self.namespaces: dict[Side, str] = {
            side: f"{PREFIX[side]}{os.getpid()}" + (f"-{number}" if number else "") for side in ADDRESSES
        }
        self._seed = seed
        self._congestion = congestion
        self._closing = contextlib.ExitStack()
        self._emulator: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        sweep()
        self._folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="readiness-link-")))
        for name in self.namespaces.values():
            _ip("netns", "add", name)
            self._closing.callback(emulator.end_namespace, name)
        given = {
            "namespaces": self.namespaces,
            "addresses": ADDRESSES,
            "link": self.link.to_json(),
            "seed": self._seed,
            "folder": str(self._folder),
        }
        self._emulator = subprocess.Popen(
            [sys.executable, "-S", "-m", "tests.link.emulator", json.dumps(given)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0,
        )  # fmt: skip
        self._closing.callback(self._end_emulator)
        self.real_time = self._answer()["real_time"]
        for side, address in ADDRESSES.items():
            _ip_batch(
                self.namespaces[side],
                "link set lo up",
                f"link set {emulator.DEVICE} addrgenmode none mtu {emulator.MTU} txqueuelen {QUEUE_PACKETS} up",
                f"addr add {address}/24 dev {emulator.DEVICE} noprefixroute",
                f"route add default dev {emulator.DEVICE} congctl {self._congestion}",
            )

    def close(self) -> None:
        """End every program in the lab and remove it."""
        self._closing.close()

    # ---- programs

    def popen(self, side: Side, argv: Sequence[str | Path], **options: Any) -> subprocess.Popen[Any]:
        """Start a program on one side; it ends with the lab at the latest."""
        process = subprocess.Popen([*self._inside(side), *map(str, argv)], **options)
        self._closing.callback(_end, process)
        return process

    def run(self, side: Side, argv: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program on one side and return what it said as text."""
        defaults = {"capture_output": True, "text": True, "check": True, "timeout": 60}
        try:
            return subprocess.run([*self._inside(side), *map(str, argv)], **(defaults | options))
        except subprocess.CalledProcessError as error:
            error.add_note(f"{error.stdout}\n{error.stderr}")
            raise

    def socket(self, side: Side, family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        """A socket of this process that lives on one side."""
        with emulator.inside(self.namespaces[side]):
            return socket.socket(family, kind)

    def wrapper(self, side: Side, path: str) -> Path:
        """An executable file that runs the program at `path` on one side with whatever arguments it gets."""
        script = self._folder / f"{side}-{Path(path).name}"
        script.write_text(f'#!/bin/sh\nexec {" ".join(self._inside(side))} {path} "$@"\n')
        script.chmod(0o755)
        return script

    def serve(self, folder: Path, *arguments: str, **settings: str) -> ServerProcess:
        """Start our server on its side with a demo meeting: `base` and `links` are open to the client.

        `settings` are READINESS_ variables without the prefix.
        """
        from tests.integration.support import serving

        command = (*self._inside("server"), sys.executable, "-m", "readiness")
        wanted: dict[str, Any] = {"HOST": ADDRESSES["server"], **settings}
        return self._closing.enter_context(serving(folder, "--demo", *arguments, command=command, **wanted))

    async def chromium(
        self,
        playwright: Playwright,
        *,
        base: str,
        camera: str = "good",
        microphone: str = "voice_good",
        arguments: Sequence[str] = (),
    ) -> Browser:
        """Launch Chromium on the client's side; pages of `base` count as secure, clips stand in for devices."""
        from tests.data.clips import camera_clip, microphone_clip
        from tests.integration.chromium import FLAGS
        from tests.integration.support import CLIP_FOLDER, program

        flags = [
            *FLAGS,
            f"--use-file-for-fake-video-capture={camera_clip(camera, CLIP_FOLDER)}",
            f"--use-file-for-fake-audio-capture={microphone_clip(microphone, CLIP_FOLDER)}",
            f"--unsafely-treat-insecure-origin-as-secure={base}",
            "--disable-features=WebRtcHideLocalIpsWithMdns",
            *arguments,
        ]
        return await playwright.chromium.launch(
            executable_path=self.wrapper("client", program("chromium")), args=flags
        )  # fmt: skip

    def firefox(self, profile: Path) -> AbstractAsyncContextManager[FirefoxPage]:
        """A Firefox on the client's side, driven by this process; our server counts as secure."""
        import aiohttp

        from tests.integration.firefox import firefox

        def make_socket(info: tuple[Any, ...]) -> socket.socket:
            one = self.socket("client", info[0], info[1])
            one.setblocking(False)
            return one

        connector = aiohttp.TCPConnector(socket_factory=make_socket)
        secure = [ADDRESSES["server"]]
        return firefox(profile, treat_as_secure=secure, command=self._inside("client"), connector=connector)

    # ---- the link

    def change(self, link: Link) -> float:
        """Make the link another from now on; returns when that was, s on ``time.monotonic()``."""
        self.link = link
        return float(self._ask({"do": "change", "link": link.to_json()})["at_s"])

    def log(self, way: Way) -> PacketLog:
        """Every packet of one direction so far."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            self._ask({"do": "log", "way": way, "folder": folder})
            return PacketLog.read(Path(folder), way)

    def counts(self) -> dict[str, dict[str, int]]:
        """Packets by fate, for each direction."""
        return self._ask({"do": "counts"})

    # ---- within

    def _inside(self, side: Side) -> list[str]:
        return _entering(self.namespaces[side])

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._emulator and self._emulator.stdin, "the lab is not open"
        self._emulator.stdin.write(json.dumps(command).encode() + b"\n")
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._emulator and self._emulator.stdout
        line = b""
        until = time.monotonic() + ANSWER_S
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._emulator.stdout], [], [], max(0.0, until - time.monotonic()))
            part = self._emulator.stdout.read(65536) if ready else b""
            if not part:
                raise RuntimeError(f"the link emulator says nothing; its exit status is {self._emulator.poll()}")
            line += part
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"the link emulator: {answer['error']}")
        return answer

    def _end_emulator(self) -> None:
        assert self._emulator and self._emulator.stdin and self._emulator.stdout
        with contextlib.suppress(OSError):
            self._emulator.stdin.write(b'{"do": "stop"}\n')
        self._emulator.stdin.close()
        try:
            self._emulator.wait(10)
        except subprocess.TimeoutExpired:
            self._emulator.kill()
            self._emulator.wait(10)
        self._emulator.stdout.close()


def sweep() -> None:
    """Remove namespaces of labs whose process is gone and whose emulator was killed with it."""
    for path in Path("/run/netns").glob("rd[cs]*"):
        owner = path.name[3:].partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            emulator.end_namespace(path.name)


@functools.cache
def lab_unavailable() -> str | None:
    """Why no lab can be built here; None where it can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces need Linux"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "`ip` is missing; run .ci/install-system"
    name = f"rdt{os.getpid()}"
    try:
        _ip("netns", "add", name)
        try:
            script = "import sys; from tests.link.emulator import open_tun; open_tun(sys.argv[1])"
            subprocess.run([sys.executable, "-S", "-c", script, name], cwd=ROOT, check=True, capture_output=True)
        finally:
            _ip("netns", "del", name)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        return f"no network namespaces with TUN devices: {said[-1] if said else error}"
    return None


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _ip_batch(namespace: str, *lines: str) -> None:
    batch = [*_entering(namespace), "ip", "-batch", "-"]
    subprocess.run(batch, input="\n".join(lines).encode(), check=True, capture_output=True)


def _entering(namespace: str) -> list[str]:
    """What a command begins with to run in a namespace; `ip netns exec` would remount /sys, which no chroot allows."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


def _end(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
