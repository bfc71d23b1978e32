"""The rules that hold for packets in every format, for the parsers here and for those of users.

A parser splits a message into its parts; whether these make a packet is decided here, once.
"""

from __future__ import annotations

import re
from typing import Any

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._limits import Limits
from trio_socketio._wire.socket_packet import (
    MAX_ACK_ID,
    RESERVED_EVENTS,
    Ack,
    Connect,
    ConnectError,
    Disconnect,
    Event,
    SocketPacket,
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def checked_packet(packet_type: int, namespace: str, data: Any, ack_id: int | None, limits: Limits) -> SocketPacket:
    """Make a packet of what a peer sent, if it is one.

    Nesting is not looked at: a parser bounds it (``Limits.max_json_depth``) before or while it decodes.

    Args:
        packet_type: 0 CONNECT, 1 DISCONNECT, 2 EVENT, 3 ACK, 4 CONNECT_ERROR.
        namespace: begins with ``/``; at most ``Limits.max_name_length`` characters, no control characters.
        data: CONNECT: a ``dict``, or ``None`` for no data. DISCONNECT: ``None``. EVENT: a list; its first element is the
            event's name, which is not reserved and at most ``Limits.max_name_length`` characters long (a number becomes
            text as in JavaScript). ACK: a list. CONNECT_ERROR: a ``dict`` or text.
        ack_id: 0 to 2**53 - 1; an ACK must have one.
        limits: those that the decoder was made with.

    Raises:
        RemoteProtocolError: a part that breaks these rules.
    """
    check_address(namespace, ack_id, limits)
    longest = limits.max_name_length
    match packet_type, data:
        case 2, [str() as name, *_] if name not in RESERVED_EVENTS and len(name) <= longest:
            return Event(namespace, data, ack_id)
        case 2, [int() | float() as number, *rest] if not isinstance(number, bool):
            # JavaScript's event names may be numbers; its listeners are then found by the number's text.
            return Event(namespace, [_number_text(number), *rest], ack_id)
        case 3, list() if ack_id is not None:
            return Ack(namespace, data, ack_id)
        case 0, dict() | None:
            return Connect(namespace, data)
        case 1, None:
            return Disconnect(namespace)
        case 4, dict() | str():
            return ConnectError(namespace, data)
    raise RemoteProtocolError("illegal payload for its packet type")


def check_address(namespace: str, ack_id: int | None, limits: Limits) -> None:
    """Check the parts that do not depend on a packet's type; see ``checked_packet``."""
    if (
        type(namespace) is not str
        or namespace[:1] != "/"
        or len(namespace) > limits.max_name_length
        or _CONTROL.search(namespace)
    ):
        raise RemoteProtocolError("illegal namespace")
    if ack_id is not None and (type(ack_id) is not int or not 0 <= ack_id <= MAX_ACK_ID):
        raise RemoteProtocolError("illegal acknowledgement id")


def _number_text(number: float) -> str:
    # As JavaScript writes it: 1 for 1.0, 1e-7 for 1e-07.
    if isinstance(number, int) or (number.is_integer() and abs(number) < 1e21):
        return str(int(number))
    if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124 - only NaN is not itself
        raise RemoteProtocolError("illegal event name")
    return re.sub("e([+-])0", r"e\1", repr(number))
