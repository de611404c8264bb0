"""Denies system calls to a confined process, with our own seccomp filter. Linux on x86-64 and arm64.

The filter returns an error and never kills, so that a library can fall back to something else. It can't be removed, and
new threads inherit it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator

__all__ = ["refuse_calls"]

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_ERROR = 0x00050000
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine to its column in the table below and the kernel's number for it (AUDIT_ARCH)."""
_X32 = 0x40000000
"""Numbers from here on are the same calls under the x32 ABI."""
_LAST_KNOWN = 452
"""Calls that came later than fchmodat2 are unknown to this filter, and do not exist."""
_CLONE_THREAD = 0x00010000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_INET, _INET6, _DATAGRAM, _KIND_OF_SOCKET = 2, 10, 2, 0xF
_SOL_SOCKET, _SO_BROADCAST = 1, 6
"""No datagram to everybody on a network."""
_PRCTL_REFUSED = (1, 4, 0x59616D61)
"""PR_SET_PDEATHSIG, PR_SET_DUMPABLE and PR_SET_PTRACER: their present settings must stay."""
_ABSENT = -1
# Name: (number on x86-64, number on arm64), from Linux's own headers.
_REFUSED = {
    # Another program; another process and what is in it; the kernel; files by name or owner; queues and shared memory.
    "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "process_madvise": (440, 440), "kcmp": (312, 272), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "tkill": (200, 130), "fork": (57, -1), "vfork": (58, -1), "connect": (42, 203),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "setns": (308, 268), "unshare": (272, 97), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "swapon": (167, 224), "swapoff": (168, 225),
    "bpf": (321, 280), "perf_event_open": (298, 241), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142), "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264), "userfaultfd": (323, 282), "quotactl": (179, 60), "acct": (163, 89),
    "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162), "personality": (135, 92),
    "iopl": (172, -1), "ioperm": (173, -1), "modify_ldt": (154, -1), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "fanotify_init": (300, 262), "inotify_init": (253, -1), "inotify_init1": (294, 26),
    "vhangup": (153, 58), "creat": (85, -1), "unlink": (87, -1), "unlinkat": (263, 35), "rename": (82, -1),
    "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, -1), "mkdirat": (258, 34), "rmdir": (84, -1),
    "link": (86, -1), "linkat": (265, 37), "symlink": (88, -1), "symlinkat": (266, 36), "mknod": (133, -1),
    "mknodat": (259, 33), "truncate": (76, 45), "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, -1), "lchown": (94, -1), "fchown": (93, 55), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "utime": (132, -1), "utimes": (235, -1),
    "utimensat": (280, 88), "futimesat": (261, -1), "msgget": (68, 186), "semget": (64, 190), "shmget": (29, 194),
    "shmat": (30, 196), "mq_open": (240, 180), "ftruncate": (77, 46), "fallocate": (285, 47), "setuid": (105, 146),
    "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143), "setresuid": (117, 147),
    "setresgid": (119, 149), "setgroups": (116, 159), "setfsuid": (122, 151), "setfsgid": (123, 152),
    "capset": (126, 91), "migrate_pages": (256, 238), "move_pages": (279, 239), "process_mrelease": (448, 448),
}  # fmt: skip
_SEEN = {
    "open": (2, _ABSENT), "openat": (257, 56), "openat2": (437, 437), "socket": (41, 198), "kill": (62, 129),
    "tgkill": (234, 131), "clone": (56, 220), "clone3": (435, 435), "prlimit64": (302, 261), "prctl": (157, 167),
    "setsockopt": (54, 208),
}  # fmt: skip
"""Calls that are allowed or denied by their arguments."""
_OFTEN = {"sendto": (44, 206), "recvfrom": (45, 207), "futex": (202, 98), "read": (0, 63), "write": (1, 64)}
"""Checked first, because a measurement makes thousands of them."""

# Instructions of the filter: load a word, compare, answer.
_LOAD, _EQUAL, _GREATER, _SET, _RETURN, _MASK = 0x20, 0x15, 0x25, 0x45, 0x06, 0x54
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_Instruction = tuple[int, int, int, int]
"""Operation, instructions to skip if it holds, instructions to skip if not, and its operand."""


def refuse_calls(*, udp: bool) -> bool:
    """Install the filter on this thread and all later ones; return whether it is on. Needs PR_SET_NO_NEW_PRIVS.

    `udp`: whether a socket for media may be opened; no other socket may be in any case.
    """
    known = _ARCHITECTURES.get(platform.machine())
    if not sys.platform.startswith("linux") or known is None or sys.byteorder != "little":
        return False
    program = b"".join(struct.pack("<HBBI", *one) for one in _program(*known, os.getpid(), udp=udp))
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(head), 0, 0) == 0)


def _program(column: int, architecture: int, pid: int, *, udp: bool) -> Iterator[_Instruction]:
    """Yield the filter for the process `pid`."""
    yield _load(_ARCHITECTURE_AT)
    yield (_EQUAL, 1, 0, architecture)
    yield _answer(errno.EPERM)  # 32-bit calls of the same machine have other numbers
    yield _load(_NUMBER_AT)
    for numbers in _OFTEN.values():
        yield (_EQUAL, 0, 1, numbers[column])
        yield (_RETURN, 0, 0, _ALLOW)
    yield (_GREATER, 0, 1, _X32 - 1)
    yield _answer(errno.EPERM)
    yield (_GREATER, 0, 1, _LAST_KNOWN)
    yield _answer(errno.ENOSYS)
    for numbers in _REFUSED.values():
        if numbers[column] != _ABSENT:
            yield (_EQUAL, 0, 1, numbers[column])
            yield _answer(errno.EPERM)
    for name, rule in _rules(pid, udp=udp).items():
        number = _SEEN[name][column]
        if number != _ABSENT:
            yield (_EQUAL, 0, len(rule), number)
            yield from rule
    yield (_RETURN, 0, 0, _ALLOW)


def _rules(pid: int, *, udp: bool) -> dict[str, list[_Instruction]]:
    """Return the rule for each call of `_SEEN`; every rule ends in an answer."""
    end: list[_Instruction] = [_answer(errno.EPERM), (_RETURN, 0, 0, _ALLOW)]
    ours = [_argument(0), (_EQUAL, 1, 0, pid), *end]
    reading = [(_SET, 0, 1, _WRITING), *end]
    media = [
        _argument(0), (_EQUAL, 1, 0, _INET), (_EQUAL, 0, 3, _INET6), _argument(1), (_MASK, 0, 0, _KIND_OF_SOCKET),
        (_EQUAL, 1, 0, _DATAGRAM), *end,
    ]  # fmt: skip
    return {
        "open": [_argument(1), *reading],
        "openat": [_argument(2), *reading],
        "openat2": [_answer(errno.ENOSYS)],  # its flags lie where a filter can't look; callers fall back to openat
        "kill": ours,
        "tgkill": ours,
        "prlimit64": [_argument(0), (_EQUAL, 2, 0, 0), (_EQUAL, 1, 0, pid), *end],
        "clone": [_argument(0), (_SET, 1, 0, _CLONE_THREAD), *end],
        "clone3": [_answer(errno.ENOSYS)],  # likewise, to clone
        "socket": media if udp else [_answer(errno.EPERM)],
        "setsockopt": [
            _argument(1), (_EQUAL, 0, 3, _SOL_SOCKET), _argument(2), (_EQUAL, 0, 1, _SO_BROADCAST), *end,
        ],
        "prctl": [
            _argument(0), *((_EQUAL, 3 - at, 0, option) for at, option in enumerate(_PRCTL_REFUSED)),
            (_RETURN, 0, 0, _ALLOW), _answer(errno.EPERM),
        ],
    }  # fmt: skip


def _load(offset: int) -> _Instruction:
    return (_LOAD, 0, 0, offset)


def _argument(number: int) -> _Instruction:
    """Load the lower half of an argument: flags, address families and pids all fit in it."""
    return _load(_ARGUMENTS_AT + 8 * number)


def _answer(code: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERROR | code)
