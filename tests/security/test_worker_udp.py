"""What a worker that is taken over reaches by UDP: as operations.md says, with its rules and without."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.security.way_out_udp import INNER, USER

ROOT = Path(__file__).parents[2]
ANSWERS = {"whoever wrote first": "arrives"}
NEVER = {"a whole network": "refused", "from a port of the system's": "refused"}
OTHERS = ("a service on this machine", "an inner address", "the name server", "a group of machines")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The rules of the document, for the user and the name server that are here."""
    found = re.search(
        r"\n(table inet readiness \{.*?\n\})\n", (ROOT / "readiness/docs/operations.md").read_text(), re.DOTALL
    )
    assert found
    text = found[1].replace("<address of your name server>", INNER).replace("<its user>", str(USER))
    assert "<" not in text
    path = tmp_path_factory.mktemp("rules") / "rules.nft"
    path.write_text(text)
    return str(path)


def reached(mode: str, *rules: str) -> dict[str, str] | None:
    command = ["unshare", "--net", sys.executable, "-m", "tests.security.way_out_udp", mode, *rules]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.needs_root
@pytest.mark.parametrize("mode", ["nobody", "user"])
def test_rtc8_by_udp_a_worker_reaches_whom_the_firewall_lets_it(rules: str, mode: str):
    """Without rules all but a whole network; with them who wrote first, and a user of its own the name server too."""
    assert reached(mode) == dict.fromkeys(OTHERS, "arrives") | NEVER | ANSWERS
    names = {"the name server": "arrives"} if mode == "user" else {}
    assert reached(mode, rules) == dict.fromkeys(OTHERS, "refused") | names | NEVER | ANSWERS


@pytest.mark.needs_root
def test_rtc8_rules_by_user_do_not_hold_root(rules: str):
    """Where nobody can't read Python the worker stays root, and is not held: the document says so."""
    found = reached("root", rules)
    assert found in (None, dict.fromkeys(OTHERS, "arrives") | NEVER | ANSWERS)


@pytest.mark.needs_root
def test_rtc8_what_needs_no_media_has_no_socket():
    """The shared helper, and what reads a stranger's file, reach nobody at all."""
    assert set(reached("helper").values()) == {"refused"}
