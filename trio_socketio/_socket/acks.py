"""Questions that wait for their answers.

Ids count from 0 and are never used again. All sockets of a namespace count together, so that one encoded question can be
put to many of them. The answer is settled by the reader, not by the socket's worker: so a handler may wait for an answer
from the very client whose event it handles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, final

import trio

from trio_socketio._engine.exceptions import Disconnected
from trio_socketio._exceptions import SocketIOError


class TooManyPendingAcks(SocketIOError):  # noqa: N818 - a state, as trio's WouldBlock
    """One socket owes us ``Limits.max_pending_acks`` answers already; nothing was sent."""


class Question(Protocol):
    """What waits for an answer; it is settled once."""

    def answer(self, args: Sequence[Any]) -> None:
        """Here it is."""

    def fail(self, reason: str) -> None:
        """There will be none."""


@final
class PendingAck:
    """One question to one peer; ``wait`` for its answer."""

    __slots__ = ("_answer", "_failure", "_settled", "ack_id")

    def __init__(self, ack_id: int) -> None:
        self.ack_id: int = ack_id
        self._settled = trio.Event()
        self._answer: Sequence[Any] = ()
        self._failure: str | None = None

    async def wait(self) -> Sequence[Any]:
        """Wait for the answer's arguments.

        Raises:
            Disconnected: the peer left without an answer.
        """
        await self._settled.wait()
        if self._failure is not None:
            raise Disconnected(self._failure)
        return self._answer

    def answer(self, args: Sequence[Any]) -> None:
        """Settle it."""
        self._answer = args
        self._settled.set()

    def fail(self, reason: str) -> None:
        """Settle it: there will be no answer."""
        self._failure = reason
        self._settled.set()


@final
class PendingAcks:
    """The open questions to one peer.

    Args:
        limit: so many may be open.
        ids: where the next id comes from.
    """

    __slots__ = ("_ids", "_limit", "_pending")

    def __init__(self, limit: int, ids: Iterator[int]) -> None:
        self._limit = limit
        self._ids = ids
        self._pending: dict[int, Question] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def open(self) -> PendingAck:
        """Begin a question.

        Raises:
            TooManyPendingAcks: too many are open.
        """
        self._check_room()
        pending = PendingAck(next(self._ids))
        self._pending[pending.ack_id] = pending
        return pending

    def add(self, ack_id: int, question: Question) -> None:
        """Begin a question that has its id already.

        Raises:
            TooManyPendingAcks: too many are open.
        """
        self._check_room()
        self._pending[ack_id] = question

    def _check_room(self) -> None:
        if len(self._pending) >= self._limit:
            msg = f"{self._limit} answers are still to come from this peer (Limits.max_pending_acks)"
            raise TooManyPendingAcks(msg)

    def forget(self, ack_id: int) -> None:
        """Give a question up; a late answer is then dropped."""
        self._pending.pop(ack_id, None)

    def settle(self, ack_id: int, args: Sequence[Any]) -> bool:
        """Hand an answer to its question; ``False`` if nobody waits for it (any more)."""
        pending = self._pending.pop(ack_id, None)
        if pending is None:
            return False
        pending.answer(args)
        return True

    def fail_all(self, reason: str) -> None:
        """The peer is gone."""
        pending, self._pending = self._pending, {}
        for question in pending.values():
            question.fail(reason)
