"""What a client may have missed, kept for the case that it comes back.

Theory of operation
-------------------
Each event of a namespace gets the next *position*; its text, the *offset*, travels as the event's last argument, and
clients tell the last one that they got when they come back. Positions rise along each client's connection, since an event
gets its position in the same step in which it is queued.

Each socket keeps what was queued for it (by reference: the recipients of a broadcast share the packets) until it is
known to have arrived. Two things tell that: the offset with which a client comes back; and each pong, for it is sent
after everything that had come in front of the ping. So a socket keeps about one heartbeat's worth of events, a quiet
client does not depend on what others were sent meanwhile, and one that has not received anything yet has missed nothing
but what is here. Rooms play no role any more: whether an event was for this socket was decided when it was sent.

What doesn't fit is dropped, oldest first; then a client that needs it can't be recovered, and is told so.

Events that ask for an answer have no offset and are not kept, as their sender learns that the client was gone. Volatile
events are not kept either, but carry the offset of the last one that is: clients take the last argument of every event
for one if it is text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import final

from trio_socketio._wire.engine_packet import EnginePacket
from trio_socketio._wire.socket_packet import Event


@final
class Offsets:
    """The positions of one namespace, and their texts.

    Args:
        epoch: names this life of the namespace, so that no other one takes an offset for its own.
    """

    __slots__ = ("_epoch", "position")

    def __init__(self, epoch: str) -> None:
        self._epoch = f"{epoch}."
        self.position: int = 0
        """The last one that was given to an event."""

    def stamp(self, event: Event, *, advance: bool = True) -> Event:
        """Give an event the next position, or else that of the last event, as its last argument."""
        self.position += advance
        return Event(event.namespace, [*event.args, f"{self._epoch}{self.position:x}"], event.ack_id)

    def position_of(self, offset: object) -> int:
        """Read what a client says that it got last; 0 if that is none of these."""
        if not isinstance(offset, str) or not offset.startswith(self._epoch) or len(offset) > len(self._epoch) + 16:
            return 0
        try:
            return int(offset[len(self._epoch) :], 16)
        except ValueError:
            return 0


@final
class Replay:
    """The events of one socket that may not have arrived.

    Args:
        offsets: the namespace's.
        max_packets: events that are kept.
        max_bytes: bytes that they may have on the wire; one event is always kept.
    """

    __slots__ = ("_arrived", "_bytes", "_dropped", "_events", "_max_bytes", "_max_packets", "offsets")

    def __init__(self, offsets: Offsets, max_packets: int, max_bytes: int) -> None:
        self.offsets: Offsets = offsets
        self._max_packets = max_packets
        self._max_bytes = max_bytes
        self._events: deque[tuple[int, int, Sequence[EnginePacket]]] = deque()
        self._bytes = 0
        self._arrived = offsets.position
        """The client has got everything up to here."""
        self._dropped = 0
        """Up to here something may be missing that did not fit."""

    def stamp(self, event: Event) -> Event:
        """Give an event the next position."""
        return self.offsets.stamp(event)

    def record(self, batch: Sequence[EnginePacket]) -> None:
        """Keep an event that has just been given its position."""
        size = sum(packet.size for packet in batch)
        self._events.append((self.offsets.position, size, batch))
        self._bytes += size
        while len(self._events) > self._max_packets or (self._bytes > self._max_bytes and len(self._events) > 1):
            self._dropped = self._pop_oldest()

    def arrived(self, position: int) -> None:
        """Note that the client has got everything up to a position."""
        while self._events and self._events[0][0] <= position:
            self._pop_oldest()
        self._arrived = max(self._arrived, position)

    def missed(self, offset: object) -> list[Sequence[EnginePacket]] | None:
        """Return what a client has not got that comes back with an offset; ``None`` if not all of that is here."""
        position = self.offsets.position_of(offset)
        start = max(self._arrived, position)
        if position > self.offsets.position or self._dropped > start:
            return None
        self.arrived(start)
        return [batch for _, _, batch in self._events]

    def _pop_oldest(self) -> int:
        position, size, _ = self._events.popleft()
        self._bytes -= size
        return position
