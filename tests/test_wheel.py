"""The wheel is whole: installed elsewhere, without the project's folder, it serves the page and its workers start."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import site
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_an_installed_wheel_serves_the_page(tmp_path):
    """Page, script, catalogue, schema, digits, migrations, profiles and models all travel in the wheel."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    home = tmp_path / "home"
    venv.EnvBuilder(with_pip=True).create(home)
    python = home / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, *tmp_path.glob("*.whl")], check=True)
    packages = next((home / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))  # the libraries, not the project
    letter = "from readiness.meetings.paper import TEMPLATES as t; print(*sorted(p.name for p in t.rglob('*')))"
    papers = subprocess.run([python, "-c", letter], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert {"letter.typ", "board.typ", "look.typ", "mail.html", "OFL.txt"} <= set(papers.split())
    assert papers.count(".ttf") + papers.count(".otf") == 35
    assert papers.count("OFL.txt") == 2
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("READINESS_", "PYTHON"))}
    environment |= {"READINESS_PORT": "0", "READINESS_DATA_DIR": str(tmp_path / "data")}
    process = subprocess.Popen(
        [home / "bin" / "readiness", "serve", "--demo", "--json"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    try:
        select.select([process.stdout], [], [], 60)
        base = json.loads(process.stdout.readline())["base_url"]
        page = _get(base + "/o/demo/try").decode()
        static = re.search(r'name="readiness-static" content="([^"]+)"', page)
        assert static
        for name in ("selftest/js/main.js", "locales/nb.json", "shared/protocol.json", "selftest/audio/nb/3.mp3"):
            assert _get(f"{base}{static[1]}/{name}")
        assert str(ROOT) not in page
        _wait_ready(base)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=150)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def _wait_ready(base: str) -> None:
    """Return when a media worker has started from the installed files."""
    for _ in range(60):
        try:
            assert json.loads(_get(base + "/readyz"))["parts"]["media_workers"]
            return
        except (urllib.error.HTTPError, AssertionError):
            time.sleep(0.5)
    raise AssertionError("no media worker")
