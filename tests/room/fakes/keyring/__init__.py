"""A keyring that is none, in the package's place. ``FAKE_KEYRING``: works, locked, forgets, plain, hangs; its file."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

from keyring.errors import KeyringLocked  # type: ignore[import-not-found]

MODE, PLACE = os.environ.get("FAKE_KEYRING", "works /nowhere").split(" ", 1)


def get_keyring():
    if MODE == "hangs":
        time.sleep(3600)
    return SimpleNamespace(priority=0.5 if MODE == "plain" else 5)


def _ring():
    if MODE == "locked":
        raise KeyringLocked("nobody is there to unlock it")
    return json.loads(Path(PLACE).read_text()) if Path(PLACE).exists() else {}


def set_password(service, name, secret):
    ring = _ring()
    if MODE != "forgets":
        Path(PLACE).write_text(json.dumps({**ring, f"{service} {name}": secret}))


def get_password(service, name):
    return _ring().get(f"{service} {name}")


def delete_password(service, name):
    Path(PLACE).write_text(json.dumps({key: one for key, one in _ring().items() if key != f"{service} {name}"}))
