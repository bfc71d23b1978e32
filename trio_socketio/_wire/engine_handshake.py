"""The Engine.IO handshake: what a request asks for, why it may be refused, and the OPEN packet.

Here, and nowhere else, seconds become the protocol's milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

import msgspec

from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._wire.engine_packet import EnginePacket, PacketType

PROTOCOL_REVISION = "4"
OLD_REVISION = "3"
"""Of Socket.IO 2."""


@final
class Refusal(Enum):
    """Why a request is not served: the protocol's code, its message, and the HTTP status."""

    UNKNOWN_TRANSPORT = (0, "Transport unknown", 400)
    UNKNOWN_SID = (1, "Session ID unknown", 400)
    BAD_HANDSHAKE_METHOD = (2, "Bad handshake method", 400)
    BAD_REQUEST = (3, "Bad request", 400)
    FORBIDDEN = (4, "Forbidden", 403)
    UNSUPPORTED_PROTOCOL_VERSION = (5, "Unsupported protocol version", 400)

    def __init__(self, code: int, message: str, status: int) -> None:
        self.code = code
        self.message = message
        self.status = status

    def body(self, message: str | None = None) -> bytes:
        """The JSON body of an HTTP answer, with another message if one is given."""
        return msgspec.json.encode({"code": self.code, "message": self.message if message is None else message})


@final
@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a request that mean something to Engine.IO."""

    transport: str | None
    revision: str | None
    sid: str | None

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Query:
        """Pick them out of a parsed query string."""
        # An empty sid is none, as for the reference.
        return cls(parameters.get("transport"), parameters.get("EIO"), parameters.get("sid") or None)

    def refusal(
        self,
        *,
        method: str,
        is_websocket: bool,
        transports: Sequence[str],
        revisions: Sequence[str] = (PROTOCOL_REVISION,),
    ) -> Refusal | None:
        """Check what can be checked without knowing any session; the order of the checks is the reference's.

        Args:
            method: the HTTP method.
            is_websocket: the request asks for an upgrade of the connection to WebSocket.
            transports: the transports that are allowed here.
            revisions: the revisions of the protocol that are spoken here.
        """
        if self.transport not in transports:
            return Refusal.UNKNOWN_TRANSPORT
        if self.sid is not None:
            # "EIO must match the session on every request": which of them it is, only who knows the session can say.
            return None if self.revision in revisions else Refusal.BAD_REQUEST
        if method != "GET":
            return Refusal.BAD_HANDSHAKE_METHOD
        if self.transport == "websocket" and not is_websocket:
            return Refusal.BAD_REQUEST
        if self.revision not in revisions:
            return Refusal.UNSUPPORTED_PROTOCOL_VERSION
        return None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenData:
    """What the server tells a new client: times in seconds, sizes in bytes."""

    sid: str
    upgrades: Sequence[str]
    ping_interval: float
    ping_timeout: float
    max_payload: int

    def encode(self) -> EnginePacket:
        """Make the OPEN packet, with exactly the five keys of the protocol."""
        handshake = {
            "sid": self.sid,
            "upgrades": list(self.upgrades),
            "pingInterval": round(self.ping_interval * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "maxPayload": self.max_payload,
        }
        # Its secret, the sid, never shares a compressed answer with what others have a say in.
        return EnginePacket(PacketType.OPEN, msgspec.json.encode(handshake).decode(), compress=False)

    @classmethod
    def decode(cls, packet: EnginePacket) -> OpenData:
        """Read an OPEN packet: the other end of the same handshake.

        Raises:
            RemoteProtocolError: another packet, or one without the five keys.
        """
        if packet.type is not PacketType.OPEN or isinstance(packet.data, bytes):
            msg = f"expected an OPEN packet, not {packet.type.name}"
            raise RemoteProtocolError(msg)
        try:
            wire = msgspec.json.decode(packet.data, type=_OpenWire)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            msg = "unreadable OPEN packet"
            raise RemoteProtocolError(msg) from error
        return cls(
            sid=wire.sid,
            upgrades=wire.upgrades,
            ping_interval=wire.ping_interval / 1000,
            ping_timeout=wire.ping_timeout / 1000,
            max_payload=wire.max_payload,
        )


class _OpenWire(msgspec.Struct, rename="camel"):
    sid: str
    upgrades: list[str]
    ping_interval: float
    ping_timeout: float
    max_payload: int
