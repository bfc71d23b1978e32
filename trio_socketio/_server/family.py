"""A family of namespaces: those that a pattern or a function lets come into being, as one.

They inherit what is registered for it, and what is sent to it reaches the sockets of all of them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias, final

import trio

from trio_socketio._server.adapter import Broadcaster, Forget
from trio_socketio._server.answers import AnswerSink
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.description import SocketDescription
from trio_socketio._server.members import Members
from trio_socketio._server.server_events import ServerEvents
from trio_socketio._server.socket import Socket
from trio_socketio._server.target import Target
from trio_socketio._socket.contract import NameOf, name_of
from trio_socketio._wire.socket_packet import Event

NamespaceRule: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[bool]]
"""``async def rule(name, auth)``: says whether a namespace of that name exists for a client that says this."""


@final
class Family(Broadcaster):
    """Namespaces that are made when they are joined.

    Args:
        rule: a pattern that matches a whole name, or a function.
    """

    def __init__(self, rule: re.Pattern[str] | NamespaceRule) -> None:
        self.rule: re.Pattern[str] | NamespaceRule = rule
        self.behaviour: Behaviour = Behaviour()
        self.server_events: ServerEvents = ServerEvents()
        self.names: NameOf = name_of
        self.members: dict[str, Members] = {}

    def __iter__(self) -> Iterator[Members]:
        return iter(tuple(self.members.values()))

    @property
    def name(self) -> str:
        """The pattern, or the function's name."""
        return self.rule.pattern if isinstance(self.rule, re.Pattern) else getattr(self.rule, "__name__", "a function")

    @property
    def adapter(self) -> Broadcaster:
        """It is its own."""
        return self

    def sockets(self) -> Mapping[str, Socket]:
        """Return the sockets of all members."""
        return MappingProxyType({key: socket for members in self for key, socket in members.sockets().items()})

    @property
    def is_pattern(self) -> bool:
        """A name says all: every client may join."""
        return isinstance(self.rule, re.Pattern)

    @trio.lowlevel.disable_ki_protection
    async def accepts(self, name: str, auth: Mapping[str, Any]) -> Mapping[str, str] | None:
        """Return the parameters of a name that a client wants to join; ``None`` if it is not one of these."""
        if isinstance(self.rule, re.Pattern):
            return self.parameters_of(name)
        return {} if await self.rule(name, auth) else None

    def parameters_of(self, name: str) -> Mapping[str, str] | None:
        """Return what the pattern finds in a name; ``None`` if it doesn't match, or is none."""
        match = self.rule.fullmatch(name) if isinstance(self.rule, re.Pattern) else None
        return None if match is None else {key: text for key, text in match.groupdict().items() if text is not None}

    # What is done to all of them

    def rooms(self) -> dict[str, frozenset[str]]:
        """Return the rooms of all members; those of the same name are one."""
        rooms: dict[str, frozenset[str]] = {}
        for members in self:
            for room, socket_ids in members.adapter.rooms().items():
                rooms[room] = rooms.get(room, frozenset()) | socket_ids
        return rooms

    def broadcast(self, event: Event, target: Target) -> None:
        """Send an event to sockets."""
        for members in self:
            members.adapter.broadcast(_within(members, event), target)

    @property
    def is_crowded(self) -> bool:
        """A client was crowded."""
        return any(members.adapter.is_crowded for members in self)

    async def make_room(self) -> None:
        """Let writers go on, of those that are crowded."""
        await trio.lowlevel.checkpoint()
        for members in self:
            if members.adapter.is_crowded:
                await members.adapter.make_room()

    def ask(self, event: Event, target: Target, sink: AnswerSink) -> Forget:
        """Send an event to sockets, and hand on their answers."""
        return self._ask_each(lambda members, each: members.adapter.ask(_within(members, event), target, each), sink)

    async def fetch_sockets(self, target: Target) -> list[SocketDescription]:
        """Describe sockets."""
        await trio.lowlevel.checkpoint()
        return [each for members in self for each in await members.adapter.fetch_sockets(target)]

    def add_sockets(self, target: Target, rooms: Sequence[str]) -> None:
        """Put sockets into rooms."""
        for members in self:
            members.adapter.add_sockets(target, rooms)

    def remove_sockets(self, target: Target, rooms: Sequence[str]) -> None:
        """Take sockets out of rooms."""
        for members in self:
            members.adapter.remove_sockets(target, rooms)

    def disconnect_sockets(self, target: Target, *, close: bool) -> None:
        """Disconnect sockets."""
        for members in self:
            members.adapter.disconnect_sockets(target, close=close)

    def server_side_emit(self, args: Sequence[Any]) -> None:
        """Send an event to other servers, for each member that is here."""
        for members in self:
            members.adapter.server_side_emit(args)

    def server_side_ask(self, args: Sequence[Any], sink: AnswerSink) -> Forget:
        """Do the same, and hand on their answers."""
        return self._ask_each(lambda members, each: members.adapter.server_side_ask(args, each), sink)

    def _ask_each(self, ask: Callable[[Members, AnswerSink], Forget], sink: AnswerSink) -> Forget:
        everybody = tuple(self)
        shared = _SharedSink(sink, len(everybody))
        forgets: list[Forget] = []

        def forget() -> None:
            for each in forgets:
                each()

        try:
            for members in everybody:
                forgets.append(ask(members, shared))  # noqa: PERF401 - those that were asked are told if a later one fails
        except BaseException:
            forget()
            raise
        return forget


def _within(members: Members, event: Event) -> Event:
    return Event(members.name, event.args, event.ack_id)


@final
class _SharedSink:
    """A sink that is closed when each of those who fill it has closed it."""

    def __init__(self, sink: AnswerSink, count: int) -> None:
        self._sink = sink
        self._open = count
        self.expect = sink.expect
        self.answer = sink.answer
        self.leave = sink.leave
        if not count:
            sink.close()

    def close(self) -> None:
        """See ``AnswerSink``."""
        self._open -= 1
        if not self._open:
            self._sink.close()
