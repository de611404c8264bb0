"""What a store asks its database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa

from reports.store import Store


@contextlib.contextmanager
def statements_of(store: Store) -> Iterator[list[str]]:
    """Every statement from now on, in order; those that begin a transaction or set up a connection are left out."""
    asked: list[str] = []

    def seen(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN")):
            asked.append(statement)

    engine = store._database._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", seen)
    try:
        yield asked
    finally:
        sa.event.remove(engine, "before_cursor_execute", seen)
