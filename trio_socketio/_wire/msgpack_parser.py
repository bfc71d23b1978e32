"""The parser for clients with socket.io-msgpack-parser: each packet is one MessagePack map, in one binary message.

    {"type": 0-4, "data": ..., "nsp": "/", "id": ...}

Types: 0 CONNECT, 1 DISCONNECT, 2 EVENT, 3 ACK, 4 CONNECT_ERROR. Bytes are bytes: there are no attachments. The keys stand
in the order in which the reference's server writes them, and values are written in its shortest form.

Not all that it writes is written here: its CONNECT holds ``pid: undefined`` when there is nothing to recover, and its
CONNECT_ERROR ``data: undefined`` when there is no data. A key that is missing is undefined as well.
Its client sends more than it has to: ``options``, which is for its own use and skipped; and undefined for absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, final

import msgspec

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._limits import Limits
from trio_socketio._wire.attachments import MAX_DEPTH
from trio_socketio._wire.checked_packet import checked_packet
from trio_socketio._wire.msgpack_tokens import DATE, UNDEFINED, recoded
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

_LEAVES = frozenset({str, int, float, bool, type(None), bytes})
_TEXT_ONLY = frozenset({str})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_CONTAINERS = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
"""The first bytes of arrays and maps. Counting them is a scan in C, and bounds the depth of all but large packets."""
_SMALL = 2048
"""Bytes of a message in which no keys can be chosen so that the map is slow. In a larger one what is skipped is looked at
too: a key in it that is not text closes the session."""

_encode = msgspec.msgpack.Encoder().encode


@final
class MessagePackParser:
    """The parser of the official client's MessagePack build, and of ``socket.io-msgpack-parser``.

    A JavaScript ``Date`` is an aware ``datetime`` in handlers, and the other way round, to the millisecond (``None`` if
    Python has no such year); ``undefined`` is ``None``. An ``ArrayBuffer``, a typed array and a ``Buffer`` are ``bytes``.
    NaN and infinities are sent as they are. Any other extension type is the list ``[code, bytes]``, as in JavaScript.
    """

    __slots__ = ()

    def encode(self, packet: SocketPacket) -> list[str | bytes]:
        """Encode a packet: one binary message.

        Raises:
            TypeError: an argument that the format cannot hold.
            ValueError: an argument that is too deep, text that is not Unicode, a whole number of more than 64 bits.
        """
        match packet:
            case Event(namespace, args, None):
                return _message({"type": 2, "data": _ready(args), "nsp": namespace})
            case Event(namespace, args, ack_id):
                return _message({"type": 2, "data": _ready(args), "id": ack_id, "nsp": namespace})
            case Ack(namespace, args, ack_id):
                return _message({"id": ack_id, "type": 3, "data": _ready(args), "nsp": namespace})
            case Connect(namespace, None):
                return _message({"type": 0, "nsp": namespace})
            case Connect(namespace, data):
                return _message({"type": 0, "data": _ready([data])[0], "nsp": namespace})
            case Disconnect(namespace):
                return _message({"type": 1, "nsp": namespace})
            case ConnectError(namespace, data):
                return _message({"type": 4, "data": _ready([data])[0], "nsp": namespace})

    def decoder(self, limits: Limits) -> MessagePackDecoder:
        """Make a decoder for one connection."""
        return MessagePackDecoder(limits)


def _message(packet: Mapping[str, Any]) -> list[str | bytes]:
    try:
        return [_encode(packet)]
    except OverflowError as error:
        raise ValueError("a whole number of more than 64 bits can't be sent: send a float, or text") from error
    except RecursionError as error:
        raise ValueError("data that is nested too deeply") from error


def _ready(args: Sequence[Any]) -> Sequence[Any]:
    """Return arguments that msgspec writes as the reference does: themselves, if they are."""
    for argument in args:
        if type(argument) not in _LEAVES:
            break
    else:
        return args if type(args) is list else list(args)
    if _is_plain(args):
        return args
    try:
        # A copy, in which times are left as they are, and keys are text as in JavaScript.
        copy: list[Any] = msgspec.to_builtins(
            list(args),
            builtin_types=(bytes, bytearray, memoryview, datetime),
            str_keys=True,
            enc_hook=plain,
        )
    except RecursionError as error:
        raise ValueError("data that is nested too deeply, or contains itself") from error
    _put_dates(copy)
    return copy


def _is_plain(args: Sequence[Any]) -> bool:
    level: list[Any] = [args]
    for _ in range(MAX_DEPTH):
        below: dict[int, Any] = {}  # by identity: what contains itself twice would double with each level
        for container in level:
            if type(container) is dict:
                if not _TEXT_ONLY.issuperset(map(type, container)):
                    return False
                values: Iterable[Any] = container.values()
            elif type(container) is list:
                values = container
            else:
                return False
            below |= {id(value): value for value in values if type(value) not in _LEAVES}
        if not below:
            return True
        level = list(below.values())
    msg = f"event arguments are nested more than {MAX_DEPTH} deep, or contain themselves"
    raise ValueError(msg)


def _put_dates(copy: list[Any]) -> None:
    stack: list[Any] = [copy]
    while stack:
        container = stack.pop()
        for key, value in list(container.items() if type(container) is dict else enumerate(container)):
            if type(value) in {dict, list}:
                stack.append(value)
            elif isinstance(value, datetime) and value.tzinfo is not None:
                # One without a time zone is no point in time: it stays the text that JSON would carry.
                milliseconds = (value - _EPOCH) // _MILLISECOND
                container[key] = msgspec.msgpack.Ext(0, milliseconds.to_bytes(8, "big", signed=True))
            elif isinstance(value, (bytearray, memoryview)):
                container[key] = bytes(value)


class _Message(msgspec.Struct):
    """What is on the wire; any other key is skipped."""

    type: int
    nsp: str
    data: Any = None
    id: Any = None


class _TwoReadings(Exception):  # noqa: N818 - never seen from outside
    """An extension that msgspec can't tell from another; see ``msgpack_tokens``."""


def _extension(code: int, data: memoryview) -> Any:
    if code == UNDEFINED and len(data) == 1:
        return None
    if code == DATE and len(data) == 8:
        try:
            return _EPOCH + int.from_bytes(data, "big", signed=True) * _MILLISECOND
        except OverflowError:
            return None
    return bytes(data) if code == 0 else [code, bytes(data)]


def _extension_at_first(code: int, data: memoryview) -> Any:
    if code == 0 and len(data) in {1, 8}:
        raise _TwoReadings
    return _extension(code, data)


_decode_at_first = msgspec.msgpack.Decoder(_Message, ext_hook=_extension_at_first).decode
_decode_recoded = msgspec.msgpack.Decoder(_Message, ext_hook=_extension).decode


@final
class MessagePackDecoder:
    """Decodes the messages of one connection, each by itself."""

    __slots__ = ("_limits",)

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    @property
    def unfinished(self) -> Event | Ack | None:
        """Nothing: a packet is one message."""
        return None

    def feed(self, message: str | bytes) -> SocketPacket | None:
        """Take one Engine.IO message; see ``Decoder``."""
        if isinstance(message, str):
            raise RemoteProtocolError("text message: MessagePack is binary")
        packet = self._decode(message)
        data = packet.data
        if packet.type == 2 and packet.nsp == "/" and packet.id is None and type(data) is list and data:
            # The short way for most that comes.
            name = data[0]
            if type(name) is str and name not in RESERVED_EVENTS and len(name) <= self._limits.max_name_length:
                return Event("/", data)
        # To other languages' encoders nil is what undefined is in JavaScript: what was left out.
        return checked_packet(packet.type, packet.nsp, data, packet.id, self._limits)

    def _decode(self, message: bytes) -> _Message:
        deepest = self._limits.max_json_depth
        try:
            if len(message) <= _SMALL and len(message) - len(message.translate(None, _CONTAINERS)) <= deepest:
                try:
                    packet = _decode_at_first(message)
                except _TwoReadings:
                    pass
                else:
                    _check_keys(packet.data)
                    return packet
            return _decode_recoded(recoded(message, deepest + 1))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise RemoteProtocolError("message is no packet in MessagePack") from error


def _check_keys(data: Any) -> None:
    stack = [data]
    while stack:
        value = stack.pop()
        if type(value) is list:
            stack += [item for item in value if type(item) is list or type(item) is dict]
        elif type(value) is dict:
            if not _TEXT_ONLY.issuperset(map(type, value)):
                raise RemoteProtocolError("key of a map that is not text")
            stack += [item for item in value.values() if type(item) is list or type(item) is dict]
