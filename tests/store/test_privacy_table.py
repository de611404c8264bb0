"""PRV-1: ``readiness/docs/privacy.md`` explains every field the database stores, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa

from reports.store.tables import metadata
from tests.store.test_migrations import sync_engine

DOCUMENT = Path(__file__).parents[2] / "readiness" / "docs" / "privacy.md"
ROW = re.compile(r"^\| `(?P<field>\w+\.\w+)` \| (?P<purpose>[^|]+) \| (?P<readers>[^|]+) \| (?P<kept>[^|]+) \|$")
READERS = {"participant", "leader", "organiser", "support", "room manager", "room", "service", "everybody", "staff"}
READERS |= {"administrator", "reader"}


def documented() -> list[re.Match[str]]:
    """The rows of the table."""
    found = [ROW.match(line) for line in DOCUMENT.read_text(encoding="utf-8").splitlines()]
    return [row for row in found if row is not None]


def test_every_column_is_explained_once_and_no_other() -> None:
    """The schema in the code and the table agree."""
    fields = [row["field"] for row in documented()]
    schema = {str(column) for table in metadata.tables.values() for column in table.columns}
    assert len(fields) == len(set(fields))
    assert set(fields) == schema | {"alembic_version.version_num"}


def test_the_database_itself_has_no_other_column(url: str) -> None:
    """Not even one that only a migration knows."""
    engine = sync_engine(url)
    inspector = sa.inspect(engine)
    tables = inspector.get_table_names()
    stored = {f"{table}.{column['name']}" for table in tables for column in inspector.get_columns(table)}
    engine.dispose()
    assert stored == {row["field"] for row in documented()}


def test_every_field_has_a_purpose_a_reader_and_an_end() -> None:
    """Each word of the last two columns is explained above the table."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for row in documented():
        assert len(row["purpose"]) > 5
        assert set(row["readers"].split(", ")) <= READERS, row["field"]
        for word in row["kept"].split(" or "):
            assert f"- *{word}*: " in text, row["field"]
