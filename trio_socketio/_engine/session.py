"""One Engine.IO session: what outlives the requests and connections of one client.

Theory of operation
-------------------
A session is in one of three states, and only ``close`` and ``close_gracefully`` change it:

    OPEN --close_gracefully--> CLOSING --(outbox delivered, or close_timeout)--> CLOSED
      +------------------------close(reason)----------------------------------------^

CLOSING takes no new packets in either direction, and its transport delivers what waits. CLOSED is final: the reason is
set once, ``closed`` is set, the session is out of the registry, the handler is told, the transport is woken to say
goodbye. All of this is synchronous; nothing can come in between.

The *session task* (``run``) belongs to the server's nursery. It holds the handler's nursery, and never reads, writes or
joins a transport's task: so nothing a peer does to its connection can hold it. Transports run in the tasks of whoever
serves the connection; they call ``receive`` and take from ``outbox``. The timers are fired by the server's clock, in its
own task, until the session is closed.

An upgrade is a second, smaller machine beside it (``Upgrade``): one at a time, and one success for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from enum import Enum, auto
from typing import Any, Protocol, final

import trio

from trio_socketio._engine.client_heartbeat import ClientHeartbeat
from trio_socketio._engine.clock import Clock
from trio_socketio._engine.config import EngineConfig
from trio_socketio._engine.exceptions import CloseReason, Disconnected
from trio_socketio._engine.heartbeat import Beats, Heartbeat
from trio_socketio._engine.http import Request
from trio_socketio._engine.outbox import Outbox, Owner
from trio_socketio._engine.statistics import Counters
from trio_socketio._engine.timers import Timers
from trio_socketio._engine.transport import Transport
from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._limits import Limits
from trio_socketio._logging import masked, scope_logger, shortened, tracing
from trio_socketio._wire.engine_handshake import OLD_REVISION, PROTOCOL_REVISION
from trio_socketio._wire.engine_packet import MESSAGE, PING, PONG, EnginePacket, PacketType, decode_packet

_logger = scope_logger("engine")

_PONG = PONG.message_form


@final
class SessionState(Enum):
    """See the theory of operation."""

    OPEN = auto()
    CLOSING = auto()
    CLOSED = auto()


@final
class Upgrade(Enum):
    """How far a change from long-polling to WebSocket has come."""

    NONE = auto()
    PROBING = auto()
    """A WebSocket is there; its probe is not."""
    PROBED = auto()
    """The probe was answered: held polls are released now, so that the client can pause."""
    DONE = auto()


class Handler(Protocol):
    """The layer above: told of a session's life and its messages."""

    def start(self, nursery: trio.Nursery) -> None:
        """The session runs; the nursery is for tasks that end when the handler is told that it has closed."""

    def receive(self, message: str | bytes) -> Awaitable[None] | None:
        """Take a message. What is returned, if anything, is to be awaited before the next one is read from the client.

        Raises:
            RemoteProtocolError: the client must be closed for this message; the awaitable, likewise.
        """

    def pinged(self) -> None:
        """A ping was sent, behind all that was sent before."""

    def ponged(self) -> None:
        """The last ping was answered: what was sent in front of it has arrived."""

    def closed(self, reason: CloseReason) -> None:
        """The session has ended."""


@final
class Session:
    """One client of the engine.

    Args:
        sid: the secret that names the session.
        request: the handshake.
        config: the server's settings.
        limits: the server's limits.
        clock: fires the session's timers.
        counters: the server's.
        forget: takes the session out of the registry.
        revision: of the protocol that the client speaks.
    """

    __slots__ = (
        "_forget",
        "_handler",
        "_heartbeat",
        "_trace",
        "close_reason",
        "closed",
        "counters",
        "limits",
        "outbox",
        "probe_scope",
        "request",
        "revision",
        "sid",
        "started",
        "state",
        "timers",
        "transport",
        "upgrade",
    )

    def __init__(
        self,
        sid: str,
        request: Request,
        config: EngineConfig,
        limits: Limits,
        *,
        clock: Clock,
        counters: Counters,
        forget: Callable[[Session], None],
        revision: str = PROTOCOL_REVISION,
    ) -> None:
        self.sid: str = sid
        self.request: Request = request
        self.revision: str = revision
        self.limits: Limits = limits
        self.counters: Counters = counters
        self.state: SessionState = SessionState.OPEN
        self.upgrade: Upgrade = Upgrade.NONE
        self.outbox: Outbox = Outbox(limits)
        self.timers: Timers = Timers(clock, self._fail)
        self.transport: Transport | None = None
        self.probe_scope: trio.CancelScope | None = None
        self.started: trio.Event = trio.Event()
        self.closed: trio.Event = trio.Event()
        self.close_reason: CloseReason | None = None
        self._handler: Handler | None = None
        self._forget = forget
        self._trace = tracing(_logger)
        self._heartbeat = self._new_heartbeat(config)

    def _new_heartbeat(self, config: EngineConfig) -> Beats:
        timers, interval, timeout = self.timers, config.ping_interval, config.ping_timeout
        if self.revision == OLD_REVISION:
            return ClientHeartbeat(timers, interval=interval, timeout=timeout, answer=self._pong, dead=self._die)
        return Heartbeat(timers, interval=interval, timeout=timeout, ping=self._ping, dead=self._die)

    async def run(self, handler: Handler) -> None:
        """Live until closed; the session task."""
        if self.state is SessionState.CLOSED:
            return
        self._handler = handler
        async with trio.open_nursery() as nursery:
            try:
                handler.start(nursery)
                self._heartbeat.start()
                self.started.set()
                await self.closed.wait()
            finally:
                # Only a cancelled server gets here with an open session. It is closed before its nursery is: what a
                # transport brings from now on is dropped, and starts nothing.
                self.close(CloseReason.SERVER_SHUTTING_DOWN)

    # Outbound: synchronous up to the outbox.

    def send(self, batch: Sequence[EnginePacket]) -> None:
        """Queue packets that belong together.

        Raises:
            trio.WouldBlock: the outbox has no room for them.
            Disconnected: the session is closing or closed.
        """
        self.put(batch)
        if self.transport is not None:
            self.transport.wake()

    def put(self, batch: Sequence[EnginePacket]) -> None:
        """Do the same for somebody who calls ``flush`` in a moment, with no checkpoint in between: it wakes nobody.

        Raises:
            trio.WouldBlock: as ``send``.
            Disconnected: as ``send``.
        """
        if self.state is not SessionState.OPEN:
            raise Disconnected(self.close_reason or CloseReason.FORCED_CLOSE)
        if not self.outbox.offer(batch):
            raise trio.WouldBlock
        if self._trace:
            self._log_packets("sends", batch)

    def send_anyway(self, batch: Sequence[EnginePacket]) -> None:
        """Queue packets also behind a full queue: few, and such that the client must see. A closing session drops them."""
        if self.state is not SessionState.OPEN:
            return
        self.outbox.put(batch)
        if self._trace:
            self._log_packets("sends", batch)
        if self.transport is not None:
            self.transport.wake()

    def flush(self) -> None:
        """Write now what waits, if that is cheap: a moment later it would be written anyhow."""
        if self.transport is not None and self.outbox.packets:
            self.transport.flush()

    def send_volatile(self, batch: Sequence[EnginePacket]) -> None:
        """Send packets that are worth something now or never: dropped unless they go out at once."""
        writable = self.transport is not None and self.transport.writable and not self.outbox
        if writable and self.state is SessionState.OPEN:
            self.send(batch)

    async def put_in_turn(self, owner: Owner, put: Callable[[], None]) -> None:
        """Wait until ``put`` goes through, behind all who wait already; see ``Outbox.put_in_turn``."""
        await self.outbox.put_in_turn(owner, put)

    def serve_waiting(self) -> None:
        """Let those who wait for room look again: some of them may have nothing to wait for any more."""
        self.outbox.serve_waiting()

    # Inbound: called by the task that reads the transport.

    def take(self, packet: EnginePacket) -> Coroutine[Any, Any, None] | None:
        """Take a packet from the client. What is returned, if anything, is to be awaited before the next one.

        Raises:
            RemoteProtocolError: the packet is against the protocol, the session is closed; the awaitable, likewise.
        """
        if self.state is not SessionState.OPEN:
            if packet.type is PacketType.CLOSE:
                # It goes by itself: nothing of what waits would reach it any more.
                self.close(CloseReason.TRANSPORT_CLOSE)
            return None
        if self._trace:
            self._log_packets("received", (packet,))
        if packet.type is PacketType.MESSAGE:
            return self._deliver(packet.data)
        if packet.type is self._heartbeat.beat_of:
            self._heartbeat.beat()
            if packet.type is PacketType.PONG and self._handler is not None:
                self._handler.ponged()
        elif packet.type is PacketType.CLOSE:
            self.close(CloseReason.TRANSPORT_CLOSE)
        elif packet.type is PacketType.PING or packet.type is PacketType.PONG:
            # Since revision 4 it is the server that pings, and before that it was the client.
            self.close(CloseReason.TRANSPORT_ERROR)
            msg = "invalid heartbeat direction"
            raise RemoteProtocolError(msg)
        return None

    def feed(self, encoded: str | bytes) -> Coroutine[Any, Any, None] | None:
        """Take a WebSocket message: for most, the short way of ``take``.

        Raises:
            RemoteProtocolError: it is no packet; or as ``take``.
        """
        if type(encoded) is bytes:
            message: str | bytes = encoded
        elif encoded[:1] == MESSAGE:
            message = encoded[1:]
        else:
            # A pong is what comes from ten thousand clients that are idle.
            return self.take(PONG if encoded == _PONG else decode_packet(encoded))
        if self.state is not SessionState.OPEN:
            return None
        if self._trace:
            self._log_packets("received", (EnginePacket(PacketType.MESSAGE, message),))
        return self._deliver(message)

    def _deliver(self, message: str | bytes) -> Coroutine[Any, Any, None] | None:
        assert self._handler is not None  # noqa: S101 - no transport reads before the session has started
        if self._heartbeat.awaits_sign:
            self._heartbeat.activity()
        try:
            waiting = self._handler.receive(message)
        except RemoteProtocolError as error:
            self._refuse(error)
            raise
        return None if waiting is None else self._await(waiting)

    async def _await(self, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except RemoteProtocolError as error:
            self._refuse(error)
            raise

    def _refuse(self, error: RemoteProtocolError) -> None:
        if self._trace:
            _logger.debug("%s: %s", masked(self.sid), error)
        self.close(CloseReason.FORCED_CLOSE)

    def pause(self) -> None:
        """Note that we don't read for now: silence is not the client's fault."""
        self._heartbeat.sign.pause()

    def resume(self) -> None:
        """Note that we read again."""
        self._heartbeat.sign.resume()

    # State changes: synchronous.

    def attach(self, transport: Transport) -> None:
        """Send by ``transport`` from now on; the one before learns it by being woken."""
        former, self.transport = self.transport, transport
        if former is not None:
            self.upgrade = Upgrade.DONE
            self._heartbeat.sign.renew()
            former.wake()
        transport.wake()

    def close_gracefully(self, reason: CloseReason) -> None:
        """Close when all that waits has been delivered, after ``Limits.close_timeout`` at the latest."""
        if self.state is not SessionState.OPEN:
            return
        self.state = SessionState.CLOSING
        self.close_reason = reason
        self._heartbeat.stop()
        self.timers.set("close", trio.current_time() + self.limits.close_timeout, lambda: self.close(reason))
        self.outbox.serve_waiting()
        if self.transport is not None:
            self.transport.wake()

    def close(self, reason: CloseReason) -> None:
        """Close now; what waits is dropped. The first reason stays."""
        if self.state is SessionState.CLOSED:
            return
        self.state = SessionState.CLOSED
        self.close_reason = reason = self.close_reason or reason
        if reason is CloseReason.SLOW_CONSUMER:
            self.counters.slow_consumers += 1
        if self._trace:
            _logger.debug("%s: closed, %s", masked(self.sid), reason)
        self._forget(self)
        self.timers.end()
        self.closed.set()
        if self.probe_scope is not None:
            self.probe_scope.cancel()
        if self._handler is not None:
            self._handler.closed(reason)
        # Behind the handler: it may have found another place for what waits for room.
        self.outbox.clear()
        if self.transport is not None:
            self.transport.end()

    def _fail(self, error: Exception) -> None:
        # Whatever a timer calls is ours: a fault of the server. It may cost one client, not the clock of all.
        _logger.error("%s: a timer failed", masked(self.sid), exc_info=error)
        self.close(CloseReason.TRANSPORT_ERROR)

    def _ping(self) -> None:
        # Also behind a full queue: it may be what tells that the client is gone.
        self.send_anyway((PING,))
        if self._handler is not None:
            self._handler.pinged()

    def _pong(self) -> None:
        # Behind a full queue, too: a client that gets no answer takes us for dead. But one that is still to be sent
        # answers all pings so far, so whoever sends them without end gets no more than it reads.
        waiting = self.outbox.packets
        if not waiting or waiting[-1] is not PONG:
            self.send_anyway((PONG,))

    def _die(self) -> None:
        self.close(CloseReason.PING_TIMEOUT)

    def _log_packets(self, verb: str, batch: Sequence[EnginePacket]) -> None:
        name = "-" if self.transport is None else self.transport.name
        for packet in batch:
            _logger.debug("%s: %s %s %s by %s", masked(self.sid), verb, packet.type.name, shortened(packet.data), name)
