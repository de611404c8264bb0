"""What a page asks of the database does not grow with the number of other meetings."""

from __future__ import annotations

from pathlib import Path

from tests.bench.meetings import PAGES, fill, opened, serving
from tests.statements import statements_of

FEW, MANY = 40, 400
MOST = 6 * 6 + 6 + 4
"""A leader's day: people, reports, messages, hosts, cases and rooms of each of six meetings, who is asking, and four
that log it."""


async def statements(folder: Path, count: int) -> dict[str, int]:
    """How many statements each page takes where there are `count` meetings (and as many of another organisation)."""
    folder.mkdir()
    counts = {}
    async with serving(folder) as services:
        await fill(services.store, count)
        async with opened(services) as place:
            for page, path in PAGES.items():
                with statements_of(services.store) as asked:
                    await place.ask(path)
                counts[page] = len(asked)
    return counts


async def test_the_number_of_statements_does_not_grow_with_the_other_meetings(tmp_path: Path) -> None:
    """Ten times as many meetings, the same statements for each page; and few of them."""
    few, many = await statements(tmp_path / "few", FEW), await statements(tmp_path / "many", MANY)
    assert few == many
    assert set(few) >= {"organiser: list of meetings", "organiser: one meeting", "leader: board of the day"}
    assert max(many.values()) <= MOST, many
