"""After the meeting: one question, whose answer is kept with the verdict it followed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from readiness.access.links import Links, api_token, organiser_link
from readiness.texts import catalogue
from reports.store.records import Feedback, Host, Participant, new_id
from tests.actors import CLOCK, add_meeting, otto, participant
from tests.cast import SUNNAAS, invite, make_cast
from tests.security.support import redeem
from tests.server.test_board import phases, reported

LATER = timedelta(days=7)


@pytest.fixture
async def cast(server):
    """Anna was told ready, Per did not test; the meeting is over."""
    made = await make_cast(server.store)
    await reported(server, made, made.anna, phases())
    server.services.now = lambda: made.meeting.ends_at + timedelta(minutes=5)
    return made


async def asked(server, http, cast, person) -> str:
    token, _ = await invite(server.store, cast.meeting, person, expires_at=cast.meeting.ends_at + LATER)
    return await redeem(http, token)


async def said(http, session: str, **answer: object) -> tuple[int, dict]:
    async with http.post(f"/api/v1/sessions/{session}/feedback", json=answer) as got:
        return got.status, await got.json()


async def kept(server, session: str):
    return await server.store.feedback_for(await server.store.session_by_id(session))


async def test_an_answer_is_kept_with_the_verdict_it_followed_and_may_be_changed(server, http, cast):
    """One row for each person: the second answer takes the place of the first and forgets no verdict."""
    session = await asked(server, http, cast, cast.anna)
    assert await said(http, session, score=5) == (200, {"score": 5, "problem": ""})
    first = await kept(server, session)
    assert (first.verdict, first.role, first.profile, first.host_id) == ("ready", "patient", "consultation", None)
    report = await server.store.latest_report(CLOCK, cast.anna.id)
    assert first.report_id == report.id
    year, week, _ = cast.meeting.ends_at.isocalendar()
    assert first.week == f"{year:04d}-W{week:02d}"
    await server.store.delete_report(participant(cast.anna.id), report.id, session)
    assert (await said(http, session, score=2, problem="sound"))[0] == 200
    second = await kept(server, session)
    assert (second.score, second.problem, second.verdict) == (2, "sound", "ready")
    async with http.get(f"/api/v1/sessions/{session}") as answer:
        assert (await answer.json())["after"] == {"score": 2, "problem": "sound"}


async def test_a_test_made_afterwards_is_not_what_the_answer_followed(server, http, cast):
    """Testing again in the hour after the end does not change what was said before the meeting."""
    await reported(server, cast, cast.per, phases())
    session = await asked(server, http, cast, cast.per)
    assert (await said(http, session, score=4))[0] == 200
    assert (await kept(server, session)).report_id is None


async def test_only_five_steps_and_our_own_words_are_taken(server, http, cast):
    """No free text: nobody's name or illness gets in."""
    session = await asked(server, http, cast, cast.anna)
    wrong = [{}, *({"score": score} for score in (0, 6, True, "5", 3.5, None)), {"score": 2, "problem": "Anna"}]
    for answer in wrong:
        status, body = await said(http, session, **answer)
        assert (status, body["error"]["code"]) == (400, "feedback.malformed"), answer
    assert await kept(server, session) is None


async def test_nobody_judges_a_meeting_that_has_not_begun(server, http):
    """Before the start there is nothing to say; after a week the link is dead."""
    made = await make_cast(server.store)
    session = await redeem(http, made.anna_token)
    status, body = await said(http, session, score=5)
    assert (status, body["error"]["code"]) == (400, "feedback.too_early")
    late = await asked(server, http, made, made.anna)
    server.services.now = lambda: made.meeting.ends_at + LATER
    assert (await said(http, late, score=5))[0] == 404


async def test_the_leaders_answer_follows_the_worst_verdict_of_those_who_took_part(server, http, cast):
    """No verdict while somebody had not tested; a leader's link of nobody in particular can't answer."""
    store = server.store
    host = Host(new_id(), cast.meeting.id, "leader", "Lars", "nb")
    await store.add_host(otto("sunnaas"), cast.meeting.id, host)
    organisation = await store.organisation("sunnaas")
    made = Links(store, server.services.contacts, organisation, "", server.services.now())
    given = await made.of(cast.meeting, host)
    leader = await redeem(http, given.link.partition("#")[2])
    assert (await said(http, leader, score=3, problem="picture"))[0] == 200
    found = await kept(server, leader)
    assert (found.role, found.host_id, found.verdict) == ("leader", host.id, None)
    server.services.now = lambda: cast.meeting.starts_at - timedelta(minutes=5)
    await reported(server, cast, cast.per, phases(network__rtt=200.0))
    server.services.now = lambda: cast.meeting.ends_at + timedelta(minutes=5)
    assert (await said(http, leader, score=3))[0] == 200
    assert (await kept(server, leader)).verdict == "ready_with_warnings"
    nobody = await redeem(http, cast.lars_token)
    assert (await said(http, nobody, score=3))[0] == 404


async def made_answers(server, meeting, organisation_id: str, verdict: str | None, scores: list[int]) -> None:
    """Answers of people that nobody needs to know."""
    store = server.store
    crowd = replace(meeting, id=new_id(), organisation_id=organisation_id, import_key=None)
    people = [Participant(new_id(), crowd.id, "patient", "", "nb", place) for place in range(len(scores))]
    await add_meeting(store, crowd, people)
    for person, score in zip(people, scores, strict=True):
        problem = "" if score > 3 else "sound"
        answer = Feedback(
            new_id(), organisation_id, crowd.id, person.id, None, "patient", "consultation", "other", verdict, None,
            score, problem, "2026-W48",
        )  # fmt: skip
        await store.add_feedback(answer)


async def test_the_organisation_sees_how_often_ready_was_right(server, http, cast):
    """Sums over five or more, by what was told before; another organisation's answers are never among them."""
    await server.store.ensure_organisation(replace(SUNNAAS, id="east", slug="east"))
    await made_answers(server, cast.meeting, "sunnaas", "ready", [5, 5, 4, 2, 1, 3, 3, 2])
    await made_answers(server, cast.meeting, "sunnaas", "not_ready", [1, 1, 5, 5])
    await made_answers(server, cast.meeting, "east", "ready", [1] * 9)
    organisation = await server.store.organisation("sunnaas")
    assert organisation is not None
    now = server.services.now()
    token = await api_token(server.store, organisation, now)
    span = {"from": "2026-W48", "to": "2026-W48"}
    bearer = {"Authorization": f"Bearer {token}"}
    async with http.get("/api/v1/feedback/summary", params=span, headers=bearer) as answer:
        found = await answer.json()
    assert (found["ready"], found["all"], found["least"]) == (
        {"answers": 8, "worked": 3},
        {"answers": 8, "worked": 3},
        5,
    )
    assert [(cell["verdict"], cell["problems"]) for cell in found["cells"]] == [("ready", {"sound": 5})]
    async with http.get("/api/v1/feedback/summary", params={"from": "yesterday"}, headers=bearer) as answer:
        assert (await answer.json())["error"]["code"] == "figures.week"
    link = await organiser_link(server.store, organisation, "", now)
    session = await redeem(http, link.partition("#")[2])
    async with http.get(f"/plan/{session}/figures", params={**span, "lang": "nb"}) as page:
        text = await page.text()
    words = catalogue("nb")
    assert words["figures.right"].replace("{answers}", "8").replace("{worked}", "3") in text
    assert "3 (38 %)" in text
    async with http.get(
        f"/plan/{session}/figures", params={"to": "2026-W01", "from": "2026-W01", "lang": "en"}
    ) as page:
        assert catalogue("en")["figures.none"] in await page.text()
