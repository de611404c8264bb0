"""Numbers and lists that stand in Python and in JavaScript both: each pair says the same.

The page has no build step and takes no numbers from the server that it can know itself; this is what holds the two
together. The words of figures have a file of their own: ``tests/data/figures.json``.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from probes import echo, microphone
from readiness.media import uplink
from readiness.meetings import board_pdf, wishes
from readiness.server import afterwards, attempt, headroom, owner, protocol
from readiness.texts import WEB_FOLDER
from reports.model import READY_VERDICTS
from reports.render.tones import TONES


def script(path: str) -> str:
    """Return the source of a page's module."""
    return (WEB_FOLDER / path).read_text(encoding="utf-8")


def constant(path: str, name: str) -> Any:
    """Return the value that ``const name = …;`` has in a module: numbers, products, texts, lists and sets of them."""
    found = re.search(rf"^(?:export )?const {name} = (?:/\*\*[^*]*\*/ )?(.+?);$", script(path), re.MULTILINE)
    assert found, f"{path} has no constant {name}"
    return _value(ast.parse(re.sub(r"^(?:new Set)?\((.*)\)$", r"\1", found[1]), mode="eval").body)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _value(node.left) * _value(node.right)
    return ast.literal_eval(node)


def most_items(name: str) -> int:
    """Return the ``maxItems`` of the list that is called `name` in the protocol."""
    found = re.search(rf'"{name}": {{ "type": "array", "maxItems": (\d+)', script("shared/protocol.json"))
    assert found, name
    return int(found[1])


NETWORK, WIRE = "selftest/js/checks/network.js", "selftest/js/wire.js"
PICTURE, SOUND = "selftest/js/checks/picture.js", "selftest/js/checks/sound.js"
PAIRS = {
    "headroom: proven after so many ms": (constant(NETWORK, "PROOF_MS"), headroom.ENOUGH_S * 1000),
    "headroom: proven by so many bytes": (constant(NETWORK, "PROOF_BYTES"), headroom.ENOUGH_BYTES),
    "headroom: most bytes": (constant(NETWORK, "MOST_BYTES"), headroom.MAX_BYTES),
    "headroom: times the probe rate": (constant(NETWORK, "SEND_AHEAD"), headroom.SEND_AHEAD),
    "headroom: bytes of a message": (constant(WIRE, "HEADROOM_BYTES"), headroom.CHUNK_BYTES),
    "binary: still": (constant(WIRE, "STILL_UP"), protocol.BINARY.STILL),
    "binary: sound": (constant(WIRE, "PCM_UP"), protocol.BINARY.SOUND),
    "binary: headroom down": (constant(WIRE, "HEADROOM_DOWN"), protocol.BINARY.HEADROOM_DOWN),
    "binary: headroom up": (constant(WIRE, "HEADROOM_UP"), protocol.BINARY.HEADROOM_UP),
    "clock: most rows": (constant(NETWORK, "MAX_ROWS"), most_items("clock_rows")),
    "headroom: most points": (constant(NETWORK, "MAX_POINTS"), most_items("points")),
    "picture: most frame times": (constant(PICTURE, "MAX_TIMES"), most_items("capture_ms")),
    "picture: most figures of noise": (constant(PICTURE, "MAX_NOISE"), most_items("noise_sigma")),
    "sound: most blocks": (constant(SOUND, "MAX_BLOCKS"), most_items("blocks")),
    "sound: clear pause, s": (
        constant(SOUND, "PAUSE_S"), microphone.MIN_PAUSE_WINDOWS * microphone.WINDOW_S,
    ),
    "echo: onset of a digit": (constant("selftest/js/audio.js", "ONSET"), echo.ONSET),
    "uplink: magic": (constant("selftest/js/uplink-worker.js", "MAGIC"), uplink.MAGIC),
    "resume: how long, s": (constant("selftest/js/socket.js", "RESUME_MS") / 1000, owner.RESUME_WITHIN.total_seconds()),
    "reminders": (constant("plan/js/about.js", "REMINDERS"), list(wishes.REMINDERS)),
    "afterwards: scores": ({*constant("selftest/js/after.js", "SCORES")}, {*afterwards.SCORES}),
    "afterwards: problems": (constant("selftest/js/after.js", "PROBLEMS"), list(afterwards.PROBLEMS)),
    "afterwards: problems, leader": (constant("board/js/main.js", "PROBLEMS"), list(afterwards.PROBLEMS)),
    "states: ready": ({*constant("shared/states.js", "READY")}, {*READY_VERDICTS}),
    "states: named": ({*constant("board/js/rows.js", "NAMED")}, {*board_pdf.NAMED}),
}  # fmt: skip
"""What the page says, and what Python says."""


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_both_say_the_same(pair: tuple[object, object]):
    """A number that is changed on one side only is named here."""
    page, python = pair
    assert page == pytest.approx(python) if isinstance(python, int | float) else page == python


def test_every_state_has_one_tone():
    """Icon and colour of a verdict, a state and an outcome are the same on all pages, in print and for support."""
    body = re.search(r"export const TONES = {(.+?)};", script("shared/icons.js"), re.DOTALL)
    assert body
    assert dict(re.findall(r'(\w+): "(\w+)"', body[1])) == dict(TONES)


def test_the_page_promises_the_data_that_the_server_does():
    """What the first page says of data use is what the plan says."""
    page = re.search(r'name="readiness-data-mb" content="(\d+)"', script("selftest/index.html"))
    assert page
    assert int(page[1]) == attempt.PROMISED_MB


def test_no_second_list_of_ready_states_or_tones_comes_back():
    """Ready is said once for Python and once for the pages, and so are the tones."""
    ready = re.compile(r'"ready",\s*"ready_with_warnings"\s*[\]})]')
    tones = re.compile(r'ready"?: "good"')
    sources = [*WEB_FOLDER.rglob("*.js")]
    sources += [path for folder in ("readiness", "reports") for path in (WEB_FOLDER.parent / folder).rglob("*.py")]
    said = {path.name for path in sources if ready.search(path.read_text(encoding="utf-8"))}
    toned = {path.name for path in sources if tones.search(path.read_text(encoding="utf-8"))}
    assert said == {"states.js"}
    assert toned == {"icons.js", "tones.py"}
