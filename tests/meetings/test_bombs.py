"""Files that cost more than they weigh: each is read or refused within what a piece of work may cost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from readiness.errors import InputError
from readiness.meetings.guides import guide_html
from readiness.meetings.own_settings import LONGEST_TEXT
from readiness.meetings.reading import MOST_IN_FILE, read_file
from tests.cast import SUNNAAS
from tests.meetings.bombs import BOMBS

MOST_CPU_S = 6.0
"""Three quarters of what the confined process gets, which is ended by the kernel. The dearest of these takes 2, or 4
on a processor that is shared with other machines."""
MOST_MIB = 160


@pytest.fixture(scope="module")
def cost_of() -> Iterator[Callable[[str], dict]]:
    """What a file costs, by the kernel's own account: each in a process of its own, and only those that are asked for.

    One process that has loaded what reading needs stays for the module, and forks.
    """
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.meetings.bombs"],
        cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as reader:  # fmt: skip

        def ask(name: str) -> dict:
            reader.stdin.write(f"{name}\n")
            reader.stdin.flush()
            return json.loads(reader.stdout.readline())

        yield ask
        reader.stdin.close()


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_costs_no_more_than_it_may(cost_of, name):
    """Processor time and memory, whatever stands in it; and it is read or refused, not fallen over."""
    cost = cost_of(name)
    assert cost["cpu_s"] < MOST_CPU_S, cost
    assert cost["mib"] < MOST_MIB, cost
    assert cost["said"].startswith("import.") or cost["said"].endswith(" bad"), cost


def test_a_file_has_no_more_people_than_the_web_process_can_seal():
    """Fewer meetings than may be, with more people than anybody plans at once."""
    rows = [
        f"{meeting};2027-03-02 10:00;patient;P{one}\n" for meeting in range(51) for one in range(MOST_IN_FILE // 50)
    ]
    with pytest.raises(InputError, match=r"import\.too_large"):
        read_file(("meeting;starts;role;label\n" + "".join(rows)).encode())


GUIDES = (
    "[", "![", "*_", "*a **a ", "[a](b", "[a][b]\n", "> ", "<!--", "[[a]", "[a](<b", '[a](b "', "[a]: b '\n",
    "[x]\n\n", "- a\n", "1. a\n", "- a\n\n", "- - - \n", "a\n", "a\n=\n", "# a\n", "\\\n", "a  \n", "_*_", "**a*", "`",
    "<a b='", "<a\n", "<![CDATA[", "<http://", "&#", "    a\n", "```\n", "{phone}",
)  # fmt: skip
"""What makes a parser of Markdown look far, or start again, over and over."""
SHAPES = (
    "".join("`" * length + "a" for length in range(200)),
    "".join(" " * depth + "- a\n" for depth in range(200)),
    "".join(">" * depth + "a\n" for depth in range(200)),
    "[" * (LONGEST_TEXT // 2) + "]" * (LONGEST_TEXT // 2),
    "*" * (LONGEST_TEXT // 2 - 1) + "a" + "*" * (LONGEST_TEXT // 2),
    "[a](" + "(" * LONGEST_TEXT,
    "[a]: b\n" * (LONGEST_TEXT // 14) + "[a]" * (LONGEST_TEXT // 6),
    ("> " * 30 + "\n") * (LONGEST_TEXT // 61),
)


@pytest.mark.slow
@pytest.mark.parametrize("text", [*((part * LONGEST_TEXT) for part in GUIDES), *SHAPES], ids=range(41))
def test_a_guide_costs_no_more_than_it_may(text):
    """Markdown of the dearest kinds, as long as a guide may be: rendered within a moment, whatever the phone number."""
    texts = {"checklist": {"nb": text[:LONGEST_TEXT]}}
    organisation = replace(SUNNAAS, texts=texts, support_phone="[" * 1000)
    began_s = time.process_time()
    guide_html(organisation, "checklist", "nb")
    assert time.process_time() - began_s < 3
