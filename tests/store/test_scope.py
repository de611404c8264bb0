"""AUT-2: no query reaches meetings, people, reports or cases by an id alone that somebody outside may have made up.

Each names the organisation, or stands in a table here that says whose right it goes by. Inside the organisation the
methods that take the id of a row get it out of a row that was authorised before, never out of a request.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.floors import parsed

ROOT = Path(__file__).resolve().parents[2]
STORE = sorted((ROOT / "reports" / "store").glob("*.py"))
CALLERS = sorted((ROOT / "readiness").rglob("*.py"))
TABLES = {"meeting", "report", "participant", "host", "support_case"}
BY_ANOTHER_RIGHT = {
    "access._sessions": "a session, found by its secret; the end of its own meeting",
    "access.give_invitation": "the person of a link that carries its organisation",
    "desk._leaders_of": "meetings of cases that were selected inside an organisation",
    "desk._running": "a column about people whom the query around it chooses inside an organisation",
    "desk._newest_of": "participants of cases that were selected inside an organisation",
    "cases.close_cases": "a meeting that was locked inside an organisation, in the same transaction",
    "feedback._sums": "no query: answers that were selected inside an organisation",
    "feedback.host_of_session": "a session's own host",
    "meetings._add": "rows that carry their organisation",
    "meetings._lines": "lines of meetings that were just selected inside an organisation",
    "meetings._matches": "a condition beside the organisation's",
    "outbox.meetings_starting": "the clock's, for everybody",
    "participation._count_people": "the clock's, for everybody",
    "participation._rows_of": "a meeting that is being counted, by the clock",
    "retention.purge": "the clock's, for everybody",
    "retention.purge_counts": "the clock's, for everybody",
    "retention._due": "the clock's, for everybody",
    "retention._ended": "the clock's, for everybody",
    "retention._keep_verdicts": "the clock's, for everybody",
    "retention._forget_meetings": "the clock's, for everybody",
    "retention._unlink": "the clock's, for everybody",
    "rows.carry_feeds": "hosts of a meeting that was made or locked inside an organisation, in the same transaction",
    "self_tests._lock_person": "a session's own participant",
    "subject._told": "conditions of a person or session that was found inside an organisation",
    "scope._in_part": "a condition beside the organisation's",
    "stored_reports._newest": "the caller's conditions",
}
BY_BARE_ID = {"meeting", "board", "latest_report", "report_marks", "participant", "participants", "host", "hosts",
              "outgoing_of", "invitations", "phone", "set_practical"}  # fmt: skip
"""Methods of the store that trust the id they are given: the first argument, or the one after the actor."""
CHECKED_BESIDE = {
    ("board_api._participant", "wanted"): "the person has to be in a meeting of the leader's day",
    ("inviting.refuse_too_many", "meeting_id"): "its callers hand on the id of a meeting that they opened",
    ("planner.meeting", "meeting_id"): "who plans may open any meeting of the organisation",
    ("planner.change_person", "meeting_id"): "after `_open`, inside the organisation",
    ("planner.change_host", "meeting_id"): "after `_open`, inside the organisation",
}
"""Where the id is a plain name, and why it may be."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def functions(path: Path) -> list[Function]:
    tree = parsed(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def touches(function: Function) -> bool:
    """Whether a function builds a statement on one of the tables: uses it, or columns of it."""
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "c"
        and isinstance(node.value, ast.Name)
        and node.value.id in TABLES
        for node in ast.walk(function)
    ) or bool({"sa"} <= names and TABLES & names)


def is_scoped(function: Function) -> bool:
    """Whether the organisation, an actor or a scope is given to it and is compared, or handed on to what selects."""
    asked = {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}
    used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return bool({"organisation_id", "actor", "scope"} & asked & used)


def bare_ids(function: Function) -> Iterator[ast.expr]:
    """The id in each call of a method that trusts it; ``str(...)`` around it says nothing."""
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        if not (isinstance(call.func, ast.Attribute) and call.func.attr in BY_BARE_ID and call.args):
            continue
        owner = call.func.value
        if (owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")) in {"store", "_store"}:
            given = call.args[0 if call.func.attr == "invitations" else 1]
            is_str = isinstance(given, ast.Call) and ast.unparse(given.func) == "str"
            yield given.args[0] if isinstance(given, ast.Call) and is_str else given


def queries() -> Iterator[tuple[str, Function]]:
    for path in STORE:
        if path.stem != "tables":
            yield from ((f"{path.stem}.{one.name}", one) for one in functions(path) if touches(one))


def test_AUT_2_every_query_names_the_organisation_or_whose_right_it_is():
    """A new query without an organisation fails here; so does a line of the table that nothing needs any more."""
    found = dict(queries())
    seen = {"meetings.change_meeting", "people.host", "stored_reports.report_by_code"}
    assert seen <= set(found), "the lint sees queries"
    assert {name for name, function in found.items() if not is_scoped(function)} == set(BY_ANOTHER_RIGHT)


def test_AUT_2_no_query_takes_a_whole_organisation_for_what_its_actor_reaches():
    """Staff may reach some units only: what an act reaches is `Actor.require`'s answer, and one module makes SQL of it.

    `outbox.stuck` counts what a channel can't send.
    """
    owned = r"\b(?:meeting|report|support_case|outbox|feedback|participation)\.c\.organisation_id (?:==|\.in_)"
    texts = {path.stem: path.read_text(encoding="utf-8") for path in STORE}
    assert {name for name, text in texts.items() if re.search(owned, text)} == {"outbox"}
    assert "organisation_id == scope.organisation_id" in texts["scope"]


def test_AUT_2_bare_ids_come_out_of_authorised_rows():
    """The argument is a field of a row (`session.meeting_id`), or stands in the table above."""
    plain = {
        (f"{path.stem}.{function.name}", ast.unparse(given))
        for path in CALLERS
        if "store." in path.read_text(encoding="utf-8")
        for function in functions(path)
        for given in bare_ids(function)
        if not isinstance(given, ast.Attribute)
    }
    assert plain == set(CHECKED_BESIDE)
