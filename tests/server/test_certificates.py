"""A certificate that is renewed while the server runs: taken where it is whole, else refused in one sentence.

home-assistant/core#14237, aio-libs/aiohttp#10626, Kozea/Radicale#1319: the old one was served until a restart.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import ssl
import threading
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from readiness.errors import SettingError
from readiness.server import certificates
from readiness.server.certificates import Certificate
from tests.integration.support import certificate, serving
from tests.meetings.hard import listening, shut
from tests.patience import PATIENCE_S
from tests.running import tries


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list[tuple[Path, Path]]:
    """Three certificates for the same name, each with its key."""
    return [certificate(tmp_path_factory.mktemp("pair")) for _ in range(3)]


def put(pair: tuple[Path, Path], folder: Path) -> tuple[Path, Path]:
    """Lay a pair where the server looks, each file replaced in one step."""
    for source, name in zip(pair, ("cert.pem", "key.pem"), strict=True):
        shutil.copy(source, folder / f".{name}")
        (folder / f".{name}").replace(folder / name)
    return folder / "cert.pem", folder / "key.pem"


def der(path: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def presenting(served: Certificate) -> AbstractAsyncContextManager[int]:
    """A TLS server with the context that the product would use; gives its port."""

    async def end(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    return listening(end, tls=served.context)


async def shown(port: int, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, name: str = "") -> bytes:
    """The certificate that a newcomer is shown, who knows protocols up to `newest` and may ask for a server by name."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode, anybody.maximum_version = False, ssl.CERT_NONE, newest
    async with asyncio.timeout(PATIENCE_S):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=anybody, server_hostname=name)
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        await shut(writer)
    return found


async def test_a_renewed_pair_is_served_without_a_restart(pairs, tmp_path):
    """Found by looking, once it has stood still; the same files again change nothing."""
    served = Certificate(*put(pairs[0], tmp_path))
    async with presenting(served) as port:
        assert await shown(port) == der(pairs[0][0])
        put(pairs[1], tmp_path)
        served.look()
        assert await shown(port) == der(pairs[0][0]), "a change that was only just seen"
        served.look()
        assert await shown(port) == der(pairs[1][0])


async def test_a_pair_behind_a_link_is_found_when_the_link_moves(pairs, tmp_path):
    """As Kubernetes' secrets and certbot's `live` folder are laid."""
    for number in (0, 1):
        (tmp_path / str(number)).mkdir()
        put(pairs[number], tmp_path / str(number))
    (tmp_path / "live").symlink_to("0")
    served = Certificate(tmp_path / "live" / "cert.pem", tmp_path / "live" / "key.pem")
    async with presenting(served) as port:
        (tmp_path / "next").symlink_to("1")
        (tmp_path / "next").replace(tmp_path / "live")
        served.look()
        served.look()
        assert await shown(port) == der(pairs[1][0])


def _cut(folder: Path, _pairs) -> None:
    (folder / "cert.pem").write_bytes((folder / "cert.pem").read_bytes()[:200])


def _strange_key(folder: Path, pairs) -> None:
    shutil.copy(pairs[2][1], folder / "key.pem")


def _empty(folder: Path, _pairs) -> None:
    (folder / "key.pem").write_bytes(b"")


def _gone(folder: Path, _pairs) -> None:
    (folder / "cert.pem").unlink()


def _swapped(folder: Path, _pairs) -> None:
    cert, key = (folder / "cert.pem").read_bytes(), (folder / "key.pem").read_bytes()
    (folder / "cert.pem").write_bytes(key)
    (folder / "key.pem").write_bytes(cert)


def _locked(folder: Path, _pairs) -> None:
    key = load_pem_private_key((folder / "key.pem").read_bytes(), None)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (folder / "key.pem").write_bytes(sealed)


def _binary(folder: Path, _pairs) -> None:
    (folder / "cert.pem").write_bytes(der(folder / "cert.pem"))


def _folder(folder: Path, _pairs) -> None:
    (folder / "key.pem").unlink()
    (folder / "key.pem").mkdir()


@pytest.mark.parametrize("broken", [_cut, _strange_key, _empty, _gone, _swapped, _locked, _binary, _folder])
async def test_a_broken_pair_keeps_the_old_one(pairs, tmp_path, caplog, broken):
    """One sentence a change, however often it is looked at; a whole pair afterwards is taken."""
    served = Certificate(*put(pairs[0], tmp_path))
    async with presenting(served) as port:
        put(pairs[1], tmp_path)
        broken(tmp_path, pairs)
        for _ in range(4):
            served.look()
        assert await shown(port) == der(pairs[0][0])
        if broken is not _gone:  # while a file is away there is nothing to try yet
            (told,) = [record for record in caplog.records if record.getMessage() == "tls.kept_old"]
            assert told.values["text"].endswith(".")
            assert "old ones are still served" in told.values["text"]
        caplog.clear()
        assert served.reload() is False, "a signal says it again"
        assert len(caplog.records) == 1
        if (tmp_path / "key.pem").is_dir():
            (tmp_path / "key.pem").rmdir()
        put(pairs[1], tmp_path)
        served.look()
        served.look()
        assert await shown(port) == der(pairs[1][0])


@pytest.mark.parametrize("broken", [_cut, _strange_key, _swapped, _locked, _gone])
def test_a_broken_pair_at_the_start_is_said(pairs, tmp_path, broken):
    """The server does not start."""
    put(pairs[0], tmp_path)
    broken(tmp_path, pairs)
    with pytest.raises(SettingError, match="READINESS_TLS_CERT"):
        Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")


def valid(folder: Path, begins: timedelta, ends: timedelta) -> tuple[Path, Path]:
    """A pair for nobody's name, valid between two moments from now."""
    folder.mkdir()
    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(now + begins).not_valid_after(now + ends).sign(key, SHA256())
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


DAY = timedelta(days=1)


@pytest.mark.parametrize(("begins", "ends"), [(-9 * DAY, -DAY), (DAY, 9 * DAY)], ids=["ended", "not begun"])
async def test_a_renewed_pair_that_browsers_refuse_keeps_the_old_one(pairs, tmp_path, caplog, begins, ends):
    """An own case: a backup over the new pair, or one for next week. After the old one's end anything is better."""
    served = Certificate(*put(pairs[0], tmp_path))
    bad = valid(tmp_path / "bad", begins, ends)
    async with presenting(served) as port:
        put(bad, tmp_path)
        assert served.reload() is False
        assert await shown(port) == der(pairs[0][0])
        (told,) = [record for record in caplog.records if record.getMessage() == "tls.kept_old"]
        assert "it is valid from " in told.values["text"]
    late = Certificate(*put(valid(tmp_path / "old", -9 * DAY, -DAY), tmp_path))
    put(bad, tmp_path)
    assert late.reload() is True


async def test_a_pair_that_begins_later_is_taken_when_it_has_begun(pairs, tmp_path, monkeypatch):
    """An own case: it is not forgotten, though its files do not change any more."""
    served = Certificate(*put(pairs[0], tmp_path))
    coming = put(valid(tmp_path / "coming", DAY, 9 * DAY), tmp_path)
    async with presenting(served) as port:
        served.look()
        served.look()
        assert await shown(port) == der(pairs[0][0])
        later = SimpleNamespace(now=lambda zone: datetime.now(zone) + 2 * DAY, max=datetime.max)
        monkeypatch.setattr(certificates, "datetime", later)
        served.look()
        assert await shown(port) == der(coming[0])


def test_a_certificate_that_nothing_renews_is_told_of_once_a_day(tmp_path, caplog):
    """An own case: the timer that renews has died, and nobody hears of it before patients do."""
    for days, told in ((40, []), (13, [("tls.ends_soon", 12)]), (-1, [("tls.ended", -2)])):
        caplog.clear()
        served = Certificate(*valid(tmp_path / str(days), -90 * DAY, days * DAY))
        for _ in range(3):
            served.look()
        assert [(one.getMessage(), one.values["days_left"]) for one in caplog.records] == told


async def test_looking_never_ends(pairs, tmp_path, monkeypatch):
    """The server's own task finds the new pair."""
    monkeypatch.setattr(certificates, "LOOK_EVERY_S", 0.01)
    served = Certificate(*put(pairs[0], tmp_path))
    looking = asyncio.create_task(served.keep_fresh())
    async with presenting(served) as port, asyncio.timeout(PATIENCE_S):
        put(pairs[1], tmp_path)
        while await shown(port) != der(pairs[1][0]):
            await asyncio.sleep(0.01)
    looking.cancel()


async def test_who_comes_while_a_pair_is_replaced_is_served(pairs, tmp_path):
    """Each newcomer gets one whole pair, the old or the new, in either protocol and with or without a server name."""
    served = Certificate(*put(pairs[0], tmp_path))
    ders = {der(pair[0]) for pair in pairs[:2]}
    is_over = threading.Event()

    def replace() -> None:
        for turn in itertools.count(1):
            put(pairs[turn % 2], tmp_path)
            if is_over.is_set() or not served.reload():
                return

    replacing = asyncio.create_task(asyncio.to_thread(replace))
    try:
        async with presenting(served) as port:
            for turn in range(tries(300, 60)):
                newest = ssl.TLSVersion.TLSv1_2 if turn % 2 else ssl.TLSVersion.TLSv1_3
                name = "" if turn % 3 else "readiness.example"
                assert await shown(port, newest=newest, name=name) in ders
        assert not replacing.done()
    finally:
        is_over.set()
        await replacing


async def test_a_signal_reloads_a_running_server(pairs, tmp_path):
    """SIGHUP: a new pair is served at once; with a broken one the server lives on with the old."""
    cert, key = put(pairs[0], tmp_path)
    with serving(tmp_path, TLS_CERT=str(cert), TLS_KEY=str(key)) as server:

        async def signalled(event: str, count: int) -> None:
            os.kill(server.process.pid, signal.SIGHUP)
            async with asyncio.timeout(PATIENCE_S):
                while [json.loads(line)["event"] for line in server.log.splitlines()].count(event) < count:
                    await asyncio.sleep(0.02)

        assert await shown(server.port) == der(pairs[0][0])
        put(pairs[1], tmp_path)
        await signalled("tls.reloaded", 1)
        assert await shown(server.port) == der(pairs[1][0])
        _cut(tmp_path, pairs)
        await signalled("tls.kept_old", 1)
        assert await shown(server.port) == der(pairs[1][0])
        assert server.stop() == 0
