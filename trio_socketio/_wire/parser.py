"""What a Socket.IO parser is: the one piece of the wire format that an application may replace.

Both ends must use the same. A parser holds no state; what has to be remembered between two messages (a packet whose
attachments are still to come) is in the decoder, of which each connection has its own.
"""

from __future__ import annotations

from typing import Protocol

from trio_socketio._limits import Limits
from trio_socketio._wire.socket_packet import Ack, Event, SocketPacket


class Decoder(Protocol):
    """Turns the messages of one connection into packets."""

    @property
    def unfinished(self) -> Event | Ack | None:
        """The packet that has begun and whose attachments are not all there."""
        ...

    def feed(self, message: str | bytes) -> SocketPacket | None:
        """Take one Engine.IO message.

        Returns:
            A packet, or ``None`` if it needs more messages (or is one to be ignored).

        Raises:
            RemoteProtocolError: whatever the message holds, no other exception may come out.
        """


class Parser(Protocol):
    """Encodes packets, and makes decoders."""

    def encode(self, packet: SocketPacket) -> list[str | bytes]:
        """Encode a packet to the Engine.IO messages that carry it, in order.

        Raises:
            TypeError: an argument that the format cannot hold.
            ValueError: an argument that is too deep, or text that is not Unicode.
        """
        ...

    def decoder(self, limits: Limits) -> Decoder:
        """Make a decoder for one connection."""
        ...
