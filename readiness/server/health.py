"""Checks our own health, so that an outage of ours never becomes a participant's failure."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from readiness.logs import log_event
from readiness.media.health import check_media_port
from readiness.media.pool import MediaSettings, WorkerPool
from readiness.meetings.delivery import OURS
from readiness.settings import MediaAddress, Settings
from reports.store import Store, StoreError, StoreUnavailable
from reports.store.records import Organisation

__all__ = ["Health", "default_route_address"]

log = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
LOOK_EVERY_S = 60.0
SECOND_LOOK_S = 5.0
WARM_UP_S = 30.0
"""By then the first media worker is preloaded even on a slow machine; an earlier test waits for it."""
DISK_FULL_PCT = 98.0
ROUTE_PROBE = "192.0.2.1"
"""TEST-NET-1 (RFC 5737): connecting a UDP socket to it sends nothing; it only asks the kernel for the route."""


def default_route_address() -> str | None:
    """Return the address of this host's default route, or None if it has none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((ROUTE_PROBE, 9))
        address: str = probe.getsockname()[0]
        return address
    return None


@dataclass(slots=True)
class Health:
    """The state of our own parts, checked every minute."""

    settings: Settings
    store: Store
    pool: WorkerPool
    organisation: Organisation | None = None
    """The organisation, if this server has just one: any page can then say whom to call."""
    parts: dict[str, bool] = field(default_factory=dict)
    """Results of the last check."""
    confirmed: dict[str, bool] = field(default_factory=dict)
    """False only for a part that failed two checks a few seconds apart: one slow answer turns nobody away."""

    @property
    def is_well(self) -> bool:
        """Whether no part failed two checks in a row; before the first checks all parts count as well."""
        return all(self.confirmed.values())

    def media_addresses(self, arrived_at: str) -> tuple[MediaAddress, ...]:
        """Return the addresses for a media answer to a session that arrived at our address `arrived_at`.

        These are the configured ones if there are any; else the address where the session arrived and, if that is
        loopback, the default route's too (Firefox does not connect to an answer with loopback only).
        """
        if self.settings.media_addresses:
            return self.settings.media_addresses
        ip = ipaddress.ip_address(arrived_at.partition("%")[0])
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        own = str(mapped or ip)
        found = [own]
        if (mapped or ip).is_loopback and (route := default_route_address()):
            found.append(route)
        return tuple(MediaAddress(public=address, local=address) for address in found)

    async def look(self) -> Mapping[str, bool]:
        """Check every part once and return which are well."""
        addresses = tuple((a.public, a.local) for a in self.media_addresses(LOOPBACK))
        media = MediaSettings(addresses=addresses, ports=self.settings.media_ports)
        self.parts = {
            "database": await self._database(),
            "media_workers": self.pool.ready,
            "media_port": (await check_media_port(media)).ok,
            "disk": self._disk(),
        }
        return self.parts

    async def _look_twice(self) -> dict[str, bool]:
        first = dict(await self.look())
        if all(first.values()):
            return first
        await asyncio.sleep(SECOND_LOOK_S)
        second = await self.look()
        return {part: well or second[part] for part, well in first.items()}

    async def watch(self) -> None:
        """Check every minute, and every few seconds while a part is down; log what goes down and comes back."""
        before: Mapping[str, bool] = {}
        await self._warm_up()
        while True:
            now = await self._look_twice()
            self.confirmed = now
            for part, well in now.items():
                if well is False and before.get(part, True):
                    log_event(log, logging.ERROR, "health.lost", part=part)
                elif well and before.get(part) is False:
                    log_event(log, logging.WARNING, "health.back", part=part)
            before = now
            await asyncio.sleep(LOOK_EVERY_S if all(now.values()) else SECOND_LOOK_S)

    async def _warm_up(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WARM_UP_S):
                while not self.pool.ready:  # noqa: ASYNC110 - the pool has nothing to wait for, and this is once
                    await asyncio.sleep(0.5)

    async def delivery(self) -> Mapping[str, str]:
        """Return our own obstacles to sending mail or SMS, by channel. Tests run without them."""
        try:
            return await self.store.stuck(OURS)
        except StoreError:
            return {}

    async def _database(self) -> bool:
        try:
            async with asyncio.timeout(3):
                await self.store.ping()
                self.organisation = await self.store.only_organisation()
        except (StoreUnavailable, TimeoutError):
            return False
        return True

    def _disk(self) -> bool:
        folders = {self.settings.data_dir}
        if self.settings.is_embedded:
            folders.add(Path(self.settings.database_shown).parent)
        try:
            usages = [shutil.disk_usage(folder) for folder in folders]
        except OSError:
            return False
        return all(100.0 * usage.used / usage.total < DISK_FULL_PCT for usage in usages)
