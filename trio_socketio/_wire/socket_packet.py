"""Socket.IO 5 packets as values; how they look on the wire is the parser's business.

They are structs of msgspec, and not data classes, since one is made for every event: in a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, final

import msgspec

RESERVED_EVENTS = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"},
)
"""Names that mean something to the protocol or to clients: nobody may emit them, and a peer that does is closed."""

MAX_ACK_ID = 2**53 - 1
"""The largest whole number that every client can hold."""


@final
class Connect(msgspec.Struct, frozen=True):
    """Client: join a namespace, with credentials. Server: joined, with the socket's id."""

    namespace: str
    data: Mapping[str, Any] | None = None


@final
class Disconnect(msgspec.Struct, frozen=True):
    """Leave a namespace."""

    namespace: str


@final
class Event(msgspec.Struct, frozen=True):
    """An event: ``args[0]`` is its name. With an ``ack_id`` the sender wants an answer. Without ``args`` it means nothing."""

    namespace: str
    args: Sequence[Any]
    ack_id: int | None = None


@final
class Ack(msgspec.Struct, frozen=True):
    """The answer to the event with this ``ack_id``."""

    namespace: str
    args: Sequence[Any]
    ack_id: int


@final
class ConnectError(msgspec.Struct, frozen=True):
    """Server: you may not join. ``data`` holds ``message``, and ``data`` if there is more to say."""

    namespace: str
    data: Any


SocketPacket: TypeAlias = Connect | Disconnect | Event | Ack | ConnectError
