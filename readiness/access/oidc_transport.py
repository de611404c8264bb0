"""Talks to one provider: discovery and keys, kept for a while, and the two posts. What answers mean is `oidc`'s.

Only https (or loopback), no redirects, few seconds, few bytes. Raises `ProviderAway` where nothing usable comes back,
`Refused` where what came back can't be believed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import aiohttp
from joserfc.jwk import KeySet

from readiness.access.oidc import Attempt, Metadata, Refused, Signer, read_json, read_keys, read_metadata
from readiness.access.providers import Provider
from readiness.outgoing import tls_context

__all__ = ["ProviderAway", "Transport"]

TIMEOUT_S: Final = 4.0
"""For one answer; a sign-in takes at most four of them, and the page waits."""
MOST_BYTES: Final = 256 * 1024
KEEP_S: Final = 24 * 3600.0
"""How long discovery and keys are kept (HelseID's FK2)."""
KEYS_AGAIN_S: Final = 60.0
"""A token by an unknown key asks for the keys again, this often at most."""
T = TypeVar("T")
_BAD_NONCE: Final = "use_dpop_nonce"


class ProviderAway(Exception):  # noqa: N818 - what happened, as in the log
    """The provider does not answer, or with nonsense."""


class Transport:
    """Connections to one provider. A class because it holds them, and what was read last."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider, self._clock, self._signer = provider, clock, Signer(provider)
        self._session: aiohttp.ClientSession | None = None
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._turn = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Return what the discovery document says, read once a day."""
        async with self._turn:
            if self._metadata is None or self._clock() - self._metadata[0] > KEEP_S:
                address = self._provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
                status, document, _ = await self._ask("GET", address)
                if status != 200:  # noqa: PLR2004
                    raise ProviderAway(f"discovery answers {status}")
                self._metadata = (self._clock(), read_metadata(self._provider, document))
            return self._metadata[1]

    async def keys(self, *, again: bool = False) -> KeySet:
        """Return the provider's keys. With `again` they are read anew, unless that was just done."""
        metadata = await self.metadata()
        async with self._turn:
            age = float("inf") if self._keys is None else self._clock() - self._keys[0]
            if self._keys is None or age > KEEP_S or (again and age > KEYS_AGAIN_S):
                status, document, _ = await self._ask("GET", metadata.jwks_uri)
                if status != 200:  # noqa: PLR2004
                    raise ProviderAway(f"keys answer {status}")
                self._keys = (self._clock(), read_keys(document))
            return self._keys[1]

    async def checked(self, check: Callable[[KeySet], T]) -> T:
        """Return what `check` makes of the keys; where it misses one they may have changed, and are read again once."""
        try:
            return check(await self.keys())
        except Refused as error:
            if error.cause != "unknown_key":
                raise
        return check(await self.keys(again=True))

    async def post(
        self, endpoint: str, form: Mapping[str, str], attempt: Attempt, now: Callable[[], datetime]
    ) -> tuple[int, dict[str, Any]]:
        """Send `form` with who we are; once more, with fresh proofs, where the provider wants its nonce in them."""
        metadata, nonce = await self.metadata(), None
        for _ in range(2):
            fields = {**form, **self._signer.credentials(endpoint, now()), **self._signer.secret_fields(metadata)}
            headers = self._signer.headers(metadata) | self._signer.proof(attempt, endpoint, now(), nonce)
            status, reply, more = await self._ask("POST", endpoint, data=fields, headers=headers)
            if status in {400, 401} and reply.get("error") == _BAD_NONCE and nonce is None and "DPoP-Nonce" in more:
                nonce = more["DPoP-Nonce"]
                continue
            return status, reply
        raise AssertionError  # the second turn always returns

    async def _ask(self, method: str, address: str, **more: Any) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        session = await self._opened()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                async with session.request(method, address, allow_redirects=False, **more) as answer:
                    raw = await _body(answer)
                    return answer.status, read_json(raw), answer.headers
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise ProviderAway(type(error).__name__) from None
        except Refused as error:
            raise ProviderAway(error.cause) from None

    async def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            context: Any = True
            if self._provider.ca_file is not None:
                context = await asyncio.to_thread(tls_context, self._provider.ca_file)
            connector = aiohttp.TCPConnector(ssl=context, limit=16)
            headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
            self._session = aiohttp.ClientSession(
                connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for piece in answer.content.iter_any():
        raw += piece
        if len(raw) > MOST_BYTES:
            raise ValueError("too many bytes")
    return bytes(raw)
