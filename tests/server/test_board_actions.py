"""What a leader can do from the board: the day, sending again, handing over, phone numbers behind a one-time code."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from readiness.access.links import Links, give_support_link
from readiness.access.pins import PIN_LIFE, pin_of
from readiness.meetings.addresses import Reach, person_hash, seal_reach
from readiness.meetings.guides import GUIDES, guide_html
from readiness.settings import Secret
from readiness.texts import LANGUAGES
from reports.store import Actor
from reports.store.records import Host, Meeting, Participant, new_id
from tests.actors import CLOCK, add_meeting, otto, participant
from tests.cast import SUNNAAS, make_cast
from tests.integration.support import program

LARS = Reach(phone="+4790000001", mail="lars@hospital.example")
ANNA = Reach(phone="+4790000002", mail="anna@home.example")
MORNING = datetime(2026, 12, 1, 6, 30, tzinfo=UTC)
"""Half past seven in Oslo."""


@dataclass
class Opened:
    """A leader with an open board."""

    http: object
    server: object
    session: str
    meeting: Meeting
    anna: Participant
    host: Host

    async def board(self) -> dict:
        async with self.http.get(f"/api/v1/boards/{self.session}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def anna_row(self) -> dict:
        return next(row for row in (await self.board())["participants"] if row["id"] == self.anna.id)

    async def post(self, name: str, **body) -> tuple[int, dict]:
        async with self.http.post(f"/api/v1/boards/{self.session}/{name}", json=body) as answer:
            return answer.status, await answer.json()

    async def queued(self, kind: str) -> list:
        return [one for one in await self.server.store.outgoing_of(CLOCK, self.meeting.id) if one.kind == kind]


async def meet(server, starts, *, reach=LARS, title="Kontroll", organisation=SUNNAAS, state="planned"):
    """A meeting at `starts` with Anna, led by whoever is reached so."""
    contacts = server.services.contacts
    meeting = Meeting(
        id=new_id(), organisation_id=organisation.id, title=title, starts_at=starts,
        ends_at=starts + timedelta(minutes=45), profile="consultation", practical=(), expected_people=1, state=state,
        join_link=contacts.close("https://join.example/1"),
    )  # fmt: skip
    anna = Participant(
        id=new_id(), meeting_id=meeting.id, role="patient", label="Anna", locale="nb", position=0,
        reach=seal_reach(contacts, ANNA),
    )  # fmt: skip
    host = Host(
        id=new_id(), meeting_id=meeting.id, role="leader", label="Lars", locale="nb",
        reach=seal_reach(contacts, reach), person_hash=person_hash(contacts, reach),
    )  # fmt: skip
    await add_meeting(server.store, meeting, [anna], [host])
    return meeting, anna, host


async def open_board(server, http, meeting, host) -> str:
    given = await Links(server.store, server.services.contacts, SUNNAAS, "", server.services.now()).of(meeting, host)
    token = given.link.split("#")[1]
    async with http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "token": token}) as answer:
        return (await answer.json())["session"]


@pytest.fixture
async def lars(server, http):
    """Lars, early on the day of his meeting at ten, where SMS can be sent."""
    server.services.now = lambda: MORNING
    server.services.settings = replace(server.services.settings, sms_url=Secret("http://127.0.0.1:9/"))
    await server.store.ensure_organisation(SUNNAAS)
    meeting, anna, host = await meet(server, MORNING + timedelta(hours=2, minutes=30))
    return Opened(http, server, await open_board(server, http, meeting, host), meeting, anna, host)


async def test_the_board_holds_the_leaders_day_and_nobody_elses(server, lars):
    """Other meetings of the same person today are there; tomorrow's and another leader's are not."""
    noon, _, _ = await meet(server, MORNING + timedelta(hours=5), title="Samarbeid")
    late, _, _ = await meet(server, datetime(2026, 12, 1, 22, 30, tzinfo=UTC), title="Sent")
    gone, _, _ = await meet(server, MORNING + timedelta(hours=7), title="Avlyst", state="cancelled")
    await meet(server, datetime(2026, 12, 1, 23, 0, tzinfo=UTC), title="Neste dag")
    await meet(server, MORNING + timedelta(hours=4), title="Annen", reach=Reach(mail="odd@hospital.example"))
    other = replace(SUNNAAS, id="other", slug="other")
    await server.store.ensure_organisation(other)
    await meet(server, MORNING + timedelta(hours=4), title="Annet sykehus", organisation=other)
    board = await lars.board()
    assert board["meeting"]["id"] == lars.meeting.id
    assert board["meeting"]["join_link"] == "https://join.example/1"
    assert [one["meeting"]["id"] for one in board["day"]] == [noon.id, gone.id, late.id]
    assert [one["meeting"]["state"] for one in board["day"]] == ["planned", "cancelled", "planned"]
    assert board["day"][0]["participants"][0]["label"] == "Anna"


async def test_a_link_opened_on_another_day_shows_both_days(server, http, lars):
    """The evening before: today's other meetings and those of the meeting's own day."""
    today, _, _ = await meet(server, datetime(2026, 11, 30, 19, 0, tzinfo=UTC), title="I kveld")
    server.services.now = lambda: datetime(2026, 11, 30, 17, 0, tzinfo=UTC)
    assert [one["meeting"]["id"] for one in (await lars.board())["day"]] == [today.id]


async def test_one_tap_sends_the_link_again_and_a_second_tap_does_not(server, lars):
    """One message within two minutes; nobody without an address; nobody of another meeting; nobody once it is over."""
    status, answer = await lars.post("resend", participant=lars.anna.id)
    assert (status, answer["channel"]) == (200, "mail")
    status, answer = await lars.post("resend", participant=lars.anna.id)
    assert (status, answer["error"]["code"]) == (429, "resend.too_soon")
    [message] = await lars.queued("invitation")
    assert (message.participant_id, message.channel) == (lars.anna.id, "mail")
    assert "anna" not in json.dumps(dict(message.data)).lower()
    found = await server.store.invitation_for(participant_id=lars.anna.id, kind="participant", now=MORNING)
    assert found is not None, "there is a link to send"
    row = await lars.anna_row()
    assert (row["invitation"]["channel"], row["invitation"]["sent_at"]) == ("mail", None)
    _, his, _ = await meet(server, MORNING + timedelta(hours=5))
    assert (await lars.post("resend", participant=his.id))[0] == 200, "a meeting of the same day"
    _, odds, _ = await meet(server, MORNING + timedelta(hours=4), reach=Reach(mail="odd@hospital.example"))
    for stranger in (odds.id, "nobody", lars.host.id):
        status, answer = await lars.post("resend", participant=stranger)
        assert (status, answer["error"]["code"]) == (404, "person.not_found")
    await server.store.change_participant(otto("sunnaas"), lars.meeting.id, lars.anna.id, {"reach": None})
    assert (await lars.post("resend", participant=lars.anna.id))[1]["error"]["code"] == "resend.no_address"
    server.services.now = lambda: lars.meeting.ends_at
    assert (await lars.post("resend", participant=lars.anna.id))[1]["error"]["code"] == "meeting.not_open"


async def test_what_is_handed_over_stands_at_supports_until_it_is_taken(server, http, lars):
    """Support sees whose meeting and which test, takes it, and the board says so; no name, no number."""
    leads = Actor("leader", SUNNAAS.id, f"host:{lars.host.id}")
    for _ in range(2):
        assert (await lars.post("handover", participant=lars.anna.id))[0] == 200
    [case] = await server.store.cases_of(leads, lars.meeting.id)
    assert (case.participant_id, case.opened_by) == (lars.anna.id, f"host:{lars.host.id}")
    assert await lars.queued("handover") == []
    assert await server.store.claim_outgoing(MORNING + timedelta(minutes=5), 10, 60.0) == [], "nothing to send"
    row = await lars.anna_row()
    assert (row["handed_over_at"], row["taken"]) == ("2026-12-01T06:30:00Z", False)
    link = await give_support_link(server.store, SUNNAAS, "", MORNING)
    body = {"organisation": "sunnaas", "token": link.split("#")[1]}
    async with http.post("/api/v1/links/redeem", json=body) as answer:
        support = (await answer.json())["session"]
    async with http.get(f"/support/{support}?lang=nb") as answer:
        page = await answer.text()
    assert "Pasient" in page
    assert "Møteleder: Lars" in page
    assert "Anna" not in page
    assert "90000002" not in page
    for wrong in ("nothing", lars.anna.id[:-1]):
        async with http.post(f"/support/{support}/person/{wrong}/take", data={}, allow_redirects=False) as answer:
            assert answer.status == 303
    assert (await lars.anna_row())["taken"] is False
    async with http.post(f"/support/{support}/next", data={}) as answer:
        assert "Møteleder: Lars" in await answer.text()
    assert (await lars.anna_row())["taken"] is True
    done = {"how": "setting"}
    assert (await lars.anna_row())["helped"] is False
    async with http.post(f"/support/{support}/person/{lars.anna.id}/done", data=done, allow_redirects=False) as answer:
        assert answer.headers["Location"].endswith("said=done")
    assert (await lars.anna_row())["helped"] is True
    await lars.post("handover", participant=lars.anna.id)
    row = await lars.anna_row()
    assert (row["taken"], row["helped"]) == (False, False), "it can be handed over anew"
    taken, anew = await server.store.cases_of(leads, lars.meeting.id)
    opener = await server.store.session_by_id(support)
    assert (taken.id, taken.taken_by) == (case.id, f"link:{opener.invitation_id}")
    assert (anew.taken_at, anew.done_at) == (None, None)


async def test_phone_numbers_only_with_the_code_sent_to_the_leader(server, lars):
    """Hidden; a wrong code opens nothing; the right one shows them on this page only; five wrong ones burn it."""
    board = await lars.board()
    assert (board["unlocked"], board["pin"]) == (False, "sms")
    assert "90000002" not in json.dumps(board)
    assert (await lars.post("pin"))[1] == {"channel": "sms"}
    [message] = await lars.queued("pin")
    assert (message.host_id, message.participant_id, message.channel) == (lars.host.id, None, "sms")
    pin = pin_of(server.services.contacts, message.id)
    assert pin not in json.dumps(dict(message.data))
    wrong = str((int(pin) + 1) % 10**6).zfill(6)
    for code in (wrong, "", "12345", "1234567", None):
        status, answer = await lars.post("pin/check", pin=code)
        assert (status, answer["error"]["code"]) == (400, "pin.not_valid")
    assert (await lars.post("pin/check", pin=pin))[0] == 200
    row = await lars.anna_row()
    assert row["phones"] == ["+4790000002"]
    number = server.services.contacts.close("+4790000009")
    await server.store.set_practical(participant(lars.anna.id), lars.anna.id, phone_encrypted=number)
    assert (await lars.anna_row())["phones"] == ["+4790000009", "+4790000002"], "the one for the day first"
    again = await open_board(server, lars.http, lars.meeting, lars.host)
    assert "90000002" not in json.dumps(await replace(lars, session=again).board()), "another page is still closed"
    server.services.now = lambda: MORNING + timedelta(hours=12)
    assert "90000002" not in json.dumps(await lars.board()), "and this one is closed in the evening"


async def test_a_code_lasts_five_tries_and_ten_minutes(server, lars):
    """After five wrong ones, or ten minutes, even the right one opens nothing; asking too often is refused."""
    await lars.post("pin")
    status, answer = await lars.post("pin")
    assert (status, answer["error"]["code"]) == (429, "rate.limited")
    pin = pin_of(server.services.contacts, (await lars.queued("pin"))[0].id)
    wrong = str((int(pin) + 1) % 10**6).zfill(6)
    for _ in range(5):
        await lars.post("pin/check", pin=wrong)
    assert (await lars.post("pin/check", pin=pin))[0] == 400
    server.services.now = lambda: MORNING + timedelta(minutes=1)
    await lars.post("pin")
    pin = pin_of(server.services.contacts, (await lars.queued("pin"))[-1].id)
    server.services.now = lambda: MORNING + timedelta(minutes=1) + PIN_LIFE
    assert (await lars.post("pin/check", pin=pin))[0] == 400


async def test_the_day_is_printed_on_one_sheet(server, lars):
    """The meetings of the day in order, in the language asked for; numbers only once the code was typed."""
    await meet(server, MORNING + timedelta(hours=5), title="Samarbeid")
    address = f"/api/v1/boards/{lars.session}/board.pdf"

    async def printed(query: str) -> str:
        async with lars.http.get(address + query) as answer:
            assert (answer.status, answer.content_type) == (200, "application/pdf")
            body = await answer.read()
        return subprocess.run(
            [program("pdftotext"), "-layout", "-", "-"], input=body, capture_output=True, check=True
        ).stdout.decode()

    text = await printed("?lang=en")
    assert text.index("Kontroll") < text.index("Samarbeid")
    assert text.count("Anna") == 2
    assert "Not tested" in text
    assert "90000002" not in text.replace(" ", "")
    await lars.post("pin")
    await lars.post("pin/check", pin=pin_of(server.services.contacts, (await lars.queued("pin"))[0].id))
    assert "90000002" in (await printed("?lang=nb")).replace(" ", "")
    for hours, title in enumerate(("தமிழ் ሰላም 李明", "Anna 🙂 ښ ＡＢＣ", "W" * 60), 6):
        await meet(server, MORNING + timedelta(hours=hours), title=title)
    assert "தமிழ்" in await printed("?lang=nb")
    odds, _, _ = await meet(server, MORNING + timedelta(hours=4), reach=Reach(mail="odd@hospital.example"))
    async with lars.http.get(f"{address}?meeting={odds.id}") as answer:
        assert answer.status == 404


async def test_without_a_gateway_for_sms_the_code_goes_by_mail(server, lars):
    """A leader with both is asked where it can arrive; one with a phone alone still gets the SMS that waits."""
    server.services.settings = replace(server.services.settings, sms_url=Secret(""))
    assert (await lars.board())["pin"] == "mail"
    only_phone, _, host = await meet(server, MORNING + timedelta(hours=6), reach=Reach(phone="+4790000007"))
    session = await open_board(server, lars.http, only_phone, host)
    assert (await replace(lars, session=session).board())["pin"] == "sms"


async def test_a_link_for_nobody_in_particular_has_no_code_and_no_day(server, http):
    """The leader's link of the command line names no person: no numbers, and only its own meeting."""
    cast = await make_cast(server.store)
    async with http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "token": cast.lars_token}) as answer:
        session = (await answer.json())["session"]
    async with http.get(f"/api/v1/boards/{session}") as answer:
        board = await answer.json()
    assert (board["day"], board["pin"], board["unlocked"], board["feedback"]) == ([], None, False, None)
    async with http.post(f"/api/v1/boards/{session}/pin", json={}) as answer:
        assert (await answer.json())["error"]["code"] == "pin.no_address"


async def test_after_the_end_the_leader_is_asked_once(server, lars):
    """The board asks from the meeting's end on, and remembers the answer."""
    assert (await lars.board())["feedback"] is None
    server.services.now = lambda: lars.meeting.ends_at
    assert (await lars.board())["feedback"] == 0
    body = {"score": 2, "problem": "sound"}
    async with lars.http.post(f"/api/v1/sessions/{lars.session}/feedback", json=body) as answer:
        assert answer.status == 200
    assert (await lars.board())["feedback"] == 2


async def test_the_guides_are_on_the_page_in_every_language(server, http, lars):
    """Checklist and emergency are in the page from the start; an organisation's own text stands in place of ours."""
    async with http.get(f"/board/{lars.session}") as answer:
        page = await answer.text()
    for language in LANGUAGES:
        for name in GUIDES:
            assert guide_html(SUNNAAS, name, language) in page
    assert 'href="tel:113"' in page
    own = replace(SUNNAAS, texts={"checklist": {"nb": "# Hos oss\n\n<script>x</script> Ring {phone}."}})
    await server.store.ensure_organisation(own)
    async with http.get("/o/sunnaas/board") as answer:
        page = await answer.text()
    assert "<h3>Hos oss</h3>" in page
    assert "&lt;script&gt;x&lt;/script&gt; Ring 66\u00a096\u00a090\u00a000." in page
    assert guide_html(SUNNAAS, "checklist", "nn") in page, "a language without its own text has ours"


@pytest.mark.parametrize("name", GUIDES)
def test_our_guides_say_the_same_in_every_language(name):
    """As many headings, points and phone links in each; {phone} filled; never the page's own heading levels."""
    shapes = set()
    for language in LANGUAGES:
        html = guide_html(SUNNAAS, name, language)
        shapes.add((html.count("<h3>"), html.count("<li>"), html.count("tel:"), html.count("<blockquote>")))
        assert "{" not in html
        assert "<h1" not in html
        assert "<h2" not in html
        assert html != guide_html(SUNNAAS, name, "nb") or language == "nb"
    assert len(shapes) == 1


def test_the_number_to_call_is_text_in_a_guide():
    """In words and in a link, with what Markdown or HTML would take for more."""
    texts = {"emergency": {"en": "Call **{phone}** or [here](tel:{phone})."}}
    html = guide_html(replace(SUNNAAS, texts=texts, support_phone="+47 22*<b>*"), "emergency", "en")
    assert html == (
        '<p>Call <strong>+47\u00a022*&lt;b&gt;*</strong> or <a href="tel:+4722%2A%3Cb%3E%2A">here</a>.</p>\n'
    )


def test_markdown_runs_nothing_and_loads_nothing():
    """HTML is text, a script's address is no link, a picture is not loaded."""
    text = "[a](javascript:alert(1)) ![b](https://x.example/y.png) <img src=x onerror=y> <b>c</b>"
    html = guide_html(replace(SUNNAAS, texts={"emergency": {"en": text}}), "emergency", "en")
    assert "<img" not in html
    assert "<b>" not in html
    assert 'href="javascript' not in html
