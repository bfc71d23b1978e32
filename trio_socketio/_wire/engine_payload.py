"""HTTP long-polling payloads: packets joined by the record separator, U+001E.

For example ``4hello<RS>2<RS>bAQIDBA==``.
"""

from __future__ import annotations

from collections.abc import Iterable

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._wire.engine_packet import EnginePacket, decode_packet

RECORD_SEPARATOR = "\x1e"

TEXT_TYPE = "text/plain; charset=UTF-8"


def encode_payload(packets: Iterable[EnginePacket]) -> tuple[bytes, str]:
    """Join packets to the body of an HTTP answer; return its content type with it."""
    return RECORD_SEPARATOR.join([packet.payload_form for packet in packets]).encode(), TEXT_TYPE


def decode_payload(body: bytes, *, max_packets: int) -> list[EnginePacket]:
    """Split the body of a POST into its packets, in order.

    Raises:
        RemoteProtocolError: not UTF-8, more than ``max_packets``, or a part that is not a packet. Nothing of such a
            body is delivered, also not the packets in front of the broken one.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        msg = "payload is not UTF-8"
        raise RemoteProtocolError(msg) from error
    if text.count(RECORD_SEPARATOR) >= max_packets:
        msg = f"more than {max_packets} packets in a payload"
        raise RemoteProtocolError(msg)
    return [decode_packet(part) for part in text.split(RECORD_SEPARATOR)]
