"""What support's page shows: the list, one person's case, one report, what a search found. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from readiness.access.actors import actor_of, sessions_that_may
from readiness.errors import AccessError
from readiness.meetings.addresses import open_reach
from readiness.meetings.delivery import OURS
from readiness.server.firewall import openings, poor_figures
from readiness.server.pages import render_page, staff_language_of
from readiness.server.services import SERVICES, Services, caller, session_of
from readiness.server.strict import is_id
from readiness.texts import catalogue, for_staff
from reports.model import READY_VERDICTS
from reports.render.desk import (
    SHOWN,
    SOLVED,
    case_state,
    found_view,
    line_of_list,
    lines_shown,
    report_line,
    told_of,
)
from reports.render.follow import followed_line, hint_groups
from reports.render.phones import phone_in
from reports.render.report import report_view
from reports.render.rooms import beside_view, line_of
from reports.render.words import Words
from reports.store.desk_records import DeskPerson
from reports.store.follow_records import Following
from reports.store.records import Organisation, Session, StoredReport

__all__ = ["LONGEST_NOTE", "SUPPORTERS", "Desk", "desk_for"]

SUPPORTERS: Final = sessions_that_may("case.take")
PAGE: Final = "support/index.html"
NEWEST: Final = 20
"""Reports on one page of the list."""
EARLIER: Final = 5
"""Earlier tests of one person that are shown as a line."""
LOOKED_BACK: Final = 20
"""Earlier tests of one person among which a good one is looked for."""
LONGEST_TYPED: Final = 60
"""Characters of what is looked for, shown again where it was wrong: a name, or a number with spaces."""
MOST_DIGITS: Final = 14
"""Of a report's number in the address: what any database's whole numbers hold."""
LONGEST_NOTE: Final = 500
"""Characters: what was done, not a journal."""
MOST_FOUND: Final = 20
"""People of one search that its address keeps; who is not among them is looked for by more letters."""
HERE: Final = {"code": 40, "person": 40, "follow": 40, "before": 40, "who": MOST_FOUND * 40, "curves": 2}
"""What of the address stays when another language is chosen, and how much of it."""
KEPT: Final = ("lang", "show", "sound", "keys")
"""What goes along from page to page, in the address: language, part of the list, sound at a new one, keys."""
SAID: Final = frozenset(
    {"nobody", "taken", "gone", "not_yours", "back", "done", "how", "noted", "empty", "sent", "too_soon"}
    | {"too_many", "no_mobile", "no_sms", "judged", "cancelled"}
)
"""What a form's answer says at the top of the next page."""


class Desk:
    """What every page of one request needs."""

    def __init__(self, request: web.Request, session: Session, organisation: Organisation) -> None:
        self.request, self.session, self.organisation = request, session, organisation
        self.services: Services = request.app[SERVICES]
        self.actor, self.now = actor_of(session), self.services.now()
        self.zone = ZoneInfo(organisation.time_zone)
        language = staff_language_of(request, organisation)
        phone = phone_in(language, organisation.support_phone)
        self.words = Words(catalogue(language), language, phone=phone)
        self.asked = self.kept(request.query)

    def kept(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return what goes along to the next page, of a query or a form."""
        allowed = {"lang": self.organisation.languages, "show": SHOWN[1:], "sound": ("on",), "keys": ("off",)}
        return {name: given[name] for name in KEPT if given.get(name) in allowed[name]}

    def address(self, given: Mapping[str, str], **more: str | None) -> str:
        """Return the address of a page of this session."""
        query = urlencode({**self.kept(given), **{name: value for name, value in more.items() if value}})
        return f"/support/{self.session.id}{'?' if query else ''}{query}"

    # ---- pages

    async def page(
        self, *, status: int = 200, problem: str | None = None, typed: str = "", **more: Any
    ) -> web.Response:
        """Return the list, with what is wrong with what was typed, if anything is."""
        lines = await self.services.store.desk(self.actor, self.now)
        asked = self.request.query
        before = asked.get("before", "")
        found = await self.services.store.report_lines(
            self.actor, NEWEST + 1, int(before) if before.isdecimal() and len(before) <= MOST_DIGITS else None
        )
        shown = [report_line(one, self.words, self.zone, self.asked.get("lang")) for one in found[:NEWEST]]
        alarms = await self.services.store.rooms_in_alarm(self.actor, self.now)
        stuck = await self.services.store.stuck(OURS, self.session.organisation_id)
        view = {
            "mode": "list",
            "followed": await self._followed(),
            "problem": problem,
            "typed": typed[:LONGEST_TYPED],
            "lines": await self._lines(lines),
            "waiting": sum(one.is_waiting for one in lines),
            "tabs": self._tabs(),
            "rooms": [
                line_of(one.room, one.newest, self.words, self.zone, self.now)
                | {
                    "next": self.words.t("support.meeting", when=self.words.moment(one.next_at, self.zone))
                    if one.next_at
                    else ""
                }
                for one in alarms
            ],
            "newest": shown,
            "older": self.address(self.asked, before=str(shown[-1]["number"])) if len(found) > NEWEST else "",
            "is_newest": not before,
            "stuck": [
                (self.words.t(f"support.stuck.{channel}"), self.words.t(f"delivery.{code}"))
                for channel, code in sorted(stuck.items())
            ],
            "found": [found_view(one, self.words, self.zone, self.asked) for one in more.pop("found", ())],
        }
        return self._rendered(view | more, status)

    async def person_page(
        self,
        participant_id: str,
        *,
        status: int = 200,
        typed_note: str = "",
        note_problem: str = "",
        about: StoredReport | None = None,
        code: tuple[str, str] | None = None,
    ) -> web.Response:
        """Return one person's case with the newest report, or the report `about`. Raises AccessError if unknown.

        `code` is what opens the person's link when it is typed, and where; shown to be read out.

        `typed_note` is a note that was not kept, and `note_problem` the text that says why.
        """
        store = self.services.store
        found = await store.desk_person(self.actor, participant_id, self.now) if is_id(participant_id) else None
        if found is None:
            raise AccessError("person.not_found")
        report = about or await store.report_of_person(self.actor, participant_id)
        kept: dict[str, Any] = {"code": code and {"typed": code[0], "where": code[1].partition("://")[2]}}
        kept |= {"typed_note": typed_note, "note_problem": self.words.t(note_problem) if note_problem else ""}
        view = {"mode": "person", "person": self._person(found) | kept, **await self._report(report)}
        view["follow"] = await self._followed_person(participant_id)
        return self._rendered(view, status)

    async def report_page(self, report: StoredReport) -> web.Response:
        """Return a report, with whose it is where it is somebody's of a meeting."""
        if report.participant_id is not None:
            return await self.person_page(report.participant_id, about=report)
        return self._rendered({"mode": "report", "person": None, **await self._report(report)}, 200)

    async def follow_page(self, following_id: str) -> web.Response:
        """Return the page on which a test is followed. Raises AccessError where it is followed no more."""
        one = await self.services.store.following(self.actor, following_id, self.now)
        if one is None:
            raise AccessError("person.not_found")
        if one.participant_id is not None:
            return await self.person_page(one.participant_id)
        return self._rendered({"mode": "follow", "follow": self._follow(one)}, 200)

    def _rendered(self, view: Mapping[str, Any], status: int) -> web.Response:
        said = self.request.query.get("said")
        here = {name: self.request.query.get(name, "")[:longest] for name, longest in HERE.items()}
        known = {
            "follow": None,
            "person": None,
            "report": None,
            "session": self.session.id,
            "asked": self.asked,
            "base": self.address(self.asked),
            "in_language": f"?lang={self.asked['lang']}" if "lang" in self.asked else "",
            "signed_in": self.session.kind == "staff",
            "said": self.words.t(f"support.said.{said}") if said in SAID else "",
            "languages": {
                code: self.address({**self.asked, "lang": code}, **here)
                for code in map(for_staff, self.organisation.languages)
            },
        }
        page = render_page(self.request, PAGE, self.organisation, {"view": known | dict(view)}, compress=False)
        page.set_status(status)
        return page

    # ---- parts

    def _tabs(self) -> list[tuple[str, str, bool]]:
        """Return the parts of the list: their words, addresses, and which is shown."""
        shown, rest = self.asked.get("show", SHOWN[0]), {k: v for k, v in self.asked.items() if k != "show"}
        return [
            (self.words.t(f"support.show.{name}"), self.address({**rest, "show": name}), name == shown)
            for name in SHOWN
        ]

    async def _lines(self, lines: Sequence[Any]) -> list[dict[str, Any]]:
        shown = lines_shown(lines, self.asked.get("show", SHOWN[0]), self.actor.id)
        names = await self.services.store.names_of_staff(self.actor, {one.case.taken_by for one in shown if one.case})
        return [
            line_of_list(one, self.words, names=names, me=self.actor.id, zone=self.zone, asked=self.asked)
            for one in shown
        ]

    async def events(self) -> dict[str, Any]:
        """Return what an open page is told of the list: each line's state, and how many wait."""
        lines = await self.services.store.desk(self.actor, self.services.now())
        told = ("id", "test", "state", "running", "waits")
        return {
            "lines": [{name: one[name] for name in told} for one in await self._lines(lines)],
            "waiting": sum(one.is_waiting for one in lines),
            "followed": await self._followed(),
        }

    async def _followed(self) -> list[dict[str, str]]:
        """Return who lets support follow a test right now."""
        followed = await self.services.store.followings(self.actor, self.services.now())
        return [followed_line(one, self.words, self.zone, self.asked) for one in followed]

    async def _followed_person(self, participant_id: str) -> dict[str, Any] | None:
        followed = await self.services.store.followings(self.actor, self.now)
        one = next((one for one in followed if one.participant_id == participant_id), None)
        return None if one is None else self._follow(one)

    def _follow(self, one: Following) -> dict[str, Any]:
        """Return what the part of a page needs that follows a test."""
        return {
            "address": f"/api/v1/desks/{self.session.id}/follow/{one.id}",
            **followed_line(one, self.words, self.zone, self.asked),
            "hints": hint_groups(self.words),
        }

    def _person(self, found: DeskPerson) -> dict[str, Any]:
        case, person = found.case, found.participant
        is_mine = case is not None and case.taken_by == self.actor.id
        return {
            "id": person.id,
            "who": self.words.first(f"role.{person.role}", otherwise=person.role),
            "meeting": self.words.t("support.meeting", when=self.words.moment(found.meeting.starts_at, self.zone)),
            "handed_over": self._handed_over(found),
            "state": case_state(case, found.names, self.actor.id, self.words, self.zone),
            "mine": is_mine,
            "over": case.taken_by if case is not None and case.taken_at is not None and not is_mine else None,
            "open": found.meeting.state == "planned",
            "label": person.label if is_mine else "",
            "phones": self._numbers(found) if is_mine else [],
            "leaders": [one.label for one in found.hosts if one.role == "leader" and one.label],
            "notes": [self._note(one.text, one.written_by, one.written_at, found.names) for one in found.notes],
            "ended": [self._ended(one, found.names) for one in found.cases if one.done_at is not None and one.how],
            "solved": [(how, self.words.t(f"support.solved.{how}")) for how in SOLVED],
        }

    def _handed_over(self, found: DeskPerson) -> str:
        case = found.case
        if case is None or not case.handed_over:
            return ""
        return self.words.t("support.handed_over", when=self.words.moment(case.opened_at, self.zone))

    def _numbers(self, found: DeskPerson) -> list[dict[str, str]]:
        """Return whom to call about a case of one's own: the number given for the day, the invited one, the leaders'.

        The one place where support sees numbers.
        """
        given = self.services.contacts.open(found.contact) if found.contact else None
        invited = open_reach(self.services.contacts, found.participant.reach).phone
        whose = [(number, "support.call_person") for number in dict.fromkeys(filter(None, (given, invited)))]
        for one in found.hosts:
            number = open_reach(self.services.contacts, one.reach).phone
            if number:
                whose.append((number, f"support.call_{one.role}"))
        return [
            {"href": "tel:" + number.replace(" ", ""), "text": self.words.t(key, number=number)}
            for number, key in whose
        ]

    def _note(self, text: bytes, by: str | None, at: Any, names: Mapping[str, str]) -> dict[str, str]:
        name = names.get(by or "", "")
        return {
            "text": self.services.contacts.open(text) or "",
            "when": " · ".join(filter(None, (self.words.moment(at, self.zone), name))),
        }

    def _ended(self, case: Any, names: Mapping[str, str]) -> str:
        how = self.words.first(f"support.solved.{case.how}", f"support.ended.{case.how}", otherwise=case.how)
        return " · ".join(
            filter(None, (self.words.moment(case.done_at, self.zone), how, names.get(case.done_by or "", "")))
        )

    async def _report(self, report: StoredReport | None) -> dict[str, Any]:
        if report is None:
            return {"report": None, "told": None, "openings": []}
        store = self.services.store
        earlier = await store.reports_before(self.actor, report, LOOKED_BACK)
        passed = any(one.verdict in READY_VERDICTS for one in earlier)
        told = told_of(
            report,
            self.words,
            earlier=earlier,
            elsewhere=None if passed else await self._passed_elsewhere(report),
            judged=await store.judged(self.actor, report.id),
            zone=self.zone,
        )
        wants_curves = self.request.query.get("curves") == "on"
        series = await store.series_of(self.actor, report.id) if wants_curves else None
        has_more = not wants_curves and await store.has_series(self.actor, report.id)
        return {
            "report": report_view(report, series, self.words, zone=self.zone, now=self.now) | {"id": report.id},
            "told": told | {"earlier": told["earlier"][-EARLIER:]},
            "meeting_rooms": await self._rooms(report),
            "openings": self._openings(report),
            "curves": self.address(self.asked, code=report.code, curves="on") + "#pictures" if has_more else "",
        }

    async def _passed_elsewhere(self, report: StoredReport) -> tuple[str, StoredReport] | None:
        """Return a good report of others, with what they have in common with whose this is."""
        store = self.services.store
        for alike, find in (("series", store.passed_in_series), ("room", store.passed_in_room)):
            if (found := await find(self.actor, report)) is not None:
                return alike, found
        return None

    async def _rooms(self, report: StoredReport) -> list[dict[str, Any]]:
        """Return the rooms of the report's meeting: how each is, and what changed since it last passed."""
        store = self.services.store
        if not report.meeting_id:
            return []
        beside = await store.meeting_rooms(self.actor, report.meeting_id)
        passed = await store.meeting_rooms_passed(self.actor, report.meeting_id) if beside else {}
        return [beside_view(one, passed.get(one.room.id), self.words, self.zone, self.now) for one in beside]

    def _openings(self, report: StoredReport) -> list[str]:
        """Return a text for IT, if the report shows that the network is in the way: what was found, what to open.

        Last comes what else was poor on the line, each figure with its limits.
        """
        checks: Sequence[Mapping[str, Any]] = report.body.get("checks", ())
        path = next((check for check in checks if check.get("id") == "network.path"), {})
        if path.get("outcome") not in {"fail", "warn"}:
            return []
        transport = self.request.transport
        arrived_at = transport.get_extra_info("sockname")[0] if transport else "127.0.0.1"
        addresses = [address.public for address in self.services.health.media_addresses(arrived_at)]
        when, found = self.words.moment(report.created_at, self.zone), self.words.value_of(path)
        heading = self.words.t(
            "firewall.found", organisation=self.organisation.name, code=report.code, when=when, found=found
        )
        to_open = openings(self.services.settings, caller(self.request), addresses, self.words)
        return [heading, *to_open, *poor_figures(checks, self.words)]


async def desk_for(request: web.Request, session_id: str | None = None) -> Desk:
    """Return the desk of the request's session. Raises AccessError if it opens none."""
    session = await session_of(request, session_id or request.match_info["session"], kinds=SUPPORTERS)
    organisation = await request.app[SERVICES].store.organisation_by_id(session.organisation_id)
    if organisation is None:
        raise AccessError("session.not_valid")
    return Desk(request, session, organisation)
