"""PRV-4: a person takes out all that is held of them, by the own page, and sees who looked; nobody else's is in it."""

from __future__ import annotations

import json

from yarl import URL

from readiness.access.actors import clock_of, operator_of
from readiness.access.sessions import cookie_name
from readiness.meetings.addresses import Reach, phone_hash, seal_reach
from readiness.meetings.subject import data_of
from tests.actors import otto, participant
from tests.cast import CANARY_LABEL, SUNNAAS, make_cast
from tests.made import made_report
from tests.security.support import redeem
from tests.server.test_board import phases, reported


async def test_PRV_4_a_person_takes_out_all_that_is_held_of_them(server, http):
    """Label, report with its figures, messages and looks; number and address masked; no title, no id, nobody else.

    The organisation's own command prints them in plain.
    """
    cast = await make_cast(server.store)
    box = server.services.contacts
    reach = seal_reach(box, Reach(phone="+4790000001", mail="anna@post.example"))
    await server.store.change_participant(otto("sunnaas"), cast.meeting.id, cast.anna.id, {"reach": reach})
    given = {"phone_encrypted": box.close("+47 900 11 234"), "phone_hash": phone_hash(box, "+4790011234")}
    await server.store.set_practical(participant(cast.anna.id), cast.anna.id, **given)
    third = {"contact": "Solveig Third", "companion": "Synne Third", "assessed_by": "Stig Third"}
    await server.store.change_meeting(otto("sunnaas"), cast.meeting.id, third)
    await reported(server, cast, cast.anna, phases())
    made = await server.store.latest_report(clock_of("sunnaas"), cast.anna.id)
    assert made is not None
    board = await redeem(http, cast.lars_token)
    async with http.get(f"/api/v1/boards/{board}") as answer:
        assert answer.status == 200
    session = await redeem(http, cast.anna_token)
    async with http.get(f"/api/v1/sessions/{session}/data") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Disposition"] == 'attachment; filename="readiness-data.json"'
        text = await answer.text()
    told = json.loads(text)
    assert told["schema"] == "readiness.subject/1"
    (person,) = told["participant"]
    assert person["label"] == CANARY_LABEL
    assert person["reach"] == {"phone": "•••• 00 01", "mail": "a•••@…"}
    assert person["contact"] == "•••• 12 34"
    assert [one["code"] for one in told["report"]] == [made.code]
    assert told["report"][0]["body"] == made.body
    assert "title" not in told["meeting"][0]
    looks = [(one["kind"], one["act"]) for one in told["looked_at"]]
    assert ("leader", "people.read") in looks
    told["report"][0]["body"] = {}
    ids = (cast.meeting.id, cast.anna.id)
    for kept_out in ("Kontroll", '"Per"', "Third", "90000001", "post.example", *ids, "token_hash"):
        assert kept_out not in json.dumps(told), kept_out
    full = await data_of(server.store, box, operator_of(SUNNAAS), server.services.now(), participant_id=cast.anna.id)
    assert full is not None
    assert full["participant"][0]["reach"] == {"phone": "+4790000001", "mail": "anna@post.example"}
    assert full["participant"][0]["contact"] == "+47 900 11 234"
    assert full["meeting"][0]["companion"] == "Synne Third"


async def test_a_guest_takes_out_the_own_test_and_who_deleted_finds_it_empty(server, http):
    """Without a link there is the session and its tests; after deleting no report is left in it."""
    await make_cast(server.store)
    report = await made_report(server.store)
    http.cookie_jar.update_cookies({cookie_name(report.session_id, secure=False): report.session_id}, URL(server.base))
    own = f"/api/v1/sessions/{report.session_id}"
    async with http.get(f"{own}/data") as answer:
        told = await answer.json()
    assert set(told) == {"schema", "made_at", "session", "self_test", "report", "looked_at"}
    assert [one["code"] for one in told["report"]] == [report.code]
    async with http.delete(f"{own}/report") as answer:
        assert answer.status == 200
    async with http.get(f"{own}/data") as answer:
        assert (await answer.json())["report"] == []
