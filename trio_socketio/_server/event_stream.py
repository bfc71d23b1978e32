"""A socket's events as a stream: for code that would rather wait for the next event than be called with it.

The socket's worker puts each event into the slot of each stream that wants it, and waits while a slot is full: so a slow
reader of a stream slows its own client down, as a slow handler does, and nothing piles up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
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
class EventStream(metaclass=NoPublicConstructor):
    """Events of one socket: ``async for event in stream``; it ends with the socket."""

    __slots__ = ("_closed", "_forget", "_is_worker", "_lot", "_names", "_slot")

    def __init__(
        self, names: frozenset[str], is_worker: Callable[[], bool], forget: Callable[[EventStream], None]
    ) -> None:
        self._names = names
        self._is_worker = is_worker
        self._forget = forget
        self._slot: ReceivedEvent | None = None
        self._closed = False
        self._lot = trio.lowlevel.ParkingLot()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> ReceivedEvent:
        """Wait for the next event; cancelled, none is lost.

        Raises:
            RuntimeError: in a handler that the next event would have to wait for.
        """
        if self._is_worker():
            msg = "the next event comes when this handler has returned: register it with concurrent=True, or use call"
            raise RuntimeError(msg)
        await trio.lowlevel.checkpoint()
        while self._slot is None:
            if self._closed:
                raise StopAsyncIteration
            await self._lot.park()
        event, self._slot = self._slot, None
        self._lot.unpark_all()
        return event

    def __del__(self) -> None:
        # ``async for event in socket`` was left: the worker must not wait for a reader that will not come.
        self.close()

    def close(self) -> None:
        """Want no further events; what is in the slot can still be taken."""
        if not self._closed:
            self._closed = True
            self._forget(self)
            self._lot.unpark_all()

    # For the worker

    def wants(self, name: str) -> bool:
        """Say whether an event is for this stream."""
        return not self._names or name in self._names

    async def put(self, event: ReceivedEvent) -> None:
        """Wait until the slot is empty, and put an event there; a closed stream swallows it."""
        while self._slot is not None and not self._closed:
            await self._lot.park()
        if not self._closed:
            self._slot = event
            self._lot.unpark_all()
