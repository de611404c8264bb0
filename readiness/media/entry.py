"""The function a worker process starts in. Importable by the web process: it imports aiortc only when called."""

from __future__ import annotations

import socket

from readiness.media.limits import WorkerLimits

__all__ = ["run"]


def run(channel: socket.socket, limits: WorkerLimits) -> None:
    """Serve one test over `channel`, inside `limits`; never returns."""
    from readiness.media import worker  # noqa: PLC0415 - never in the web process

    worker.serve(channel, limits)
