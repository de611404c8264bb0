"""Organisations: the owners of meetings, with their support phones, and what was changed about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .actors import Actor
from .errors import Conflict
from .part import StorePart
from .records import Organisation, new_id
from .setting_records import SETTABLE, Setting, SettingChange, differences, setting_of, with_setting
from .setting_tables import setting_change
from .staff_tables import staff
from .tables import organisation
from .trail import Deed, tell

__all__ = ["OrganisationPart"]

_STAFF: Final = "staff:"
"""How the id of an actor who signed in begins."""
_NEWEST_FIRST: Final = (setting_change.c.at.desc(), setting_change.c.id)
_CHANGE: Final = [setting_change.c[name] for name in SettingChange.__dataclass_fields__ if name != "who"]


class OrganisationPart(StorePart):
    """The part of the store that keeps organisations."""

    async def ensure_organisation(self, wanted: Organisation) -> Organisation:
        """Store the organisation, or update the one with this slug; return it with its stored id."""
        values = _columns(wanted)
        insert = self._insert(organisation).values(id=wanted.id, slug=wanted.slug, **values)
        statement = insert.on_conflict_do_update(index_elements=["slug"], set_=values).returning(*organisation.c)
        known = sa.select(organisation).where(organisation.c.slug == wanted.slug).with_for_update()
        async with self._database.write() as connection:
            before = (await connection.execute(known)).first()
            stored = _organisation_of((await connection.execute(statement)).one())
            changes = differences(_organisation_of(before), stored) if before is not None else []
            await _keep(connection, stored.id, changes, by="operator", at=datetime.now(tz=UTC), undoes=None)
            for told in [one.told for one in changes] or [""]:
                named = f"organisation:{stored.id}"
                self._did(connection, Deed(stored.id, "", "", "organisation.change", named, detail=told))
            return stored

    async def change_settings(
        self, actor: Actor, wanted: Sequence[Setting], now: datetime, *, undoes: str | None = None
    ) -> Organisation:
        """Change settings of the actor's organisation, all or none; return it as it is then.

        Raises Conflict with the name of a setting that is not what it was said to be before: somebody else was faster.
        `undoes` is the earlier change that this takes back; Conflict too where the same was changed since.
        """
        actor.require("settings.change")
        mine = organisation.c.id == actor.organisation_id
        async with self._database.write() as connection:
            row = (await connection.execute(sa.select(organisation).where(mine).with_for_update())).one()
            changed = _organisation_of(row)
            for one in wanted:
                is_newest = undoes is None or undoes == await _newest(connection, changed.id, one.name)
                if not is_newest or setting_of(changed, one.name) != one.before:
                    raise Conflict(one.name)
                changed = with_setting(changed, one.name, one.after)
            await connection.execute(sa.update(organisation).where(mine).values(_columns(changed)))
            await _keep(connection, changed.id, wanted, by=actor.id, at=now, undoes=undoes)
            tell(*(one.told for one in wanted))
        return changed

    async def setting_changes(self, actor: Actor, *, most: int = 20) -> list[SettingChange]:
        """Return the newest changes of the actor's organisation, newest first, with who made them if still known."""
        actor.require("settings.read")
        chosen = _changes(actor).order_by(*_NEWEST_FIRST).limit(most)
        return [_change_of(row) for row in await self._rows(chosen)]

    async def setting_change(self, actor: Actor, change_id: str) -> SettingChange | None:
        """Return one change of the actor's organisation."""
        actor.require("settings.read")
        row = await self._first(_changes(actor).where(setting_change.c.id == change_id))
        return None if row is None else _change_of(row)

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


def _columns(found: Organisation) -> dict[str, Any]:
    """Return the values to store, but for those by which the organisation is known."""
    values = {name: getattr(found, name) for name in SETTABLE}
    texts = {name: dict(by_language) for name, by_language in found.texts.items()}
    clinics = {unit: dict(clinic) for unit, clinic in found.clinics.items()}
    lists = {name: list(getattr(found, name)) for name in ("languages", "links_off")}
    return {**values, **lists, "texts": texts, "clinics": clinics, "choices": dict(found.choices)}


def _organisation_of(row: sa.Row[Any]) -> Organisation:
    values = {name: getattr(row, name) for name in Organisation.__dataclass_fields__}
    return Organisation(**{**values, "languages": tuple(values["languages"]), "links_off": tuple(values["links_off"])})


async def _keep(
    connection: AsyncConnection, whose: str, changes: Sequence[Setting], *, by: str, at: datetime, undoes: str | None
) -> None:
    """Store what is changed of the organisation `whose`, in the transaction that changes it."""
    mine = setting_change.c.organisation_id == whose
    last: datetime | None = (await connection.execute(sa.select(sa.func.max(setting_change.c.at)).where(mine))).scalar()
    if last is not None and last >= at:  # in the same instant, or by a clock that was set back: still in order
        at = last + timedelta(microseconds=1)
    known = {"organisation_id": whose, "at": at, "changed_by": by, "undoes": undoes}
    rows = [{"id": new_id(), "name": one.name, "before": one.before, "after": one.after, **known} for one in changes]
    if rows:
        await connection.execute(sa.insert(setting_change), rows)


async def _newest(connection: AsyncConnection, whose: str, name: str) -> str | None:
    """Return the newest change of one setting."""
    mine = sa.and_(setting_change.c.organisation_id == whose, setting_change.c.name == name)
    chosen = sa.select(setting_change.c.id).where(mine).order_by(*_NEWEST_FIRST).limit(1)
    newest: str | None = (await connection.execute(chosen)).scalar()
    return newest


def _changes(actor: Actor) -> sa.Select[Any]:
    by_staff = sa.and_(
        setting_change.c.changed_by == _STAFF + staff.c.id, staff.c.organisation_id == actor.organisation_id
    )
    chosen = sa.select(*_CHANGE, staff.c.name.label("who")).outerjoin(staff, by_staff)
    return chosen.where(setting_change.c.organisation_id == actor.organisation_id)


def _change_of(row: sa.Row[Any]) -> SettingChange:
    return SettingChange(**{**row._asdict(), "who": row.who or ""})
