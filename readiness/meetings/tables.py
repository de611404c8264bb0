"""Meetings from a table, as spreadsheets save it: CSV with semicolons, commas or tabs."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from readiness.errors import InputError
from readiness.meetings.table_words import COLUMN_WORDS, VALUE_WORDS
from readiness.meetings.wanted import LONGEST_FOUND, NAMELESS, Bad, BadRowError, Wanted
from readiness.meetings.wishes import HostPlan, MeetingPlan, PersonPlan
from readiness.typed import read_start, visible

__all__ = ["COLUMNS", "guarded", "read_table"]

OF_MEETING = ("starts", "minutes", "title", "profile", "solution", "join_link", "support_phone", "unit")
OF_LEADER = ("leader", "leader_mail", "leader_phone")
OF_PERSON = ("role", "label", "language", "phone", "mail", "together")
COLUMNS = ("meeting", *OF_MEETING, *OF_LEADER, *OF_PERSON)
REQUIRED = ("starts", "role")
ADDED = frozenset({"unit"})
"""Columns that came later. An empty one is not in a row's key, so that files imported before keep their meetings."""
DATE, TIME = "date", "time"
"""Two columns that stand for ``starts`` where a table keeps them apart."""
ROW_KEY = "csv-row:"
"""Prefix of the key of a row without an identifier, whose key is its whole content."""
_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""Characters by which a spreadsheet takes a cell for a formula (OWASP, CSV injection), also in wide forms."""
_UNSEEN = r"\s\0\x01-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_STARTS_FORMULA = re.compile(rf"(\A|[;\t\r\n])(?=[{_UNSEEN}\"']*[{_FORMULA}])|\A(?=[\t\r\n\0])")
"""At the beginning, and after what another country's spreadsheet separates cells by; what it drops in between counts
not. Commas stand within quotation marks where we write, and are no separator where semicolons are."""
_MARK = re.compile(rf"\A(?:'[{_UNSEEN}]*)+(?=[\"']*[{_FORMULA}])")
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
"""Excel's first line for a separator other than its own."""
_BROKEN = re.compile(
    r"(?i:#[A-Z\u00c4-\u00d8/0]{2,14}[!?]|#N/A|#I/T|##+|Err:\d{3})|NULL|\(null\)|nan|NaN|NaT|<NA>|None|undefined|\\N"
    r"|\[object Object\]"
)
"""A spreadsheet's error value in any language, the signs of a too narrow column, or a program's word for nothing."""
_AS_TEXT = re.compile(r'="([^"]*)"')
"""A cell by which programs keep a spreadsheet from changing it: ``="02.03.2027"``."""
CONTACT = frozenset({"phone", "mail", "leader_phone", "leader_mail"})
"""Columns in which a formula is refused, whatever it says."""
MOST_DIGITS = 6
"""Most digits of a number, clear of any limit."""


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; `read_table` removes the mark at its beginning."""
    return _STARTS_FORMULA.sub(r"\1'", cell)


def read_table(text: str) -> tuple[list[Wanted], list[Bad]]:
    """Return the meetings of a table and its bad rows. Raises InputError if it is no table of meetings."""
    try:
        listed = _unwrapped(list(_rows(text)))
    except csv.Error:
        raise InputError("import.unreadable") from None
    if not listed:
        raise InputError("import.empty")
    at, heads = listed[0]
    names = [_column(head) for head in heads]
    if bad := _wrong_heading(at, names, [cells for _, cells in listed[1:]]):
        return [], bad
    groups: dict[str, list[tuple[int, dict[str, str]]]] = {}
    seen: Counter[str] = Counter()
    for number, cells in listed[1:]:
        if any(visible(cell) for cell in cells[len(names) :]):
            bad.append(Bad(number, "import.cells"))
            continue
        row = _row_of(names, cells)
        if broken := next((name for name in COLUMNS if _BROKEN.fullmatch(row.get(name, ""))), None):
            bad.append(Bad(number, "import.cell_error", broken, row[broken][:LONGEST_FOUND]))
            continue
        whole = "\x1f".join(row.get(name, "") for name in COLUMNS if row.get(name) or name not in ADDED)
        seen[whole] += 1
        key = f"csv:{row['meeting']}" if row.get("meeting") else f"{ROW_KEY}{whole}\x1f{seen[whole]}"
        groups.setdefault(key, []).append((number, row))
    wanted: list[Wanted] = []
    spellings = {key.casefold(): key for key in reversed(groups)}
    for key, group in groups.items():
        try:
            if spellings[key.casefold()] != key and not group[0][1].get("starts"):
                bad.append(Bad(group[0][0], "import.spelling", "meeting"))
            else:
                wanted.append(_meeting(key, group))
        except BadRowError as error:
            bad.append(error.bad)
    return wanted, bad


def _unwrapped(listed: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Return the rows; if a program has quoted whole rows, each is parsed again."""
    heads = [head for head in listed[0][1] if visible(head)] if listed else []
    if len(heads) != 1 or not any(sign in heads[0] for sign in ";,\t"):
        return listed
    delimiter = max(";,\t", key=heads[0].count)
    return [
        (number, [*next(csv.reader([cells[0]], delimiter=delimiter, strict=True), []), *cells[1:]])
        for number, cells in listed
    ]


def _column(head: str) -> str:
    """Return our own name of a column, whatever language it is written in; an unknown one as it is."""
    plain = visible(head).lower()
    return COLUMN_WORDS.get(plain, plain)


def _nameless(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a value from a column without a name, or "": below one heading over two columns it would be lost.

    The row numbers that programs write before a table are not worth a name.
    """
    for place, name in enumerate(names):
        values = [visible(cells[place]) for cells in rows if place < len(cells)] if not name else []
        if any(values) and not any(values == [str(at + first) for at in range(len(values))] for first in (0, 1, 2)):
            return next(filter(None, values))
    return ""


def _row_of(names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Return the cells by column; date and time become one."""
    row = {name: _cell(cell) for name, cell in zip(names, cells, strict=False) if name}
    for name, cell in row.items():
        if name not in CONTACT and (as_text := _AS_TEXT.fullmatch(cell)):
            row[name] = visible(as_text[1])
    if DATE in row and TIME in row:
        row["starts"] = f"{row.pop(DATE)} {row.pop(TIME)}".strip()
    return row


def _wrong_heading(at: int, names: Sequence[str], following: Sequence[Sequence[str]]) -> list[Bad]:
    """Return the faults of the heading in row `at`; with any, the rest of the file is not read."""
    heads = names
    if {DATE, TIME} <= set(names) and "starts" not in names:
        names = ["starts" if name == DATE else "" if name == TIME else name for name in names]
    known = set(names) & set(COLUMNS)
    if not known:
        for number, cells in enumerate(following[:2], start=at + 1):
            if {_column(cell) for cell in cells} >= set(REQUIRED):
                return [Bad(number, "import.heading_below")]
        if any("|" in name for name in names):
            return [Bad(at, "import.separator")]
    bad = [Bad(at, "import.column", name[:40]) for name in names if name and name not in COLUMNS]
    bad += [Bad(at, "import.column_missing", name) for name in REQUIRED if name not in names]
    if not bad and (lost := _nameless(heads, following)):
        bad.append(Bad(at, "import.column_nameless", "", lost[:LONGEST_FOUND]))
    return bad + [
        Bad(at, "import.column_twice", name) for name, times in Counter(filter(None, names)).items() if times > 1
    ]


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not empty, with the number of its first line."""
    lines = text.splitlines(keepends=True)
    told = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    heading = next((line for line in lines[1 if told else 0 :] if line.strip()), "")
    delimiter = told[1] if told and told[1] in ";,|" else max(";,\t", key=heading.count)
    rest = io.StringIO("".join(lines[1:]) if told else text, newline="")
    reader = csv.reader(rest, delimiter=delimiter, strict=True)
    before = 1 if told else 0
    begins = 1
    for cells in reader:
        if any(visible(cell) for cell in cells):
            yield begins + before, cells
        begins = reader.line_num + 1


def _cell(typed: str) -> str:
    return _MARK.sub("", visible(typed))


def _meeting(key: str, group: Sequence[tuple[int, Mapping[str, str]]]) -> Wanted:
    first, head = group[0]
    for number, row in group[1:]:
        for name in OF_MEETING:
            if row.get(name) and row[name] != head.get(name, ""):
                raise BadRowError(Bad(number, "import.differs", name))
    people, rows, leaders = [], [], {}
    for number, row in group:
        if any(row.get(name) for name in OF_PERSON):
            people.append(_person(number, row))
            rows.append(number)
        leader = tuple(row.get(name, "") for name in OF_LEADER)
        if any(leader):
            leaders[leader] = HostPlan("leader", leader[0], mail=leader[1], phone=leader[2])
    plan = MeetingPlan(
        starts=_starts(first, head.get("starts", "")),
        minutes=_number(first, head, "minutes", 45),
        title=head.get("title", ""),
        profile=_value(head, "profile") or "consultation",
        solution=_value(head, "solution") or "other",
        join_link=head.get("join_link", ""),
        support_phone=head.get("support_phone", ""),
        unit=head.get("unit", ""),
        people=tuple(people),
        hosts=tuple(leaders.values()),
        key=key,
        version=NAMELESS if key.startswith(ROW_KEY) else "",
    )
    return Wanted(plan, tuple(rows) or (first,), named=_named(group))


def _named(group: Sequence[tuple[int, Mapping[str, str]]]) -> frozenset[str]:
    """Return the fields with a value in any row; an empty cell keeps what somebody has entered since."""
    return frozenset(name for _, row in group for name, cell in row.items() if cell)


def _person(number: int, row: Mapping[str, str]) -> PersonPlan:
    return PersonPlan(
        role=_value(row, "role"),
        label=row.get("label", ""),
        locale=_value(row, "language"),
        phone=row.get("phone", ""),
        mail=row.get("mail", ""),
        together=_number(number, row, "together", 1),
    )


def _value(row: Mapping[str, str], name: str) -> str:
    """Return our own word for a value, whatever language it is written in; an unknown one as it is."""
    typed = row.get(name, "").lower()
    return VALUE_WORDS[name].get(typed, typed)


def _number(number: int, row: Mapping[str, str], name: str, otherwise: int) -> int:
    typed = row.get(name, "")
    if not typed:
        return otherwise
    if not (typed.isascii() and typed.isdigit() and len(typed) <= MOST_DIGITS):
        raise BadRowError(Bad(number, "import.number", name))
    return int(typed)


def _starts(number: int, typed: str) -> datetime:
    try:
        return read_start(typed)
    except InputError as error:
        raise BadRowError(Bad(number, error.code, "starts")) from None
