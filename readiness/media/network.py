"""The network part of one test, run by the worker: the idle line first, then trials in both directions at once.

The worker decides when a trial ends and what comes next; the page sends, counts and pings on request. To the page
(through the web process): clock started{run, ms, tracks, bytes} and ended{again}; downlink run{run}, stop{run} and
ended; uplink run{run, tracks, bytes, ms}, stop{run} and ended. From it: a mark after each run with its own counts.
If our own process was late during a trial, or sent too little downwards, the trial is repeated once. A second such
trial counts as ``server_busy``, unless the line carried the requested rate anyway.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from probes.ladder import Ladder, Rung, Tier, rate_measurement
from probes.loss import LossRun, decide_loss, loss_measurement
from probes.measurement import Measurement, not_measured
from probes.network import ClockRow, PingLog, clock_rows, jitter_measurement, loaded_measurement, rtt_measurement
from probes.trial import Quiet, State, TrialFigures, decide, examine, quiet_line
from readiness.media.downlink import DownlinkRun
from readiness.media.lag import LagMonitor
from readiness.media.limits import MAX_RUNS
from readiness.media.loopback import Loopback, now_us
from readiness.media.series import Series
from readiness.media.trials import TCP_IS_NO_HELP, Allowance, Direction, Late, Trial, Way, per_packet
from readiness.media.uplink import payload_of, tracks_for

__all__ = ["NetworkTest"]

Tell = Callable[[Mapping[str, Any]], None]
PHASE: Mapping[Way, str] = {"up": "uplink", "down": "downlink"}

IDLE_S = 1.5
"""Enough for 75 pings and 150 packets each way, yet a line that is too slow is still found within 5 s."""
IDLE_MBPS = 0.096
"""A hundred packets of 120 bytes a second."""
LOOK_S = 0.1
"""How often a running trial is examined."""
MARK_TIMEOUT_S = 4.0
"""How long the page may take to report its counts: a round trip through a full queue."""
REST_S = 0.25
"""Least pause between two runs, so that queues drain."""
DRAIN = 1.2
"""Wait this many times the observed queue delay: the queue kept growing until the sender stopped."""
LAST_FEEDBACK_S = 2.5
"""How long to wait for feedback on the last packets."""
LOSS_RUNS = 3
"""Most further light runs when the loss is neither clearly low nor clearly high."""
LATE_IDLE_MS = 20.0
"""99th percentile of our event loop's lag above which delays on the idle line count as ours."""
LATE_LOAD_MS = 60.0
"""Lag above which a trial cannot count against the line; a rate is read over half a second or more."""
SLIPPED = 0.05
"""Share of the schedule that we may miss."""
MS_PER_S = 1e3
HIDDEN_LAG_MS = 1000.0
"""Browsers run the timers of a hidden page once a second."""
_Rows = tuple[Sequence[float], Sequence[float | None], Sequence[int], float]
"""Send and arrival times, ms; the number without feedback before each; and the bytes that each packet stands for."""


class NetworkTest:
    """Runs the phases and keeps their results until `measure` turns them into measurements."""

    def __init__(self, peer: Callable[[], Loopback | None], lag: LagMonitor, tell: Tell) -> None:
        self._peer, self._lag, self._tell = peer, lag, tell
        self._ways: dict[Way, Direction] = {"up": Direction(), "down": Direction()}
        self._runs = 0
        self._marks: dict[tuple[str, int], asyncio.Future[Mapping[str, Any]]] = {}
        self._received = 0
        self._idle_rows: list[ClockRow] = []
        self._idle_busy = False
        self._idle_lag: dict[str, Any] = {"server_lag_p99_ms": None, "device_lag_p99_ms": None}
        """How late we and the page were while the line was idle, ms."""
        self._good_us: list[tuple[float, float]] = []
        """When each trial ran that the line carried, by the clock of the pings."""
        self._bad_us: list[tuple[float, float]] = []
        self.series = Series()
        self._allowance = Allowance(lambda: sum(now.meter.wire_bytes()) if (now := self._peer()) else 0)

    # ---- from the web process

    def mark(self, message: Mapping[str, Any]) -> None:
        """Accept the page's counts of a run."""
        waiting = self._marks.get((str(message["phase"]), int(message["data"]["run"])))
        if waiting is not None and not waiting.done():
            waiting.set_result(message["data"])

    async def idle(self, *, again: bool) -> None:
        """Measure the idle line. `again` marks a second try, after one in which we were late."""
        peer, run = self._peer(), self._new_run()
        if peer is None or not peer.is_connected or run is None:
            self._say("clock", "failed", code="disconnected")
            return
        late = Late(self._lag)
        uplink = peer.uplink.begin(run)
        self.series.begin("clock")
        values = {"run": run, "ms": IDLE_S * MS_PER_S, "tracks": 1, "bytes": payload_of(IDLE_MBPS, 1)}
        self._say("clock", "started", values)
        down = DownlinkRun(IDLE_MBPS, IDLE_S)
        mark = await self._while_sending(peer, down, "clock", run)
        self.series.end("clock")
        lag_ms, was_late = late.figures(LATE_IDLE_MS)
        device_ms = HIDDEN_LAG_MS if mark.get("hidden") else mark.get("lag_ms")
        self._idle_lag = {"server_lag_p99_ms": lag_ms, "device_lag_p99_ms": device_ms}
        self._take_pings(peer, mark)
        up_rows = uplink.rows(_count(mark, "sent"))
        down_rows = peer.feedback.rows(down.sent)
        self.series.add_run("up", *up_rows, uplink.wire_bytes)
        self.series.add_run("down", *down_rows, down.wire_bytes)
        self._rest("up", up_rows, _count(mark, "sent"), len(uplink.arrived))
        self._rest("down", down_rows, len(down.sent) if mark else 0, self._received_since(mark))
        self._idle_busy = was_late and again
        self._say("clock", "ended", {"again": was_late and not again})

    async def load(
        self, ways: Sequence[Way], tiers: Sequence[Tier], *, need_mbps: float, factor: float, most_bytes: int
    ) -> None:
        """Find the rate that the line carries in each of `ways`, both at once as in a meeting.

        No trial begins that could take the connection beyond `most_bytes`, both ways together.
        """
        self._allowance.most_bytes = most_bytes
        await asyncio.gather(*(self._climb(way, Ladder(tiers, need_mbps=need_mbps, factor=factor)) for way in ways))

    # ---- one direction

    async def _climb(self, way: Way, ladder: Ladder) -> None:
        known, peer = self._ways[way], self._peer()
        repeated: Rung | None = None
        try:
            if way == "down" and peer is not None and not (peer.sender and peer.sender.has_feedback):
                known.cause = "no_feedback"
                return
            known.ladder = ladder
            while (rung := ladder.rung) is not None:
                if not self._allowance.book(way, rung.rate_mbps, rung.carried_s):
                    known.cause, known.busy = "data_limit", repeated is rung
                    break
                trial = await self._trial(way, rung.rate_mbps, rung)
                self._allowance.clear(way)
                if trial is None:
                    known.cause = "disconnected"
                    break
                queue_ms = trial.figures.queue_ms if trial.figures else 0.0
                await asyncio.sleep(max(REST_S, queue_ms * DRAIN / MS_PER_S))
                if trial.is_ours(way, rung):
                    known.busy = repeated is not None
                    if known.busy:
                        break
                    repeated = rung
                    continue
                if trial.state == "blind":
                    known.ladder, known.cause = None, "no_feedback"
                    break
                ladder.add(trial.figures, trial.state)
                (self._good_us if trial.state == "carried" else self._bad_us).append(trial.window_us)
                if trial.state == "carried":
                    known.losses.append(trial.loss)
            await self._count_losses(way)
        finally:
            self._allowance.clear(way)
            measured = self._rate(way)
            is_known = measured.value is not None or measured.cause in TCP_IS_NO_HELP
            self._say(PHASE[way], "ended", {"measured": is_known}, used_bytes=self._allowance.used_bytes)

    async def _count_losses(self, way: Way) -> None:
        """Send a little longer if the loss is neither clearly low nor clearly high, and the bytes allow it."""
        known = self._ways[way]
        for _ in range(LOSS_RUNS):
            if known.busy or not known.losses or decide_loss(known.losses) != "open":
                return
            if not self._allowance.book(way, IDLE_MBPS, IDLE_S):
                known.is_loss_cut = True
                return
            trial = await self._trial(way, IDLE_MBPS, None)
            self._allowance.clear(way)
            if trial is None:
                return
            if not trial.late:
                known.losses.append(trial.loss)

    async def _trial(self, way: Way, rate_mbps: float, rung: Rung | None) -> Trial | None:
        """Run at `rate_mbps` until the trial is decided; without a `rung` to decide, for as long as an idle run."""
        peer, run = self._peer(), self._new_run()
        if peer is None or not peer.is_connected or run is None:
            return None
        late = Late(self._lag)
        began_us = now_us()
        self.series.begin(PHASE[way])
        trial = await (self._up if way == "up" else self._down)(peer, run, rate_mbps, rung)
        self.series.end(PHASE[way])
        if not peer.is_connected:
            return None
        if trial is not None:
            lag_ms, was_late = late.figures(LATE_LOAD_MS)
            self._ways[way].lag_p99_ms = max(self._ways[way].lag_p99_ms, lag_ms)
            trial.late = trial.late or was_late
            trial.window_us = (began_us, now_us())
        return trial

    async def _down(self, peer: Loopback, run: int, rate_mbps: float, rung: Rung | None) -> Trial | None:
        down = DownlinkRun(rate_mbps, rung.carried_s if rung else IDLE_S)
        if peer.sender is None:
            return None
        self._say("downlink", "run", {"run": run}, used_bytes=self._allowance.used_bytes)
        sending = asyncio.create_task(peer.sender.run(down))
        before = peer.meter.wire_bytes()[1]

        def rows() -> _Rows:
            everything = peer.meter.wire_bytes()[1] - before
            heard = peer.feedback
            share = per_packet(everything, down.wire_bytes, len(down.sent))
            return *heard.rows(down.sent), heard.unheard(down.sent), share

        try:
            figures, state = await self._watch(rung, down.longest_s, rows, self._ways["down"].quiet)
        finally:
            down.stopped = True
            await sending
        mark = await self._marked("downlink", run, told=lambda: self._say("downlink", "stop", {"run": run}))
        if mark is None or down.code:
            return None
        found = peer.feedback.rows(down.sent)
        self.series.add_run("down", *found, down.wire_bytes)
        loss = _loss(len(down.sent), self._received_since(mark), found)
        slipped = down.slipped_ms > SLIPPED * down.longest_s * MS_PER_S
        return Trial(figures, state, loss, slipped, (0.0, 0.0))

    async def _up(self, peer: Loopback, run: int, rate_mbps: float, rung: Rung | None) -> Trial | None:
        log = peer.uplink.begin(run)
        longest_s = rung.carried_s if rung else IDLE_S
        tracks = tracks_for(rate_mbps)
        values = {"run": run, "ms": longest_s * MS_PER_S, "tracks": tracks, "bytes": payload_of(rate_mbps, tracks)}
        self._say("uplink", "run", values, used_bytes=self._allowance.used_bytes)
        before = peer.meter.wire_bytes()[0]

        def rows() -> _Rows:
            everything = peer.meter.wire_bytes()[0] - before
            return *log.rows(), (), per_packet(everything, log.wire_bytes, len(log.arrived))

        figures, state = await self._watch(rung, longest_s, rows, self._ways["up"].quiet)
        mark = await self._marked("uplink", run, told=lambda: self._say("uplink", "stop", {"run": run}))
        if mark is None:
            return None
        found = log.rows(_count(mark, "sent"))
        self.series.add_run("up", *found, log.wire_bytes)
        return Trial(figures, state, _loss(_count(mark, "sent"), len(log.arrived), found), False, (0.0, 0.0))

    async def _watch(
        self,
        rung: Rung | None,
        longest_s: float,
        rows: Callable[[], _Rows],
        quiet: Quiet,
    ) -> tuple[TrialFigures | None, State]:
        """Watch a running trial until it is decided, or its time and the wait for its last feedback are over."""
        began = time.perf_counter()
        if rung is None:
            await asyncio.sleep(longest_s + REST_S)
            return None, "carried"
        figures: TrialFigures | None = None
        while (since := time.perf_counter() - began) < longest_s + LAST_FEEDBACK_S:
            await asyncio.sleep(LOOK_S)
            sent, arrived, unheard, wire_bytes = rows()
            if len(sent) > 1:
                figures = examine(rung.rate_mbps, sent, arrived, wire_bytes, quiet=quiet, unheard=unheard)
            state = decide(figures, rung.need_mbps, since_start_s=since, carried_s=rung.carried_s)
            if state != "open":
                return figures, state
        return figures, "short"

    # ---- the page's counts

    async def _while_sending(self, peer: Loopback, down: DownlinkRun, phase: str, run: int) -> Mapping[str, Any]:
        """Send idle packets down while the page does its part; return its mark, or an empty one if none came."""
        sending = asyncio.create_task(peer.sender.run(down)) if peer.sender else None
        try:
            return await self._marked(phase, run, timeout_s=IDLE_S + MARK_TIMEOUT_S) or {}
        finally:
            if sending is not None:
                down.stopped = True
                await sending

    async def _marked(
        self, phase: str, run: int, *, told: Callable[[], None] | None = None, timeout_s: float = MARK_TIMEOUT_S
    ) -> Mapping[str, Any] | None:
        waiting: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._marks[phase, run] = waiting
        if told is not None:
            told()
        try:
            async with asyncio.timeout(timeout_s):
                return await waiting
        except TimeoutError:
            return None
        finally:
            del self._marks[phase, run]

    def _received_since(self, mark: Mapping[str, Any]) -> int:
        """Return how many packets the browser has received since the last mark, by its own running count."""
        total = _count(mark, "received")
        since, self._received = total - self._received, max(total, self._received)
        return max(0, since)

    def _rest(self, way: Way, rows: tuple[list[float], list[float | None]], sent: int, received: int) -> None:
        known = self._ways[way]
        known.quiet, known.idle = quiet_line(*rows), rows
        if sent:
            known.losses = [_loss(sent, received, rows)]

    def _take_pings(self, peer: Loopback, mark: Mapping[str, Any]) -> None:
        log = [PingLog(row.seq, row.t2_us, row.t3_us) for row in peer.clock.rows]
        known = {row.seq for row in self._idle_rows}
        fresh = [row for row in clock_rows(mark.get("rows") or (), log) if row.seq not in known]
        self._idle_rows = fresh or self._idle_rows

    # ---- results

    def measure(self, phase: str, data: Mapping[str, Any]) -> tuple[list[Measurement], dict[str, Any]]:
        """Return the measurements of `phase` (clock, downlink or uplink), and figures about ourselves."""
        if phase == "clock":
            return self._measure_clock()
        way: Way = "up" if phase == "uplink" else "down"
        known = self._ways[way]
        found = [self._rate(way)]
        if known.is_loss_cut:
            found.append(not_measured(f"network.loss_{way}", "data_limit", "pct"))
        elif known.losses:
            found.append(loss_measurement(way, known.losses))
        if phase == "uplink":
            found.append(self._loaded(data))
        device = {"device_lag_p99_ms": data.get("lag_ms")}
        found = [_with(one, server_lag_p99_ms=known.lag_p99_ms, **device) for one in found]
        return found, {"busy": known.busy, "lag_p99_ms": known.lag_p99_ms}

    def _measure_clock(self) -> tuple[list[Measurement], dict[str, Any]]:
        peer = self._peer()
        found = [rtt_measurement(self._idle_rows)]
        ways: tuple[Way, ...] = ("up", "down")
        for way in ways:
            stamps = [
                (sent, arrived) for sent, arrived in zip(*self._ways[way].idle, strict=True) if arrived is not None
            ]
            found.append(jitter_measurement(way, stamps, self._idle_rows))
            if self._ways[way].losses:
                found.append(loss_measurement(way, self._ways[way].losses[:1]))
        numbers = {
            "pings": len(self._idle_rows),
            "ignored": peer.clock.ignored if peer else 0,
            "busy": self._idle_busy,
            **self._idle_lag,
        }
        return [_with(one, **self._idle_lag) for one in found], numbers

    def _rate(self, way: Way) -> Measurement:
        known = self._ways[way]
        check = f"network.throughput_{way}"
        if known.ladder is None or not known.ladder.results:
            return not_measured(check, "server_busy" if known.busy else known.cause, "mbps")
        if known.busy and not any(state == "carried" for _, _, state in known.ladder.results):
            return not_measured(check, "server_busy", "mbps")
        return rate_measurement(way, known.ladder)

    def _loaded(self, data: Mapping[str, Any]) -> Measurement:
        peer = self._peer()
        log = [PingLog(row.seq, row.t2_us, row.t3_us) for row in peer.clock.rows] if peer else []
        rows = clock_rows(data.get("rows") or (), log)
        self.series.add_pings(self._idle_rows + rows)
        good = [row for row in rows if _within(row.t2_us, self._good_us) and not _within(row.t2_us, self._bad_us)]
        return loaded_measurement(self._idle_rows, good)

    def _new_run(self) -> int | None:
        if self._runs >= MAX_RUNS:
            return None
        self._runs += 1
        return self._runs

    def _say(self, phase: str, state: str, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        self._tell({"op": "net", "phase": phase, "state": state, "values": dict(values or {}), **more})


def _loss(sent: int, received: int, rows: tuple[Sequence[float], Sequence[float | None]]) -> LossRun:
    return LossRun(sent, min(sent, received), rows[0], [arrival is None for arrival in rows[1]])


def _within(at_us: float, windows: Sequence[tuple[float, float]]) -> bool:
    return any(begin <= at_us <= end for begin, end in windows)


def _count(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _with(measurement: Measurement, **details: Any) -> Measurement:
    return replace(measurement, details={**measurement.details, **details})
