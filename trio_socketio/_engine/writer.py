"""The task that writes a session to a message stream: for hosts that can only be awaited.

It lives in the server's nursery and is joined by nobody: a peer that doesn't read holds only this task, and the session's
own timer ends that. Hosts that own their sockets write without a task; see ``Writer``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias, final

import trio

from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.session import Session, SessionState
from trio_socketio._engine.transport import FAREWELL, MessageStream, Writer
from trio_socketio._logging import masked, scope_logger
from trio_socketio._wire.engine_codec import REVISION_4, EngineCodec
from trio_socketio._wire.engine_packet import EnginePacket

_logger = scope_logger("engine")


class Start(Protocol):
    """Starts a task that belongs to the server and ends with its sessions."""

    def __call__(self, function: Callable[..., Awaitable[None]], /, *args: object) -> None: ...


WriterFactory: TypeAlias = Callable[[Session, Start, EngineCodec], Writer]
"""Makes the writer of a session, in its client's forms, on a stream that the factory knows."""


@final
class TaskWriter:
    """Writes a session by ``stream.send``, packet by packet."""

    __slots__ = ("_encode", "_news", "_session", "_stream", "_writing", "finished")

    def __init__(self, stream: MessageStream, session: Session, start: Start, codec: EngineCodec = REVISION_4) -> None:
        self._session = session
        self._encode = codec.encode_message
        self._stream = stream
        self._news = trio.Event()
        self._writing = False
        self.finished: trio.Event = trio.Event()
        start(self._run)

    @property
    def writable(self) -> bool:
        """No write is on its way."""
        return not self._writing

    def wake(self) -> None:
        """Let the task look again."""
        self._news.set()

    flush = wake

    async def _run(self) -> None:
        try:
            await self._write()
        except trio.BrokenResourceError:
            self._session.close(CloseReason.TRANSPORT_CLOSE)
        except Exception:
            # Streams say BrokenResourceError: this is a fault of ours or the host's. It may cost one client, not all.
            _logger.exception("%s: its writer failed", masked(self._session.sid))
            self._session.close(CloseReason.TRANSPORT_ERROR)
        finally:
            self._session.counters.write_ends(self)
            self.finished.set()

    async def _write(self) -> None:
        session = self._session
        while session.state is not SessionState.CLOSED:
            if session.outbox:
                await self._send(session.outbox.take())
            elif session.state is SessionState.CLOSING:
                session.close(CloseReason.FORCED_CLOSE)
            else:
                self._news = trio.Event()
                await self._news.wait()
        with trio.move_on_after(FAREWELL):
            await self._stream.aclose()

    async def _send(self, packets: list[EnginePacket]) -> None:
        session = self._session
        self._writing = True
        for packet in packets:
            # The deadline is the session's timer and not a scope round ``send``: some hosts make a send uncancellable.
            session.timers.set("write", trio.current_time() + session.limits.write_deadline, self._too_slow)
            session.counters.write_waits(self)
            await self._stream.send(self._encode(packet))
            if session.state is SessionState.CLOSED:
                break
        session.timers.clear("write")
        session.counters.write_ends(self)
        self._writing = False

    def _too_slow(self) -> None:
        self._session.close(CloseReason.SLOW_CONSUMER)
