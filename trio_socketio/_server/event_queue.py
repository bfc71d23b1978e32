"""Events of one socket that wait for its worker: in order, bounded in number and in bytes."""

from __future__ import annotations

from collections import deque
from typing import final

import trio

from trio_socketio._wire.socket_packet import Event


@final
class EventQueue:
    """A queue with one reader (the transport's) that puts, and one worker that gets.

    Args:
        max_events: how many may wait.
        max_bytes: how many bytes they may have had on the wire; one event is always accepted.
    """

    __slots__ = ("_bytes", "_closed", "_events", "_getting", "_max_bytes", "_max_events", "_putting")

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events: deque[tuple[Event, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._getting = trio.lowlevel.ParkingLot()
        self._putting = trio.lowlevel.ParkingLot()

    def put_nowait(self, event: Event, size: int) -> bool:
        """Put an event; ``False`` if it is full. A closed queue swallows events: its socket is gone."""
        if self._closed:
            return True
        events = self._events
        if events and (len(events) >= self._max_events or self._bytes + size > self._max_bytes):
            return False
        events.append((event, size))
        self._bytes += size
        if self._getting:
            self._getting.unpark()
        return True

    async def put(self, event: Event, size: int) -> None:
        """Put an event, waiting until there is room."""
        while not self.put_nowait(event, size):
            await self._putting.park()

    async def get(self) -> Event | None:
        """Take the oldest event, waiting for one; ``None`` once the queue is closed."""
        while not self._events and not self._closed:
            await self._getting.park()
        if self._closed:
            return None
        event, size = self._events.popleft()
        self._bytes -= size
        if self._putting:
            self._putting.unpark_all()
        return event

    def close(self) -> None:
        """Drop what waits, and wake everybody."""
        self._closed = True
        self._events.clear()
        self._getting.unpark_all()
        self._putting.unpark_all()
