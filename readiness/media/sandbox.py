"""Confines a worker process before it serves. For Linux; elsewhere it uses whatever the system has.

A worker parses input from strangers. An attacker who takes one over can write no file, read none but libraries and
models, run no program, reach no other process and open no TCP connection. Left are its socket to the web process, and
UDP, which media needs.

A missing feature raises nothing: a limit that can't be set is no reason to fail a person's test. `confine` returns what
is in force; the worker reports it and the server logs it once.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import resource
import signal
import sys
import sysconfig
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from readiness.media import landlock, seccomp
from readiness.media.limits import WorkerLimits
from readiness.texts import WEB_FOLDER

__all__ = ["EXIT_LIMIT", "Confinement", "confine", "start_deadline"]

EXIT_LIMIT = 70
"""Exit code of a worker that noticed that it ran out of memory."""
_CPU_GRACE_S = 5
"""SIGXCPU ends the worker at the soft limit; at the hard one the kernel kills it."""
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITIES = 64
"""Numbers to drop; Linux has 41, and refuses the rest."""
_CAPABILITY_VERSION_3 = 0x20080522
_M_ARENA_MAX = -8
"""glibc reserves 64 MiB of address space for each thread's arena; one arena is enough here."""
_MEBIBYTE = 1024 * 1024
_READ_SEARCH = 1 << 2
"""CAP_DAC_READ_SEARCH, as a bit: overrides file permissions for reading. Landlock still limits what can be read."""
_NOBODY = "nobody"
_OURS = ("probes", "readiness", "reports")
_PACKAGES = {"site-packages", "dist-packages", "lib-dynload"}
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/proc/cpuinfo",
    "/sys/devices/system/cpu", "/dev/null", "/dev/urandom", "/etc/localtime",
)  # fmt: skip
_EVERYBODY_READS, _EVERYBODY_ENTERS = 0o004, 0o001
_OWNER_READS, _OWNER_ENTERS = 0o400, 0o100


@dataclass(frozen=True, slots=True)
class Confinement:
    """The restrictions ("walls") in force on this process."""

    files: bool
    """Landlock: can read libraries and models only, and write nothing."""
    tcp: bool
    """No TCP connection: Landlock from ABI 4 on, or the filter of calls."""
    calls: bool
    """Seccomp: can start no program, neither signal nor inspect another process, create no file."""
    user: bool
    """Runs without root privileges."""

    @property
    def missing(self) -> list[str]:
        """Names of the walls that this system lacks, the most important first."""
        return [name for name in ("files", "calls", "tcp", "user") if not getattr(self, name)]


def confine(keep_fd: int, limits: WorkerLimits) -> Confinement:
    """Drop every privilege and descriptor that a worker doesn't need, except `keep_fd`, and return what is in force.

    Call it while the process has a single thread: the walls apply to the calling thread and to threads it starts later.
    """
    _ignore_signals()
    _one_arena()
    _close_others(keep_fd)
    readable = [*_READABLE, *map(Path, limits.reads)]
    user = _give_up_root(readable)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which resets it
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    _limit(resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + _CPU_GRACE_S)
    if used := _address_space_bytes():
        _limit(resource.RLIMIT_AS, used + limits.memory_mb * _MEBIBYTE)
    with contextlib.suppress(OSError):
        os.chdir("/")
    abi = landlock.read_only(readable)
    calls = seccomp.refuse_calls(udp=limits.udp)
    return Confinement(files=abi > 0, tcp=calls or abi >= landlock.ABI_NETWORK, calls=calls, user=user)


def _libraries() -> Iterator[Path]:
    """Yield the readable paths: libraries of the interpreter and system, our packages with their models; no data."""
    paths = sysconfig.get_paths()
    found = {Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {Path(sys.base_prefix) / "lib", WEB_FOLDER / "selftest" / "audio"}
    found |= set(map(Path, (*_SYSTEM, *zoneinfo.TZPATH)))
    found |= {Path(entry) for entry in sys.path if Path(entry).name in _PACKAGES}
    for name in _OURS:  # not the checkout around them, which may contain the data folder
        spec = importlib.util.find_spec(name)
        found |= {Path(place) for place in (spec and spec.submodule_search_locations) or ()}
    yield from sorted(Path(os.path.realpath(path)) for path in found if os.access(path, os.R_OK))


_READABLE = tuple(_libraries())
"""Found once, in the fork server."""


def _give_up_root(readable: list[Path]) -> bool:
    """Switch from root to nobody and drop every capability. Returns whether root privileges are gone.

    If nobody could not read our files (a checkout below /root), the process stays root without capabilities, behind the
    other walls. If even that root could not (a checkout in a closed home directory), it keeps the capability to read.
    """
    if os.geteuid() != 0:
        return True
    gone = False
    with contextlib.suppress(OSError, KeyError):
        nobody = pwd.getpwnam(_NOBODY)
        for capability in range(_CAPABILITIES):
            _prctl(_PR_CAPBSET_DROP, capability)
        if all(_open_to_everybody(path) for path in readable):
            os.setgroups([])
            os.setresgid(nobody.pw_gid, nobody.pw_gid, nobody.pw_gid)
            os.setresuid(nobody.pw_uid, nobody.pw_uid, nobody.pw_uid)
            gone = True
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    kept = 0
    with contextlib.suppress(OSError):
        kept = 0 if gone or all(_open_to_bare_root(path) for path in readable) else _READ_SEARCH
    with contextlib.suppress(OSError, AttributeError):
        head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        _libc().capset(head, (ctypes.c_uint32 * 6)(kept, kept))  # effective, permitted, inheritable; the higher ones
    return gone


def _open_to_everybody(path: Path) -> bool:
    """Whether an unprivileged user can read `path` and enter every folder above it."""
    if not all(parent.stat().st_mode & _EVERYBODY_ENTERS for parent in path.parents):
        return False
    return bool(path.stat().st_mode & _EVERYBODY_READS)


def _open_to_bare_root(path: Path) -> bool:
    """Whether root without capabilities can read `path`, as its owner or as anybody."""

    def allows(found: os.stat_result, everybody: int, owner: int) -> bool:
        return bool(found.st_mode & (owner if found.st_uid == 0 else everybody))

    parents = all(allows(parent.stat(), _EVERYBODY_ENTERS, _OWNER_ENTERS) for parent in path.parents)
    return parents and allows(path.stat(), _EVERYBODY_READS, _OWNER_READS)


def start_deadline(wall_s: float) -> None:
    """Let SIGALRM end this process after `wall_s` seconds, whatever it is doing."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def _ignore_signals() -> None:
    """Ignore Ctrl-C and a service manager's SIGTERM, which reach the whole group: the web process ends its workers."""
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
    """Close all but `keep_fd`; point 0, 1 and 2 at /dev/null, so that a library's output cannot leak a secret."""
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
    """Return the current size of our address space, bytes, or 0 if the system doesn't say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()
