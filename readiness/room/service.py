"""The server, as a room's agent reaches it: a handful of requests with the room's own key. See `protocol.md`."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from readiness import __version__
from readiness.room.errors import AwayError, RefusedError, RevokedError

__all__ = ["AGENT", "Service", "enrol", "server_address", "system_name"]

AGENT: Final = f"readiness/{__version__}"
ANSWER_S: Final = 45.0
"""Longest wait for an answer: as the client without a browser waits."""
LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may still be taken."""
MOST_BYTES: Final = 1_000_000
"""Of an answer: settings of a room are a hundredth of this."""


def system_name() -> str:
    """Return this PC's kind of system, as the server names it."""
    return {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")


def server_address(text: str) -> str:
    """Return scheme, host and port of a server. Raises ValueError with a sentence where it is no address for a key.

    A room's key goes over HTTPS, and over plain HTTP only within this PC.
    """
    parts = urlsplit(text.strip() if "://" in text else f"https://{text.strip()}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is no server's address; write it as https://ready.hospital.example")
    if parts.path.strip("/"):
        raise ValueError(f"{text!r} has a path; write only https://{parts.netloc}")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"{text!r} has a port that is none") from None
    if parts.scheme == "http" and not _is_own(parts.hostname):
        raise ValueError(f"{text!r} is not encrypted: use https://, for the room's key is sent there")
    return f"{parts.scheme}://{parts.netloc}"


def _is_own(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class Service:
    """One server with one room's key."""

    http: aiohttp.ClientSession
    base: str
    key: str

    async def settings(self) -> dict[str, Any]:
        """Return the room's settings, its next meetings and whether a check is wanted. Raises RoomError."""
        return await self._ask("GET", "/api/rooms/settings")

    async def send(self, result: Mapping[str, Any]) -> int:
        """Hand in one result and return the status: 200, 201, or 409 for one that is there already.

        Raises AwayError, RevokedError, RefusedError.
        """
        try:
            status, _ = await request(self.http, "POST", f"{self.base}/api/rooms/results", body=result, key=self.key)
        except RefusedError as error:
            if error.status != 409:  # noqa: PLR2004 - as HTTP numbers it
                raise
            return error.status
        return status

    async def new_key(self) -> str:
        """Return a key to use from now on; the old one holds until the new one is first used. Raises RoomError."""
        return str((await self._ask("POST", "/api/rooms/keys"))["key"])

    async def leave(self) -> None:
        """Have the server forget this room's enrolment. Raises RoomError."""
        await request(self.http, "DELETE", f"{self.base}/api/rooms/enrolment", key=self.key)

    async def open_line(self) -> dict[str, Any]:
        """Open a test of the line, and return what to open its session with. Raises RoomError."""
        return await self._ask("POST", "/api/rooms/line")

    async def _ask(self, method: str, path: str) -> dict[str, Any]:
        body: dict[str, str] | None = {} if method == "POST" else None
        _, answer = await request(self.http, method, f"{self.base}{path}", key=self.key, body=body)
        if not isinstance(answer, dict):
            raise AwayError(f"{self.base} answered something else than a room's server does")
        return answer


async def enrol(http: aiohttp.ClientSession, base: str, code: str) -> dict[str, Any]:
    """Swap a one-time code for the room's key and settings. Raises RefusedError for a wrong code, AwayError."""
    body = {"code": code, "agent": AGENT, "system": system_name()}
    _, answer = await request(http, "POST", f"{base}/api/rooms/enrol", body=body)
    if not isinstance(answer, dict) or not isinstance(answer.get("key"), str):
        raise AwayError(f"{base} answered something else than a room's server does")
    return answer


async def request(
    http: aiohttp.ClientSession, method: str, url: str, *, key: str = "", body: Mapping[str, Any] | None = None
) -> tuple[int, Any]:
    """Return status and JSON of an answer that is a success. Raises AwayError, RevokedError, RefusedError."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    where = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    try:
        async with (
            asyncio.timeout(ANSWER_S),
            http.request(method, url, json=body, headers=headers, allow_redirects=False) as response,
        ):
            answer = await _json(response)
            if response.status in {200, 201, 204}:
                return response.status, answer
            raise _refusal(response, answer, where)
    except TimeoutError:
        raise AwayError(f"{where} did not answer within {ANSWER_S:g} s") from None
    except aiohttp.ClientConnectorCertificateError:
        raise AwayError(f"the certificate of {where} is not trusted by this PC") from None
    except (aiohttp.ClientError, OSError) as error:
        raise AwayError(f"{where} can't be reached ({type(error).__name__})") from None


async def _json(response: aiohttp.ClientResponse) -> Any:
    """Return the answer's JSON, or None: proxies answer with pages of their own."""
    content = b""
    async for piece in response.content.iter_chunked(1 << 16):
        content += piece
        if len(content) > MOST_BYTES:
            return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _refusal(response: aiohttp.ClientResponse, answer: Any, where: str) -> AwayError | RevokedError | RefusedError:
    error = answer.get("error") if isinstance(answer, dict) else None
    code = str(error.get("code") if isinstance(error, dict) else error or "")
    if response.status == 401 and code:  # noqa: PLR2004 - as HTTP numbers it
        return RevokedError(f"{where} no longer knows this room's key")
    if response.status in LATER:
        after = response.headers.get("Retry-After", "")
        return AwayError(
            f"{where} answered {response.status}", retry_after_s=float(after) if after.isdecimal() else None
        )
    if 300 <= response.status < 400:  # noqa: PLR2004
        return AwayError(f"{where} sends requests elsewhere; give the address that it has")
    if not code:  # a proxy's page, not the server's word
        return AwayError(f"{where} answered {response.status}")
    return RefusedError(f"{where} answered {response.status} {code}", status=response.status, code=code)
