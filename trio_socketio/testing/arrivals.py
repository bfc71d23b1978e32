"""What has come to a client: taken as expected, or as a stream; and what a failing test is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar, final

import trio
from trio.testing import wait_all_tasks_blocked

from trio_socketio._server.event_stream import ReceivedEvent
from trio_socketio._socket.handlers import check_handled_event
from trio_socketio._util import NoPublicConstructor
from trio_socketio.testing.client_events import ClientEvents
from trio_socketio.testing.client_life import ClientLife, ClientState
from trio_socketio.testing.failures import ExpectationFailed
from trio_socketio.testing.inbox import shown_event
from trio_socketio.testing.patience import Patience

T = TypeVar("T")


@final
class Arrivals:
    """The events of one client that nobody has handled.

    Args:
        life: says whether any can come.
        events: keeps them.
        patience: of all waits.
    """

    def __init__(self, life: ClientLife, events: ClientEvents, patience: Patience) -> None:
        self._life = life
        self._events = events
        self._patience = patience

    async def wait(self, waiting: Callable[[], Awaitable[T]], complaint: Callable[[], str]) -> T:
        """Wait for something of the client's.

        Raises:
            ExpectationFailed: it took too long; the message begins with ``complaint``.
        """
        return await self._patience.wait(waiting, lambda: f"{complaint()}; {self.situation()}")

    def situation(self) -> str:
        """Say what is kept, and how the client is."""
        life = self._life
        if life.state is ClientState.ENDED:
            why = life.failure or life.reason or "it was disconnected"
            state = f"the client of {life.settings.namespace} is gone for good ({why})"
        elif life.state is ClientState.CONNECTED:
            state = f"the client of {life.settings.namespace} is connected"
        else:
            attempt = life.failure or "under way"
            state = f"the client of {life.settings.namespace} is away ({life.reason}), last attempt: {attempt}"
        return f"{self._events.inbox.report()}; {state}"

    async def expect(self, event: str, args: tuple[object, ...]) -> ReceivedEvent:
        """Take the next event of a name; see ``ClientSocket.expect``."""
        name = check_handled_event(event)
        if self._events.handlers.find(name) is not None:
            msg = (
                f"{name!r} has a handler, that takes it: expect events without one, or let the handler note what comes"
            )
            raise RuntimeError(msg)
        await trio.lowlevel.checkpoint()
        received = await self.wait(lambda: self._next({name}), lambda: f"{name!r} did not come")
        if received is None:
            msg = f"{name!r} can't come any more; {self.situation()}"
            raise ExpectationFailed(msg)
        if args and received.args != args:
            expected = f"{name!r}({', '.join(map(repr, args))})"
            msg = f"expected {expected}, but {shown_event(received)} came; {self.situation()}"
            raise ExpectationFailed(msg)
        return received

    async def expect_nothing(self, event: str | None, within: float) -> None:
        """Make sure that no event comes; see ``ClientSocket.expect_nothing``."""
        names = set() if event is None else {check_handled_event(event)}
        await wait_all_tasks_blocked()
        with trio.move_on_after(within):
            while not self._events.inbox.has(names):
                await self._events.inbox.wait()
        received = self._events.inbox.take(names)
        if received is not None:
            msg = f"{shown_event(received)} came, and nothing should; {self.situation()}"
            raise ExpectationFailed(msg)

    async def next(self, names: Collection[str]) -> ReceivedEvent | None:
        """Take the next event with one of these names, or of all; ``None`` if none can come any more.

        Raises:
            ExpectationFailed: none came in time.
        """
        await trio.lowlevel.checkpoint()
        wanted = " or ".join(sorted(map(repr, names))) or "an event"
        return await self.wait(lambda: self._next(names), lambda: f"{wanted} did not come")

    async def _next(self, names: Collection[str]) -> ReceivedEvent | None:
        inbox = self._events.inbox
        while True:
            received = inbox.take(names)
            if received is not None or (self._life.state is ClientState.ENDED and self._events.is_idle):
                return received
            await inbox.wait()


@final
class ClientEventStream(metaclass=NoPublicConstructor):
    """Events of one client, in order: ``async for event in stream``."""

    def __init__(self, arrivals: Arrivals, names: frozenset[str]) -> None:
        self._arrivals = arrivals
        self._names = names

    def __aiter__(self) -> ClientEventStream:
        return self

    async def __anext__(self) -> ReceivedEvent:
        """Wait for the next event.

        Raises:
            ExpectationFailed: none came in the server's patience.
        """
        event = await self._arrivals.next(self._names)
        if event is None:
            raise StopAsyncIteration
        return event
