"""The system's keyring, in a child process: where nobody can unlock it, it asks a person who is not there."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["SERVICE", "use_keyring"]

SERVICE: Final = "readiness room"
"""What people see it under in the system's own list of secrets."""


def use_keyring(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do ``get``, ``set`` or ``drop`` for ``name``; return ``{"secret": ...}`` or ``{"error": "no_keyring"}``.

    What was set is read back: a keyring that forgets is none. Backends that write plain text are none either.
    """
    keyring = importlib.import_module("keyring")
    errors = importlib.import_module("keyring.errors")
    name = str(request["name"])
    try:
        if float(getattr(keyring.get_keyring(), "priority", 0)) < 1:
            return {"error": "no_keyring"}
        if request["do"] == "set":
            keyring.set_password(SERVICE, name, str(request["secret"]))
        if request["do"] == "drop":
            keyring.delete_password(SERVICE, name)
            return {"secret": None}
        return {"secret": keyring.get_password(SERVICE, name)}
    except (errors.KeyringError, RuntimeError, OSError):
        return {"error": "no_keyring"}
