"""Organisations: the owners of meetings, with their support phones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from .actors import Actor
from .part import StorePart
from .records import InvitationKind, Organisation
from .tables import organisation
from .trail import Deed

__all__ = ["OrganisationPart"]


class OrganisationPart(StorePart):
    """The part of the store that keeps organisations."""

    async def ensure_organisation(self, wanted: Organisation) -> Organisation:
        """Store the organisation, or update the one with this slug; return it with its stored id."""
        values = {
            "name": wanted.name,
            "support_phone": wanted.support_phone,
            "support_hours": wanted.support_hours,
            "languages": list(wanted.languages),
            "time_zone": wanted.time_zone,
            "drop_in_allowed": wanted.drop_in_allowed,
            "texts": {name: dict(by_language) for name, by_language in wanted.texts.items()},
            "clinic_phone": wanted.clinic_phone,
            "asks_afterwards": wanted.asks_afterwards,
            "links_off": list(wanted.links_off),
        }
        insert = self._insert(organisation).values(id=wanted.id, slug=wanted.slug, **values)
        statement = insert.on_conflict_do_update(index_elements=["slug"], set_=values).returning(*organisation.c)
        async with self._database.write() as connection:
            stored = _organisation_of((await connection.execute(statement)).one())
            self._did(connection, Deed(stored.id, "", "", "organisation.change", f"organisation:{stored.id}"))
            return stored

    async def switch_links(self, actor: Actor, off: Sequence[InvitationKind]) -> None:
        """Let links of these kinds, and pages that they opened, open nothing at the actor's organisation."""
        actor.require("settings.change")
        changed = sa.update(organisation).where(organisation.c.id == actor.organisation_id)
        async with self._database.write() as connection:
            await connection.execute(changed.values(links_off=list(off)))

    async def organisation(self, slug: str) -> Organisation | None:
        """Return the organisation with this slug."""
        row = await self._first(sa.select(organisation).where(organisation.c.slug == slug))
        return None if row is None else _organisation_of(row)

    async def only_organisation(self) -> Organisation | None:
        """Return the organisation if there is exactly one, for the phone number on pages that name none."""
        rows = await self._rows(sa.select(organisation).limit(2))
        return _organisation_of(rows[0]) if len(rows) == 1 else None

    async def organisation_by_id(self, organisation_id: str) -> Organisation | None:
        """Return the organisation with this id."""
        row = await self._first(sa.select(organisation).where(organisation.c.id == organisation_id))
        return None if row is None else _organisation_of(row)


def _organisation_of(row: sa.Row[Any]) -> Organisation:
    values = {name: getattr(row, name) for name in Organisation.__dataclass_fields__}
    return Organisation(**{**values, "languages": tuple(values["languages"]), "links_off": tuple(values["links_off"])})
