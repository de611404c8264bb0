"""``readiness room listen``: whether this room's device cancels its own echo, found out by somebody who is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from probes.canceller import CLAP_DB, is_taken_out
from probes.loop import LoopFigures
from readiness.room.check import Ask, RoomPlan
from readiness.room.devices import keep_devices
from readiness.room.errors import NothingFoundError

__all__ = ["find_class"]

YES: Final = frozenset({"y", "yes", "j", "ja"})


def find_class(
    plan: RoomPlan,
    folder: Path,
    texts: Mapping[str, str],
    *,
    ask_probe: Ask,
    ask_person: Callable[[str], str],
) -> str:
    """Play the tone, ask who is there, keep what this room is, and return it in words.

    Raises NothingFoundError, with a sentence, where nothing could be found out: what was known then stays. Raises
    OSError where it can't be kept.
    """
    try:
        return _find(plan, folder, texts, ask_probe, ask_person)
    except EOFError:
        raise NothingFoundError(texts["room.listen.nobody"]) from None


def _find(
    plan: RoomPlan, folder: Path, texts: Mapping[str, str], ask_probe: Ask, ask_person: Callable[[str], str]
) -> str:
    devices = plan.sound_request()
    ask_person(texts["room.listen.begin"] + " ")
    found = ask_probe("sound", {**devices, "loudest_dbfs": plan.loudest_dbfs, "people": False})
    if not found.get("figures"):
        raise NothingFoundError(texts["room.listen.no_sound"])
    if not is_taken_out(LoopFigures.from_json(found["figures"])):
        keep_devices(folder, replace(plan, cancels_echo=False))
        return texts["room.listen.heard"]
    if ask_person(texts["room.listen.question"] + " ").strip().lower() not in YES:
        raise NothingFoundError(texts["room.listen.unheard"])
    ask_person(texts["room.listen.clap"] + " ")
    heard: dict[str, Any] = ask_probe("clap", devices)
    if float(heard.get("clap_db") or 0.0) < CLAP_DB:
        raise NothingFoundError(texts["room.listen.no_clap"])
    keep_devices(folder, replace(plan, cancels_echo=True))
    return texts["room.listen.cancels"]
