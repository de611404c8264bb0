"""Canaries: a link's secret, a phone number and the names of devices leave no trace where they do not belong."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from readiness.access.contacts import ContactBox
from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import Person, check
from tests.browser.test_links import PLACES, link
from tests.cast import make_cast

PHONE_NUMBER = "+47 912 34 567"
PHONE_FORMS = (PHONE_NUMBER, PHONE_NUMBER.replace(" ", ""), "91234567", "912 34 567")
LABELS = ("fake_device_0", "Fake Default Audio Input", "Fake Audio Input", "Fake Default Audio Output")
"""What Chromium calls its made-up devices."""
SEEN_LABELS = "navigator.mediaDevices.enumerateDevices().then(list => list.map(({ label }) => label))"


async def test_secrets_numbers_and_device_names_leave_no_trace(own_server: LiveServer, chromium: Launch):
    """Not in the log, the page's title, address or referrer, and not in the database; the number only encrypted."""
    store = await own_server.open_store()
    try:
        cast = await make_cast(store, practical=("private_room", "people", "phone"))
    finally:
        await store.close()
    browser = await chromium()
    anna = await Person.at(browser, link(own_server, cast.anna_token))
    sent: list[str] = []
    anna.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    requests: list[str] = []
    anna.page.context.on("request", lambda request: requests.append(f"{request.url} {request.headers}"))
    await anna.start()
    report = await anna.finish(look=False, tell={"private_room": "yes", "phone": PHONE_NUMBER})
    assert check(report, "practical.phone")["value"] == "given"
    board = await anna.page.context.new_page()
    await board.goto(link(own_server, cast.lars_token, "board"))
    await board.wait_for_selector("#participants > li")
    places = await anna.page.evaluate(PLACES) + await board.evaluate(PLACES)
    assert set(LABELS) & set(await anna.page.evaluate(SEEN_LABELS)), "the browser does name its devices"
    await browser.close()
    own_server.stop()

    tokens = (cast.anna_token, cast.lars_token)
    log = own_server.log_path.read_text()
    with closing(sqlite3.connect(own_server.database)) as database:
        dump = "\n".join(database.iterdump())
    files = b"".join(path.read_bytes() for path in own_server.folder.rglob("*") if path.is_file())
    assert "selftest" in dump or "self_test" in dump, "the dump is a dump"
    for secret in (*tokens, *PHONE_FORMS, *LABELS):
        assert secret not in log
        assert secret not in dump
        assert secret.encode() not in files
    for secret in (*tokens, *LABELS):
        assert secret not in places
        assert not [line for line in (*requests, *sent) if secret in line]
    assert PHONE_NUMBER not in str(report)
    assert _kept_phone(own_server, cast.anna.id) == PHONE_NUMBER
    assert not [event for event in own_server.events() if event["level"] == "error"]


def _kept_phone(server: LiveServer, participant: str) -> str | None:
    """The number as the service itself can read it, with the key that stands outside the database."""
    with closing(sqlite3.connect(server.database)) as database:
        query = "select contact from participant where id = ?"
        (sealed,) = database.execute(query, (participant,)).fetchone()
    assert isinstance(sealed, bytes)
    return ContactBox((server.folder / "data" / "secret.key").read_text().strip()).open(sealed)
