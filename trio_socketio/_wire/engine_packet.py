"""Engine.IO 4 packets and their two forms on the wire.

A packet is one character for its type, then its data. As a WebSocket message that is a text frame ``<type><data>``, or
the bare bytes for binary data. In an HTTP payload binary data becomes ``b<base64>``; its type, ``message``, is implied.

A broadcast hands the *same* packet object to all recipients, so its costly forms, the payload's and the frame, are made
once, when first asked for. The forms of revision 3 (see ``engine3_packet``) are kept with it in the same way.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar, cast, final

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._wire.websocket_frame import BINARY, TEXT, encode_frame


@final
class PacketType(Enum):
    """The seven packet types; the value is the character on the wire."""

    OPEN = "0"
    CLOSE = "1"
    PING = "2"
    PONG = "3"
    MESSAGE = "4"
    UPGRADE = "5"
    NOOP = "6"


MESSAGE = PacketType.MESSAGE.value

_TYPES = {member.value: member for member in PacketType}

Form = TypeVar("Form", str, bytes)


def encoded_size(data: str | bytes) -> int:
    """Bytes of text or binary data on the wire."""
    return len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode())


@final
class EnginePacket:
    """One Engine.IO packet: immutable, shared among recipients.

    Args:
        type: the packet's type; binary data is always a message.
        data: text, or bytes for binary data.
        compress: an HTTP answer with it may be compressed, where that is set up; if any packet in it says so.
    """

    __slots__ = ("_frame", "_other_forms", "_payload_form", "compress", "data", "size", "type")

    _other_forms: dict[Callable[[EnginePacket], Any], str | bytes]
    """Not there before somebody asks for one: most packets never need any."""

    def __init__(
        self,
        type: PacketType,  # noqa: A002 - the protocol's word
        data: str | bytes = "",
        compress: bool = True,
    ) -> None:
        self.type: PacketType = type
        self.data: str | bytes = data
        self.size: int = encoded_size(data) + isinstance(data, str)
        """Bytes as a WebSocket message, without the frame's head."""
        self.compress: bool = compress
        self._payload_form: str | None = None
        self._frame: bytes | None = None

    @property
    def message_form(self) -> str | bytes:
        """What travels as one WebSocket message."""
        data = self.data
        return data if isinstance(data, bytes) else self.type.value + data

    @property
    def frame(self) -> bytes:
        """The same as a WebSocket frame of a server."""
        frame = self._frame
        if frame is None:
            frame = self._frame = self._make_frame()
        return frame

    def _make_frame(self) -> bytes:
        data = self.data
        if isinstance(data, bytes):
            return encode_frame(BINARY, data)
        prefix = MESSAGE if self.type is PacketType.MESSAGE else self.type.value
        return encode_frame(TEXT, (prefix + data).encode())

    @property
    def payload_form(self) -> str:
        """What stands in an HTTP payload."""
        form = self._payload_form
        if form is None:
            data = self.data
            form = "b" + b64encode(data).decode() if isinstance(data, bytes) else self.type.value + data
            self._payload_form = form
        return form

    def form(self, make: Callable[[EnginePacket], Form]) -> Form:
        """What ``make`` makes of this packet; it is asked once."""
        try:
            forms = self._other_forms
        except AttributeError:
            forms = self._other_forms = {}
        form = forms.get(make)
        if form is None:
            form = forms[make] = make(self)
        return cast("Form", form)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EnginePacket):
            return NotImplemented
        return self.type is other.type and self.data == other.data

    def __hash__(self) -> int:
        return hash((self.type, self.data))

    def __repr__(self) -> str:
        return f"EnginePacket({self.type.name}, {self.data!r})"


PING = EnginePacket(PacketType.PING)
PONG = EnginePacket(PacketType.PONG)
PONG_PROBE = EnginePacket(PacketType.PONG, "probe")
CLOSE = EnginePacket(PacketType.CLOSE)
NOOP = EnginePacket(PacketType.NOOP)


def decode_packet(encoded: str | bytes) -> EnginePacket:
    """Decode one WebSocket message, or one part of an HTTP payload.

    Raises:
        RemoteProtocolError: not a packet.
    """
    if isinstance(encoded, bytes):
        return EnginePacket(PacketType.MESSAGE, encoded)
    packet_type = _TYPES.get(encoded[:1])
    if packet_type is not None:
        return EnginePacket(packet_type, encoded[1:])
    if encoded.startswith("b"):
        return EnginePacket(PacketType.MESSAGE, decode_base64(encoded[1:]))
    msg = f"unknown Engine.IO packet type {encoded[:1]!r}" if encoded else "empty Engine.IO packet"
    raise RemoteProtocolError(msg)


def decode_base64(encoded: str) -> bytes:
    """Decode the data of a binary packet in text.

    Raises:
        RemoteProtocolError: it is not base64.
    """
    # Strictly: Node skips what it can't read, and so hands the application bytes that nobody sent.
    try:
        return a2b_base64(encoded, strict_mode=True)
    except (Base64Error, ValueError) as error:
        msg = "binary packet is not base64"
        raise RemoteProtocolError(msg) from error
