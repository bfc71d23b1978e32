"""HTTP long-polling payloads of Engine.IO 3, in text and in bytes.

    in text:   <length>:<packet>...                             6:4hello10:b4AQIDBA==
    in bytes:  <0 or 1><digits of the length><255><packet>...   0 6 255 "4hello" 1 5 255 4 1 2 3 4

A length in text counts UTF-16 code units, which is how JavaScript and Java count: U+1F600 are two. In bytes it counts
bytes, each of its digits is a byte from 0 to 9, and the first byte says whether the packet is text (0) or binary (1).

A server answers in bytes if a packet is binary and the client has not said that it can't take that; clients post
either. Decoding is linear and strict: a length is short before it is converted, it has no zeros in front, what it
announces must be there, and it may not cut a surrogate pair in two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._wire.engine3_packet import decode_binary, decode_text, encode_base64_message, encode_message
from trio_socketio._wire.engine_packet import EnginePacket
from trio_socketio._wire.engine_payload import TEXT_TYPE

BINARY_TYPE = "application/octet-stream"
"""Clients compare it as it stands here."""

# A length of ten digits is beyond any body.
_TEXT_HEAD = re.compile(r"([1-9][0-9]{0,9}):", re.ASCII)
_BINARY_HEAD = re.compile(rb"([\x00\x01])([\x01-\x09][\x00-\x09]{0,9})\xff")
_TO_ASCII = bytes.maketrans(bytes(range(10)), b"0123456789")


# Out


def encode_payload(packets: Sequence[EnginePacket]) -> tuple[bytes, str]:
    """Join packets to the body of an HTTP answer; return its content type with it."""
    for packet in packets:
        if isinstance(packet.data, bytes):
            return b"".join([packet.form(_part) for packet in packets]), BINARY_TYPE
    return encode_base64_payload(packets)


def encode_base64_payload(packets: Sequence[EnginePacket]) -> tuple[bytes, str]:
    """Do the same for a client that takes text only."""
    return "".join([packet.form(_text_part) for packet in packets]).encode(), TEXT_TYPE


def _text_part(packet: EnginePacket) -> str:
    encoded = encode_base64_message(packet)
    return f"{_units(encoded)}:{encoded}"


def _part(packet: EnginePacket) -> bytes:
    encoded = encode_message(packet)
    kind, data = (b"\0", encoded.encode()) if isinstance(encoded, str) else (b"\1", encoded)
    return b"%b%b\xff%b" % (kind, bytes(map(int, str(len(data)))), data)


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


# In


def decode_payload(body: bytes, *, max_packets: int) -> list[EnginePacket]:
    """Split the body of a POST, a text, into its packets, in order.

    Raises:
        RemoteProtocolError: not UTF-8, no packet, more than ``max_packets``, or anything between or in them that is
            none. Nothing of such a body is delivered.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        msg = "payload is not UTF-8"
        raise RemoteProtocolError(msg) from error
    packets: list[EnginePacket] = []
    position = 0
    while position < len(text) or not packets:
        head = _TEXT_HEAD.match(text, position)
        if head is None:
            msg = "packet without its length"
            raise RemoteProtocolError(msg)
        part = _cut(text, head.end(), int(head[1]))
        position = head.end() + len(part)
        _append(packets, decode_text(part), max_packets)
    return packets


def _cut(text: str, start: int, units: int) -> str:
    """Return what stands from ``start`` on, in so many UTF-16 code units."""
    # A code point is a unit or two: these are enough, and at most twice as many as needed, so all cuts together are linear.
    part = text[start : start + units]
    if part.isascii():
        is_whole = len(part) == units
    else:
        wide = part.encode("utf-16-le")[: 2 * units]
        is_whole = len(wide) == 2 * units
        part = _narrow(wide)
    if not is_whole:
        msg = "packet that is shorter than its length"
        raise RemoteProtocolError(msg)
    return part


def _narrow(wide: bytes) -> str:
    try:
        return wide.decode("utf-16-le")
    except UnicodeDecodeError as error:
        msg = "length that ends in the middle of a surrogate pair"
        raise RemoteProtocolError(msg) from error


def decode_binary_payload(body: bytes, *, max_packets: int) -> list[EnginePacket]:
    """Split the body of a POST of bytes into its packets, in order.

    Raises:
        RemoteProtocolError: as ``decode_payload``.
    """
    packets: list[EnginePacket] = []
    position = 0
    while position < len(body) or not packets:
        head = _BINARY_HEAD.match(body, position)
        if head is None:
            msg = "packet without its kind and length"
            raise RemoteProtocolError(msg)
        length = int(head[2].translate(_TO_ASCII))
        part = body[head.end() : head.end() + length]
        if len(part) != length:
            msg = "packet that is shorter than its length"
            raise RemoteProtocolError(msg)
        position = head.end() + length
        _append(packets, decode_binary(part) if head[1] == b"\1" else _decode_bytes_of_text(part), max_packets)
    return packets


def _decode_bytes_of_text(part: bytes) -> EnginePacket:
    try:
        return decode_text(part.decode())
    except UnicodeDecodeError as error:
        msg = "text packet is not UTF-8"
        raise RemoteProtocolError(msg) from error


def _append(packets: list[EnginePacket], packet: EnginePacket, max_packets: int) -> None:
    if len(packets) >= max_packets:
        msg = f"more than {max_packets} packets in a payload"
        raise RemoteProtocolError(msg)
    packets.append(packet)
