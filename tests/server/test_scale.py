"""What a page asks of the database does not grow with the number of other meetings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.bench.meetings import PAGES, fill, opened, serving

FEW, MANY = 40, 400


async def statements(folder: Path, count: int) -> dict[str, int]:
    """How many statements each page takes where there are `count` meetings (and as many of another organisation)."""
    folder.mkdir()
    asked: Counter[str] = Counter()
    page = ""

    def seen(_connection, _cursor, statement, *_rest) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN")):
            asked[page] += 1

    async with serving(folder) as services:
        await fill(services.store, count)
        engine = services.store._database._engine.sync_engine
        async with opened(services) as place:
            sa.event.listen(engine, "before_cursor_execute", seen)
            for page, path in PAGES.items():  # noqa: B007 - `seen` reads it
                await place.ask(path)
            sa.event.remove(engine, "before_cursor_execute", seen)
    return dict(asked)


@pytest.mark.timeout(120)
async def test_the_number_of_statements_does_not_grow_with_the_other_meetings(tmp_path: Path) -> None:
    """Ten times as many meetings, the same statements for each page; and few of them."""
    few, many = await statements(tmp_path / "few", FEW), await statements(tmp_path / "many", MANY)
    assert few == many
    assert set(few) >= {"organiser: list of meetings", "organiser: one meeting", "leader: board of the day"}
    assert max(many.values()) <= 40, many
