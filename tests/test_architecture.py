"""The shape of the project: who may import whom, and what the web process must never load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("probes", "reports", "readiness")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Return the full names that a module imports; relative ones are resolved."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    nodes = ast.iter_child_nodes(tree) if top_level_only else ast.walk(tree)
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


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_data_flows_from_measuring_to_judging_to_telling(path: Path):
    """Probes imports nothing of ours, reports only probes, and libraries stay where they belong."""
    package, where, imported = path.relative_to(ROOT).parts[0], path.relative_to(ROOT).as_posix(), tops(path)
    if package == "probes":
        assert not imported & {"reports", "readiness", "web"}
    if package == "reports":
        assert not imported & {"readiness", "web"}
    if not where.startswith(("readiness/media/", "readiness/client/")):
        assert not imported & {"aiortc", "aioice", "av", "pylibsrtp"}, (
            "only readiness/media and the client touch aiortc"
        )
    if package != "probes" and not where.startswith("readiness/media/"):
        assert not imported & {"cv2", "onnxruntime", "sounddevice"}, "only probes look at pictures and sound"
    if not where.startswith("reports/store/"):
        assert not imported & {"sqlalchemy", "alembic", "sqlite3", "psycopg", "aiosqlite"}, "only the store touches SQL"


OF_THE_CLIENT = ("readiness.client", "readiness.media", "probes")


def test_the_client_and_the_server_know_nothing_of_each_other():
    """The client imports itself, wire formats and probes, and nothing imports the client: tests, and rooms to come."""
    ours = tuple(f"{package}." for package in PACKAGES)
    for path in MODULES:
        if path.is_relative_to(ROOT / "readiness" / "client"):
            assert {n for n in imports_of(path) if n.startswith(ours) and not n.startswith(OF_THE_CLIENT)} == set(), (
                path
            )
        else:
            assert not [name for name in imports_of(path) if name.startswith("readiness.client")], path


@pytest.mark.parametrize("path", sorted((ROOT / "probes").rglob("*.py")), ids=lambda path: path.name)
def test_heavy_libraries_are_loaded_only_when_used(path: Path):
    """Importing a probe loads neither OpenCV nor onnxruntime nor a sound device."""
    assert not {name.split(".")[0] for name in imports_of(path, top_level_only=True)} & {
        "cv2",
        "onnxruntime",
        "sounddevice",
    }


def test_the_web_process_does_not_load_aiortc():
    """Importing the whole server loads no media engine: a hostile peer never meets it."""
    code = (
        "import sys, readiness.server.serve, readiness.server.app\n"
        "bad = {'aiortc', 'aioice', 'av', 'cv2', 'onnxruntime', 'pylibsrtp'} & set(sys.modules)\n"
        "print(sorted(bad)); sys.exit(bool(bad))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_control_flow_by_assert(path: Path):
    """`assert` disappears under ``python -O``; it stands in tests only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


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
