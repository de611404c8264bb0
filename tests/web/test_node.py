"""The page's modules under Node's own test runner, file by file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.support import program

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.test.mjs")))
def test_the_modules_of_the_page(name):
    """Every test of this file passes in Node."""
    found = subprocess.run(
        [program("node"), "--test", FOLDER / name], capture_output=True, text=True, timeout=150, check=False
    )
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-1000:]
    assert "\n# pass 0\n" not in found.stdout, "a file without tests"
