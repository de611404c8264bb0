"""What the sources themselves promise: no markup from text, nothing kept in a browser, SQL by parameters, one way out.

Rules over the tree, so that a new page, query or client is held to them on the day it is written.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.floors import parsed

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path for path in (ROOT / "web").rglob("*") if path.suffix in {".js", ".mjs", ".html"})
MODULES = sorted(path for package in ("probes", "reports", "readiness") for path in (ROOT / package).rglob("*.py"))
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|createContextualFragment|setHTML"
    r"|\beval\(|new Function\b|set(?:Timeout|Interval)\(\s*[\"'`]|javascript:|\son[a-z]+="
)
"""Every way in which text becomes markup or code."""
STORED = re.compile(
    r"localStorage|sessionStorage|indexedDB|document\.cookie|cookieStore|serviceWorker|\bcaches\.|storage\.persist"
    r"|getDirectory\(|webkitRequestFileSystem|openDatabase"
)
"""Every place in which a page can keep something in the browser."""
SAFE = {
    ("board/index.html", "html|safe"): "an organisation's guide, which `guide_html` made out of Markdown",
    ("guide/index.html", "guide|safe"): "the notice or the tips, which `page_html` made out of Markdown",
    (
        "settings/index.html",
        "field.ours|safe",
    ): "a guide or the notice, which `guide_html` or `page_html` made out of Markdown",
    ("settings/index.html", "field.own|safe"): "the organisation's own one, made in the same way",
    ("support/index.html", "picture.svg|safe"): "a curve of figures, drawn by `reports.render`",
}
"""Markup that templates take as it is."""
OUT = {"ClientSession", "SMTP", "urlopen", "HTTPConnection", "HTTPSConnection", "create_connection"}
"""Calls that open a way to another host."""
MAY_GO_OUT = {
    "readiness/access/oidc_transport.py": "issuers in the file that READINESS_SIGN_IN names",
    "readiness/meetings/sms.py": "READINESS_SMS_URL",
    "readiness/meetings/mail.py": "READINESS_SMTP_URL",
    "readiness/meetings/room_notices.py": "the address that a manager of rooms gave",
    **dict.fromkeys(
        [f"readiness/room/{name}.py" for name in ("by_hand", "joining", "line", "running")],
        "a room's agent: the server that it was enrolled at",
    ),
}
RUNS_SQL = {"execute", "exec_driver_sql", "text", "literal_column", "executescript", "scalar", "scalars"}
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|PRAGMA|SET|LISTEN|NOTIFY|BEGIN|ALTER|CREATE|DROP)\b")


def found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {match.group(0)}"
        for path in SCRIPTS
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    ]


def test_WEB_4_no_page_makes_markup_or_code_of_text():
    """Pages write text as text; the browser's own rule for it (trusted types) is in every answer's headers."""
    assert found(MARKUP) == []
    assert MARKUP.search('one.innerHTML = "x"')
    assert MARKUP.search("<p onclick=x>")


def test_WEB_4_templates_take_no_markup_but_our_own():
    """Each ``safe`` of a template stands in a table that says whose markup it is."""
    safe = {
        (path.relative_to(ROOT / "web").as_posix(), re.sub(r"\s", "", match.group(1)))
        for path in SCRIPTS
        for match in re.finditer(r"\{\{([^}]*\|\s*safe[^}]*)\}\}", path.read_text(encoding="utf-8"))
    }
    assert safe == set(SAFE)
    templates = [path for path in (ROOT / "readiness").rglob("*.html") if "|safe" in path.read_text(encoding="utf-8")]
    assert templates == []


def test_PRV_6_no_page_keeps_anything_in_the_browser():
    """No storage of any kind is named in any script or page: what a page knows is gone when it is closed."""
    assert found(STORED) == []


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(parsed(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")), node


def is_fixed(part: ast.expr) -> bool:
    """Whether a piece of SQL can't come from outside: constants, numbers, names in capitals, one or another of them."""
    if isinstance(part, ast.JoinedStr):
        return all(is_fixed(one) for one in part.values)
    if isinstance(part, ast.FormattedValue):
        return is_fixed(part.value)
    if isinstance(part, ast.IfExp):
        return is_fixed(part.body) and is_fixed(part.orelse)
    if isinstance(part, ast.Name):
        return part.id.isupper()
    return isinstance(part, ast.Constant) or (isinstance(part, ast.Call) and ast.unparse(part.func) == "int")


def test_INJ_3_sql_takes_values_as_parameters_only():
    """No statement is put together from text: neither where it is run, nor as a string anywhere in the store."""
    wrong = []
    for path in sorted((ROOT / "reports" / "store").rglob("*.py")):
        for name, call in calls(path):
            given = call.args[0] if name in RUNS_SQL and call.args else None
            if isinstance(given, ast.JoinedStr | ast.BinOp) and not is_fixed(given):
                wrong.append(f"{path.name}:{call.lineno}")
            if name == "format" and isinstance(call.func, ast.Attribute) and is_sql(call.func.value):
                wrong.append(f"{path.name}:{call.lineno}")
        for node in ast.walk(parsed(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.BinOp) and is_sql(node.left) and not is_fixed(node.right):
                wrong.append(f"{path.name}:{node.lineno}")
            if isinstance(node, ast.JoinedStr) and node.values and is_sql(node.values[0]) and not is_fixed(node):
                wrong.append(f"{path.name}:{node.lineno}")
    assert wrong == []
    assert not is_fixed(ast.parse('f"SELECT {name}"', mode="eval").body)


def is_sql(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) and isinstance(part.value, str) and bool(SQL.match(part.value))


def test_INJ_3_only_gateways_that_are_configured_are_asked_and_none_leads_elsewhere():
    """Each module that opens a way out goes to what one setting or person names; a redirect is never followed."""
    near = [path for path in MODULES if any(name in path.read_text(encoding="utf-8") for name in OUT)]
    ways = {path.relative_to(ROOT).as_posix() for path in near for name, _ in calls(path) if name in OUT}
    assert ways == set(MAY_GO_OUT)
    asking = ("access/oidc_transport.py", "meetings/sms.py", "meetings/room_notices.py", "room/service.py")
    for module in (f"readiness/{name}" for name in asking):
        asked = [call for name, call in calls(ROOT / module) if name in {"request", "post"}]
        (redirects,) = [word.value for call in asked for word in call.keywords if word.arg == "allow_redirects"]
        assert isinstance(redirects, ast.Constant)
        assert redirects.value is False
