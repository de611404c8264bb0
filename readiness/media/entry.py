"""Entry points of the worker processes. The web process may import this: heavy modules load only when called."""

from __future__ import annotations

import socket

from readiness.media.limits import WorkerLimits

__all__ = ["run", "run_chore", "run_heavy"]


def run(channel: socket.socket, limits: WorkerLimits) -> None:
    """Serve one test over `channel`, inside `limits`; never returns."""
    from readiness.media import worker  # noqa: PLC0415 - never in the web process

    worker.serve(channel, limits)


def run_heavy(channel: socket.socket, limits: WorkerLimits) -> None:
    """Do heavy jobs for all tests over `channel`, inside `limits`; never returns."""
    from readiness.media import heavy_worker  # noqa: PLC0415 - never in the web process

    heavy_worker.serve(channel, limits)


def run_chore(channel: socket.socket, limits: WorkerLimits) -> None:
    """Do one piece of work over `channel`, inside `limits`; never returns."""
    from readiness.media import chore_worker  # noqa: PLC0415 - never in the web process

    chore_worker.serve(channel, limits)
