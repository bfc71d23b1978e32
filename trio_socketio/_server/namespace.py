"""A namespace, as the application sees it: its sockets, and broadcasts to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType
from typing import Any, Protocol

import trio

from trio_socketio._server.adapter import Broadcaster
from trio_socketio._server.answers import Answers
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.broadcast import BroadcastOperator, HasId
from trio_socketio._server.class_based import register_methods
from trio_socketio._server.remote_socket import RemoteSocket
from trio_socketio._server.server_events import ServerEvents, check_server_event
from trio_socketio._server.socket import Socket
from trio_socketio._server.target import Target
from trio_socketio._socket.contract import NameOf, agreed
from trio_socketio._socket.event_methods import EventName, sends
from trio_socketio._types import Data, Room


class Place(Protocol):
    """What stands behind a namespace."""

    behaviour: Behaviour
    server_events: ServerEvents
    names: NameOf

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def adapter(self) -> Broadcaster:
        """Reaches its sockets."""
        ...

    def sockets(self) -> Mapping[str, Socket]:
        """Return the connected sockets of this server."""
        ...


class Places(Protocol):
    """A server."""

    def _place(self, name: str) -> Place:
        """Return what stands behind a name; made if it is not there."""
        ...

    def _place_to_stay(self, name: str) -> Place:
        """Do the same, for something to be registered there: it stays also when nobody is in it any more."""
        ...

    def _place_if_there(self, name: str) -> Place | None:
        """Return what stands behind a name, if something does: looking at a namespace does not make it."""
        ...


class Namespace:
    """A channel of its own on the clients' connections; and the base of classes that handle its events.

    A subclass registers its methods by making an instance: ``Chat(sio, "/chat")``, with

    ``class Chat(Namespace): async def on_message(self, socket, text): ...``

    A method ``on_<event>`` handles that event; ``on_connection(socket)``, ``on_disconnect(socket, reason)``,
    ``on_error(socket, error, event)``, ``on_expired(socket)``, ``on_any(socket, event, *args)``,
    ``on_any_outgoing(socket, event, *args)``, ``middleware(socket)`` and ``packet_middleware(socket, event)`` are what the
    decorators of the same names take. An event whose name is no identifier or one of these, or that is to be handled
    concurrently, gets its method by ``@handles("private message", concurrent=True)``. Methods may be inherited; one that
    takes the place of another handles what that one handled. If one of them can't be registered, none is.

    Args:
        server: the server.
        name: the namespace's; a missing leading slash is added.
        contract: see ``Server.namespace``.

    Raises:
        TypeError: no server; the name is not text; the contract is none; a method that handles an event is not async, or takes
            other arguments.
        ValueError: the name can't be a namespace's, or an event is reserved, or has a handler already.
    """

    def __init__(self, server: Places, name: str, *, contract: type | None = None) -> None:
        if isinstance(server, type) or not hasattr(server, "_place_to_stay"):
            msg = f'{server!r} is not a Server: write {type(self).__name__}(sio, "/chat")'
            raise TypeError(msg)
        self._server = server
        place = server._place(name) if contract is None else server._place_to_stay(name)
        self._name = place.name
        names = place.names if contract is None else agreed(place.names, contract)
        self._register_methods()
        place.names = names

    def _register_methods(self) -> None:
        register_methods(self, self._behaviour, stop_at=Namespace)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name} with {len(self.sockets)} sockets>"

    @property
    def name(self) -> str:
        """Begins with a slash."""
        return self._name

    @property
    def sockets(self) -> Mapping[str, Socket]:
        """The sockets of this server that are connected, by id: a snapshot."""
        place = self._server._place_if_there(self._name)
        return MappingProxyType({}) if place is None else place.sockets()

    @property
    def rooms(self) -> Mapping[str, frozenset[str]]:
        """The rooms that sockets of this server are in, with the ids of those: a snapshot."""
        place = self._server._place_if_there(self._name)
        return {} if place is None else place.adapter.rooms()

    @property
    def _behaviour(self) -> Behaviour:
        return self._server._place_to_stay(self._name).behaviour

    # Broadcasts

    def to(self, *rooms: Room) -> BroadcastOperator:
        """Choose the sockets that are in any of these rooms."""
        return self._everybody().to(*rooms)

    in_ = to

    def except_(self, *rooms: Room | HasId) -> BroadcastOperator:
        """Choose all sockets but those of rooms, or but single ones."""
        return self._everybody().except_(*rooms)

    @property
    def local(self) -> BroadcastOperator:
        """All sockets of this server, not of its cluster."""
        return self._everybody().local

    @property
    def volatile(self) -> BroadcastOperator:
        """All sockets; events are dropped for those to which they can't be written at once."""
        return self._everybody().volatile

    def compress(self, worthwhile: bool = True) -> BroadcastOperator:
        """All sockets; see ``BroadcastOperator.compress``."""
        return self._everybody().compress(worthwhile)

    @sends
    async def emit(self, event: EventName, *args: Data) -> None:
        """Send an event to all sockets; see ``BroadcastOperator.emit``."""
        await self._everybody().emit(event, *args)

    @sends
    def emit_nowait(self, event: EventName, *args: Data) -> None:
        """Send an event to all sockets; see ``BroadcastOperator.emit_nowait``."""
        self._everybody().emit_nowait(event, *args)

    @sends
    def call(self, event: EventName, *args: Data) -> AbstractAsyncContextManager[Answers]:
        """Ask all sockets, and take the answers as they come; see ``BroadcastOperator.call``."""
        return self._everybody().call(event, *args)

    @sends
    async def gather(self, event: EventName, *args: Data) -> dict[str, Any]:
        """Ask all sockets, and return all answers; see ``BroadcastOperator.gather``."""
        return await self._everybody().gather(event, *args)

    # Sockets of all servers

    async def fetch_sockets(self) -> list[RemoteSocket]:
        """Return all sockets; see ``BroadcastOperator.fetch_sockets``."""
        return await self._everybody().fetch_sockets()

    def sockets_join(self, *rooms: Room) -> None:
        """Put all sockets into rooms; see ``BroadcastOperator.sockets_join``."""
        self._everybody().sockets_join(*rooms)

    def sockets_leave(self, *rooms: Room) -> None:
        """Take all sockets out of rooms; see ``BroadcastOperator.sockets_leave``."""
        self._everybody().sockets_leave(*rooms)

    def disconnect_sockets(self, *, close: bool = False) -> None:
        """Disconnect all sockets; see ``BroadcastOperator.disconnect_sockets``."""
        self._everybody().disconnect_sockets(close=close)

    # Other servers

    async def server_side_emit(self, event: str, *args: Data) -> None:
        """Send an event to the other servers of the cluster, where ``on_server_event`` handles it.

        A server that stands alone has nobody to send it to. Cancelled, it has sent nothing.

        Args:
            event: its name.
            args: JSON.

        Raises:
            TypeError: the name is not text.
            ValueError: the name is reserved.
        """
        check_server_event(event)
        adapter = await self._adapter_with_room()
        adapter.server_side_emit([event, *args])

    @asynccontextmanager
    async def server_side_call(self, event: str, *args: Data) -> AsyncIterator[Answers]:
        """Do the same, and take the other servers' answers as they come: ``async for server_id, answer in answers``.

        What was said of ``BroadcastOperator.call`` is true here too, with servers instead of sockets.

        Raises:
            TypeError: the name is not text.
            ValueError: the name is reserved.
        """
        check_server_event(event)
        adapter = await self._adapter_with_room()
        answers: Answers = Answers._create()
        forget = adapter.server_side_ask([event, *args], answers)
        try:
            yield answers
        finally:
            forget()
            answers.end()

    async def _adapter_with_room(self) -> Broadcaster:
        await trio.lowlevel.checkpoint()
        adapter = self._server._place(self._name).adapter
        if adapter.is_crowded:
            await adapter.make_room()
        return adapter

    def _everybody(self) -> BroadcastOperator:
        place = self._server._place(self._name)
        return BroadcastOperator._create(self._name, place.adapter, Target(), place.names)
