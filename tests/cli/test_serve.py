"""The command as the person who installs it meets it: one clear line for whatever is wrong, and links that work."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0


def environment(folder: Path, **settings: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("READINESS_")}
    return clean | {"READINESS_DATA_DIR": str(folder / "data"), "READINESS_PORT": "0"} | settings


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "readiness", *arguments],
        cwd=ROOT, env=environment(folder, **settings), capture_output=True, text=True, timeout=START_S, check=False,
    )


class Serving:
    """A server as its own process, ended with the block."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "readiness", "serve", "--demo", "--json", *arguments],
            cwd=ROOT, env=environment(folder, **settings), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )

    def __enter__(self) -> dict[str, str]:
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], START_S)
        return json.loads(self.process.stdout.readline() if ready else "{}")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(START_S) == 0
        finally:
            self.process.kill()
            if self.process.stdout:
                self.process.stdout.close()


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on standard error of a command that failed."""
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def test_a_port_in_use_is_named(tmp_path):
    """Somebody else has the port: one line says so and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        line = complaint(run(tmp_path, "serve", READINESS_PORT=str(taken.getsockname()[1])))
    assert "READINESS_PORT" in line
    assert "in use" in line


def test_an_unwritable_data_folder_is_named(tmp_path):
    """A data folder that can't be made: one line names the setting."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert "READINESS_DATA_DIR" in complaint(run(tmp_path, "serve", READINESS_DATA_DIR=str(blocked / "data")))


@pytest.mark.parametrize(
    ("arguments", "settings", "named"),
    [
        (["serve"], {"READINESS_PROT": "1"}, "READINESS_PROT"),
        (["serve", "--port", "many"], {}, "--port"),
        (["serve"], {"READINESS_TURN_SECRET_FILE": "/nowhere/at/all"}, "READINESS_TURN_SECRET_FILE"),
        (["serve"], {"READINESS_TRUSTED_PROXIES": "127.0.0.1"}, "READINESS_MEDIA_ADDRESSES"),
        (["serve"], {"READINESS_WORKERS": "2"}, "READINESS_DATABASE_URL"),
        (["serve", "--demo"], {"READINESS_PUBLIC_URL": "https://ready.example"}, "READINESS_PUBLIC_URL"),
        (["serve"], {"READINESS_HOST": "203.0.113.77"}, "READINESS_HOST"),
        (["meeting", "--organisation", "x", "--starts", "tomorrow"], {}, "--starts"),
        (["organisation", "--slug", "Å", "--name", "x", "--support-phone", "1"], {}, "--slug"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(tmp_path, arguments, settings, named):
    """Unknown, malformed and contradicting settings: their name, one line, exit status not 0."""
    assert named in complaint(run(tmp_path, *arguments, **settings))


def test_a_database_that_is_away_is_named(tmp_path):
    """No database at the address: one line names the setting and shows no password."""
    line = complaint(run(tmp_path, "serve", READINESS_DATABASE_URL="postgresql://u:hemmelig@127.0.0.1:9/none"))
    assert "READINESS_DATABASE_URL" in line
    assert "hemmelig" not in line


def test_links_are_fresh_at_each_start(tmp_path):
    """The demo prints four addresses as one JSON line once it serves, other ones at each start."""
    seen = []
    for _ in range(2):
        with Serving(tmp_path) as links:
            assert set(links) == {"base_url", "selftest_url", "board_url", "dropin_url"}
            with urllib.request.urlopen(links["selftest_url"].partition("#")[0], timeout=10) as answer:
                assert answer.status == 200
            seen.append(links["selftest_url"].partition("#")[2])
    assert seen[0] != seen[1]


def test_a_secret_may_stand_in_a_file(tmp_path):
    """READINESS_SECRET_KEY_FILE is read."""
    (tmp_path / "key").write_text("some secret\n")
    with Serving(tmp_path, READINESS_SECRET_KEY_FILE=str(tmp_path / "key")) as links:
        assert links["base_url"].startswith("http://127.0.0.1:")
    assert not (tmp_path / "data" / "secret.key").exists()


def test_a_direct_start_with_tls(tmp_path):
    """With a certificate the server speaks https by itself."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )
    with Serving(tmp_path, "--tls-cert", str(cert), "--tls-key", str(key)) as links:
        assert links["base_url"].startswith("https://")
        trust = ssl.create_default_context(cafile=str(cert))
        with urllib.request.urlopen(links["dropin_url"], context=trust, timeout=10) as answer:
            assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


def test_the_plain_server_has_no_demo(tmp_path):
    """`readiness serve` alone makes no organisation; the two other commands make one and its links."""
    url = {"READINESS_PUBLIC_URL": "https://ready.example"}
    made = run(tmp_path, "organisation", "--slug", "sunnaas", "--name", "Sunnaas", "--support-phone", "+47 1", **url)
    assert made.returncode == 0, made.stderr
    meeting = run(tmp_path, "meeting", "--organisation", "sunnaas", "--starts", "2030-12-01T10:00",
                  "--people", "patient:Anna,interpreter:TK", **url)
    assert meeting.returncode == 0, meeting.stderr
    assert [line.split()[0] for line in meeting.stdout.splitlines()] == ["Anna", "TK", "leader"]
    assert meeting.stdout.count("https://ready.example/o/sunnaas/t#") == 2
    assert meeting.stdout.count("https://ready.example/o/sunnaas/board#") == 1


def test_help_names_every_setting(tmp_path):
    """`readiness serve --help` is real help."""
    from readiness.settings import SETTINGS

    done = run(tmp_path, "serve", "--help")
    assert done.returncode == 0
    assert all(setting.flag in done.stdout for setting in SETTINGS)
