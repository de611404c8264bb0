"""Requests to an SMS gateway: fills the operator's template so that no text can break out of it. Pure.

The template is JSON, XML, a form or plain text, by its content and its Content-Type. A contradiction between them is
refused when the settings are read, not when a patient should be told of a meeting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

__all__ = ["BodyForm", "body_form", "fill_body", "fill_url", "missing_in"]

Kind = Literal["json", "xml", "form", "plain"]
TO, TEXT = "{to}", "{text}"
_TYPES: Final[Mapping[Kind, str]] = {
    "json": "application/json",
    "xml": "application/xml; charset=utf-8",
    "form": "application/x-www-form-urlencoded",
    "plain": "text/plain; charset=utf-8",
}
_FORM: Final = re.compile(r"[^=&\s]+=[^=&\s]*(?:&[^=&\s]+=[^=&\s]*)*")
_ENCODING: Final = re.compile(r"""<\?xml[^>]*encoding=["']([^"']+)["']""")
_CHARSET: Final = re.compile(r"charset=\"?([\w-]+)", re.IGNORECASE)
_UTF8: Final = frozenset({"utf-8", "utf8"})
_NOT_XML: Final = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKS: Final = {'"': "&quot;", "'": "&apos;"}


@dataclass(frozen=True, slots=True)
class BodyForm:
    """The kind of body that a template makes, and its Content-Type."""

    kind: Kind
    content_type: str


def body_form(template: str, content_type: str = "") -> BodyForm:
    """Return the form of `template`. Raises ValueError with one line if it can't be filled safely.

    `content_type` is that of the operator's own headers; if empty, the template decides.
    """
    kind = _kind(template)
    named = content_type.partition(";")[0].strip().lower()
    charset = _CHARSET.search(content_type)
    if charset and charset[1].lower() not in _UTF8:
        raise ValueError(f"the body is sent as UTF-8, but Content-Type says {charset[1]}")
    if twice := next((mark for mark in (TO, TEXT) if f"{{{mark}}}" in template), None):
        raise ValueError(f"write {twice} with one pair of braces, not two: the outer pair would be sent")
    if kind is None and named.startswith("text/plain"):
        kind = "plain"
    if kind is None:
        raise ValueError(
            "neither JSON, XML nor a form such as to={to}&text={text}; plain text needs Content-Type: text/plain"
        )
    if named and not _agrees(kind, named):
        raise ValueError(f"the body is {'a form' if kind == 'form' else kind.upper()}, but Content-Type says {named}")
    return BodyForm(kind, content_type or _TYPES[kind])


def _agrees(kind: Kind, named: str) -> bool:
    marks = {"json": "json", "xml": "xml", "form": "x-www-form-urlencoded", "plain": "text/plain"}
    return marks[kind] in named


def _kind(template: str) -> Kind | None:
    plain = template.strip()
    if plain[:1] in {"{", "[", '"'} and not plain.startswith((TO, TEXT)):
        _fill_json(json.loads(plain), {})  # its error is a ValueError with the place
        return "json"
    if plain.startswith("<"):
        _checked_xml(plain)
        return "xml"
    return "form" if _FORM.fullmatch(plain) else None


def _checked_xml(template: str) -> None:
    named = _ENCODING.search(template)
    if named and named[1].lower() not in _UTF8:
        raise ValueError(f"the body is sent as UTF-8, but the XML says {named[1]}")
    if "<!" in template:
        raise ValueError("XML without comments, CDATA and DOCTYPE: nothing in them can be escaped")
    try:
        ET.fromstring(template)  # noqa: S314 - the operator's own setting, without a DOCTYPE
    except ET.ParseError as error:
        raise ValueError(f"XML that can't be read: {error}") from None


def missing_in(template: str) -> list[str]:
    """Return those of {to} and {text} that `template` has in no place where they are filled."""
    plain = template.strip()
    return [mark for mark in (TO, TEXT) if not any(mark in place for place in _places(plain))]


def _places(template: str) -> Iterator[str]:
    """Yield the parts of a template that are filled: values, never names."""
    kind = _kind(template) if template else None
    if kind == "json":
        yield from _strings(json.loads(template))
    elif kind == "xml":
        for element in ET.fromstring(template).iter():  # noqa: S314 - as above
            yield from (element.text or "", element.tail or "", *element.attrib.values())
    elif kind == "form":
        yield from (pair.partition("=")[2] for pair in template.split("&"))
    else:
        yield template


def _strings(found: Any) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict | list):
        for one in found.values() if isinstance(found, dict) else found:
            yield from _strings(one)


def fill_body(template: str, to: str, text: str, content_type: str = "") -> tuple[str, str]:
    """Return the body and its Content-Type. Nothing breaks out of it; filled values are not filled again.

    JSON is parsed first and filled inside its strings, so that quotation marks in a text are escaped.
    """
    form, values = body_form(template, content_type), {TO: to, TEXT: text}
    if form.kind == "json":
        filled = json.dumps(_fill_json(json.loads(template), values), ensure_ascii=False)
    elif form.kind == "xml":
        filled = _fill(template.strip(), {mark: _as_xml(value) for mark, value in values.items()})
    elif form.kind == "form":
        filled = _fill(template.strip(), {mark: quote(value, safe="") for mark, value in values.items()})
    else:
        filled = _fill(template, values)
    return filled, form.content_type


def fill_url(url: str, to: str, text: str) -> str:
    """Return an address with path and query filled, percent-encoded."""
    return _fill(url, {TO: quote(to, safe=""), TEXT: quote(text, safe="")})


def _as_xml(value: str) -> str:
    return escape(_NOT_XML.sub("", value), _MARKS)


def _fill(template: str, values: Mapping[str, str]) -> str:
    return "".join(values.get(part, part) for part in re.split(r"(\{to\}|\{text\})", template))


def _fill_json(found: Any, values: Mapping[str, str]) -> Any:
    if isinstance(found, dict):
        return {name: _fill_json(one, values) for name, one in found.items()}
    if isinstance(found, list):
        return [_fill_json(one, values) for one in found]
    return _fill(found, values) if isinstance(found, str) else found
