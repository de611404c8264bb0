"""The steps of a live test: one small class for each phase that does more than read its last message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from readiness.server.steps.connection import ConnectStep, PathsStep
from readiness.server.steps.network import IdleStep, LoadStep
from readiness.server.steps.picture import PictureStep
from readiness.server.steps.practical import PracticalStep
from readiness.server.steps.running import Running
from readiness.server.steps.sound import EchoStep, SoundStep
from readiness.server.steps.step import Step, WorkerStep
from readiness.server.steps.tcp import TcpDownStep, TcpUpStep
from reports.phases import Phase

__all__ = ["STEPS", "steps_of"]

STEPS: Final[Mapping[str, type[Step]]] = {
    "picture": PictureStep,
    "sound": SoundStep,
    "echo": EchoStep,
    "connect": ConnectStep,
    "paths": PathsStep,
    "clock": IdleStep,
    "downlink": LoadStep,
    "uplink": LoadStep,
    "tcp_down": TcpDownStep,
    "tcp_up": TcpUpStep,
    "practical": PracticalStep,
}
"""Step class by phase name. Any other phase is read from its last message, or from the worker's."""


def steps_of(running: Running) -> dict[str, Step]:
    """Return the steps of the test's phases by name, in the table's order. They share `running`."""
    return {phase.name: _class_of(phase)(phase, running) for phase in running.setup.kind.phases}


def _class_of(phase: Phase) -> type[Step]:
    if phase.by == "client":
        return Step
    return STEPS.get(phase.name, WorkerStep if phase.by == "worker" else Step)
