"""RTC-8: whoever takes over a media worker, or the shared helper, finds no way out of it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from readiness.media import landlock, sandbox, seccomp
from tests.integration.support import serving
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
NEEDS = {
    "UDP", "a thread", "models", "a module of Python's", "a pair of sockets", "a signal to itself", "chance",
}  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder that its user may do everything with, and a service on a local socket in it."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("secret.key", "readiness.sqlite3", "spare"):
        (folder / name).write_text(f"{name}: what must not leak")
        (folder / name).chmod(0o600)
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(str(folder / "local"))
        local.listen()
        yield folder


def tried(folder: Path, mode: str) -> dict[str, str | list[str]]:
    """What a process says of each way out."""
    if mode == "as_nobody":
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.iterdir()):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        for parent in folder.parents[:3]:
            if parent.owner() == pwd.getpwuid(os.geteuid()).pw_name:
                parent.chmod(0o755)
    places = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as service:
        port = str(service.getsockname()[1])
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests/security/confined.py"), str(theirs.fileno()), str(folder), mode, port],
            pass_fds=(theirs.fileno(),), env=os.environ | {"PYTHONPATH": places}, cwd=ROOT,
            capture_output=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        ours.settimeout(2)
        with contextlib.suppress(TimeoutError):
            return json.loads(ours.recv(65536))
    raise AssertionError(done)


@pytest.mark.parametrize(
    "mode",
    ["as_is", "heavy", pytest.param("as_nobody", marks=pytest.mark.needs_root)],
)
def test_rtc8_every_way_out_is_shut(data: Path, mode: str):
    """As root, as an ordinary user who owns the data, and the helper: files, processes, programs, TCP."""
    said = tried(data, mode)
    missing = said.pop("missing")
    if missing not in ([], ["user"]):
        _skip_in_a_child(missing)
    if mode == "heavy":
        assert "PermissionError" in str(said.pop("UDP")), "only a test's worker has a socket for media"
        said["UDP"] = "works"
    assert {name: said.pop(name) for name in NEEDS} == dict.fromkeys(NEEDS, "works")
    assert {name for name, what in said.items() if what != "refused"} == set()
    assert len(said) == 31
    assert (data / "readiness.sqlite3").read_text() == "readiness.sqlite3: what must not leak"
    assert sorted(path.name for path in data.iterdir()) == ["local", "readiness.sqlite3", "secret.key", "spare"]


def _skip_in_a_child(missing: list[str]) -> None:
    """Ask the kernel in a process of its own: walls stay for good."""
    script = "from readiness.media import landlock; print(landlock.kernel_abi())"
    abi = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    if "files" in missing and int(abi) == 0:
        pytest.skip("this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, lsm=landlock)")
    if "calls" in missing and platform.machine() not in {"x86_64", "aarch64"}:
        pytest.skip(f"no filter of calls is made for {platform.machine()}")
    raise AssertionError(f"this system has these walls, and they do not stand: {missing}")


def test_the_ways_out_are_ways_out(data: Path):
    """Without walls each of them is open to the same process: what refuses above is the confinement."""
    said = tried(data, "open")
    shut = {name for name, what in said.items() if what != "open"}
    assert shut <= ({"trace the parent", "read the parent's memory", "send past UDP"} if os.geteuid() else set())


def test_a_server_says_which_walls_stand_and_hands_no_secret_on(tmp_path):
    """One line once the first worker is ready; no setting is in the environment of what it started."""
    with serving(tmp_path, SECRET_KEY="canary" * 8) as server:
        told: list[dict] = []
        deadline = time.monotonic() + PATIENCE_S
        while not told and time.monotonic() < deadline:
            told = [json.loads(line) for line in server.log.splitlines() if "media.confined" in line]
            time.sleep(0.05)
        names: set[str] = set()
        for child in psutil.Process(server.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # a worker lets no ordinary user look; its parent has the same
                names |= set(child.environ())
    assert [set(line["missing"].split(",")) <= {"none", "user", "files"} for line in told] == [True]
    assert "PATH" in names
    assert not [name for name in names if name.startswith("READINESS_")]


def test_a_system_without_walls_is_told_of():
    """Nothing is raised, and what is missing has a name, the weightiest first."""
    nothing = sandbox.Confinement(files=False, tcp=False, calls=False, user=False)
    assert nothing.missing == ["files", "calls", "tcp", "user"]
    assert sandbox.Confinement(files=True, tcp=True, calls=True, user=True).missing == []


def test_elsewhere_nothing_is_tried(monkeypatch):
    """Another system or another processor: no wall, no error."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert seccomp.refuse_calls(udp=True) is False
    monkeypatch.setattr(sys, "platform", "darwin")
    assert landlock.read_only([]) == 0
    assert seccomp.refuse_calls(udp=True) is False


def answer(program: list[tuple[int, int, int, int]], number: int, *arguments: int, machine: int) -> int:
    """Run a filter as the kernel would, and return its answer."""
    words = {0: number, 4: machine} | {16 + 8 * at: value & 0xFFFFFFFF for at, value in enumerate(arguments)}
    at, held = 0, 0
    while True:
        operation, yes, no, value = program[at]
        at += 1
        if operation == 0x20:
            held = words.get(value, 0)
        elif operation == 0x54:
            held &= value
        elif operation == 0x06:
            return value
        else:
            holds = {0x15: held == value, 0x25: held > value, 0x45: bool(held & value)}[operation]
            at += yes if holds else no


ALLOW, REFUSE, ABSENT = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
OWN = 4321


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_reads_each_call_right(machine: str):
    """Both machines' filters, run by an interpreter of our own: this machine has only one of them."""
    column, architecture = seccomp._ARCHITECTURES[machine]
    program = list(seccomp._program(column, architecture, OWN, udp=True))
    without = list(seccomp._program(column, architecture, OWN, udp=False))
    assert len(program) < 4096

    def ask(name: str, *arguments: int) -> int:
        number = (seccomp._SEEN | seccomp._OFTEN | seccomp._REFUSED)[name][column]
        return answer(program, number, *arguments, machine=architecture)

    for name, numbers in seccomp._REFUSED.items():
        assert numbers[column] == -1 or ask(name, 0) == REFUSE, name
    wanted = {
        ("sendto",): ALLOW, ("socket", 2, 2): ALLOW, ("socket", 10, 0x80802): ALLOW, ("socket", 2, 1): REFUSE,
        ("socket", 1, 2): REFUSE, ("socket", 16, 3): REFUSE, ("socket", 17, 2): REFUSE, ("socket", 2, 3): REFUSE,
        ("openat", 0, 0, os.O_RDONLY | os.O_CLOEXEC): ALLOW, ("openat", 0, 0, os.O_RDWR): REFUSE,
        ("openat", 0, 0, os.O_WRONLY): REFUSE, ("openat", 0, 0, os.O_CREAT): REFUSE, ("openat2",): ABSENT,
        ("openat", 0, 0, os.O_TRUNC): REFUSE, ("kill", OWN, 9): ALLOW, ("kill", OWN + 1, 9): REFUSE,
        ("kill", -1, 9): REFUSE, ("kill", 0, 9): REFUSE, ("tgkill", OWN, 5, 6): ALLOW, ("tgkill", 1, 1, 9): REFUSE,
        ("clone", 0x3D0F00): ALLOW, ("clone", 17): REFUSE, ("clone3",): ABSENT, ("prlimit64", 0): ALLOW,
        ("prlimit64", OWN): ALLOW, ("prlimit64", 1): REFUSE, ("prctl", 15): ALLOW, ("prctl", 4): REFUSE,
        ("prctl", 1): REFUSE, ("prctl", 0x59616D61): REFUSE, ("setsockopt", 3, 1, 6): REFUSE,
        ("setsockopt", 3, 1, 8): ALLOW, ("setsockopt", 3, 0, 6): ALLOW,
    }  # fmt: skip
    assert {call: ask(*call) for call in wanted} == wanted
    assert answer(without, seccomp._SEEN["socket"][column], 2, 2, machine=architecture) == REFUSE
    assert answer(without, seccomp._SEEN["setsockopt"][column], 3, 1, 8, machine=architecture) == ALLOW
    assert answer(program, 1000, machine=architecture) == ABSENT
    assert answer(program, 0x40000000 + 59, machine=architecture) == REFUSE
    assert answer(program, 11, machine=0x40000003) == REFUSE, "32-bit calls on the same machine"


@pytest.mark.needs_root
def test_a_closed_home_is_told_from_what_bare_root_may_read(tmp_path):
    """Root without capabilities gets at its own files and at what anybody may read, and not into a closed home."""
    nobody = pwd.getpwnam("nobody")
    found = {}
    for owner, mode in ((0, 0o700), (nobody.pw_uid, 0o755), (nobody.pw_uid, 0o700)):
        folder = tmp_path / f"{owner}-{mode:o}"
        folder.mkdir()
        (folder / "code.py").touch(0o644)
        os.chown(folder, owner, -1)
        folder.chmod(mode)
        found[owner, mode] = sandbox._open_to_bare_root(folder / "code.py")
    assert found == {(0, 0o700): True, (nobody.pw_uid, 0o755): True, (nobody.pw_uid, 0o700): False}
