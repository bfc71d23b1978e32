"""One task that writes for all sockets.

Whoever queues something for a socket puts its writer on the list of the dirty, which costs next to nothing; the task goes
through the list and hands each socket's packets to the kernel in one piece. So a broadcast to a thousand sockets wakes
one task and not a thousand, and what is queued for a socket in one turn of the scheduler is one write.
"""

from __future__ import annotations

from typing import Protocol, final

import trio

from trio_socketio._logging import scope_logger

_logger = scope_logger("serve")

WRITES_PER_CHECKPOINT = 200


class Dirty(Protocol):
    """A writer on the list."""

    is_listed: bool
    """It is on the list; set by whoever puts it there, and by the flusher."""

    def flush(self) -> None:
        """Write what waits, without waiting."""

    def fail(self) -> None:
        """It raised what it should not: end its session."""


@final
class Flusher:
    """The list, and the task."""

    __slots__ = ("_dirty", "_idle")

    def __init__(self) -> None:
        self._dirty: list[Dirty] = []
        self._idle = trio.lowlevel.ParkingLot()

    def add(self, writer: Dirty) -> None:
        """Put a writer on the list."""
        self._dirty.append(writer)
        if self._idle:
            self._idle.unpark()

    async def run(self) -> None:
        """Write, until cancelled."""
        while True:
            if not self._dirty:
                await self._idle.park()
            batch, self._dirty = self._dirty, []
            for number, writer in enumerate(batch, 1):
                try:
                    writer.is_listed = False
                    writer.flush()
                except Exception:
                    # A fault of ours may cost one client, not all.
                    _logger.exception("a writer failed")
                    writer.fail()
                if number % WRITES_PER_CHECKPOINT == 0:
                    await trio.lowlevel.checkpoint()
