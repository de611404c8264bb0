"""A server, a clock and checks for the room's agent, all made up: a week takes a second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from readiness.room.agent import Agent
from readiness.room.enrolment import Enrolment
from readiness.room.errors import AwayError, RefusedError, RevokedError

MONDAY = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
SETTINGS = {"cron": "0 6 * * *", "time_zone": "Europe/Oslo", "spread_min": 20, "repeat_min": 10, "guard_min": 10,
            "quiet_from": "20:00", "quiet_to": "06:00", "before_meeting_min": [60, 30]}  # fmt: skip
STAMPS = {"sent_at", "monotonic_age_s", "dropped"}


class Clock:
    """Goes on as far as it is slept; `set` moves the wall's hands, `asleep` is the PC's own sleep."""

    def __init__(self, now: datetime = MONDAY):
        self._now, self._steady_s = now, 1000.0
        self.longest_s = 0.0

    def now(self):
        return self._now

    def steady_s(self):
        return self._steady_s

    def go(self, seconds: float):
        self._now += timedelta(seconds=seconds)
        self._steady_s += seconds

    def set(self, **by):
        self._now += timedelta(**by)

    async def sleep(self, seconds: float):
        self.longest_s = max(self.longest_s, seconds)
        self.go(seconds)


class Server:
    """Takes each id once, as the contract says; `is_away`, `is_revoked` and `answers` are how it misbehaves."""

    def __init__(self, clock: Clock, **settings):
        self.clock, self.settings_of_room = clock, {**SETTINGS, **settings}
        self.meetings: list[dict] = []
        self.wanted = None
        self.stored: dict[str, dict] = {}
        self.order: list[str] = []
        self.posts = self.calls = 0
        self.is_away = self.is_revoked = self.is_forgetful = self.keeps_key = False
        self.refuses: set[str] = set()
        self.keys = ["key-1"]

    @property
    def results(self):
        return [self.stored[one] for one in self.order]

    def _look(self):
        if self.is_revoked:
            raise RevokedError("revoked")
        if self.is_away:
            raise AwayError("away")

    async def settings(self):
        self.calls += 1
        self._look()
        after = self.clock.now() - timedelta(hours=2)
        meetings = [one for one in self.meetings if datetime.fromisoformat(one["ends_at"]) > after]
        return {
            "settings": self.settings_of_room,
            "meetings": meetings, "check_wanted": self.wanted,
            "room": {"id": "room-1", "name": "Fjord"}, "server_time": self.clock.now().isoformat(),
        }  # fmt: skip

    async def send(self, result):
        self.posts += 1
        self._look()
        if result["reason"] in self.refuses:
            raise RefusedError("no", status=400, code="bad")
        body = {name: value for name, value in result.items() if name not in STAMPS}
        if result["id"] in self.stored:
            assert self.stored[result["id"]] == {**self.stored[result["id"]], **body}
            return 200
        self.stored[result["id"]] = dict(result)
        self.order.append(result["id"])
        if self.is_forgetful:  # it has stored, and the answer is lost
            self.is_forgetful = False
            raise AwayError("the answer was lost")
        return 201

    async def new_key(self):
        self._look()
        if self.keeps_key:
            raise RefusedError("no", status=429, code="slow")
        self.keys.append(f"key-{len(self.keys) + 1}")
        return self.keys[-1]


class Rig:
    """One room with its agent; `verdicts` are what its checks come to, the last one again and again."""

    def __init__(self, folder, clock: Clock | None = None, *, verdicts=("ready",), **settings):
        self.folder, self.clock = folder, clock or Clock()
        self.server = Server(self.clock, **settings)
        self.verdicts = list(verdicts)
        self.busy = lambda: False
        self.runs: list = []
        self.kept: list[Enrolment] = []
        self.agent = self.new_agent()

    def new_agent(self) -> Agent:
        """Start the program again."""
        enrolment = self.kept[-1] if self.kept else Enrolment(
            server="https://server.example", room={"id": "room-1"}, key="key-1", key_store="file",
            key_since=self.clock.now().timestamp(), settings=dict(self.server.settings_of_room),
        )  # fmt: skip
        self.agent = Agent(
            enrolment, folder=self.folder, connect=lambda _one: self.server, check=self.check, clock=self.clock,
            boot="boot-1", keep=self.keep,
        )  # fmt: skip
        return self.agent

    def keep(self, enrolment):
        self.kept.append(enrolment)
        return enrolment

    def check(self, run):
        from readiness.room.errors import RoomBusyError

        if self.busy():
            raise RoomBusyError
        self.runs.append((self.clock.now(), run))
        self.clock.go(40)
        verdict = self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]
        return {"schema": "readiness.room_check/1", "verdict": verdict}

    async def live(self, **span):
        """Let the agent live for a while."""
        end_s = self.clock.steady_s() + timedelta(**span).total_seconds()
        while self.clock.steady_s() < end_s:
            await self.clock.sleep(await self.agent.turn())

    @property
    def planned(self):
        return [one["planned_at"] for one in self.server.results if one["reason"] == "timetable" and one["check"]]
