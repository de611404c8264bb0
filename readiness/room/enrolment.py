"""Which server this room belongs to, and the room's own key: in the system's keyring, or in a file of this account's.

The key stands in ``enrolment.json`` only where there is no keyring; whoever asks is told which one it is. A key that
systemd hands out (``LoadCredential=readiness-room-key:...``) goes before both.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from readiness.room.errors import KeyLostError
from readiness.room.files import read_json, remove, write_json

__all__ = ["Enrolment", "drop_enrolment", "keep_enrolment", "read_enrolment"]

FILE: Final = "enrolment.json"
CREDENTIAL: Final = "readiness-room-key"
KeyStore = Literal["keyring", "file", "credential"]
Ask = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One room at one server."""

    server: str
    room: Mapping[str, Any]
    """Id, name, building and organisation, as the server told them."""
    key: str
    key_store: KeyStore
    key_since: float
    """When it was given, s since 1970."""
    settings: Mapping[str, Any]
    """The newest that the server told: a room goes on by them while the server is away."""

    @property
    def room_id(self) -> str:
        """Return the room's id, which is no secret."""
        return str(self.room.get("id") or "")


def keep_enrolment(folder: Path, enrolment: Enrolment, *, ask_probe: Ask, use_keyring: bool = True) -> Enrolment:
    """Keep it and return it with the store that the key is in now. Raises OSError where the folder can't be written."""
    kept = enrolment
    if kept.key_store != "credential":
        asked = {"do": "set", "name": _name(kept), "secret": kept.key}
        is_kept = use_keyring and ask_probe("keyring", asked).get("secret") == kept.key
        kept = replace(kept, key_store="keyring" if is_kept else "file")
    written = asdict(kept)
    if kept.key_store != "file":
        del written["key"]
    write_json(folder / FILE, written)
    return kept


def read_enrolment(folder: Path, *, ask_probe: Ask) -> Enrolment | None:
    """Return what was kept, or None where this PC is not enrolled. Raises KeyLostError where the key can't be read."""
    stored = read_json(folder / FILE)
    if stored is None:
        if (folder / FILE).exists():
            raise KeyLostError(f"{folder / FILE} can't be read; enrol this room again")
        return None
    try:
        found = Enrolment(**{"key": "", **stored})
    except TypeError:
        raise KeyLostError(f"{folder / FILE} is damaged; enrol this room again") from None
    given = _credential()
    if given:
        return replace(found, key=given, key_store="credential")
    if found.key_store == "keyring":
        secret = ask_probe("keyring", {"do": "get", "name": _name(found)}).get("secret")
        if not secret:
            raise KeyLostError("the system's keyring does not give out this room's key: it may be locked")
        return replace(found, key=str(secret))
    if not found.key:
        raise KeyLostError(f"there is no key for this room: {CREDENTIAL} is not among systemd's credentials")
    return found


def drop_enrolment(folder: Path, *, ask_probe: Ask) -> None:
    """Forget server and key. Raises OSError where the file can't be removed."""
    stored = read_json(folder / FILE)
    if isinstance(stored, dict) and stored.get("key_store") == "keyring":
        ask_probe("keyring", {"do": "drop", "name": _name(Enrolment(**{"key": "", **stored}))})
    remove(folder / FILE)


def _credential() -> str:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    try:
        return (Path(folder) / CREDENTIAL).read_text(encoding="utf-8").strip() if folder else ""
    except OSError:
        return ""


def _name(enrolment: Enrolment) -> str:
    """Return what the key is called: one PC may have been enrolled at two servers, one after the other."""
    return f"{enrolment.server} {enrolment.room_id}"
