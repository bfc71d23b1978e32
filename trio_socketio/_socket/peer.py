"""One end of a namespace on a session: what server and client share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol, final

import trio

from trio_socketio._engine.exceptions import Disconnected
from trio_socketio._logging import scope_logger, shortened, tracing
from trio_socketio._socket.acks import PendingAcks, Question
from trio_socketio._socket.contract import NameOf, checked_answer, name_of
from trio_socketio._socket.event_methods import EventName
from trio_socketio._wire.engine_packet import EnginePacket, PacketType
from trio_socketio._wire.parser import Parser
from trio_socketio._wire.socket_packet import Ack, Event, SocketPacket

_logger = scope_logger("socket")


def encode_batch(parser: Parser, packet: SocketPacket, *, compress: bool = True) -> list[EnginePacket]:
    """Encode a packet to what a session sends: a batch that stays together."""
    messages = parser.encode(packet)
    if len(messages) == 1:
        return [EnginePacket(PacketType.MESSAGE, messages[0], compress)]
    return [EnginePacket(PacketType.MESSAGE, message, compress) for message in messages]


class Link(Protocol):
    """What a peer needs of its session."""

    def send(self, batch: Sequence[EnginePacket]) -> None:
        """Queue a batch, or raise trio.WouldBlock or Disconnected."""

    def put(self, batch: Sequence[EnginePacket]) -> None:
        """Do the same, and leave it to the caller to flush."""

    def flush(self) -> None:
        """Write now what waits, if that is cheap."""

    async def put_in_turn(self, owner: Peer, put: Callable[[], None]) -> None:
        """Wait until ``put`` goes through, behind all who wait already."""

    def serve_waiting(self) -> None:
        """Let those who wait look again."""


class Owner(Protocol):
    """What a peer needs of the socket that it speaks for."""

    def check_can_ask(self) -> None:
        """Raise what ``call`` is to raise, if the client can't answer."""

    def emitted(self, event: EventName, args: Sequence[Any]) -> None:
        """An event was queued."""


class Journal(Protocol):
    """Keeps events for a peer that may come back."""

    def stamp(self, event: Event) -> Event:
        """Give an event its place among all others."""
        ...

    def record(self, batch: Sequence[EnginePacket]) -> None:
        """Keep the event that was stamped last."""


@final
class Peer:
    """Emits, asks and answers for one socket.

    Args:
        namespace: its name.
        link: the session.
        parser: the parser that both ends use.
        max_pending_acks: answers that may be owed.
        ack_ids: where the next id of a question comes from.
        journal: keeps what is emitted.
        names: returns the name of an event that may be emitted.
        owner: the socket's.
    """

    __slots__ = ("_journal", "_namespace", "_owner", "_parser", "_trace", "acks", "gone", "link", "names")

    def __init__(
        self,
        namespace: str,
        link: Link,
        parser: Parser,
        *,
        max_pending_acks: int,
        ack_ids: Iterator[int],
        journal: Journal | None = None,
        names: NameOf = name_of,
        owner: Owner | None = None,
    ) -> None:
        self._namespace = namespace
        self.link: Link = link
        """The session; another one when the peer has come back."""
        self._parser = parser
        self._journal = journal
        self._owner = owner
        self.names: NameOf = names
        """Returns the name of an event that may be emitted."""
        self.acks: PendingAcks = PendingAcks(max_pending_acks, ack_ids)
        self._trace = tracing(_logger)
        self.gone: str | None = None
        """Why the peer is gone, once it is."""

    def leave(self, reason: str) -> None:
        """The peer is gone: fail all that waits for it."""
        self.gone = reason
        self.acks.fail_all(reason)
        self.link.serve_waiting()

    def emit_nowait(self, event: EventName, args: Sequence[Any], *, compress: bool = True) -> None:
        """Queue an event; see ``Socket.emit_nowait``."""
        packet = Event(self._namespace, [self.names(event), *args])
        if self._journal is None:
            self._put(encode_batch(self._parser, packet, compress=compress), self.link.send)
        else:
            # In one step with the queueing: what is stamped later is also queued later.
            batch = encode_batch(self._parser, self._journal.stamp(packet), compress=compress)
            self._put(batch, self.link.send)
            self._journal.record(batch)
        if self._owner is not None:
            self._owner.emitted(event, args)

    async def emit(self, event: EventName, args: Sequence[Any], *, compress: bool = True) -> None:
        """Queue an event, waiting for room; see ``Socket.emit``."""
        if self._journal is None:
            await self._put_when_room(self._encode_event(event, args, compress=compress))
            if self._owner is not None:
                self._owner.emitted(event, args)
        else:
            await trio.lowlevel.checkpoint()
            await self.link.put_in_turn(self, partial(self.emit_nowait, event, args, compress=compress))

    async def call(self, event: EventName, args: Sequence[Any], *, compress: bool = True) -> Any:
        """Ask, and wait for the answer; see ``Socket.call``."""
        self.names(event)
        if self._owner is not None:
            self._owner.check_can_ask()
        pending = self.acks.open()
        try:
            await self._put_when_room(self._encode_event(event, args, pending.ack_id, compress=compress))
            if self._owner is not None:
                self._owner.emitted(event, args)
            answer = await pending.wait()
        finally:
            self.acks.forget(pending.ack_id)
        return checked_answer(event, answer)

    def answer_nowait(self, ack_id: int, args: Sequence[Any], *, flushes: bool) -> bool:
        """Answer an event of the peer's; ``False`` if there is no room for that.

        Args:
            ack_id: the event's.
            args: the answer.
            flushes: the caller flushes the session, with no checkpoint in between.

        Raises:
            Disconnected: the peer is gone.
        """
        batch = encode_batch(self._parser, Ack(self._namespace, args, ack_id))
        try:
            self._put(batch, self.link.put if flushes else self.link.send)
        except trio.WouldBlock:
            return False
        return True

    async def answer(self, ack_id: int, args: Sequence[Any]) -> None:
        """Answer an event of the peer's, waiting for room."""
        await self._put_when_room(encode_batch(self._parser, Ack(self._namespace, args, ack_id)))

    def ask(self, ack_id: int, question: Question, batch: Sequence[EnginePacket]) -> bool:
        """Put a question that others are asked too; ``False`` if there is no room for that.

        Raises:
            Disconnected: the peer is gone.
            TooManyPendingAcks: it owes too many answers.
        """
        self.acks.add(ack_id, question)
        try:
            self._put(batch, self.link.send)
        except trio.WouldBlock:
            return False
        except Disconnected:
            self.acks.forget(ack_id)
            raise
        return True

    def _encode_event(
        self, event: EventName, args: Sequence[Any], ack_id: int | None = None, *, compress: bool
    ) -> list[EnginePacket]:
        packet = Event(self._namespace, [self.names(event), *args], ack_id)
        return encode_batch(self._parser, packet, compress=compress)

    def _put(self, batch: Sequence[EnginePacket], send: Callable[[Sequence[EnginePacket]], None]) -> None:
        if self.gone is not None:
            raise Disconnected(self.gone)
        if self._trace:
            _logger.debug("%s sends %s", self._namespace, shortened([packet.data for packet in batch]))
        send(batch)

    async def _put_when_room(self, batch: list[EnginePacket]) -> None:
        # First the checkpoint, then the packet: who is cancelled here has sent nothing.
        await trio.lowlevel.checkpoint()
        await self.link.put_in_turn(self, partial(self._put, batch, self.link.send))
