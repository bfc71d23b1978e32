"""From the queue of a socket to its handlers, one event after the other.

On the way an event may be seen by ``on_any``, stopped by a packet middleware, and read from streams; most have nothing
of the kind, and go straight to their handler: one look at each tells so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, final

import trio

from trio_socketio._engine.statistics import Counters
from trio_socketio._exceptions import EventRejected
from trio_socketio._limits import Limits
from trio_socketio._logging import scope_logger, shortened
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.containment import Containment, rejection_in
from trio_socketio._server.event_queue import EventQueue
from trio_socketio._server.event_stream import EventStream, ReceivedEvent
from trio_socketio._server.socket import Socket
from trio_socketio._socket.arguments import InvalidArguments, rejection_answer
from trio_socketio._socket.peer import Peer
from trio_socketio._socket.signature import Registered
from trio_socketio._wire.socket_packet import Event

_logger = scope_logger("socket")

EVENTS_PER_CHECKPOINT = 32
"""Handlers need not be checkpoints, and the scheduler's turn costs as much as a short one."""


@final
class Dispatcher:
    """Handles the events of one socket.

    Args:
        socket: given to the handlers.
        behaviour: the namespace's; a socket that registers for itself gets its own.
        peer: sends the answers.
        limits: the server's.
        counters: likewise.
    """

    def __init__(self, socket: Socket, behaviour: Behaviour, peer: Peer, limits: Limits, counters: Counters) -> None:
        self.queue: EventQueue = EventQueue(limits.event_queue, limits.event_queue_bytes)
        self.behaviour: Behaviour = behaviour
        self._socket = socket
        self._peer = peer
        self._counters = counters
        self._streams: list[EventStream] = []
        self._task: trio.lowlevel.Task | None = None
        self._concurrent = trio.CapacityLimiter(limits.max_concurrent_handlers)

    def close(self) -> None:
        """Drop what waits, and end the streams: the socket is gone."""
        self.queue.close()
        for stream in self._streams.copy():
            stream.close()

    def open_stream(self, names: frozenset[str]) -> EventStream:
        """Open a stream of the events with these names, or of all."""
        stream: EventStream = EventStream._create(names, self._is_running, self._streams.remove)
        self._streams.append(stream)
        return stream

    def _is_running(self) -> bool:
        return trio.lowlevel.current_task() is self._task

    async def run(self, nursery: trio.Nursery, containment: Containment) -> None:
        """Handle events until the queue is closed.

        Args:
            nursery: for those that are handled concurrently.
            containment: contains what handlers raise.
        """
        self._task = trio.lowlevel.current_task()
        queue = self.queue
        handled = 0
        while await queue.wait():
            while queue.events:
                handled += 1
                if handled % EVENTS_PER_CHECKPOINT == 0:
                    await trio.lowlevel.checkpoint()
                event = queue.get_nowait()
                if (self.behaviour.filters_events or self._streams) and not await self._show(event, containment):
                    continue
                handler = self.behaviour.events.find(event.args[0])
                if handler is None:
                    continue
                if handler.is_plain and handler.fewest < len(event.args) <= handler.most + 1:
                    await self._handle(event, handler, event.args[1:], containment)
                else:
                    await self._handle_otherwise(event, handler, nursery, containment)
            # What the last of those that came together has answered goes out at once.
            self._peer.link.flush()

    @trio.lowlevel.disable_ki_protection
    async def _handle(
        self, event: Event, handler: Registered, arguments: Sequence[Any], containment: Containment
    ) -> None:
        try:
            result = await handler.function(self._socket, *arguments)
            if event.ack_id is not None:
                answer = result if isinstance(result, tuple) else () if result is None else (result,)
                flushes = not handler.concurrent and not self.queue.events
                if not self._peer.answer_nowait(event.ack_id, answer, flushes=flushes):
                    await self._peer.answer(event.ack_id, answer)
        except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - whatever an event handler raises
            await self._contain(raised, event, event.args[0], containment)

    async def _contain(self, raised: BaseException, event: Event, name: str, containment: Containment) -> None:
        rejection = rejection_in(raised)
        if rejection is None:
            await containment.contain(raised, name)
        else:
            await self._reject(event, name, rejection, containment)

    async def _reject(self, event: Event, name: str, rejection: EventRejected, containment: Containment) -> None:
        if isinstance(rejection, InvalidArguments):
            self._counters.invalid_events += 1
        _logger.debug("%s: event %s rejected: %s", self._socket.id, shortened(name), shortened(rejection.message))
        try:
            if event.ack_id is not None:
                await self._peer.answer(event.ack_id, [rejection_answer(rejection)])
        except (Exception, BaseExceptionGroup) as failed:  # noqa: BLE001 - its data can't be sent, or the client is gone
            await containment.contain(failed, name)

    async def _handle_otherwise(
        self, event: Event, handler: Registered, nursery: trio.Nursery, containment: Containment
    ) -> None:
        name = event.args[0]
        try:
            arguments = _decoded(event, handler)
        except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - whatever its types raise
            await self._contain(raised, event, name, containment)
            return
        if handler.once:
            self.behaviour.events.remove(name)
        if not handler.concurrent:
            await self._handle(event, handler, arguments, containment)
            return
        borrower = object()
        await self._concurrent.acquire_on_behalf_of(borrower)
        nursery.start_soon(self._handle_concurrently, borrower, event, handler, arguments, containment)

    async def _handle_concurrently(
        self,
        borrower: object,
        event: Event,
        handler: Registered,
        arguments: Sequence[Any],
        containment: Containment,
    ) -> None:
        try:
            await self._handle(event, handler, arguments, containment)
        finally:
            self._concurrent.release_on_behalf_of(borrower)

    async def _show(self, event: Event, containment: Containment) -> bool:
        """Show an event to whoever wants to see it; say whether it is still to be handled."""
        for function in self.behaviour.any:
            await self._call(partial(function, self._socket, *event.args), event.args[0], containment)
        for middleware in self.behaviour.packets:
            name = event.args[0]
            if not await self._call(partial(middleware, self._socket, event.args), name, containment, event):
                return False
            if not event.args or not isinstance(event.args[0], str):
                _logger.debug("%s: event %s has lost its name in a middleware", self._socket.id, shortened(name))
                return False
        await self._stream(event)
        return True

    @trio.lowlevel.disable_ki_protection
    async def _call(
        self, function: Callable[[], Awaitable[Any]], name: str, containment: Containment, event: Event | None = None
    ) -> bool:
        try:
            await function()
        except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - whatever a middleware raises
            if event is None:
                await containment.contain(raised, name)
            else:
                await self._contain(raised, event, name, containment)
            return False
        return True

    async def _stream(self, event: Event) -> None:
        name, *args = event.args
        answer = None
        if event.ack_id is not None and self.behaviour.events.find(name) is None:
            answer = partial(self._peer.answer, event.ack_id)
        for stream in self._streams.copy():
            if stream.wants(name):
                await stream.put(ReceivedEvent._create(name, args, answer))


@trio.lowlevel.disable_ki_protection
def _decoded(event: Event, handler: Registered) -> Sequence[Any]:
    return handler.arguments(event.args)
