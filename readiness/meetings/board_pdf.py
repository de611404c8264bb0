"""A leader's day on one printed sheet, for the desk and for when the network is down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from readiness.meetings.paper import Sheet
from readiness.texts import catalogue
from reports.render.languages import TABLE
from reports.render.phones import phone_in
from reports.render.tones import TONES
from reports.render.words import Words
from reports.store.records import Meeting, Organisation

__all__ = ["BoardContext", "BoardLine", "BoardMeeting", "board_pdf", "board_sheet", "leader_words"]

SIZES_PT = (11, 10.5)
"""Type sizes: the smaller one where a day then fits on one sheet; a fuller one takes another. Cells of the table are a
little smaller, but none is under 10 points: it is read at arm's length, in a hurry."""
NAMED = frozenset({"ready_with_warnings", "not_ready", "incomplete"})
"""States whose report says what to do; a stale one is too old for details."""


@dataclass(frozen=True, slots=True)
class BoardLine:
    """A participant, room or host as on the board: codes, not words. `phone` only if the leader may see it."""

    role: str
    label: str
    state: str
    tested_at: datetime | None = None
    area: str | None = None
    responsible: str | None = None
    together: int = 1
    interprets: str = ""
    other_device: bool = False
    without_sound: bool = False
    phone: str = ""
    kind: Literal["person", "room", "host"] = "person"


@dataclass(frozen=True, slots=True)
class BoardMeeting:
    """One meeting of the day: its people in order, after them its rooms, and last those who lead and run it."""

    meeting: Meeting
    lines: Sequence[BoardLine]


@dataclass(frozen=True, slots=True)
class BoardContext:
    """The content of a sheet: the meetings of `day` by time, with their state at `now`."""

    organisation: Organisation
    language: str
    day: datetime
    now: datetime
    meetings: Sequence[BoardMeeting]


def board_pdf(context: BoardContext) -> bytes:
    """Return the sheet as a tagged PDF, set in this process: a server has `board_sheet` set."""
    return board_sheet(context).pdf()


def board_sheet(context: BoardContext) -> Sheet:
    """Return what is printed of a leader's day."""
    organisation = context.organisation
    language = context.language
    words = Words(catalogue(language), language, phone=phone_in(language, organisation.support_phone))
    zone = ZoneInfo(organisation.time_zone)
    phones = {one.meeting.support_phone or organisation.support_phone for one in context.meetings}
    phones = phones or {organisation.support_phone}
    return Sheet(
        "board",
        {
            "lang": context.language,
            "dir": TABLE[context.language].dir,
            "organisation": organisation.name,
            "title": words.t("print.title", day=words.day(context.day, zone)),
            "at": words.t("print.at", when=words.moment(context.now, zone)),
            "none": words.t("print.none"),
            "columns": [words.t(f"print.{name}") for name in ("who", "state", "todo", "phone")],
            "meetings": [_meeting(one, words, zone) for one in context.meetings],
            "routine": _routine(organisation, words),
            "support": words.t("print.support", phone=", ".join(sorted(phone_in(language, one) for one in phones))),
        },
        sizes_pt=SIZES_PT,
        pages=1,
    )


def leader_words(words: Words, line: BoardLine) -> str:
    """Return one sentence on what the leader can do; the page's own ``board.js`` looks keys up in the same order."""
    keys = [f"leader.{line.kind}.{line.state}"] if line.kind != "person" else []
    if line.state in NAMED and line.responsible == "service":
        keys.append("leader.do.service")
    if line.state in NAMED and line.area:
        keys += [f"leader.do.{line.area}.{line.responsible or 'participant'}", f"leader.do.{line.area}"]
    return words.first(*keys, f"leader.{line.state}")


def _routine(organisation: Organisation, words: Words) -> dict[str, str]:
    """Return the name and address of the organisation's own routine of support, as at the foot of the page."""
    chosen = organisation.choices
    return {"name": chosen.get("routine_name") or words.t("board.routine"), "address": chosen.get("routine_link") or ""}


def _meeting(one: BoardMeeting, words: Words, zone: ZoneInfo) -> dict[str, Any]:
    starts, ends = words.clock(one.meeting.starts_at, zone), words.clock(one.meeting.ends_at, zone)
    off = one.meeting.state == "cancelled"
    return {
        "time": f"{starts}\N{EN DASH}{ends}",
        "title": one.meeting.title,
        "nobody": _nobody(one, words),
        "rows": [] if off else [_row(line, words, zone) for line in one.lines],
    }


def _nobody(one: BoardMeeting, words: Words) -> str:
    """Return what stands where participants would, "" where there are any; hosts are no participants."""
    if one.meeting.state == "cancelled":
        return words.t("print.cancelled")
    return "" if any(line.kind != "host" for line in one.lines) else words.t("print.nobody")


def _row(line: BoardLine, words: Words, zone: ZoneInfo) -> dict[str, str]:
    role = words.first(f"{'host' if line.kind == 'host' else 'role'}.{line.role}", otherwise=line.role)
    notes = [role if line.label and line.label != role else ""]
    if line.together > 1:
        notes.append(words.plural("print.together", line.together))
    if line.interprets:
        notes.append(line.interprets)
    todo = [leader_words(words, line)]
    todo += [words.t("board.other_device")] if line.other_device else []
    todo += [words.t("board.without_sound")] if line.without_sound else []
    return {
        "label": line.label or role,
        "role": ", ".join(filter(None, notes)),
        "state": words.first(f"state.{line.state}", otherwise=line.state),
        "tone": TONES.get(line.state, "calm"),
        "tested": words.t("print.tested", when=words.moment(line.tested_at, zone)) if line.tested_at else "",
        "todo": " ".join(todo),
        "phone": phone_in(words.language, line.phone),
    }
