"""AUT-4 with a provider that lies: tokens made to order, answers that never end, keys that change. 0 are let in."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from readiness.access import oidc_transport
from readiness.access.oidc import LOGOUT_EVENT, Refused, check_id_token, read_keys
from readiness.access.providers import load_providers
from readiness.errors import AccessError, SettingError
from readiness.server.serve import _prepare_shared
from readiness.settings import load_settings
from tests.conftest import Server
from tests.patience import PATIENCE_S
from tests.sign_in.conftest import served_with
from tests.sign_in.test_providers import begun, browser

KEY, OTHER = RSAKey.generate_key(2048, {"kid": "r1"}), RSAKey.generate_key(2048, {"kid": "r1"})
EC = ECKey.generate_key("P-256", {"kid": "e1"})
Made = Callable[["Hostile"], str]


def part(value: object) -> str:
    """JSON as a segment of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Hostile:
    """A provider that says what a test wants: `token` makes the ID token of the attempt with `nonce`."""

    issuer: str = ""
    nonce: str = ""
    now: int = 0
    token: Made = lambda _self: ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [one.as_dict(private=False) for one in (KEY, EC)])
    document: dict[str, Any] = field(default_factory=dict)
    discovery: Callable[[], Any] | None = None
    keys_asked: int = 0

    def claims(self, **more: Any) -> dict[str, Any]:
        """What a good token says, but for `more`; None leaves a claim out."""
        good = {"iss": self.issuer, "aud": "readiness", "sub": "eve", "nonce": self.nonce, "iat": self.now}
        good |= {"exp": self.now + 300, "acr": "4", "roles": ["support"]}
        return {name: value for name, value in (good | more).items() if value is not None}

    def signed(self, claims: dict[str, Any] | bytes, header: dict[str, Any] | None = None, key: Any = KEY) -> str:
        """A token with these claims; signed whatever its header says."""
        header = {"alg": "RS256", "kid": "r1", "typ": "JWT"} | (header or {})
        raw = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        plain = {"alg": header["alg"]} if header["alg"] in {"RS256", "PS256", "ES256", "HS256"} else {"alg": "RS256"}
        begin = f"{part(header)}.{part(raw)}"
        algorithm = jws.JWSRegistry.algorithms[plain["alg"]]
        return f"{begin}.{part(algorithm.sign(begin.encode(), key))}"

    async def discover(self, _request: web.Request) -> web.StreamResponse:
        if self.discovery is not None:
            return await self.discovery()
        own = {name: f"{self.issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        return web.json_response(
            {"issuer": self.issuer, "code_challenge_methods_supported": ["S256"], **own, **self.document}
        )

    async def serve_keys(self, _request: web.Request) -> web.StreamResponse:
        self.keys_asked += 1
        return web.json_response({"keys": self.keys})

    async def exchange(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"access_token": "x", "token_type": "Bearer", "id_token": self.token(self)})


@asynccontextmanager
async def lying(hostile: Hostile) -> AsyncIterator[Hostile]:
    """Serve it on loopback."""
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", hostile.discover)
    app.router.add_get("/jwks_uri", hostile.serve_keys)
    app.router.add_post("/token_endpoint", hostile.exchange)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hostile.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield hostile
    finally:
        await runner.cleanup()


def written(folder: Path, issuer: str) -> Path:
    """The settings that trust it, with a security level."""
    (folder / "secret").write_text("a secret")
    path = folder / "sign-in.toml"
    path.write_text(
        f"""
[evil]
issuer = "{issuer}"
client_id = "readiness"
profile = "code"
secret_file = "secret"
ask = "IT"
level = {{ claim = "acr", is = "4" }}
[[evil.grant]]
organisation = "sunnaas"
roles = ["support"]
when = [{{ claim = "roles", is = "support" }}]
"""
    )
    return path


@asynccontextmanager
async def trusting(tmp_path: Path, migrated_file: Path, hostile: Hostile) -> AsyncIterator[Server]:
    """A server that takes it for a provider."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with served_with(tmp_path, migrated_file, written(tmp_path, hostile.issuer), listener) as server:
            yield server


async def answered(server: Server, hostile: Hostile, token: Made, **more: str) -> int:
    """Begin at the provider, come back with its token, and return the status: 303 is in."""
    async with browser() as http:
        query = parse_qs(urlsplit(await begun(http, server, "evil")).query)
        hostile.nonce, hostile.token = query["nonce"][0], token
        hostile.now = int(server.services.now().timestamp())
        asked = {"code": "c", "state": query["state"][0], **more}
        async with http.get(f"{server.base}/sign-in/evil/callback", params=asked, allow_redirects=False) as answer:
            return answer.status


def public_as_secret(hostile: Hostile) -> str:
    """The old trick: the public key, which everybody has, as the secret of an HMAC."""
    begin = f"{part({'alg': 'HS256', 'kid': 'r1'})}.{part(hostile.claims())}"
    return f"{begin}.{part(hmac.digest(KEY.as_pem(private=False), begin.encode(), 'sha256'))}"


def twice(hostile: Hostile) -> bytes:
    """Claims with the audience twice: one for who reads the first, one for who reads the last."""
    return json.dumps(hostile.claims()).replace('"aud"', '"aud": "somebody", "aud"', 1).encode()


BAD: dict[str, tuple[str, Made]] = {
    "alg none": ("algorithm", lambda h: f"{part({'alg': 'none', 'kid': 'r1'})}.{part(h.claims())}."),
    "HS256 with the public key": ("algorithm", public_as_secret),
    "another issuer": ("issuer", lambda h: h.signed(h.claims(iss="https://login.example"))),
    "issuer with a slash": ("issuer", lambda h: h.signed(h.claims(iss=h.issuer + "/"))),
    "template issuer": (
        "issuer",
        lambda h: h.signed(h.claims(iss="https://login.microsoftonline.com/{tenantid}/v2.0")),
    ),
    "another audience": ("audience", lambda h: h.signed(h.claims(aud="somebody"))),
    "two audiences without azp": ("authorized_party", lambda h: h.signed(h.claims(aud=["readiness", "somebody"]))),
    "another nonce": ("nonce", lambda h: h.signed(h.claims(nonce="x" * 43))),
    "no nonce": ("nonce", lambda h: h.signed(h.claims(nonce=None))),
    "expired": ("expired", lambda h: h.signed(h.claims(exp=h.now - 60))),
    "not yet": ("not_yet", lambda h: h.signed(h.claims(nbf=h.now + 120))),
    "a day old": ("issued_at", lambda h: h.signed(h.claims(iat=h.now - 86400))),
    "unknown key": ("unknown_key", lambda h: h.signed(h.claims(), {"kid": "r2"})),
    "key of another provider": ("signature", lambda h: h.signed(h.claims(), key=OTHER)),
    "jku": ("header", lambda h: h.signed(h.claims(), {"jku": f"{h.issuer}/jwks_uri"})),
    "jwk": ("header", lambda h: h.signed(h.claims(), {"jwk": OTHER.as_dict(private=False)}, OTHER)),
    "x5u": ("header", lambda h: h.signed(h.claims(), {"x5u": f"{h.issuer}/x"})),
    "unknown crit": ("header", lambda h: h.signed(h.claims(), {"crit": ["x"], "x": 1})),
    "a name twice": ("not_json", lambda h: h.signed(twice(h))),
    "signature cut": ("signature", lambda h: h.signed(h.claims())[:-8]),
    "level 3": ("level", lambda h: h.signed(h.claims(acr="3"))),
    "no level": ("level", lambda h: h.signed(h.claims(acr=None))),
    # and what else comes to mind
    "EC key, RSA's name": ("algorithm", lambda h: h.signed(h.claims(), {"alg": "RS256", "kid": "e1"})),
    "azp of another": ("authorized_party", lambda h: h.signed(h.claims(azp="somebody"))),
    "issued tomorrow": ("issued_at", lambda h: h.signed(h.claims(iat=h.now + 86400))),
    "no expiry": ("exp_missing", lambda h: h.signed(h.claims(exp=None))),
    "expiry as text": ("exp_missing", lambda h: h.signed(h.claims(exp="9999999999"))),
    "no subject": ("subject", lambda h: h.signed(h.claims(sub=None))),
    "a sign-out token": ("kind_of_token", lambda h: h.signed(h.claims(), {"typ": "logout+jwt"})),
    "an access token": ("kind_of_token", lambda h: h.signed(h.claims(), {"typ": "at+jwt"})),
    "no token": ("not_a_token", lambda _h: ""),
    "not a text": ("not_a_token", lambda _h: 7),
    "changed after signing": ("signature", lambda h: _swapped(h.signed(h.claims(sub="kari")), h.claims())),
}


def _swapped(token: str, claims: dict[str, Any]) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{part(claims)}.{signature}"


@pytest.mark.parametrize("name", BAD)
def test_AUT_4_each_bad_token_is_refused_for_what_is_bad_about_it(tmp_path: Path, name):
    """Not for something else that happens to be wrong with it."""
    now = datetime.now(UTC)
    hostile = Hostile(issuer="http://127.0.0.1:1", nonce="n" * 43, now=int(now.timestamp()))
    (provider,) = load_providers(written(tmp_path, hostile.issuer))
    cause, made = BAD[name]
    with pytest.raises(Refused, match=f"^{cause}$"):
        check_id_token(made(hostile), provider, read_keys({"keys": hostile.keys}), nonce=hostile.nonce, now=now)


async def test_AUT_4_no_bad_token_gets_in(tmp_path: Path, migrated_file: Path):
    """The twenty of the list and more, each through the whole callback: 0 let in; a good one by each key is."""
    async with lying(Hostile()) as hostile, trusting(tmp_path, migrated_file, hostile) as server:
        good = (
            lambda h: h.signed(h.claims()),
            lambda h: h.signed(h.claims(), {"alg": "ES256", "kid": "e1"}, EC),
            lambda h: h.signed(h.claims(aud=["readiness", "api"], azp="readiness")),
        )
        assert [await answered(server, hostile, made) for made in good] == [303, 303, 303]
        let_in = [name for name, (_, made) in BAD.items() if await answered(server, hostile, made) != 404]
        assert let_in == []
        assert await answered(server, hostile, good[0], iss="https://other.example") == 404, "mix-up"
        assert await answered(server, hostile, good[0], code="") == 404
        assert await answered(server, hostile, good[0], error="access_denied") == 404
        assert await answered(server, hostile, lambda h: h.signed(h.claims(roles=["reader"]))) == 403
        assert hostile.keys_asked <= 3, "tokens by unknown keys don't make us ask for keys again and again"


async def test_AUT_4_over_https_an_attempt_is_its_own_hosts_only(tmp_path: Path, migrated_file: Path):
    """A cookie without `__Host-` may come from a sibling of this host: it finishes nobody's attempt."""
    async with lying(Hostile()) as hostile, trusting(tmp_path, migrated_file, hostile) as server, browser() as http:
        query = parse_qs(urlsplit(await begun(http, server, "evil")).query)
        held = {one.key: one.value for one in http.cookie_jar}
        sign_in, state = server.services.sign_in, query["state"][0]
        with pytest.raises(AccessError):
            await sign_in.finish("evil", {"state": state, "code": "c"}, held, f"{server.base}/", secure=True)


async def test_AUT_4_keys_change_and_the_new_ones_are_fetched(tmp_path: Path, migrated_file: Path, monkeypatch):
    """A token by a key that is not known yet has the keys read again, and is let in; one by a key withdrawn is not."""
    monkeypatch.setattr(oidc_transport, "KEYS_AGAIN_S", -1.0)
    new = RSAKey.generate_key(2048, {"kid": "r2"})
    async with lying(Hostile()) as hostile, trusting(tmp_path, migrated_file, hostile) as server:
        assert await answered(server, hostile, lambda h: h.signed(h.claims())) == 303
        hostile.keys = [new.as_dict(private=False)]
        assert await answered(server, hostile, lambda h: h.signed(h.claims(), {"kid": "r2"}, new)) == 303
        assert await answered(server, hostile, lambda h: h.signed(h.claims())) == 404


async def test_AUT_4_what_a_sign_out_token_must_be(tmp_path: Path, migrated_file: Path):
    """An ID token signs nobody out, nor does one with a nonce, for others, or too old; a good one does."""
    async with lying(Hostile()) as hostile, trusting(tmp_path, migrated_file, hostile) as server, browser() as http:
        assert await answered(server, hostile, lambda h: h.signed(h.claims(sid="s1"))) == 303
        event = {"events": {LOGOUT_EVENT: {}}}
        good = {**hostile.claims(nonce=None), **event}
        bad = [
            hostile.claims(), good | {"nonce": "x"}, good | {"aud": "somebody"}, good | {"iat": hostile.now - 86400},
            good | {"events": {}}, {**good, "sub": None}, good | {"iss": "https://other.example"},
        ]  # fmt: skip
        statuses = []
        for claims in (*bad, good | {"sid": "s2"}, good | {"sid": "s1"}):
            form = {"logout_token": hostile.signed(claims, {"typ": "logout+jwt"})}
            async with http.post(f"{server.base}/sign-in/evil/back-channel", data=form) as answer:
                statuses.append(answer.status)
        assert statuses == [400] * len(bad) + [200, 200]
        sign_in = server.services.sign_in
        left = sign_in._session_name(sign_in._provider("evil"), "s1")
        assert await server.store.close_staff_sessions(None, left) == 0, "the good token has closed it"


async def test_AUT_4_a_provider_that_misbehaves_is_only_away(tmp_path: Path, migrated_file: Path, monkeypatch):
    """It redirects, sends megabytes, breaks off or never answers: 503 for who wants in, all else goes on."""
    monkeypatch.setattr(oidc_transport, "TIMEOUT_S", 0.2)
    never = asyncio.Event()

    async def redirects() -> web.StreamResponse:
        return web.HTTPFound("https://login.example/.well-known/openid-configuration")

    async def floods() -> web.StreamResponse:
        return web.json_response({"issuer": "x" * 5_000_000})

    async def nonsense() -> web.StreamResponse:
        return web.Response(text="<html>")

    async def hangs() -> web.StreamResponse:
        await never.wait()
        return web.Response()

    async with lying(Hostile(discovery=redirects)) as hostile, trusting(tmp_path, migrated_file, hostile) as server:
        async with browser() as http:
            for hostile.discovery in (redirects, floods, nonsense, hangs):
                async with http.post(f"{server.base}/o/sunnaas/staff/evil") as page:
                    assert page.status == 503
                    assert "Retry-After" in page.headers
            hostile.discovery = None
            monkeypatch.setattr(oidc_transport, "TIMEOUT_S", PATIENCE_S)
            async with http.post(f"{server.base}/o/sunnaas/staff/evil") as page:
                assert page.status == 200
        never.set()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"code_challenge_methods_supported": ["plain"]}, "does not offer PKCE with S256"),
        ({"issuer": "https://other.example"}, "names another issuer"),
        ({"token_endpoint": "https://other.example/token"}, "has an end point elsewhere"),
        ({"jwks_uri": "ftp://127.0.0.1/keys"}, "has an end point elsewhere"),
    ],
)
async def test_AUT_4_the_server_does_not_start_with_a_provider_that_is_not_safe(
    tmp_path: Path, migrated_file: Path, document, said
):
    """No S256, another issuer, or tokens from elsewhere: one sentence, also before several processes are started."""
    async with lying(Hostile(document=document)) as hostile:
        with pytest.raises(SettingError, match=rf"READINESS_SIGN_IN: \[evil\] .*{said}"):
            async with trusting(tmp_path, migrated_file, hostile):
                raise AssertionError("it started")
        told = {"READINESS_DATA_DIR": str(tmp_path), "READINESS_SIGN_IN": str(written(tmp_path, hostile.issuer))}
        with pytest.raises(SettingError, match=said):
            await _prepare_shared(load_settings(told), "http://127.0.0.1:1", demo=False)


async def test_AUT_4_roles_are_taken_anew_and_what_is_over_is_forgotten(tmp_path: Path, migrated_file: Path):
    """A sign-in without the role closes the page of an earlier one; retention forgets attempts, then the person."""
    async with lying(Hostile()) as hostile, trusting(tmp_path, migrated_file, hostile) as server, browser() as http:
        store, now = server.store, server.services.now()
        query = parse_qs(urlsplit(await begun(http, server, "evil")).query)
        hostile.nonce, hostile.now = query["nonce"][0], int(now.timestamp())
        hostile.token = lambda h: h.signed(h.claims())
        asked = {"code": "c", "state": query["state"][0]}
        async with http.get(f"{server.base}/sign-in/evil/callback", params=asked) as page:
            assert page.status == 200
            session = page.url.name
        for role, status in ((None, 404), ("support", 200)):
            assert await answered(server, hostile, lambda h, role=role: h.signed(h.claims(roles=role))) in {303, 403}
            async with http.get(f"{server.base}/support/{session}") as page:
                assert page.status == status, role
        await begun(http, server, "evil")
        assert (await store.purge(now + timedelta(minutes=11))).sign_ins == 1
        assert (await store.purge(now + timedelta(days=89))).staff == 0
        assert (await store.purge(now + timedelta(days=91))).staff == 1
