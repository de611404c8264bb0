"""The firewall openings that this server needs, and what was poor on the line, as lines to send to IT. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from readiness.access.origin import Caller
from readiness.settings import Settings
from reports.render.words import Words

__all__ = ["openings", "poor_figures"]

_HOST_PORT = re.compile(r"^(\[[^\]]+\]|[^:]+)(?::(\d+))?$")
_TURN_URL = re.compile(r"^(turns?):(\[[^\]]+\]|[^:?]+)(?::(\d+))?(?:\?transport=(udp|tcp))?$")
WEB_PORTS = {"https": "443", "http": "80"}
TURN_PORTS = {"turns": "5349", "turn": "3478"}
"""Default port of a TURN URL (RFC 7065)."""


def openings(settings: Settings, who: Caller, addresses: Sequence[str], words: Words) -> list[str]:
    """Return one line for each opening, from the participant's network outwards.

    `addresses` are the destinations of media. One more line says that replies must be let back in.
    """
    parts = _HOST_PORT.match(who.host)
    host, port = (parts[1], parts[2]) if parts else (who.host, None)
    ports = words.t("firewall.any_port")
    if settings.media_ports:
        low, high = settings.media_ports
        ports = f"{low}\u2013{high}"
    lines = [words.t("firewall.web", host=host, port=port or WEB_PORTS[who.scheme])]
    lines += [words.t("firewall.media", host=address, ports=ports) for address in addresses]
    for url in settings.turn_urls:
        match = _TURN_URL.match(url)
        if match:
            kind, turn_host, turn_port, transport = match.groups()
            protocol = (transport or ("tcp" if kind == "turns" else "udp")).upper()
            values = {"host": turn_host, "port": turn_port or TURN_PORTS[kind], "protocol": protocol}
            lines.append(words.t(f"firewall.{kind}", **values))
    return [*lines, words.t("firewall.answers")]


def poor_figures(checks: Iterable[Mapping[str, Any]], words: Words) -> list[str]:
    """Return one line for each figure of the network that did not pass, with the limits that it was judged by.

    A check without a limit, such as the way that was found, has no line.
    """
    return [
        words.t("firewall.poor", check=words.t(f"check.{check['id']}"), value=words.value_of(check), limits=limits)
        for check in checks
        if str(check.get("id")).startswith("network.") and check.get("outcome") in {"warn", "fail"}
        if (limits := words.limits_of(check))
    ]
