"""Time-limited TURN credentials, as coturn's ``use-auth-secret`` checks them (draft-uberti-behave-turn-rest-00)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any

from readiness.settings import Settings

__all__ = ["CREDENTIAL_LIFE_S", "ice_servers"]

CREDENTIAL_LIFE_S = 600
"""Ten minutes: longer than any test's media part, short enough to be worth little when stolen."""


def ice_servers(settings: Settings, user: str, now: datetime) -> list[dict[str, Any]]:
    """Return the ICE servers for one test; an empty list means none, never a default one."""
    if not settings.turn_urls:
        return []
    name = f"{int(now.timestamp()) + CREDENTIAL_LIFE_S}:{user}"
    # SHA-1 is what the TURN servers' REST scheme prescribes; it is used as an HMAC only.
    digest = hmac.new(settings.turn_secret.reveal().encode(), name.encode(), hashlib.sha1).digest()
    credential = base64.b64encode(digest).decode("ascii")
    return [{"urls": list(settings.turn_urls), "username": name, "credential": credential}]
