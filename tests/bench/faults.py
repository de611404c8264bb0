"""Every fault of picture and sound as a camera or microphone file: through the whole product to finding and words."""

from __future__ import annotations

import tempfile
from itertools import zip_longest
from pathlib import Path

from readiness.texts import LANGUAGES
from tests.bench.figures import Figure
from tests.browser.conftest import LiveServer
from tests.browser.faults import MICROPHONE_FAULTS, PICTURE_FAULTS, walk

__all__ = ["run"]

QUICK_STEP = 5


async def run(*, quick: bool) -> list[Figure]:
    """Walk through all faults, a picture's and a microphone's at a time; every fifth in a quick run."""
    step = QUICK_STEP if quick else 1
    pairs = list(zip_longest(PICTURE_FAULTS[::step], MICROPHONE_FAULTS[::step]))
    seen: dict[str, list[float]] = {"hint": [], "finding": [], "words": [], "good": []}
    with tempfile.TemporaryDirectory() as folder:
        server = LiveServer(Path(folder))
        server.start()
        try:
            for number, (picture, sound) in enumerate(pairs):
                for name, right in await walk(server, picture, sound, lang=LANGUAGES[number % len(LANGUAGES)]):
                    seen[name].append(float(right))
        finally:
            server.stop()
    return [
        Figure("fault told at once, in words, with its drawing", "1 or 0", seen["hint"], at_least=1.0),
        Figure("fault found in the report", "1 or 0", seen["finding"], at_least=1.0),
        Figure("its title and remedy in the answer", "1 or 0", seen["words"], at_least=1.0),
        Figure("a good picture and a good voice pass", "1 or 0", seen["good"], at_least=1.0),
    ]
