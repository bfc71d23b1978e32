"""The kit's client: one namespace of one connection, with the words of the server's side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, final

import trio
from trio.testing import wait_all_tasks_blocked

from trio_socketio._engine.config import TransportName
from trio_socketio._engine.exceptions import Disconnected
from trio_socketio._limits import Limits
from trio_socketio._server.event_stream import ReceivedEvent
from trio_socketio._socket.event_methods import EventName, asks, registers, sends
from trio_socketio._socket.handlers import check_handled_event
from trio_socketio._socket.peer import Peer
from trio_socketio._socket.signature import EventHandler
from trio_socketio._types import Data
from trio_socketio._util import NoPublicConstructor, plain_exceptions
from trio_socketio.testing.arrivals import Arrivals, ClientEventStream
from trio_socketio.testing.client_events import ClientEvents
from trio_socketio.testing.client_life import ClientLife, ClientSettings, ClientState
from trio_socketio.testing.dialer import Dialer
from trio_socketio.testing.failures import ExpectationFailed
from trio_socketio.testing.link import Link
from trio_socketio.testing.patience import Patience

EventHandlerT = TypeVar("EventHandlerT", bound=EventHandler)


@final
class ClientSocket(metaclass=NoPublicConstructor):
    """A client in one namespace: ``async with server.open_client("/chat") as socket``.

    Each event that comes goes to the handler that ``on`` has registered for it. Without one it is kept until ``expect`` or
    a stream takes it, however late: nothing that came is missed.
    """

    def __init__(self, dialer: Dialer, settings: ClientSettings, limits: Limits, patience: Patience) -> None:
        self._dialer = dialer
        self._is_left = False
        self._events = ClientEvents(self, limits, self._answer)
        self._life = ClientLife(dialer, settings, limits, receive=self._events.receive, changed=self._events.inbox.wake)
        self._arrivals = Arrivals(self._life, self._events, patience)

    def __repr__(self) -> str:
        return f"<ClientSocket {self.id} of {self.namespace} {self._life.state.name.lower()}>"

    # What it is

    @property
    def namespace(self) -> str:
        """The namespace's name."""
        return self._life.settings.namespace

    @property
    def id(self) -> str:
        """The socket's id, as the server has it; that of the last connection while it is not connected."""
        return self._life.id or ""

    @property
    def auth(self) -> Mapping[str, Any]:
        """What the client says when it joins."""
        return self._life.settings.auth or {}

    @property
    def connected(self) -> bool:
        """It is in its namespace, as far as the client knows."""
        return self._life.state is ClientState.CONNECTED

    @property
    def recovered(self) -> bool:
        """The last CONNECT gave it back its old id: the server has sent what was missed, and nothing twice."""
        return self._life.recovered

    @property
    def disconnect_reason(self) -> str | None:
        """Why it was disconnected last, while it is not connected: ``"transport close"``, ``"transport error"``,
        ``"ping timeout"``, ``"parse error"``, ``"io server disconnect"`` or ``"io client disconnect"``, as in the official client.
        """
        return None if self.connected else self._life.reason

    @property
    def transport(self) -> TransportName:
        """``"polling"`` or ``"websocket"``, as of now."""
        session = self._life.session
        return self._life.settings.transports[0] if session is None else session.transport

    @property
    def link(self) -> Link:
        """The way to the server, for faults: ``socket.link.cut()``."""
        return self._dialer.link

    # To the server

    @sends
    async def emit(self, event: EventName, *args: Data) -> None:
        """Send an event to the server; waits for room in the client's queue. Cancelled, it has sent nothing.

        Args:
            event: its name, or the function of a contract.
            args: JSON, and bytes anywhere in it.

        Raises:
            Disconnected: it is not connected (any more); nothing is kept for later.
            ExpectationFailed: there was no room for longer than the server's patience.
            TypeError: it is neither text nor a contract's function, or an argument can't be encoded.
            ValueError: the name is reserved, or the arguments are nested too deeply.
        """
        peer = self._peer()
        await self._arrivals.wait(
            lambda: peer.emit(event, args), lambda: f"{event!r} could not be sent: the link takes nothing"
        )

    @sends
    def emit_nowait(self, event: EventName, *args: Data) -> None:
        """Do the same without waiting.

        Raises:
            trio.WouldBlock: the client's queue is full; nothing was sent.
            Disconnected: as ``emit``.
            TypeError: as ``emit``.
            ValueError: as ``emit``.
        """
        self._peer().emit_nowait(event, args)

    @asks
    async def call(self, event: EventName, *args: Data) -> Any:
        """Send an event and wait for the server's acknowledgement.

        Returns:
            The answer's argument; ``None`` if it has none, a tuple if it has several. By a contract's function: what that
            returns, decoded and checked.

        Raises:
            Disconnected: it is not connected (any more).
            ExpectationFailed: no answer came in the server's patience.
            InvalidAnswer: it is not what the contract says.
            TypeError: as ``emit``.
            ValueError: as ``emit``.
        """
        peer = self._peer()
        return await self._arrivals.wait(
            lambda: peer.call(event, args), lambda: f"no acknowledgement of {event!r} has come"
        )

    def _check_not_left(self) -> None:
        if self._is_left:
            msg = "the block of this client has been left: use it inside 'async with server.open_client(...) as socket'"
            raise RuntimeError(msg)

    def _peer(self) -> Peer:
        self._check_not_left()
        if self._life.peer is None or not self.connected:
            raise Disconnected(self._life.reason or "not connected yet")
        return self._life.peer

    async def _answer(self, ack_id: int, args: Sequence[Any]) -> None:
        await self._peer().answer(ack_id, args)

    # From the server

    @registers
    def on(self, event: EventName, *, concurrent: bool = False) -> Callable[[EventHandlerT], EventHandlerT]:
        """Register ``async def handler(socket, *args)`` for an event of the server's; what it returns is the acknowledgement.

        Events are handled in order, one after the other. What a handler raises comes out of ``open_client``.

        Args:
            event: its name, or the function of a contract.
            concurrent: don't wait for this handler before the next event.

        Raises:
            TypeError: not such a function.
            ValueError: the name is reserved, or has a handler already.
        """

        def register(function: EventHandlerT) -> EventHandlerT:
            self._events.handlers.add(event, function, concurrent=concurrent)
            return function

        return register

    async def expect(self, event: str, *args: object) -> ReceivedEvent:
        """Take the next event of a name, which may be here already; others are kept.

        Args:
            event: its name.
            args: what its arguments must be equal to; left out: any. ``unittest.mock.ANY`` is equal to everything.

        Returns:
            The event: ``event.args``, and ``await event.answer(...)`` if the server wants an acknowledgement.

        Raises:
            ExpectationFailed: it did not come in the server's patience, can't come any more, or has other arguments. The
                message says what came instead.
            ValueError: the name is reserved.
            RuntimeError: there is a handler for it, that takes it; or outside of the client's block.
        """
        self._check_not_left()
        return await self._arrivals.expect(event, args)

    async def expect_nothing(self, event: str | None = None, *, within: float = 0.0) -> None:
        """Make sure that no event comes.

        Args:
            event: its name; any event if it is left out.
            within: seconds for which none may come. With 0 all that is on its way already is waited for.

        Raises:
            ExpectationFailed: one has come; the message says which.
            ValueError: the name is reserved.
        """
        await self._arrivals.expect_nothing(event, within)

    @asynccontextmanager
    async def events(self, *names: str) -> AsyncIterator[ClientEventStream]:
        """Read events as a stream: ``async with socket.events("price") as events: async for event in events: ...``.

        It takes what ``expect`` would take, in order, also what is here already; and it ends when nothing can come any more.

        Args:
            names: the events' names; all events if there are none.

        Raises:
            ExpectationFailed: out of the loop, when nothing came in the server's patience.
            ValueError: a name that is reserved.
        """
        wanted = frozenset(check_handled_event(name) for name in names)
        await trio.lowlevel.checkpoint()
        yield ClientEventStream._create(self._arrivals, wanted)

    def __aiter__(self) -> ClientEventStream:
        """Read all events: ``async for event in socket``."""
        return ClientEventStream._create(self._arrivals, frozenset())

    # Coming and going

    async def wait_connected(self) -> None:
        """Wait until it is connected; what has just happened to its link is noticed first.

        Raises:
            ConnectionRefused: the server does not let it in; with ``message`` and ``data``.
            ConnectionRefusedError: its last attempt found nobody, or whatever else ended that.
            ExpectationFailed: it did not come back in the server's patience, or does not come back by itself.
        """
        await wait_all_tasks_blocked()
        await self._arrivals.wait(self._until_connected, lambda: "the client was not connected")

    async def _until_connected(self) -> None:
        life = self._life
        while life.state is not ClientState.CONNECTED:
            if life.state is ClientState.ENDED:
                if life.failure is not None:
                    raise life.failure
                msg = f"the client does not come back by itself: call socket.connect(); {self._arrivals.situation()}"
                raise ExpectationFailed(msg)
            await self._events.inbox.wait()

    async def wait_disconnected(self) -> str:
        """Wait until it is not connected, and return ``disconnect_reason``.

        Raises:
            ExpectationFailed: it stayed connected for the server's patience.
        """
        await wait_all_tasks_blocked()
        await self._arrivals.wait(self._until_disconnected, lambda: "the client stayed connected")
        return self._life.reason or ""

    async def _until_disconnected(self) -> None:
        while self.connected:
            await self._events.inbox.wait()

    async def wait_transport(self, transport: TransportName) -> None:
        """Wait until the client is carried by a transport: after the upgrade by ``"websocket"``.

        Raises:
            ExpectationFailed: it was not in the server's patience, or can't be any more.
        """
        await self._arrivals.wait(
            lambda: self._until_carried_by(transport), lambda: f"the client was not carried by {transport}"
        )

    async def _until_carried_by(self, transport: TransportName) -> None:
        while not (self.connected and self.transport == transport):
            if self._life.state is ClientState.ENDED:
                msg = f"the client will not be carried by {transport} any more; {self._arrivals.situation()}"
                raise ExpectationFailed(msg)
            await self._events.inbox.wait()

    def connect(self) -> None:
        """Connect again now: when it waits before the next attempt, or would not come back by itself.

        Raises:
            RuntimeError: it is connected, or about to be; or outside of the client's block.
        """
        self._check_not_left()
        if self._life.state in {ClientState.CONNECTED, ClientState.CONNECTING}:
            msg = "the client is connected already, or about to be: call connect() after a disconnect"
            raise RuntimeError(msg)
        self._life.begin_anew()

    def disconnect(self) -> None:
        """Leave the namespace, and close the connection when the server has been told; it does not come back by itself."""
        self._life.end()

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[ClientSocket]:
        """Be a client while the block runs; see ``MemoryServer.open_client``."""
        with plain_exceptions():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._events.run)
                nursery.start_soon(self._life.run)
                await self._arrivals.wait(self._until_first, lambda: "the client was not connected")
                try:
                    yield self
                finally:
                    self._is_left = True
                self._life.end()
                if self._life.session is not None:
                    await self._life.session.closed.wait()
                nursery.cancel_scope.cancel()

    async def _until_first(self) -> None:
        life = self._life
        while life.state is ClientState.CONNECTING:
            await self._events.inbox.wait()
        if not life.connects:
            if life.session is not None and life.session.opened is not None:
                await life.session.closed.wait()  # The server is told that it leaves.
            raise life.failure or Disconnected(life.reason or "")
