"""WebSocket on a link of our own: a stream to read from, and a writer without a task.

Theory of operation
-------------------
The connection's task reads. The writer has none: ``wake`` puts it on the flusher's list, ``flush`` takes from the outbox,
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

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, cast, final

import trio

from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.session import Session, SessionState
from trio_socketio._engine.statistics import Counters
from trio_socketio._engine.timers import Timers
from trio_socketio._engine.transport import FAREWELL, StreamFailure, Take
from trio_socketio._engine.writer import Start
from trio_socketio._limits import Limits
from trio_socketio._logging import masked, scope_logger
from trio_socketio._serve.flusher import Flusher
from trio_socketio._serve.link import Link
from trio_socketio._wire.websocket_frame import (
    BINARY,
    CLOSE,
    PONG,
    TEXT,
    Close,
    Event,
    Failure,
    FrameReader,
    Ping,
    encode_close,
    encode_frame,
)

_logger = scope_logger("engine")

SLICE = 65_536
"""Bytes that one write takes from the outbox: so much is in nobody's count while the kernel does not take it."""

MAX_PONGS = 2048
"""Bytes of pongs that wait; of more pings than that, the last ones are answered."""

POLICY_VIOLATION = 1008

Interruption: TypeAlias = Coroutine[Any, Any, None] | Exception


@final
class NativeStream:
    """The engine's message stream.

    Args:
        link: the connection, after the answer to the upgrade.
        data: what came behind the request.
        timers: the connection's.
        limits: the server's.
        counters: the server's.
        abort: ends the connection's task.
    """

    __slots__ = (
        "_abort",
        "_controls",
        "_counters",
        "_data",
        "_is_watched",
        "_limits",
        "_messages",
        "_reader",
        "_timers",
        "is_over",
        "link",
        "on_ping",
        "parting",
        "pinged",
    )

    def __init__(
        self,
        link: Link,
        data: bytes,
        *,
        timers: Timers,
        limits: Limits,
        counters: Counters,
        abort: Callable[[], None],
    ) -> None:
        self.link: Link = link
        self._data = data
        self._timers = timers
        self._limits = limits
        self._counters = counters
        self._abort = abort
        self._reader = FrameReader(max_message=limits.max_payload, max_parts=limits.max_message_parts)
        self._messages: list[str | bytes] = []
        self._controls: list[Event] = []
        self._is_watched = False
        self.parting: bytes | None = encode_frame(CLOSE, b"")
        """The close frame that is still to be sent."""
        self.on_ping: Callable[[bytes], None] | None = None
        self.pinged: bytes | None = None
        """The last ping that came before there was somebody to answer it."""
        self.is_over: bool = False
        """The client has said its last, or is gone."""

    async def receive(self) -> str | bytes:
        """Receive a message; see ``MessageStream``."""
        while not self._messages:
            self._messages += await self._receive()
        return self._messages.pop(0)

    async def pump(self, take: Take) -> None:
        """Hand on each message; see ``MessageStream``."""
        while True:
            messages, self._messages = self._messages, []
            for number, message in enumerate(messages, 1):
                waiting = take(message)
                if waiting is not None:
                    self._messages = messages[number:]
                    await waiting
                    break
            else:
                self._settle()
                if self._data or not await self._divert(take):
                    self._messages = await self._receive()

    async def _divert(self, take: Take) -> bool:
        """Let the link hand on, up to where the stream's own task must go on: with an end, or with what has to wait.

        ``False`` if the link can't, or not now.
        """
        task = trio.lowlevel.current_task()
        interruption: Interruption | None = None
        is_waiting = True

        def sink(data: bytes) -> None:
            nonlocal interruption, is_waiting
            interruption = self._hand_on(data, take)
            if interruption is None:
                return
            if is_waiting:
                is_waiting = False
                self.link.restore()
                trio.lowlevel.reschedule(task)
            elif isinstance(interruption, Coroutine):
                # What was handed on has ended the session, and with it this wait.
                interruption.close()

        def stop(_: object) -> trio.lowlevel.Abort:
            nonlocal is_waiting
            is_waiting = False
            self.link.restore()
            return trio.lowlevel.Abort.SUCCEEDED

        if not self.link.divert(sink):
            return False
        await trio.lowlevel.wait_task_rescheduled(stop)
        if isinstance(interruption, Exception):
            raise interruption
        if interruption is not None:
            await interruption
        return True

    def _hand_on(self, data: bytes, take: Take) -> Interruption | None:
        """Hand on what has come; return what has to be awaited or raised in the stream's own task."""
        try:
            messages = self._messages_of(data)
            for number, message in enumerate(messages, 1):
                waiting = take(message)
                if waiting is not None:
                    self._messages = messages[number:]
                    return waiting
            self._settle()
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this stream's task and no other
            return error
        return None

    async def _receive(self) -> list[str | bytes]:
        self._settle()
        data, self._data = self._data or await self.link.receive(), b""
        return self._messages_of(data)

    def _messages_of(self, data: bytes) -> list[str | bytes]:
        """Return the messages that are whole with these bytes."""
        if not data:
            self.is_over = True
            self.parting = None
            raise trio.EndOfChannel
        events, counters = self._reader.feed(data), self._counters
        counters.packets_received += len(events)
        counters.bytes_received += len(data)
        if self._reader.unfinished or self._is_watched:
            self._watch(events)
        for event in events:
            if type(event) is not str and type(event) is not bytes:
                messages = self._parted(events)
                counters.packets_received -= len(events) - len(messages)
                return messages
        return cast("list[str | bytes]", events)

    def _settle(self) -> None:
        """Obey the control frames that came behind the last messages."""
        if self._controls:
            controls, self._controls = self._controls, []
            for control in controls:
                self._control(control)

    def _parted(self, events: list[Event]) -> list[str | bytes]:
        """Take the control frames out. Their order among themselves counts, and an end is always the last of all."""
        self._controls += [event for event in events if not isinstance(event, (str, bytes))]
        return [event for event in events if isinstance(event, (str, bytes))]

    def _control(self, event: Event) -> None:
        match event:
            case Ping(payload):
                if self.on_ping is None:
                    self.pinged = payload
                else:
                    self.on_ping(payload)
            case Close(code, _):
                # "When sending a Close frame in response, the endpoint typically echos the status code it received."
                self.is_over = True
                self.parting = encode_frame(CLOSE, b"") if code is None else encode_close(code)
                raise trio.EndOfChannel
            case Failure(code, reason):
                self.parting = encode_close(code)
                raise StreamFailure(reason)

    def _watch(self, events: Sequence[Event]) -> None:
        """Bound the time of an unfinished message; control frames between its parts don't extend it."""
        if not self._reader.unfinished or any(isinstance(event, (str, bytes)) for event in events):
            self._timers.clear("message")
        self._is_watched = self._reader.unfinished
        if self._is_watched and not self._timers.is_set("message"):
            self._timers.set("message", trio.current_time() + self._limits.message_deadline, self._too_late)

    def _too_late(self) -> None:
        if self.parting is not None:  # Else one has been sent.
            self.parting = encode_close(POLICY_VIOLATION)
        self._abort()

    async def send(self, message: str | bytes) -> None:
        """Send a message; see ``MessageStream``."""
        await trio.lowlevel.checkpoint()
        is_text = isinstance(message, str)
        data = message.encode() if isinstance(message, str) else message
        # Cancelled in the middle of a frame, nothing may come behind that, no close frame either.
        parting, self.parting = self.parting, None
        frame = encode_frame(TEXT if is_text else BINARY, data)
        await self.link.send_all(frame)
        self.parting = parting
        self._counters.packets_sent += 1
        self._counters.bytes_sent += len(frame)

    async def aclose(self) -> None:
        """Say goodbye with a close frame; the link stays to be closed."""
        await trio.lowlevel.checkpoint()
        parting, self.parting = self.parting, None
        if parting is not None:
            with suppress(trio.BrokenResourceError):  # Nobody may be there to read it.
                await self.link.send_all(parting)


@final
class FlushedWriter:
    """The engine's writer; see the theory of operation."""

    __slots__ = (
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

    def __init__(self, stream: NativeStream, flusher: Flusher, session: Session, start: Start) -> None:
        self._stream = stream
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
