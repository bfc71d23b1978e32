"""One direction of a connection in memory: bounded as a kernel's buffer, and with faults that a network may have.

Theory of operation
-------------------
Bytes wait in chunks, each with the time at which it has travelled its way. Who sends waits while ``capacity`` bytes wait;
who receives waits for the first chunk's time. Each fault is a state that both look at again whenever anything changes:

    open --finish--> finished: what waits is delivered, then the end; sending fails
      +----abort---> aborted: what waits is lost, both ends fail
    silent: nothing more arrives, no end either; the sender fills the buffer, and then waits for ever
    paused: the receiver takes nothing; the same to the sender
"""

from __future__ import annotations

import math
from collections import deque
from enum import Enum, auto
from typing import final

import trio

CAPACITY = 65_536
"""Bytes that wait on their way at the most."""


@final
class PipeState(Enum):
    """See the theory of operation."""

    OPEN = auto()
    FINISHED = auto()
    ABORTED = auto()


@final
class Pipe:
    """Bytes on their way from one end to the other.

    Args:
        capacity: bytes that may wait; beyond it the sender does.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._state = PipeState.OPEN
        self._end_due = 0.0
        self._is_deaf = False
        self._is_silent = False
        self._is_paused = False
        self._delay = 0.0
        self._changed = trio.lowlevel.ParkingLot()

    @property
    def has_ended(self) -> bool:
        """Nothing will come out any more, as far as the receiver can know."""
        if self._state is PipeState.ABORTED:
            return not self._is_silent
        return self._state is PipeState.FINISHED and not self._chunks and not self._is_silent

    def has_room(self) -> bool:
        """Say whether something could be sent now, or would fail now."""
        return self._size < self._capacity or self._is_broken()

    def _is_broken(self) -> bool:
        return not self._is_silent and (self._is_deaf or self._state is not PipeState.OPEN)

    async def send(self, data: bytes) -> None:
        """Send all of it, waiting for room.

        Raises:
            trio.BrokenResourceError: nobody will receive it.
        """
        rest = memoryview(data)
        while True:
            if self._is_broken():
                msg = "the connection is gone"
                raise trio.BrokenResourceError(msg)
            rest = rest[self._put(rest) :]
            if not rest:
                return
            await self._changed.park()

    def _put(self, data: memoryview) -> int:
        taken = bytes(data[: max(self._capacity - self._size, 0)])
        if taken:
            self._chunks.append((trio.current_time() + self._delay, taken))
            self._size += len(taken)
            self._changed.unpark_all()
        return len(taken)

    async def wait_room(self) -> None:
        """Wait until something could be sent."""
        while not self.has_room():
            await self._changed.park()

    async def receive(self, max_bytes: int) -> bytes:
        """Wait for bytes; none at the end. Cancelled, it has lost nothing.

        Raises:
            trio.BrokenResourceError: it was aborted.
        """
        while True:
            due = math.inf
            if not (self._is_silent or self._is_paused):
                if self._state is PipeState.ABORTED:
                    msg = "the connection was aborted"
                    raise trio.BrokenResourceError(msg)
                if self._chunks:
                    due = self._chunks[0][0]
                elif self._state is PipeState.FINISHED:
                    due = self._end_due
                if due <= trio.current_time():
                    return self._take(max_bytes) if self._chunks else b""
            with trio.CancelScope(deadline=due):
                await self._changed.park()

    def _take(self, max_bytes: int) -> bytes:
        due, chunk = self._chunks.popleft()
        if len(chunk) > max_bytes:
            self._chunks.appendleft((due, chunk[max_bytes:]))
            chunk = chunk[:max_bytes]
        self._size -= len(chunk)
        self._changed.unpark_all()
        return chunk

    # The ends

    def finish(self) -> None:
        """Send no more; what waits still arrives."""
        if self._state is PipeState.OPEN:
            self._state = PipeState.FINISHED
            self._end_due = trio.current_time() + self._delay
            self._changed.unpark_all()

    def turn_deaf(self) -> None:
        """Receive no more: sending fails."""
        self._is_deaf = True
        self._chunks.clear()
        self._size = 0
        self._changed.unpark_all()

    # Faults

    def abort(self) -> None:
        """Lose what waits, and fail at both ends."""
        self._state = PipeState.ABORTED
        self._chunks.clear()
        self._size = 0
        self._changed.unpark_all()

    def silence(self) -> None:
        """Deliver nothing any more, not even the end."""
        self._is_silent = True
        self._changed.unpark_all()

    def pause(self, *, paused: bool) -> None:
        """Let the receiver take nothing, or again."""
        self._is_paused = paused
        self._changed.unpark_all()

    def delay(self, seconds: float) -> None:
        """Let what is sent from now on travel for so many seconds; never overtaking what was sent before."""
        self._delay = seconds
