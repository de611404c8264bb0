"""Restricts what a process can reach, with Landlock's three system calls. Linux 5.13 and newer.

From ABI 4 (6.7) on TCP is refused too, from ABI 6 (6.12) on signals to processes outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["ABI_NETWORK", "ABI_SIGNALS", "kernel_abi", "read_only"]

ABI_NETWORK = 4
ABI_SIGNALS = 6
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System call numbers, the same on every architecture."""
_ASK_VERSION = 1
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_RIGHTS_BY_ABI = (0, 13, 14, 15, 15, 16)
"""Number of file access rights per ABI, counted from the lowest bit; later ABIs have as many as the last."""
_TCP = 0b11
"""Bind and connect."""
_SCOPES = 0b11
"""Abstract sockets of others, and signals to them."""


def kernel_abi() -> int:
    """Return the Landlock ABI of this kernel, or 0 if it has none or Landlock is off."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)))


def read_only(paths: Iterable[Path]) -> int:
    """Limit this thread and all later ones to reading `paths` and everything below them; no other files, no TCP.

    Returns the kernel's Landlock ABI, or 0 if it has none or another limit forbids its use. Needs
    PR_SET_NO_NEW_PRIVS. Skips paths that don't exist. Landlock does not cover UDP.
    """
    abi = kernel_abi()
    if abi == 0:
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    every = (1 << _RIGHTS_BY_ABI[min(abi, len(_RIGHTS_BY_ABI) - 1)]) - 1
    words = [every]
    words += [_TCP] if abi >= ABI_NETWORK else []
    words += [_SCOPES] if abi >= ABI_SIGNALS else []
    asked = struct.pack(f"={len(words)}Q", *words)
    rules = int(libc.syscall(_CREATE_RULESET, asked, ctypes.c_size_t(len(asked)), 0))
    if rules < 0:
        return 0
    try:
        for path in paths:
            with contextlib.suppress(OSError):
                _allow(libc, rules, path)
        return abi if libc.syscall(_RESTRICT_SELF, rules, 0) == 0 else 0
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _READ_FILE | (_READ_DIR if stat.S_ISDIR(os.fstat(fd).st_mode) else 0)
        libc.syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, fd), 0)
    finally:
        os.close(fd)
