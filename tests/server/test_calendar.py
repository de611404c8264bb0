"""A leader's calendar as programs fetch it: without a cookie, true now, and closed when it is taken back."""

from __future__ import annotations

from datetime import timedelta

import icalendar

from readiness.access.links import Links
from tests.actors import otto
from tests.meetings.scene import make_scene


async def test_a_calendar_shows_what_its_leader_leads(server, http, caplog):
    """Cancelled meetings are told as such; no link, title or name is in it; a wrong token opens nothing."""
    services = server.services
    services.base_url = server.base
    now = services.now().replace(microsecond=0)
    starts = now + timedelta(days=1)
    first = await make_scene_at(services, starts)
    second = await make_scene_at(services, starts + timedelta(days=1))
    organisation = await server.store.organisation_by_id(first.meeting.organisation_id)
    given = await Links(server.store, services.contacts, organisation, server.base, now).feed(
        second.meeting, second.lars
    )
    path = given.link.removeprefix(server.base)
    async with http.get(path) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/calendar"
        assert answer.headers["Cache-Control"] == "no-store"
        content = await answer.text()
    events = icalendar.Calendar.from_ical(content).walk("VEVENT")
    assert [event["DTSTART"].dt for event in events] == [starts, starts + timedelta(days=1)]
    assert not [one for one in ("http", "Canary", "T. K.", "Lars") if one in content]
    await server.store.cancel_meeting(otto("sunnaas"), first.meeting.id, now)
    async with http.get(path) as answer:
        events = icalendar.Calendar.from_ical(await answer.text()).walk("VEVENT")
    assert [event["STATUS"] for event in events] == ["CANCELLED", "CONFIRMED"]
    token = path.removeprefix("/feed/").removesuffix(".ics")
    assert token not in caplog.text
    await server.store.revoke_invitation(given.invitation.id, now)
    for closed in (path, f"/feed/{'x' * 43}.ics"):
        async with http.get(closed) as answer:
            assert answer.status == 404
    async with http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "token": token}) as answer:
        assert answer.status == 404


async def make_scene_at(services, starts):
    """A meeting led by Lars, now."""
    from tests.meetings import scene

    holder = scene.Services(services.settings, services.store, services.contacts, services.now(), services.base_url)
    return await make_scene(holder, starts_at=starts, ends_at=starts + timedelta(hours=1))
