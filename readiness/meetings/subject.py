"""Access to what is held of one person, as one JSON object: for themselves, and for the organisation that is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from readiness.access.contacts import ContactBox
from readiness.meetings.addresses import Reach, open_reach
from readiness.meetings.manage import planning
from readiness.settings import Settings
from reports.model import rfc3339
from reports.store import Store
from reports.store.actors import Actor
from reports.store.records import Meeting, Participant, TakenOut

__all__ = ["SUBJECT_SCHEMA", "data_of", "find_people", "subject_access"]

SUBJECT_SCHEMA: Final = "readiness.subject/1"
_OTHERS: Final = {"meeting": ("title", "contact", "companion", "assessed_by"), "case_note": ("text",)}
"""What names others, or others wrote in their own words: only where somebody has read it before it goes out."""
_HIDDEN: Final = "••••"
_LAST_DIGITS: Final = 4


async def data_of(
    store: Store,
    contacts: ContactBox,
    actor: Actor,
    now: datetime,
    *,
    participant_id: str | None = None,
    session_id: str | None = None,
) -> dict[str, Any] | None:
    """Return what is held of a participant, or of a test without one; None if nothing is known of either here.

    Who asks by a link gets nothing of `_OTHERS`, and addresses and numbers masked: whoever holds it may be another.
    """
    found = await store.data_of(actor, participant_id, session_id)
    if not found:
        return None
    told = {name: [_row(contacts, name, row) for row in rows] for name, rows in found.items()}
    if actor.kind != "operator":
        for name, left_out in _OTHERS.items():
            for row in told.get(name, ()):
                for column in left_out:
                    row.pop(column, None)
        for row in told.get("participant", ()):
            row |= {"contact": _number_masked(row["contact"]), "reach": _reach_masked(row["reach"])}
    return {"schema": SUBJECT_SCHEMA, "made_at": rfc3339(now), **told}


async def find_people(settings: Settings, *, organisation: str, wanted: str) -> list[tuple[str, str, str, str]]:
    """Return id, start of the meeting, role and label of people, by a part of the label, a whole number or address."""
    async with planning(settings, organisation, needs_url=False) as desk:

        def is_meant(person: Participant | TakenOut, typed: bytes | None = None) -> bool:
            numbers = {_plain(one) for one in _numbers(desk.contacts, person.reach, typed)}
            return wanted.casefold() in person.label.casefold() or _plain(wanted) in numbers

        people: list[tuple[Meeting, Participant | TakenOut]] = [
            (meeting, person) for meeting, person, _ in await desk.store.people_of(desk.actor, is_meant)
        ]
        people += await desk.store.taken_out_of(desk.actor, is_meant)
        return [(person.id, rfc3339(meeting.starts_at), person.role, person.label) for meeting, person in people]


async def subject_access(settings: Settings, *, organisation: str, person: str) -> dict[str, Any] | None:
    """Return what is held of a participant, for the organisation to hand out.

    With the meetings that whoever has the same number or address was taken out of; `person` may be one of those. Who is
    not surely the same person, such as a spouse with the same phone, is not named.
    """
    async with planning(settings, organisation, needs_url=False) as desk:
        told = await data_of(desk.store, desk.contacts, desk.actor, desk.now, participant_id=person)
        asked = [Reach(**row["reach"]) for row in told["participant"]] if told else []
        own = await desk.store.taken_out_of(desk.actor, lambda one: one.id == person)
        asked += [open_reach(desk.contacts, one.reach) for _, one in own]
        if not asked:
            return None

        def is_meant(one: TakenOut) -> bool:
            reach = open_reach(desk.contacts, one.reach)
            return one.id == person or any(reach.meets(known) for known in asked)

        kept = await desk.store.taken_out_of(desk.actor, is_meant)
        gone = [(one, open_reach(desk.contacts, one.reach), found) for found, one in kept]
        names = {_first(one.label) for one, _, _ in gone if one.id == person}
        names |= {_first(row["label"]) for row in told["participant"]} if told else set()
        told = told or {"schema": SUBJECT_SCHEMA, "made_at": rfc3339(desk.now)}
        rows = [
            {"starts_at": rfc3339(found.starts_at), "role": one.role, "label": one.label, "locale": one.locale}
            | {"reach": asdict(reach)}
            if one.id == person or (_first(one.label) in names and reach in asked)
            else {"starts_at": rfc3339(found.starts_at), "id": one.id}
            for one, reach, found in gone
        ]
        return told | {"taken_out": rows}


def _first(label: str) -> str:
    """Return the first name: of the same person a label may be longer in another meeting."""
    return (label.casefold().split() or [""])[0]


def _row(contacts: ContactBox, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON has it: what is sealed is opened, and moments are texts."""
    told = {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in row.items()}
    if table == "case_note":
        told["text"] = contacts.open(row["text"])
    if table == "participant":
        reach = open_reach(contacts, row["reach"])
        told |= {"contact": contacts.open(row["contact"]) if row["contact"] else None}
        told |= {"reach": asdict(reach)}
    return told


def _reach_masked(reach: Mapping[str, str]) -> dict[str, str | None]:
    """Return a number and an address so that their owner knows them, and nobody learns them."""
    mail = f"{reach['mail'][:1]}{_HIDDEN[1:]}@…" if reach["mail"] else reach["mail"]
    return {"phone": _number_masked(reach["phone"]), "mail": mail}


def _number_masked(number: str | None) -> str | None:
    digits = "".join(filter(str.isdecimal, number or ""))[-_LAST_DIGITS:]
    return f"{_HIDDEN} {digits[:-2]} {digits[-2:]}" if number else number


def _numbers(contacts: ContactBox, sealed: bytes | None, typed: bytes | None) -> list[str]:
    reach = open_reach(contacts, sealed)
    return [one for one in (reach.phone, reach.mail, contacts.open(typed) if typed else "") if one]


def _plain(text: str) -> str:
    return text.replace(" ", "").casefold()
