"""SMS through any gateway with an HTTP interface: address, method, body and headers are settings."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from readiness.meetings.delivery import DeliveryError
from readiness.meetings.sms_answers import MOST_BYTES, WRONG_KEY, judge
from readiness.meetings.socks import SocksTrouble, connector_through, is_socks, trouble_with_proxy
from readiness.meetings.tls import tls_trouble
from readiness.outgoing import headers_of, tls_context
from readiness.settings import Settings
from readiness.sms_template import fill_body, fill_url

__all__ = ["SmsSender", "proxy_for"]

SEND_TIMEOUT_S: Final = 20.0


def proxy_for(url: str) -> str | None:
    """Return the proxy for `url` by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, or None."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    told = getproxies()
    return told.get(parts.scheme) or told.get("all") or None


class SmsSender:
    """Hands SMS to the configured gateway. A class because it holds the connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Connect at the first SMS, not here."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, to: str, text: str) -> None:
        """Hand one SMS over; returns once the gateway has confirmed it. Raises DeliveryError."""
        settings, url = self._settings, self._settings.sms_url.reveal()
        headers = headers_of(settings.sms_headers.reveal())
        body: bytes | None = None
        if settings.sms_method != "GET":
            named = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
            filled, content_type = fill_body(settings.sms_body, to, text, named)
            body = filled.encode("utf-8")
            headers = {"Content-Type": content_type, **headers}
        proxy = proxy_for(url)
        try:
            session = await self._opened(proxy)
            asked = session.request(
                settings.sms_method,
                fill_url(url, to, text),
                data=body,
                headers=headers,
                allow_redirects=False,
                proxy=None if proxy and is_socks(proxy) else proxy,
            )
            async with asked as answer:
                status = answer.status
                said = await _beginning(answer)
        except SocksTrouble as error:
            raise trouble_with_proxy(error) from None
        except aiohttp.ClientHttpProxyError as error:
            raise DeliveryError("login" if error.status in WRONG_KEY else "unreachable", detail="proxy") from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise tls_trouble(error) or DeliveryError("unreachable", detail=type(error).__name__) from None
        judge(status, said, settings.sms_success)

    async def _opened(self, proxy: str | None) -> aiohttp.ClientSession:
        if self._session is None:
            tls = await self._trust()
            if proxy and is_socks(proxy):
                connector: aiohttp.TCPConnector = connector_through(proxy, tls=tls)
            else:
                connector = aiohttp.TCPConnector(ssl=tls)
            timeout = aiohttp.ClientTimeout(total=SEND_TIMEOUT_S)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session

    async def _trust(self) -> ssl.SSLContext | bool:
        own = self._settings.sms_ca
        return await asyncio.to_thread(tls_context, own) if own else True


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """Return the beginning of an answer's body, as far as it is searched."""
    found = bytearray()
    while len(found) < MOST_BYTES and (piece := await answer.content.read(MOST_BYTES - len(found))):
        found += piece
    return bytes(found)
