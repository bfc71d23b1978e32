"""What can be registered on every level: for namespaces, and for a single socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from trio_socketio._server.behaviour import Behaviour
from trio_socketio._socket.event_methods import EventName, registers
from trio_socketio._socket.handlers import check_handled_event, check_handler, check_listener

AsyncFunctionT = TypeVar("AsyncFunctionT", bound=Callable[..., Awaitable[Any]])
ListenerT = TypeVar("ListenerT", bound=Callable[..., object])


class Registration:
    """Takes handlers, at any time: what is registered counts for every event that is handled from then on.

    Those of a pattern of namespaces go before those of a namespace, and these before those of a socket; but of several
    handlers of one event only the nearest to the socket is called.
    """

    __slots__ = ()

    def _level(self) -> Behaviour:
        """What is registered on this level."""
        raise NotImplementedError

    @registers
    def on(self, event: EventName, *, concurrent: bool = False) -> Callable[[AsyncFunctionT], AsyncFunctionT]:
        """Register ``async def handler(socket, *args)`` for an event.

        The events of a socket are handled one after the other, in the order in which they were sent. What the handler
        returns is the acknowledgement, if the client asked for one: a tuple for several arguments, ``None`` for none.
        If it raises, the error is logged and given to ``on_error``, no acknowledgement is sent, the socket lives on. An
        event with more or fewer arguments than the function takes, or with others than its annotations say, does not reach
        it: the acknowledgement, if the client asked for one, is ``{"error": {"code": "invalid_arguments", "message": ...}}``.
        Raising ``EventRejected`` refuses an event.

        Args:
            event: its name, or the function of a contract: then type checkers see that the handler takes its arguments.
            concurrent: run it in a task of its own, beside later events: up to ``Limits.max_concurrent_handlers``.

        Raises:
            TypeError: another kind of function, an annotation that can't be decoded, or the name is not text.
            ValueError: the name is reserved, or is no event of clients (``connection``), or has a handler already.
        """
        check_handled_event(event)

        def register(function: AsyncFunctionT) -> AsyncFunctionT:
            self._level().events.add(event, function, concurrent=concurrent)
            return function

        return register

    def off(self, event: str) -> None:
        """Take the handler of an event out.

        Raises:
            ValueError: there is none on this level.
        """
        self._level().events.remove(event)

    def on_any(self, function: AsyncFunctionT, *, prepend: bool = False) -> AsyncFunctionT:
        """Register ``async def listener(socket, event, *args)``, told of each event before anybody else has it.

        The event waits for it. What it raises is logged and given to ``on_error``, and the event goes on.

        Args:
            function: the listener.
            prepend: go before those that are registered on this level already.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 2, "listener(socket, event, *args)")
        self._level().any.add(function, prepend=prepend)
        return function

    def off_any(self, function: Callable[..., Awaitable[Any]]) -> None:
        """Take a listener out that ``on_any`` has registered.

        Raises:
            ValueError: it is not registered on this level.
        """
        self._level().any.remove(function)

    def on_any_outgoing(self, function: ListenerT, *, prepend: bool = False) -> ListenerT:
        """Register ``def listener(socket, event, *args)``, told of each event that is queued for a client.

        Of broadcasts too, once for each recipient of this server, and of volatile events also when they are dropped; of
        acknowledgements not. It is no async function, since a broadcast waits for nobody. What it raises is logged.

        Args:
            function: the listener.
            prepend: go before those that are registered on this level already.

        Raises:
            TypeError: another kind of function.
        """
        check_listener(function, 2, "listener(socket, event, *args)")
        self._level().outgoing.add(function, prepend=prepend)
        return function

    def off_any_outgoing(self, function: Callable[..., object]) -> None:
        """Take a listener out that ``on_any_outgoing`` has registered.

        Raises:
            ValueError: it is not registered on this level.
        """
        self._level().outgoing.remove(function)

    def packet_middleware(self, function: AsyncFunctionT) -> AsyncFunctionT:
        """Register ``async def middleware(socket, event)``, run for each event before its handler; several run in order.

        ``event`` is a list, the event's name and its arguments; what the middleware changes there, later ones and the
        handler see. If it raises, or leaves no name, the event goes no further, is not acknowledged, and the error is
        logged and given to ``on_error``.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 2, "middleware(socket, event)")
        self._level().packets.add(function)
        return function

    def on_error(self, function: AsyncFunctionT) -> AsyncFunctionT:
        """Register ``async def handler(socket, error, event)``, told of every exception of a handler.

        ``event`` is the event's name, or ``connection``, ``disconnect``, ``expired`` or ``middleware``. It runs shielded,
        for ``Limits.disconnect_timeout`` at most, since the socket may have ended by that error; what it raises is logged.

        Raises:
            TypeError: another kind of function.
        """
        check_handler(function, 3, "handler(socket, error, event)")
        self._level().error.add(function)
        return function
