"""Takes this machine's processors away for a while."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

__all__ = ["busy_loops"]

LOOPS = 4
LOOP = "import time\nend = time.time() + 60\nwhile time.time() < end: pass"


@contextlib.contextmanager
def busy_loops() -> Iterator[None]:
    """Processes that compute as fast as they can, and end by themselves after a minute at the latest."""
    loops = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(LOOPS)]
    try:
        yield
    finally:
        for one in loops:
            one.kill()
            one.wait()
