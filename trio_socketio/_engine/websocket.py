"""A session on a WebSocket: a reader, a writer, and the probe that leads there from long-polling.

The reader runs in the task of whoever serves the connection, the writer in the server's nursery, and neither joins the
other: a peer that doesn't read holds only the writer, and the session's own timer ends that.
"""

from __future__ import annotations

from typing import final

import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.session import Session, SessionState, Upgrade
from trio_socketio._engine.transport import MessageStream, MessageTooBig
from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._logging import masked, scope_logger
from trio_socketio._wire.engine_packet import PONG_PROBE, EnginePacket, PacketType, decode_packet

_logger = scope_logger("engine")

FAREWELL = 1.0
"""Seconds that the connection is kept for the writer to finish."""

_PROBE = EnginePacket(PacketType.PING, "probe")


@final
class WebSocketTransport:
    """Carries a session over a message stream."""

    __slots__ = ("_news", "_reading", "_session", "_stream", "_writing", "finished")

    def __init__(self, session: Session, stream: MessageStream) -> None:
        self._session = session
        self._stream = stream
        self._news = trio.Event()
        self._reading = trio.CancelScope()
        self._writing = False
        self.finished = trio.Event()
        """The writer has ended."""

    @property
    def name(self) -> TransportName:
        """It is ``"websocket"``."""
        return "websocket"

    @property
    def writable(self) -> bool:
        """No write is on its way."""
        return not self._writing

    def wake(self) -> None:
        """Let the writer look again; stop reading from a dead session."""
        self._news.set()
        if self._session.state is SessionState.CLOSED:
            self._reading.cancel()

    async def read(self) -> None:
        """Hand on what comes until either side closes."""
        session = self._session
        reason = CloseReason.TRANSPORT_CLOSE
        with self._reading:
            try:
                while session.state is not SessionState.CLOSED:
                    await session.receive(decode_packet(await self._stream.receive()))
            except trio.EndOfChannel:
                pass
            except MessageTooBig:
                reason = CloseReason.TRANSPORT_ERROR
            except RemoteProtocolError as error:
                _logger.debug("%s: %s", masked(session.sid), error)
                reason = CloseReason.PARSE_ERROR
        session.close(reason)

    async def write(self) -> None:
        """Send what waits until the session is closed, then close the stream; the writer task."""
        try:
            await self._write()
        except trio.BrokenResourceError:
            self._session.close(CloseReason.TRANSPORT_CLOSE)
        except Exception:
            # Streams say BrokenResourceError: this is a fault of ours or the host's. It may cost one client, not all.
            _logger.exception("%s: its writer failed", masked(self._session.sid))
            self._session.close(CloseReason.TRANSPORT_ERROR)
        finally:
            self.finished.set()

    async def _write(self) -> None:
        session = self._session
        while session.state is not SessionState.CLOSED:
            if session.outbox:
                await self._send(session.outbox.take())
            elif session.state is SessionState.CLOSING:
                session.close(CloseReason.FORCED_CLOSE)
            else:
                self._news = trio.Event()
                await self._news.wait()
        with trio.move_on_after(FAREWELL):
            await self._stream.aclose()

    async def _send(self, packets: list[EnginePacket]) -> None:
        session = self._session
        self._writing = True
        for packet in packets:
            # The deadline is the session's timer and not a scope round ``send``: some hosts make a send uncancellable.
            session.timers.set("write", trio.current_time() + session.limits.write_deadline, self._too_slow)
            await self._stream.send(packet.message_form)
            if session.state is SessionState.CLOSED:
                break
        session.timers.clear("write")
        self._writing = False

    def _too_slow(self) -> None:
        self._session.close(CloseReason.SLOW_CONSUMER)


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
