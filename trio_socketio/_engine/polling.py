"""HTTP long-polling: a GET that is held until there is something to say, and POSTs.

Who gets what when a held GET ends:

    packets wait                        the packets
    the server closes the session       what waits, and the next GET NOOP, CLOSE; CLOSE if nothing waits
    the session is dead                 CLOSE; NOOP if it was the client that closed it
    the session has upgraded            400, as a GET after the upgrade: both orders of that race look the same
    an upgrade is on its way            NOOP after 0.1 s, so that the client can pause
    the client gave it up               nothing: the session is closed

Packets are taken from the outbox when the GET ends, with no checkpoint between that and the response: a cancelled GET
has no packets in hand.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import final

import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.http import BodyTooLarge, ClientGone, EventHold, Hold, ReadBody, Request, Response, refused
from trio_socketio._engine.session import Session, SessionState, Upgrade
from trio_socketio._exceptions import RemoteProtocolError
from trio_socketio._wire.engine_codec import REVISION_4, DecodePayload, EngineCodec
from trio_socketio._wire.engine_handshake import Refusal
from trio_socketio._wire.engine_packet import CLOSE, NOOP, EnginePacket, PacketType

NOOP_INTERVAL = 0.1
"""Seconds that a GET is held while an upgrade is on its way; the reference's interval."""

PACKETS_PER_CHECKPOINT = 50

POST_SECONDS = 10.0
POST_BYTES_PER_SECOND = 65_536
"""A body gets so many seconds, and one more for each so many bytes, up to ``Limits.post_deadline``."""


@final
class PollingTransport:
    """The requests of one session.

    Args:
        session: whose they are.
        codec: how its client writes packets.
        compress_from: bytes of an answer from which on it may be compressed.
    """

    __slots__ = ("_codec", "_compress_from", "_held", "_is_pushing", "_is_reading", "_push", "_session")

    def __init__(self, session: Session, codec: EngineCodec = REVISION_4, compress_from: float = math.inf) -> None:
        self._session = session
        self._codec = codec
        self._compress_from = compress_from
        self._held: Hold | None = None
        self._is_pushing = False
        self._is_reading = False
        self._push = trio.CancelScope()

    @property
    def name(self) -> TransportName:
        """It is ``"polling"``."""
        return "polling"

    @property
    def writable(self) -> bool:
        """A GET is held."""
        return self._held is not None

    def payload(self, packets: Sequence[EnginePacket]) -> Response:
        """Make the response that carries packets, and count it."""
        body, content_type = self._codec.encode_payload(packets)
        counters = self._session.counters
        counters.packets_sent += len(packets)
        counters.bytes_sent += len(body)
        compress = len(body) >= self._compress_from and any(packet.compress for packet in packets)
        return Response(200, body, content_type, compress=compress)

    def wake(self) -> None:
        """Let the held GET look again."""
        if self._held is not None:
            self._held.release()

    flush = wake

    def end(self) -> None:
        """Let the held GET look for the last time, and wait no longer for a body that nobody would take."""
        self.wake()
        if self._is_reading:
            self._push.cancel()

    async def poll(self, new_hold: Callable[[], Hold] = EventHold) -> Response:
        """Serve a GET, which waits by what ``new_hold`` makes."""
        session = self._session
        if self._held is not None:
            session.close(CloseReason.TRANSPORT_ERROR)
            return Response(400)
        if session.state is SessionState.CLOSING and not session.outbox:
            session.close(CloseReason.FORCED_CLOSE)
            return self.payload([NOOP, CLOSE])
        try:
            timed_out = await self._hold(new_hold)
        except (trio.Cancelled, ClientGone):
            if session.transport is self:
                session.close(CloseReason.TRANSPORT_ERROR)
            raise
        finally:
            self._held = None
        return self.payload([NOOP]) if timed_out else self._answer()

    async def _hold(self, new_hold: Callable[[], Hold]) -> bool:
        """Wait until there is an answer; say whether it is only that time is up."""
        session = self._session
        while session.state is SessionState.OPEN and session.transport is self and not session.outbox:
            self._held = new_hold()
            if session.upgrade is Upgrade.PROBED:
                with trio.move_on_after(NOOP_INTERVAL) as scope:
                    await self._held.wait()
                if scope.cancelled_caught:
                    return True
            else:
                await self._held.wait()
        return False

    def _answer(self) -> Response:
        session = self._session
        if session.transport is not self:
            return refused(Refusal.BAD_REQUEST)
        if session.state is SessionState.CLOSED:
            return self.payload([NOOP if session.close_reason is CloseReason.TRANSPORT_CLOSE else CLOSE])
        packets = session.outbox.take()
        if session.state is SessionState.CLOSING and not packets:
            session.close(CloseReason.FORCED_CLOSE)
            return self.payload([CLOSE])
        # Never packets and CLOSE in one answer: the official client drops what stands in front of a CLOSE.
        return self.payload(packets)

    async def push(self, request: Request, read_body: ReadBody, body: bytes | None = None) -> Response:
        """Serve a POST; ``body`` is its body, if the host has it already."""
        session = self._session
        if self._is_pushing:
            session.close(CloseReason.TRANSPORT_ERROR)
            self._push.cancel()
            return Response(400)
        decode: DecodePayload | None = self._codec.decode_payload
        if request.headers.get("content-type", "").lower().startswith("application/octet-stream"):
            decode = self._codec.decode_binary_payload
        if decode is None:
            return self._reject(CloseReason.TRANSPORT_ERROR, refused(Refusal.BAD_REQUEST))
        self._is_pushing = True
        try:
            return await self._receive(request, read_body, body, decode)
        except RemoteProtocolError:
            return self._reject(CloseReason.PARSE_ERROR, refused(Refusal.BAD_REQUEST))
        except BodyTooLarge:
            return self._reject(CloseReason.TRANSPORT_ERROR, Response(413))
        finally:
            self._is_pushing = False

    async def _receive(
        self, request: Request, read_body: ReadBody, body: bytes | None, decode: DecodePayload
    ) -> Response:
        limits = self._session.limits
        if max(request.content_length or 0, len(body or b"")) > limits.max_payload:
            raise BodyTooLarge
        if body is None:
            with trio.CancelScope(deadline=trio.current_time() + self._patience(request)) as self._push:
                self._is_reading = True
                try:
                    body = await read_body(limits.max_payload)
                finally:
                    self._is_reading = False
            if body is None:
                is_late = self._session.state is not SessionState.CLOSED
                return self._reject(CloseReason.TRANSPORT_ERROR, Response(408 if is_late else 400))
        packets = decode(body, max_packets=limits.max_packets_per_payload)
        counters = self._session.counters
        counters.packets_received += len(packets)
        counters.bytes_received += len(body)
        # Whatever has to be waited for, an overlapping POST ends it.
        for number, packet in enumerate(packets, 1):
            if packet.type is PacketType.CLOSE:
                await self._let_a_poll_arrive()
            elif number % PACKETS_PER_CHECKPOINT == 0:
                await trio.lowlevel.checkpoint()
            if not await self._wait(self._session.take(packet)):
                return Response(400)
        return Response(200, b"ok", "text/html")

    def _patience(self, request: Request) -> float:
        length, seconds = request.content_length, self._session.limits.post_deadline
        return seconds if length is None else min(seconds, POST_SECONDS + length / POST_BYTES_PER_SECOND)

    async def _wait(self, waiting: Awaitable[None] | None) -> bool:
        """Wait, if there is something to wait for; say whether that came to its end."""
        if waiting is None:
            return True
        with trio.CancelScope() as self._push:
            await waiting
        return not self._push.cancelled_caught

    async def _let_a_poll_arrive(self) -> None:
        # Clients send a GET and the POST that closes at the same time, on two connections, and the GET must get its
        # NOOP: so what the kernel delivered with the POST is let in first. Each checkpoint is a step of those tasks.
        for _ in range(10):
            if self._held is not None:
                break
            await trio.lowlevel.checkpoint()

    def _reject(self, reason: CloseReason, response: Response) -> Response:
        self._session.close(reason)
        return response
