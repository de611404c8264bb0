"""What the pages of settings show: forms with what was typed, is wrong or has changed, and the newest changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from readiness.meetings.guides import GUIDES, guide_html
from readiness.meetings.own_settings import LONGEST_OF, OWN_TEXTS, is_readable, movable, typed_of
from readiness.reach import LONGEST_MAIL
from readiness.server.limits_view import LimitsView
from readiness.server.pages import notice_html
from readiness.server.settings_parts import CLINIC_FIELDS, LIMITS_OF, PARTS, Field, Reading, seen_of
from readiness.settings import Settings
from reports.render.languages import TABLE
from reports.render.phones import as_typed
from reports.render.words import Words
from reports.store.records import Organisation
from reports.store.setting_records import MOST_MONTHS, SettingChange, setting_of

__all__ = ["SettingsView"]

_LONGEST_SHOWN: Final = 120
"""Characters of a value in the list of changes."""
_LONGEST: Final = {
    "mail": LONGEST_MAIL,
    "sms": LONGEST_OF["clinic_phone"],
    "unit": LONGEST_OF["clinics"],
    "number": LONGEST_OF["clinic_phone"],
    "contact": LONGEST_OF["clinic_contact"],
}
_SENT_BY: Final = {"mail": "smtp_url", "sms": "sms_url"}
"""The server's setting for each channel."""
_FIRST: Final = {"contact": "support_phone", "pages": "languages", "kept": "choices/figures_months",
                 "links": "links_off", "routine": "choices/routine_link"}  # fmt: skip
"""The setting that stands for a part in the list of parts."""
_PHONES: Final = frozenset(field.name for fields in PARTS.values() for field in fields if field.kind == "phone")
"""Settings that are a number to call, which is never broken between its groups."""
_SHOWN: Final = ("public_url", "mail_from", "audit_months")
"""Settings of the server that may be shown as they are."""
_IN_USE: Final = ("smtp_url", "sms_url", "sign_in", "turn_urls")
"""Those of which only is said whether they are set."""


class SettingsView:
    """Tells one organisation's settings in one reader's words."""

    def __init__(self, organisation: Organisation, words: Words, now: datetime) -> None:
        self.organisation, self.words, self.now = organisation, words, now
        self.limits = LimitsView(organisation, words)

    def forms(self, part: str, reading: Reading | None = None, *, is_stale: bool = False) -> list[dict[str, Any]]:
        """Return the forms of a part; that of `reading` has what was typed, and with `is_stale` what is stored now."""
        if part == "clinics":
            return self._clinics(reading, is_stale=is_stale)
        if part == "messages":
            return [self._trial(field, reading) for field in PARTS[part]]
        names = [field.name for field in PARTS[part]]
        fields = [self._field(field, self._stored(field.name), reading, is_stale=is_stale) for field in PARTS[part]]
        seen = seen_of(self.organisation, names)
        return [{"key": part, "title": "", "unit": "", "seen": seen, "fields": fields}]

    def changes(self, made: Sequence[SettingChange]) -> list[dict[str, Any]]:
        """Return changes as lines; one that is still in force can be taken back."""
        zone, t = ZoneInfo(self.organisation.time_zone), self.words.t
        newest = {one.name: one.id for one in reversed(made)}
        return [
            {
                "id": one.id,
                "when": self.words.moment(one.at, zone),
                "who": one.who or t("settings.by.operator" if one.changed_by == "operator" else "settings.by.unknown"),
                "what": self.title(one.name),
                "before": self.said(one.name, one.before),
                "after": self.said(one.name, one.after),
                "is_undo": one.undoes is not None,
                "can_undo": newest[one.name] == one.id and setting_of(self.organisation, one.name) == one.after,
            }
            for one in made
        ]

    def server(self, settings: Settings) -> list[tuple[str, str]]:
        """Return what whoever runs the server has set, without anything secret."""
        t = self.words.t
        shown = [(name, str(getattr(settings, name) or t("settings.empty"))) for name in _SHOWN]
        used = [(name, t("settings.used" if getattr(settings, name) else "settings.unused")) for name in _IN_USE]
        return [(t(f"settings.server.{name}"), value) for name, value in (*shown, *used)]

    def title(self, name: str) -> str:
        """Return what a setting is called."""
        field, *path = name.split("/", 2 if name.startswith("texts/") else 1)
        if field == "texts":
            return f"{self.words.t(f'settings.part.{path[0]}')} ({TABLE[path[1]].name})"
        if (one := movable(name)) is not None:
            return self.limits.title(one)
        if field == "choices":
            return self.words.t(f"settings.field.{path[0]}")
        return ": ".join((self.words.t(f"settings.field.{field}"), *path))

    def said(self, name: str, value: Any) -> str:
        """Return a value in words, cut where it is long."""
        t = self.words.t
        if (one := movable(name)) is not None:
            return self.limits.said(one, value)
        if isinstance(value, bool):
            return t("settings.yes" if value else "settings.no")
        if not value:
            return t("settings.empty")
        if isinstance(value, Mapping):
            return ", ".join(as_typed(one) if field == "number" else str(one) for field, one in value.items())
        if isinstance(value, list):
            return ", ".join(TABLE[one].name if name == "languages" else t(f"settings.link.{one}") for one in value)
        text = as_typed(str(value)) if name in _PHONES else str(value)
        return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN].rstrip()}…"

    def _stored(self, name: str) -> str:
        stored = setting_of(self.organisation, name)
        one = movable(name)
        return typed_of(stored) if one is None else self.limits.typed(one, stored)

    def _field(self, field: Field, stored: str, reading: Reading | None, *, is_stale: bool = False) -> dict[str, Any]:
        """Return one field: the value that it shows, what is wrong with it, and another value that is stored now."""
        typed = stored if reading is None else reading.typed[field.name]
        problem = reading.problems.get(field.name) if reading is not None else None
        root = field.name.partition("/")[0]
        limit = self.limits.field(one) if (one := movable(field.name)) is not None else {}
        return {
            "name": field.name,
            "id": field.name.replace("/", "-"),
            "kind": field.kind,
            "label": self._label(field),
            "help": self.words.first(f"settings.help.{field.name.rpartition('/')[2]}", most=MOST_MONTHS),
            "value": typed,
            "chosen": typed.split(",") if field.options else [],
            "first": (reading.typed.get(f"{field.name}.first") if reading else "") or typed.partition(",")[0],
            "options": self._options(field),
            "longest": _LONGEST.get(root) or LONGEST_OF.get(root) or LONGEST_OF.get(field.name),
            "problem": self._problem(field, problem) if problem else "",
            "now": self._now(field, stored) if is_stale and typed != stored else None,
            "note": self._note(field.name, stored),
            **self._previews(field.name),
            **limit,
        }

    def _now(self, field: Field, stored: str) -> str:
        """Return what is stored, in words: all of a text, so that nothing of it is lost to whoever saves theirs."""
        if field.kind == "tick":
            return self.said(field.name, bool(stored))
        if field.options and stored:
            return self.said(field.name, stored.split(","))
        return (as_typed(stored) if field.kind == "phone" else stored) or self.said("", None)

    def _problem(self, field: Field, problem: str) -> str:
        one = movable(field.name)
        span = self.limits.span(one) if one is not None else {}
        return self.words.t(f"error.{problem}", **span)

    def _label(self, field: Field) -> str:
        return TABLE[field.name.rpartition("/")[2]].name if field.kind == "text" else self.title(field.name)

    def _options(self, field: Field) -> list[tuple[str, str]]:
        named = {one: TABLE[one].name for one in field.options} if field.kind == "languages" else {}
        return [(one, named.get(one) or self.words.t(f"settings.link.{one}")) for one in field.options]

    def _note(self, name: str, stored: str) -> str:
        """Return what to know of a value that is stored, though it is not wrong."""
        is_strange = name == "support_hours" and not is_readable(stored)
        return self.words.t("settings.note.hours") if is_strange else ""

    def _previews(self, name: str) -> dict[str, str]:
        """Return how a text looks to its readers: ours, and the own one that is stored."""
        field, *path = name.split("/")
        if field != "texts":
            return {"ours": "", "own": ""}
        text, language = path
        bare = replace(self.organisation, texts={})
        has_own = setting_of(self.organisation, name) is not None
        own = self._html(self.organisation, text, language) if has_own else ""
        return {"ours": self._html(bare, text, language), "own": own, "lang": language}

    def _html(self, organisation: Organisation, text: str, language: str) -> str:
        if text in GUIDES:
            return guide_html(organisation, text, language)
        return notice_html(organisation, text, language, self.now)

    def _trial(self, field: Field, reading: Reading | None) -> dict[str, Any]:
        """Return the form that sends a message on one channel to try it."""
        title = self.words.t(f"settings.server.{_SENT_BY[field.name]}")
        is_typed = reading is not None and field.name in reading.typed
        shown = self._field(field, "", reading if is_typed else None)
        return {"key": f"try-{field.name}", "title": title, "unit": "", "seen": "", "fields": [shown]}

    def _clinics(self, reading: Reading | None, *, is_stale: bool) -> list[dict[str, Any]]:
        """Return a form for each unit with a clinic of its own, and one for another unit, which comes last."""
        units = (*sorted(self.organisation.clinics), "")
        whose = None if reading is None else reading.typed["unit"] if reading.typed["unit"] in units else ""
        return [self._clinic(unit, reading if unit == whose else None, is_stale=is_stale) for unit in units]

    def _clinic(self, unit: str, reading: Reading | None, *, is_stale: bool) -> dict[str, Any]:
        """Return the form of one unit's clinic, or of another one where it has no name yet."""
        stored = {"unit": unit, **self.organisation.clinics.get(unit, {})}
        return {
            "key": f"unit-{sorted(self.organisation.clinics).index(unit) if unit else 'new'}",
            "title": unit or self.words.t("settings.clinics.add"),
            "unit": unit,
            "seen": seen_of(self.organisation, [f"clinics/{unit}"]),
            "fields": [
                self._field(field, stored.get(field.name, ""), reading, is_stale=is_stale) for field in CLINIC_FIELDS
            ],
        }

    def summaries(self) -> list[dict[str, str]]:
        """Return the parts of the page, with what stands in each."""
        return [
            {"key": part, "title": self.words.t(f"settings.part.{part}"), "said": self._summary(part)} for part in PARTS
        ]

    def _summary(self, part: str) -> str:
        if part == "clinics":
            return ", ".join(sorted(self.organisation.clinics)) or self.words.t("settings.clinics.none")
        if part in OWN_TEXTS:
            own = self.organisation.texts.get(part, {})
            listed = ", ".join(TABLE[one].name for one in TABLE if one in own)
            return self.words.t("settings.texts.own", languages=listed) if own else self.words.t("settings.texts.ours")
        if part == "messages":
            return self.words.t("settings.messages.said")
        if part in LIMITS_OF:
            return self.limits.summary(LIMITS_OF[part])
        name = _FIRST[part]
        value = setting_of(self.organisation, name)
        if not value and (none := self.words.first(f"settings.{part}.none")):
            return none
        return f"{self.title(name)}: {self.said(name, value)}"
