"""Behind a real nginx with the configuration that the documentation shows."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.integration.chromium import chromium
from tests.integration.participant import board, let_go, participant, state_of
from tests.integration.support import ROOT, certificate, free_port, program, serving
from tests.integration.walking import assert_network_measured, assert_words_shown, report_of, walk
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow
EXAMPLE = ROOT / "readiness" / "docs" / "nginx.conf.example"
MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
{user}
events {{ worker_connections 256; }}
http {{
  default_type application/octet-stream;
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  include {folder}/readiness.conf;
}}
"""


def filled_in(folder: Path, *, https: int, http: int, upstream: int) -> str:
    """The documented configuration with this test's ports and certificate; each place must be there."""
    cert, key = certificate(folder)
    text = EXAMPLE.read_text()
    places = {
        "listen 443 ssl;": f"listen 127.0.0.1:{https} ssl;",
        "listen 80;": f"listen 127.0.0.1:{http};",
        "http://127.0.0.1:8080": f"http://127.0.0.1:{upstream}",
        "/etc/ssl/certs/ready.hospital.example.pem": str(cert),
        "/etc/ssl/private/ready.hospital.example.key": str(key),
    }
    for place, value in places.items():
        assert text.count(place) == 1, place
        text = text.replace(place, value)
    assert text.count("server_name ready.hospital.example;") == 2
    return text.replace("server_name ready.hospital.example;", "server_name 127.0.0.1;")


@contextlib.contextmanager
def nginx_with(folder: Path, sites: str) -> Iterator[Path]:
    """A running nginx with the server blocks `sites`; yields its error log."""
    (folder / "readiness.conf").write_text(sites)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user="user root;" if os.getuid() == 0 else ""))
    log = folder / "nginx.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"],
            stdout=errors, stderr=errors,
        ) as process,
    ):  # fmt: skip
        try:
            yield log
        finally:
            process.terminate()
            process.wait(15)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server behind nginx: the demo's links, all https through the proxy."""
    https, http, upstream = free_port(), free_port(), free_port()
    settings = {
        "PORT": str(upstream),
        "PUBLIC_URL": f"https://127.0.0.1:{https}",
        "TRUSTED_PROXIES": "127.0.0.1",
        "MEDIA_ADDRESSES": "127.0.0.1",
    }
    with (
        serving(tmp_path, "--demo", "--force", **settings) as server,
        nginx_with(tmp_path, filled_in(tmp_path, https=https, http=http, upstream=upstream)) as log,
    ):
        await_answer(https, log)
        yield {**server.links, "plain_url": f"http://127.0.0.1:{http}", "upstream_url": f"http://127.0.0.1:{upstream}"}
        assert "error" not in log.read_text(), log.read_text()


def await_answer(port: int, log: Path) -> None:
    """Return when nginx takes connections on `port`."""
    for _ in range(int(10 * PATIENCE_S)):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"nginx does not answer: {log.read_text()}")


@pytest.mark.browser
async def test_the_whole_test_and_the_board_work_through_nginx(site):
    """Page, session socket and the board's events go through the proxy; media goes straight to the server."""
    async with (
        board(site["base_url"], site["board_url"], ssl=False) as watch,
        chromium(ignore_tls=True) as page,
    ):
        await watch.until(lambda shown: state_of(shown) == "not_tested")
        await page.goto(site["selftest_url"])
        entered = await walk(page)
        values = assert_network_measured(await report_of(page))
        await assert_words_shown(page)
        await watch.until(lambda shown: state_of(shown) != "not_tested")
        cookies = await page.page.context.cookies()
    print(f"nginx: answer after {entered['answer']:.1f} s; {values}")
    assert len(page.said("plan")) == 1, "the socket held from the start to the end"
    (cookie,) = cookies
    assert cookie["name"].startswith("__Host-rd-")
    assert cookie["secure"]
    assert cookie["httpOnly"]
    assert cookie["path"] == "/"
    assert not page.faults


async def test_what_nginx_adds_and_what_it_must_not_let_through(site):
    """HSTS on every answer, http goes to https, and a visitor's own X-Forwarded headers change nothing."""
    lies = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-For": "198.51.100.9"}
    async with aiohttp.ClientSession() as http:
        for path in ("/", "/healthz", "/api/v1/sessions/nobody", "/static/none/none.js"):
            async with http.get(site["base_url"] + path, ssl=False, headers=lies) as response:
                assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000"), path
                assert "evil.example" not in response.headers["Content-Security-Policy"]
                assert site["base_url"].replace("https", "wss", 1) in response.headers["Content-Security-Policy"]
                assert "evil.example" not in await response.text()
        async with http.get(site["plain_url"] + "/o/demo/try", allow_redirects=False) as response:
            assert response.status == 301
            assert response.headers["Location"].startswith("https://")
    await let_go({"ssl": False})


async def test_a_socket_from_another_site_is_refused_through_nginx_too(site):
    """The origin is compared with what the browser sees, not with the address behind the proxy."""
    url = site["base_url"].replace("https", "wss", 1) + "/api/v1/session"
    async with participant(site["base_url"], ssl=False) as anna:
        assert (await anna.begin())["done"] == []
        for origin in ("https://evil.example", site["upstream_url"]):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await anna.http.ws_connect(url, ssl=False, headers={"Origin": origin})
            assert refused.value.status == 403
