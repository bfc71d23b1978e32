"""What waits for one client: bounded in bytes and in packets.

Packets come in batches (a Socket.IO packet and its attachments) that stay together: they are put in one step, and a
taker takes all that waits. Nothing is awaited while that is done, so nothing can be cut in half.

Who wants to wait for room stands in a line, and whoever makes room puts for them, first come, first served: between two
steps of a waiting task somebody else could have taken its place.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, final

import trio

from trio_socketio._limits import Limits
from trio_socketio._wire.engine_packet import EnginePacket


class Owner(Protocol):
    """For whom something is put."""

    @property
    def gone(self) -> str | None:
        """Why it has left, once it has."""
        ...


@final
class _Waiter:
    __slots__ = ("error", "owner", "put", "task")

    def __init__(self, task: trio.lowlevel.Task, owner: Owner, put: Callable[[], None]) -> None:
        self.task = task
        self.owner = owner
        self.put = put
        self.error: Exception | None = None
        """What ``put`` has raised."""


@final
class Outbox:
    """A bounded queue of packets, oldest first."""

    __slots__ = ("_bytes", "_line", "_max_bytes", "_max_packets", "packets")

    def __init__(self, limits: Limits) -> None:
        self.packets: list[EnginePacket] = []
        """What waits; for looking whether there is something."""
        self._bytes = 0
        self._max_bytes = limits.send_queue_bytes
        self._max_packets = limits.send_queue_packets
        self._line: deque[_Waiter] | None = None
        """Tasks that wait for room; made when the first one has to."""

    def __len__(self) -> int:
        return len(self.packets)

    @property
    def bytes(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def offer(self, batch: Sequence[EnginePacket]) -> bool:
        """Append a batch; ``False`` if it does not fit. An empty queue takes any: else it could never be sent."""
        packets, count = self.packets, len(batch)
        size = batch[0].size if count == 1 else _size(batch)
        if packets and (len(packets) + count > self._max_packets or self._bytes + size > self._max_bytes):
            return False
        packets += batch
        self._bytes += size
        return True

    @property
    def is_crowded(self) -> bool:
        """It is more than half full: who can, should let what waits go out first."""
        return len(self.packets) * 2 > self._max_packets or self._bytes * 2 > self._max_bytes

    def put(self, batch: Sequence[EnginePacket]) -> None:
        """Append a batch, without asking for room."""
        self.packets += batch
        self._bytes += batch[0].size if len(batch) == 1 else _size(batch)

    def put_first(self, packet: EnginePacket) -> None:
        """Put a packet in front of all others, without asking for room."""
        self.packets.insert(0, packet)
        self._bytes += packet.size

    def take(self, max_bytes: float = math.inf) -> list[EnginePacket]:
        """Take what waits, and put for those who wait for room.

        Args:
            max_bytes: begin no further packet beyond so many.
        """
        packets, self.packets = self.packets, []
        if self._bytes <= max_bytes:
            self._bytes = 0
        else:
            count = _prefix(packets, max_bytes)
            self.packets = packets[count:]
            packets = packets[:count]
            self._bytes -= _size(packets)
        self.serve_waiting()
        return packets

    def clear(self) -> None:
        """Drop all, and let those who wait for room try."""
        self.take()

    async def put_in_turn(self, owner: Owner, put: Callable[[], None]) -> None:
        """Wait until ``put`` goes through, behind all who wait already; not a checkpoint if it goes through at once.

        Cancelled, it has not gone through.

        Args:
            owner: may leave meanwhile; then ``put`` must raise.
            put: puts something, or raises trio.WouldBlock. Called by whoever makes room; what else it raises, this raises.
        """
        if not self._line:
            try:
                put()
            except trio.WouldBlock:
                self._line = self._line or deque()
            else:
                return
        assert self._line is not None  # noqa: S101 - made above, or not empty
        waiter = _Waiter(trio.lowlevel.current_task(), owner, put)
        self._line.append(waiter)

        def abort(_: object) -> trio.lowlevel.Abort:
            assert self._line is not None  # noqa: S101 - it stands there
            self._line.remove(waiter)
            # It may have been a large one, in front of small ones.
            self.serve_waiting()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if waiter.error is not None:
            raise waiter.error

    def serve_waiting(self) -> None:
        """Put for those who wait, as far as there is room; those whose owner has left go with an error, wherever they stand."""
        line = self._line
        if not line:
            return
        blocked = False
        for waiter in list(line):
            if blocked and waiter.owner.gone is None:
                continue
            try:
                waiter.put()
            except trio.WouldBlock:
                blocked = True
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it belongs
                waiter.error = error
            line.remove(waiter)
            trio.lowlevel.reschedule(waiter.task)


def _prefix(packets: Sequence[EnginePacket], max_bytes: float) -> int:
    taken = 0.0
    for count, packet in enumerate(packets):
        if taken >= max_bytes:
            return count
        taken += packet.size
    return len(packets)


def _size(batch: Sequence[EnginePacket]) -> int:
    return sum(packet.size for packet in batch)
