"""One client in one namespace, as the application sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any, Protocol, final

import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._limits import Limits
from trio_socketio._logging import scope_logger, show_error
from trio_socketio._server.adapter import Adapter
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.broadcast import BroadcastOperator, HasId
from trio_socketio._server.event_stream import EventStream
from trio_socketio._server.flagged_socket import FlaggedSocket
from trio_socketio._server.handshake import Handshake
from trio_socketio._server.registration import AsyncFunctionT, Registration
from trio_socketio._server.target import Target
from trio_socketio._socket.event_methods import EventName, asks, registers, sends
from trio_socketio._socket.handlers import check_handled_event
from trio_socketio._socket.peer import Peer
from trio_socketio._types import Data, Room
from trio_socketio._util import NoPublicConstructor

_logger = scope_logger("socket")


@final
class SocketState(Enum):
    """JOINING --(middlewares let it in)--> CONNECTED --> ENDED; a refused one skips the middle.

    With ``ConnectionStateRecovery(handler="keep")`` a socket whose client is gone is LOST for a while. Either it ENDED, or
    its client is RETURNING: then the middlewares let it in, and it is CONNECTED again, or refuse it.
    """

    JOINING = auto()
    CONNECTED = auto()
    LOST = auto()
    RETURNING = auto()
    ENDED = auto()


class Life(Protocol):
    """What a socket needs of the task that runs it."""

    @property
    def state(self) -> SocketState:
        """How far it is."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it ended, once it has."""
        ...

    @property
    def nursery(self) -> trio.Nursery | None:
        """The socket's nursery, while it is connected."""

    @property
    def transport(self) -> TransportName:
        """The client's transport."""
        ...

    def disconnect(self, *, close: bool) -> None:
        """End it, or the whole client."""

    def is_foreign_id(self, room: Room) -> bool:
        """Say whether the name is another socket's id."""
        ...

    @property
    def behaviour(self) -> Behaviour:
        """What is registered for it: its namespace's, or ..."""
        ...

    def own_behaviour(self) -> Behaviour:
        """Its own, which inherits from its namespace's; made when it is first asked for."""
        ...

    def open_stream(self, names: frozenset[str]) -> EventStream:
        """Open a stream of its events."""
        ...


@final
class Socket(Registration, metaclass=NoPublicConstructor):
    """One client in one namespace.

    Everything that is started for it ends with it: its connection handlers, its event handlers and ``nursery`` are
    cancelled when it disconnects, whoever wanted that. Handlers that are registered with the socket are for this client
    alone; in a connection handler, up to its first checkpoint, no event is missed.
    """

    __slots__ = (
        "_adapter",
        "_life",
        "_limits",
        "_peer",
        "data",
        "handshake",
        "id",
        "namespace",
        "parameters",
        "recovered",
    )

    def __init__(
        self,
        *,
        socket_id: str,
        namespace: str,
        parameters: Mapping[str, str],
        handshake: Handshake,
        adapter: Adapter,
        peer: Peer,
        limits: Limits,
        life: Life,
    ) -> None:
        self.id: str = socket_id
        """Public, random, 20 characters; not the session's secret id, unless it is an old client's (``allow_eio3``)."""
        self.namespace: str = namespace
        """The namespace's name."""
        self.parameters: Mapping[str, str] = parameters
        """The named groups of the pattern that the namespace's name has matched."""
        self.handshake: Handshake = handshake
        """The client's first request, and its ``auth``; those of the latest connection."""
        self.data: dict[str, Any] = {}
        """Whatever the application wants to keep with it; survives a recovery."""
        self.recovered: bool = False
        """The client was gone, and is back with its id, rooms and data: it has missed nothing, and got nothing twice."""
        self._adapter = adapter
        self._peer = peer
        self._limits = limits
        self._life = life

    def __repr__(self) -> str:
        return f"<Socket {self.id} of {self.namespace} {self._life.state.name.lower()}>"

    @property
    def auth(self) -> Mapping[str, Any]:
        """What the client said when it joined: a JSON object, checked by nobody yet."""
        return self.handshake.auth

    @property
    def connected(self) -> bool:
        """The client has joined and has not left."""
        return self._life.state is SocketState.CONNECTED

    @property
    def disconnect_reason(self) -> str | None:
        """Why it ended, once it has: the text of a ``CloseReason``."""
        return self._life.reason

    @property
    def transport(self) -> TransportName:
        """``"polling"`` or ``"websocket"``, as of now."""
        return self._life.transport

    @property
    def nursery(self) -> trio.Nursery:
        """For tasks that must end with the socket. One that raises ends the socket, and nothing else.

        Raises:
            RuntimeError: the socket is not connected.
        """
        nursery = self._life.nursery
        if nursery is None:
            msg = "a socket's nursery is open while it is connected: not in a middleware, not after the disconnect"
            raise RuntimeError(msg)
        return nursery

    # Rooms

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms that it is in; one of them has its id as name."""
        return self._adapter.rooms_of(self.id)

    def join(self, *rooms: Room) -> None:
        """Enter rooms; after the disconnect it does nothing.

        Raises:
            TypeError: a name that is not text.
            ValueError: an empty or too long name, another socket's id, or more than ``Limits.max_rooms_per_socket``.
        """
        for room in rooms:
            self._check_room(room)
        if self._life.state is not SocketState.ENDED:
            self._enter(rooms)

    def _enter(self, rooms: Iterable[Room]) -> None:
        most = self._limits.max_rooms_per_socket
        if len(self.rooms.union(rooms) - {self.id}) > most:
            msg = f"a socket may be in {most} rooms beside its own (Limits.max_rooms_per_socket)"
            raise ValueError(msg)
        self._adapter.add(self.id, rooms)

    def put_into(self, rooms: Sequence[Room]) -> None:
        """Enter rooms, by the namespace's wish: also while it is lost.

        Raises:
            ValueError: as ``join``.
        """
        for room in rooms:
            self._check_room(room)
        self._enter(rooms)

    def leave(self, *rooms: Room) -> None:
        """Leave rooms; those that it isn't in are passed over, and so is its own, by which it is found."""
        for room in rooms:
            if room != self.id:
                self._adapter.remove(self.id, room)

    def _check_room(self, room: object) -> None:
        if not isinstance(room, str):
            msg = f"a room's name is text, not {room!r}"
            raise TypeError(msg)
        if not 0 < len(room) <= self._limits.max_name_length:
            msg = f"a room's name has 1 to {self._limits.max_name_length} characters (Limits.max_name_length)"
            raise ValueError(msg)
        if self._life.is_foreign_id(room):
            msg = "that is the id of another socket: its own room is its alone"
            raise ValueError(msg)

    # To this client

    @sends
    async def emit(self, event: EventName, *args: Data) -> None:
        """Send an event to this client; waits for room in its queue.

        Cancelled, it has sent nothing.

        Args:
            event: its name, or the function of a contract.
            args: JSON, and bytes anywhere in it.

        Raises:
            Disconnected: the client is gone, also while this waits.
            TypeError: it is neither text nor a contract's function, or an argument can't be encoded.
            ValueError: the name is reserved, or the arguments are nested too deeply.
        """
        await self._peer.emit(event, args)

    @sends
    def emit_nowait(self, event: EventName, *args: Data) -> None:
        """Do the same without waiting.

        Raises:
            trio.WouldBlock: the client's queue is full; nothing was sent.
            Disconnected: the client is gone.
            TypeError: as ``emit``.
            ValueError: as ``emit``.
        """
        self._peer.emit_nowait(event, args)

    @asks
    async def call(self, event: EventName, *args: Data) -> Any:
        """Send an event and wait for the client's acknowledgement.

        How long is the caller's to say: ``with trio.fail_after(5): answer = await socket.call("question")``. Cancelled,
        the question is forgotten, and a late answer is dropped.

        Returns:
            The answer's argument; ``None`` if it has none, a tuple if it has several. By a contract's function: what that
            returns, decoded and checked.

        Raises:
            Disconnected: the client is gone, also while this waits.
            InvalidAnswer: it is not what the contract says.
            TooManyPendingAcks: it owes ``Limits.max_pending_acks`` answers.
            RuntimeError: in a middleware, when the client can't answer yet.
            TypeError: as ``emit``.
            ValueError: as ``emit``.
        """
        return await self._peer.call(event, args)

    @property
    def volatile(self) -> FlaggedSocket:
        """For events that are dropped unless they can be written at once: to this client, or ``to`` others."""
        return self._flagged().volatile

    def compress(self, worthwhile: bool = True) -> FlaggedSocket:
        """For events that are worth being compressed, or not, where ``EngineConfig(http_compression=...)`` compresses at all.

        Random and compressed data (pictures, video) is not: ``socket.compress(False).emit("picture", jpeg)``.
        """
        return self._flagged().compress(worthwhile)

    def _flagged(self) -> FlaggedSocket:
        return FlaggedSocket._create(self._peer, self._operator(Target(rooms=frozenset({self.id}))), self.broadcast)

    # To others

    def to(self, *rooms: Room) -> BroadcastOperator:
        """Choose the sockets of rooms, without this one."""
        return self.broadcast.to(*rooms)

    in_ = to

    def except_(self, *rooms: Room | HasId) -> BroadcastOperator:
        """Choose all sockets of the namespace but those of rooms, and but this one."""
        return self.broadcast.except_(*rooms)

    @property
    def broadcast(self) -> BroadcastOperator:
        """All other sockets of the namespace."""
        return self._operator(Target(excluded=frozenset({self.id})))

    @property
    def local(self) -> BroadcastOperator:
        """All other sockets of the namespace on this server."""
        return self.broadcast.local

    def _operator(self, target: Target) -> BroadcastOperator:
        return BroadcastOperator._create(self.namespace, self._adapter, target, self._peer.names)

    # From this client

    @registers
    def once(self, event: EventName, *, concurrent: bool = False) -> Callable[[AsyncFunctionT], AsyncFunctionT]:
        """Register a handler for the next such event only; see ``on``."""
        check_handled_event(event)

        def register(function: AsyncFunctionT) -> AsyncFunctionT:
            self._level().events.add(event, function, concurrent=concurrent, once=True)
            return function

        return register

    def _level(self) -> Behaviour:
        return self._life.own_behaviour()

    @asynccontextmanager
    async def events(self, *names: str) -> AsyncIterator[EventStream]:
        """Read events as a stream.

        ``async with socket.events("price") as events: async for event in events: ...``

        Events that come while the block runs are in it, in order, besides going to their handlers. While nobody takes the
        next one, this client's events wait, and at last it isn't read from. The stream ends with the socket.

        Args:
            names: the events' names; all events if there are none.

        Raises:
            TypeError: a name that is not text.
            ValueError: a name that is reserved, or is no event of clients (``connection``).
        """
        wanted = frozenset(check_handled_event(name) for name in names)
        await trio.lowlevel.checkpoint()
        stream = self._life.open_stream(wanted)
        try:
            yield stream
        finally:
            stream.close()

    def __aiter__(self) -> EventStream:
        """Read all events: ``async for event in socket``. Inside a block of ``events`` it is sure when that ends."""
        return self._life.open_stream(frozenset())

    # The end

    def disconnect(self, *, close: bool = False) -> None:
        """End this socket: what was sent before is still delivered, the client does not come back by itself.

        Handlers of this socket are cancelled at their next checkpoint, also the one that calls this.

        Args:
            close: end all sockets of this client, and its connection.
        """
        self._life.disconnect(close=close)


def show_outgoing(listeners: Iterable[Callable[..., object]], socket: Socket, event: str, args: Sequence[Any]) -> None:
    """Tell listeners what was queued for a socket; one that fails fails for itself."""
    for listener in listeners:
        try:
            listener(socket, event, *args)
        except Exception as error:
            _logger.exception("%s: error in a listener of what is sent", socket.id)
            show_error(error, event, socket.id)
