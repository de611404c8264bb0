"""Staff sign in: an attempt begins, a provider answers, and a session opens for who has a role, or nothing does.

Who somebody is: issuer and subject, never a mail address; kept as a keyed hash. Roles and organisation are taken anew
at each sign-in, from the claims of the ID token by the grants of `providers`. No token of the provider's is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from readiness.access.contacts import ContactBox, person_hash_of
from readiness.access.grants import Rights
from readiness.access.oidc import (
    ATTEMPT_LIFE,
    Attempt,
    Metadata,
    Refused,
    authorization_address,
    authorization_form,
    check_callback,
    check_id_token,
    check_logout_token,
    sign_out_address,
    token_form,
)
from readiness.access.oidc_transport import ProviderAway, Transport
from readiness.access.providers import Provider, unusable
from readiness.access.tokens import hash_token
from readiness.errors import AccessError, Unavailable
from readiness.logs import log_event
from reports.store import Store
from reports.store.records import Organisation, Session, new_id
from reports.store.staff_records import BegunSignIn, Staff

__all__ = ["STAFF_SESSION", "Begun", "NoRole", "Opened", "SignIn", "attempt_cookie", "held_attempts", "new_session"]

log = logging.getLogger(__name__)
STAFF_SESSION: Final = timedelta(hours=8)
"""A working day: then the provider is asked again."""
SESSION_BYTES: Final = 18
MOST_NAME: Final = 80
PATIENCE_S: Final = 8.0
"""For all that is asked of a provider while one page loads."""


class NoRole(Exception):  # noqa: N818 - not a failure
    """Somebody signed in who may do nothing here; `provider` knows whom to ask."""

    def __init__(self, provider: Provider, organisation_id: str) -> None:
        super().__init__("no_role")
        self.provider, self.organisation_id = provider, organisation_id


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt as the browser carries it: where to go, and the cookie that the answer is tied to."""

    address: str
    state: str
    secret: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session of staff and its cookie's secret."""

    session: Session
    secret: str


def attempt_cookie(state: str, *, secure: bool) -> str:
    """Return the name of an attempt's cookie: one for each, so that two tabs never mix."""
    return f"__Host-in-{state[:16]}" if secure else f"in-{state[:16]}"


def held_attempts(cookies: Mapping[str, str], *, secure: bool) -> dict[str, str]:
    """Return the secrets of the attempts that a browser holds, by the cookie's name."""
    prefix = attempt_cookie("", secure=secure)
    return {name: secret for name, secret in cookies.items() if name.startswith(prefix)}


class SignIn:
    """Sign-in at all providers of this service. A class because it holds their connections."""

    def __init__(
        self, providers: Sequence[Provider], store: Store, contacts: ContactBox, now: Callable[[], datetime]
    ) -> None:
        self._providers = {one.name: one for one in providers}
        self._transports = {one.name: Transport(one) for one in providers}
        self._store, self._contacts, self._now = store, contacts, now

    def providers_of(self, organisation: Organisation) -> list[Provider]:
        """Return the providers at which somebody could get a role at this organisation."""
        return [one for one in self._providers.values() if one.serves(organisation.slug)]

    def issuer_of(self, name: str) -> str:
        """Return the issuer of a provider."""
        return self._provider(name).issuer

    async def check(self) -> None:
        """Ask every provider who it is. SettingError: one can't be used; one that is away is only logged."""
        await asyncio.gather(*(self._check_one(name) for name in self._providers))

    async def _check_one(self, name: str) -> None:
        try:
            await self._transports[name].metadata()
        except Refused as error:
            raise unusable(name, error.cause) from None
        except ProviderAway as error:
            log_event(log, logging.WARNING, "sign_in.provider_away", provider=name, cause=str(error))

    async def begin(self, name: str, organisation: Organisation, redirect_uri: str) -> Begun:
        """Begin an attempt and return where the browser goes."""
        provider = self._provider(name)
        if not provider.serves(organisation.slug):
            raise AccessError("page.not_found")
        attempt = Attempt.new()
        with _telling(name):
            async with asyncio.timeout(PATIENCE_S):
                metadata = await self._transports[name].metadata()
                query = authorization_form(provider, attempt, redirect_uri)
                if metadata.par_endpoint is not None:
                    query = await self._push(name, metadata, attempt, query)
        begun = BegunSignIn(
            state_hash=hash_token(attempt.state),
            secret_hash=hash_token(attempt.secret),
            organisation_id=organisation.id,
            provider=name,
            expires_at=self._now() + ATTEMPT_LIFE,
        )
        await self._store.begin_sign_in(begun)
        return Begun(authorization_address(metadata, query), attempt.state, attempt.secret)

    async def _push(self, name: str, metadata: Metadata, attempt: Attempt, form: Mapping[str, str]) -> dict[str, str]:
        if metadata.par_endpoint is None:
            raise Refused("no_par")
        status, reply = await self._transports[name].post(metadata.par_endpoint, form, attempt, self._now)
        if status not in {200, 201} or not isinstance(reply.get("request_uri"), str):
            raise Refused("not_pushed")
        return {"client_id": self._provider(name).client_id, "request_uri": reply["request_uri"]}

    async def finish(
        self, name: str, query: Mapping[str, str], cookies: Mapping[str, str], redirect_uri: str, *, secure: bool
    ) -> Opened:
        """Open a session for who comes back from a provider. Raises AccessError, `NoRole` or Unavailable.

        The attempt is taken before anything else: whatever comes of it, its state is good for nothing afterwards.
        """
        provider, now, state = self._provider(name), self._now(), query.get("state", "")
        attempt = Attempt(state, cookies.get(attempt_cookie(state, secure=secure), ""))
        hashes = hash_token(attempt.state), hash_token(attempt.secret)
        organisation_id = await self._store.take_sign_in(*hashes, name, now)
        organisation = await self._store.organisation_by_id(organisation_id) if organisation_id else None
        try:
            with _telling(name):
                if organisation is None:
                    raise Refused("unknown_attempt")
                async with asyncio.timeout(PATIENCE_S):
                    claims = await self._claims(provider, attempt, query, redirect_uri)
        except AccessError as refused:
            if organisation_id is not None:
                said = f"provider={name} {refused.code}"
                await self._store.log_deed(
                    organisation_id, "staff.sign_in", kind="staff", outcome="refused", detail=said
                )
            raise
        return await self._open(provider, organisation, claims)

    async def _claims(
        self, provider: Provider, attempt: Attempt, query: Mapping[str, str], redirect_uri: str
    ) -> Mapping[str, Any]:
        transport = self._transports[provider.name]
        metadata = await transport.metadata()
        code = check_callback(metadata, query)
        form = token_form(attempt, code, redirect_uri)
        status, reply = await transport.post(metadata.token_endpoint, form, attempt, self._now)
        if status != 200:  # noqa: PLR2004
            raise Refused("code_refused")
        if provider.profile == "fapi2" and str(reply.get("token_type", "")).lower() != "dpop":
            raise Refused("not_bound")
        token, nonce, now = reply.get("id_token"), attempt.nonce, self._now()
        return await transport.checked(lambda keys: check_id_token(token, provider, keys, nonce=nonce, now=now))

    async def _open(self, provider: Provider, organisation: Organisation, claims: Mapping[str, Any]) -> Opened:
        now, identity = self._now(), self._identity(provider, claims["sub"])
        rights = provider.rights_at(organisation.slug, claims)
        if not rights.roles:
            await self._store.take_roles(organisation.id, identity)
            log_event(log, logging.WARNING, "sign_in.no_role", provider=provider.name)
            raise NoRole(provider, organisation.id)
        who = Staff(
            id=new_id(),
            organisation_id=organisation.id,
            identity=identity,
            provider=provider.name,
            name=_called(claims.get("name")),
            roles=tuple(sorted(rights.roles)),
            signed_in_at=now,
            limits=rights.limits,
            person_hash=self._person(provider, rights, claims),
        )
        opened, secret = new_session(organisation.id, now + STAFF_SESSION)
        sid = claims.get("sid")
        named = self._session_name(provider, sid) if isinstance(sid, str) and sid else None
        await self._store.open_staff_session(who, opened, hash_token(secret), named)
        log_event(log, logging.INFO, "sign_in.ok", provider=provider.name)
        return Opened(opened, secret)

    async def end_from_provider(self, name: str, token: str) -> int:
        """Close the sessions that a provider's sign-out token names, and return how many. Raises AccessError."""
        provider = self._provider(name)
        with _telling(name):
            async with asyncio.timeout(PATIENCE_S):
                now = self._now()
                subject, session = await self._transports[name].checked(
                    lambda keys: check_logout_token(token, provider, keys, now)
                )
        identity = None if subject is None or session is not None else self._identity(provider, subject)
        named = None if session is None else self._session_name(provider, session)
        closed = await self._store.close_staff_sessions(identity, named)
        log_event(log, logging.INFO, "sign_in.ended_there", provider=name, sessions=closed)
        return closed

    async def sign_out(self, session: Session, cookies: Mapping[str, str], back_to: str) -> str | None:
        """Close a session and the attempts of its browser; return where the provider's own session is ended."""
        who = await self._store.staff_of(session)
        await self._store.close_session(session.id)
        held = {**held_attempts(cookies, secure=False), **held_attempts(cookies, secure=True)}
        await self._store.drop_sign_ins([hash_token(secret) for secret in held.values()])
        if who is None or who.provider not in self._providers:
            return None
        try:
            async with asyncio.timeout(PATIENCE_S):
                metadata = await self._transports[who.provider].metadata()
        except (ProviderAway, Refused, TimeoutError):
            return None
        return sign_out_address(self._providers[who.provider], metadata, back_to)

    async def close(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            await transport.close()

    def _provider(self, name: str) -> Provider:
        if name not in self._providers:
            raise AccessError("page.not_found")
        return self._providers[name]

    def _identity(self, provider: Provider, subject: str) -> bytes:
        return self._contacts.derive("staff", f"{provider.issuer}\0{subject}")

    def _person(self, provider: Provider, rights: Rights, claims: Mapping[str, Any]) -> bytes | None:
        """Return by which hosts are found who are this person; nobody's is kept who leads nothing."""
        if "leader" not in rights.roles:
            return None
        return person_hash_of(self._contacts, provider.mail_in(claims))

    def _session_name(self, provider: Provider, session: str) -> bytes:
        return self._contacts.derive("provider-session", f"{provider.issuer}\0{session}")


def new_session(organisation_id: str, until: datetime) -> tuple[Session, str]:
    """Return a session of staff that is not stored yet, and its cookie's secret."""
    opened = Session(
        id=secrets.token_urlsafe(SESSION_BYTES),
        kind="staff",
        organisation_id=organisation_id,
        invitation_id=None,
        meeting_id=None,
        participant_id=None,
        expires_at=until,
    )
    return opened, secrets.token_urlsafe(SESSION_BYTES)


def _called(name: object) -> str:
    """Return a name as it may be shown and stored: printable, short; empty where there is none."""
    plain = "".join(letter for letter in name if letter.isprintable()) if isinstance(name, str) else ""
    return plain.encode("utf-8", "ignore").decode()[:MOST_NAME].strip()


@contextlib.contextmanager
def _telling(name: str) -> Iterator[None]:
    """Turn what went wrong with a provider into what the caller is told; the cause goes to the log."""
    try:
        yield
    except Refused as error:
        log_event(log, logging.WARNING, "sign_in.refused", provider=name, cause=error.cause)
        raise AccessError("sign_in.level" if error.cause == "level" else "sign_in.not_valid") from None
    except (ProviderAway, TimeoutError) as error:
        log_event(log, logging.WARNING, "sign_in.provider_away", provider=name, cause=str(error))
        raise Unavailable("sign_in.provider_away", retry_after_s=60) from None
