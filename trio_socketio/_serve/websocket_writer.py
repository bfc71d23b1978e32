"""Writing a WebSocket on a link of our own, without a task.

Theory of operation
-------------------
``wake`` puts the writer on the flusher's list, ``flush`` takes from the outbox,
joins the frames and hands them to the kernel. Only when the kernel does not take all of it (and always on a link that can
only be awaited) a task goes on with the rest, under the write deadline; until it is done the writer is not ``writable``,
volatile packets are dropped, and what is queued stays in the outbox, where it is counted.

    idle --flush--> (all taken) idle
      |                                            more waits
      +--flush--> (not all taken) blocked --rest sent--> idle or blocked
                                     +--write_deadline--> the session is closed, "slow consumer"

Behind a closed session comes a close frame, nothing behind that, and ``finished`` is set. What must stay true: a frame is
never cut by another one, and after a write that was given up nothing is written any more.
"""

from __future__ import annotations

from typing import final

import trio

from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.session import Session, SessionState
from trio_socketio._engine.transport import FAREWELL
from trio_socketio._engine.writer import Start
from trio_socketio._logging import masked, scope_logger
from trio_socketio._serve.flusher import Flusher
from trio_socketio._serve.websocket_stream import NativeStream
from trio_socketio._wire.engine_codec import REVISION_4, EngineCodec
from trio_socketio._wire.websocket_frame import (
    PONG,
    encode_frame,
)

_logger = scope_logger("engine")

SLICE = 65_536
"""Bytes that one write takes from the outbox: so much is in nobody's count while the kernel does not take it."""

MAX_PONGS = 2048
"""Bytes of pongs that wait; of more pings than that, the last ones are answered."""


@final
class FlushedWriter:
    """The engine's writer; see the theory of operation."""

    __slots__ = (
        "_encode",
        "_flusher",
        "_is_over",
        "_link",
        "_pongs",
        "_rest",
        "_session",
        "_start",
        "_stream",
        "finished",
        "is_listed",
    )

    def __init__(
        self,
        stream: NativeStream,
        flusher: Flusher,
        session: Session,
        start: Start,
        codec: EngineCodec = REVISION_4,
    ) -> None:
        self._stream = stream
        self._encode = codec.encode_frames
        self._link = stream.link
        self._flusher = flusher
        self._session = session
        self._start = start
        self.is_listed: bool = False
        """See ``Dirty``."""
        self._pongs: bytes = b"" if stream.pinged is None else encode_frame(PONG, stream.pinged)
        self._rest: trio.CancelScope | None = None
        self._is_over = False
        self.finished: trio.Event = trio.Event()
        stream.on_ping = self._answer_ping

    @property
    def writable(self) -> bool:
        """The kernel has taken all so far."""
        return self._rest is None

    def wake(self) -> None:
        """Write soon."""
        if not self.is_listed:
            self.is_listed = True
            self._flusher.add(self)

    def flush(self) -> None:
        """Write now."""
        if self._rest is not None:
            if self._session.state is SessionState.CLOSED:
                self._rest.deadline = min(self._rest.deadline, trio.current_time() + FAREWELL)
            return
        session, outbox = self._session, self._session.outbox
        try:
            while data := self._next():
                sent = self._link.send_nowait(data)
                session.counters.bytes_sent += sent
                if sent < len(data):
                    self._rest = trio.CancelScope(deadline=trio.current_time() + session.limits.write_deadline)
                    self._start(self._write_rest, memoryview(data)[sent:])
                    return
                if not outbox.packets and session.state is SessionState.OPEN and not self._pongs:
                    return  # As nearly always; else the next round would find it out.
        except trio.BrokenResourceError:
            self._break(CloseReason.TRANSPORT_CLOSE)

    def fail(self) -> None:
        """End the session for a fault of ours."""
        self._break(CloseReason.TRANSPORT_ERROR)

    def _next(self) -> bytes:
        """Take what is to be written next; nothing if that is all for now, or for ever."""
        if self._pongs:
            pongs, self._pongs = self._pongs, b""
            return b"" if self._is_over else pongs
        session = self._session
        if session.outbox.packets and not self._is_over:
            packets = session.outbox.take(SLICE)
            session.counters.packets_sent += len(packets)
            if self._encode is not None:
                return self._encode(packets)
            return packets[0].frame if len(packets) == 1 else b"".join([packet.frame for packet in packets])
        if session.state is SessionState.CLOSING:
            session.close(CloseReason.FORCED_CLOSE)
        if session.state is not SessionState.CLOSED or self._is_over:
            return b""
        parting, self._stream.parting = self._stream.parting, None
        if parting is None:
            self._finish()
        return parting or b""

    async def _write_rest(self, data: memoryview) -> None:
        scope = self._rest
        assert scope is not None  # noqa: S101 - set by whoever started this
        counters = self._session.counters
        counters.write_waits(self)
        try:
            with scope:
                await self._link.send_rest(data)
                counters.bytes_sent += len(data)
                while more := self._next():
                    scope.deadline = trio.current_time() + self._session.limits.write_deadline
                    counters.write_waits(self)
                    await self._link.send_all(more)
                    counters.bytes_sent += len(more)
        except trio.BrokenResourceError:
            self._break(CloseReason.TRANSPORT_CLOSE)
        except trio.Cancelled:
            # The server ends, in the middle of a frame.
            self._break(CloseReason.SERVER_SHUTTING_DOWN)
            raise
        except Exception:
            _logger.exception("%s: its writer failed", masked(self._session.sid))
            self._break(CloseReason.TRANSPORT_ERROR)
        finally:
            self._rest = None
            counters.write_ends(self)
            if scope.cancelled_caught:
                self._break(CloseReason.SLOW_CONSUMER)

    def _break(self, reason: CloseReason) -> None:
        """Write nothing any more."""
        self._stream.parting = None
        self._finish()
        self._session.close(reason)

    def _finish(self) -> None:
        self._is_over = True
        self.finished.set()

    def _answer_ping(self, payload: bytes) -> None:
        # "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to previous Ping frame(s),
        # the endpoint MAY elect to send a Pong frame for only the most recently processed Ping frame."
        if len(self._pongs) > MAX_PONGS:
            self._pongs = b""
        self._pongs += encode_frame(PONG, payload)
        self.wake()
