"""The page's modules under Node's own test runner, file by file."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.support import program

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.test.mjs")))
def test_the_modules_of_the_page(name):
    """Every test of this file passes in Node, and there are some. Without `--test`, which starts Node twice."""
    found = subprocess.run([program("node"), FOLDER / name], capture_output=True, text=True, timeout=150, check=False)
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-1000:]
    assert re.search(r"^# pass [1-9]", found.stdout, re.MULTILINE), "a file without tests"
