"""The store: one object per process, made by `Store.open`. All SQL is behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self

import sqlalchemy as sa

from . import migrations
from .access import AccessPart
from .cases import CasePart
from .desk import DeskPart
from .engine import LOCK_TIMEOUT_S, TIME_LIMIT_S, Database
from .feedback import FeedbackPart
from .following import FollowPart
from .installation import InstallationPart
from .meetings import MeetingPart
from .notify import Watcher
from .organisations import OrganisationPart
from .outbox import OutboxPart
from .people import PeoplePart
from .retention import RetentionPart
from .room_results import RoomResultPart
from .rooms import RoomPart
from .self_tests import SelfTestPart
from .staff import StaffPart
from .stored_figures import StoredFiguresPart
from .stored_reports import ReportPart
from .subject import SubjectPart
from .tables import organisation

__all__ = ["Store"]


class Store(
    OrganisationPart,
    MeetingPart,
    PeoplePart,
    AccessPart,
    StaffPart,
    OutboxPart,
    CasePart,
    DeskPart,
    FollowPart,
    SelfTestPart,
    ReportPart,
    FeedbackPart,
    RoomPart,
    RoomResultPart,
    SubjectPart,
    StoredFiguresPart,
    RetentionPart,
    InstallationPart,
):
    """Reads and writes of the service. Any method may raise `StoreUnavailable`; a write is on disk when it returns."""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        migrate: bool = False,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> Self:
        """Open the database at `url` (``sqlite:////path/file`` or ``postgresql://…``).

        With `migrate` it is migrated first; without, an old schema raises `SchemaTooOld`. A newer one always raises
        `SchemaTooNew`, before anything is changed.
        """
        work = migrations.migrate if migrate else migrations.check_schema
        await asyncio.to_thread(work, url)
        return cls(Database(url, lock_timeout_s=lock_timeout_s, time_limit_s=time_limit_s))

    @staticmethod
    async def migrate(url: str) -> list[str]:
        """Migrate the database at `url` and return the applied revisions; several processes take turns."""
        return await asyncio.to_thread(migrations.migrate, url)

    async def ping(self) -> None:
        """Return if the database can be read and, for a file, written. Raises StoreUnavailable."""
        await self._database.ping(sa.select(organisation.c.id).limit(1))

    @asynccontextmanager
    async def watch(self, *meeting_ids: str) -> AsyncGenerator[Watcher]:
        """Yield an iterator over possible changes, since entering, to the boards of these meetings (or `desk_of`).

        Enter first, then read the board, then iterate: nothing is missed in between.
        """
        if self._listener is not None:
            await self._listener.start()
        async with self._events.subscribe(*meeting_ids) as watcher:
            yield watcher

    async def close(self) -> None:
        """End all watching and close every connection."""
        self._events.close()
        if self._listener is not None:
            await self._listener.close()
        await self._database.close()
