"""The broadcast operator: says whom something is for, step by step, and does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol, final

import trio

from trio_socketio._server.adapter import Broadcaster
from trio_socketio._server.answers import Answers
from trio_socketio._server.remote_socket import RemoteSocket
from trio_socketio._server.target import Target
from trio_socketio._socket.contract import NameOf, name_of
from trio_socketio._socket.event_methods import EventName, sends
from trio_socketio._types import Data, Room
from trio_socketio._util import NoPublicConstructor
from trio_socketio._wire.socket_packet import Event


class HasId(Protocol):
    """A socket."""

    @property
    def id(self) -> str:
        """Its public id."""
        ...


@final
class BroadcastOperator(metaclass=NoPublicConstructor):
    """Sockets of a namespace, chosen by rooms; immutable, each step gives a new one.

    ``namespace.to("a", "b").except_(socket).volatile`` means every socket that is in room ``a`` or ``b``, once, without
    ``socket``, and for those of them that can be written to at once. In a cluster they are the sockets of all its servers,
    unless ``local`` says otherwise.
    """

    __slots__ = ("_adapter", "_name_of", "_namespace", "_target")

    def __init__(self, namespace: str, adapter: Broadcaster, target: Target, names: NameOf = name_of) -> None:
        self._namespace = namespace
        self._adapter = adapter
        self._target = target
        self._name_of = names

    # Whom

    def to(self, *rooms: Room) -> BroadcastOperator:
        """Add rooms. Without any, it is the whole namespace.

        Raises:
            TypeError: a name that is not text.
        """
        return self._with(self._target.to(names_of(rooms)))

    in_ = to

    def except_(self, *rooms: Room | HasId) -> BroadcastOperator:
        """Leave out rooms, or sockets.

        Raises:
            TypeError: what is neither a socket nor text.
        """
        return self._with(self._target.without(names_of(getattr(room, "id", room) for room in rooms)))

    @property
    def local(self) -> BroadcastOperator:
        """Only sockets of this server, not of its cluster."""
        return self._with(replace(self._target, local=True))

    @property
    def volatile(self) -> BroadcastOperator:
        """Drop the event for every socket to which it can't be written at once."""
        return self._with(replace(self._target, volatile=True))

    def compress(self, worthwhile: bool = True) -> BroadcastOperator:
        """Say whether the event is worth being compressed, where that is switched on; random or compressed data is not."""
        return self._with(replace(self._target, compress=worthwhile))

    # Events

    @sends
    async def emit(self, event: EventName, *args: Data) -> None:
        """Send an event; waits for nobody (a client that can't keep up is disconnected), but is a checkpoint.

        Cancelled, it has sent nothing.

        Args:
            event: its name, or the function of a contract.
            args: JSON, and bytes anywhere in it.

        Raises:
            TypeError: it is neither text nor a contract's function, or an argument can't be encoded.
            ValueError: the name is reserved, or the arguments are nested too deeply.
        """
        await trio.lowlevel.checkpoint()
        if self._adapter.is_crowded:
            await self._adapter.make_room()
        self.emit_nowait(event, *args)

    @sends
    def emit_nowait(self, event: EventName, *args: Data) -> None:
        """Do the same without a checkpoint: for ``finally`` blocks and synchronous code."""
        self._adapter.broadcast(Event(self._namespace, [self._name_of(event), *args]), self._target)

    @sends
    @asynccontextmanager
    async def call(self, event: EventName, *args: Data) -> AsyncIterator[Answers]:
        """Send an event that every client is to acknowledge, and take the answers as they come.

        ``async with chat.to("lobby").call("vote", "tea?") as answers: async for socket_id, answer in answers: ...``

        The iteration ends when all have answered or left. How long to wait for those who do neither is the caller's to say,
        with a cancel scope; ``answers.missing`` has the ids of those who have not answered. When the block is left, answers
        that are still to come are dropped. An answer is what ``Socket.call`` returns for it.

        Args:
            event: its name.
            args: JSON, and bytes anywhere in it.

        Raises:
            TypeError: the name is not text, or an argument can't be encoded.
            ValueError: the name is reserved, the arguments are nested too deeply, or it is ``volatile``: who is not asked
                could not answer.
        """
        name = self._name_of(event)
        if self._target.volatile:
            msg = "a volatile event may be dropped: it can't be asked for answers"
            raise ValueError(msg)
        await trio.lowlevel.checkpoint()
        if self._adapter.is_crowded:
            await self._adapter.make_room()
        answers: Answers = Answers._create()
        forget = self._adapter.ask(Event(self._namespace, [name, *args]), self._target, answers)
        try:
            yield answers
        finally:
            forget()
            answers.end()

    @sends
    async def gather(self, event: EventName, *args: Data) -> dict[str, Any]:
        """Do the same, and return all answers by the sockets' ids, when everybody has answered or left.

        Who is not in it has left without an answer. Cancelled, the answers are lost: to have those that came in time, use
        ``call`` in a cancel scope.

        Raises:
            TypeError: as ``call``.
            ValueError: as ``call``.
        """
        async with self.call(event, *args) as answers:
            return {socket_id: answer async for socket_id, answer in answers}

    # Sockets

    async def fetch_sockets(self) -> list[RemoteSocket]:
        """Return the sockets, also those of other servers: what they are now, and a way to each of them."""
        descriptions = await self._adapter.fetch_sockets(self._target)
        return [RemoteSocket._create(each, self._with(Target(rooms=frozenset({each.id})))) for each in descriptions]

    def sockets_join(self, *rooms: Room) -> None:
        """Put the sockets into rooms; returns at once, other servers follow.

        A socket that ``Socket.join`` would refuse, since it is in ``Limits.max_rooms_per_socket`` already or the name is too
        long, stays out of all of them, and that is logged.

        Raises:
            TypeError: a name that is not text.
            ValueError: an empty name.
        """
        names = names_of(rooms)
        if "" in names:
            msg = "a room's name is not empty"
            raise ValueError(msg)
        self._adapter.add_sockets(self._target, sorted(names))

    def sockets_leave(self, *rooms: Room) -> None:
        """Take the sockets out of rooms; returns at once, other servers follow.

        Raises:
            TypeError: a name that is not text.
        """
        self._adapter.remove_sockets(self._target, sorted(names_of(rooms)))

    def disconnect_sockets(self, *, close: bool = False) -> None:
        """Disconnect the sockets as ``Socket.disconnect`` does; returns at once, other servers follow.

        Args:
            close: with their clients' other sockets, and their connections.
        """
        self._adapter.disconnect_sockets(self._target, close=close)

    def _with(self, target: Target) -> BroadcastOperator:
        return BroadcastOperator._create(self._namespace, self._adapter, target, self._name_of)


def names_of(rooms: Iterable[Any]) -> frozenset[str]:
    """Check names of rooms.

    Raises:
        TypeError: one that is not text.
    """
    names = list(rooms)
    for name in names:
        if not isinstance(name, str):
            msg = f"a room's name is text, not {name!r}"
            raise TypeError(msg)
    return frozenset(names)
