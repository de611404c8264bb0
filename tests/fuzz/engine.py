"""What every fuzz target shares: repeatable mutation, the loop, and what is looked at meanwhile (RTC-2).

A target is handed bytes and answers with the code of what became of them. Whatever else it raises is a finding, as is
an input that takes more than a second of processor time, a code of no known form, and memory, descriptors or tasks that
do not come back. These are looked at several times in a run, after the target has let go of what it holds and the
allocator of what is free, so that what is left is a leak; the looks stand in the outcome and tell a step that ends
from a slope that goes on. Inputs that once crashed are kept in ``tests/data/fuzz/<target>`` and come first in every
run.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import hashlib
import random
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

KEPT = Path(__file__).parents[1] / "data" / "fuzz"
WARM_UP, WARM_UP_SHARE = 300, 5
"""Inputs before memory is compared, or the fifth part of a long run: caches, arenas, compiled schemas."""
SLOW_CPU_S = 1.0
HANG_CPU_S = 5.0
"""What uses so much is broken off."""
LOOKS = 8
"""How many times in a run it is looked at what is held."""
LOOKS_AGAIN = 5
"""A leak stays; a connection that the other side is just closing does not."""
MOST_GROWTH = 1.05
"""Of memory, from the end of the warm-up to the end of the run."""
MOST_FOUND = 20
"""After so many findings a run ends: they are of few kinds."""
CODE = re.compile(r"(answered|[a-z][a-z0-9_]*(\.[a-z0-9_]+)*)(:\d{3})?")
SEED = 20261129
ODD = (
    b"\x00",
    b"\xff",
    b"\xff\xff",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80",
    b"\x80\x00\x00\x00",
    b"\r\n",
    b"\n",
    b'"',
    b"\\",
    b"%s",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"NaN",
    b"\\ud800",
    b"{",
    b"[",
    b"}",
    b",",
    b";",
    b":",
    b"=",
    b"\t",
    b" " * 64,
    b"A" * 3000,
)


class Hang(BaseException):
    """Raised in whatever does not end; no handler for ordinary errors takes it."""


def _hang(_number: int, _frame: object) -> None:
    raise Hang("does not end")


class Target(Protocol):
    """One kind of input. `seeds` are right ones; `change` makes a grammar's own mistakes on top of the bytes'."""

    seeds: Sequence[bytes]
    bytes_share: float
    """How many of the mistakes are made in the bytes, whatever they mean."""

    def change(self, rng: random.Random, data: bytes) -> bytes: ...

    async def take(self, data: bytes) -> str: ...

    async def close(self) -> None:
        """Let go of what is held between inputs; `take` may come again."""


class Stateless:
    """A target that holds nothing between inputs."""

    async def close(self) -> None:
        return None


Make = Callable[[], contextlib.AbstractAsyncContextManager[Target]]


@dataclass(slots=True)
class Outcome:
    """What a run saw."""

    target: str
    tried: int
    found: list[str]
    codes: Counter[str]
    slowest_cpu_s: float
    took_s: float
    looks: list[dict[str, int]]
    """What was held at the end of the warm-up, several times after it, and at the end."""

    @property
    def grown(self) -> list[str]:
        """What did not come back: any descriptor or task, more than 5 % of memory, or objects that grow to the end."""
        before, after = self.looks[0], self.looks[-1]
        names = [name for name in ("descriptors", "tasks") if after[name] > before[name]]
        if after["rss_kb"] > MOST_GROWTH * before["rss_kb"]:
            names.append("rss_kb")
        return names + [name for name in ("blocks", "heap_kb") if _climbs([look[name] for look in self.looks])]

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.target, "tried": self.tried, "found": self.found, "grown": self.grown,
            "slowest_cpu_s": round(self.slowest_cpu_s, 3), "took_s": round(self.took_s, 1),
            "codes": dict(self.codes.most_common(40)), "before": self.looks[0], "after": self.looks[-1],
            "trail": {name: [look[name] for look in self.looks] for name in self.looks[0]},
        }  # fmt: skip


def _climbs(values: Sequence[int]) -> bool:
    """Whether a figure grew by more than 1 % and from each third of the run to the next: a slope, not a step."""
    third = len(values) // 3
    if not third:
        return False
    first, middle, last = min(values[:third]), min(values[third:-third]), min(values[-third:])
    return last > 1.01 * first and first < middle < last and last - middle > (last - first) / 4


def mutated(rng: random.Random, target: Target) -> bytes:
    """Return a seed with one to four things wrong: its grammar's, or any bytes'."""
    data = rng.choice(target.seeds)
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        data = of_bytes(rng, data, target.seeds) if rng.random() < target.bytes_share else target.change(rng, data)
    return data


def of_bytes(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """Return `data` with a bit, a byte, a piece or its end changed."""
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
    kind = rng.randrange(8)
    if kind == 0 and data:
        at = rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + rng.randbytes(end - at) + data[end:]
    if kind == 2:
        return data[:at] + data[end:]
    if kind == 3:
        return data[:at]
    if kind == 4:
        return data[:end] + data[at:end] * rng.choice((1, 2, 50)) + data[end:]
    if kind == 5:
        other = rng.choice(seeds)
        start = rng.randrange(len(other) + 1)
        return data[:at] + other[start : start + 64] + data[end:]
    odd = rng.choice(ODD)
    return data[:at] + odd + (data[at:] if kind == 6 else data[at + len(odd) :])


def kept(name: str) -> list[bytes]:
    """Return the inputs that once crashed this target."""
    return [path.read_bytes() for path in sorted((KEPT / name).glob("*.bin"))]


def keep(name: str, data: bytes) -> None:
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{hashlib.sha256(data).hexdigest()[:12]}.bin").write_bytes(data)


async def run(name: str, make: Make, count: int, seed: int = SEED, *, saving: bool = False) -> Outcome:
    """Try what once crashed, and `count` mutated inputs."""
    rng = random.Random(f"{seed} {name}")
    signal.signal(signal.SIGVTALRM, _hang)
    failed: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(
        lambda _loop, context: failed.append(repr(context.get("exception") or context["message"]))
    )
    began = time.monotonic()
    found: list[str] = []
    codes: Counter[str] = Counter()
    slowest = 0.0
    tried = 0
    looks: list[dict[str, int]] = []
    places = {count * look // LOOKS for look in range(LOOKS)}
    async with make() as target:
        gc.collect()
        gc.freeze()  # what was there before is not gone through at every look
        old = kept(name)
        first = -len(old) - max(WARM_UP, count // WARM_UP_SHARE)
        for number in range(first, count):
            if number in places:
                looks.append(await _look(target, looks))
            place = number - first
            data = old[place] if place < len(old) else mutated(rng, target)
            started = time.process_time()
            signal.setitimer(signal.ITIMER_VIRTUAL, HANG_CPU_S)
            problem = ""
            try:
                code = await target.take(data)
                codes[code] += 1
                if not CODE.fullmatch(code):
                    problem = f"code {code!r}"
            except (Exception, Hang) as error:
                problem = f"{type(error).__name__}: {error}"[:200]
            took = time.process_time() - started
            if took > SLOW_CPU_S:
                problem = problem or f"{took:.1f} s of processor time"
            if failed:
                problem = problem or f"in the loop: {failed.pop()}"
                failed.clear()
            slowest = max(slowest, took)
            tried += 1
            if problem:
                found.append(f"{number}: {problem}")
                if saving:
                    keep(name, data)
                if len(found) >= MOST_FOUND:
                    break
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        looks.append(await _look(target, looks))
        gc.unfreeze()
    return Outcome(name, tried, found, codes, slowest, time.monotonic() - began, looks)


async def _look(target: Target, before: Sequence[dict[str, int]]) -> dict[str, int]:
    """Let the target let go and return what is held; what is more than at first is looked at again, for a while."""
    for _ in range(LOOKS_AGAIN):
        await target.close()
        found = await resources()
        if not before or all(found[name] <= before[0][name] for name in ("descriptors", "tasks")):
            break
    return found


async def resources() -> dict[str, int]:
    """Return what is held once things have settled: descriptors, asyncio tasks, Python's blocks, and memory in kB.

    `heap_kb` is what the C library has given out, whatever it keeps besides; `rss_kb` is what the system sees.
    """
    for _ in range(20):
        await asyncio.sleep(0.02)
        if len(asyncio.all_tasks()) == 1:
            break
    gc.collect()
    heap_kb = _trimmed_heap_kb()
    status = Path("/proc/self/status").read_text()
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "tasks": len(asyncio.all_tasks()),
        "blocks": sys.getallocatedblocks(),
        "heap_kb": heap_kb,
        "rss_kb": int(status.split("VmRSS:")[1].split()[0]),
    }


_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _Mallinfo(ctypes.Structure):
    """``struct mallinfo2`` of the GNU C library."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


def _trimmed_heap_kb() -> int:
    """Give free memory back to the system and return what is in use; 0 where the C library can't say."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return 0
    libc.malloc_trim(0)
    libc.mallinfo2.restype = _Mallinfo
    found = libc.mallinfo2()
    return int(found.uordblks + found.hblkhd) // 1024


@contextlib.asynccontextmanager
async def plain(target: Target) -> AsyncIterator[Target]:
    """A target that needs nothing around it."""
    yield target
