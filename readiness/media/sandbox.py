"""What the operating system takes away from a worker before it serves. Linux; elsewhere what exists is used.

A worker parses what strangers send. Whoever takes one over finds no file to write, no file to read but libraries and
models, no other program, no other process and no TCP: its socket to the web process, and UDP, which media needs.

Raises nothing on a missing feature: a limit that can't be set is not a reason to fail a person's test. What is in force
is returned, told by the worker and logged once.
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
"""Exit code of a worker that ran out of memory and knew it."""
_CPU_GRACE_S = 5
"""SIGXCPU at the soft limit ends the worker; the hard one is the kernel's own kill."""
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
"""CAP_DAC_READ_SEARCH, as a bit: reads what an owner keeps from others. Landlock still says what may be read at all."""
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
    """Which walls stand around this process."""

    files: bool
    """Landlock: reads libraries and models, writes nothing."""
    tcp: bool
    """No TCP connection: Landlock from ABI 4 on, or the filter of calls."""
    calls: bool
    """Seccomp: starts no program, signals and looks into no other process, makes no file."""
    user: bool
    """Runs without root's rights."""

    @property
    def missing(self) -> list[str]:
        """Names of the walls that this system does not have, in order of their weight."""
        return [name for name in ("files", "calls", "tcp", "user") if not getattr(self, name)]


def confine(keep_fd: int, limits: WorkerLimits) -> Confinement:
    """Give up every right and descriptor that a worker doesn't need; `keep_fd` is its only way out.

    Call it while this process has one thread: walls stand around the calling thread and those that it starts.
    """
    _ignore_signals()
    _one_arena()
    _close_others(keep_fd)
    readable = [*_READABLE, *map(Path, limits.reads)]
    user = _give_up_root(readable)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which forgets it
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
    calls = seccomp.refuse_calls()
    return Confinement(files=abi > 0, tcp=calls or abi >= landlock.ABI_NETWORK, calls=calls, user=user)


def _libraries() -> Iterator[Path]:
    """Yield what may be read: the interpreter's and the system's libraries, our packages with their models, no data."""
    paths = sysconfig.get_paths()
    found = {Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {Path(sys.base_prefix) / "lib", WEB_FOLDER / "selftest" / "audio"}
    found |= set(map(Path, (*_SYSTEM, *zoneinfo.TZPATH)))
    found |= {Path(entry) for entry in sys.path if Path(entry).name in _PACKAGES}
    for name in _OURS:  # and not the checkout around them: it may hold the data folder too
        spec = importlib.util.find_spec(name)
        found |= {Path(place) for place in (spec and spec.submodule_search_locations) or ()}
    yield from sorted(Path(os.path.realpath(path)) for path in found if os.access(path, os.R_OK))


_READABLE = tuple(_libraries())
"""Found once, in the fork server."""


def _give_up_root(readable: list[Path]) -> bool:
    """Become nobody where we are root, and lose every capability. Returns whether root's rights are gone.

    What lies where nobody may not look (a checkout below /root) leaves us root without capabilities: other walls hold.
    Where even that root may not (a checkout in somebody's closed home), it keeps the one to read.
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
    """Whether a user without rights gets at `path`: enters every folder above it, and reads it."""
    if not all(parent.stat().st_mode & _EVERYBODY_ENTERS for parent in path.parents):
        return False
    return bool(path.stat().st_mode & _EVERYBODY_READS)


def _open_to_bare_root(path: Path) -> bool:
    """Whether root without capabilities gets at `path`: as the owner of a file or folder, or as anybody."""

    def allows(found: os.stat_result, everybody: int, owner: int) -> bool:
        return bool(found.st_mode & (owner if found.st_uid == 0 else everybody))

    parents = all(allows(parent.stat(), _EVERYBODY_ENTERS, _OWNER_ENTERS) for parent in path.parents)
    return parents and allows(path.stat(), _EVERYBODY_READS, _OWNER_READS)


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
