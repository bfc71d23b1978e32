"""What waits for one client: bounded in bytes and in packets.

Packets come in batches (a Socket.IO packet and its attachments) that stay together: they are put in one step, and a
taker takes all that waits. Nothing is awaited here, so nothing can be cut in half.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import trio

from trio_socketio._limits import Limits
from trio_socketio._wire.engine_packet import EnginePacket


@final
class Outbox:
    """A bounded queue of packets, oldest first."""

    __slots__ = ("_bytes", "_max_bytes", "_max_packets", "_waiting", "packets")

    def __init__(self, limits: Limits) -> None:
        self.packets: list[EnginePacket] = []
        """What waits; for looking whether there is something."""
        self._bytes = 0
        self._max_bytes = limits.send_queue_bytes
        self._max_packets = limits.send_queue_packets
        self._waiting: trio.lowlevel.ParkingLot | None = None
        """Where tasks may wait; made when the first one has to."""

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
        """Take what waits, and wake those who wait for room.

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
        self.wake_waiting()
        return packets

    def clear(self) -> None:
        """Drop all, and wake those who wait for room."""
        self.take()

    def wake_waiting(self) -> None:
        """Wake those who wait for room."""
        if self._waiting is not None:
            self._waiting.unpark_all()

    async def wait(self) -> None:
        """Wait until something was taken."""
        self._waiting = self._waiting or trio.lowlevel.ParkingLot()
        await self._waiting.park()


def _prefix(packets: Sequence[EnginePacket], max_bytes: float) -> int:
    taken = 0.0
    for count, packet in enumerate(packets):
        if taken >= max_bytes:
            return count
        taken += packet.size
    return len(packets)


def _size(batch: Sequence[EnginePacket]) -> int:
    return sum(packet.size for packet in batch)
