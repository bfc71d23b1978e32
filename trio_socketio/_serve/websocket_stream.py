"""Reading a WebSocket on a link of our own: frames to messages, and what control frames ask for.

Where the link can give what comes to a function (see ``Link.divert``), messages go straight from the poller to the session,
and the connection's task sleeps. It goes on with what a function can't do: to wait until the session has room, or to
raise what ends the connection. What must stay true: messages are handed on in order, one at a time, whoever hands them on;
and control frames are obeyed behind the messages that came in front of them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, cast, final

import trio

from trio_socketio._engine.statistics import Counters
from trio_socketio._engine.timers import Timers
from trio_socketio._engine.transport import StreamFailure, Take
from trio_socketio._limits import Limits
from trio_socketio._serve.link import Link
from trio_socketio._wire.websocket_frame import (
    BINARY,
    CLOSE,
    TEXT,
    Close,
    Event,
    Failure,
    FrameReader,
    Ping,
    encode_close,
    encode_frame,
)

POLICY_VIOLATION = 1008

Interruption: TypeAlias = Coroutine[Any, Any, None] | Exception
"""What the connection's task has to go on with: to await it, or to raise it."""


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
            waiting = self._give(messages, take)
            if waiting is not None:
                await waiting
                continue
            self._settle()
            if self._data or not await self._divert(take):
                self._messages = await self._receive()

    def _give(self, messages: list[str | bytes], take: Take) -> Coroutine[Any, Any, None] | None:
        """Hand on messages, up to one that has to be awaited; those behind it are kept."""
        for number, message in enumerate(messages, 1):
            waiting = take(message)
            if waiting is not None:
                self._messages = messages[number:]
                return waiting
        return None

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
            waiting = self._give(self._messages_of(data), take)
            if waiting is None:
                self._settle()
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this stream's task and no other
            return error
        return waiting

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
        events = self._reader.feed(data)
        if self._reader.unfinished or self._is_watched:
            self._watch(events)
        messages = cast("list[str | bytes]", events)
        for event in events:
            if type(event) is not str and type(event) is not bytes:
                messages = self._parted(events)
                break
        self._counters.packets_received += len(messages)
        self._counters.bytes_received += len(data)
        return messages

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
