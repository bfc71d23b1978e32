"""The answers to a question that was put to many: they come one by one, and it is known who has not answered.

Whoever carries the question (an adapter) fills an ``AnswerSink``: it names those who were asked, hands over each answer,
and says when nobody further will be named. Whoever has asked iterates over ``Answers``. There are at most as many of
them as there are those who were asked, and each counts once: so nothing here can grow without end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, final

import trio

from trio_socketio._socket.contract import single
from trio_socketio._util import NoPublicConstructor


class AnswerSink(Protocol):
    """What the carrier of a question tells; all of it is synchronous."""

    def expect(self, names: Iterable[str]) -> None:
        """These are asked."""

    def answer(self, name: str, args: Sequence[Any]) -> None:
        """One of them has answered, with these arguments."""

    def leave(self, name: str) -> None:
        """One of them is gone, and will not answer."""

    def close(self) -> None:
        """Nobody further is asked."""


@final
class Answers(metaclass=NoPublicConstructor):
    """Answers as they come: ``async for socket_id, answer in answers``.

    The iteration ends when everybody has answered or left; how long to wait for those who do neither is the caller's to
    say, with a cancel scope round it. Then ``missing`` names them. Outside of the block there is nothing to wait for: what
    has come in time is still here.
    """

    __slots__ = ("_answered", "_complete", "_left", "_lot", "_pending", "_ready")

    def __init__(self) -> None:
        self._pending: set[str] = set()
        self._left: set[str] = set()
        self._answered: set[str] = set()
        self._ready: deque[tuple[str, Any]] = deque()
        self._complete = False
        self._lot = trio.lowlevel.ParkingLot()

    @property
    def missing(self) -> frozenset[str]:
        """The ids of those who have not answered: they have left, or still might."""
        return frozenset(self._pending | self._left)

    def __aiter__(self) -> Answers:
        return self

    async def __anext__(self) -> tuple[str, Any]:
        """Wait for the next answer; cancelled, none is lost."""
        await trio.lowlevel.checkpoint()
        while not self._ready:
            if self._complete and not self._pending:
                raise StopAsyncIteration
            await self._lot.park()
        return self._ready.popleft()

    # For who carries the question: see ``AnswerSink``.

    def expect(self, names: Iterable[str]) -> None:
        """See ``AnswerSink``."""
        if not self._complete:
            # Who is asked twice (it was lost, and is back on another server) has a new chance, but one answer.
            self._pending.update(name for name in names if name not in self._answered)
            self._left -= self._pending

    def answer(self, name: str, args: Sequence[Any]) -> None:
        """See ``AnswerSink``."""
        if name in self._pending:
            self._pending.remove(name)
            self._answered.add(name)
            self._ready.append((name, single(args)))
            self._lot.unpark_all()

    def leave(self, name: str) -> None:
        """See ``AnswerSink``."""
        if name in self._pending:
            self._pending.remove(name)
            self._left.add(name)
            self._lot.unpark_all()

    def close(self) -> None:
        """See ``AnswerSink``."""
        self._complete = True
        self._lot.unpark_all()

    # For who has asked.

    def end(self) -> None:
        """Wait for nobody any more: who has not answered counts as one who has left."""
        self._left |= self._pending
        self._pending.clear()
        self.close()
