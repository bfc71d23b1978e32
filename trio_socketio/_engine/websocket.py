"""A session on a WebSocket: its reader, and the probe that leads there from long-polling.

The reader runs in the task of whoever serves the connection. It never writes: that is the writer's, see ``Writer``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.session import Session, SessionState, Upgrade
from trio_socketio._engine.transport import MessageStream, StreamFailure, Take, Writer
from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._logging import masked, scope_logger
from trio_socketio._wire.engine_codec import REVISION_4, EngineCodec
from trio_socketio._wire.engine_packet import PONG_PROBE, EnginePacket, PacketType, decode_packet

_logger = scope_logger("engine")

_PROBE = EnginePacket(PacketType.PING, "probe")


@final
class WebSocketTransport:
    """Carries a session over a message stream.

    Args:
        session: the session.
        stream: the stream.
        writer: what writes to it.
        codec: how the client writes packets.
    """

    __slots__ = ("_codec", "_reading", "_session", "_stream", "_writer", "flush", "wake")

    def __init__(
        self, session: Session, stream: MessageStream, writer: Writer, codec: EngineCodec = REVISION_4
    ) -> None:
        self._session = session
        self._codec = codec
        self._stream = stream
        self._writer = writer
        self._reading = trio.CancelScope()
        # The writer's own: they are called for every packet.
        self.wake: Callable[[], None] = writer.wake
        self.flush: Callable[[], None] = writer.flush

    @property
    def name(self) -> TransportName:
        """It is ``"websocket"``."""
        return "websocket"

    @property
    def writable(self) -> bool:
        """No write is on its way."""
        return self._writer.writable

    def end(self) -> None:
        """Let the writer say goodbye, and stop reading."""
        self.wake()
        self._reading.cancel()

    async def read(self) -> None:
        """Hand on what comes until either side closes."""
        session = self._session
        reason = CloseReason.TRANSPORT_CLOSE
        with self._reading:
            try:
                if session.state is not SessionState.CLOSED:
                    await self._stream.pump(self._take())
            except trio.EndOfChannel:
                pass
            except StreamFailure:
                reason = CloseReason.TRANSPORT_ERROR
            except RemoteProtocolError as error:
                _logger.debug("%s: %s", masked(session.sid), error)
                reason = CloseReason.PARSE_ERROR
        session.flush()  # What was sent before its end came may still reach it.
        session.close(reason)

    def _take(self) -> Take:
        decode, feed = self._codec.decode_message, self._session.feed
        return feed if decode is None else lambda message: feed(decode(message))


async def probe(session: Session, stream: MessageStream) -> bool:
    """Lead an upgrade up to the client's UPGRADE packet; say whether it came.

    Only the probing stream pays for whatever goes wrong: the session lives on with long-polling, and may try again.
    """
    session.upgrade = Upgrade.PROBING
    upgraded = False
    try:
        with trio.move_on_after(session.limits.upgrade_timeout) as session.probe_scope:
            upgraded = await _negotiate(session, stream)
    except (trio.EndOfChannel, trio.BrokenResourceError, RemoteProtocolError) as error:
        _logger.debug("%s: upgrade failed: %r", masked(session.sid), error)
    finally:
        session.probe_scope = None
        if not upgraded:
            session.upgrade = Upgrade.NONE
    # A session that is closing changes too: its client has paused its polling, and can be told on the WebSocket only.
    return upgraded and session.state is not SessionState.CLOSED


async def _negotiate(session: Session, stream: MessageStream) -> bool:
    packet = decode_packet(await stream.receive())
    if packet == _PROBE:
        await stream.send(PONG_PROBE.message_form)
        session.upgrade = Upgrade.PROBED
        if session.transport is not None:
            session.transport.wake()
        packet = decode_packet(await stream.receive())
    return packet.type is PacketType.UPGRADE
