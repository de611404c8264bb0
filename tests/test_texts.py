"""Every code has words, in every language and plain ones, and no words stand in the code."""

from __future__ import annotations

import ast
import json
import re
import statistics
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from readiness.access.contacts import ContactBox
from readiness.access.pins import PIN_LIFE, pin_of
from readiness.access.tokens import TYPED_LENGTH
from readiness.meetings.inviting import RESEND_EVERY
from readiness.meetings.planner import PERSON_KEPT
from readiness.meetings.rooms import LONGEST_NAME
from readiness.meetings.values import (
    EARLIEST_REMINDER_MIN,
    LONGEST_MIN,
    MOST_PEOPLE,
    MOST_REMINDERS,
    MOST_TOGETHER,
    MOST_YEARS,
)
from readiness.meetings.wishes import REMINDERS
from readiness.server.board import LED_AHEAD
from readiness.server.desk_view import LONGEST_NOTE
from readiness.server.digits import DIGITS
from readiness.server.owner import RESUME_WITHIN
from readiness.server.participant import JOINS_BEFORE, page_questions
from readiness.server.protocol import schema
from readiness.texts import LANGUAGES, catalogue
from reports.advice import advice_codes, advice_key
from reports.kinds import KINDS, SELF_TEST
from reports.model import Outcome, Responsible, SkipReason, Verdict
from reports.profile import PROFILE_FOLDER, load_profile
from reports.render.languages import TABLE
from reports.render.pictures import PICTURES
from reports.render.rooms import DAYS
from reports.series import ROWS
from reports.store.ids import CODE_LENGTH
from reports.store.retention import PERSON_KEPT as RETAINED
from reports.store.room_records import CODE_LIFE
from reports.store.setting_records import FEWEST_MONTHS, MOST_MONTHS
from reports.verdict import EXPLAINED, OUR_FAULT
from tests.floors import parsed

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ROOT / "web" / "locales"
PARTS = {
    path.relative_to(LOCALES).with_suffix("").as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(LOCALES.glob("*/*.json"))
}
"""The files of all languages by names such as ``nb/staff``."""
CATALOGUES: dict[str, dict[str, str]] = {language: dict(catalogue(language)) for language in LANGUAGES}
PROFILES = [load_profile(path.stem) for path in sorted(PROFILE_FOLDER.glob("*.toml"))]
PHASES = {phase.name for kind in KINDS for phase in kind.phases}
NETWORK_PARTS = {*SELF_TEST.whole.together, "tcp_down", "tcp_up"}
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the product. Read by the tests that ask, not by every process of a run that collects them."""
    return {
        path.relative_to(ROOT).as_posix(): parsed(path.read_text(encoding="utf-8"))
        for package in ("readiness", "reports", "probes")
        for path in sorted((ROOT / package).rglob("*.py"))
    }


@cache
def nodes() -> list[ast.AST]:
    """Every node of every module: walking them once takes as long as all that is looked for in them."""
    return [node for tree in modules().values() for node in ast.walk(tree)]


def said(key: str) -> str:
    """The key that code asks for: without the plural form, of which languages have different ones."""
    return key.partition("#")[0]


def test_there_is_a_folder_for_each_language_and_no_other():
    """With the texts for participants and of messages, and those for staff or none: the same keys, none empty."""
    assert {name.partition("/")[0] for name in PARTS} == set(LANGUAGES)
    for name, source in PARTS.items():
        language, _, part = name.partition("/")
        texts, first = json.loads(source), json.loads(PARTS[f"{LANGUAGES[0]}/{part}"])
        assert list(texts) == sorted(texts), name
        assert {said(key) for key in texts} == {said(key) for key in first}, name
        assert not [key for key, text in texts.items() if not text.strip() or text != text.strip()], name
        assert {f"{language}/participant", f"{language}/messages"} <= set(PARTS), language


def test_no_key_stands_twice():
    """JSON lets the last one win, so that the other would be mended in vain; nor does a key stand in two files."""
    for language in LANGUAGES:
        sources = [source for name, source in PARTS.items() if name.startswith(f"{language}/")]
        keys = [key for source in sources for key, _ in json.loads(source, object_pairs_hook=list)]
        assert len(keys) == len(set(keys)), [key for key in set(keys) if keys.count(key) > 1]


FOR_STAFF = re.compile(r"web/(?:board|plan|staff|support|figures|overview|api|rooms|settings)/")
"""Pages that only staff open. What these and the server name may stand in any file, the rest for participants alone."""


def test_a_text_has_all_plural_forms_of_its_language_or_one_for_all():
    """As CLDR names them; where one form fits every number, the key has none."""
    for language, texts in CATALOGUES.items():
        forms: dict[str, list[str]] = {}
        for key in texts:
            forms.setdefault(said(key), []).append(key.partition("#")[2])
        assert len({key: found for key, found in forms.items() if found != [""]}) >= 4
        wanted = sorted(TABLE[language].plural.categories)
        assert {key: found for key, found in forms.items() if found not in ([""], wanted)} == {}, language


ASKED_BY_NUMBER = re.compile(r"""\bplural\("([a-z_.]+)\"|\bplural\(\w+ \? "([a-z_.]+)" : "([a-z_.]+)\"""")


def test_texts_for_numbers_are_asked_for_by_their_number():
    """Whatever has plural forms is asked for with `plural`, so that each language has those it needs."""
    paths = [*(ROOT / "web").rglob("*.html"), *(ROOT / "web").rglob("*.js")]
    paths += [path for folder in ("readiness", "reports") for path in (ROOT / folder).rglob("*.py")]
    sources = [path.read_text(encoding="utf-8") for path in paths]
    asked = {key for source in sources for found in ASKED_BY_NUMBER.findall(source) for key in found if key}
    assert asked <= {said(key) for key in CATALOGUES["nb"]}
    assert len(asked) > 8
    formed = {said(key) for key in CATALOGUES["nb"] if "#" in key}
    assert {key for key in formed - asked if not key.startswith("time.")} == set(), "`ago` asks for those of time"
    plain = re.compile(r"""\bt(?:exts|\.t)?(?:\.t)?(?:\(|\[)"([a-z_.]+)[#"]""")
    assert {key for source in sources for key in plain.findall(source)} & (formed | asked) == set()


def test_what_participants_read_stands_in_their_file():
    """No page of theirs names a text that a language may do without."""
    staff = set(json.loads(PARTS[f"{LANGUAGES[0]}/staff"]))
    quoted = re.compile(r"""["'`]([a-z_]+(?:\.[a-z0-9_]+)+)["'`]""")
    named: dict[str, set[str]] = {}
    for path in [*(ROOT / "web").rglob("*.html"), *(ROOT / "web").rglob("*.js")]:
        name = path.relative_to(ROOT).as_posix()
        if not FOR_STAFF.match(name):
            named[name] = set(quoted.findall(path.read_text(encoding="utf-8")))
    assert len(named) > 20
    assert "code.title" in named["web/code/index.html"]
    assert {name: found & staff for name, found in named.items() if found & staff} == {}


def test_placeholders_are_the_same_in_every_language():
    """A text asks for the same values in each, with no brace beside them; a plural form may know its number."""
    wanted: dict[str, set[str]] = {}
    for key, text in CATALOGUES["nb"].items():
        wanted.setdefault(said(key), set()).update(PLACEHOLDER.findall(text))
    for language, texts in CATALOGUES.items():
        for key, text in texts.items():
            found, left = set(PLACEHOLDER.findall(text)), {"count"} if "#" in key else set()
            assert wanted[said(key)] - left <= found <= wanted[said(key)], (language, key)
            assert not set("{}<>") & set(PLACEHOLDER.sub("", text)), (language, key)


def test_languages_are_not_copies_of_each_other():
    """English is English, and most of nynorsk differs from bokmål wherever a text is longer than some words."""
    long = [key for key, text in CATALOGUES["nb"].items() if len(text.split()) >= 8 and "#" not in key]
    assert [key for key in long if CATALOGUES["en"][key] == CATALOGUES["nb"][key]] == []
    same = [key for key in long if CATALOGUES["nn"][key] == CATALOGUES["nb"][key]]
    assert len(same) < len(long) / 4, same


# ---- every code has words


@cache
def constants() -> dict[str, set[str]]:
    """Names of strings on the top level of a module, such as LINK_NOT_VALID."""
    return {
        target.id: {node.value.value}
        for tree in modules().values()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def strings_in(node: ast.AST | None) -> set[str]:
    """The string constants that `node` can come to, apart from those it is compared with or looked up by."""
    if node is None:
        return set()
    if isinstance(node, ast.IfExp):
        return strings_in(node.body) | strings_in(node.orelse)
    if isinstance(node, ast.Name):
        return constants().get(node.id, set())
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    return set().union(*(strings_in(one) for one in getattr(node, "values", [])))


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the product, with the last part of the name of what is called."""
    for node in nodes():
        if isinstance(node, ast.Call):
            yield getattr(node.func, "id", getattr(node.func, "attr", "")), node


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """A call's argument, by name or by position."""
    by_name = [keyword.value for keyword in call.keywords if keyword.arg == name]
    return by_name[0] if by_name else (call.args[position] if len(call.args) > position else None)


@cache
def causes_in_code() -> set[str]:
    """Causes that the product can put into a report."""
    found = {"accommodation", *OUR_FAULT, *EXPLAINED, *(reason.value for reason in SkipReason)}
    for name, call in calls():
        if name in {"not_measured", "died", "end_broken"}:
            found |= strings_in(argument(call, 0 if name == "end_broken" else 1, "cause"))
        found |= set().union(*(strings_in(one.value) for one in call.keywords if one.arg == "cause"))
    for node in nodes():
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {getattr(target, "id", getattr(target, "attr", "")) for target in targets}
            if any(name.endswith("cause") for name in names):
                found |= strings_in(node.value)
    return {cause for cause in found if re.fullmatch(r"[a-z_]+", cause)}


@cache
def units_in_code() -> set[str]:
    """Units that a measurement can have."""
    found: set[str] = set()
    for name, call in calls():
        if name in {"Measurement", "not_measured"}:
            found |= strings_in(argument(call, 2, "unit"))
    return {unit for unit in found if unit}


@cache
def errors_in_code() -> set[str]:
    """Codes of errors that reach a page or a program."""
    kinds = {"InputError", "AccessError", "LimitError", "Unavailable", "ReadinessError"}
    return set().union(*(strings_in(argument(call, 0, "code")) for name, call in calls() if name in kinds))


WITHOUT_UNIT = {"luma", "people"}
"""Shown as plain numbers: the check's own name says what is counted."""
PROGRAMS_ONLY = {
    "request.not_json", "request.too_large", "request.timeout", "host.malformed", "origin.foreign",
    "report.not_found",
}  # fmt: skip
"""Our pages never meet these; should one, it says error.internal: that it is our fault, and whom to call."""


def words_of_rules() -> set[str]:
    """What a rule judges by where it is a word and no number."""
    words = {
        str(rule.when[0].limit) for profile in PROFILES for check in profile.checks.values() for rule in check.rules
    }
    return {word for word in words if re.fullmatch(r"[A-Za-z_-]+", word) and word not in {"True", "False"}}


def codes_of_events() -> list[str]:
    """Events that the server may send."""
    codes: list[str] = schema()["$defs"]["event.data"]["properties"]["code"]["enum"]
    return codes


CHECKS = {check for profile in PROFILES for check in profile.checks}
ADVICE = advice_codes(PROFILES)
WANTED: dict[str, Callable[[], set[str]]] = {
    "advice": lambda: {f"advice.{code}.{part}" for code in ADVICE for part in ("title", "do")},
    "checks": lambda: {f"check.{check}" for check in CHECKS},
    "outcomes": lambda: {f"outcome.{outcome.value}" for outcome in Outcome},
    "verdicts": lambda: {
        f"verdict.{verdict.value}.{part}" for verdict in Verdict for part in ("title", "text", "short")
    },
    "states of the board": lambda: {f"state.{one}" for one in [*(v.value for v in Verdict), "not_tested", "stale"]},
    "leader's sentences": lambda: {f"leader.{one}" for one in [*(v.value for v in Verdict), "not_tested", "stale"]},
    "leader's areas": lambda: {f"leader.do.{code.split('.')[0]}" for code in ADVICE},
    "causes": lambda: {f"cause.{cause}" for cause in causes_in_code()},
    "units": lambda: {f"unit.{unit}" for unit in units_in_code() - WITHOUT_UNIT},
    "events": lambda: {f"event.{code}" for code in codes_of_events()},
    "errors": lambda: {f"error.{code}" for code in errors_in_code() - PROGRAMS_ONLY - {"http."}},
    "words that rules judge by": lambda: {f"value.{word}" for word in words_of_rules()},
    "phases": lambda: {f"phase.{one}" for one in PHASES if one in NETWORK_PARTS},
    "who can act": lambda: {f"who.{one.value}" for one in Responsible},
    "areas of checks": lambda: {f"group.{check.split('.')[0]}" for check in CHECKS},
    "where a test can stop": lambda: {f"support.part.{phase}" for phase in PHASES},
    "limits in pictures": lambda: {f"graph.limit.{one}" for one in ("pass", "fail")},
    "rows of pictures": lambda: {f"graph.{one}" for one in (*PICTURES, *ROWS)},
    "questions": lambda: {
        f"practical.{question}" for profile in PROFILES for question in page_questions(profile.practical)
    },
}
"""Every key that code can ask for, by what asks."""


def test_the_collectors_find_what_is_there():
    """The net is not empty: some codes that are surely in the code are caught."""
    assert {
        "server_died",
        "disconnected",
        "interrupted",
        "worker_frozen",
        "no_face",
        "step_died",
        "no_sound",
    } <= causes_in_code()
    assert {"ms", "pct", "dbfs", "mbps", "fps", "px", "s", "stops"} <= units_in_code()
    assert {
        "link.not_valid",
        "session.not_valid",
        "rate.limited",
        "server.busy",
        "protocol.invalid",
    } <= errors_in_code()


@pytest.mark.parametrize("kind", WANTED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_words(kind, language):
    """No code that the product can show is without words in any language."""
    wanted = WANTED[kind]()
    assert wanted, "nothing is looked for"
    assert sorted(wanted - set(CATALOGUES[language])) == []


def test_every_hint_of_the_picture_has_words():
    """What guidance can say of the picture is said in words made for it."""
    from reports.guidance import PICTURE_CHECKS

    codes = {
        rule.advice
        for profile in PROFILES
        for name in PICTURE_CHECKS
        if name in profile.checks
        for rule in profile.checks[name].rules
    }
    for language in LANGUAGES:
        assert sorted({f"hint.{code}" for code in codes} - set(CATALOGUES[language])) == []


def test_every_key_that_pages_name_is_there():
    """Keys written out in pages and scripts exist; of those put together at least the stem does."""
    known = CATALOGUES["nb"]
    for path in [*(ROOT / "web").rglob("*.html"), *(ROOT / "web").rglob("*.js")]:
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(r'data-t(?:-label)?="([a-z_.]+)"', text)) | set(
            re.findall(r'\bt\["([a-zA-Z_.]+)"\]', text)
        )
        named |= set(re.findall(r'\bt(?:exts)?\.t\("([a-zA-Z_.]+)"', text))
        if path.suffix == ".html":
            named |= set(re.findall(r'\bchoice\([^()]*, "([a-z_]+\.[a-z_.]+)"\)', text))
        assert sorted(named - set(known)) == [], path.name
        for stem in re.findall(r"\bt\(`([a-z_.]+)\$\{", text):
            assert any(key.startswith(stem) for key in known), (path.name, stem)


# ---- plain words


def lix(text: str) -> float:
    """Readability by Björnsson (1968): words per sentence plus the percentage of words longer than six letters."""
    words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text)
    sentences = max(1, len(re.findall(r"[.!?:](?:\s|$)", text)))
    return len(words) / sentences + 100 * sum(len(word) > 6 for word in words) / max(1, len(words))


LISTS = {"plan.columns_example", "error.import.column", "error.person.role"}
"""Words that a file may have, one after the other: no sentences to read."""
HARDEST = {"nb": 45}
"""LIX of the hardest text; 55 elsewhere, where one long compound or loan word in a short sentence weighs more."""


def filled(texts: dict[str, str]) -> dict[str, str]:
    """Texts with a word in place of what fills them."""
    return {key: PLACEHOLDER.sub("tall", text) for key, text in texts.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_plain(language: str):
    """No text is harder than LIX 45 (55), and on average they stay under 25: easier than a children's book."""
    long_enough = {
        key: text
        for key, text in filled(CATALOGUES[language]).items()
        if len(re.findall(r"\w+", text)) >= 8 and key not in LISTS
    }
    found = {key: lix(text) for key, text in long_enough.items()}
    assert len(found) > 100
    hardest = HARDEST.get(language, 55)
    assert {key: round(value) for key, value in found.items() if value > hardest} == {}
    assert statistics.mean(found.values()) <= 25


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_for_participants_are_short(language: str):
    """At most 15 words in whatever a participant reads: pages, mail, SMS and letter."""
    texts = json.loads(PARTS[f"{language}/participant"]) | json.loads(PARTS[f"{language}/messages"])
    longest = {
        key: max(len(sentence.split()) for sentence in re.split(r"[.!?:]\s", text))
        for key, text in filled(texts).items()
    }
    assert {key: words for key, words in longest.items() if words > 15} == {}


def of_script(path: str, name: str) -> float:
    """The value of a number that a page's script keeps for itself."""
    found = re.search(
        rf"^(?:export )?const {name} = ([\d_* ]+);", (ROOT / "web" / path).read_text("utf-8"), re.MULTILINE
    )
    assert found, (path, name)
    return float(eval(found[1]))


S, MIN, H, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
QUIET_S = of_script("selftest/js/checks/sound.js", "QUIET_S")
SHORT_S = 15
"""What the short check may take: `tests/browser/test_short_check.py` measures it."""
PROMISES: dict[str, list[float]] = {
    "action.more_time_given": [of_script("selftest/js/checks/picture.js", "MORE_MS") / 60_000],
    "advice.microphone.no_pause.do": [QUIET_S],
    "answer.drop_in": [RETAINED / DAY],
    "error.board.none": [LED_AHEAD / DAY],
    "board.pin.digits": [len(pin_of(ContactBox("key"), "id"))],
    "board.pin.sent_mail": [PIN_LIFE / MIN],
    "board.pin.sent_sms": [PIN_LIFE / MIN],
    "code.malformed": [TYPED_LENGTH],
    "error.meeting.length": [1, LONGEST_MIN / 60],
    "error.meeting.reminders": [MOST_REMINDERS, 1, EARLIEST_REMINDER_MIN * MIN / DAY],
    "error.meeting.too_far": [MOST_YEARS],
    "error.meeting.too_many": [MOST_PEOPLE],
    "error.person.together": [1, MOST_TOGETHER],
    "error.resend.too_soon": [RESEND_EVERY / MIN],
    "error.settings.months": [FEWEST_MONTHS, MOST_MONTHS],
    "mail.short.why": [SHORT_S],
    "plan.assessed_help": [PERSON_KEPT / H],
    "plan.join_help": [JOINS_BEFORE / MIN],
    "plan.privacy": [PERSON_KEPT / H],
    "plan.remind": [REMINDERS[0] * MIN / DAY, REMINDERS[1] * MIN / H],
    "recheck.text": [SHORT_S],
    "rooms.code_help": [1, CODE_LIFE / DAY],
    "rooms.days": [DAYS],
    "rooms.problem.name": [LONGEST_NAME],
    "rooms.problem.place": [LONGEST_NAME],
    "sound.quiet": [QUIET_S],
    "sound.quiet_again": [QUIET_S],
    "sound.quiet_others": [QUIET_S],
    "speaker.waiting": [DIGITS],
    "speaker.wrong": [DIGITS],
    "speed.about": [3 * of_script("selftest/js/speedtest.js", "LASTS_MS") / 1000],
    "support.note_help": [LONGEST_NOTE, PERSON_KEPT / H],
    "support.note_long": [LONGEST_NOTE],
    "support.privacy": [PERSON_KEPT / H],
    "support.problem.malformed": [CODE_LENGTH],
    "waiting.kept": [RESUME_WITHIN / MIN],
}
"""Texts that promise numbers, in the order of the words, and the constants that keep them."""
SAID = {
    "nb": "null én to tre fire fem seks sju åtte ni ti",
    "nn": "null éin to tre fire fem seks sju åtte ni ti",
    "en": "zero one two three four five six seven eight nine ten",
}
"""The words for whole numbers, from nothing on."""
ONE = {"nb": r"\bett?\b|\bén\b", "nn": r"\bei(?:n|tt)?\b|\béin?\b", "en": r"\bone\b|\ba\b"}
FORMS = re.compile(
    r"error\.(?:import|person|figures)\.|error\.meeting\.(?:no_clock|time_form)|plan\.columns_example|support\.code_help|"
    r"time\..*#one|board\.in_minutes#one|detail\.|sketch\.light|unit\.mos|api\.download|firewall\.any_port|practical\.people_more|"
    r"rooms\.problem\.hours|error\.settings\.(?:mobile|phone|days)|settings\.help\.(?:support_hours|closed_days)|advice\.camera\.flicker\.do|advice\.room\.low_resolution\.do"
)
"""Texts with digits that promise nothing: examples of a form, one thing in the singular, names of scales, percentiles,
the frequency of the mains, a resolution, the last choice of a list."""


def numbers_in(language: str, text: str) -> list[float]:
    """The numbers of a text in order, in digits or as a word from two on: "a" and "one" are words of other things."""
    words = SAID[language].split()
    pattern = rf"\d+|\b(?:{'|'.join(words[2:])})\b"
    found = re.findall(pattern, PLACEHOLDER.sub("", text), re.IGNORECASE)
    return [float(one) if one.isdigit() else float(words.index(one.lower())) for one in found]


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_that_are_promised_are_those_of_the_code(language: str):
    """Whoever changes the constant has to change the words. One of a thing may be "a" or "one"."""
    for key, numbers in PROMISES.items():
        text, left = CATALOGUES[language][key], [number for number in numbers if number != 1]
        assert [one for one in numbers_in(language, text) if one != 1] == left, (key, text)
        if 1 in numbers:
            assert "1" in re.findall(r"\d+", text) or re.search(ONE[language], text), (key, text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_in_a_text_has_a_source(language: str):
    """A number in digits is held to a constant above, or is the form of something and promises nothing."""
    texts = CATALOGUES[language].items()
    loose = {key for key, text in texts if re.search(r"\d", PLACEHOLDER.sub("", text)) and not FORMS.match(key)}
    assert loose - set(PROMISES) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_is_never_parted_from_its_unit(language: str):
    """Neither in digits nor where one is filled in: no line ends between them."""
    unit = re.compile(r"(?:\d|\}) (?:MB|GB|Mbit/s|kbit/s|min|ms|dB|Hz|%)(?!\w)")
    assert {key: text for key, text in CATALOGUES[language].items() if unit.search(text)} == {}


def test_texts_are_short():
    """What to do stands in at most 25 words, what is wrong in at most 8."""
    for language, texts in CATALOGUES.items():
        for key, text in texts.items():
            if key.startswith("advice."):
                assert len(text.split()) <= (8 if key.endswith(".title") else 25), (language, key)


# ---- no words in the code

SENTENCE = re.compile(r"(?:[^\W\d_]+[,:;]? ){3,}[^\W\d_]+")
"""Four words in a row."""
NORWEGIAN = re.compile("[æøåÆØÅ]")
FOR_OPERATORS = {
    "readiness/cli.py",
    "readiness/cli_audit.py",
    "readiness/cli_calibration.py",
    "readiness/cli_organisation.py",
    "readiness/meetings/manage_organisation.py",
    "readiness/cli_rooms.py",
    "readiness/cli_voices.py",
    "readiness/meetings/manage_rooms.py",
    "readiness/meetings/rooms.py",  # settings of rooms, which are typed at the command line
    "reports/timetable.py",  # the same
    "readiness/server/fleet_api.py",  # help of metrics, for who runs Prometheus
    *(f"readiness/room/{name}.py" for name in ("agent", "by_hand", "command", "enrolment", "handing", "install")),
    *(f"readiness/room/{name}.py" for name in ("joining", "line", "running", "seating", "service", "timetable")),
    "readiness/settings.py",
    "readiness/outgoing.py",
    "readiness/access/grants.py",
    "readiness/access/providers.py",
    "readiness/docs_table.py",
    "readiness/server/serve.py",
    "readiness/meetings/gsm.py",  # the signs of an SMS, which are no words
}
"""Command line and settings speak English to who runs the server."""
STORE = "reports/store/"
"""SQL stands in the store."""


def unread(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes whose strings nobody but a developer or operator reads: docstrings, what is raised, what is logged."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield node
        elif isinstance(node, ast.Call):
            owner = getattr(getattr(node.func, "value", None), "id", "")
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if (
                name.endswith("Error")
                or name == "log_event"
                or owner in {"log", "_log", "_logger", "logger", "warnings"}
            ):
                yield node


def words_in(tree: ast.Module) -> Iterable[tuple[int, str]]:
    """Strings in a module that look like something to read."""
    skipped = {id(inner) for node in unread(tree) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped
        if is_text and (SENTENCE.search(node.value) or NORWEGIAN.search(node.value)):
            yield node.lineno, node.value


def test_no_words_stand_in_python():
    """No module holds a sentence or a Norwegian letter outside docstrings, logs, errors and the command line."""
    found = [
        f"{name}:{line} {text[:60]!r}"
        for name, tree in modules().items()
        if name not in FOR_OPERATORS and not name.startswith(STORE)
        for line, text in words_in(tree)
    ]
    assert found == []


JS_PARTS = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<regex>(?<=[=(,:!&|?\[])\s?/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*)"""
    r"""|(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)""",
    re.DOTALL,
)


def words_in_script(script: str) -> list[str]:
    """Strings of a script that look like something to read, apart from those of thrown errors and the console."""
    found = []
    for match in JS_PARTS.finditer(script):
        text = match["text"]
        if text and (SENTENCE.search(text) or NORWEGIAN.search(text)):
            before = script[max(0, match.start() - 40) : match.start()]
            if not re.search(r"(?:Error|DOMException|console\.\w+)\(\s*$", before):
                found.append(text)
    return found


def test_no_words_stand_in_scripts():
    """The pages' scripts hold codes; words are in the catalogues."""
    assert words_in_script('say(x, "Nå må du vente"); // gå') == ['"Nå må du vente"']
    assert words_in_script('t = `this is a sentence`; // it\'s fine\nthrow new Error("this one nobody reads")') != []
    scripts = [path for path in (ROOT / "web").rglob("*.js") if "node_modules" not in path.parts]
    assert len(scripts) > 15
    assert {path.name: found for path in scripts if (found := words_in_script(path.read_text(encoding="utf-8")))} == {}


def test_no_words_stand_in_pages():
    """A page has no text of its own: the names of the languages, each in itself, are data."""
    for path in (ROOT / "web").rglob("*.html"):
        source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        text = re.sub(r"<!--.*?-->|<(script|style)\b.*?</\1>", "", source, flags=re.DOTALL)
        visible = re.findall(r">([^<]*)<", text)
        shown = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', text)
        words = {word for part in (*visible, *shown) for word in re.findall(r"[^\W\d_]{2,}", part)}
        assert words == set(), path.name


ON_A_PHONE = {
    "nb": r"en telefon|tastatur|Windows|koblet til, og om luken",
    "nn": r"ein telefon|tastatur|Windows|kopla til, og om luka",
    "en": r"\ba phone|keyboard|Windows",
}
"""Advice that somebody who holds a phone cannot follow. "En nyere telefon" and "another phone" they can."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("system", ["android", "ios"])
def test_nobody_with_a_phone_is_told_to_use_a_phone(language: str, system: str):
    """Nor to look at a keyboard: what is said of camera, microphone and loudspeaker fits what is in the hand."""
    texts = CATALOGUES[language]
    codes = [code for code in advice_codes(PROFILES) if code.startswith(("camera.", "microphone.", "speaker."))]
    told = {code: texts[advice_key(texts, code, os=system)] for code in sorted(codes)}
    assert {code: text for code, text in told.items() if re.search(ON_A_PHONE[language], text)} == {}


# ---- one word for one thing

GLOSSARY = ROOT / "readiness" / "docs" / "glossary.md"


def glossary() -> list[dict[str, str]]:
    """The rows of the table."""
    rows = [line for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("| ").split("|")] for row in rows]
    return [dict(zip(("thing", "nb", "nn", "en", "not"), [*row, ""][:5], strict=True)) for row in cells[1:]]


@cache
def all_words(language: str) -> dict[str, str]:
    """Every text of a language that people read: pages, messages and guides."""
    guides = (ROOT / "readiness" / "meetings" / "texts").glob(f"*.{language}.md")
    written = CATALOGUES[language] | {path.name: path.read_text(encoding="utf-8") for path in guides}
    return {key: PLACEHOLDER.sub("", text) for key, text in written.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_word_stands_for_one_thing(language: str):
    """Each word of the glossary is used, and what it stands instead of is not, in any text."""
    rows = glossary()
    assert len(rows) > 25
    texts = all_words(language)
    whole = "\n".join(texts.values()).lower()
    unused = [row[language] for row in rows if row[language] and row[language].lower() not in whole]
    assert unused == []
    instead = [
        part.strip() for row in rows for part in row["not"].split(";") if part.strip().startswith(f"{language}:")
    ]
    avoided = [word.strip() for part in instead for word in part.partition(":")[2].split(",")]
    found = {word: [key for key, text in texts.items() if re.search(word, text, re.IGNORECASE)] for word in avoided}
    assert avoided
    assert {word: keys for word, keys in found.items() if keys} == {}
