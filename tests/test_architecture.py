"""The shape of the project: who may import whom, and what the web process must never load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from readiness import errors
from reports.store import errors as store_errors
from tests.floors import MOST_LINES, circles, climbing, nodes_of, of_the_client, parsed, too_long

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("probes", "reports", "readiness")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


NOT_YET_SPLIT = {
    "readiness/media/aiortc_private.py": 438,
    "web/selftest/js/checks/network.js": 404,
    "web/selftest/js/main.js": 405,
    "web/selftest/js/render.js": 422,
}
"""Modules above the bar, with the lines they may have at most until they are split by meaning. Only ever less."""


@cache
def tree_of(path: Path) -> ast.Module:
    """A module's syntax, read and parsed once."""
    return parsed(path.read_text(encoding="utf-8"))


@cache
def all_of(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a module, walked through once."""
    return nodes_of(path.read_text(encoding="utf-8"))


@cache
def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Return the full names that a module imports; relative ones are resolved."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    nodes = ast.iter_child_nodes(tree_of(path)) if top_level_only else all_of(path)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            found.add(".".join(part for part in (base, node.module or "") if part))
    return found


def tops(path: Path) -> set[str]:
    """Return the top-level packages that a module imports."""
    return {name.split(".")[0] for name in imports_of(path)}


def foreign_to(where: str) -> set[str]:
    """The packages that a module may not import, by its path."""
    foreign = {"probes/": {"reports", "readiness", "web"}, "reports/": {"readiness", "web"}}
    never = {name for folder, names in foreign.items() if where.startswith(folder) for name in names}
    if not where.startswith(("readiness/media/", "readiness/client/media.py")):
        never |= {"aiortc", "aioice", "av", "pylibsrtp"}  # only the two ends of media touch aiortc
    if not where.startswith(("probes/", "readiness/media/")):
        never |= {"cv2", "onnxruntime", "sounddevice"}  # only probes look at pictures and sound
    if not where.startswith("reports/store/"):
        never |= {"sqlalchemy", "alembic", "sqlite3", "psycopg", "aiosqlite"}  # only the store touches SQL
    return never


def test_data_flows_from_measuring_to_judging_to_telling():
    """Probes imports nothing of ours, reports only probes, and libraries stay where they belong."""
    places = {path: path.relative_to(ROOT).as_posix() for path in MODULES}
    assert len(places) > 200
    assert {where: bad for path, where in places.items() if (bad := tops(path) & foreign_to(where))} == {}


def test_what_is_foreign_is_seen():
    """An import of each kind from where it does not belong, and from where it does."""
    assert {"readiness", "reports", "aiortc", "sqlalchemy"} <= foreign_to("probes/camera.py")
    assert {"cv2", "web", "aiortc"} <= foreign_to("reports/verdict.py")
    assert not {"cv2"} & foreign_to("probes/camera.py")
    assert not {"sqlalchemy", "probes"} & foreign_to("reports/store/engine.py")
    assert not {"aiortc", "cv2", "reports"} & foreign_to("readiness/media/worker.py")


@pytest.mark.parametrize("path", sorted((ROOT / "reports").glob("*.py")), ids=lambda path: path.name)
def test_judging_neither_tells_nor_looks_around(path: Path):
    """What judges reads no clock, socket or chance; it knows the store's rows, but neither the store nor any words."""
    imported = imports_of(path)
    assert not {name.split(".")[0] for name in imported} & {"asyncio", "os", "random", "socket", "threading", "time"}
    assert not {name for name in imported if name.startswith(("reports.render", "reports.store"))} - {
        "reports.store.records",
        "reports.store.room_records",
    }


@pytest.mark.parametrize(
    "path", sorted((ROOT / "readiness" / "server").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_server_relays_and_neither_measures_nor_judges(path: Path):
    """A phase's figures are read by `reports.readers` or in the media worker, never beside a socket."""
    named = {
        (node.module or "", alias.name)
        for node in all_of(path)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert not {name for module, name in named if module.startswith("probes.") and "_measurement" in name}
    assert not {name for module, name in named if module == "reports.verdict"} & {"judge", "judge_check"}


@pytest.mark.parametrize("path", sorted((ROOT / "probes").rglob("*.py")), ids=lambda path: path.name)
def test_heavy_libraries_are_loaded_only_when_used(path: Path):
    """Importing a probe loads neither OpenCV nor onnxruntime nor a sound device."""
    assert not {name.split(".")[0] for name in imports_of(path, top_level_only=True)} & {
        "cv2",
        "onnxruntime",
        "sounddevice",
    }


def test_nobody_climbs_the_floors():
    """Settings, access, meetings, server, command line: nothing inside ``readiness/`` imports from a floor above."""
    assert climbing(ROOT) == []


def test_the_client_and_the_server_know_nothing_of_each_other():
    """The client imports wire formats and probes only, and nothing imports it but tests and rooms."""
    assert of_the_client(ROOT) == []


def test_no_module_comes_back_to_itself():
    """No circle of imports anywhere, those inside functions counted too."""
    assert circles(ROOT) == []


def test_no_module_is_longer_than_can_be_held():
    """400 lines a module; what is longer still may shrink and not grow, and leaves the list once it is split."""
    found = too_long(ROOT)
    assert {name: lines for name, lines in found.items() if lines > NOT_YET_SPLIT.get(name, MOST_LINES)} == {}
    assert {name for name in NOT_YET_SPLIT if (ROOT / name).exists()} <= set(found), "take what was split off the list"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's modules in a folder where a rule may be broken."""
    folder = tmp_path_factory.mktemp("house")
    for path in (*MODULES, *(ROOT / "web").rglob("*.js")):
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize(
    ("module", "line", "climbs", "circle"),
    [
        ("readiness/settings.py", "from readiness.access.tokens import hash_token", "readiness.access.tokens", False),
        ("readiness/access/contacts.py", "import readiness.meetings.planner", "readiness.meetings.planner", True),
        (
            "readiness/meetings/reminders.py",
            "from readiness.server import services",
            "readiness.server.services",
            False,
        ),
        ("readiness/server/board.py", "def late():\n    from readiness.cli import main", "readiness.cli", False),
        ("readiness/server/health.py", "def late():\n    from .services import SERVICES", None, True),
        ("readiness/corner.py", "", "stands on no floor", False),
    ],
)
def test_a_broken_floor_is_seen(copy: Path, module: str, line: str, climbs: str | None, circle: bool):
    """On a copy: one import too many, at the top, inside a function or relative, turns the rules red."""
    path = copy / module
    whole = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(f"{whole or ''}\n{line}\n", encoding="utf-8")
    try:
        assert [one for one in climbing(copy) if climbs and climbs in one] or climbs is None
        assert bool(circles(copy)) >= circle
    finally:
        path.unlink() if whole is None else path.write_text(whole, encoding="utf-8")
    assert climbing(copy) == []
    assert circles(copy) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("readiness/client/session.py", "from readiness.server.protocol import VERSION"),
        ("readiness/client/person.py", "def late():\n    import reports.model"),
        ("readiness/server/attempt.py", "from readiness.client import errors"),
    ],
)
def test_a_client_that_knows_the_server_is_seen(copy: Path, module: str, line: str):
    """On a copy: one import either way turns the rule red."""
    path = copy / module
    whole = path.read_text(encoding="utf-8")
    path.write_text(f"{whole}\n{line}\n", encoding="utf-8")
    try:
        assert len(of_the_client(copy)) == 1
    finally:
        path.write_text(whole, encoding="utf-8")


def test_a_module_that_grows_is_seen(copy: Path):
    """On a copy: the 401st line of a module is one too many."""
    path = copy / "readiness/server/long.py"
    for lines in (MOST_LINES, MOST_LINES + 1):
        path.write_text("x = 1\n" * lines, encoding="utf-8")
        assert too_long(copy).get("readiness/server/long.py", 0) == (lines if lines > MOST_LINES else 0)
    path.unlink()


@pytest.mark.slow
def test_the_web_process_does_not_load_aiortc():
    """Importing the whole server loads no media engine: a hostile peer never meets it."""
    code = (
        "import sys, readiness.server.serve, readiness.server.app\n"
        "bad = {'aiortc', 'aioice', 'av', 'cv2', 'onnxruntime', 'pylibsrtp'} & set(sys.modules)\n"
        "print(sorted(bad)); sys.exit(bool(bad))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def patched_errors(nodes: Iterable[ast.AST]) -> list[int]:
    """The lines in which an error that was caught, or just made, is given another value."""
    changed = []
    for function in nodes:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        inside = list(ast.walk(function))
        made = {
            target.id
            for node in inside
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
            for target in node.targets
            if isinstance(target, ast.Name) and ast.unparse(node.value.func).split(".")[-1] in ERRORS
        }
        caught = {node.name for node in inside if isinstance(node, ast.ExceptHandler) and node.name}
        for node in inside:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            named = [one.value for one in targets if isinstance(one, ast.Attribute)]
            if any(isinstance(one, ast.Name) and one.id in made | caught for one in named):
                changed.append(node.lineno)
    return changed


ERRORS = {*errors.__all__, *store_errors.__all__, "Exception"}


def test_an_error_is_of_its_class_and_never_patched():
    """An error that is answered in another way is another class."""
    assert {str(path.relative_to(ROOT)): lines for path in MODULES if (lines := patched_errors(all_of(path)))} == {}


def test_a_patched_error_is_seen():
    """Made or caught, its own attribute or a new one."""
    made = "def f():\n    error = errors.InputError('x')\n    error.status = 413\n    raise error"
    caught = "async def f():\n    try:\n        g()\n    except ValueError as wrong:\n        wrong.seen = True\n"
    unlike = "def f():\n    answer = Response()\n    answer.status = 413"
    assert [patched_errors(ast.walk(ast.parse(source))) for source in (made, caught, unlike)] == [[3], [5], []]


def test_no_control_flow_by_assert():
    """`assert` disappears under ``python -O``; it stands in tests only."""
    asserts = {path: [node for node in all_of(path) if isinstance(node, ast.Assert)] for path in MODULES}
    assert [str(path.relative_to(ROOT)) for path, found in asserts.items() if found] == []


def test_no_committed_file_names_a_registry_or_this_workplace():
    """Pinned by version and hash, without addresses; nothing points outside the project."""
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    hosts = ["pypi" + ".org", "python" + "hosted.org", "registry" + ".npmjs", "deb" + ".debian.org", "/work/" + "main"]
    for name in files.stdout.splitlines():
        content = (ROOT / name).read_bytes()
        if b"\0" in content[:4096]:
            continue
        text = content.decode("utf-8", "replace")
        assert not [host for host in hosts if host in text], name
