"""A disk without room: the start says what to do, a running server refuses and goes on, nothing kept is lost."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from readiness.server import blocked
from reports.store import Store
from tests.cast import make_cast, supporter
from tests.conftest import served
from tests.integration.support import ROOT, settings_env
from tests.patience import PATIENCE_S
from tests.security.support import HELLO, redeem

SIZE_MB = 8
REPORTS = 5
TOO_LATE_S = 120


class Disk:
    """A file system in memory, as small as a test needs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.filler = folder / "filler"

    def fill(self, *, but_kb: int = 0) -> None:
        """Write until nothing fits any more, and take back `but_kb`."""
        with self.filler.open("ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
            file.truncate(max(0, file.tell() - but_kb * 1024))

    def clear(self) -> None:
        """Give the room back."""
        self.filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "readiness-test", folder], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def started(folder: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run `readiness serve` until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "readiness", "serve", "--port", "0", *arguments],
        cwd=ROOT, env=settings_env(folder, {}), capture_output=True, text=True, timeout=TOO_LATE_S, check=False,
        **options,
    )  # fmt: skip


@pytest.mark.needs_root
@pytest.mark.timeout(2 * TOO_LATE_S)
@pytest.mark.parametrize("but_kb", [0, 8, 100])
@pytest.mark.parametrize("arguments", [[], ["--demo"]], ids=["plain", "demo"])
def test_a_start_on_a_full_disk_says_what_to_do(disk, arguments, but_kb):
    """One sentence and a status, whether nothing fits or the first pages do."""
    disk.fill(but_kb=but_kb)
    done = started(disk.folder / "data", *arguments)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith("readiness: READINESS_DATA_DIR: ")
    assert str(disk.folder / "data") in line
    assert "make room there, or name a folder on another disk" in line


def test_a_start_within_a_limit_of_file_sizes_is_one_sentence_too(tmp_path):
    """As a quota gives it: no root is needed for this one."""
    done = started(
        tmp_path / "data",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024)),
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith("readiness: READINESS_DATABASE_URL: the database ")
    assert str(tmp_path / "data") in line


async def report_of(http: aiohttp.ClientSession, session: str) -> tuple[int, dict, str | None]:
    """Have a report stored over HTTPS, as a page does whose socket is blocked."""
    body = {**HELLO, "session": session}
    async with http.post(f"/api/v1/sessions/{session}/blocked", json=body) as got:
        return got.status, await got.json(), got.headers.get("Retry-After")


async def readiness_of(http: aiohttp.ClientSession) -> tuple[int, dict]:
    async with http.get("/readyz") as got:
        return got.status, (await got.json())["parts"]


@pytest.mark.needs_root
async def test_DUR_3_a_disk_that_fills_is_told_and_nothing_acknowledged_is_lost(disk, migrated_file, monkeypatch):
    """Reports are refused with 503 and when to come back, /readyz is 503; with room again everything works at once."""
    monkeypatch.setattr(blocked, "ONCE_IN", timedelta())
    kept: dict[str, str] = {}
    async with (
        served(disk.folder, migrated_file) as server,
        aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        cast = await make_cast(server.store)
        session = await redeem(http, cast.anna_token)
        async with asyncio.timeout(PATIENCE_S):
            while (await readiness_of(http))[0] != 200:
                await asyncio.sleep(0.1)
        for is_full in (False, True):
            if is_full:
                disk.fill()
            for _ in range(REPORTS):
                status, answer, after_s = await report_of(http, session)
                if status != 200:
                    break
                kept[answer["report"]["code"]] = answer["report"]["id"]
        assert (status, answer["error"]["code"]) == (503, "store.unavailable")
        assert 1 <= int(after_s) <= 10
        status, parts = await readiness_of(http)
        assert (status, parts["disk"]) == (503, False)
        disk.clear()
        for _ in range(REPORTS):
            status, answer, _ = await report_of(http, session)
            assert status == 200
            kept[answer["report"]["code"]] = answer["report"]["id"]
        assert (await readiness_of(http))[0] == 200
        assert len(kept) >= 2 * REPORTS
    store = await Store.open(f"sqlite:///{disk.folder / migrated_file.name}")
    try:
        for code, report_id in kept.items():
            found = await store.report_by_code(supporter(cast.meeting.organisation_id), code)
            assert found is not None
            assert found.id == report_id
    finally:
        await store.close()
