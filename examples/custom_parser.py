"""A wire format of one's own: each packet is a JSON array, ``[type, namespace, data, id]``, without binary data."""

from __future__ import annotations

from typing import Any

import msgspec
import trio

from trio_socketio import (
    Ack,
    Connect,
    ConnectError,
    Data,
    Disconnect,
    Event,
    Limits,
    RemoteProtocolError,
    Server,
    Socket,
    SocketPacket,
    checked_packet,
    serve,
)


class ArrayParser:
    """Encodes packets; holds no state."""

    def encode(self, packet: SocketPacket) -> list[str | bytes]:
        """Give the one message of a packet."""
        parts: tuple[int, str, Any, int | None]
        match packet:
            case Connect(namespace, data):
                parts = 0, namespace, data, None
            case Disconnect(namespace):
                parts = 1, namespace, None, None
            case Event(namespace, args, ack_id):
                parts = 2, namespace, args, ack_id
            case Ack(namespace, args, ack_id):
                parts = 3, namespace, args, ack_id
            case ConnectError(namespace, data):
                parts = 4, namespace, data, None
        try:
            return [msgspec.json.encode(parts).decode()]
        except RecursionError as error:
            raise ValueError("an argument is nested too deeply, or contains itself") from error

    def decoder(self, limits: Limits) -> ArrayDecoder:
        """Make one for each connection."""
        return ArrayDecoder(limits)


class ArrayDecoder:
    """Decodes what one client sends, all of which may be hostile."""

    unfinished: Event | Ack | None = None  # a packet is one message

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._decode = msgspec.json.Decoder(tuple[int, str, Any, int | None]).decode

    def feed(self, message: str | bytes) -> SocketPacket:
        """Give the packet of a message."""
        # More brackets than that may be nested too deeply. Simple; JSONParser looks closer.
        if isinstance(message, bytes) or message.count("[") + message.count("{") > self._limits.max_json_depth:
            raise RemoteProtocolError("binary, or too many arrays and objects")
        try:
            packet_type, namespace, data, ack_id = self._decode(message)
        except ValueError as error:
            raise RemoteProtocolError("not the array of a packet") from error
        return checked_packet(packet_type, namespace, data, ack_id, self._limits)


sio = Server(parser=ArrayParser())


@sio.on("echo")
async def echo(socket: Socket, *args: Data) -> tuple[Data, ...]:
    """Acknowledge with the arguments."""
    return args


if __name__ == "__main__":
    trio.run(serve, sio, "127.0.0.1:8000")
