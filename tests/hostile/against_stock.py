"""The cases against stock hypercorn, in a process of its own that is started again after each death.

``python -m tests.hostile.against_stock`` prints a table of what happened; names of cases, or of kinds, narrow it down.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

import trio

from tests.hostile.case import Case, get
from tests.hostile.cases import ALL
from tests.hostile.harness import Outcome, complaint, throw
from tests.hostile.peer import PATIENCE, Control, ask, control
from trio_socketio._util import plain_exceptions

BRIEF = 1.0
START = 60.0
"""Seconds in which a process must have started."""

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = [sys.executable, "-m", "hypercorn", "-k", "trio", "--log-level", "CRITICAL"]


class Fate(Enum):
    """What a case did to the process."""

    ANSWERED = "answered"
    HUNG = "hung"
    """The process lives, and serves others; but this connection never ended."""
    STUCK = "serves nobody"
    """The process lives, and serves nobody any more."""
    KILLED = "KILLED THE PROCESS"


@dataclass
class Result:
    """What happened in a case."""

    case: Case
    fate: Fate
    outcome: Outcome | None


class Stock:
    """A process of stock hypercorn.

    Args:
        process: hypercorn's master.
        port: where it listens.
        steady: a client that was there before.
    """

    def __init__(self, process: trio.Process, port: int, steady: Control) -> None:
        self._process = process
        self._port = port
        self._steady = steady

    async def throw(self, case: Case) -> Result:
        """Throw a case, and look whether the process still serves."""
        outcome = None
        try:
            outcome = await throw(case, self._port, BRIEF)
        except (OSError, trio.TooSlowError):
            pass
        if await self._serves():
            fate = Fate.HUNG if outcome is None or not outcome.let_go else Fate.ANSWERED
        else:
            fate = Fate.KILLED if await self._dies() else Fate.STUCK
        return Result(case, fate, outcome)

    async def _serves(self) -> bool:
        with trio.move_on_after(PATIENCE):
            # Twice: who is served again after the first was served by a process that knows of all that came before.
            if not (await self._steady.echo() and await self._steady.echo()):
                return False
            try:
                return (await ask(self._port, get())).startswith(b"HTTP/1.1 200")
            except OSError:
                return False
        return False

    async def _dies(self) -> bool:
        with trio.move_on_after(PATIENCE):
            await self._process.wait()
            return True
        return False


@asynccontextmanager
async def stock() -> AsyncIterator[Stock]:
    """Start hypercorn as its users do, on a socket that is open already."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    port, fd = listening.getsockname()[1], listening.fileno()
    listening.set_inheritable(True)
    command = [*COMMAND, "-b", f"fd://{fd}", "tests.hostile.stock_app:app"]
    options = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "cwd": ROOT, "pass_fds": [fd]}
    try:
        process = await trio.lowlevel.open_process(command, start_new_session=True, **options)
    finally:
        listening.close()
    try:
        with plain_exceptions():
            async with control(port, START) as steady:
                yield Stock(process, port, steady)
    finally:
        with trio.CancelScope(shield=True):
            await _end(process)


async def _end(process: trio.Process) -> None:
    process.terminate()
    with trio.move_on_after(5):
        await process.wait()
        return
    os.killpg(process.pid, 9)  # a group of its own: the master and its worker
    await process.wait()


async def run(cases: Iterable[Case], report: Callable[[Result], None], processes: int = 1) -> None:
    """Throw cases, each at a process that no other of them has killed; several processes take turns."""
    waiting = deque(cases)

    async def one_by_one() -> None:
        while waiting:
            async with stock() as served:
                alive = True
                while waiting and alive:
                    result = await served.throw(waiting.popleft())
                    report(result)
                    alive = result.fate not in {Fate.KILLED, Fate.STUCK}

    async with trio.open_nursery() as nursery:
        for _ in range(processes):
            nursery.start_soon(one_by_one)


async def main(wanted: list[str]) -> None:
    """Print what happens."""
    chosen = {name: case for name, case in ALL.items() if not wanted or any(name.startswith(start) for start in wanted)}
    names = {id(case): name for name, case in chosen.items()}
    counts = dict.fromkeys(Fate, 0)
    wrong = 0

    def report(result: Result) -> None:
        nonlocal wrong
        said = f"nothing in {PATIENCE:.0f} s" if result.outcome is None else str(result.outcome)
        if result.fate is Fate.ANSWERED and result.outcome is not None and complaint(result.case, result.outcome):
            said += "  (not right)"
            wrong += 1
        print(f"{names[id(result.case)]:64} {result.fate.value:20} {said}", flush=True)
        counts[result.fate] += 1

    # Most of the time goes by in waiting for hypercorn's keep-alive.
    await run(chosen.values(), report, processes=min(8, len(chosen)))
    print(", ".join(f"{count} {fate.value}" for fate, count in counts.items()) + f"; {wrong} answers not right")


if __name__ == "__main__":
    trio.run(main, sys.argv[1:])
