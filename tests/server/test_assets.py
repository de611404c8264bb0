"""What a browser loads: scripts without their type comments, but otherwise as they stand in the project."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest

from readiness.server.assets import Assets
from readiness.texts import LANGUAGES, WEB_FOLDER, catalogue

ASSETS = Assets()
MOST_BYTES = 67_500
"""What an old phone on a thin line can bear of the self-test before it starts: as sent, words included, digits not."""
MOST_DIGIT_BYTES = 60_000
SCRIPTS = sorted(path.relative_to(WEB_FOLDER).as_posix() for path in WEB_FOLDER.rglob("*.js"))


PARSE_EACH = """
const { SourceTextModule } = require("node:vm");
const { readFileSync } = require("node:fs");
for (const name of process.argv.slice(1)) {
  try {
    new SourceTextModule(readFileSync(name, "utf8"), { identifier: name });
  } catch (error) {
    console.log(`${name}: ${error}`);
  }
}
"""
"""Parses modules without running them, all in one process: `node --check` takes one file."""


def parsed(files: list[Path]) -> str:
    """What node says against these modules."""
    command = ["node", "--experimental-vm-modules", "--no-warnings", "--eval", PARSE_EACH, *map(str, files)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return found.stdout


def test_served_scripts_parse(tmp_path):
    """Leaving the comments out breaks no script; one that is broken would be named."""
    files = [tmp_path / f"{number}.js" for number in range(len(SCRIPTS))]
    for file, name in zip(files, SCRIPTS, strict=True):
        asset = ASSETS.get(name)
        assert asset
        file.write_bytes(asset.plain)
    assert parsed(files) == ""
    files[1].write_text("export const half = {")
    assert parsed(files).startswith(f"{files[1]}: SyntaxError")


FILLED = {"export const FIGURES = {};", "export const LANGUAGES = {};"}
"""The two lines that the server fills in; what with, `tests/reports` tells."""


@pytest.mark.parametrize("name", SCRIPTS)
def test_only_comments_are_left_out(name):
    """Every line of code is served, on the line where it stands in the source."""
    asset = ASSETS.get(name)
    assert asset
    source = (WEB_FOLDER / name).read_text(encoding="utf-8").split("\n")
    served = asset.plain.decode("utf-8").split("\n")
    assert len(source) == len(served)
    changed = [(a, b) for a, b in zip(source, served, strict=True) if b != a and a not in FILLED]
    whole = [(a, b) for a, b in changed if b == ""]
    assert all(a.strip().startswith(("/**", "*", "//")) for a, b in whole)
    assert all(re.sub(r"/\*\*.*?\*/ ?", "", a) == b for a, b in changed if b != "")
    before = [re.sub(r"`[^`]*\$\{$", "", a.partition("/**")[0]) for a, b in changed if b != ""]
    assert all(text.count(quote) % 2 == 0 for text in before for quote in "\"'`"), "what stands in quotes is no comment"


def test_pages_load_the_words_that_they_can_show():
    """Every key that the self-test names is served to it; staff's pages load all there are, and so does `renew.js`."""
    assert json.loads(ASSETS.get("locales/staff/nb.json").plain) == catalogue("nb")
    served: dict[str, str] = {}
    for part in ("", "later/", "follow/"):
        served |= json.loads(ASSETS.get(f"locales/{part}nb.json").plain)
    known = catalogue("nb")
    assert served == {key: known[key] for key in served}
    for path in [
        *(WEB_FOLDER / "selftest").rglob("*.js"),
        *(path for path in (WEB_FOLDER / "shared").rglob("*.js") if path.name != "renew.js"),
        WEB_FOLDER / "selftest" / "index.html",
    ]:
        source = path.read_text(encoding="utf-8")
        named = set(re.findall(r'data-t(?:-label)?="([a-z_.]+)"|\bt\("([a-z_.]+)"', source))
        stems = set(re.findall(r"`([a-z_]+\.)[^`]*\$\{", source))
        assert {key for pair in named for key in pair if key} <= set(served), path.name
        assert all(
            any(key.startswith(stem) for key in served) for stem in stems if any(k.startswith(stem) for k in known)
        )
    assert 0.2 < len(served) / len(known) < 0.95


def test_the_self_test_is_small():
    """Page, styles, modules, words and protocol together, compressed as they are sent."""
    values = {
        "lang": "nb", "languages": LANGUAGES, "static": ASSETS.base, "speedtest": True, "t": catalogue("nb"),
        "texts": {language: catalogue(language) for language in LANGUAGES},
        "organisation": {"slug": "sunnaas", "name": "Sunnaas", "support_phone": "66 96 90 00", "support_hours": "8-16",
                         "opens": ""},
    }  # fmt: skip
    page = ASSETS.render("selftest/index.html", values)
    modules = re.findall(rf'rel="modulepreload" href="{ASSETS.base}/([^"]+)"', page)
    shared = ["shared/tokens.css", "shared/components.css", "shared/protocol.json", "shared/icon.svg"]
    scripts = [*modules, "selftest/js/main.js", "selftest/js/sound-worklet.js"]
    names = [*scripts, *shared, "selftest/style.css", "locales/nb.json"]
    sent = sum(len(ASSETS.get(name).compressed) for name in names) + len(gzip.compress(page.encode(), 9))
    assert len(modules) > 20
    assert sent < MOST_BYTES
    digits = sum(path.stat().st_size for path in (WEB_FOLDER / "selftest" / "audio" / "nb").glob("*.mp3"))
    assert 10_000 < digits < MOST_DIGIT_BYTES
