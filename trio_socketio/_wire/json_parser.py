"""The default parser: Socket.IO 5 over JSON.

    <type>[<attachments>-][/<namespace>,][<ack id>][<JSON>]

Types: 0 CONNECT, 1 DISCONNECT, 2 EVENT, 3 ACK, 4 CONNECT_ERROR, 5 BINARY_EVENT, 6 BINARY_ACK. The namespace ``/`` is
left out. A binary packet is followed by its attachments, each a binary message; nothing may come between them.

Decoding is linear: every part is sliced off once, numbers are ASCII digits and short before they are converted.
"""

from __future__ import annotations

import re
from typing import Any, final

import msgspec

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._limits import Limits
from trio_socketio._wire.attachments import put_back, take_out
from trio_socketio._wire.checked_packet import check_address, checked_packet
from trio_socketio._wire.plain_data import plain
from trio_socketio._wire.socket_packet import (
    RESERVED_EVENTS,
    Ack,
    Connect,
    ConnectError,
    Disconnect,
    Event,
    SocketPacket,
)

_HEAD = re.compile(r"([0-6])(?:([0-9]{1,10})-)?(?:(/[^,]*)(?:,|\Z))?([0-9]{1,16}(?![0-9]))?", re.ASCII)
# A text without an end reaches to the end, and no quote in it is looked at twice: else this would be quadratic.
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
# BINARY_EVENT and BINARY_ACK are EVENT and ACK once their attachments are in their places.
_TYPES = {"0": 0, "1": 1, "2": 2, "3": 3, "4": 4, "5": 2, "6": 3}
_BARE_EVENTS = frozenset({"2[", *(f"2{digit}" for digit in range(10))})

_encode_json = msgspec.json.Encoder(enc_hook=plain).encode
_decode_json = msgspec.json.Decoder().decode


@final
class JSONParser:
    """The parser that all official clients use by default.

    Args:
        max_attachments: the most that it sends in one packet; official clients close the connection beyond 10.
    """

    __slots__ = ("_max_attachments",)

    def __init__(self, *, max_attachments: int = 10) -> None:
        self._max_attachments = max_attachments

    def encode(self, packet: SocketPacket) -> list[str | bytes]:
        """Encode a packet: one text message, then its attachments."""
        match packet:
            case Event() | Ack():
                return self._with_attachments(packet)
            case Connect(namespace, data):
                return [f"0{_namespace(namespace)}{_json(data) if data is not None else ''}"]
            case Disconnect(namespace):
                return [f"1{_namespace(namespace)}"]
            case ConnectError(namespace, data):
                return [f"4{_namespace(namespace)}{_json(data)}"]

    def _with_attachments(self, packet: Event | Ack) -> list[str | bytes]:
        args, namespace, ack_id = packet.args, packet.namespace, packet.ack_id
        values, attachments = take_out(args if type(args) is list else list(args))
        plain, binary = ("2", "5") if type(packet) is Event else ("3", "6")
        head = f"{'' if namespace == '/' else f'{namespace},'}{'' if ack_id is None else ack_id}"
        if not attachments:
            return [f"{plain}{head}{_json(values)}"]
        if len(attachments) > self._max_attachments:
            msg = f"{len(attachments)} attachments in one packet: clients take {self._max_attachments}, send several packets"
            raise ValueError(msg)
        return [f"{binary}{len(attachments)}-{head}{_json(values)}", *attachments]

    def decoder(self, limits: Limits) -> JSONDecoder:
        """Make a decoder for one connection."""
        return JSONDecoder(limits)


def _namespace(name: str) -> str:
    return "" if name == "/" else f"{name},"


def _json(value: Any) -> str:
    try:
        return _encode_json(value).decode()
    except RecursionError as error:
        raise ValueError("data that is nested too deeply, or contains itself") from error


@final
class JSONDecoder:
    """Decodes the messages of one connection; remembers at most one unfinished binary packet."""

    __slots__ = ("_attachments", "_limits", "_size", "_waiting", "_wanted")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: Event | Ack | None = None
        self._wanted = 0
        self._attachments: list[bytes] = []
        self._size = 0

    @property
    def unfinished(self) -> Event | Ack | None:
        """The packet that has begun and whose attachments are not all there."""
        return self._waiting

    def feed(self, message: str | bytes) -> SocketPacket | None:
        """Take one Engine.IO message; see ``Decoder``."""
        if isinstance(message, bytes):
            return self._feed_attachment(message)
        if self._waiting is not None:
            raise RemoteProtocolError("text message while attachments are still to come")
        if message[:2] in _BARE_EVENTS:
            return self._feed_event(message)
        return self._feed_text(message)

    def _feed_event(self, message: str) -> SocketPacket | None:
        """Take an event of the namespace ``/``: the short way of ``_feed_text`` for nearly all that comes."""
        start = message.find("[")
        number = message[1:start]
        if start < 0 or len(number) > 15 or not (number.isascii() and (number.isdigit() or not number)):
            return self._feed_text(message)
        args, ack_id, longest = (
            self._json(message, start),
            int(number) if number else None,
            self._limits.max_name_length,
        )
        name = args[0] if type(args) is list and args else None
        if type(name) is str and name not in RESERVED_EVENTS and len(name) <= longest:
            return Event("/", args, ack_id)
        return checked_packet(2, "/", args, ack_id, self._limits)

    def _feed_text(self, message: str) -> SocketPacket | None:
        head = _HEAD.match(message)
        if head is None:
            raise RemoteProtocolError("unknown Socket.IO packet type")
        packet_type, attachments, name, number = head.groups()
        namespace = "/" if name is None else name
        ack_id = None if number is None else int(number)
        if (attachments is not None) != (packet_type in "56"):
            raise RemoteProtocolError("illegal number of attachments")
        data = None
        if head.end() < len(message):
            data = self._json(message, head.end())
            if data is None:  # null is no way of leaving it out.
                raise RemoteProtocolError("illegal payload for its packet type")
        elif packet_type == "2":
            check_address(namespace, ack_id, self._limits)
            return Event(namespace, [])  # It means nothing, and is let pass by the reference.
        packet = checked_packet(_TYPES[packet_type], namespace, data, ack_id, self._limits)
        if attachments is None:
            return packet
        assert isinstance(packet, (Event, Ack))  # noqa: S101 - types 5 and 6 make nothing else
        self._expect(packet, int(attachments), len(message))
        return None

    def _json(self, message: str, start: int) -> Any:
        text = message[start:]
        # Counting is a scan in C, and enough for all but odd packets; the exact depth is only worked out then.
        if text.count("[") + text.count("{") > self._limits.max_json_depth and _is_deeper(
            text, self._limits.max_json_depth
        ):
            raise RemoteProtocolError("JSON is nested too deeply")
        try:
            return _decode_json(text)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise RemoteProtocolError("payload is not JSON") from error

    def _expect(self, packet: Event | Ack, count: int, size: int) -> None:
        # "50-..." must be refused: a reconstruction that waits for nothing never ends (CVE-2026-69185).
        if not 1 <= count <= self._limits.max_attachments:
            raise RemoteProtocolError("illegal number of attachments")
        self._waiting, self._wanted, self._size = packet, count, size

    def _feed_attachment(self, data: bytes) -> SocketPacket | None:
        packet = self._waiting
        if packet is None:
            raise RemoteProtocolError("binary message that belongs to no packet")
        self._size += len(data)
        if self._size > self._limits.max_payload:
            raise RemoteProtocolError("attachments are larger than max_payload")
        self._attachments.append(data)
        if len(self._attachments) < self._wanted:
            return None
        attachments, self._attachments, self._waiting = self._attachments, [], None
        args = put_back(list(packet.args), attachments)
        if isinstance(packet, Event):
            return Event(packet.namespace, args, packet.ack_id)
        return Ack(packet.namespace, args, packet.ack_id)


def _is_deeper(text: str, limit: int) -> bool:
    depth = 0
    for token in _BRACKET.finditer(text):
        bracket = token[0]
        if bracket in "[{":
            depth += 1
            if depth > limit:
                return True
        elif bracket in "]}":
            depth -= 1
    return False
