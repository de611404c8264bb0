"""A real PostgreSQL, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.conftest import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for the tests of this folder."""
    server = PostgresServer()
    try:
        yield server
    finally:
        server.close()
