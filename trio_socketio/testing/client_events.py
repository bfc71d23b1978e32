"""From a client's connection to its handlers, in order; what has no handler is kept in the inbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias, final

import trio

from trio_socketio._engine.exceptions import Disconnected
from trio_socketio._limits import Limits
from trio_socketio._server.event_queue import EventQueue
from trio_socketio._server.event_stream import ReceivedEvent
from trio_socketio._socket.handlers import Handlers
from trio_socketio._socket.signature import Registered
from trio_socketio._wire.socket_packet import Event
from trio_socketio.testing.inbox import Inbox

Answer: TypeAlias = Callable[[int, Sequence[Any]], Awaitable[None]]
"""Sends an acknowledgement."""


@final
class ClientEvents:
    """The events of one client.

    Args:
        socket: given to the handlers.
        limits: bound what may wait for a handler: beyond it the client doesn't read.
        answer: sends acknowledgements.
    """

    def __init__(self, socket: object, limits: Limits, answer: Answer) -> None:
        self.handlers: Handlers = Handlers()
        self.inbox: Inbox = Inbox()
        self._socket = socket
        self._answer = answer
        self._queue = EventQueue(limits.event_queue, limits.event_queue_bytes)
        self._is_handling = False

    @property
    def is_idle(self) -> bool:
        """Nothing waits for its handler."""
        return not self._queue.events and not self._is_handling

    def receive(self, event: Event) -> Awaitable[None] | None:
        """Take an event; what is returned, if anything, is to be awaited before the next one."""
        return None if self._queue.put_nowait(event, 0) else self._queue.put(event, 0)

    async def run(self) -> None:
        """Hand events on, in order."""
        async with trio.open_nursery() as nursery:
            while await self._queue.wait():
                while self._queue.events:
                    await trio.lowlevel.checkpoint()
                    event = self._queue.get_nowait()
                    self._is_handling = True
                    try:
                        await self._hand_on(event, nursery)
                    finally:
                        self._is_handling = False
                self.inbox.wake()

    async def _hand_on(self, event: Event, nursery: trio.Nursery) -> None:
        name, *args = event.args
        handler = self.handlers.find(name)
        if handler is None:
            answer = None if event.ack_id is None else partial(self._answer, event.ack_id)
            self.inbox.put(ReceivedEvent._create(name, args, answer))
        elif handler.concurrent:
            nursery.start_soon(self._handle, event, handler)
        else:
            await self._handle(event, handler)

    async def _handle(self, event: Event, handler: Registered) -> None:
        result = await handler.function(self._socket, *handler.arguments(event.args))
        if event.ack_id is not None:
            answer = result if isinstance(result, tuple) else () if result is None else (result,)
            with suppress(Disconnected):  # Who has asked is told so.
                await self._answer(event.ack_id, answer)
