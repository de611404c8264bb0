"""No label or title stops a page: every script prints, and what no font holds becomes a mark (typst/typst#3004)."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
import typst
from hypothesis import given
from hypothesis import settings as rules
from hypothesis import strategies as st

from readiness.meetings import paper
from readiness.meetings.board_pdf import BoardContext, BoardLine, BoardMeeting, board_pdf
from readiness.meetings.letter import letters_sheet
from readiness.meetings.printable import FONTS, MARK, MOST_CHARACTERS, code_points, printable
from tests.cast import SUNNAAS
from tests.meetings.scene import NOW, STARTS, a_meeting
from tests.meetings.test_paper import letter, pages_as_pictures, text_of

_DATA = json.loads((Path(__file__).parents[1] / "data" / "labels.json").read_text())
SCRIPTS: dict[str, str] = _DATA["scripts"]
ODD: dict[str, str] = _DATA["odd"] | {
    "long_word": "W" * 1000,
    "long_arabic": "\u0645" * 1000,
    "long_han": "\u674e" * 1000,
    "long_thai": SCRIPTS["thai"].replace(" ", "") * 100,
    "long_hindi": SCRIPTS["nepali"] * 150,
    "long_emoji": "\U0001f642" * 1000,
    "spaces": " " * 500 + "x",
    "zalgo": "A" + "\u0301\u0323\u0334" * 60,
}
ALL = SCRIPTS | ODD


def plain(text: str) -> str:
    """Letters only, in an order of their own: readers give back marks and joined letters each in their way."""
    folded = unicodedata.normalize("NFKD", text)
    return "".join(sorted(sign for sign in folded if unicodedata.category(sign)[0] in "LN"))


def sheet(label: str, title: str) -> BoardContext:
    lines = [
        BoardLine("patient", label, "ready", NOW),
        BoardLine("relative", "Per", "not_tested", phone="+47 900 00 000"),
    ]
    return BoardContext(SUNNAAS, "nb", STARTS, NOW, [BoardMeeting(a_meeting(title=title), lines)])


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The text of a letter for each label, all in one file: what one of them did would be done to everybody."""
    pdf = letters_sheet([letter("nb", label=text) for text in ALL.values()]).pdf()
    assert b"pdfuaid" in pdf
    return dict(zip(ALL, text_of(pdf, tmp_path_factory.mktemp("letters")), strict=True))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of a leader's day with each label in a meeting of that title."""
    meetings = [BoardMeeting(a_meeting(title=text), sheet(text, text).meetings[0].lines) for text in ALL.values()]
    pdf = board_pdf(BoardContext(SUNNAAS, "nb", STARTS, NOW, meetings))
    assert b"pdfuaid" in pdf
    return " ".join(text_of(pdf, tmp_path_factory.mktemp("day")))


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_printed_whole(name: str, letters: dict[str, str], day: str):
    """Each sign has a glyph; both papers are tagged, and give the text back."""
    text = SCRIPTS[name]
    assert MARK not in printable(text)
    for page in (letters[name], day):
        assert set(plain(text)) <= set(plain(page)), page


@pytest.mark.parametrize("name", ODD)
def test_nothing_odd_stops_a_page(name: str, letters: dict[str, str]):
    """A page of its own, with all the rest on it."""
    assert "K7MB2-QX0F4" in letters[name]
    assert "ready.hospital.example/o/sunnaas/ code" in letters[name]


def test_nothing_odd_stops_a_day(day: str):
    """Every meeting is there with its people."""
    assert day.count("900 00 000") == len(ALL)


@pytest.mark.parametrize(
    ("text", "shown"), [*_DATA["printed"], ("\u200d\u200c", MARK), ("\x00 ", MARK), ("x" * 400, None)]
)
def test_what_becomes_of_a_text(text: str, shown: str | None):
    """One mark for what one sees as one sign; what can't be seen goes."""
    made = printable(text)
    if shown is None:
        assert len(made.replace("\u200b", "")) == MOST_CHARACTERS
        assert made.endswith("…")
    else:
        assert made == shown
    assert printable(made.replace("\u200b", "")) == made


@rules(max_examples=60)
@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_at_all_is_set(text: str):
    """After cleaning, and where a cluster still can't be set, its letters or a mark."""
    cleaned = paper._tried(printable(text))
    assert paper._compiled(paper._TRIAL, cleaned).startswith(b"%PDF")


def test_few_texts_that_stop_a_page_are_found_in_few_tries(monkeypatch: pytest.MonkeyPatch):
    """All of them are tried together, and by halves where that fails: of 64 texts two are found, and no other."""
    tried: list[str] = []

    def can_be_set(text: str) -> bool:
        tried.append(text)
        return "!" not in text

    monkeypatch.setattr(paper, "_can_be_set", can_be_set)
    texts = [f"text {number}" + "!" * (number in {5, 40}) for number in range(64)]
    assert paper._stopping(texts) == ["text 5!", "text 40!"]
    assert len(tried) < len(texts) / 2
    tried.clear()
    assert paper._stopping(texts[6:40]) == []
    assert len(tried) == 1


def test_any_mixture_of_letters_and_marks_is_set():
    """Letters of one script under the marks of another: no font has both, the page comes all the same."""
    rng = random.Random(1)
    marks = sorted(code for code in code_points() if unicodedata.category(chr(code))[0] == "M")
    letters = sorted(code for code in code_points() if unicodedata.category(chr(code))[0] == "L")
    signs = [chr(rng.choice(marks if at % 2 else letters)) for at in range(800)]
    labels = ["".join(signs[at : at + 40]) for at in range(0, 800, 40)]
    pdf = letters_sheet([letter("nb", label=one) for one in labels]).pdf()
    assert pdf.count(b"/Type/Page\n") + pdf.count(b"/Type /Page\n") in {0, len(labels)}
    assert b"pdfuaid" in pdf


def test_the_typefaces_are_those_that_are_named():
    """Each font is looked for by its family, and the licence lies beside it."""
    assert set(paper.families()) == set(paper._fonts().families())
    assert len(paper.families()) == len(list(FONTS.rglob("*.?tf"))) - 1, "one family has a bold face"
    assert "SIL OPEN FONT LICENSE" in (FONTS / "noto" / "OFL.txt").read_text().upper()
    told = (FONTS / "README.md").read_text()
    assert not [path.name for path in (FONTS / "noto").glob("*.?tf") if path.name not in told]
    assert sum(path.stat().st_size for path in FONTS.rglob("*.?tf")) < 8_000_000


def test_what_is_counted_as_a_glyph_is_one():
    """Our own reading of the fonts' tables, asked of typst, which refuses a sign without a glyph."""
    rng = random.Random(2)
    known = sorted(code for code in code_points() if unicodedata.category(chr(code))[0] in "LNPS")
    assert len(known) > 20_000
    for _ in range(20):
        assert paper._compiled(paper._TRIAL, " ".join(chr(code) for code in rng.sample(known, 100)))
    with pytest.raises(typst.TypstError):
        paper._compiled(paper._TRIAL, "🙂")


def test_a_page_comes_where_tagging_fails(monkeypatch, caplog):
    """The last resort: a page without the promise to screen readers, and a line in the log."""
    compiled = paper._compiled

    def strict(source, data, standards=paper.STANDARDS):
        if standards:
            raise typst.TypstError("no", "no")
        return compiled(source, data, standards)

    monkeypatch.setattr(paper, "_compiled", strict)
    assert letters_sheet([letter("nb", label="Anna")]).pdf().startswith(b"%PDF")
    assert {record.getMessage() for record in caplog.records} == {"paper.untagged"}


@pytest.mark.parametrize("name", ["long_word", "long_hindi", "long_arabic", "zalgo", "tamil"])
def test_no_label_runs_out_of_the_paper(name: str, tmp_path: Path):
    """Ink stays within the margins: 1 cm of white on every side."""
    for pdf in (letters_sheet([letter("nb", label=ALL[name])]).pdf(), board_pdf(sheet(ALL[name], ALL[name]))):
        for page in pages_as_pictures(pdf, tmp_path, dots_an_inch=50):
            rows, columns = np.where(cv2.cvtColor(page, cv2.COLOR_BGR2GRAY) < 200)
            assert columns.min() >= 18
            assert columns.max() <= page.shape[1] - 18
            assert rows.max() <= page.shape[0] - 12


def test_marks_are_no_surprise():
    """The mark itself is in a font, and is not what a cut text ends with."""
    assert re.fullmatch(MARK, MARK)
    assert ord(MARK) in code_points()


def test_a_meeting_of_sixty_people_loses_nobody(tmp_path: Path):
    """It goes on overleaf instead of running off the paper."""
    lines = [BoardLine("patient", f"Nummer{number:02}", "ready", NOW) for number in range(60)]
    pages = text_of(board_pdf(BoardContext(SUNNAAS, "nb", STARTS, NOW, [BoardMeeting(a_meeting(), lines)])), tmp_path)
    assert re.findall(r"Nummer\d\d", " ".join(pages)) == [line.label for line in lines]
    for page in pages_as_pictures((tmp_path / "made.pdf").read_bytes(), tmp_path, dots_an_inch=50):
        rows, _ = np.where(cv2.cvtColor(page, cv2.COLOR_BGR2GRAY) < 200)
        assert rows.max() <= page.shape[0] - 18
