"""SUP-1: the parts list names everything a server is installed with, by version and hash, and is the same each time."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_SUP_1_the_parts_list_is_whole_and_repeatable():
    """Each pinned package and each model and font, with SHA-256; references hold; no time or random number in it."""
    one, two = (
        subprocess.run([sys.executable, ROOT / ".ci" / "parts"], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert one == two
    made = json.loads(one)
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    parts = {part["bom-ref"]: part for part in made["components"]}
    assert len(parts) == len(made["components"])
    assert all(
        part["hashes"] and all(re.fullmatch("[0-9a-f]{64}", found["content"]) for found in part["hashes"])
        for part in parts.values()
    )
    (whole,) = made["dependencies"]
    assert set(whole["dependsOn"]) == set(parts)
    locked = (ROOT / ".ci" / "requirements-server.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"(?m)^([\w.-]+)==([^\s;\\]+)", locked)
    assert {(part["name"], part["version"]) for part in parts.values() if part["type"] == "library"} == {
        (name.lower().replace("_", "-"), version) for name, version in pinned
    }
    for path in (ROOT / "probes" / "models").glob("*.onnx"):
        (found,) = parts[path.relative_to(ROOT).as_posix()]["hashes"]
        assert found["content"] == hashlib.sha256(path.read_bytes()).hexdigest()
