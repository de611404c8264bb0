"""Who imports whom inside ``readiness/``, and how long its modules are: what `test_architecture` holds.

Everything here takes the folder to look at, so that a test can break a rule in a copy.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

__all__ = [
    "FLOORS",
    "MOST_LINES",
    "circles",
    "climbing",
    "modules_of",
    "nodes_of",
    "of_the_client",
    "parsed",
    "too_long",
]

FLOORS: Mapping[str, int] = {
    name: floor
    for floor, names in enumerate(
        (
            (
                "__init__ addressed closed_days errors hours kubernetes logs outgoing reach settings sms_template "
                "texts typed"
            ),
            "access media opening",
            "client meetings demo room",
            "server",
            "__main__ cli cli_audit cli_calibration cli_organisation cli_rooms cli_voices docs_table",
        )
    )
    for name in names.split()
}
"""Settings, access, meetings, server, command line: a part imports from its own floor and those below."""
MOST_LINES = 400
"""Of one module: what a reader can hold."""


def modules_of(root: Path) -> dict[str, Path]:
    """Return the modules of the project by their full name, migrations left out."""
    found = {}
    for package in ("probes", "reports", "readiness"):
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if "versions" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


def _imports(name: str, path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules of ours that one imports, at its top and inside its functions."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for base, imported in _named(path.read_text(encoding="utf-8"), package):
        full = f"{base}.{imported}"
        if full in modules or base in modules:
            yield full if full in modules else base


@cache
def parsed(source: str) -> ast.Module:
    """Return a module's syntax; kept, for reading all of them takes seconds. Nobody changes it."""
    return ast.parse(source)


@cache
def nodes_of(source: str) -> tuple[ast.AST, ...]:
    """Return every node of a module; kept too, for walking through them takes longer than reading."""
    return tuple(ast.walk(parsed(source)))


@cache
def _named(source: str, package: str) -> tuple[tuple[str, str], ...]:
    """Return what a source imports as (module, name in it)."""
    found = []
    for node in nodes_of(source):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            found += [(base, alias.name) for alias in node.names]
    return tuple(found)


def _part(name: str) -> str:
    """Return the folder or module right below ``readiness`` that a module belongs to."""
    return [*name.split("."), "__init__"][1]


def climbing(root: Path) -> list[str]:
    """Return every import inside ``readiness/`` that goes up a floor, and every part that stands on none."""
    modules = modules_of(root)
    found = []
    for name, path in modules.items():
        if not name.startswith("readiness"):
            continue
        if _part(name) not in FLOORS:
            found.append(f"{name} stands on no floor: say in tests/floors.py on which")
            continue
        others = [other for other in _imports(name, path, modules) if other.startswith("readiness")]
        found += [f"{name} -> {other}" for other in others if FLOORS.get(_part(other), 0) > FLOORS[_part(name)]]
    return sorted(set(found))


def of_the_client(root: Path) -> list[str]:
    """Return every import between the client and the rest, but for what it may know, and for rooms, which use it."""
    own, known = "readiness.client", ("readiness.client", "readiness.media", "probes")
    modules = modules_of(root)
    arrows = [(name, other) for name, path in modules.items() for other in _imports(name, path, modules)]
    leaving = [arrow for arrow in arrows if arrow[0].startswith(own) and not arrow[1].startswith(known)]
    users = (own, "readiness.room")
    entering = [arrow for arrow in arrows if arrow[1].startswith(own) and not arrow[0].startswith(users)]
    return sorted(f"{name} -> {other}" for name, other in (*leaving, *entering))


def circles(root: Path) -> list[str]:
    """Return the modules that come back to themselves by imports, lazy ones too; packages count as their files."""
    modules = modules_of(root)
    above = {
        name: {other for other in _imports(name, path, modules) if other != name} for name, path in modules.items()
    }
    while True:
        leaves = {name for name, others in above.items() if not others & set(above)}
        if not leaves:
            break
        above = {name: others for name, others in above.items() if name not in leaves}
    return sorted(name for name in above if name in _reached(name, above))


def _reached(start: str, above: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(above[start])
    while waiting:
        name = waiting.pop()
        if name in above and name not in found:
            found.add(name)
            waiting += above[name]
    return found


def too_long(root: Path) -> dict[str, int]:
    """Return the modules above the bar by path, with their lines; the pages' modules too."""
    paths = [*modules_of(root).values(), *(root / "web").rglob("*.js")]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    return {path.relative_to(root).as_posix(): count for path, count in lines.items() if count > MOST_LINES}
