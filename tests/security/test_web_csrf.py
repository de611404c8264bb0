"""WEB-2 and WEB-5: no other site changes anything, and only a configured proxy may say where a request comes from."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_network

from readiness.access.limits import FAILURES_PER_PREFIX
from readiness.access.tokens import new_token
from readiness.server.app import make_app
from tests.cast import make_cast
from tests.security.support import dump_digest, raw_get, redeem

SAFE = {"GET", "HEAD", "OPTIONS"}
FOREIGN = "https://evil.example"
REFUSED = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "{own}"},
    {"Sec-Fetch-Site": "rubbish"},
    {"Sec-Fetch-Site": ""},
    {"Origin": FOREIGN},
    {"Origin": "null"},
    {"Origin": "{own}.evil.example"},
    {"Origin": "https{own_host}"},
    {"Origin": ""},
]
ALLOWED = [
    {"Sec-Fetch-Site": "same-origin", "Origin": "{own}"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "{own}"},
    {},
]


def filled(headers: dict[str, str], base: str) -> dict[str, str]:
    own_host = base.removeprefix("http")
    return {name: value.replace("{own_host}", own_host).replace("{own}", base) for name, value in headers.items()}


def unsafe_routes(server, session: str) -> list[tuple[str, str]]:
    """Every route that is not a read, by the application's own table."""
    blanks = {"organisation": "sunnaas", "session": session}
    found = [
        (route.method, re.sub(r"\{(\w+)\}", lambda match: blanks.get(match[1], "none"), route.resource.canonical))
        for route in make_app(server.services).router.routes()
        if route.method not in SAFE
    ]
    assert len(found) >= 4
    return found


async def test_WEB_2_other_sites_change_nothing(server, http, tmp_path):
    """Every unsafe route refuses each cross-site combination with 403 before it looks at anything."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    before, wrong = dump_digest(tmp_path), []
    for method, path in [*unsafe_routes(server, session), ("POST", "/nowhere"), ("DELETE", "/")]:
        for headers in REFUSED:
            body = {"organisation": "sunnaas", "token": cast.per_token}
            async with http.request(method, path, headers=filled(headers, server.base), json=body) as answer:
                if answer.status != 403 or (await answer.json())["error"]["code"] != "origin.foreign":
                    wrong.append(f"{method} {path} {headers} gives {answer.status}")
                assert "Set-Cookie" not in answer.headers
                assert "Access-Control-Allow-Origin" not in answer.headers
    assert not wrong, "\n".join(wrong)
    assert dump_digest(tmp_path) == before


async def test_WEB_2_our_own_pages_may(server, http):
    """The same routes let our own pages, the address bar and programs other than browsers through."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    for method, path in unsafe_routes(server, session):
        for headers in ALLOWED:
            async with http.request(method, path, headers=filled(headers, server.base), json={}) as answer:
                assert answer.status != 403, f"{method} {path} {headers}"
                assert answer.status < 500


async def test_WEB_2_a_form_of_another_site_has_the_wrong_content_type(server, http):
    """Bodies that a plain form can send are refused even without the headers of modern browsers."""
    cast = await make_cast(server.store)
    body = f'{{"organisation":"sunnaas","token":"{cast.anna_token}"}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        async with http.post("/api/v1/links/redeem", data=body.encode(), headers={"Content-Type": kind}) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["code"] == "request.not_json"


async def test_WEB_2_no_answer_lets_another_site_read(server):
    """A preflight gets no permission."""
    extra = f"Origin: {FOREIGN}\r\nAccess-Control-Request-Method: POST\r\n"
    status, headers, _ = await raw_get(server.base, "/api/v1/links/redeem", method="OPTIONS", extra=extra)
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control")]


async def statuses(http, count: int, forwarded) -> list[int]:
    found = []
    for index in range(count):
        headers = {"X-Forwarded-For": forwarded(index)}
        body = {"organisation": "sunnaas", "token": new_token()}
        async with http.post("/api/v1/links/redeem", json=body, headers=headers) as answer:
            found.append(answer.status)
    return found


def behind_proxy(server) -> None:
    networks = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"))
    server.services.settings = replace(server.services.settings, trusted_proxies=networks)


async def test_WEB_5_a_spoofed_address_is_worth_nothing(server, http):
    """Without a configured proxy a guesser who changes X-Forwarded-For with each try is slowed all the same."""
    await make_cast(server.store)
    found = await statuses(http, FAILURES_PER_PREFIX + 3, lambda index: f"203.0.113.{index}")
    assert found == [404] * FAILURES_PER_PREFIX + [429] * 3


async def test_WEB_5_a_spoofed_host_or_scheme_is_worth_nothing(server, http):
    """X-Forwarded-Host and -Proto of a stranger change neither policy, cookie nor what counts as our own origin."""
    cast = await make_cast(server.store)
    spoof = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.example;proto=https",
    }
    body = {"organisation": "sunnaas", "token": cast.anna_token}
    async with http.post("/api/v1/links/redeem", json=body, headers=spoof) as answer:
        assert answer.status == 200
        assert "evil.example" not in str(answer.headers)
        cookie = answer.headers["Set-Cookie"]
        assert "__Host-" not in cookie
        assert "Secure" not in cookie
    async with http.post("/api/v1/links/redeem", json=body, headers={**spoof, "Origin": FOREIGN}) as answer:
        assert answer.status == 403


async def test_WEB_5_behind_a_proxy_the_right_most_foreign_address_counts(server, http):
    """What a client wrote itself stands to the left of what the proxies added, and is ignored."""
    await make_cast(server.store)
    behind_proxy(server)
    found = await statuses(http, FAILURES_PER_PREFIX + 2, lambda index: f"198.51.100.{index}, 203.0.113.7, 10.1.2.3")
    assert found[-2:] == [429, 429]
    found = await statuses(http, FAILURES_PER_PREFIX + 2, lambda index: f"198.51.100.1, 203.0.113.{100 + index}")
    assert 429 not in found
    found = await statuses(http, FAILURES_PER_PREFIX + 2, lambda index: f"203.0.113.8:{4000 + index}, 10.1.2.3")
    assert found[-2:] == [429, 429], "a port is no new address"


async def test_WEB_5_a_proxy_that_adds_a_line_of_its_own_counts_too(server):
    """HAProxy appends a second X-Forwarded-For line: the client's own line above it is ignored."""
    await make_cast(server.store)
    behind_proxy(server)
    keys = []
    server.services.failures.failed = keys.append
    body = '{"organisation":"sunnaas","token":"x"}'
    extra = "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.9\r\nContent-Type: application/json\r\n"
    extra += f"Content-Length: {len(body)}\r\n\r\n{body}"
    await raw_get(server.base, "/api/v1/links/redeem", method="POST", extra=extra)
    assert keys == ["203.0.113.9"]


async def test_WEB_5_https_through_the_proxy_makes_secure_cookies(server, http):
    """Behind the configured proxy the cookie is Secure under the __Host- prefix, and the proxy's host is our origin."""
    cast = await make_cast(server.store)
    behind_proxy(server)
    through = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "ready.example", "Origin": "https://ready.example"}
    body = {"organisation": "sunnaas", "token": cast.anna_token}
    async with http.post("/api/v1/links/redeem", json=body, headers=through) as answer:
        assert answer.status == 200
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-rd-")
        for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert part in cookie
        assert "Domain" not in cookie
        assert "wss://ready.example" in answer.headers["Content-Security-Policy"]
    async with http.post("/api/v1/links/redeem", json=body, headers={**through, "Origin": server.base}) as answer:
        assert answer.status == 403


async def test_a_body_that_comes_in_pieces_is_read_whole(server):
    """A slow network cuts a small body anywhere; it is still one body."""
    import asyncio
    from urllib.parse import urlsplit

    cast = await make_cast(server.store)
    body = f'{{"organisation":"sunnaas","token":"{cast.anna_token}"}}'.encode()
    parts = urlsplit(server.base)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"POST /api/v1/links/redeem HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body[:20])
    await writer.drain()
    await asyncio.sleep(0.3)
    writer.write(body[20:])
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
