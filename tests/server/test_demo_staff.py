"""The demo's sign-in: pick a role, on this machine and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from readiness.demo import DEMO_SLUG, prepare_demo
from readiness.server.demo_staff import ROLES, is_local
from readiness.settings import load_settings
from tests.cast import SUNNAAS

OFFICES = {
    "administrator": "settings",
    "support": "support",
    "organiser": "plan",
    "leader": "api/v1/boards",
    "room_manager": "rooms",
    "reader": "overview",
}
"""Each role's page."""
READERS = {"administrator", "support", "organiser", "reader"}
"""Who gets the overview too."""


@pytest.fixture
async def demo(server) -> str:
    """A demo that is offered, beside an organisation that is none; the address at which a role is picked."""
    server.services.demo_sign_in = True
    await server.store.ensure_organisation(replace(SUNNAAS, id="sunnaas", slug="sunnaas"))
    await prepare_demo(server.store, server.services.contacts, "", server.services.now())
    return f"/o/{DEMO_SLUG}/demo"


async def test_whoever_picks_a_role_gets_its_page_and_no_other(http, demo):
    """The page names the roles; each opens a session of staff with that role alone."""
    async with http.get(f"/o/{DEMO_SLUG}/staff") as answer:
        page = await answer.text()
        assert answer.status == 200
    assert set(OFFICES) == set(ROLES)
    for role in OFFICES:
        assert f'action="{demo}/{role}"' in page
        async with http.post(f"{demo}/{role}", allow_redirects=False) as answer:
            assert answer.status == 303
            session = answer.headers["Location"].removeprefix("/staff/")
        for other, path in OFFICES.items():
            async with http.get(f"/{path}/{session}") as answer:
                is_open = role in READERS if path == "overview" else other == role
                assert answer.status == (200 if is_open else 404), (role, path)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "demo.example"},
        {"Forwarded": "for=192.0.2.1"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {"x-forwarded-anything": ""},
        {"X-Real-IP": "192.0.2.1"},
        {"Via": "1.1 proxy"},
    ],
    ids=lambda headers: "-".join(headers),
)
async def test_it_does_not_exist_by_another_name_or_through_a_proxy(http, demo, headers):
    """Neither the page nor the act, whatever the proxy says."""
    async with http.get(f"/o/{DEMO_SLUG}/staff", headers=headers) as answer:
        assert answer.status == 404
    async with http.post(f"{demo}/support", headers=headers, allow_redirects=False) as answer:
        assert answer.status == 404
        assert not answer.cookies


async def test_it_does_not_exist_elsewhere(server, http, demo):
    """At another organisation, for a role that there is not, and where the server does not offer it."""
    for path in ("/o/sunnaas/demo/support", "/o/nobody/demo/support", f"{demo}/operator"):
        async with http.post(path, allow_redirects=False) as answer:
            assert answer.status == 404, path
    server.services.demo_sign_in = False
    async with http.post(f"{demo}/support", allow_redirects=False) as answer:
        assert answer.status == 404


def test_only_a_server_that_this_machine_alone_reaches_offers_it(tmp_path):
    """Bound to a loopback address, with no public name but this machine's, and no trusted proxy."""
    settings = load_settings({"READINESS_DATA_DIR": str(tmp_path)})
    assert is_local(settings, "127.0.0.1")
    assert is_local(replace(settings, public_url="http://localhost:8080"), "::1")
    for bound in ("0.0.0.0", "::", "192.0.2.1", "nowhere"):
        assert not is_local(settings, bound)
    assert not is_local(replace(settings, public_url="https://ready.example"), "127.0.0.1")
    assert not is_local(replace(settings, trusted_proxies=(ip_network("10.0.0.0/8"),)), "127.0.0.1")
