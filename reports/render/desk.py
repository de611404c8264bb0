"""Support's desk in words: the list of who needs help, one person's case, and what a report's trouble is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final, get_args
from urllib.parse import urlencode

from reports.changes import Change, changes, streak
from reports.model import READY_VERDICTS
from reports.render.report import advice_view, line_view
from reports.render.tones import TONES
from reports.render.words import Words
from reports.store.case_records import Solved, SupportCase
from reports.store.desk_records import DeskLine, FoundPerson, ReportLine
from reports.store.records import Judged, StoredReport

__all__ = ["SOLVED", "case_state", "found_view", "line_of_list", "lines_shown", "report_line", "told_of"]

SOLVED: Final[tuple[Solved, ...]] = get_args(Solved)
JUDGED_AS: Final[tuple[Judged, ...]] = get_args(Judged)
MOST_CHANGES: Final = 12
SHOWN: Final = ("all", "waiting", "mine")
"""Parts of the list that can be asked for."""


def lines_shown(lines: Sequence[DeskLine], show: str, me: str) -> list[DeskLine]:
    """Return the part of the list that is asked for: all, those whom nobody has, or one's own."""
    if show == "waiting":
        return [one for one in lines if one.is_waiting]
    if show == "mine":
        return [one for one in lines if one.case is not None and one.case.taken_by == me]
    return list(lines)


def case_state(case: SupportCase | None, names: Mapping[str, str], me: str, words: Words, zone: tzinfo) -> str:
    """Return who has a case and since when; empty where nobody has."""
    if case is None or case.taken_at is None:
        return ""
    when = words.moment(case.taken_at, zone)
    if case.taken_by == me:
        return words.t("support.taken_mine", when=when)
    name = names.get(case.taken_by or "")
    return words.t("support.taken_by", name=name, when=when) if name else words.t("support.taken_other", when=when)


def line_of_list(
    line: DeskLine, words: Words, *, names: Mapping[str, str], me: str, zone: tzinfo, asked: Mapping[str, str]
) -> dict[str, Any]:
    """Return one line of the list: role, meeting, what is wrong, who asked, who has it. No name of the person."""
    report, leaders = line.report, ", ".join(filter(None, line.leaders))
    trouble = (
        advice_view(report.body["advice"][0], report.body, words) if report and report.body.get("advice") else None
    )
    state = case_state(line.case, names, me, words, zone)
    handed_over = line.case is not None and line.case.handed_over
    return {
        "id": line.participant_id,
        "href": "?" + urlencode({**asked, "person": line.participant_id}),
        "who": words.first(f"role.{line.role}", otherwise=line.role),
        "meeting": words.t("support.meeting", when=words.moment(line.starts_at, zone)),
        "tone": TONES.get(report.verdict, "calm") if report else "calm",
        "short": words.t(f"verdict.{report.verdict}.short") if report else words.t("state.not_tested"),
        "trouble": trouble["title"] if trouble else "",
        "running": words.t("support.testing_now") if line.running else "",
        "handed_over": words.t("support.handed_over", when=words.moment(line.since, zone)) if handed_over else "",
        "leader": words.t("support.leader", leader=leaders) if leaders else "",
        "state": state,
        "waits": line.is_waiting,
        "test": report.id if report else "",
    }


def report_line(line: ReportLine, words: Words, zone: tzinfo, language: str | None) -> dict[str, Any]:
    """Return one line of the list of all reports, with role and meeting where it has them."""
    whose = words.first(f"role.{line.role}", otherwise=line.role or "")
    meeting = words.t("support.meeting", when=words.moment(line.starts_at, zone)) if line.starts_at else ""
    return line_view(line.report, words, zone, language) | {
        "number": line.number,
        "whose": ", ".join(filter(None, (whose, meeting))) or words.t("support.no_meeting"),
    }


def found_view(one: FoundPerson, words: Words, zone: tzinfo, asked: Mapping[str, str]) -> dict[str, str]:
    """Return somebody whom a search found, by the label that was searched for."""
    return {
        "href": "?" + urlencode({**asked, "person": one.participant.id}),
        "label": one.participant.label,
        "who": words.first(f"role.{one.participant.role}", otherwise=one.participant.role),
        "meeting": words.t("support.meeting", when=words.moment(one.starts_at, zone)),
    }


def told_of(
    about: StoredReport,
    words: Words,
    *,
    earlier: Sequence[StoredReport],
    elsewhere: tuple[str, StoredReport] | None,
    judged: str | None,
    zone: tzinfo,
) -> dict[str, Any]:
    """Return what a technician wants first: the trouble in one sentence, since when, who mends it, and what changed.

    `earlier` are the same person's reports, the newest first; `elsewhere` is a good one of others, with what they have
    in common: ``series`` or ``room``.
    """
    passed = next((("own", one) for one in earlier if one.verdict in READY_VERDICTS), elsewhere)
    alike, compared = passed or ("", None)
    return {
        "cause": _cause(about, earlier, words, zone),
        "compared": words.moment(compared.created_at, zone) if compared else "",
        "alike": alike,
        "changes": [_change(one, words) for one in _of_note(about, compared)[:MOST_CHANGES]],
        "earlier": [line_view(one, words, zone, None) for one in reversed(earlier)],
        "judged": judged,
        "judgements": [(name, words.t(f"support.judged.{name}")) for name in JUDGED_AS],
    }


def _of_note(about: StoredReport, compared: StoredReport | None) -> list[Change]:
    return changes(about.body, compared.body) if compared else []


def _cause(about: StoredReport, earlier: Sequence[StoredReport], words: Words, zone: tzinfo) -> dict[str, str] | None:
    """Return what is wrong, since when and who mends it; None where there is nothing to do."""
    advice = about.body.get("advice") or ()
    if not advice:
        return None
    first, before = advice_view(advice[0], about.body, words), streak(about.body, [one.body for one in earlier])
    began = earlier[before - 1] if before else about
    when = words.moment(began.created_at, zone)
    since = (
        words.plural("support.since_tests", before + 1, when=when) if before else words.t("support.since", when=when)
    )
    return {"title": first["title"], "since": since, "who": first["who"]}


def _change(one: Change, words: Words) -> dict[str, str]:
    if one.kind == "check":
        said = [_value(check, words) for check in (one.before, one.now)]
        return {"name": words.first(f"check.{one.name}", otherwise=one.name), "before": said[0], "now": said[1]}
    if one.kind == "equipment":
        device = one.name.split(".")[0]
        said = [words.first(f"equipment.{device}.{value}", otherwise=str(value)) for value in (one.before, one.now)]
        return {"name": words.t(f"check.{one.name}"), "before": said[0], "now": said[1]}
    said = [words.first(f"form.{value}", otherwise=str(value)) for value in (one.before, one.now)]
    return {"name": words.t(f"support.client.{one.name}"), "before": said[0], "now": said[1]}


def _value(check: Mapping[str, Any], words: Words) -> str:
    outcome = str(check.get("outcome"))
    return f"{words.value_of(check)} ({words.first(f'outcome.{outcome}', otherwise=outcome).rstrip('.')})"
