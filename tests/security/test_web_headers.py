"""WEB-1 and WEB-6: the same strict headers on every answer, nothing to look around in, no GET that changes state."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_network
from urllib.parse import urlsplit

import pytest

from readiness.server.app import make_app
from readiness.texts import WEB_FOLDER
from tests.cast import make_cast
from tests.security.support import dump_digest, raw, raw_get, redeem

OUR_OWN = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
        "connect-src 'self' {socket}; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types readiness-worker; report-uri /api/v1/csp-reports"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=(), display-capture=()",
    "server": "readiness",
}
HTTP_OWN = {
    "allow", "cache-control", "connection", "content-disposition", "content-encoding", "content-language",
    "content-length", "content-type", "date", "retry-after", "transfer-encoding", "upgrade", "vary",
    "x-accel-buffering",
}  # fmt: skip
FOREVER = "public, max-age=31536000, immutable"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "PATCH")


def wrong_headers(base: str, headers: dict[str, str], *, secure: bool = False, bare: bool = False) -> list[str]:
    """Everything about a header set that is not exactly as it has to be; `bare` of a script or style."""
    socket = ("wss://" if secure else "ws://") + urlsplit(base).netloc
    wanted = {name: value.format(socket=socket) for name, value in OUR_OWN.items()}
    if bare:
        wanted["content-security-policy"] = "default-src 'none'; frame-ancestors 'none'"
    if secure:
        wanted["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    faults = [f"{name}: {headers.get(name)!r}" for name in wanted if headers.get(name) != wanted[name]]
    faults += [f"{name} is not ours" for name in set(headers) - set(wanted) - HTTP_OWN]
    if headers.get("cache-control") not in {"no-store", FOREVER, "public, max-age=86400"}:
        faults.append(f"cache-control: {headers.get('cache-control')!r}")
    return faults


def paths_of(server, session: str) -> set[str]:
    """Every registered route with its blanks filled in, and addresses that there are none for."""
    filled = {"organisation": "sunnaas", "session": session, "version": server.services.assets.version}
    filled |= {"name": "selftest/js/main.js"}
    canonical = [resource.canonical for resource in make_app(server.services).router.resources()]
    assert len(canonical) >= 15
    found = {re.sub(r"\{(\w+)(:[^}]*)?\}", lambda match: filled.get(match[1], "none"), path) for path in canonical}
    return found | {
        "/nowhere",
        "/o/unknown/t",
        "/o/sunnaas",
        "/t/",
        "/static/",
        "/static/x/nothing.js",
        "/metrics",
        "/admin",
    }


async def test_WEB_1_and_no_GET_changes_state(server, http, tmp_path):
    """Each route by each method answers with the whole header set, never 5xx, and the database stays as it was."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    cookie = "; ".join(f"{one.key}={one.value}" for one in http.cookie_jar)
    seen, faults, before = 0, [], dump_digest(tmp_path)
    for path in sorted(paths_of(server, session)):
        for method in METHODS:
            if method == "DELETE" and path.endswith("/report"):
                continue
            for accept in ("*/*", "text/html"):
                extra = f"Accept: {accept}\r\nCookie: {cookie}\r\nContent-Length: 0\r\n"
                status, headers, body = await raw_get(server.base, path, method=method, extra=extra)
                seen += 1
                if status >= 500 and not (path == "/readyz" and status == 503):
                    faults.append(f"{method} {path} gives {status}")
                refused = {401, 404, 405} if method == "PATCH" else {404, 405}
                if method in {"TRACE", "PUT", "PATCH"} and status not in refused:
                    faults.append(f"{method} {path} gives {status}")
                if method == "TRACE" and b"Cookie" in body:
                    faults.append(f"TRACE {path} echoes the request")
                bare = path.endswith("/selftest/js/main.js") and status == 200
                faults += [
                    f"{method} {path} {status} {fault}" for fault in wrong_headers(server.base, headers, bare=bare)
                ]
                static = path.startswith(f"/static/{server.services.assets.version}/") or path == "/favicon.ico"
                if headers.get("cache-control") != "no-store" and not (static and status == 200):
                    faults.append(f"{method} {path} may be cached")
    assert not faults, "\n".join(faults[:30])
    assert seen > 300
    opened = dump_digest(tmp_path)
    assert opened == before, "a request without a body, GETs among them, changed the database"


async def test_WEB_1_the_event_stream_and_the_upgrade_carry_them_too(server, http):
    """Server-sent events and a WebSocket's 101 answer have the same header set."""
    cast = await make_cast(server.store)
    board = await redeem(http, cast.lars_token)
    async with http.get(f"/api/v1/boards/{board}/events") as answer:
        assert answer.status == 200
        assert wrong_headers(server.base, {name.lower(): value for name, value in answer.headers.items()}) == []
    async with http.ws_connect("/api/v1/session") as socket:
        headers = {name.lower(): value for name, value in socket._response.headers.items()}
        assert "sec-websocket-extensions" not in headers, "no compression"
        kept = {name: value for name, value in headers.items() if name != "sec-websocket-accept"}
        assert wrong_headers(server.base, kept) == []


async def test_WEB_1_https_through_the_proxy_adds_hsts(server):
    """HSTS for a year and a wss origin, only when a configured proxy says that the browser came by https."""
    extra = "X-Forwarded-Proto: https\r\n"
    _, plain, _ = await raw_get(server.base, "/o/sunnaas/t", extra=extra)
    assert "strict-transport-security" not in plain
    assert wrong_headers(server.base, plain) == []
    server.services.settings = replace(server.services.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    static = server.services.assets.base
    for path in ("/o/sunnaas/t", "/healthz", "/nowhere", f"{static}/shared/tokens.css"):
        _, secure, _ = await raw_get(server.base, path, extra=extra)
        assert wrong_headers(server.base, secure, secure=True, bare=path.endswith(".css")) == [], path
        _, plain, _ = await raw_get(server.base, path, extra="X-Forwarded-Proto: http\r\n")
        assert "strict-transport-security" not in plain


async def test_WEB_1_a_worker_has_the_policy_of_a_page(server):
    """A worker goes by what its own script comes with; scripts that a page loads go by the page's."""
    for name in sorted(path.name for path in (WEB_FOLDER / "selftest" / "js").glob("*-worker.js")):
        _, headers, _ = await raw_get(server.base, f"{server.services.assets.base}/selftest/js/{name}")
        assert wrong_headers(server.base, headers) == [], name


MALFORMED = {
    "unknown method": b"BREW / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "known but odd method": b"PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no target": b"GET\r\n\r\n",
    "bad header": b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\nConnection: close\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    "long target": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\nConnection: close\r\n\r\n",
    "host with a policy in it": b"GET / HTTP/1.1\r\nHost: x; script-src *\r\nConnection: close\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    "http 1.0": b"GET /nowhere HTTP/1.0\r\n\r\n",
    "absolute target": b"GET http://elsewhere.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_WEB_6_malformed_requests_learn_nothing(server, name, caplog):
    """What is no proper request gets a 4xx or a page with strict headers, without banner, trace or its own bytes."""
    status, headers, body = await raw(server.base, MALFORMED[name])
    assert status < 500
    assert headers["server"] == "readiness"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src *" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    for word in (b"aiohttp", b"Python", b"Traceback", b"BREW", b"script-src *", b"aaaa"):
        assert word not in body
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}], (
        "strangers fill the log"
    )


NOTHING_THERE = [
    "/.git/config", "/.git/HEAD", "/.env", "/.well-known/", "/.htaccess", "/.ssh/id_rsa", "/metrics", "/server-status",
    "/debug", "/phpinfo.php", "/wp-login.php", "/static", "/static/", "/static/{v}", "/static/{v}/", "/static/{v}/.",
    "/static/{v}/..", "/static/{v}/../../pyproject.toml", "/static/{v}/../pyproject.toml",
    "/static/{v}/%2e%2e/pyproject.toml",
    "/static/{v}/..%2fpyproject.toml", "/static/{v}/%2e%2e%2fpyproject.toml", "/static/{v}/..%5cpyproject.toml",
    "/static/{v}/%252e%252e/pyproject.toml", "/static/{v}//etc/passwd", "/static/{v}/%2fetc%2fpasswd",
    "/static/{v}/shared/../../readiness/settings.py", "/static/{v}/selftest/js/", "/static/{v}/selftest/js",
    "/static/{v}/selftest/index.html", "/static/{v}/board/index.html", "/static/{v}/shared/error.html",
    "/static/{v}/shared/types.d.ts", "/static/{v}/shared/tokens.css%00.js", "/static/{v}/selftest/audio/README.md",
    "/static/{v}/SHARED/TOKENS.CSS", "/static/../pyproject.toml", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
    "/o/../o/sunnaas/t/..", "/o/.git/t", "/o/%2e%2e/t", "/readiness.sqlite3", "/.data/secret.key", "/pyproject.toml",
]  # fmt: skip


async def test_WEB_6_nothing_to_look_around_in(server):
    """Dotfiles, directories, templates, sources and paths that climb give 404; no answer lists a folder."""
    await make_cast(server.store)
    found = []
    for pattern in NOTHING_THERE:
        path = pattern.replace("{v}", server.services.assets.version)
        for accept in ("*/*", "text/html"):
            status, headers, body = await raw_get(server.base, path, extra=f"Accept: {accept}\r\n")
            if status != 404:
                found.append(f"{path} gives {status}")
            if b"[project]" in body or b"root:" in body or b"{{" in body:
                found.append(f"{path} gives content")
            found += [f"{path} {fault}" for fault in wrong_headers(server.base, headers)]
    assert not found, "\n".join(found)


async def test_WEB_6_unknown_addresses_look_alike(server):
    """A folder that is there and one that is not are the same bytes."""
    version = server.services.assets.version
    bodies = {
        (await raw_get(server.base, path))[2] for path in (f"/static/{version}/selftest", f"/static/{version}/nothing")
    }
    assert len(bodies) == 1
