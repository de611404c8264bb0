"""``python -m tests.room.killed FOLDER COUNT``: an agent is killed with SIGKILL at random moments, again and again.

Prints ``{kills, finished, lost, twice}``. A check is finished once the spool has taken it: the agent then says its id
on a pipe. The server stands at the other end of another pipe, which the kills cut anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import select
import signal
import socket
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from readiness.room.errors import AwayError
from tests.room.simulated import MONDAY, Clock, Rig, Server


class Piped(Server):
    """The server of one life of the agent: each post is one line to the other process, which answers with one byte."""

    def __init__(self, clock, line: socket.socket, **settings):
        super().__init__(clock, **settings)
        self._line = line

    async def send(self, result):
        try:
            self._line.sendall(json.dumps({"post": result}).encode() + b"\n")
            if not self._line.recv(1):
                raise AwayError("gone")
        except OSError:
            raise AwayError("gone") from None
        return 201


def live(folder: Path, line: socket.socket, begins: datetime) -> None:
    """One life: a planned check each ten minutes, until the kill."""

    async def turns():
        clock = Clock(begins)
        rig = Rig(folder, clock, cron="*/10 * * * *", spread_min=0)
        rig.server = Piped(clock, line, cron="*/10 * * * *", spread_min=0)
        agent = rig.new_agent()
        add = agent.spool.add

        def noted(result):
            taken = add(result)
            line.sendall(json.dumps({"finished": result["id"], "planned": result["planned_at"]}).encode() + b"\n")
            return taken

        agent.spool.add = noted
        while True:
            line.sendall(json.dumps({"now": clock.now().isoformat()}).encode() + b"\n")
            await clock.sleep(await agent.turn())

    with contextlib.suppress(OSError):
        asyncio.run(turns())
    os._exit(0)


class Far:
    """The server's own memory, and what the agent said of itself."""

    def __init__(self):
        self.stored: dict[str, str | None] = {}
        self.finished: dict[str, str] = {}
        self.now = MONDAY.isoformat()

    def read(self, ours: socket.socket, until_s: float, enough=lambda: False) -> None:
        """Serve one life until its time is up."""
        waiting = b""
        while not enough() and (left_s := until_s - time.monotonic()) > 0:
            if not select.select([ours], [], [], left_s)[0]:
                continue
            try:
                got = ours.recv(65_536)
            except ConnectionResetError:
                return
            if not got:
                return
            *lines, waiting = (waiting + got).split(b"\n")
            for one in lines:
                self.take(json.loads(one), ours)

    def take(self, said: dict, ours: socket.socket) -> None:
        self.now = said.get("now", self.now)
        if "finished" in said:
            self.finished[said["finished"]] = said["planned"]
        if "post" in said:
            self.stored.setdefault(said["post"]["id"], said["post"]["planned_at"])
            with contextlib.suppress(OSError):
                ours.sendall(b"1")


def main(folder: Path, kills: int, seed: int = 1) -> dict[str, int]:
    chance, far = random.Random(seed), Far()
    for number in range(kills + 1):
        ours, theirs = socket.socketpair()
        begins = datetime.fromisoformat(far.now) + timedelta(seconds=1)
        child = os.fork()
        if child == 0:
            ours.close()
            live(folder, theirs, begins)
        theirs.close()
        before = len(far.stored)
        if number < kills:
            # Long enough to have begun; where in its work it then is, chance decides.
            far.read(ours, time.monotonic() + 30, lambda so_far=before: len(far.stored) > so_far)
            far.read(ours, time.monotonic() + chance.uniform(0, 0.03))
        else:
            due = set(far.finished) - set(far.stored)
            far.read(
                ours,
                time.monotonic() + 60,
                lambda so_far=before, due=due: due <= set(far.stored) and len(far.stored) > so_far,
            )
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        far.read(ours, time.monotonic() + 0.2)  # what was on its way
        ours.close()
    # The last life's own last check may have been killed on its way: it is in the spool, so it is not lost.
    kept = {path.stem for path in (folder / "spool").glob("*.json")}
    times = [planned for planned in far.stored.values() if planned]
    lost = set(far.finished) - set(far.stored) - kept
    return {"kills": kills, "finished": len(far.finished), "lost": len(lost), "twice": len(times) - len(set(times))}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
