"""After the meeting: one question, whose answer is kept with the verdict it followed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from readiness.access.links import Links, api_token, give_support_link, organiser_link
from readiness.texts import catalogue
from reports.overview import Measure
from reports.store.feedback_records import Feedback
from reports.store.records import Host, Participant, new_id
from reports.sums import Cell
from tests.actors import CLOCK, add_meeting, otto, participant
from tests.cast import SUNNAAS, invite, make_cast, signed_in, supporter
from tests.security.support import redeem
from tests.server.test_board import phases, reported

LATER = timedelta(days=7)
CLOSED = datetime(2026, 12, 10, 9, 0, tzinfo=UTC)
"""November is over, and what is said of it has come in."""
WEEKS = ("2026-W45", "2026-W48")


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


async def made_answers(
    server, meeting, organisation_id: str, verdict: str | None, scores: list[int], week="2026-W48", **more: object
) -> None:
    """Answers of people that nobody needs to know."""
    store = server.store
    crowd = replace(meeting, id=new_id(), organisation_id=organisation_id, import_key=None)
    people = [Participant(new_id(), crowd.id, "patient", "", "nb", place) for place in range(len(scores))]
    await add_meeting(store, crowd, people)
    for person, score in zip(people, scores, strict=True):
        problem = "" if score > 3 else "sound"
        answer = Feedback(
            new_id(), organisation_id, crowd.id, person.id, None, "patient", "consultation", "other", verdict, None,
            score, problem, week, **more,
        )  # fmt: skip
        await store.add_feedback(answer)


async def test_the_organisation_sees_how_often_ready_was_right(server, http, cast):
    """Sums over ten or more, by what was told before; another organisation's answers are never among them."""
    await server.store.ensure_organisation(replace(SUNNAAS, id="east", slug="east"))
    await made_answers(server, cast.meeting, "sunnaas", "ready", [5, 5, 4, 2, 1, 3, 3, 2] * 2)
    await made_answers(server, cast.meeting, "sunnaas", "not_ready", [1, 1, 5, 5] * 2)
    await made_answers(server, cast.meeting, "east", "ready", [1] * 19)
    organisation = await server.store.organisation("sunnaas")
    assert organisation is not None
    now = server.services.now()
    token = await api_token(server.store, organisation, now)
    span = {"month": "2026-11"}
    server.services.now = lambda: CLOSED
    bearer = {"Authorization": f"Bearer {token}"}
    async with http.get("/api/v1/feedback/summary", params=span, headers=bearer) as answer:
        found = await answer.json()
    assert (found["ready"], found["all"], found["least"]) == (
        {"answers": 16, "worked": 6},
        {"answers": 16, "worked": 6},
        10,
    )
    assert [(cell["verdict"], cell["problems"]) for cell in found["cells"]] == [("ready", {"sound": 10})]
    for asked in ("2026-12", "2026-13", "2025-10", "yesterday"):
        async with http.get("/api/v1/feedback/summary", params={"month": asked}, headers=bearer) as answer:
            assert (await answer.json())["error"]["code"] == "figures.month", asked
    weeks = {"from": "2026-W48", "to": "2026-W48"}
    async with http.get("/api/v1/feedback/summary", params=weeks, headers=bearer) as answer:
        assert (await answer.json())["error"]["code"] == "figures.month", "a span of weeks can be subtracted"
    link = await organiser_link(server.store, organisation, "", now)
    session = await redeem(http, link.partition("#")[2])
    async with http.get(f"/plan/{session}/figures", params={**span, "lang": "nb"}) as page:
        text = await page.text()
    words = catalogue("nb")
    assert words["figures.right"].replace("{answers}", "16").replace("{worked}", "6") in text
    assert "6 (38 %)" in text
    async with http.get(f"/plan/{session}/figures", params={"month": "2026-10", "lang": "en"}) as page:
        assert catalogue("en")["figures.none"] in await page.text()


async def led(server, meeting, unit: str, whose: list[str]) -> None:
    """Answers of as many leaders, who say whose sound failed."""
    store = server.store
    crowd = replace(meeting, id=new_id(), import_key=None)
    hosts = [Host(new_id(), crowd.id, "leader", "", "nb") for _ in whose]
    await add_meeting(store, crowd, [], hosts)
    for host, word in zip(hosts, whose, strict=True):
        answer = Feedback(
            new_id(), "sunnaas", crowd.id, None, host.id, "leader", "consultation", "other", None, None,
            2, "sound", "2026-W48", unit=unit, whose=word,
        )  # fmt: skip
        await store.add_feedback(answer)


async def test_sums_are_by_unit_and_single_nobody_out(server, http, cast):
    """Ten of a unit and ten of a question, smaller units together; the table is safe to open."""
    fine, poor = [5] * 9 + [3], [1] * 4
    await made_answers(server, cast.meeting, "sunnaas", None, fine, unit="=HYPERLINK(1)", satisfied=4, again="yes")
    await made_answers(server, cast.meeting, "sunnaas", None, poor, unit="Hjerte", satisfied=1)
    await led(server, cast.meeting, "Hjerte", ["patient"] * 10 + ["self"] * 2)
    organisation, now = await server.store.organisation("sunnaas"), server.services.now()
    sums = await server.store.feedback_sums(otto("sunnaas"), ("2026-W48", "2026-W48"))
    assert [(one.unit, one.who, one.answers) for one in sums] == [
        (None, "participants", 14), ("Hjerte", "hosts", 12),
    ]  # fmt: skip
    assert (sums[0].scores, sums[0].again) == ({1: 4, 3: 1, 5: 9}, {"yes": 10}), "four are not what is missing"
    assert (sums[1].whose, sums[1].satisfied) == ({"patient": 10}, {})
    await made_answers(server, cast.meeting, "sunnaas", None, [5] * 6, unit="Lunge", satisfied=5)
    sums = await server.store.feedback_sums(otto("sunnaas"), ("2026-W48", "2026-W48"))
    assert [(one.unit, one.answers) for one in sums if one.who == "participants"] == [("=HYPERLINK(1)", 10), (None, 10)]
    server.services.now = lambda: CLOSED
    session = await redeem(http, (await organiser_link(server.store, organisation, "", now)).partition("#")[2])
    async with http.get(f"/plan/{session}/figures") as page:
        text = await page.text()
    words = catalogue("nb")
    for said in (words["figures.other_units"], "9 (90 %)", f"{words['role.patient']} (10)", "Hjerte"):
        assert said in text, said
    async with http.get(f"/plan/{session}/figures.csv", params={"month": "2026-11"}) as table:
        raw = await table.read()
    assert raw.startswith(b"\xef\xbb\xbf"), "Excel reads UTF-8 by it"
    lines = raw.decode("utf-8-sig").splitlines()
    assert lines[1].startswith("'=HYPERLINK(1),participants,10,9,0,1,0,0,0,10,")
    assert lines[3] == "Hjerte,hosts,12,0,0,0,12,0,,,,,,,,,patient:10"


async def test_whose_roles_reach_different_units_reads_one_sum(server, http, cast):
    """As organiser of one unit and support of all: of 33 less 24 nine are left. Every page tells the same, by share."""
    await made_answers(server, cast.meeting, "sunnaas", "ready", [5] * 24, unit="Hjerte")
    await made_answers(server, cast.meeting, "sunnaas", "ready", [5] * 9, unit="Lunge")
    server.services.now = lambda: CLOSED
    roles = ("organiser", "support")
    told = []
    for whole in (("support",), ()):
        session, secret = await signed_in(
            server.store, "sunnaas", CLOSED, roles, name=str(whole), units=("Hjerte",), whole=whole
        )
        headers = {"Cookie": f"rd-{session}={secret}"}
        for place in ("plan", "support"):
            async with http.get(f"/{place}/{session}/figures.csv", headers=headers) as table:
                told.append((await table.text("utf-8-sig")).splitlines())
        named = headers | {"Readiness-Session": session}
        async with http.get("/api/v1/feedback/summary", headers=named) as answer:
            assert answer.status == (404 if whole else 200)
    assert told[0] == told[1]
    assert told[0][0].startswith("unit,who,answers,worked_percent")
    assert told[2][0] != told[3][0], "an organiser of one unit alone reads every step of it"


async def test_leaders_and_support_read_shares_by_unit_and_nothing_of_few(server, http, cast):
    """No steps, no second way to add up the same answers; where fewer than ten said so, or did not, no share.

    Nor one that is what the overview tells of all less those of other units: 23 of 36 less Hjerte's 12 of 24.
    """
    await made_answers(server, cast.meeting, "sunnaas", "ready", [5] * 12 + [2] * 12, unit="Hjerte", satisfied=5)
    await made_answers(server, cast.meeting, "sunnaas", "ready", [5] * 11 + [1], unit="Lunge", again="yes")
    organisation = await server.store.organisation("sunnaas")
    link = await give_support_link(server.store, organisation, "", server.services.now())
    token, _ = await invite(server.store, cast.meeting, None, expires_at=CLOSED + LATER)
    server.services.now = lambda: CLOSED
    support, leader = await redeem(http, link.partition("#")[2]), await redeem(http, token)
    for place in (f"/support/{support}", f"/board/{leader}"):
        async with http.get(f"{place}/figures.csv") as table:
            lines = (await table.text("utf-8-sig")).splitlines()
        assert lines == [
            "unit,who,answers,worked_percent,satisfied_percent,again_percent",
            "Hjerte,participants,24,,100,", "Lunge,participants,12,,,100",
        ]  # fmt: skip
        async with http.get(f"{place}/figures", params={"lang": "nb"}) as page:
            text = await page.text()
        words = catalogue("nb")
        assert "100 %" in text
        for unsaid in ("5: 12", "50 %", "92 %", words["figures.by_verdict"], words["figures.steps"]):
            assert unsaid not in text, unsaid
    found = await server.store.overview(supporter("sunnaas"), WEEKS)
    assert (found.right, found.satisfied) == (Measure.of(Cell(36, 23)), Measure.of(Cell(24, 24)))


async def test_two_units_without_shares_are_not_told_by_the_share_of_all(server, http, cast):
    """Five and seven who answered are twelve; that three of them were not satisfied would be all less Hjerte."""
    for unit, scores, satisfied in (
        ("Hjerte", [5] * 15, 5), ("Hjerte", [2] * 10, 1), ("Lunge", [5] * 5, 5), ("Lunge", [5] * 7, None),
        ("Nyre", [5] * 4, 5), ("Nyre", [5] * 3, 1), ("Nyre", [5] * 5, None),
    ):  # fmt: skip
        await made_answers(server, cast.meeting, "sunnaas", "ready", scores, unit=unit, satisfied=satisfied)
    sums = {}
    for by_share in (False, True):
        found = await server.store.feedback_sums(otto("sunnaas"), WEEKS, by_share=by_share)
        sums[by_share] = [(one.unit, bool(one.scores), bool(one.satisfied)) for one in found]
    assert sums[False] == [("Hjerte", True, True), ("Lunge", True, False), ("Nyre", True, False)]
    assert sums[True] == [("Hjerte", True, False), ("Lunge", True, False), ("Nyre", True, False)]


async def test_shares_are_not_told_where_few_followed_another_verdict(server, http, cast):
    """Of 40 who answered 25 were told "ready": that it worked for twelve of the other fifteen tells of three."""
    await made_answers(server, cast.meeting, "sunnaas", "ready", [5] * 15 + [2] * 10, unit="Hjerte")
    await made_answers(server, cast.meeting, "sunnaas", "not_ready", [5] * 12 + [2] * 3, unit="Hjerte")
    (told,) = await server.store.feedback_sums(otto("sunnaas"), WEEKS, by_share=True)
    assert (told.answers, told.scores) == (40, {})
    await made_answers(server, cast.meeting, "sunnaas", None, [2] * 7, unit="Hjerte")
    (told,) = await server.store.feedback_sums(otto("sunnaas"), WEEKS, by_share=True)
    assert told.scores == {2: 20, 5: 27}


async def test_AUT_2_shares_of_a_ward_are_told_beside_the_overview_of_that_ward(server, http, cast):
    """Of the ward too few were told otherwise than "ready"; that the house has more of them helps nobody there."""
    await made_answers(server, cast.meeting, "sunnaas", "ready", [5] * 15 + [2] * 10, unit="Hjerte")
    await made_answers(server, cast.meeting, "sunnaas", "not_ready", [5] * 12 + [2] * 3, unit="Hjerte")
    await made_answers(server, cast.meeting, "sunnaas", "not_ready", [5] * 10 + [2] * 10, unit="Lunge")
    house = supporter("sunnaas")
    ward = replace(house, kind="staff", roles=frozenset({"support"}), limits=frozenset({("support", "Hjerte")}))
    told = {}
    for name, reader in (("house", house), ("ward", ward)):
        found = await server.store.feedback_sums(reader, WEEKS, by_share=True)
        told[name] = [(one.unit, one.scores) for one in found]
    assert told == {"house": [("Hjerte", {2: 13, 5: 27}), ("Lunge", {2: 10, 5: 10})], "ward": [("Hjerte", {})]}


async def test_a_leader_names_whose_sound_failed_and_a_participant_cannot(server, http, cast):
    """By role or as the own; the answer keeps the meeting's unit."""
    store = server.store
    await store.change_meeting(otto("sunnaas"), cast.meeting.id, {"unit": "Hjerte"})
    host = Host(new_id(), cast.meeting.id, "leader", "Lars", "nb")
    await store.add_host(otto("sunnaas"), cast.meeting.id, host)
    made = Links(store, server.services.contacts, await store.organisation("sunnaas"), "", server.services.now())
    leader = await redeem(http, (await made.of(cast.meeting, host)).link.partition("#")[2])
    assert await said(http, leader, score=2, problem="sound", whose="self") == (
        200, {"score": 2, "problem": "sound", "whose": "self"},
    )  # fmt: skip
    found = await kept(server, leader)
    assert (found.whose, found.unit) == ("self", "Hjerte")
    for whose in ("Anna", ["self"], None, 1):
        assert (await said(http, leader, score=2, whose=whose))[0] == 400, whose
    anna = await asked(server, http, cast, cast.anna)
    assert (await said(http, anna, score=2, whose="self"))[0] == 400
