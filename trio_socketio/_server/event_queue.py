"""Events of one socket that wait for its worker: in order, bounded in number and in bytes."""

from __future__ import annotations

from typing import final

import trio

from trio_socketio._wire.socket_packet import Event


@final
class EventQueue:
    """A queue with one reader (the transport's) that puts, and one worker that gets.

    The worker's wait is the scheduler's own, without a parking lot: it is on the path of every event.

    Args:
        max_events: how many may wait.
        max_bytes: how many bytes they may have had on the wire; one event is always accepted.
    """

    __slots__ = ("_bytes", "_getter", "_max_bytes", "_max_events", "_putting", "closed", "events")

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        # A list: they are few, and an empty deque takes 760 bytes.
        self.events: list[tuple[Event, int]] = []
        """What waits, with its bytes; for looking whether there is something."""
        self._bytes = 0
        self.closed: bool = False
        """The socket is gone."""
        self._getter: trio.lowlevel.Task | None = None
        self._putting: trio.lowlevel.ParkingLot | None = None
        """Where the reader may wait; made when it first has to."""

    def put_nowait(self, event: Event, size: int) -> bool:
        """Put an event; ``False`` if it is full. A closed queue swallows events: its socket is gone."""
        if self.closed:
            return True
        events = self.events
        if events and (len(events) >= self._max_events or self._bytes + size > self._max_bytes):
            return False
        events.append((event, size))
        self._bytes += size
        if self._getter is not None:
            self._wake_getter()
        return True

    async def put(self, event: Event, size: int) -> None:
        """Put an event, waiting until there is room."""
        while not self.put_nowait(event, size):
            self._putting = self._putting or trio.lowlevel.ParkingLot()
            await self._putting.park()

    async def wait(self) -> bool:
        """Wait until an event is there; ``False`` once the queue is closed. A checkpoint only if it has to wait."""
        if not self.events and not self.closed:
            self._getter = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop_getting)
        return not self.closed

    def get_nowait(self) -> Event:
        """Take the oldest event."""
        event, size = self.events.pop(0)
        self._bytes -= size
        if self._putting is not None:
            self._putting.unpark_all()
        return event

    def _wake_getter(self) -> None:
        getter, self._getter = self._getter, None
        if getter is not None:
            trio.lowlevel.reschedule(getter)

    def _stop_getting(self, _: object) -> trio.lowlevel.Abort:
        self._getter = None
        return trio.lowlevel.Abort.SUCCEEDED

    def close(self) -> None:
        """Drop what waits, and wake everybody."""
        self.closed = True
        self.events.clear()
        self._wake_getter()
        if self._putting is not None:
            self._putting.unpark_all()
