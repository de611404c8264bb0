"""The table of languages is whole, and the pages get the same one."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace

import pytest

from readiness.server.assets import LANGUAGES_SCRIPT, Assets
from readiness.texts import DEFAULT_LANGUAGE, LANGUAGES, VOICES, WEB_FOLDER, catalogue, negotiate
from reports.render.languages import LANGUAGES_PATH, TABLE, Language, Plural, for_pages, preferred, read_languages
from reports.render.words import Words

SOURCE = json.loads(LANGUAGES_PATH.read_text(encoding="utf-8"))


def test_every_language_says_all_there_is_to_know():
    """Each entry has each field, and a field that nobody reads is an error."""
    for code, entry in SOURCE.items():
        assert re.fullmatch(r"[a-z]{2,3}", code)
        assert set(entry) == {field.name for field in fields(Language)}, code
        assert entry["dir"] in {"ltr", "rtl"}
        assert re.fullmatch(r"[a-z]{2,3}(-[A-Z]{2})?", entry["tag"])
        assert entry["name"].strip()
        assert entry["group"] != entry["decimal"]
    assert len({entry["name"] for entry in SOURCE.values()}) == len(SOURCE)


@pytest.mark.parametrize("entry", [{**SOURCE["nb"], "colour": "blue"}, {**SOURCE["nb"]} | {"name": ...}])
def test_an_entry_that_is_not_whole_is_an_error(entry, tmp_path):
    """A field too many, or one too few."""
    path = tmp_path / "languages.json"
    path.write_text(json.dumps({"nb": {key: value for key, value in entry.items() if value is not ...}}))
    with pytest.raises(TypeError):
        read_languages(path)


def test_texts_that_are_missing_come_from_a_language_that_has_them():
    """Every fallback ends at the first language, which has no other."""
    assert [code for code, one in TABLE.items() if one.fallback is None] == [DEFAULT_LANGUAGE]
    assert [preferred(code) for code in ("nb", "nn", "en")] == [("nb",), ("nn", "nb"), ("en", "nb")]
    assert {(preferred(code)[0], preferred(code)[-1]) for code in LANGUAGES} == {(code, "nb") for code in LANGUAGES}


def test_the_digits_are_spoken_in_every_voice():
    """A language either has recordings or names one that does."""
    for code, one in TABLE.items():
        recorded = [(WEB_FOLDER / "selftest" / "audio" / one.voice / f"{digit}.mp3").is_file() for digit in range(10)]
        assert all(recorded), code
    assert {path.name for path in (WEB_FOLDER / "selftest" / "audio").iterdir() if path.is_dir()} == set(VOICES)


def test_who_asks_for_a_neighbour_gets_the_language_they_read():
    """Swedish and Danish readers get bokmål, as does `no`; nobody's own language is an alias of another's."""
    asked = [alias for one in TABLE.values() for alias in one.asked_as]
    assert len(asked) == len(set(asked))
    assert [negotiate(None, tag, ("en", "nb")) for tag in ("sv-SE,en", "da", "no", "de", "en-US")] == [
        "nb", "nb", "nb", "en", "en",
    ]  # fmt: skip
    assert negotiate(None, "nn,en", ("nb", "en")) == "en", "what the organisation does not offer is passed over"


def test_the_page_loads_the_same_table():
    """What is served holds the table, and the script has no second one; the file itself is not served."""
    assets = Assets()
    asset = assets.get(LANGUAGES_SCRIPT)
    assert asset
    (served,) = re.findall(rb"LANGUAGES = (\{.*\});", asset.plain)
    assert json.loads(served) == for_pages()
    assert list(json.loads(served)) == list(LANGUAGES)
    assert "LANGUAGES = {};" in (WEB_FOLDER / LANGUAGES_SCRIPT).read_text(encoding="utf-8")
    assert assets.get("locales/languages.json") is None


@pytest.mark.parametrize(("count", "said"), [(0, "0 cows"), (1, "1 cow"), (2, "2 cows"), (1001, "1,001 cows")])
def test_a_count_has_the_form_of_its_category(count, said):
    """By the table's rule; that it is CLDR's, `tests/web/i18n.test.mjs` shows. What has one form only keeps it."""
    words = Words({"a#one": "{count} cow", "a#other": "{count} cows", "b#other": "{count} sheep", "c": "{count}"}, "en")
    assert words.plural("a", count, count=words.number(count)) == said
    assert words.plural("b", count) == f"{count} sheep"
    assert words.plural("c", count) == str(count)


@pytest.mark.parametrize("which", ["n = 1", "__import__('os')", "n; n", ""])
def test_a_plural_rule_is_arithmetic_and_nothing_else(which):
    """The reader takes no names but n."""
    with pytest.raises(ValueError):
        replace(TABLE["nb"], plural=Plural(("one", "other"), which)).category(2)


@pytest.mark.parametrize(
    ("n", "category"), [(0, "zero"), (1, "one"), (2, "two"), (7, "few"), (11, "many"), (100, "other")]
)
def test_languages_with_more_forms_need_no_code(n, category):
    """Arabic has six."""
    arabic = Plural(
        ("zero", "one", "two", "few", "many", "other"),
        "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5",
    )
    assert replace(TABLE["nb"], plural=arabic).category(n) == category


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_written_as_the_language_does(language):
    """Thousands and decimals by the table; that browsers agree, `tests/web/figures.test.mjs` shows."""
    said = Words({}, language).number(-1234567.25, 2)
    assert said == f"\u2212{TABLE[language].group.join(('1', '234', '567'))}{TABLE[language].decimal}25"


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_names_a_language_that_is_not_there_is_told_all_that_are(language):
    """The one text that lists them lists them all."""
    listed = re.findall(r"\b[a-z]{2}\b", catalogue(language)["error.person.language"].partition(".")[2])
    assert [word for word in listed if word in LANGUAGES] == list(LANGUAGES)


BY_HAND = re.compile(
    r"""["'](?:bokmål|nynorsk|english)["']|["']nb["'] *[:,] *["']?\w*["']?,? *["']nn["']|\bnb, ?nn\b""", re.IGNORECASE
)


def test_nobody_else_lists_the_languages():
    """No module, script or page names them one after the other: they all read the table."""
    root = WEB_FOLDER.parent
    paths = [path for folder in ("probes", "reports", "readiness", "web") for path in (root / folder).rglob("*")]
    sources = [path for path in paths if path.suffix in {".py", ".js", ".ts", ".html", ".css"}]
    sources += [root / "web" / "shared" / "protocol.json", root / "web" / "api" / "openapi.json"]
    assert BY_HAND.search('("nb", "nn", "en")')
    assert BY_HAND.search('{"nb": "Bokmål", "nn": "Nynorsk"}')
    assert [path.name for path in sources if BY_HAND.search(path.read_text(encoding="utf-8"))] == []
