"""Letters and the leader's sheet: tagged, read in order, one page each, and a QR code that a camera reads."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from datetime import timedelta
from html import escape
from pathlib import Path

import cv2
import numpy as np
import page as ua
import pytest

from readiness.meetings.board_pdf import BoardContext, BoardLine, BoardMeeting, board_pdf
from readiness.meetings.letter import LetterContext, letters_sheet, spaced_code
from readiness.texts import LANGUAGES, catalogue
from reports.render.phones import phone_in
from reports.store.ids import CODE_ALPHABET
from tests.cast import SUNNAAS
from tests.meetings.scene import BASE, NOW, STARTS, a_meeting

LABELS = ("تجربة", "தமிழ்", "ሰላም", "Anna 🙂", "ښځه", "กขค")
TYPST_LEAVES_OUT = "PDFUA1-FONT-GLYPH-WIDTH-001"
"""Widths inside of the outlines of CJK's font (CFF), up to typst 0.15; readers take those that stand beside it."""
ROUTINE = "https://intranett.sunnaas.example/kvalitet/rutiner/video/teknisk-hjelp-under-samtalen-2026?versjon=12&side=3"
LINK = f"{BASE}/o/sunnaas/t#Zm9vYmFyLWJhel9xdXV4LWNvcmdlLWdyYXVsdC1nYXJwbHk"


def letter(language: str, **changes) -> LetterContext:
    made = LetterContext(
        organisation=SUNNAAS,
        meeting=a_meeting(),
        language=language,
        link=LINK,
        code="K7MB2QX0F4",
        code_url=f"{BASE}/o/sunnaas/code",
        label="A. N.",
    )
    return replace(made, **changes)


def text_of(pdf: bytes, tmp_path: Path, *options: str) -> list[str]:
    """The text of each page in reading order (as it lies, with ``-layout``), spaces joined."""
    path = tmp_path / "made.pdf"
    path.write_bytes(pdf)
    said = subprocess.run(["pdftotext", *options, path, "-"], check=True, capture_output=True, text=True).stdout
    return [" ".join(page.split()) for page in said.split("\f") if page.strip()]


def pages_as_pictures(pdf: bytes, tmp_path: Path, *, dots_an_inch: int) -> list[np.ndarray]:
    """Each page as it is printed."""
    path = tmp_path / "drawn.pdf"
    path.write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", str(dots_an_inch), "-png", path, tmp_path / "drawn"], check=True)
    drawn = sorted(tmp_path.glob("drawn*.png"))
    pages = [cv2.imread(str(page)) for page in drawn]
    for page in drawn:
        page.unlink()
    return pages


def test_letters_are_one_tagged_page_each_in_their_own_language(tmp_path: Path):
    """What, when, three steps, two ways, whom to call, voluntary, not recorded: in this order."""
    pdf = letters_sheet([letter(language) for language in LANGUAGES]).pdf()
    assert b"/StructTreeRoot" in pdf
    assert b"pdfuaid" in pdf
    pages = text_of(pdf, tmp_path)
    assert len(pages) == len(LANGUAGES)
    for language, page in zip(LANGUAGES, pages, strict=True):
        texts = catalogue(language)
        keys = ["title", "steps", "step_1", "step_2", "step_3", "qr.title", "qr.text", "code.title", "code.address"]
        keys += ["code.text", "help", "call", "what", "person", "company", "private", "personal"]
        phone = phone_in(language, SUNNAAS.support_phone).replace("\u00a0", " ")
        wanted = [re.sub(r"\{phone\}|\{clinic\}", phone, texts[f"letter.{key}"]) for key in keys]
        wanted.insert(wanted.index(texts["letter.help"]), "K7MB2-QX0F4")
        places = []
        for one in wanted:
            places.append(page.find(one, places[-1] if places else 0))
        assert -1 not in places, dict(zip(wanted, places, strict=True))
        assert ("10:00" if language == "en" else "kl. 10.00") in page
        assert "CanaryTitle" not in page
    assert "tysdag 1. desember" in pages[1]


def wrong_for_readers(pdf: bytes) -> list[str]:
    """The rules of PDF/UA-1 (ISO 14289-1) that a machine finds broken."""
    report = ua.validate_pdf_bytes(pdf, profile="ua1")
    assert report.rules.total > 100
    return [f"{one.rule_id}: {one.message}" for one in report.failures]


def test_UU_1_letters_and_sheets_can_be_read_aloud(tmp_path: Path):
    """PDF/UA-1: tagged, in a language, with a title and other texts, read in order; no rule of a hundred is broken."""
    many = [*(letter(language) for language in LANGUAGES), *(letter("nb", label=label) for label in LABELS)]
    letters = letters_sheet(many).pdf()
    linked = with_routine(routine_link=ROUTINE)
    sheets = [letters, board_pdf(sheet(count=4)), board_pdf(replace(sheet(), meetings=[])), board_pdf(linked)]
    assert [wrong_for_readers(one) for one in sheets] == [[], [], [], []]
    assert wrong_for_readers(letters.replace(b"/Lang", b"/Lung")), "a letter in no language is found out"
    assert {one.split(":")[0] for one in wrong_for_readers(letters_sheet([letter("nb", label="李明")]).pdf())} == {
        TYPST_LEAVES_OUT
    }
    path = tmp_path / "read.pdf"
    path.write_bytes(letters_sheet([letter("nb")]).pdf())
    said = subprocess.run(["pdfinfo", "-struct", path], check=True, capture_output=True).stdout.decode(errors="replace")
    kinds = re.findall(r"^ *(H\d|Figure|L|P)\b", said, re.MULTILINE)
    assert kinds.count("H1") == 1
    assert kinds.index("H1") < kinds.index("H2") < kinds.index("L") < kinds.index("Figure"), "what to do comes first"


def test_the_square_opens_the_link(tmp_path: Path):
    """As printed at 100 dots an inch, a camera's reader finds the link and nothing else."""
    (page,) = pages_as_pictures(letters_sheet([letter("nb")]).pdf(), tmp_path, dots_an_inch=100)
    assert cv2.QRCodeDetector().detectAndDecode(page)[0] == LINK


def test_long_names_and_addresses_still_fit_one_page(tmp_path: Path):
    """A long name, a long address and the longest label the organiser may type."""
    long = letter(
        "en",
        organisation=replace(SUNNAAS, name="Universitetssykehuset Nord-Norge, avdeling for video " * 2),
        code_url="https://videoklargjoring.universitetssykehuset-nord-norge.example/o/universitetssykehuset-nord-norge/code",
        label="W" * 60,
    )
    pages = text_of(letters_sheet([long]).pdf(), tmp_path)
    assert len(pages) == 1
    # A line may end at the hyphen, which is then not told from one that a word was divided by.
    assert re.search(r"nord-?norge/code", pages[0].replace(" ", ""))


def test_every_code_is_read_without_a_gap(tmp_path: Path):
    """Letters set closer to a hyphen leave a hole that readers of PDFs take for a space."""
    codes = [f"AVTT{before}{after}TT7V" for before, after in zip(CODE_ALPHABET[::-1], CODE_ALPHABET, strict=True)]
    pages = text_of(letters_sheet([letter("nb", code=code) for code in codes]).pdf(), tmp_path, "-layout")
    wrong = [code for code, page in zip(codes, pages, strict=True) if f" {spaced_code(code)} " not in page]
    assert wrong == []


def test_nothing_that_was_typed_is_run(tmp_path: Path):
    """Typst's own markup in a label or title is shown as it is."""
    evil = '#panic("x") *bold* $x$ @ref <l> [link] #image("look.typ")'
    assert evil in text_of(letters_sheet([letter("nb", label=evil)]).pdf(), tmp_path)[0]
    assert "#panic" in text_of(board_pdf(sheet(title=evil)), tmp_path)[0]


def sheet(title: str = "Samtale", count: int = 1) -> BoardContext:
    lines = [
        BoardLine("patient", "Anna", "ready", NOW),
        BoardLine("interpreter", "T. K.", "not_ready", NOW, "network", "local_it", phone="+47 900 00 000"),
        BoardLine("meeting_room", "Rom 12", "stale", NOW, together=4),
        BoardLine("relative", "", "not_tested"),
        BoardLine("leader", "Lars", "ready", NOW, kind="host"),
        BoardLine("technical_host", "Vilde", "not_tested", kind="host", phone="+47 911 11 111"),
    ]
    meetings = [
        BoardMeeting(a_meeting(title=title, starts_at=STARTS + at * timedelta(minutes=50)), lines)
        for at in range(count)
    ]
    off = BoardMeeting(a_meeting(title="Avlyst", state="cancelled"), lines)
    return BoardContext(SUNNAAS, "nb", STARTS, NOW, [*meetings, off])


def test_the_leaders_sheet_says_who_and_what_to_do(tmp_path: Path):
    """States, what to do and who must act, in the board's own words; a cancelled meeting is named and no more."""
    pdf = board_pdf(sheet())
    assert b"/StructTreeRoot" in pdf
    (page,) = text_of(pdf, tmp_path)
    texts = catalogue("nb")
    wanted = ["Samtale", "Anna", "T. K.", texts["leader.do.network.local_it"], "Rom 12", "Pårørende"]
    wanted += ["Lars", texts["host.leader"], "Vilde", texts["host.technical_host"]]
    wanted += [texts["leader.host.not_tested"], "Avlyst"]
    places = [page.find(one) for one in wanted]
    assert -1 not in places
    assert places == sorted(places)
    assert page.count("Anna") == 1
    assert "900 00 000" in page
    assert "911 11 111" in page
    assert "+47" not in page


def with_routine(**choices: str) -> BoardContext:
    """The sheet of an organisation that links to its own routine of support."""
    return replace(sheet(), organisation=replace(SUNNAAS, choices=choices))


def test_the_organisations_own_routine_stands_at_the_foot(tmp_path: Path):
    """By its own name or ours, with an address that can be typed and followed; without a link there is neither."""
    ours = catalogue("nb")["board.routine"]
    pdf = board_pdf(with_routine(routine_link=ROUTINE))
    (page,) = text_of(pdf, tmp_path)
    # A long address goes on in the next line, perhaps after a hyphen, which pdftotext takes for one of a divided word.
    joined, wanted = (re.sub(r"[\s\u200b-]", "", one) for one in (page, f"{ours}: {ROUTINE}"))
    assert joined.endswith(wanted)
    command = ["pdftohtml", "-xml", "-stdout", "-i", tmp_path / "made.pdf"]
    followed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert {*re.findall(r'href="([^"]+)"', followed)} == {escape(ROUTINE)}, followed
    (page,) = text_of(board_pdf(with_routine(routine_link=ROUTINE, routine_name="#Støtte")), tmp_path)
    assert "#Støtte: https" in page
    assert ours not in page
    (page,) = text_of(board_pdf(with_routine(routine_name="Støtte")), tmp_path)
    assert "Støtte" not in page


def test_a_meeting_that_nobody_is_in_yet_says_so_above_its_leader(tmp_path: Path):
    """Who leads stands on the sheet all the same."""
    lines = [BoardLine("leader", "Lars", "stale", NOW, kind="host")]
    (page,) = text_of(board_pdf(replace(sheet(), meetings=[BoardMeeting(a_meeting(), lines)])), tmp_path)
    texts = catalogue("nb")
    assert page.index(texts["print.nobody"]) < page.index("Lars") < page.index(texts["leader.host.stale"])


def test_no_type_on_a_sheet_is_under_ten_points(tmp_path: Path):
    """Read at arm's length in a hurry: a fuller day takes another sheet, never smaller type."""
    for count in (2, 4, 12):
        path = tmp_path / "sheet.pdf"
        path.write_bytes(board_pdf(sheet(count=count)))
        told = subprocess.run(
            ["pdftohtml", "-xml", "-stdout", "-i", "-zoom", "1", path], check=True, capture_output=True, text=True
        ).stdout
        sizes = {int(size) for size in re.findall(r'<fontspec [^>]*size="(\d+)"', told)}
        assert sizes, told[:200]
        assert min(sizes) >= 10


def test_a_day_without_meetings_is_said(tmp_path: Path):
    """An empty sheet says so."""
    (page,) = text_of(board_pdf(replace(sheet(), meetings=[])), tmp_path)
    assert catalogue("nb")["print.none"] in page


@pytest.mark.parametrize(("code", "shown"), [("K7MB2QX0F4", "K7MB2-QX0F4"), ("ABC", "ABC")])
def test_a_code_is_read_in_two_groups(code: str, shown: str):
    """Five and five."""
    assert spaced_code(code) == shown
