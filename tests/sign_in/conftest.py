"""What the tests of sign-in share: the real providers, one process for all, and a server that they know."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from joserfc.jwk import RSAKey

from readiness.access import oidc_transport, sign_in
from readiness.server import middleware
from readiness.server.app import make_app, make_runner, make_services
from readiness.settings import load_settings
from reports.store import Store
from tests.cast import SUNNAAS
from tests.conftest import Server
from tests.patience import PATIENCE_S

HERE = Path(__file__).parent
CI = HERE.parents[1] / ".ci"
LEVEL = "helseid://claims/identity/security_level"
ORGANISATION = "helseid://claims/client/claims/orgnr_parent"


@pytest.fixture(autouse=True)
def patient_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a provider may take longer than a person would wait."""
    monkeypatch.setattr(oidc_transport, "TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(sign_in, "PATIENCE_S", 2 * PATIENCE_S)
    monkeypatch.setattr(middleware, "BODY_TIMEOUT_S", 3 * PATIENCE_S)


@dataclass(frozen=True)
class Providers:
    """The issuers of the real providers, our key at one of them, and the socket that they answer to."""

    issuers: dict[str, str]
    key: RSAKey
    listener: socket.socket

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"


@pytest.fixture(scope="session")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    """Three configurations of npm's oidc-provider, in one process that ends with this one."""
    key = RSAKey.generate_key(2048, {"kid": "ours", "alg": "PS256", "use": "sig"})
    folder = tmp_path_factory.mktemp("provider")
    shutil.copy(HERE / "provider.mjs", folder)
    (folder / "node_modules").symlink_to(CI / "node_modules")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        told = {"BASE": base, "CLIENT_JWKS": json.dumps({"keys": [key.as_dict(private=False)]})}
        command = ["node", "provider.mjs"]
        with subprocess.Popen(
            command, cwd=folder, env=os.environ | told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None
        ) as process:
            assert process.stdin and process.stdout
            try:
                assert select.select([process.stdout], [], [], PATIENCE_S)[0], "the providers did not start"
                line = process.stdout.readline()
                assert line, "the providers ended at once"
                yield Providers(json.loads(line), key, listener)
            finally:
                process.stdin.close()
                process.kill()


def settings_toml(issuers: dict[str, str]) -> str:
    """Where staff of Sunnaas sign in: as an operator writes it."""
    return f"""
[fapi]
title = "HelseID"
issuer = "{issuers["fapi"]}"
client_id = "readiness"
profile = "fapi2"
key_file = "key.jwk"
assertion_type = "client-authentication+jwt"
scopes = ["openid", "profile", "helseid"]
level = {{ claim = ["{LEVEL}"], is = "4" }}
ask = "IT <i>Sunnaas</i>, 12345"
[[fapi.grant]]
organisation = "sunnaas"
roles = ["support"]
when = [{{ claim = ["{ORGANISATION}"], is = "999999999" }}]

[entra]
title = "Entra"
issuer = "{issuers["entra"]}"
client_id = "readiness"
profile = "code"
secret_file = "entra.secret"
pkce_unlisted = true
ask = "IT"
[[entra.grant]]
organisation = "sunnaas"
roles = ["organiser"]
when = [{{ claim = "roles", is = "Readiness.Organiser" }}, {{ claim = "tid", is = "tenant" }}]

[keycloak]
title = "Keycloak"
issuer = "{issuers["keycloak"]}"
client_id = "readiness"
profile = "code"
secret_file = "keycloak.secret"
ask = "IT"
mail = "email"
[[keycloak.grant]]
organisation = "sunnaas"
roles = ["support"]
when = [{{ claim = ["realm_access", "roles"], is = "readiness-support" }}]
[[keycloak.grant]]
organisation = "sunnaas"
roles = ["organiser"]
when = [{{ claim = ["realm_access", "roles"], is = ["readiness-organiser", "readiness-planner"] }}]
[[keycloak.grant]]
organisation = "sunnaas"
roles = ["support", "reader"]
units_claim = "department"
when = [{{ claim = ["realm_access", "roles"], is = "readiness-ward" }}]
[[keycloak.grant]]
organisation = "sunnaas"
roles = ["leader"]
when = [{{ claim = ["realm_access", "roles"], is = "readiness-leader" }}]
"""


def write_settings(folder: Path, issuers: dict[str, str], key: RSAKey) -> Path:
    """Write the file and what it points to."""
    (folder / "key.jwk").write_text(json.dumps(key.as_dict(private=True)))
    for name in ("entra", "keycloak"):
        (folder / f"{name}.secret").write_text(f"{name}-secret-&=:%-long-enough\n")
    path = folder / "sign-in.toml"
    path.write_text(settings_toml(issuers))
    return path


@asynccontextmanager
async def served_with(
    tmp_path: Path, migrated_file: Path, sign_in: Path, listener: socket.socket
) -> AsyncIterator[Server]:
    """A server on `listener` whose staff sign in as `sign_in` says, with Sunnaas in its database."""
    settings = load_settings(
        {"READINESS_DATA_DIR": str(tmp_path), "READINESS_CAPACITY": "2", "READINESS_SIGN_IN": str(sign_in)}
    )
    shutil.copy(migrated_file, tmp_path)
    store = await Store.open(settings.database)
    await store.ensure_organisation(SUNNAAS)
    services = make_services(settings, store)
    runner = make_runner(make_app(services))
    await runner.setup()
    await web.SockSite(runner, listener.dup()).start()
    try:
        yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", services)
    finally:
        services.draining = True
        await runner.cleanup()


@pytest.fixture
async def server(tmp_path: Path, migrated_file: Path, providers: Providers) -> AsyncIterator[Server]:
    """A server that knows the real providers, and they it."""
    path = write_settings(tmp_path, providers.issuers, providers.key)
    async with served_with(tmp_path, migrated_file, path, providers.listener) as running:
        yield running
