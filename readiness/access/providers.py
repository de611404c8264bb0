"""Reads which providers staff sign in at: one TOML file, refused whole if wrong; `grants` reads what claims give."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from readiness.access.grants import (
    LEADER_NEEDS_MAIL,
    Condition,
    Grant,
    Rights,
    condition_of,
    grants_of,
    mail_of,
    texts_of,
)
from readiness.errors import SettingError
from readiness.settings import Secret

__all__ = ["Key", "Provider", "is_loopback", "load_providers", "unusable"]

Key = RSAKey | ECKey
Profile = Literal["fapi2", "code"]
ALGORITHMS: Final = ("PS256", "ES256", "RS256")
"""Signatures of a provider's tokens that are accepted; Entra, Keycloak and Feide have none but RS256 by default."""
MOST_BYTES: Final = 256 * 1024
LEAST_RSA_BITS: Final = 2048
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
_ID: Final = re.compile(r"[\x21-\x7e]{1,200}")
_FIELDS: Final = frozenset(
    {"title", "issuer", "client_id", "profile", "key_file", "key_id", "secret_file", "assertion_type", "scopes", "acr"}
    | {"algorithms", "hosts", "ca_file", "level", "ask", "grant"}
    | {"pkce_unlisted", "mail", "mail_is_ours"}
)


@dataclass(frozen=True, slots=True)
class Provider:
    """One place where staff sign in. `name` stands in addresses, `title` on the button."""

    name: str
    title: str
    issuer: str
    client_id: str
    profile: Profile
    scopes: tuple[str, ...]
    grants: tuple[Grant, ...]
    key: Key | None = None
    secret: Secret = Secret("")  # noqa: RUF009 - a string, and immutable
    assertion_type: str = "JWT"
    acr: str = ""
    algorithms: tuple[str, ...] = ("PS256", "ES256")
    hosts: frozenset[str] = frozenset()
    """Besides the issuer's own, where its end points may be."""
    ca_file: Path | None = None
    level: Condition | None = None
    pkce_unlisted: bool = False
    """Whether its discovery document may be silent about PKCE, as Entra's is; where it names methods, S256 is there."""
    ask: str = ""
    """Whom to ask for access, shown to who has none."""
    mail: tuple[str, ...] = ()
    """The claim with the address by which leaders are found."""
    mail_is_ours: bool = False
    """Whether the house sets that address, so that nobody can choose another one's."""

    def rights_at(self, organisation: str, claims: Mapping[str, Any]) -> Rights:
        """Return what `claims` are worth at the organisation with this short name; most are worth nothing."""
        met = (one for one in self.grants if one.organisation == organisation and one.holds(claims))
        return Rights.of((one.roles, one.units_for(claims)) for one in met)

    def mail_in(self, claims: Mapping[str, Any]) -> str:
        """Return the mail address by which this person is found as a leader; empty without one to rely on."""
        return mail_of(claims, self.mail, is_ours=self.mail_is_ours)

    def serves(self, organisation: str) -> bool:
        """Return whether anybody could get a role at this organisation here."""
        return any(one.organisation == organisation for one in self.grants)


def is_loopback(address: str) -> bool:
    """Return whether an address is on this machine, where plain http can't be overheard."""
    return urlsplit(address).hostname in {"127.0.0.1", "::1", "localhost"}


def load_providers(path: Path | None) -> tuple[Provider, ...]:
    """Return the providers in the file at `path`, none without one. Raises SettingError with what to mend."""
    if path is None:
        return ()
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(f"can't read {str(path)!r}: {error.strerror}") from None
    except ValueError as error:
        raise _wrong(f"{str(path)!r} is not TOML: {error}") from None
    if not read:
        raise _wrong(f"{str(path)!r} names no provider; begin one with [name]")
    return tuple(_provider(name, table, path.parent) for name, table in read.items())


TROUBLE: Final = {
    "no_s256": "does not offer PKCE with S256; where it takes it without saying so (Entra ID), set pkce_unlisted",
    "no_par": "does not take pushed requests, which the profile fapi2 needs",
    "other_issuer": "names another issuer than the setting; the two must be the same, to the letter",
    "endpoint": "has an end point elsewhere; name its host in `hosts` if it is the provider's own",
}
"""What is wrong with a provider's own discovery document, by the cause that `oidc` names."""


def unusable(name: str, cause: str) -> SettingError:
    """Return the error of a provider that can't be used as it presents itself."""
    return _wrong(f"[{name}] {TROUBLE.get(cause, 'has a discovery document of no use')} ({cause})")


def _wrong(said: str) -> SettingError:
    return SettingError(f"READINESS_SIGN_IN: {said}")


def _provider(name: str, table: object, folder: Path) -> Provider:
    if not _NAME.fullmatch(name) or not isinstance(table, dict):
        raise _wrong(f"{name!r} can't name a provider: a table named by small letters, digits and hyphens")
    if unknown := sorted(set(table) - _FIELDS):
        raise _wrong(f"[{name}] has an unknown field {unknown[0]!r}")
    if table.get("profile") not in get_args(Profile):
        raise _wrong(f"[{name}] profile: fapi2 (HelseID) or code (Entra ID, Keycloak, Feide)")
    key = _key(name, table, folder)
    secret = _secret(name, table, folder)
    provider = Provider(
        name=name,
        title=_text(name, table, "title", name),
        issuer=_issuer(name, _text(name, table, "issuer")),
        client_id=_client_id(name, _text(name, table, "client_id")),
        profile=table["profile"],
        scopes=("openid", *(scope for scope in _texts(name, table, "scopes", ["profile"]) if scope != "openid")),
        grants=grants_of(name, table, _wrong),
        key=key,
        secret=secret,
        assertion_type=_text(name, table, "assertion_type", "JWT"),
        acr=_text(name, table, "acr", ""),
        algorithms=_algorithms(name, table),
        hosts=frozenset(_texts(name, table, "hosts", [])),
        ca_file=_file(name, table, "ca_file", folder),
        level=condition_of(f"[{name}] level", table["level"], _wrong) if "level" in table else None,
        pkce_unlisted=table.get("pkce_unlisted", False) is True,
        ask=_text(name, table, "ask"),
        mail=texts_of(table["mail"], _wrong(f"[{name}] mail: the claim with the address")) if "mail" in table else (),
        mail_is_ours=table.get("mail_is_ours", False) is True,
    )
    _refuse_contradictions(provider)
    return provider


def _refuse_contradictions(provider: Provider) -> None:
    at = f"[{provider.name}]"
    if provider.profile == "fapi2" and provider.key is None:
        raise _wrong(f"{at} key_file: the profile fapi2 signs with an own private key")
    if provider.profile == "fapi2" and provider.level is None:
        raise _wrong(f"{at} level: say which security level staff must have signed in with, and in which claim")
    if provider.key is None and not provider.secret:
        raise _wrong(f"{at} needs key_file or secret_file: what the provider knows this service by")
    if not provider.mail and any("leader" in one.roles for one in provider.grants):
        raise _wrong(f"{at} roles: {LEADER_NEEDS_MAIL}")
    if provider.key is not None and provider.secret:
        raise _wrong(f"{at} has both key_file and secret_file; keep the key")


def _text(name: str, table: Mapping[str, Any], field: str, default: str | None = None) -> str:
    value = table.get(field, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise _wrong(f"[{name}] {field}: a text")
    return value


def _texts(name: str, table: Mapping[str, Any], field: str, default: list[str]) -> list[str]:
    value = table.get(field, default)
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise _wrong(f"[{name}] {field}: a list of texts")
    return value


def _issuer(name: str, issuer: str) -> str:
    parts = urlsplit(issuer)
    if "{" in issuer or parts.path.strip("/").split("/")[0] in {"common", "organizations", "consumers"}:
        raise _wrong(f"[{name}] issuer: {issuer!r} stands for any tenant; name your own, one entry for each tenant")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise _wrong(f"[{name}] issuer: an address such as https://login.hospital.example")
    if parts.scheme == "http" and not is_loopback(issuer):
        raise _wrong(f"[{name}] issuer: {issuer!r} must be https; plain http is for this machine only")
    return issuer


def _client_id(name: str, client_id: str) -> str:
    if not _ID.fullmatch(client_id):
        raise _wrong(f"[{name}] client_id: up to 200 characters of ASCII without spaces")
    return client_id


def _algorithms(name: str, table: Mapping[str, Any]) -> tuple[str, ...]:
    strong = ["PS256", "ES256"]
    found = _texts(name, table, "algorithms", strong if table["profile"] == "fapi2" else list(ALGORITHMS))
    if not found or set(found) - set(ALGORITHMS):
        raise _wrong(f"[{name}] algorithms: some of {', '.join(ALGORITHMS)}")
    return tuple(found)


def _file(name: str, table: Mapping[str, Any], field: str, folder: Path) -> Path | None:
    value = _text(name, table, field, "")
    if value and not (folder / value).is_file():
        raise _wrong(f"[{name}] {field}: there is no file {str(folder / value)!r}")
    return folder / value if value else None


def _read(name: str, field: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"[{name}] {field}: can't read {str(path)!r}: {getattr(error, 'strerror', error)}") from None


def _secret(name: str, table: Mapping[str, Any], folder: Path) -> Secret:
    path = _file(name, table, "secret_file", folder)
    return Secret(_read(name, "secret_file", path) if path else "")


def _key(name: str, table: Mapping[str, Any], folder: Path) -> Key | None:
    """Return the private key: RSA of 2048 bits or more, or EC on P-256, as PEM or as JWK."""
    path = _file(name, table, "key_file", folder)
    if path is None:
        return None
    text, named = _read(name, "key_file", path), _text(name, table, "key_id", "")
    key = _imported(text, {"kid": named} if named else {})
    if key is None or not key.is_private or not _is_strong(key):
        raise _wrong(f"[{name}] key_file: a private key, RSA of 2048 bits or more or EC P-256, as PEM or JWK")
    if not key.kid:
        raise _wrong(f"[{name}] key_id: the name that the provider knows the key by")
    return key


def _imported(text: str, named: Mapping[str, Any]) -> Key | None:
    for kind in (RSAKey, ECKey):
        try:
            return kind.import_key({**json.loads(text), **named}) if text[:1] == "{" else kind.import_key(text, named)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError):
            continue
    return None


def _is_strong(key: Key) -> bool:
    if isinstance(key, RSAKey):
        return key.raw_value.key_size >= LEAST_RSA_BITS
    return key.curve_name == "P-256"
