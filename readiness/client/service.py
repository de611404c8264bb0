"""A Readiness server over HTTP: swaps links for sessions and reads a session's last report."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp

from readiness.client.errors import NoAnswerError, RefusedError

__all__ = ["Service", "Session"]

REQUEST_S = 45.0
"""Longest wait for an answer; a server on a busy machine takes 36 s for its first one (measured)."""
LINK_PARTS = 3
"""Parts of the path ``/o/<organisation>/t``, split at its slashes; the page handles the rest."""


@dataclass(frozen=True, slots=True)
class Session:
    """The session that a link opened."""

    id: str
    kind: str
    """``participant``, ``drop_in``, ``leader``, ``organiser`` or ``support``."""


@dataclass(frozen=True, slots=True)
class Service:
    """One server."""

    http: aiohttp.ClientSession
    """Keeps the sessions' cookies. If `base` has an IP address instead of a name, its jar must be an unsafe one."""
    base: str
    """Scheme, host and port, without a slash at the end."""
    tls: ssl.SSLContext | bool = True
    """The trusted authorities; False trusts everybody."""

    async def open_link(self, link: str) -> Session:
        """Swap the token of a link for a session.

        The link may have another host than `base`. Raises ValueError if it is no link, RefusedError, NoAnswerError.
        """
        parts = urlsplit(link)
        path = parts.path.split("/")
        if len(path) <= LINK_PARTS - 1 or path[1] != "o" or not parts.fragment:
            raise ValueError("not a link of the form https://host/o/organisation/t#token")
        return await self._open("/api/v1/links/redeem", {"organisation": path[2], "token": parts.fragment})

    async def try_out(self, organisation: str) -> Session:
        """Begin a session without an invitation. Raises RefusedError, NoAnswerError."""
        return await self._open(f"/api/v1/organisations/{organisation}/try", {})

    async def describe(self, session: str) -> dict[str, Any]:
        """Return the server's description of a session, with `last_report`. Raises RefusedError, NoAnswerError."""
        return await self._request("GET", f"/api/v1/sessions/{session}")

    async def _open(self, path: str, body: dict[str, str]) -> Session:
        opened = await self._request("POST", path, body)
        return Session(id=str(opened["session"]), kind=str(opened["kind"]))

    async def _request(
        self, method: Literal["GET", "POST"], path: str, body: dict[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            async with (
                asyncio.timeout(REQUEST_S),
                self.http.request(method, f"{self.base}{path}", json=body, ssl=self.tls) as response,
            ):
                if not response.ok:
                    raise await _refused(response)
                return dict(await response.json())
        except TimeoutError:
            raise NoAnswerError("no_answer.http", f"{method} {path}") from None


async def _refused(response: aiohttp.ClientResponse) -> RefusedError:
    """Return the error in an answer; a proxy's page is ``http.<status>``."""
    try:
        error = (await response.json())["error"]
        code, message = str(error["code"]), str(error["message"])
    except (aiohttp.ClientError, ValueError, LookupError, TypeError):
        code, message = f"http.{response.status}", ""
    after = response.headers.get("Retry-After", "")
    return RefusedError(
        code, message, status=response.status, retry_after_s=float(after) if after.isdecimal() else None
    )
