"""SMS through any gateway with an HTTP interface: address, method, body and headers are settings."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import aiohttp

from readiness.meetings.delivery import DeliveryError
from readiness.settings import Settings

__all__ = ["SmsSender", "fill_body"]

SEND_TIMEOUT_S: Final = 20.0
WRONG: Final = range(400, 500)
TRY_LATER: Final = frozenset({408, 425, 429})
NOT_US: Final = frozenset({401, 403, 404, 405})
"""Answers that tell of a wrong key or address of ours, not of the recipient: they may be mended within the day."""
TAKEN: Final = range(200, 300)


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
        """Hand one SMS over; returns when the gateway answered with 2xx. Raises DeliveryError."""
        settings = self._settings
        url = settings.sms_url.reveal()
        body, content_type = fill_body(settings.sms_body, to, text)
        headers = dict(line.split(":", 1) for line in settings.sms_headers.reveal().splitlines() if line.strip())
        headers = {name.strip(): value.strip() for name, value in headers.items()}
        if settings.sms_method != "GET":
            headers = {"Content-Type": content_type} | headers
        try:
            if self._session is None:
                self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SEND_TIMEOUT_S))
            async with self._session.request(
                settings.sms_method,
                _fill(url, to, text),
                data=None if settings.sms_method == "GET" else body.encode("utf-8"),
                headers=headers,
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            raise DeliveryError("unreachable") from None
        if status in TAKEN:
            return
        if status in WRONG and status not in TRY_LATER | NOT_US:
            raise DeliveryError("refused", is_final=True)
        raise DeliveryError("later" if status in TRY_LATER else "unreachable")


def fill_body(template: str, to: str, text: str) -> tuple[str, str]:
    """Return the body and its content type: JSON where the template is JSON, else a form. Neither can be broken out of.

    JSON is parsed first and filled in its strings, so that a quote in the text stays a quote.
    """
    if template.lstrip().startswith("{"):
        return json.dumps(_fill_json(json.loads(template), to, text), ensure_ascii=False), "application/json"
    return _fill(template, to, text), "application/x-www-form-urlencoded"


def _fill(template: str, to: str, text: str) -> str:
    """Fill a form or a query, percent-encoded; what was filled in is not looked through again."""
    return "".join(
        {"{to}": quote(to, safe=""), "{text}": quote(text, safe="")}.get(one, one) for one in _parts(template)
    )


def _fill_json(found: Any, to: str, text: str) -> Any:
    if isinstance(found, dict):
        return {name: _fill_json(one, to, text) for name, one in found.items()}
    if isinstance(found, list):
        return [_fill_json(one, to, text) for one in found]
    if isinstance(found, str):
        return "".join({"{to}": to, "{text}": text}.get(one, one) for one in _parts(found))
    return found


def _parts(template: str) -> list[str]:
    """Split at the placeholders and keep them."""
    split: list[str] = []
    for at, part in enumerate(template.split("{to}")):
        split += ["{to}"] if at else []
        for place, rest in enumerate(part.split("{text}")):
            split += ["{text}"] if place else []
            split.append(rest)
    return split
