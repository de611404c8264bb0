"""Whom to call for another time or a visit: the meeting's own number, else its unit's, else the organisation's."""

from __future__ import annotations

from reports.store.records import Meeting, Organisation

__all__ = ["clinic_contact", "clinic_phone"]


def clinic_phone(meeting: Meeting, organisation: Organisation) -> str:
    """Return the number to call, or "" where the number for technical help is the only one."""
    unit = organisation.clinics.get(meeting.unit, {})
    return meeting.clinic_phone or unit.get("number") or organisation.clinic_phone


def clinic_contact(meeting: Meeting, organisation: Organisation) -> str:
    """Return whom to ask for, or "" for nobody in particular; who was named with a number is asked for there."""
    unit = organisation.clinics.get(meeting.unit, {})
    if meeting.contact or meeting.clinic_phone:
        return meeting.contact
    return unit.get("contact", "") if unit.get("number") else unit.get("contact") or organisation.clinic_contact
