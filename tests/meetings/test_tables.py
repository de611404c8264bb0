"""Tables as people really save them: what is read, what is refused, and in which words.

Inputs in ``tests/data/csv`` are our own; beside each stands the public thread that told of its kind.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.access.contacts import ContactBox
from readiness.errors import InputError
from readiness.meetings.addresses import Reach, open_reach
from readiness.meetings.planner import Planner
from readiness.meetings.reading import read_file
from readiness.meetings.table_words import COLUMN_WORDS, VALUE_WORDS
from readiness.meetings.tables import COLUMNS, guarded
from readiness.meetings.textfile import text_of
from readiness.meetings.values import ROLES, SOLUTIONS
from readiness.reach import clean_mail, clean_phone, region_of, takes_sms
from readiness.texts import LANGUAGES, catalogue
from readiness.typed import one_line, read_iso, read_start
from reports.profile import profile_names
from tests.actors import otto
from tests.cast import SUNNAAS

FILES = Path(__file__).resolve().parent.parent / "data" / "csv"
NOW = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)
PLANNER = Planner(None, ContactBox("key"), SUNNAAS, "https://ready.example", NOW, otto(SUNNAAS.id))  # type: ignore[arg-type]
TEN = "2027-03-02T09:00"
"""Ten o'clock in Oslo, in UTC."""


def outcome(raw: bytes) -> list[Any] | str:
    """What comes of a file: its meetings as (start, people), or the first reason why it is refused."""
    try:
        wanted, bad = read_file(raw)
        drafts = [PLANNER.draft(one.plan) for one in wanted]
    except InputError as error:
        return error.code
    if bad:
        return bad[0].reason
    box = PLANNER.contacts
    return [
        (
            f"{one.meeting.starts_at:%Y-%m-%dT%H:%M}",
            [(p.role, p.label, open_reach(box, p.reach)) for p in one.participants],
        )
        for one in drafts
    ]


def patient(label: str = "P. P.", **reach: str) -> list[Any]:
    return [(TEN, [("patient", label, Reach(**reach))])]


SENT = patient(mail="pas@post.example")
CALLED = patient(phone="+4790000000")
SAVED = [
    ("PowerShell/PowerShell#7776", "sep_line.csv", SENT),
    ("UgnisSoftware/react-spreadsheet-import#145", "utf16_unicode_text.txt", SENT),
    ("extra", "mac_roman_cr.csv", "import.encoding"),
    ("extra", "cr_only.csv", SENT),
    ("extra", "utf8_bom_quoted_head.csv", SENT),
    ("extra", "head_spaces_caps_nbsp.csv", SENT),
    ("OpenDataRepository/data-publisher#84", "trailing_empty.csv", SENT),
    ("extra", "quote_newline.csv", SENT),
    ("extra", "quote_unbalanced.csv", SENT * 2),
    ("extra", "comma_in_title_commafile.csv", SENT),
    ("extra", "role_caps.csv", SENT),
    ("extra", "one_column_head_only_comma_rows.csv", patient("Prove; P.")),
    ("extra", "semicolons_in_comma_head.csv", patient("P;P")),
    ("extra", "solution_teams_caps.csv", patient("")),
    ("extra", "formula_label.csv", patient('=HYPERLINK(""http://x"")', mail="pas@post.example")),
    ("extra", "head_norwegian.csv", CALLED),
    ("extra", "title_line_first.csv", "import.heading_below"),
    ("extra", "pipe.csv", "import.separator"),
    ("extra", "html_from_portal.xls", "import.web_page"),
    ("extra", "xlsx_renamed.csv", "import.workbook"),
    ("extra", "nul_padded.csv", "import.damaged"),
    ("almarklein/timetagger#276", "date_seconds.csv", SENT),
    ("almarklein/timetagger#276", "date_dot_time.csv", SENT),
    ("openforis/arena#3721", "date_comma.csv", SENT),
    ("openforis/arena#3721", "date_iso_slash.csv", SENT),
    ("almarklein/timetagger#276", "date_no_zero.csv", SENT),
    ("almarklein/timetagger#276", "date_hour_only.csv", SENT),
    ("openforis/arena#3721", "date_z.csv", SENT),
    ("openforis/arena#3721", "date_nbsp.csv", SENT),
    ("openforis/arena#3721", "date_two_spaces.csv", SENT),
    ("openforis/arena#3721", "date_fraction.csv", SENT),
    ("oliexdev/openScale#1475", "date_only_iso.csv", "meeting.no_clock"),
    ("metabase/metabase#14504", "date_compact.csv", "meeting.no_clock"),
    ("metabase/metabase#14504", "date_only_nb.csv", "meeting.no_clock"),
    ("almarklein/timetagger#276", "date_two_digit_year.csv", "meeting.time_form"),
    ("almarklein/timetagger#276", "date_slash.csv", "meeting.time_form"),
    ("almarklein/timetagger#276", "date_us_ampm.csv", "meeting.time_form"),
    ("almarklein/timetagger#276", "date_kl.csv", "meeting.time_form"),
    ("almarklein/timetagger#276", "date_excel_serial.csv", "meeting.time_form"),
    ("almarklein/timetagger#276", "date_weekday.csv", "meeting.time_form"),
    ("almarklein/timetagger#276", "date_24h_midnight.csv", "meeting.no_such_time"),
    ("almarklein/timetagger#276", "date_month_swap.csv", "meeting.no_such_time"),
    ("extra", "phone_plus.csv", CALLED),
    ("extra", "phone_00.csv", CALLED),
    ("woocommerce/woocommerce#58000", "phone_nbsp.csv", CALLED),
    ("extra", "phone_apostrophe.csv", CALLED),
    ("extra", "phone_landline_22.csv", patient(phone="+4722110099")),
    ("verbb/hyper#86", "phone_202a.csv", CALLED),
    ("signalapp/Signal-Android#11630", "phone_zwsp.csv", CALLED),
    ("floere/phony#185", "phone_47_no_plus.csv", CALLED),
    ("floere/phony#185", "phone_paren0.csv", "person.phone"),
    ("AfterShip/phone#262", "phone_fullwidth.csv", "person.phone"),
    ("extra", "phone_sci.csv", "person.phone"),
    ("extra", "phone_decimal.csv", "person.phone"),
    ("extra", "phone_formula.csv", "person.phone"),
    ("extra", "phone_tlf.csv", "person.phone"),
    ("extra", "phone_tel_uri.csv", "person.phone"),
    ("extra", "phone_slash_two.csv", "person.phone"),
    ("colinhacks/zod#5563", "phone_leading_0_swedish.csv", "person.phone"),
    ("extra", "phone_5digit.csv", "person.phone"),
    ("extra", "phone_ext.csv", "person.phone"),
    ("extra", "phone_bullet.csv", "person.phone"),
    ("extra", "mail_nbsp.csv", SENT),
    ("extra", "mail_upper.csv", patient(mail="PAS@post.example")),
    ("extra", "mail_apostrophe.csv", patient(mail="o'hara@post.example")),
    ("extra", "mail_mailto.csv", SENT),
    ("extra", "mail_named.csv", SENT),
    ("extra", "mail_idn.csv", patient(mail="post@xn--blfjell-fxa.example")),
    ("extra", "mail_two.csv", "person.mail"),
    ("extra", "mail_trailing_dot.csv", "person.mail"),
    ("extra", "mail_trailing_semicolon.csv", "person.mail"),
    ("extra", "mail_quoted_local.csv", "person.mail"),
    ("extra", "mail_local_ae.csv", "person.mail"),
    ("extra", "minutes_decimal.csv", "import.number"),
    ("extra", "minutes_text.csv", "import.number"),
    ("extra", "minutes_time.csv", "import.number"),
    ("extra", "lang_nb_NO.csv", SENT),
    ("extra", "lang_no.csv", SENT),
    ("extra", "lang_norsk.csv", SENT),
    ("extra", "role_pasient.csv", SENT),
    ("extra", "role_empty.csv", "person.role"),
    ("extra", "join_link_bare.csv", "meeting.link"),
    ("extra", "join_link_http.csv", "meeting.link"),
    ("extra", "meeting_case.csv", "import.spelling"),
    ("extra", "rows_repeat_starts_other_format.csv", "import.differs"),
    ("own", "cp1251.csv", "import.encoding"),
    ("own", "cp1254.csv", "import.encoding"),
    ("own", "latin4.csv", "import.encoding"),
    ("own", "saved_as_latin1.csv", patient("Åse Ø", mail="pas@post.example")),
    ("own", "saved_thrice.csv", patient("Åse Ø", mail="pas@post.example")),
    ("own", "span.csv", "meeting.time_form"),
    ("own", "span_hours.csv", "meeting.time_form"),
    ("own", "span_columns.csv", "meeting.time_form"),
    ("own", "merged_heading.csv", "import.column_nameless"),
    ("own", "row_numbers.csv", SENT),
    ("own", "null_words.csv", "import.cell_error"),
    ("own", "err_502.csv", "import.cell_error"),
    ("own", "text_formula.csv", SENT),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "page"),
    [("Sæbøåsen", "cp1252"), ("José Núñez", "cp1252"), ("Zoë Curaçao-Müller", "cp1252"), ("Éléonore Côté", "cp1252"),
     ("Анна", "cp1251"), ("Žižek", "cp1250"), ("Jānis Bērziņš", "cp1257")],
)  # fmt: skip
def test_a_name_from_this_countrys_excel_is_read_and_one_from_anothers_is_refused(name, page):
    """Own cases: each in the code page of its country's Windows."""
    raw = f"starts;role;label\n2027-03-02 10:00;patient;{name}\n".encode(page)
    assert outcome(raw) == (patient(name) if page == "cp1252" else "import.encoding")


@pytest.mark.parametrize(("thread", "name", "expected"), SAVED, ids=[name for _, name, _ in SAVED])
def test_a_table_as_it_was_saved(thread: str, name: str, expected: list[Any] | str):
    """Read as it was meant, or refused with a reason that has words in every language."""
    assert thread
    assert outcome((FILES / name).read_bytes()) == expected


HEAD = "starts;role;label\n"
NAMES = ["Pål", "Bjørn Ærlig", "Åse", "Ø. H.", "O’Hara", "«Rom 5»", "José – kontroll", "Zoë…", "til å"]


@pytest.mark.parametrize("name", NAMES)
def test_excels_own_encodings_are_read_and_others_refused_unless_they_read_the_same(name: str):
    """nextcloud/passman#352: Windows-1252 and UTF-16 give the name; a Mac's or DOS' never gives another name."""
    table = f"{HEAD}2027-03-02 10:00;patient;{name}\n"
    for encoding in ("cp1252", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        assert text_of(table.encode(encoding)) == table, encoding
    for encoding in ("mac_roman", "cp850", "cp437", "cp865"):
        try:
            raw = table.encode(encoding)
        except UnicodeEncodeError:
            continue
        with pytest.raises(InputError, match=r"import\.encoding"):
            text_of(raw)


OTHER_FILES = [
    (b"%PDF-1.7\n", "import.not_table"),
    (b"\x89PNG\r\n\x1a\n", "import.not_table"),
    (b"\xff\xd8\xff\xe0", "import.not_table"),
    (b'{"meetings": []}', "import.not_table"),
    (b"BEGIN:VCARD\r\nVERSION:3.0\r\nEND:VCARD\r\n", "import.not_table"),
    (b"{\\rtf1\\ansi", "import.not_table"),
    (b"From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\n\r\nstarts;role\r\n", "import.mail"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40), "import.workbook"),
    (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>', "import.workbook"),
    (b"\xef\xbb\xbf  <!DOCTYPE html><table>", "import.web_page"),
    ("<html><body>".encode("utf-16"), "import.web_page"),
    (b"starts;role\n2027-03-02 10:00;pa\0tient\n", "import.damaged"),
    ("starts;role".encode("utf-16") + b"\x00", "import.damaged"),
]


@pytest.mark.parametrize(("raw", "code"), OTHER_FILES)
def test_what_is_no_table_is_called_by_its_name(raw: bytes, code: str):
    """Never "save it as CSV" to who believes to have done so."""
    assert outcome(raw) == code


OWN = [
    ("SEP=,\nstarts,role,label\n02.03.2027 10:00,patient,P. P.\n", patient()),
    ('"sep=;"\nstarts;role;label\n02.03.2027 10:00;patient;P. P.\n', patient()),
    ("sep=|\nstarts|role|label\n02.03.2027 10:00|patient|P. P.\n", patient()),
    ("starts;role;label\n02. 03. 2027 10:00;patient;\u2066P. P.\u2069\n", patient()),
    ("starts;role;label\n2027-03-02T10:00+01:00;patient;P.\u00ad P.\n", patient()),
    ("\n;;\nstarts;role;label\n02.03.2027 10:00;patient;P. P.\n", patient()),
    ("starts;role;phone;label\n02.03.2027 10:00;patient;\u200e(900) 00 000\u200f;P. P.\n", CALLED),
    ("starts;role;mail;label\n02.03.2027 10:00;patient;<MAILTO:pas@post.example?subject=Hei>;P. P.\n", "person.mail"),
    ("starts;role;mail;label\n02.03.2027 10:00;patient;\u2060pas@post.example;P. P.\n", SENT),
    ("starts;role;label\n2027-W09-2;patient;P. P.\n", "meeting.no_clock"),
    ("starts;role;label\n2027-03-02+01:00;patient;P. P.\n", "meeting.time_form"),
    ("starts;role;label\n10:00;patient;P. P.\n", "meeting.time_form"),
    ("starts;role;label\n31.02.2027 10:00;patient;P. P.\n", "meeting.no_such_time"),
    ("starts;role;label\n2027-03-02T24:00;patient;P. P.\n", "meeting.no_such_time"),
    ("starts;role;phone\n02.03.2027 10:00;patient;+47 900 00 00\n", "person.phone"),
    ("starts;role;phone\n02.03.2027 10:00;patient;815 49 300\n", "person.phone"),
    ("starts;roles;starts\nx;y;z\n", "import.column"),
    ("starts;role;starts\nx;y;z\n", "import.column_twice"),
    ("label;mail\nx;y\n", "import.column_missing"),
    ('"starts,role,label"\n"02.03.2027 10:00,patient,P. P."\n', patient()),
    ('"starts;role;label";;\n"02.03.2027 10:00;patient;P. P.";;\n', patient()),
    ('"starts,""role"",label"\n"02.03.2027 10:00,""patient"",P. P."\n', patient()),
    ("starts;role;label\n2027-3-2 10:00;patient;P. P.\n", patient()),
    ("starts;role;label\n02-03-2027 10:00;patient;P. P.\n", "meeting.time_form"),
    ("starts;role;phone;label\n02.03.2027 10:00;patient;(+47) 900 00 000;P. P.\n", CALLED),
    ("starts;role;label\n02.03.2027 10:00;patient;#N/A\n", "import.cell_error"),
    ("starts;role;label\n02.03.2027 10:00;patient;#NAVN?\n", "import.cell_error"),
    ("starts;role;label\n########;patient;P. P.\n", "import.cell_error"),
    ("starts;role;label\n02.03.2027 10:00;patient;#1\n", patient("#1")),
    ("starts;role;label\n02.03.2027 10:00;patient;Ã…se Ã˜degÃ¥rd\n", patient("Åse Ødegård")),
    ("starts;role;label\n02.03.2027 10:00;patient;Ã\x81gnes\n", patient("Ágnes")),
    ("starts;role;label\n02.03.2027 10:00;patient;Ã…se Ærlig\n", patient("Ã…se Ærlig")),
    ("starts;role;label\n02.03.2027 10:00;patient;\ufffdse\n", "import.encoding"),
]


@pytest.mark.parametrize(("text", "expected"), OWN)
def test_more_of_the_same_kinds(text: str, expected: list[Any] | str):
    """Of our own: nothing that looks right is refused, nothing that is half told is guessed."""
    assert outcome(text.encode()) == expected


def test_the_row_is_counted_as_the_program_shows_it():
    """A separator line, blank lines and a line break in a cell are lines too."""
    rows = 'sep=;\r\n\r\nstarts;role;title\r\n02.03.2027 10:00;patient;"a\r\nb"\r\n02.03.2027;patient;\r\n'
    _, bad = read_file(rows.encode())
    assert [(one.row, one.column, one.reason) for one in bad] == [(6, "starts", "meeting.no_clock")]


# ---- numbers, addresses, times


def test_whose_numbers_are_typed_without_a_country():
    """An organisation's own number tells its country, else its zone does."""
    assert region_of("+46 8 123 45 67", "Europe/Oslo") == "SE"
    assert region_of("66 96 90 00", "Europe/Oslo") == "NO"
    assert region_of("0046 8 123 45 67", "UTC") == "SE"
    assert region_of("08-123 45 67", "Europe/Stockholm") == "SE"
    assert region_of("", "UTC") == "NO"
    assert clean_phone("070-123 45 67", "SE") == clean_phone("+46 (0)70-123 45 67") == "+46701234567"


@pytest.mark.parametrize(
    ("phone", "can"),
    [("+4790000000", True), ("+4740000000", True), ("+4722110099", False), ("+12025550123", True), ("", False)],
)
def test_an_sms_goes_where_one_can_arrive(phone: str, can: bool):
    """A Norwegian landline is known by its digits; where the kind is not known it is tried."""
    assert takes_sms(phone) is can
    assert Reach(phone).channel() == ("sms" if can else None)
    assert Reach(phone, "a@b.example").channel() == "mail"


UNSEEN = "\u00ad\u034f\u061c\u180e\u200b\u200c\u200e\u202a\u202c\u202e\u2060\u2063\u2066\u2069\ufe0f\ufeff\x00\x07"


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_cannot_be_seen_changes_nothing(data: st.DataObject):
    """Signs of direction and width, joiners, marks and controls, anywhere in a number, an address, a name or a time."""

    def strewn(text: str) -> str:
        at = sorted(data.draw(st.lists(st.tuples(st.integers(0, len(text)), st.sampled_from(UNSEEN)), max_size=4)))
        for place, sign in reversed(at):
            text = text[:place] + sign + text[place:]
        return text

    assert clean_phone(strewn("+47 900 00 000")) == "+4790000000"
    assert clean_mail(strewn("pas@post.example")) == "pas@post.example"
    assert one_line(strewn("Åse Prøve")) == "Åse Prøve"
    assert read_start(strewn("02.03.2027 10:00")) == datetime(2027, 3, 2, 10)


def test_names_are_composed():
    """A Mac writes Å as A and a ring: stored as one letter."""
    assert one_line(unicodedata.normalize("NFD", "  Åse \u00a0 Bjørk ")) == "Åse Bjørk"


@pytest.mark.parametrize("typed", ["02.03.2027 10:00", "2027/03/02 10:00", "2. 3. 2027 10.00"])
def test_programs_write_times_in_one_form(typed: str):
    """What people may write, an API does not take."""
    assert read_start(typed) == datetime(2027, 3, 2, 10)
    with pytest.raises(InputError, match=r"meeting\.time_form"):
        read_iso(typed)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30) | st.text(alphabet="0123456789-.:/ TWZ+,", max_size=25))
def test_any_text_is_a_time_or_a_reason(typed: str):
    """Nothing but an InputError comes of it, and never midnight where no clock was written."""
    try:
        found = read_start(typed)
    except InputError as error:
        assert error.code in {"meeting.no_clock", "meeting.no_such_time", "meeting.time_form"}
    else:
        assert "T" in typed.upper() or " " in one_line(typed)
        assert found.hour is not None


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30) | st.text(alphabet="0123456789+() -./", max_size=20))
def test_any_text_is_a_number_or_refused(typed: str):
    """A number that is read is read the same again."""
    try:
        found = clean_phone(typed)
    except InputError as error:
        assert error.code == "person.phone"
    else:
        assert clean_phone(found) == found


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30) | st.text(alphabet='abc@.<>"; é-_+', max_size=30).map(lambda text: text + "@post.example"))
def test_any_text_is_an_address_or_refused(typed: str):
    """An address that is read is ASCII, has no space and no line end, and is read the same again."""
    try:
        found = clean_mail(typed)
    except InputError as error:
        assert error.code == "person.mail"
    else:
        assert found.isascii()
        assert not set(found) & set(' \r\n\t<>",;:')
        assert clean_mail(found) == found


# ---- formulas


FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
HOSTILE = st.text(alphabet=st.sampled_from(FORMULA + "\t\r\n\0'\"ab;1, |\u200b\ufeff\u00a0"), max_size=14)


def cells_as_seen(line: str) -> list[str]:
    """Every cell that some spreadsheet may make of our line: by its own separator, with and without quotation marks.

    Excel in a country with decimal commas splits at semicolons, text pasted splits at tabs; NUL and what has no width
    is dropped, wide forms count as narrow ones.
    """
    cells: list[str] = []
    for delimiter in ";\t":
        cells += [cell for part in line.splitlines() for cell in part.split(delimiter)]
    cells += next(csv.reader(io.StringIO(line, newline="")), [])
    for delimiter in ";\t":
        cells += [cell for row in csv.reader(io.StringIO(line, newline=""), delimiter=delimiter) for cell in row]
    return cells


def is_formula(cell: str) -> bool:
    shown = "".join(sign for sign in cell if sign.isprintable() and not sign.isspace())
    return unicodedata.normalize("NFKC", shown.lstrip('"'))[:1] in tuple("=+-@")


@settings(max_examples=100, deadline=None)
@given(HOSTILE, HOSTILE)
def test_no_spreadsheet_finds_a_formula_in_what_is_saved(first: str, second: str):
    """CSV injection, also by NUL, wide forms, signs of no width, and the separator of another country."""
    written = io.StringIO()
    csv.writer(written).writerow([guarded("x" + first), guarded(second), guarded("id")])
    assert not [cell for cell in cells_as_seen(written.getvalue()) if is_formula(cell)]


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+47",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\0=1",
        "\uff1d1+1",
        "\uff0b47",
        " =1",
        "\u200b=1",
        "\ufeff@x",
        "\n=1",
    ],
)
def test_a_mark_stands_before_a_formula_and_is_taken_off_again(cell: str):
    """What we export is imported as it was; what begins no formula is left as it is."""
    assert guarded(cell).startswith("'")
    row = f'starts;role;title\n2027-03-02 10:00;patient;"{guarded(cell)}"\n'
    (wanted,), _ = read_file(row.replace("\0", "").encode())
    assert wanted.plan.title == one_line(cell)


@pytest.mark.parametrize("cell", ["Kontroll", "5,- kr", "a-b", "'s-Hertogenbosch", "Oslo, +2 grader", "", "2027-03-02"])
def test_plain_cells_stay_plain(cell: str):
    """A mark on everything would be a mark that nobody reads."""
    assert guarded(cell) == cell


@pytest.mark.parametrize("language", ["nb", "nn", "en"])
def test_a_table_is_written_in_the_words_of_the_page(language: str):
    """The example that the page shows is read as it stands, and so is each word that it offers for column or role."""
    words = catalogue(language)
    wanted, bad = read_file(words["plan.columns_example"].encode())
    assert (bad, [len(one.plan.people) for one in wanted]) == ([], [2])
    assert [one.role for one in wanted[0].plan.people] == ["patient", "interpreter"]
    assert wanted[0].plan.people[0].locale == language
    names = [words[f"plan.column.{column}"] for column in COLUMNS]
    assert [COLUMN_WORDS.get(name, name) for name in names] == list(COLUMNS)
    assert all(name in words["error.import.column"] for name in names)
    for role in ROLES:
        said = words[f"role.{role}"].lower() if language != "en" else role
        assert VALUE_WORDS["role"].get(said, said) == role
        assert said in words["error.person.role"]
        assert said in words["plan.columns_roles"]


def test_other_words_stand_for_ours_and_for_one_thing_only():
    """No word is one of our own for something else, and each means what a meeting may have."""
    for part, known in (
        ("role", ROLES),
        ("solution", SOLUTIONS),
        ("profile", profile_names()),
        ("language", LANGUAGES),
    ):
        assert set(VALUE_WORDS[part].values()) <= set(known)
        assert not set(VALUE_WORDS[part]) & set(known)
    assert set(COLUMN_WORDS.values()) == {*COLUMNS, "date", "time"}
    assert not set(COLUMN_WORDS) & set(COLUMNS)


def test_date_and_time_may_stand_apart():
    """As most tables here have them. Each alone is no beginning."""
    assert outcome(b"Dato;Klokkeslett;Rolle;Navn\n02.03.2027;10:00;Pasient;P. P.\n") == patient()
    assert outcome(b"Dato;Rolle;Navn\n02.03.2027;Pasient;P. P.\n") == "import.column"
    assert outcome(b"Dato;Klokkeslett;Rolle\n02.03.2027;;Pasient\n") == "meeting.no_clock"


def test_the_columns_stand_in_the_words():
    """Who has a wrong heading, role, solution or kind of meeting is shown all that there are."""
    for language in LANGUAGES:
        words = catalogue(language)
        assert all(column in words["error.import.column"] for column in COLUMNS)
        assert all(role in words["error.person.role"] for role in ROLES)
        assert all(name in words["error.meeting.solution"] for name in SOLUTIONS)
        assert all(name in words["error.meeting.profile"] for name in profile_names())
        assert "02.03.2027 10:00" in words["error.meeting.time_form"]
