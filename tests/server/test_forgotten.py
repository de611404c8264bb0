"""What a test's own server leaves behind: nothing that later tests pay for."""

from __future__ import annotations

import gc
from pathlib import Path

import aiohttp

from readiness.server.services import Services
from tests.conftest import forget_servers, served


def servers_of(folder: Path) -> int:
    """How many servers with their data there are in this process."""
    gc.collect()
    return sum(one.settings.data_dir == folder for one in gc.get_objects() if type(one) is Services)


async def test_nothing_of_a_server_stays_once_its_test_is_over(tmp_path, migrated_file):
    """Each search for garbage goes through all that stays."""
    async with served(tmp_path, migrated_file) as running:
        async with aiohttp.ClientSession(running.base) as http, http.get("/") as answer:
            assert answer.status == 200
        assert servers_of(tmp_path) == 1
    del running
    forget_servers()
    assert servers_of(tmp_path) == 0
