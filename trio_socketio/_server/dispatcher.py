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
from trio_socketio._server.event_stream import EventStream, Inlet, ReceivedEvent, open_event_stream
from trio_socketio._server.socket import Socket
from trio_socketio._socket.arguments import InvalidArguments, rejection_answer
from trio_socketio._socket.peer import Link, Peer
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

    __slots__ = (
        "_concurrent",
        "_counters",
        "_inlets",
        "_most_concurrent",
        "_nurseries_around",
        "_peer",
        "_socket",
        "_task",
        "behaviour",
        "queue",
    )

    def __init__(self, socket: Socket, behaviour: Behaviour, peer: Peer, limits: Limits, counters: Counters) -> None:
        self.queue: EventQueue = EventQueue(limits.event_queue, limits.event_queue_bytes)
        self.behaviour: Behaviour = behaviour
        self._socket = socket
        self._peer = peer
        self._counters = counters
        self._inlets: list[Inlet] = []
        """Of streams that are open."""
        self._task: trio.lowlevel.Task | None = None
        """The worker."""
        self._nurseries_around: list[trio.Nursery] = []
        """The worker's nurseries whose tasks run beside its events."""
        self._most_concurrent = limits.max_concurrent_handlers
        self._concurrent: trio.CapacityLimiter | None = None
        """Made for the first event that is handled concurrently: most sockets have none, and it takes a kilobyte."""

    def close(self) -> None:
        """Drop what waits, and end the streams: the socket is gone."""
        self.queue.close()
        inlets, self._inlets = self._inlets, []
        for inlet in inlets:
            inlet.close()

    def forget_questions(self) -> None:
        """Let what waits want no answer any more: the client is gone, and numbers its questions anew when it is back."""
        waiting = self.queue.events
        waiting[:] = [(Event(event.namespace, event.args), size) for event, size in waiting]

    def open_stream(self, names: frozenset[str]) -> EventStream:
        """Open a stream of the events with these names, or of all."""
        inlet, stream = open_event_stream(names, self._is_awaited, self._forget)
        if self.queue.closed:
            inlet.close()
        else:
            self._inlets.append(inlet)
        return stream

    def _forget(self, inlet: Inlet) -> None:
        if inlet in self._inlets:
            self._inlets.remove(inlet)

    def _is_awaited(self) -> bool:
        """Say whether the next event waits for the current task: a handler's, or one in a nursery of a handler's."""
        if self.queue.closed:
            return False
        task = trio.lowlevel.current_task()
        while task is not self._task:
            nursery = task.parent_nursery
            if nursery is None or nursery in self._nurseries_around:
                return False
            task = nursery.parent_task
        return True

    async def run(self, nursery: trio.Nursery, containment: Containment) -> None:
        """Handle events until the queue is closed.

        Args:
            nursery: for those that are handled concurrently.
            containment: contains what handlers raise.
        """
        self._task = trio.lowlevel.current_task()
        self._nurseries_around = self._task.child_nurseries
        queue = self.queue
        handled = 0
        while await queue.wait():
            while queue.events:
                handled += 1
                if handled % EVENTS_PER_CHECKPOINT == 0:
                    await trio.lowlevel.checkpoint()
                event = queue.get_nowait()
                if self.behaviour.filters_events or self._inlets:
                    shown = await self._show(event, containment)
                    if shown is None:
                        continue
                    event = shown
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
        link = self._peer.link
        try:
            result = await handler.function(self._socket, *arguments)
            # An answer belongs to the connection of its question, and the client may be back in another one.
            if event.ack_id is not None and self._peer.link is link:
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
        limiter = self._concurrent = self._concurrent or trio.CapacityLimiter(self._most_concurrent)
        await limiter.acquire_on_behalf_of(borrower)
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
            assert self._concurrent is not None  # noqa: S101 - it was acquired
            self._concurrent.release_on_behalf_of(borrower)

    async def _show(self, event: Event, containment: Containment) -> Event | None:
        """Show an event to whoever wants to see it; return it as it is to be handled, if it is."""
        args = list(event.args)
        for function in self.behaviour.any:
            await self._call(partial(function, self._socket, *args), args[0], containment)
            if self.queue.closed:
                return None
        for middleware in self.behaviour.packets:
            name = args[0]
            passed = await self._call(partial(middleware, self._socket, args), name, containment, event)
            if not passed or self.queue.closed:
                return None
            if not args or not isinstance(args[0], str):
                msg = f"the packet middleware {middleware!r} has left no name in event[0]: raise, to stop an event"
                await containment.contain(TypeError(msg), name)
                return None
        shown = Event(event.namespace, args, event.ack_id)
        if self._inlets:
            await self._stream(shown)
        return None if self.queue.closed else shown

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
            answer = partial(self._answer, event.ack_id, self._peer.link)
        received: ReceivedEvent = ReceivedEvent._create(name, args, answer)
        # Again, if all whom it was for have stopped reading: somebody else may have begun meanwhile.
        while inlets := [inlet for inlet in self._inlets if inlet.wants(name)]:
            if any([await inlet.put(received) for inlet in inlets]):
                return

    async def _answer(self, ack_id: int, link: Link, args: Sequence[Any]) -> None:
        if self._peer.link is link:
            await self._peer.answer(ack_id, args)
        else:
            await trio.lowlevel.checkpoint()


@trio.lowlevel.disable_ki_protection
def _decoded(event: Event, handler: Registered) -> Sequence[Any]:
    return handler.arguments(event.args)
