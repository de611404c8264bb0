"""What the operating system takes away from a worker before it serves. Linux; elsewhere what exists is used.

Raises nothing on a missing feature: a limit that can't be set is not a reason to fail a person's test.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import os
import resource
import signal
from pathlib import Path

from readiness.media.limits import WorkerLimits

__all__ = ["EXIT_LIMIT", "confine", "start_deadline"]

EXIT_LIMIT = 70
"""Exit code of a worker that ran out of memory and knew it."""
_CPU_GRACE_S = 5
"""SIGXCPU at the soft limit ends the worker; the hard one is the kernel's own kill."""
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_M_ARENA_MAX = -8
"""glibc reserves 64 MiB of address space for each thread's arena; one arena is enough here."""
_MEBIBYTE = 1024 * 1024


def confine(keep_fd: int, limits: WorkerLimits) -> None:
    """Give up every right and descriptor that a worker doesn't need; `keep_fd` is its only way out."""
    _ignore_signals()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _one_arena()
    _close_others(keep_fd)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    _limit(resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + _CPU_GRACE_S)
    if used := _address_space_bytes():
        _limit(resource.RLIMIT_AS, used + limits.memory_mb * _MEBIBYTE)


def start_deadline(wall_s: float) -> None:
    """End this process by SIGALRM's default action after `wall_s` seconds, whatever it is doing then."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def _ignore_signals() -> None:
    """Ctrl-C and a service manager's SIGTERM reach the whole group; only the web process decides when we end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        _libc().prctl(option, value, 0, 0, 0)


def _one_arena() -> None:
    with contextlib.suppress(OSError, AttributeError):
        _libc().mallopt(_M_ARENA_MAX, 1)


def _close_others(keep_fd: int) -> None:
    """Keep `keep_fd` only; 0, 1 and 2 lead nowhere, so that nothing a library prints can carry a secret out."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    highest = max(resource.getrlimit(resource.RLIMIT_NOFILE)[0], keep_fd + 1)
    os.closerange(3, keep_fd)
    os.closerange(keep_fd + 1, min(highest, 65536))


def _limit(which: int, soft: int, hard: int | None = None) -> None:
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (soft, soft if hard is None else hard))


def _address_space_bytes() -> int:
    """Return the size of our address space now, or 0 where the system doesn't say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()
