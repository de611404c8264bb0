"""A room's commands in processes of their own, with all that they say to the network kept."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tests.bench.room_pictures import SIZE, Scene

ROOT = Path(__file__).resolve().parents[2]
FAKES = Path(__file__).with_name("fakes")
HEADERS_OF_DATAGRAM = 28
"""IPv4 and UDP."""
SEGMENT = 1448
HEADERS_OF_SEGMENT = 60
"""IPv4 and TCP with time stamps, and half an acknowledgement."""


@dataclass
class Wire:
    """Commands with a made sound card whose devices are called `mark`, and a folder for what they say."""

    folder: Path
    mark: str = ""
    more: tuple[tuple[str, str], ...] = ()

    async def room(self, *arguments: str) -> tuple[int, bytes]:
        """Run ``readiness room`` and return its status and all that it printed."""
        self.folder.mkdir(exist_ok=True)
        paths = [FAKES / "wire", FAKES, ROOT] if not self.more else [FAKES / "wire", ROOT]
        environment = {
            **os.environ, "WIRE_FOLDER": str(self.folder), "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "FAKE_CARD": "works", "FAKE_CARD_MARK": self.mark, "LC_ALL": "C", **dict(self.more),
        }  # fmt: skip
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "readiness", "room", *arguments, cwd=ROOT, env=environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await child.communicate()
        return child.returncode or 0, said

    def said(self) -> bytes:
        """Every payload of every process so far."""
        return b"\n".join(path.read_bytes() for path in sorted(self.folder.glob("*.bytes")))

    def line_bytes(self) -> int:
        """Payloads and headers of packets, both ways, as a line carries them."""
        payload = sum(path.stat().st_size for path in self.folder.glob("*.bytes"))
        datagrams = sum(path.stat().st_size for path in self.folder.glob("*.datagrams"))
        return payload + datagrams * HEADERS_OF_DATAGRAM + payload // SEGMENT * HEADERS_OF_SEGMENT

    def clear(self) -> None:
        """Begin to count anew."""
        for path in self.folder.glob("*"):
            path.unlink()


def film_of(scene: Scene, path: Path, *, scale: int = 2, seconds: float = 4.0) -> None:
    """Write a film of an empty room, as a camera of this PC would give it."""
    size = (SIZE[0] * scale, SIZE[1] * scale)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, size)
    view = cv2.resize(scene.view(), size, interpolation=cv2.INTER_CUBIC)
    rng = np.random.default_rng(1)
    for _ in range(round(15 * seconds)):
        writer.write(np.clip(view + rng.integers(-8, 8, view.shape), 0, 255).astype(np.uint8))
    writer.release()
