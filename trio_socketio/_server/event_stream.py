"""A socket's events as a stream: for code that would rather wait for the next event than be called with it.

The socket's worker hands each event to a reader of each stream that wants it, and waits until one asks: so a slow reader
slows its own client down, as a slow handler does, and nothing piles up. Since nothing is kept in between, nothing is lost
either when a reader stops.

A stream has two ends. The worker has the ``Inlet`` only, so that ``async for event in socket`` forgets its stream when it is
left: then the worker must not wait for a reader that will not come.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, final

import trio

from trio_socketio._types import Data
from trio_socketio._util import NoPublicConstructor


@final
class ReceivedEvent(metaclass=NoPublicConstructor):
    """An event that has come from the client."""

    __slots__ = ("_answer", "args", "name")

    def __init__(
        self, name: str, args: Sequence[Any], answer: Callable[[Sequence[Any]], Awaitable[None]] | None
    ) -> None:
        self.name: str = name
        """The event's name."""
        self.args: tuple[Any, ...] = tuple(args)
        """Its arguments."""
        self._answer = answer

    def __repr__(self) -> str:
        return f"<ReceivedEvent {self.name!r} with {len(self.args)} arguments>"

    @property
    def wants_answer(self) -> bool:
        """The client waits for an acknowledgement, and nobody has sent it yet. If the event has a handler, that one does."""
        return self._answer is not None

    async def answer(self, *args: Data) -> None:
        """Send the acknowledgement; waits for room in the client's queue. Cancelled, it has sent nothing.

        Args:
            args: JSON, and bytes anywhere in it.

        Raises:
            RuntimeError: the client did not ask for one, or has it already.
            Disconnected: the client is gone.
            TypeError: an argument can't be encoded.
            ValueError: the arguments are nested too deeply.
        """
        answer = self._answer
        if answer is None:
            msg = f"the event {self.name!r} wants no answer: look at wants_answer first, and answer once"
            raise RuntimeError(msg)
        self._answer = None
        try:
            await answer(args)
        except BaseException:
            self._answer = answer
            raise


@final
class Inlet:
    """The worker's end of a stream."""

    __slots__ = ("_channel", "_names")

    def __init__(self, names: frozenset[str], channel: trio.MemorySendChannel[ReceivedEvent]) -> None:
        self._names = names
        self._channel = channel

    def wants(self, name: str) -> bool:
        """Say whether an event is for this stream."""
        return not self._names or name in self._names

    async def put(self, event: ReceivedEvent) -> bool:
        """Wait until a reader asks, and hand an event to it; ``False`` if the stream is closed instead."""
        try:
            await self._channel.send(event)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True

    def close(self) -> None:
        """The socket is gone: the stream ends."""
        self._channel.close()


@final
class EventStream(metaclass=NoPublicConstructor):
    """Events of one socket: ``async for event in stream``; it ends with the socket."""

    __slots__ = ("_channel", "_forget", "_is_awaited", "_is_open", "_token")

    def __init__(
        self,
        channel: trio.MemoryReceiveChannel[ReceivedEvent],
        is_awaited: Callable[[], bool],
        forget: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._is_awaited = is_awaited
        self._forget = forget
        self._is_open = True
        self._token = trio.lowlevel.current_trio_token()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> ReceivedEvent:
        """Wait for the next event; cancelled, none is lost.

        Raises:
            RuntimeError: in a handler that the next event would have to wait for.
        """
        try:
            if self._is_awaited():
                msg = (
                    "the next event comes when this handler has returned: register it with concurrent=True, or use call"
                )
                raise RuntimeError(msg)
            return await self._channel.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise StopAsyncIteration from None
        finally:
            # This frame is in the traceback of what is raised: whoever keeps the error must not keep the stream open.
            del self

    def __del__(self) -> None:
        if not self._is_open:
            return
        # In whichever thread the garbage is collected.
        close = partial(_close, self._channel, self._forget)
        try:
            self._token.run_sync_soon(close)
        except trio.RunFinishedError:
            close()

    def close(self) -> None:
        """Want no further events; who waits for one has come to the end."""
        self._is_open = False
        _close(self._channel, self._forget)


def _close(channel: trio.MemoryReceiveChannel[ReceivedEvent], forget: Callable[[], None]) -> None:
    channel.close()
    forget()


def open_event_stream(
    names: frozenset[str], is_awaited: Callable[[], bool], forget: Callable[[Inlet], None]
) -> tuple[Inlet, EventStream]:
    """Open a stream, and return both of its ends.

    Args:
        names: of the events that it wants; all if there are none.
        is_awaited: says whether the next event has to wait for the task that runs.
        forget: called when the reader's end is closed.
    """
    sender, receiver = trio.open_memory_channel[ReceivedEvent](0)
    inlet = Inlet(names, sender)
    return inlet, EventStream._create(receiver, is_awaited, partial(forget, inlet))
