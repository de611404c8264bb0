"""Full speed of a room's connection, by the ``speedtest-cli`` package: against our own server or the public network.

For ``internet.speed``: information for whoever repairs the line, not the answer to "does it carry the meeting".
Blocking (run it in a thread), bounded in time and bytes, and never raises: a failure becomes the measurement's cause.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import time
from dataclasses import dataclass
from typing import Any, Final

from probes.measurement import Measurement, not_measured

__all__ = ["Budget", "internet_measurements"]

CHECK: Final = "internet.speed"
FILE_BYTES: Final = {350: 245_388, 1000: 1_986_284, 1500: 4_468_241, 2000: 7_907_740, 2500: 12_407_926}
"""Name to bytes of the files that a Speedtest server offers; larger ones are not needed."""
UPLOAD_BYTES: Final = 524_288
"""Size of one upload: short compared with the time limit, long compared with a round trip."""
THREADS: Final = 4
FAILED_PING_MS: Final = 600_000.0
"""speedtest-cli counts a ping without an answer as an hour; the mean of three, halved, is then at least this."""
BUSY: Final = frozenset({429, 503})
NOT_THERE: Final = 404


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a run."""

    seconds: float = 6.0
    """Each way."""
    bytes: int = 50_000_000
    """Each way; bytes in flight at the end may come on top."""
    answer_s: float = 5.0
    """Longest wait for an answer."""


class _Deadline:
    """The event that speedtest-cli polls to stop early; only ever read, never set."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def isSet(self) -> bool:  # noqa: N802 - the package's name for it
        return time.monotonic() > self._end


def internet_measurements(
    *, mini_url: str = "", public: bool = False, budget: Budget | None = None
) -> list[Measurement]:
    """Return ``internet.speed``: the slower direction in Mbit/s, with both directions and the ping in its details.

    `mini_url` is the address of a Speedtest Mini, such as ``https://ready.hospital.example/mini/`` of our own server;
    without it the nearest public server is used, where `public` allows that.
    """
    if not mini_url and not public:
        return [not_measured(CHECK, "not_asked", "mbps")]
    if mini_url and not mini_url.startswith(("http://", "https://")):
        return [not_measured(CHECK, "unreachable", "mbps")]
    try:
        module = _package()
    except ImportError:
        return [not_measured(CHECK, "not_installed", "mbps")]
    try:
        return [_measure(module, mini_url, budget or Budget())]
    except Exception as error:  # noqa: BLE001 - whatever the package stumbles over is a cause, not a crash
        return [not_measured(CHECK, _cause(module, error), "mbps")]


def _package() -> Any:
    """Import the package without letting it reopen standard output, which it would close at the end."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return importlib.import_module("speedtest")


def _measure(module: Any, mini_url: str, budget: Budget) -> Measurement:
    tester = _tester(module, is_public=not mini_url, budget=budget)
    if mini_url:
        _knock(module, tester, mini_url)
        tester.get_best_server(tester.set_mini_server(mini_url))
    else:
        tester.get_best_server()
    tester.download()
    tester.upload(pre_allocate=False)
    found = tester.results
    if not found.bytes_received or not found.bytes_sent:
        return not_measured(CHECK, "no_value", "mbps")
    down_mbps, up_mbps = found.download / 1e6, found.upload / 1e6
    return Measurement(
        CHECK,
        round(min(down_mbps, up_mbps), 2),
        "mbps",
        samples=2,
        details={
            "down_mbps": round(down_mbps, 2),
            "up_mbps": round(up_mbps, 2),
            "ping_ms": round(found.ping, 1) if found.ping < FAILED_PING_MS else None,
            "down_bytes": found.bytes_received,
            "up_bytes": found.bytes_sent,
            "is_public": not mini_url,
        },
    )


def _tester(module: Any, *, is_public: bool, budget: Budget) -> Any:
    """Return the package's own tester with our budget; only for a public server does it ask www.speedtest.net."""
    size = max((size for size, each in FILE_BYTES.items() if each * THREADS <= budget.bytes), default=min(FILE_BYTES))
    files = max(1, min(THREADS, budget.bytes // FILE_BYTES[size]))
    uploads = max(1, budget.bytes // UPLOAD_BYTES)
    plan = {
        "client": {"ip": "", "lat": "0", "lon": "0", "isp": "", "country": ""},
        "ignore_servers": [],
        "sizes": {"download": [size], "upload": [UPLOAD_BYTES]},
        "counts": {"download": files, "upload": uploads},
        "threads": {"download": THREADS, "upload": THREADS},
        "length": {"download": budget.seconds, "upload": budget.seconds},
        "upload_max": uploads,
    }

    class Tester(module.Speedtest):  # type: ignore[misc]
        def get_config(self) -> Any:
            if is_public:
                super().get_config()
                del plan["client"], plan["ignore_servers"]
            self.config.update(plan)
            return self.config

    longest_s = 2 * budget.seconds + 10 * budget.answer_s
    return Tester(timeout=budget.answer_s, secure=is_public, shutdown_event=_Deadline(longest_s))


def _knock(module: Any, tester: Any, mini_url: str) -> None:
    """Raise the first request's own error, where the package would only say that it failed."""
    answer, error = module.catch_request(module.build_request(mini_url), opener=tester._opener)  # noqa: SLF001
    if error:
        with contextlib.suppress(AttributeError):
            error.close()
        raise error
    answer.close()


def _cause(module: Any, error: Exception) -> str:
    """Return why there is no figure."""
    status = getattr(error, "code", None)
    if status in BUSY:
        return "server_busy"
    if status == NOT_THERE or isinstance(error, module.InvalidSpeedtestMiniServer):
        return "no_speedtest"
    if isinstance(error, (OSError, module.SpeedtestException)):
        return "unreachable"
    return "step_died"
