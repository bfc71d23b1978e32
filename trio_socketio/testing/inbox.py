"""The events that a client has got and that nobody has taken yet: what ``expect`` and streams take from."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import final

import trio

from trio_socketio._server.event_stream import ReceivedEvent

MOST_EVENTS = 1000
"""Events that are kept; beyond it the oldest is dropped."""

SHOWN = 10
"""Events that a report shows."""


def shown_event(event: ReceivedEvent) -> str:
    """Show an event with its arguments, cut short."""
    text = f"{event.name!r}({', '.join(map(repr, event.args))})"
    return text if len(text) <= 120 else f"{text[:120]}..."


@final
class Inbox:
    """Events in the order in which they came."""

    def __init__(self, most: int = MOST_EVENTS) -> None:
        self._events: deque[ReceivedEvent] = deque()
        self._most = most
        self._dropped = 0
        self._changed = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: ReceivedEvent) -> None:
        """Keep an event."""
        if len(self._events) >= self._most:
            self._events.popleft()
            self._dropped += 1
        self._events.append(event)
        self.wake()

    def has(self, names: Collection[str]) -> bool:
        """Say whether there is an event with one of these names, or any if there are none."""
        return any(not names or event.name in names for event in self._events)

    def take(self, names: Collection[str]) -> ReceivedEvent | None:
        """Take the oldest event with one of these names, or of all if there are none; ``None`` if there is none."""
        for index, event in enumerate(self._events):
            if not names or event.name in names:
                del self._events[index]
                return event
        return None

    async def wait(self) -> None:
        """Wait until an event comes, or ``wake`` is called."""
        await self._changed.park()

    def wake(self) -> None:
        """Let those who wait look again."""
        self._changed.unpark_all()

    def report(self) -> str:
        """Say what is kept, and was not asked for."""
        if not self._events:
            return "nothing else came"
        shown = ", ".join(map(shown_event, list(self._events)[:SHOWN]))
        more = len(self._events) - SHOWN
        text = f"instead came: {shown}" + (f", and {more} more" if more > 0 else "")
        return text + (f" ({self._dropped} older ones are not kept)" if self._dropped else "")
