"""Engine.IO 3 packets as WebSocket messages; their text is that of revision 4.

What differs is binary data, which has its type in front of it: the byte 4 in a binary message, or ``b4<base64>`` in a text
for clients that have said in their request that they can't take bytes (``b64=1``).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._wire.engine_packet import MESSAGE, EnginePacket, PacketType, decode_base64, decode_packet
from trio_socketio._wire.websocket_frame import BINARY, TEXT, encode_frame

_BASE64 = "b" + MESSAGE
_BINARY = bytes([int(MESSAGE)])


# Out


def encode_message(packet: EnginePacket) -> str | bytes:
    """Make the WebSocket message of a packet."""
    data = packet.data
    return packet.message_form if isinstance(data, str) else _BINARY + data


def encode_base64_message(packet: EnginePacket) -> str:
    """Make the same for a client that takes text only."""
    data = packet.data
    return packet.type.value + data if isinstance(data, str) else _BASE64 + b64encode(data).decode()


def encode_frames(packets: Sequence[EnginePacket]) -> bytes:
    """Join the WebSocket frames of packets."""
    # Text looks the same in both revisions: a broadcast to clients of both shares that frame, too.
    return b"".join([packet.frame if isinstance(packet.data, str) else packet.form(_frame) for packet in packets])


def encode_base64_frames(packets: Sequence[EnginePacket]) -> bytes:
    """Do the same for a client that takes text only."""
    return b"".join(
        [packet.frame if isinstance(packet.data, str) else packet.form(_base64_frame) for packet in packets]
    )


def _frame(packet: EnginePacket) -> bytes:
    message = encode_message(packet)
    assert isinstance(message, bytes)  # noqa: S101 - asked for binary data only
    return encode_frame(BINARY, message)


def _base64_frame(packet: EnginePacket) -> bytes:
    return encode_frame(TEXT, encode_base64_message(packet).encode())


# In


def decode_text(encoded: str) -> EnginePacket:
    """Decode a packet in text.

    Raises:
        RemoteProtocolError: it is none.
    """
    if encoded.startswith("b"):
        return EnginePacket(PacketType.MESSAGE, _decode_base64(encoded))
    return decode_packet(encoded)


def decode_binary(encoded: bytes) -> EnginePacket:
    """Decode a packet in bytes.

    Raises:
        RemoteProtocolError: it is none, or no message: only those hold binary data.
    """
    return EnginePacket(PacketType.MESSAGE, _decode_binary(encoded))


def as_revision_4(message: str | bytes) -> str | bytes:
    """Rewrite a WebSocket message that came as a client of revision 4 would have sent it.

    Raises:
        RemoteProtocolError: it is no packet, and could be taken for one.
    """
    if isinstance(message, bytes):
        return _decode_binary(message)
    return _decode_base64(message) if message.startswith("b") else message


def _decode_binary(encoded: bytes) -> bytes:
    if encoded[:1] != _BINARY:
        msg = f"binary packet of another type than message, {encoded[:1]!r}"
        raise RemoteProtocolError(msg)
    return encoded[1:]


def _decode_base64(encoded: str) -> bytes:
    if not encoded.startswith(_BASE64):
        msg = f"base64 packet of another type than message, {encoded[:2]!r}"
        raise RemoteProtocolError(msg)
    return decode_base64(encoded[2:])
