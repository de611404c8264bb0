"""What participants are told: the privacy notice and the tips, in each language, without a test and without a link."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from readiness.meetings.planner import PERSON_KEPT
from readiness.texts import LANGUAGES
from reports.render.phones import phone_in
from reports.store.records import ANSWERS_AFTER_END
from reports.store.setting_records import FIGURES_KEPT
from tests.cast import SUNNAAS
from tests.test_texts import lix


async def read(http, name: str, language: str) -> str:
    async with http.get(f"/o/sunnaas/{name}", params={"lang": language}) as answer:
        assert answer.status == 200
        text = re.sub(r"<(script|style|nav)\b.*?</\1>", "", await answer.text(), flags=re.DOTALL)
    return text[text.index("<article") : text.index("</article>")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["privacy", "tips"])
async def test_it_is_whole_plain_and_says_whom_to_call(server, http, name: str, language: str):
    """Nothing left to fill, sentences of at most 20 words, easier than a newspaper, two numbers for two things."""
    await server.store.ensure_organisation(replace(SUNNAAS, clinic_phone="+47 66 00 00 00"))
    page = await read(http, name, language)
    text = re.sub(r"<[^>]+>", " ", page.replace("</li>", ".</li>").replace("</h", ".</h"))
    assert not re.search(r"\{\w+\}", text)
    assert phone_in(language, SUNNAAS.support_phone) in text
    assert phone_in(language, "+47 66 00 00 00") in text
    sentences = [one.split() for one in re.split(r"[.!?:]\s", text)]
    assert max(len(words) for words in sentences) <= 20
    assert lix(" ".join(text.split())) <= 35


@pytest.mark.parametrize("language", LANGUAGES)
async def test_its_numbers_are_what_the_code_does(server, http, language: str):
    """24 hours, seven days and 13 months are the constants of retention."""
    assert (timedelta(hours=24), timedelta(days=7)) == (PERSON_KEPT, ANSWERS_AFTER_END)
    assert timedelta(days=390) <= FIGURES_KEPT <= timedelta(days=400)
    await server.store.ensure_organisation(SUNNAAS)
    text = (await read(http, "privacy", language)).replace(phone_in(language, SUNNAAS.support_phone), "")
    numbers = re.findall(r"\d+", re.sub(r"<[^>]+>", "", text))
    assert numbers == ["24", "13"]


async def test_an_organisation_says_it_in_its_own_words(server, http):
    """Its legal basis and its data protection officer stand in a text of its own."""
    own = {"privacy": {"nb": "# Personvern\n\nVi følger loven. Skriv til ombud@sykehus.example."}}
    await server.store.ensure_organisation(replace(SUNNAAS, texts=own))
    assert "ombud@sykehus.example" in await read(http, "privacy", "nb")
    assert "ombud@" not in await read(http, "privacy", "en")
