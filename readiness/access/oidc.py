"""OpenID Connect as a relying party: what is said to a provider, and what of its answers is believed. Pure.

No clock, no network, no store: `oidc_transport` talks, `sign_in` keeps. Code flow with PKCE S256, state, nonce and the
check of ``iss`` (RFC 9207); for the profile ``fapi2`` also pushed requests (RFC 9126), DPoP (RFC 9449) and
``private_key_jwt``. Whatever is wrong raises `Refused`; its cause is for the log, never for the page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from readiness.access.providers import LEAST_RSA_BITS, Provider, is_loopback

__all__ = [
    "ATTEMPT_LIFE",
    "Attempt",
    "Metadata",
    "Refused",
    "Signer",
    "authorization_address",
    "authorization_form",
    "check_callback",
    "check_id_token",
    "check_logout_token",
    "read_json",
    "read_keys",
    "read_metadata",
    "sign_out_address",
    "token_form",
]

ATTEMPT_LIFE: Final = timedelta(minutes=10)
"""How long a person may take at the provider."""
LEEWAY_S: Final = 30
"""How far a provider's clock may be off."""
ASSERTION_LIFE_S: Final = 60
"""HelseID's limit."""
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_HEADERS: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
"""All that a token's header may say; where its key is to be found (``jku``, ``jwk``, ``x5u``) is not for it to say."""
_KINDS: Final = {"PS256": "RSA", "RS256": "RSA", "ES256": "EC"}
_MOST_TOKEN: Final = 64 * 1024
_MOST_KEYS: Final = 50
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Refused(Exception):  # noqa: N818 - what happened, as in the log
    """Something of a provider's is not believed. `cause` is a word for the log."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Metadata:
    """What of a provider's discovery document is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    par_endpoint: str | None
    end_session_endpoint: str | None
    names_itself: bool
    """Whether its answers carry ``iss``: one without it is then refused."""
    basic: bool
    """Whether a secret goes into the header; else into the form."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to sign in, made of the secret in the browser's cookie: nothing of it has to be stored."""

    state: str
    secret: str

    @staticmethod
    def new() -> Attempt:
        """Return a fresh one: 256 bits each."""
        return Attempt(secrets.token_urlsafe(32), secrets.token_urlsafe(32))

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self.secret.encode(), f"{purpose}\0{self.state}".encode(), "sha256")

    @property
    def verifier(self) -> str:
        """The PKCE verifier (RFC 7636)."""
        return _b64(self._derived("pkce"))

    @property
    def challenge(self) -> str:
        """Its SHA-256, the method S256."""
        return _b64(hashlib.sha256(self.verifier.encode()).digest())

    @property
    def nonce(self) -> str:
        """What the ID token must repeat."""
        return _b64(self._derived("nonce"))

    @property
    def dpop_key(self) -> ECKey:
        """The key that the code and the tokens of this attempt are bound to."""
        number = int.from_bytes(self._derived("dpop")) % (_P256_ORDER - 1) + 1
        return ECKey(ec.derive_private_key(number, ec.SECP256R1()), None)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs what goes to one provider: assertions of who we are, and proofs of the attempt's key."""

    provider: Provider

    def credentials(self, endpoint: str, now: datetime) -> dict[str, str]:
        """Return the fields of a form that say who we are, a fresh assertion each time; none with a secret."""
        key, client_id = self.provider.key, self.provider.client_id
        if key is None:
            return {}
        at = int(now.timestamp())
        audience = self.provider.issuer if self.provider.profile == "fapi2" else endpoint
        claims: dict[str, Any] = {"iss": client_id, "sub": client_id, "aud": audience, "jti": secrets.token_urlsafe(16)}
        claims |= {"iat": at, "nbf": at, "exp": at + ASSERTION_LIFE_S}
        alg = "PS256" if isinstance(key, RSAKey) else "ES256"
        header = {"alg": alg, "kid": key.kid, "typ": self.provider.assertion_type}
        assertion = jwt.encode(header, claims, key, algorithms=[alg])
        return {"client_id": client_id, "client_assertion_type": _ASSERTION, "client_assertion": assertion}

    def headers(self, metadata: Metadata) -> dict[str, str]:
        """Return the header with the secret, where there is one and it goes there."""
        if not self.provider.secret or not metadata.basic:
            return {}
        pair = urlencode({self.provider.client_id: self.provider.secret.reveal()}).replace("=", ":", 1)
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def secret_fields(self, metadata: Metadata) -> dict[str, str]:
        """Return the secret as fields of the form, where it goes there."""
        if not self.provider.secret or metadata.basic:
            return {}
        return {"client_id": self.provider.client_id, "client_secret": self.provider.secret.reveal()}

    def proof(self, attempt: Attempt, endpoint: str, now: datetime, nonce: str | None) -> dict[str, str]:
        """Return the header with a fresh DPoP proof for a POST to `endpoint`; none outside the profile fapi2."""
        if self.provider.profile != "fapi2":
            return {}
        key = attempt.dpop_key
        claims: dict[str, Any] = {"jti": secrets.token_urlsafe(16), "htm": "POST", "htu": endpoint}
        claims |= {"iat": int(now.timestamp())} | ({"nonce": nonce} if nonce else {})
        header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": key.as_dict(private=False)}
        return {"DPoP": jwt.encode(header, claims, key, algorithms=["ES256"])}


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read_json(raw: bytes) -> dict[str, Any]:
    """Return the JSON object. Raises `Refused` for anything else, and where a name stands twice."""
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        raise Refused("not_json") from None
    if not isinstance(found, dict):
        raise Refused("not_json")
    return found


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def read_metadata(provider: Provider, document: Mapping[str, Any]) -> Metadata:
    """Return what the discovery document says. Raises `Refused` for one that is not this provider's, or too weak."""
    if document.get("issuer") != provider.issuer:
        raise Refused("other_issuer")
    methods = document.get("code_challenge_methods_supported", ["S256"] if provider.pkce_unlisted else None)
    if not isinstance(methods, list) or "S256" not in methods:
        raise Refused("no_s256")
    par = document.get("pushed_authorization_request_endpoint")
    wants_par = provider.profile == "fapi2" or document.get("require_pushed_authorization_requests") is True
    if wants_par and par is None:
        raise Refused("no_par")
    end_session = document.get("end_session_endpoint")
    ways = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        issuer=provider.issuer,
        authorization_endpoint=_endpoint(provider, document.get("authorization_endpoint")),
        token_endpoint=_endpoint(provider, document.get("token_endpoint")),
        jwks_uri=_endpoint(provider, document.get("jwks_uri")),
        par_endpoint=_endpoint(provider, par) if wants_par else None,
        end_session_endpoint=None if end_session is None else _endpoint(provider, end_session),
        names_itself=provider.profile == "fapi2"
        or document.get("authorization_response_iss_parameter_supported") is True,
        basic=not isinstance(ways, list) or "client_secret_basic" in ways or "client_secret_post" not in ways,
    )


def _endpoint(provider: Provider, address: object) -> str:
    """Return an end point if it is at the issuer's own host or a named one, and as safe to talk to as the issuer."""
    if not isinstance(address, str) or not address.isascii():
        raise Refused("endpoint")
    parts, own = urlsplit(address), urlsplit(provider.issuer)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" == own.scheme and is_loopback(address))
    is_known = parts.netloc == own.netloc or parts.netloc in provider.hosts
    if not is_safe or not is_known or parts.fragment:
        raise Refused("endpoint")
    return address


def read_keys(document: Mapping[str, Any]) -> KeySet:
    """Return the provider's public keys. Those of other kinds, and those for encryption, are left out."""
    rows = document.get("keys")
    if not isinstance(rows, list) or len(rows) > _MOST_KEYS:
        raise Refused("keys")
    found: list[RSAKey | ECKey | OctKey] = []
    for row in rows:
        if not isinstance(row, dict) or row.get("kty") not in {"RSA", "EC"} or row.get("use", "sig") != "sig":
            continue
        try:
            key = (RSAKey if row["kty"] == "RSA" else ECKey).import_key(row)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        is_strong = not isinstance(key, RSAKey) or key.raw_value.key_size >= LEAST_RSA_BITS
        if not key.is_private and is_strong and isinstance(key.kid, str):
            found.append(key)
    return KeySet(found)  # type: ignore[arg-type]


def authorization_form(provider: Provider, attempt: Attempt, redirect_uri: str) -> dict[str, str]:
    """Return what is asked for: pushed, or as the query of the address."""
    form = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
    }
    return form | ({"acr_values": provider.acr} if provider.acr else {})


def authorization_address(metadata: Metadata, query: Mapping[str, str]) -> str:
    """Return where the browser is sent."""
    joint = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
    return metadata.authorization_endpoint + joint + urlencode(query)


def token_form(attempt: Attempt, code: str, redirect_uri: str) -> dict[str, str]:
    """Return what the code is exchanged with."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": attempt.verifier,
    }


def sign_out_address(provider: Provider, metadata: Metadata, back_to: str) -> str | None:
    """Return where the browser goes to end its session at the provider too. No ID token was kept to show there."""
    if metadata.end_session_endpoint is None:
        return None
    joint = "&" if urlsplit(metadata.end_session_endpoint).query else "?"
    query = {"client_id": provider.client_id, "post_logout_redirect_uri": back_to}
    return metadata.end_session_endpoint + joint + urlencode(query)


def check_callback(metadata: Metadata, query: Mapping[str, str]) -> str:
    """Return the code that the provider's answer carries. Raises `Refused` for another one's answer, or an error."""
    named = query.get("iss")
    if named is None and metadata.names_itself:
        raise Refused("response_without_iss")
    if named is not None and named != metadata.issuer:
        raise Refused("response_of_another")
    if "error" in query:
        raise Refused("refused_there")
    code = query.get("code", "")
    if not code or len(code) > _MOST_TOKEN:
        raise Refused("no_code")
    return code


def _signed(token: object, provider: Provider, keys: KeySet, kinds: frozenset[str]) -> dict[str, Any]:
    """Return the claims of a token that one of these keys has signed. `kinds`: values of ``typ``, in lower case."""
    if not isinstance(token, str) or len(token) > _MOST_TOKEN or token.count(".") != 2 or not token.isascii():  # noqa: PLR2004
        raise Refused("not_a_token")
    try:
        head = token.partition(".")[0]
        header = read_json(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        raise Refused("not_a_token") from None
    if set(header) - _HEADERS:
        raise Refused("header")
    if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in kinds:
        raise Refused("kind_of_token")
    alg, kid = header.get("alg"), header.get("kid")
    if alg not in provider.algorithms:
        raise Refused("algorithm")
    key = next((one for one in keys.keys if one.kid == kid and isinstance(kid, str)), None)
    if key is None:
        raise Refused("unknown_key")
    if key.key_type != _KINDS[alg] or key.as_dict(private=False).get("alg", alg) != alg:
        raise Refused("algorithm")
    try:
        signed = jws.deserialize_compact(token, key, algorithms=[alg])
    except (JoseError, ValueError, TypeError):
        raise Refused("signature") from None
    return read_json(signed.payload)


def _whole(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(f"{name}_missing")
    return int(value)


def _check_common(claims: Mapping[str, Any], provider: Provider, now: datetime) -> None:
    """Check issuer, audience and times, which ID tokens and sign-out tokens share."""
    at = int(now.timestamp())
    if claims.get("iss") != provider.issuer:
        raise Refused("issuer")
    audience = claims.get("aud")
    several: Sequence[object] = audience if isinstance(audience, list) else [audience]
    if provider.client_id not in several:
        raise Refused("audience")
    if (len(several) > 1 or "azp" in claims) and claims.get("azp") != provider.client_id:
        raise Refused("authorized_party")
    if _whole(claims, "exp") <= at - LEEWAY_S:
        raise Refused("expired")
    if "nbf" in claims and _whole(claims, "nbf") > at + LEEWAY_S:
        raise Refused("not_yet")
    made = _whole(claims, "iat")
    if not at - ATTEMPT_LIFE.total_seconds() - LEEWAY_S <= made <= at + LEEWAY_S:
        raise Refused("issued_at")


def check_id_token(token: object, provider: Provider, keys: KeySet, *, nonce: str, now: datetime) -> dict[str, Any]:
    """Return the claims of an ID token that this provider made for us and for this attempt. Raises `Refused`."""
    claims = _signed(token, provider, keys, frozenset({"jwt"}))
    _check_common(claims, provider, now)
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise Refused("nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:  # noqa: PLR2004 - OpenID Connect's own limit
        raise Refused("subject")
    if provider.level is not None and not provider.level.holds(claims):
        raise Refused("level")
    return claims


def check_logout_token(token: object, provider: Provider, keys: KeySet, now: datetime) -> tuple[str | None, str | None]:
    """Return subject and session (one may be None) that the provider has signed out. Raises `Refused`."""
    claims = _signed(token, provider, keys, frozenset({"jwt", "logout+jwt"}))
    _check_common(claims, provider, now)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict) or "nonce" in claims:
        raise Refused("not_a_sign_out")
    subject, session = claims.get("sub"), claims.get("sid")
    found = tuple(one if isinstance(one, str) and one else None for one in (subject, session))
    if found == (None, None):
        raise Refused("subject")
    return found[0], found[1]
