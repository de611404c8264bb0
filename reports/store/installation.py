"""The key that all machines on one database share."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from .part import StorePart
from .tables import host, installation, meeting, participant, taken_out
from .trail import Deed

__all__ = ["InstallationPart"]

_ONLY: Final = "only"
_SEALED: Final = (participant.c.contact, participant.c.reach, host.c.reach, meeting.c.join_link, taken_out.c.reach)


class InstallationPart(StorePart):
    """The part of the store that knows the key of its encrypted contacts."""

    async def key_fingerprint(self) -> str | None:
        """Return the fingerprint of the key that this database was first used with, or None."""
        row = await self._first(sa.select(installation.c.key_fingerprint))
        return None if row is None else row.key_fingerprint

    async def claim_key(self, fingerprint: str) -> str:
        """Store `fingerprint` unless there is one; return the stored one. Of several callers the first wins."""
        claim = self._insert(installation).values(id=_ONLY, key_fingerprint=fingerprint)
        async with self._database.write() as connection:
            await connection.execute(claim.on_conflict_do_nothing())
        return await self.key_fingerprint() or fingerprint

    async def replace_key(self, fingerprint: str) -> None:
        """Replace the stored fingerprint; data encrypted under an earlier key stays unreadable."""
        claim = self._insert(installation).values(id=_ONLY, key_fingerprint=fingerprint)
        async with self._database.write() as connection:
            replaced = {"key_fingerprint": fingerprint}
            await connection.execute(claim.on_conflict_do_update(index_elements=["id"], set_=replaced))
            self._did(connection, Deed("", "", "", "key.replace", detail=f"key={fingerprint}"))

    async def sealed_sample(self) -> bytes | None:
        """Return some value that was encrypted under the key, such as a phone number, or None."""
        for column in _SEALED:
            row = await self._first(sa.select(column).where(column.is_not(None)).limit(1))
            if row is not None:
                return bytes(row[0])
        return None
