"""Reads all sockets that are ready, in one turn of one task.

Trio's own way costs, for each read, a registration with the kernel, a task that is woken, and its walk through a dozen
coroutines: more than to decode and queue what was read. Here a socket is registered once, and its reader is a plain
function. The poller's own epoll is a file that Trio can wait for, so it is still Trio that sleeps.

What must stay true: a reader never blocks and never raises; who must wait takes its socket out first. Only Linux has
epoll; elsewhere there is no poller, and each connection's task reads for itself.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import TypeAlias, final

import trio

READS_PER_CHECKPOINT = 100
BYTES_PER_CHECKPOINT = 65_536
"""After so many reads, or bytes, everybody else has a turn: a flood of small frames takes its time to decode."""

Reader: TypeAlias = Callable[[], int]
"""Reads its socket once; returns how many bytes that were."""


@final
class Poller:
    """Calls a function whenever its socket is readable."""

    __slots__ = ("_epoll", "_readers")

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Reader] = {}

    @staticmethod
    def is_available() -> bool:
        """This system has what it needs."""
        return hasattr(select, "epoll")

    def add(self, descriptor: int, reader: Reader) -> None:
        """Call ``reader`` as long as there is something to read, or the end."""
        if self._epoll.closed:
            return  # Whoever ends the poller ends those who wait, too.
        self._readers[descriptor] = reader
        self._epoll.register(descriptor, select.EPOLLIN)

    def remove(self, descriptor: int) -> None:
        """Call it no more; to be done before the socket is closed."""
        if self._readers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Poll, until cancelled."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                # Readers may take out others, and themselves: who is not here any more is not called.
                budget = BYTES_PER_CHECKPOINT
                for descriptor, _ in self._epoll.poll(0, READS_PER_CHECKPOINT):
                    reader = self._readers.get(descriptor)
                    if reader is not None:
                        budget -= reader()
                    if budget < 0:
                        # Not a new poll: that would begin with the same sockets again.
                        await trio.lowlevel.checkpoint()
                        budget = BYTES_PER_CHECKPOINT
        finally:
            self._epoll.close()
            self._readers.clear()
