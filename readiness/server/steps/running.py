"""The state of a live test shared by its steps: its setup, the finished phases, and when each phase began."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from readiness.media.heavy import Heavy
from readiness.media.pool import MediaWorker
from readiness.server.admission import Lines
from readiness.server.steps.place import Place
from reports.guidance import Hint
from reports.kinds import LINE_BYTES
from reports.phases import FinishedPhase, TestKind
from reports.profile import Profile

__all__ = ["Running", "Send", "SendBytes", "Setup"]

MAX_EVENTS = 40
"""Most events kept of one test."""

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
SendBytes = Callable[[bytes], Awaitable[None]]
Keep = Callable[[str, Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The inputs of a live test."""

    kind: TestKind
    profile: Profile
    expected_people: int
    worker: MediaWorker
    send: Send
    """Sends one JSON message to the page."""
    send_bytes: SendBytes
    keep: Keep
    """Commits one phase, by its name."""
    keep_phone: Callable[[str], Awaitable[None]]
    digits: Sequence[Sequence[int]]
    """Series of digits that the page is asked to play."""
    lines: Lines
    heavy: Heavy
    voices: Mapping[str, str] = field(default_factory=dict)
    """Folder of the spoken digits' recordings, by language."""
    invited: bool = True
    noticed: Callable[[], None] = lambda: None
    """Called when something has changed that somebody who follows would see."""
    line_bytes: int = LINE_BYTES
    """Most bytes for the line, both ways together: its trials, and TCP where they give no figure."""


class Running:
    """The state of a live test. Every finished phase is committed before anything else is done."""

    def __init__(self, setup: Setup, phases: dict[str, Mapping[str, Any]]) -> None:
        self.setup = setup
        self.phases = phases
        """Phases as stored, by name."""
        self.hinted = ""
        """Code of the hint that the page shows."""
        self.phase = setup.kind.phases[0].name
        """The phase that the page is in, as far as known."""
        self.stepped_at_s = time.monotonic()
        """When the last phase finished, by the monotonic clock."""
        self.connected = asyncio.Event()
        """Set while media flows to the page; without a line there is nothing to measure."""
        self.place = Place(setup.lines, invited=setup.invited)
        self.line_left_bytes = setup.line_bytes
        """What is left of the line's bytes: neither used, nor booked for a trial that runs."""
        self._began: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, phase: str) -> None:
        """Note that the page is in `phase`; only the first call counts as its beginning."""
        self._began.setdefault(phase, time.monotonic())
        if phase != self.phase:
            self.phase, self.hinted = phase, ""
            self.setup.noticed()

    def has_begun(self, phase: str) -> bool:
        """Whether `phase` has begun in this attempt."""
        return phase in self._began

    def took_s(self, phase: str) -> float:
        """Return the seconds since `phase` began; 0 if it never did."""
        return time.monotonic() - self._began[phase] if phase in self._began else 0.0

    async def finish(self, phase: str, found: FinishedPhase) -> None:
        """Commit a finished phase."""
        await self.keep(phase, found.to_json())

    async def keep(self, name: str, data: Mapping[str, Any]) -> None:
        """Commit data of the test under `name`."""
        await self.setup.keep(name, data)
        self.phases[name] = data
        self.stepped_at_s = time.monotonic()
        self.setup.noticed()

    async def note_event(self, code: str) -> None:
        """Commit an event for the report; each code only once."""
        codes: list[str] = list(self.phases.get("events", {}).get("codes", ()))
        if code not in codes and len(codes) < MAX_EVENTS:
            kept = {"codes": [*codes, code]}
            self.phases["events"] = kept
            await self.setup.keep("events", kept)

    async def hint(self, hint: Hint | None) -> None:
        """Send a hint to the page, if there is one."""
        if hint is not None:
            if hint.code != self.hinted:
                self.hinted = hint.code
                self.setup.noticed()
            await self.setup.send({"type": "hint", "check": hint.check, "code": hint.code, "values": dict(hint.values)})

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside the test; `close` ends it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop everything that still runs for this test."""
        self.place.give_back()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
