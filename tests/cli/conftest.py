"""A database of its own with one organisation, for tests of commands."""

from __future__ import annotations

import shutil

import pytest

from readiness.cli import main


@pytest.fixture
def sunnaas(migrated_file, tmp_path, capsys):
    """Runs a command on an own database with Sunnaas in it, and returns status, output and error."""
    shutil.copy(migrated_file, tmp_path)  # a database made by the first command: `test_meetings`

    def run(*arguments: str):
        status = main([*arguments, "--data-dir", str(tmp_path), "--public-url", "https://video.example"])
        said = capsys.readouterr()
        return status, said.out, said.err

    house = ("--slug", "sunnaas", "--name", "Sunnaas", "--support-phone", "+47 66 96 90 00")
    assert run("organisation", *house)[0] == 0
    return run
