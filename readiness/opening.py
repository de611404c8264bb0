"""Opens the database named by the settings, with its key; any problem becomes one line."""

from __future__ import annotations

import shutil
from pathlib import Path

from readiness.access.contacts import KEY_FILE, ContactBox, audit_keys, contact_box
from readiness.errors import SettingError
from readiness.settings import SETTINGS, Settings
from reports.store import Store, StoreError

__all__ = ["cannot_use", "open_store", "refuse_a_folder_of_its_own"]

LEAST_FREE_BYTES = 1024 * 1024
"""A new database and its journal take 0.9 MB."""
DEFAULT_FOLDER = next(setting.read(setting.default) for setting in SETTINGS if setting.name == "data_dir")


async def open_store(settings: Settings, *, any_key: bool = False) -> Store:
    """Return the store, migrated to the current schema. Raises SettingError if the database can't be used.

    That includes data encrypted under another machine's key (`_check_key`), unless `any_key`.
    """
    try:
        store = await Store.open(settings.database, migrate=True)
    except StoreError as error:
        raise cannot_use(settings, error) from None
    try:
        box = contact_box(settings)
        store.keep_audit(audit_keys(box))
        if not any_key:
            await _check_key(store, box)
    except StoreError as error:
        await store.close()
        raise cannot_use(settings, error) from None
    except SettingError:
        await store.close()
        raise
    return store


def cannot_use(settings: Settings, error: StoreError) -> SettingError:
    """Return one sentence about a database that failed; for a full disk it says what to do."""
    if settings.is_embedded and _is_full(Path(settings.database_shown).parent):
        name = "READINESS_DATABASE_URL" if settings.database_url else "READINESS_DATA_DIR"
        return SettingError(
            f"{name}: the disk with {settings.database_shown!r} is full; make room there, or name a folder on another "
            "disk, and start again"
        )
    return SettingError(f"READINESS_DATABASE_URL: the database {settings.database_shown} can't be used: {error.reason}")


def _is_full(folder: Path) -> bool:
    """Return whether the disk with `folder` has too little room for the next few pages of a database."""
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE_BYTES
    except OSError:
        return False


def refuse_a_folder_of_its_own(settings: Settings) -> None:
    """Raise SettingError if a command would create a database or a key in a folder that nobody named.

    A server creates its own at the first start; a command run from another folder must find the server's.
    """
    if settings.data_dir != DEFAULT_FOLDER:
        return
    here = str(settings.data_dir.absolute())
    if settings.is_embedded:
        if not settings.database_url and not settings.embedded_file.exists():
            raise SettingError(
                f"READINESS_DATA_DIR: there is no database in {here!r}; give the full path of the server's data folder"
            )
    elif not settings.secret_key and not (settings.data_dir / KEY_FILE).exists():
        raise SettingError(
            f"READINESS_SECRET_KEY: there is no key in {here!r}; give the server's key, or the full path of its data "
            "folder (READINESS_DATA_DIR)"
        )


async def _check_key(store: Store, box: ContactBox) -> None:
    """Check that the database belongs to the key of `box`; a new database takes the first key it gets.

    Raises SettingError otherwise: phone numbers would read as empty, and links would differ from those already sent.
    """
    known = await store.key_fingerprint()
    if known is None:
        sealed = await store.sealed_sample()
        known = "" if sealed and box.open(sealed) is None else await store.claim_key(box.fingerprint)
    if known != box.fingerprint:
        whose = f"the key {known}" if known else "another key"
        raise SettingError(
            f"READINESS_SECRET_KEY: this database was set up with {whose}, this machine has the key {box.fingerprint}; "
            f"copy {KEY_FILE} from the data folder of the machine that set it up, or set its READINESS_SECRET_KEY here "
            "(where that key is lost: readiness key --replace)"
        )
