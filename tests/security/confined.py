"""Tries every way out of a process, after its confinement or without: ``python confined.py FD FOLDER MODE``.

MODE is ``open`` (no confinement: what the ways out look like where they are open), ``as_is``, ``as_nobody`` or
``heavy``. Says one JSON object over the socket FD: way to "refused", "open", or what else went wrong.
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import json
import os
import pwd
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import probes.faces
from readiness.media.limits import HEAVY_LIMITS, WorkerLimits
from readiness.media.sandbox import confine

codecs.lookup("ascii")  # nobody may not read a Python below /root
LIBC = ctypes.CDLL(None, use_errno=True)


def by_number(number: int, *arguments: object) -> None:
    """Make a system call past every library."""
    if LIBC.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def ways(folder: Path, port: int, parent: int) -> dict[str, Callable[[], object]]:
    database, key = folder / "readiness.sqlite3", folder / "secret.key"

    def connected(family: int, address: object) -> None:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.connect(address)

    def listening() -> None:
        with socket.create_server(("127.0.0.1", 0)):
            pass

    def traced() -> None:
        attach, detach = 16, 17
        if LIBC.ptrace(attach, parent, None, None) < 0:
            raise OSError(ctypes.get_errno(), "refused")
        os.waitpid(parent, 0)
        LIBC.ptrace(detach, parent, None, None)

    def forked() -> None:
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)

    def executed() -> None:
        os.posix_spawn("/bin/true", ["true"], {})

    def replaced() -> None:
        os.execv("/bin/true", ["true"])

    def memory_of_parent() -> None:
        Path(f"/proc/{parent}/mem").open("rb").close()

    def raw_socket() -> None:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()

    def broadcast() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def linked() -> None:
        (folder / "link").symlink_to(key)

    return {
        "read the key": key.read_bytes,
        "read the database": database.read_bytes,
        "read the parent's environment": Path(f"/proc/{parent}/environ").read_bytes,
        "read the parent's memory": memory_of_parent,
        "read passwd": Path("/etc/passwd").read_bytes,
        "list the folder": lambda: list(folder.iterdir()),
        "truncate the database": lambda: os.truncate(database, 4),
        "open the database for writing": lambda: os.close(os.open(database, os.O_RDWR)),
        "create": lambda: os.close(os.open(folder / "new", os.O_WRONLY | os.O_CREAT)),
        "create in tmp": lambda: os.close(os.open("/tmp", os.O_RDWR | os.O_TMPFILE)),
        "make a folder": lambda: (folder / "folder").mkdir(),
        "rename": lambda: key.rename(folder / "other.key"),
        "link": lambda: os.link(database, folder / "second"),
        "symlink": linked,
        "change rights": lambda: database.chmod(0o666),
        "unlink": lambda: (folder / "spare").unlink(),
        "connect to local TCP": lambda: connected(socket.AF_INET, ("127.0.0.1", port)),
        "connect to a local socket": lambda: connected(socket.AF_UNIX, str(folder / "local")),
        "listen": listening,
        "send past UDP": raw_socket,
        "send to a whole network": broadcast,
        "fork": forked,
        "start a program": executed,
        "signal the parent": lambda: os.kill(parent, signal.SIGCONT),
        "signal everybody": lambda: os.kill(-1, 0) if os.geteuid() else os.kill(parent, 0),
        "open the parent": lambda: os.close(os.pidfd_open(parent)),
        "trace the parent": traced,
        "limit the parent": lambda: by_number(302 if sys.maxsize and os.uname().machine == "x86_64" else 261,
                                              parent, 7, None, ctypes.create_string_buffer(16)),
        "a namespace": lambda: by_number(272 if os.uname().machine == "x86_64" else 97, 0x10000000),
        "io_uring": lambda: by_number(425, 8, ctypes.create_string_buffer(struct.calcsize("120B"))),
        "become another program": replaced,
    }  # fmt: skip


def needs() -> dict[str, Callable[[], object]]:
    """What a worker has to be able to do still."""

    def datagram() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
            two.bind(("127.0.0.1", 0))
            one.sendto(b"x", two.getsockname())
            assert two.recv(10) == b"x"

    def thread() -> None:
        started = threading.Thread(target=lambda: None)
        started.start()
        started.join()

    def models() -> None:
        if not os.access(probes.faces.__file__, os.R_OK):  # nobody in a closed home folder
            return
        assert [path.read_bytes()[:1] for path in (Path(probes.faces.__file__).parent / "models").glob("*.onnx")]

    def library() -> None:
        if os.access(os.__file__, os.R_OK):  # not where Python itself lies below /root
            import email.mime.audio  # noqa: F401

    return {"UDP": datagram, "a thread": thread, "models": models, "a module of Python's": library,
            "a pair of sockets": lambda: [end.close() for end in socket.socketpair()],
            "a signal to itself": lambda: os.kill(os.getpid(), signal.SIGCONT),
            "chance": lambda: os.urandom(8)}  # fmt: skip


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    folder, mode = Path(sys.argv[2]), sys.argv[3]
    port, parent = int(sys.argv[4]), os.getppid()
    if mode == "as_nobody":
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
    said: dict[str, object] = {}
    tried = ways(folder, port, parent)
    if mode != "open":
        walls = confine(channel.fileno(), HEAVY_LIMITS if mode == "heavy" else WorkerLimits())
        said["missing"] = walls.missing
        for name, need in needs().items():
            said[name] = "works"
            try:
                need()
            except Exception as error:
                said[name] = repr(error)
    else:
        del tried["become another program"], tried["io_uring"], tried["a namespace"], tried["limit the parent"]
    for name, way in tried.items():
        try:
            way()
            said[name] = "open"
        except OSError:
            said[name] = "refused"
        except Exception as error:
            said[name] = repr(error)
    with contextlib.suppress(OSError):
        channel.sendall(json.dumps(said).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
