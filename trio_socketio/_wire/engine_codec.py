"""How a client's revision of Engine.IO turns packets into bytes and back: chosen once for each of its transports.

Whoever carries packets asks the functions of a codec, and nobody asks for the revision. Where revision 4 needs nothing to
be done there is ``None`` instead of a function: the fast way stays what it was before there were two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol, final

from trio_socketio._wire import engine3_packet, engine3_payload
from trio_socketio._wire.engine_handshake import OLD_REVISION, PROTOCOL_REVISION
from trio_socketio._wire.engine_packet import EnginePacket
from trio_socketio._wire.engine_payload import decode_payload, encode_payload


class DecodePayload(Protocol):
    """Splits the body of a POST into packets, or raises RemoteProtocolError."""

    def __call__(self, body: bytes, /, *, max_packets: int) -> list[EnginePacket]: ...


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EngineCodec:
    """The forms of packets on one transport.

    Args:
        revision: of the protocol, as in the query field ``EIO``.
        encode_payload: makes the body of an HTTP answer, and its content type.
        decode_payload: reads a POST of text.
        decode_binary_payload: reads a POST of ``application/octet-stream``; ``None`` if there may be none.
        encode_message: makes a WebSocket message.
        encode_frames: joins the frames of a server; ``None`` if they are the packets' own.
        decode_message: rewrites a WebSocket message as revision 4 has it, or raises RemoteProtocolError; ``None`` if it
            is that already.
    """

    revision: str
    encode_payload: Callable[[Sequence[EnginePacket]], tuple[bytes, str]]
    decode_payload: DecodePayload
    decode_binary_payload: DecodePayload | None = None
    encode_message: Callable[[EnginePacket], str | bytes]
    encode_frames: Callable[[Sequence[EnginePacket]], bytes] | None = None
    decode_message: Callable[[str | bytes], str | bytes] | None = None


REVISION_4 = EngineCodec(
    revision=PROTOCOL_REVISION,
    encode_payload=encode_payload,
    decode_payload=decode_payload,
    encode_message=attrgetter("message_form"),
)

REVISION_3 = EngineCodec(
    revision=OLD_REVISION,
    encode_payload=engine3_payload.encode_payload,
    decode_payload=engine3_payload.decode_payload,
    decode_binary_payload=engine3_payload.decode_binary_payload,
    encode_message=engine3_packet.encode_message,
    encode_frames=engine3_packet.encode_frames,
    decode_message=engine3_packet.as_revision_4,
)

REVISION_3_BASE64 = EngineCodec(
    revision=OLD_REVISION,
    encode_payload=engine3_payload.encode_base64_payload,
    decode_payload=engine3_payload.decode_payload,
    decode_binary_payload=engine3_payload.decode_binary_payload,
    encode_message=engine3_packet.encode_base64_message,
    encode_frames=engine3_packet.encode_base64_frames,
    decode_message=engine3_packet.as_revision_4,
)


def codec_of(parameters: Mapping[str, str]) -> EngineCodec:
    """Choose the codec of the transport that begins with a request of these query fields; its ``EIO`` was checked."""
    if parameters.get("EIO") != OLD_REVISION:
        return REVISION_4
    # "if the client doesn't support XHR2, b64=1 is sent in the query string"; each transport says it for itself.
    return REVISION_3_BASE64 if parameters.get("b64") else REVISION_3
