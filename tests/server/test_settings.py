"""The page of settings: what is typed is checked, kept, logged and taken back, and two at once lose nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from markupsafe import escape

from readiness.access.actors import operator_of
from readiness.server.settings_pages import MOST_TRIALS
from readiness.settings import Secret
from readiness.texts import catalogue
from tests.cast import SUNNAAS, make_cast, signed_in
from tests.meetings.receivers import gateway, mailbox

SEEN = re.compile(r'name="seen" value="(\w+)"')
CONTACT = {
    "name": "Sunnaas", "support_phone": "+47 66 96 90 00", "support_hours": "00-24", "clinic_phone": "",
    "clinic_contact": "",
}  # fmt: skip
EN = catalogue("en")


class Page:
    """An administrator's browser, without a script."""

    def __init__(self, http: Any, session: str, secret: str) -> None:
        self.http, self.session, self.source = http, session, ""
        self.headers = {"Cookie": f"rd-{session}={secret}", "Accept": "text/html"}

    async def get(self, path: str = "", status: int = 200) -> str:
        """Open a page."""
        async with self.http.get(f"/settings/{self.session}{path}?lang=en", headers=self.headers) as answer:
            assert answer.status == status, await answer.text()
            return await self.read(answer)

    async def read(self, answer: Any) -> str:
        """Return the texts of a page; `source` has it as it came."""
        self.source = await answer.text()
        return unescape(self.source)

    async def post(self, path: str, form: Mapping[str, str], status: int = 303) -> str:
        """Send a form, and return the page that it leads to."""
        where = f"/settings/{self.session}{path}?lang=en"
        async with self.http.post(where, data=form, headers=self.headers, allow_redirects=False) as answer:
            assert answer.status == status, await answer.text()
            if status != 303:
                return await self.read(answer)
            where = answer.headers["Location"]
        async with self.http.get(where, headers=self.headers) as answer:
            assert answer.status == 200
            return await self.read(answer)

    async def save(self, part: str, form: Mapping[str, str], status: int = 303, *, seen: str = "") -> str:
        """Open a part, fill it in and save it."""
        return await self.post(
            f"/{part}", {"seen": seen or SEEN.findall(await self.get(f"/{part}"))[-1], **form}, status
        )


@pytest.fixture
async def page(server, http):
    """Ada administers Sunnaas; its meeting is tomorrow."""
    await make_cast(server.store)
    session, secret = await signed_in(server.store, "sunnaas", server.services.now(), ("administrator",), name="Ada")
    return Page(http, session, secret)


async def stored(server) -> Any:
    return await server.store.organisation("sunnaas")


async def logged(server, act: str = "settings.change") -> list[Any]:
    """What the audit log has of the organisation's changes."""
    now = datetime.now(tz=UTC)
    span = (now - timedelta(hours=1), now + timedelta(hours=1))
    return await server.store.audit_entries(operator_of(SUNNAAS), between=span, act=act)


async def test_a_change_holds_at_once_is_logged_and_listed(server, http, page):
    """The participants' page has the new number; log and list say who, before and after."""
    typed = CONTACT | {"support_phone": "22 33 44 55", "clinic_contact": "Kari"}
    said = await page.save("contact", typed)
    assert EN["settings.said.saved"] in said
    async with http.get("/o/sunnaas/privacy?lang=en") as answer:
        assert "22\u00a033\u00a044\u00a055" in await answer.text()
    listed = await page.get()
    assert listed.count(f'aria-label="{EN["settings.undo"]}: ') == 2
    for told in ("Ada", "+47\u00a066\u00a096\u00a090\u00a000", "22\u00a033\u00a044\u00a055", "Kari"):
        assert told in listed
    details = sorted(one.detail for one in await logged(server) if one.outcome == "done")
    assert details == ["clinic_contact", 'support_phone: "+47 66 96 90 00" -> "22 33 44 55"'], "no name in the log"
    assert EN["settings.said.nothing"] in await page.save(
        "contact", dict(CONTACT, support_phone="22 33 44 55", clinic_contact="Kari")
    )


@pytest.mark.parametrize(
    ("part", "form", "code"),
    [
        ("contact", CONTACT | {"name": " "}, "settings.needed"),
        ("contact", CONTACT | {"support_phone": "ring us"}, "settings.phone"),
        ("contact", CONTACT | {"support_phone": ""}, "settings.needed"),
        ("contact", CONTACT | {"clinic_phone": "12"}, "settings.phone"),
        ("contact", CONTACT | {"support_hours": "x" * 61}, "text.too_long"),
        ("pages", {"time_zone": "Europe/Oslo"}, "settings.languages"),
        ("pages", {"time_zone": "Mars", "languages.nb": "yes"}, "settings.zone"),
        ("pages", {"time_zone": "Europe/Oslo", "languages.nb": "yes", "languages.first": "en"}, "settings.first"),
        ("kept", {"choices/figures_months": "2"}, "settings.months"),
        ("kept", {"choices/figures_months": "14"}, "settings.months"),
        ("kept", {"choices/figures_months": "9" * 5_000}, "settings.months"),
        ("clinics", {"unit": "", "number": "22334455"}, "settings.unit"),
        ("clinics", {"unit": "Unit 3", "number": "nobody"}, "settings.phone"),
        ("privacy", {"texts/privacy/nb": "x" * 20_001}, "text.too_long"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(server, page, part, form, code):
    """Nothing is stored, what was typed stands there, and the field says what to do."""
    before = await stored(server)
    said = await page.save(part, form, 400)
    assert EN[f"error.{code}"] in said
    assert said.count('aria-invalid="true"') == 1
    assert EN["settings.problem"] in said
    for typed in form.values():
        assert typed in said
    assert await stored(server) == before
    assert await logged(server) == []


async def test_of_two_at_once_the_second_is_told(server, page):
    """What the second typed is kept, what the first saved stands beside it; saved again it holds."""
    seen = SEEN.findall(await page.get("/contact"))[0]
    await page.save("contact", CONTACT | {"support_phone": "22 33 44 55"})
    said = await page.save("contact", CONTACT | {"support_phone": "99 88 77 66"}, 409, seen=seen)
    assert EN["settings.stale"] in said
    assert 'value="99 88 77 66"' in said
    assert '<strong dir="auto">22\u00a033\u00a044\u00a055</strong>' in said
    assert (await stored(server)).support_phone == "22 33 44 55"
    again = SEEN.findall(said)[0]
    await page.save("contact", CONTACT | {"support_phone": "99 88 77 66"}, seen=again)
    assert (await stored(server)).support_phone == "99 88 77 66"


async def test_what_is_wrong_hides_no_change_of_somebody_else(server, page):
    """A form that is stale and wrong tells of both: to mend what is wrong must not take back the other's change."""
    seen = SEEN.findall(await page.get("/contact"))[0]
    await page.save("contact", CONTACT | {"support_phone": "22 33 44 55"})
    said = await page.save("contact", CONTACT | {"clinic_phone": "12"}, 409, seen=seen)
    assert EN["settings.stale"] in said
    assert EN["error.settings.phone"] in said
    assert '<strong dir="auto">22\u00a033\u00a044\u00a055</strong>' in said


async def test_what_is_stored_now_is_said_in_words(server, page):
    """Of what is ticked: names of languages, yes and no."""
    seen = SEEN.findall(await page.get("/pages"))[0]
    typed = {"languages.nb": "yes", "languages.en": "yes", "languages.first": "nb", "time_zone": "Europe/Oslo"}
    await page.save("pages", typed)
    said = await page.save("pages", typed | {"languages.nn": "yes", "drop_in_allowed": "yes"}, 409, seen=seen)
    assert re.findall(r'<strong dir="auto">(.*?)</strong>', said) == ["Bokmål, English", EN["settings.no"]]


async def test_a_unit_that_is_there_already_is_changed_when_it_was_seen(server, page):
    """Typed as another unit, with more spaces too: its own form comes with what was typed, and is saved from there."""
    await page.save("clinics", {"unit": "Unit 3", "number": "33 33 33 33", "contact": ""})
    again = {"unit": " Unit  3", "number": "44 44 44 44", "contact": ""}
    said = await page.save("clinics", again, 409)
    assert '<strong dir="auto">33\u00a033\u00a033\u00a033</strong>' in said
    await page.save("clinics", again, seen=SEEN.findall(said)[0])
    assert (await stored(server)).clinics == {"Unit 3": {"number": "44 44 44 44"}}


async def test_a_form_of_another_part_is_not_stale(server, page):
    """Who changes texts is not told of somebody who changed a phone."""
    seen = SEEN.findall(await page.get("/emergency"))[0]
    await page.save("contact", CONTACT | {"support_phone": "22 33 44 55"})
    await page.save("emergency", {"texts/emergency/en": "# Call 113\r\nNow."}, seen=seen)
    assert (await stored(server)).texts == {"emergency": {"en": "# Call 113\nNow."}}
    told = [one.detail for one in await logged(server) if one.outcome == "done"]
    assert "texts/emergency/en" in told, "a text may name people, and the log does not have it"


async def test_a_change_is_taken_back_unless_it_was_changed_since(server, page):
    """Undo is a change itself, which can be undone; of two changes of the same only the newer one can."""
    await page.save("contact", CONTACT | {"support_phone": "22 33 44 55"})
    (first,) = await server.store.setting_changes(operator_of(SUNNAAS))
    said = await page.post("/undo", {"change": first.id})
    assert EN["settings.said.undone"] in said
    assert EN["settings.undo.was"] in said
    assert (await stored(server)).support_phone == SUNNAAS.support_phone
    said = await page.post("/undo", {"change": first.id}, 409)
    assert EN["settings.undo.stale"] in said
    assert [one.undoes for one in await server.store.setting_changes(operator_of(SUNNAAS))] == [first.id, None]
    assert len([one for one in await logged(server) if one.outcome == "done"]) == 2
    await page.save("contact", CONTACT | {"support_phone": "22 33 44 55"})
    await page.post("/undo", {"change": first.id}, 409)
    assert (await page.get()).count(f'aria-label="{EN["settings.undo"]}: ') == 1, "the same value, but a newer change"
    for odd in ("", "none"):
        await page.post("/undo", {"change": odd}, 404)


async def test_languages_links_and_choices(server, page):
    """Ticked is yes; the language that is chosen as the first stands first, and is the first that pages offer."""
    await page.save(
        "pages",
        {
            "languages.nb": "yes",
            "languages.en": "yes",
            "languages.first": "en",
            "time_zone": "Europe/Oslo",
            "asks_afterwards": "yes",
        },
    )
    await page.save("links", {"links_off.organiser": "yes", "links_off.support": "yes"})
    found = await stored(server)
    assert (found.languages, found.drop_in_allowed, found.asks_afterwards) == (("en", "nb"), False, True)
    assert found.links_off == ("support", "organiser")
    shown = await page.get("/links")
    assert shown.count(" checked") == 2


async def test_a_units_own_clinic(server, page, http):
    """Its number and whom to ask for are what its meetings tell; emptied, the organisation's are."""
    from readiness.meetings.clinics import clinic_contact, clinic_phone

    cast = await make_cast(server.store)
    meeting = replace(cast.meeting, unit="Unit 3")
    await page.save("contact", CONTACT | {"clinic_phone": "22 22 22 22", "clinic_contact": "Kari"})
    await page.save("clinics", {"unit": "Unit 3", "number": "33 33 33 33", "contact": "Ola"})
    found = await stored(server)
    assert (clinic_phone(meeting, found), clinic_contact(meeting, found)) == ("33 33 33 33", "Ola")
    assert (clinic_phone(cast.meeting, found), clinic_contact(cast.meeting, found)) == ("22 22 22 22", "Kari")
    own = replace(meeting, clinic_phone="44 44 44 44")
    assert (clinic_phone(own, found), clinic_contact(own, found)) == ("44 44 44 44", "")
    seen = SEEN.findall(await page.get("/clinics"))[0]
    await page.save("clinics", {"unit": "Unit 3", "number": "", "contact": ""}, seen=seen)
    assert (await stored(server)).clinics == {}


async def test_texts_are_shown_as_their_readers_see_them(server, page):
    """Ours for comparison, the own one as it looks; markup in it stays text."""
    assert EN["settings.texts.look"] not in await page.get("/checklist")
    said = await page.save("checklist", {"texts/checklist/en": "At **ours** <b>x</b> [y](javascript:z), {phone}"})
    assert "At <strong>ours</strong> &lt;b&gt;x&lt;/b&gt; [y](javascript:z), " in page.source, "as its readers see it"
    assert "<b>" not in page.source
    assert said.count(f"<summary>{EN['settings.texts.default']}") == 3


async def test_what_the_server_has_is_shown_without_secrets(server, page):
    """In use or not; a secret is never there, and no form changes it."""
    settings = replace(server.services.settings, smtp_url=Secret("smtp://u:hemmelig@mail"), mail_from="a@b.example")
    server.services.settings = settings
    shown = await page.get()
    assert EN["settings.used"] in shown
    assert "a@b.example" in shown
    assert "hemmelig" not in shown
    await page.get("/smtp_url", 404)
    await page.post("/smtp_url", {}, 404)


async def test_the_command_line_is_listed_too(server, page):
    """What an operator changes can be taken back on the page."""
    await server.store.ensure_organisation(replace(SUNNAAS, support_phone="800 80 000"))
    assert EN["settings.by.operator"] in await page.get()
    (made,) = await server.store.setting_changes(operator_of(SUNNAAS))
    await page.post("/undo", {"change": made.id})
    assert (await stored(server)).support_phone == SUNNAAS.support_phone


@pytest.mark.parametrize("roles", [("support", "organiser", "room_manager", "reader"), ()])
async def test_nobody_else_gets_in(server, http, page, roles):
    """Whatever other role one has."""
    session, secret = await signed_in(server.store, "sunnaas", server.services.now(), roles, name="Sven")
    other = Page(http, session, secret)
    await other.get("", 404)
    await other.get("/contact", 404)
    await other.post("/contact", CONTACT, 404)
    await other.post("/undo", {"change": "x"}, 404)


async def test_another_organisations_changes_are_not_there(server, page):
    """Neither listed nor taken back."""
    east = await server.store.ensure_organisation(replace(SUNNAAS, id="east", slug="east"))
    await server.store.ensure_organisation(replace(east, name="East"))
    (made,) = await server.store.setting_changes(operator_of(east))
    assert "East" not in await page.get()
    await page.post("/undo", {"change": made.id}, 404)


async def test_a_trial_is_sent_by_real_mail_and_sms_and_logged(server, page):
    """To the address that was typed, by the server's own settings; the log says so without the address."""
    async with mailbox() as box, gateway() as sms:
        server.services.settings = replace(
            server.services.settings, smtp_url=Secret(box.url), mail_from="klar@sunnaas.example",
            sms_url=Secret(sms.url),
        )  # fmt: skip
        assert EN["settings.said.sent"] in await page.post("/messages", {"mail": "Ada <ada@post.example>"})
        assert EN["settings.said.sent"] in await page.post("/messages", {"sms": "900 00 000"})
        (mail,) = box.to("ada@post.example")
        assert mail["Subject"] == EN["settings.test.subject"]
        assert "Sunnaas" in mail.get_content()
        assert sms.sent()[0]["to"] == "+4790000000"
        box.answers["gone@post.example"] = "550 5.1.1 no such user"
        said = await page.post("/messages", {"mail": "gone@post.example"}, 200)
        assert EN["delivery.refused"] in said
        assert 'value="gone@post.example"' in said
    found = [(one.kind, one.detail, one.outcome) for one in await logged(server, "settings.try")]
    assert found == [("staff", f"channel={one}", how) for one, how in (
        ("mail", "begun"), ("mail", "done"), ("sms", "begun"), ("sms", "done"), ("mail", "begun"), ("mail", "refused"),
    )]  # fmt: skip


async def test_a_trial_goes_to_one_right_address_and_not_too_often(server, page):
    """What is wrong is said at its field; without a server it says so; the sixth at once is too many."""
    for form, code in (
        ({"mail": ""}, "settings.needed"), ({"mail": "ada"}, "person.mail"),
        ({"sms": "22 33 44 55"}, "settings.mobile"),
    ):  # fmt: skip
        said = await page.post("/messages", form, 400)
        assert EN["settings.test.problem"] in said
        assert EN[f"error.{code}"] in said
        assert said.count('aria-invalid="true"') == 1
    for number in range(MOST_TRIALS):
        channel, code = (("mail", "no_mail_server"), ("sms", "no_sms_gateway"))[number % 2]
        typed = {"mail": "ada@post.example", "sms": "900 00 000"}[channel]
        assert EN[f"delivery.{code}"] in await page.post("/messages", {channel: typed}, 200)
    assert EN["settings.test.too_often"] in await page.post("/messages", {"mail": "ada@post.example"}, 429)


async def test_a_routine_of_ones_own_is_a_link_for_staff(server, http, page):
    """On board, checklists and the pages of staff, by its own name or ours; https alone, and no markup."""
    link = "https://intranett.sykehus.example/rutine?a=1&b='2"
    for wrong in ("http://intranett.sykehus.example", "javascript:alert(1)", "https://a b.example", "//a.example"):
        said = await page.save("routine", {"choices/routine_link": wrong, "choices/routine_name": ""}, 400)
        assert EN["error.settings.link"] in said
    async with http.get("/o/sunnaas/board?lang=en") as answer:
        assert EN["board.routine"] not in await answer.text()
    await page.save("routine", {"choices/routine_link": link, "choices/routine_name": ""})
    assert (await stored(server)).choices == {"routine_link": link}
    async with http.get("/o/sunnaas/board?lang=en") as answer:
        board = await answer.text()
    assert board.count(f'href="{escape(link)}"') == 3, "once at the foot and in each checklist"
    assert board.count(f">{EN['board.routine']}</a>") == 3
    await page.save("routine", {"choices/routine_link": link, "choices/routine_name": "Støtte <b>"})
    async with http.get(f"/staff/{page.session}?lang=en", headers=page.headers) as answer:
        assert ">Støtte &lt;b&gt;</a>" in await answer.text()
    assert "Støtte <b>" in await page.get(), "among the changes"
    await page.save("routine", {"choices/routine_link": "", "choices/routine_name": ""})
    assert (await stored(server)).choices == {}


async def test_the_notice_has_what_only_the_organisation_knows(server, http, page):
    """Law and officer in our text, as plain text; the months are those that figures are kept here."""
    async with http.get("/o/sunnaas/privacy?lang=en") as answer:
        text = await answer.text()
    assert EN["notice.legal"] in text
    assert "13 months" in text
    form = {f"texts/privacy/{one}": "" for one in ("nb", "nn", "en")}
    own = {"choices/notice_legal": "We follow <the> Act.", "choices/notice_dpo": "Ask dpo@sunnaas.example."}
    await page.save("privacy", form | own)
    await page.save("kept", {"choices/figures_months": "6"})
    async with http.get("/o/sunnaas/privacy?lang=en") as answer:
        text = await answer.text()
    for told in ("We follow &lt;the&gt; Act.", "Ask dpo@sunnaas.example.", "6 months"):
        assert told in text, told
    assert EN["notice.legal"] not in text
    assert EN["notice.dpo"] not in text
    assert "choices/notice_dpo" in [one.detail for one in await logged(server)], "named, but not who it is"
