"""What a server counts, all in one object that everybody adds to: plain integers, per read and per write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import trio

NO_PLACE = "No place"
"""What a handshake is counted under that was answered with 503; all others under the protocol's own words."""


@final
class Counters:
    """Totals since the server was made, and what is under way now."""

    __slots__ = (
        "_writes",
        "bytes_received",
        "bytes_sent",
        "connections",
        "event_queues_full",
        "invalid_events",
        "packets_received",
        "packets_sent",
        "refused",
        "refused_by_http",
        "slow_consumers",
    )

    def __init__(self) -> None:
        self.packets_received: int = 0
        self.packets_sent: int = 0
        self.bytes_received: int = 0
        self.bytes_sent: int = 0
        self.connections: int = 0
        """Connections that the front serves now."""
        self.slow_consumers: int = 0
        """Sessions that were closed for that reason."""
        self.event_queues_full: int = 0
        """Sockets that were disconnected for that reason."""
        self.invalid_events: int = 0
        """Events whose arguments were not what their handler takes."""
        self.refused: Counter[str] = Counter()
        """Requests that the engine refused, by the protocol's message or ``NO_PLACE``."""
        self.refused_by_http: Counter[int] = Counter()
        """Requests that the front refused by itself, by the status of the answer."""
        self._writes: dict[object, float] = {}

    def write_waits(self, writer: object) -> None:
        """Note that a write waits from now on, instead of an earlier one of that writer."""
        self._writes[writer] = trio.current_time()

    def write_ends(self, writer: object) -> None:
        """Note that no write of that writer waits any more."""
        self._writes.pop(writer, None)

    @contextmanager
    def waiting_write(self) -> Iterator[None]:
        """Note that a write waits in the block."""
        writer = object()
        self.write_waits(writer)
        try:
            yield
        finally:
            self.write_ends(writer)

    @property
    def oldest_write(self) -> float | None:
        """The seconds that the write has been waiting which has waited longest; ``None`` if none waits."""
        return trio.current_time() - min(self._writes.values()) if self._writes else None
