"""One end of a namespace on a session: what server and client share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, final

import trio

from trio_socketio._engine.exceptions import Disconnected
from trio_socketio._logging import scope_logger, shortened, tracing
from trio_socketio._socket.acks import PendingAcks
from trio_socketio._socket.handlers import check_event_name
from trio_socketio._wire.engine_packet import EnginePacket, PacketType
from trio_socketio._wire.parser import Parser
from trio_socketio._wire.socket_packet import Ack, Event, SocketPacket

_logger = scope_logger("socket")


def encode_batch(parser: Parser, packet: SocketPacket) -> list[EnginePacket]:
    """Encode a packet to what a session sends: a batch that stays together."""
    messages = parser.encode(packet)
    if len(messages) == 1:
        return [EnginePacket(PacketType.MESSAGE, messages[0])]
    return [EnginePacket(PacketType.MESSAGE, message) for message in messages]


class Link(Protocol):
    """What a peer needs of its session."""

    def send(self, batch: Sequence[EnginePacket]) -> None:
        """Queue a batch, or raise trio.WouldBlock or Disconnected."""

    def put(self, batch: Sequence[EnginePacket]) -> None:
        """Do the same, and leave it to the caller to flush."""

    async def wait_room(self) -> None:
        """Wait until ``send`` may work again."""

    def wake_waiting(self) -> None:
        """Let those who wait for room look again."""


@final
class Peer:
    """Emits, asks and answers for one socket.

    Args:
        namespace: its name.
        link: the session.
        parser: the parser that both ends use.
        max_pending_acks: answers that may be owed.
    """

    __slots__ = ("_link", "_namespace", "_parser", "_trace", "acks", "gone")

    def __init__(self, namespace: str, link: Link, parser: Parser, max_pending_acks: int) -> None:
        self._namespace = namespace
        self._link = link
        self._parser = parser
        self.acks: PendingAcks = PendingAcks(max_pending_acks)
        self._trace = tracing(_logger)
        self.gone: str | None = None
        """Why the peer is gone, once it is."""

    def leave(self, reason: str) -> None:
        """The peer is gone: fail all that waits for it."""
        self.gone = reason
        self.acks.fail_all(reason)
        self._link.wake_waiting()

    def emit_nowait(self, event: str, args: Sequence[Any]) -> None:
        """Queue an event; see ``Socket.emit_nowait``."""
        self._put(self._encode_event(event, args), self._link.send)

    async def emit(self, event: str, args: Sequence[Any]) -> None:
        """Queue an event, waiting for room; see ``Socket.emit``."""
        await self._put_when_room(self._encode_event(event, args))

    async def call(self, event: str, args: Sequence[Any]) -> Any:
        """Ask, and wait for the answer; see ``Socket.call``."""
        check_event_name(event)
        pending = self.acks.open()
        try:
            await self._put_when_room(self._encode_event(event, args, pending.ack_id))
            answer = await pending.wait()
        finally:
            self.acks.forget(pending)
        return answer[0] if len(answer) == 1 else (tuple(answer) if answer else None)

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
            self._put(batch, self._link.put if flushes else self._link.send)
        except trio.WouldBlock:
            return False
        return True

    async def answer(self, ack_id: int, args: Sequence[Any]) -> None:
        """Answer an event of the peer's, waiting for room."""
        await self._put_when_room(encode_batch(self._parser, Ack(self._namespace, args, ack_id)))

    def _encode_event(self, event: str, args: Sequence[Any], ack_id: int | None = None) -> list[EnginePacket]:
        check_event_name(event)
        return encode_batch(self._parser, Event(self._namespace, [event, *args], ack_id))

    def _put(self, batch: list[EnginePacket], send: Callable[[Sequence[EnginePacket]], None]) -> None:
        if self.gone is not None:
            raise Disconnected(self.gone)
        if self._trace:
            _logger.debug("%s sends %s", self._namespace, shortened([packet.data for packet in batch]))
        send(batch)

    async def _put_when_room(self, batch: list[EnginePacket]) -> None:
        # First the checkpoint, then the packet: who is cancelled here has sent nothing.
        await trio.lowlevel.checkpoint()
        while True:
            try:
                self._put(batch, self._link.send)
            except trio.WouldBlock:
                await self._link.wait_room()
            else:
                return
