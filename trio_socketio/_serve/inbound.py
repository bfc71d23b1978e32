"""What a connection receives: request heads, bodies, and the news that its client has gone.

Bytes that came early (a pipelined request, the first frames of a WebSocket) are kept in ``pending``, for whoever reads
next. While an answer is held, the client is still read from: that is the only way to learn that it has left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from trio_socketio._engine.http import BodyTooLarge, ClientGone
from trio_socketio._limits import Limits
from trio_socketio._serve.http1 import Head, HeadReader
from trio_socketio._serve.link import Link

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@final
class Inbound:
    """One connection's receiving side.

    Args:
        link: its bytes.
        limits: of the server.
    """

    __slots__ = ("_limits", "_link", "pending")

    def __init__(self, link: Link, limits: Limits) -> None:
        self._link = link
        self._limits = limits
        self.pending: bytes = b""
        """Received, and not used yet."""

    async def head(self, begun: Callable[[], None]) -> Head | None:
        """Receive the next request's head; ``None`` if the client has gone.

        Args:
            begun: called when its first byte is there.

        Raises:
            BadRequest: it is none.
        """
        reader = HeadReader(self._limits)
        data, self.pending = self.pending, b""
        was_begun = False
        while True:
            head = reader.feed(data) if data else None
            if head is not None:
                self.pending = reader.rest
                return head
            if reader.has_begun and not was_begun:
                was_begun = True
                begun()
            data = await self._link.receive()
            if not data:
                return None

    async def wait_gone(self) -> None:
        """Wait until the client has gone.

        What it still says is kept, as far as one head goes; beyond that it counts as gone, since its end could not be
        seen any more.
        """
        while self._is_there(await self._link.receive()):
            pass

    def _is_there(self, data: bytes) -> bool:
        self.pending += data
        return len(data) > 0 and len(self.pending) <= self._limits.max_head

    async def hold(self, is_released: Callable[[], bool]) -> None:
        """Wait until released, and somebody has called ``interrupt``.

        Raises:
            ClientGone: the client has gone before that; see ``wait_gone``.
        """
        while not is_released():
            data = await self._link.receive_unless_interrupted()
            if data is not None and not self._is_there(data):
                raise ClientGone

    def interrupt(self) -> None:
        """Let the hold look whether it is released."""
        self._link.interrupt()

    def new_hold(self) -> LinkHold:
        """Make what an answer waits by."""
        return LinkHold(self)

    def body(self, head: Head) -> Body:
        """Return the reader of a request's body."""
        return Body(self, self._link, head, self._limits)


@final
class LinkHold:
    """Waits for ``release``, or for the client's end: in the connection's own task, without another one."""

    __slots__ = ("_inbound", "_is_released", "_is_waiting")

    def __init__(self, inbound: Inbound) -> None:
        self._inbound = inbound
        self._is_released = False
        self._is_waiting = False

    def release(self) -> None:
        """See ``Hold``."""
        self._is_released = True
        if self._is_waiting:
            self._inbound.interrupt()

    async def wait(self) -> None:
        """See ``Hold``."""
        self._is_waiting = True
        try:
            await self._inbound.hold(lambda: self._is_released)
        finally:
            self._is_waiting = False


@final
class Body:
    """The body of one request."""

    __slots__ = ("_head", "_inbound", "_limits", "_link", "is_complete")

    def __init__(self, inbound: Inbound, link: Link, head: Head, limits: Limits) -> None:
        self._inbound = inbound
        self._link = link
        self._head = head
        self._limits = limits
        self.is_complete: bool = not head.content_length and head.chunks is None
        """It has been received: what comes now is the next request."""

    def read_nowait(self) -> bytes | None:
        """Return the body if it has come with the head, as that of a small POST nearly always has."""
        length, pending = self._head.content_length, self._inbound.pending
        if self._head.chunks is not None or len(pending) < length:
            return None
        self._inbound.pending = pending[length:]
        self.is_complete = True
        return pending[:length]

    async def read(self, limit: int) -> bytes:
        """Read it whole; see ``ReadBody``.

        Raises:
            BodyTooLarge: it is longer than ``limit``.
            BadRequest: its chunks are broken.
            ClientGone: it ends before its end.
        """
        if self.is_complete:
            return b""
        if self._head.content_length > limit:
            raise BodyTooLarge
        if self._head.headers.get("expect", "").lower() == "100-continue" and not self._inbound.pending:
            await self._link.send_all(CONTINUE)
        body = await (self._read_length() if self._head.chunks is None else self._read_chunks(limit))
        self.is_complete = True
        return body

    async def _read_length(self) -> bytes:
        length, inbound = self._head.content_length, self._inbound
        data = inbound.pending
        if len(data) < length:
            received = bytearray(data)
            while len(received) < length:
                received += await self._more()
            data = bytes(received)
        inbound.pending = data[length:]
        return data[:length]

    async def _read_chunks(self, limit: int) -> bytes:
        chunks = self._head.chunks
        assert chunks is not None  # noqa: S101 - asked by the caller
        data, self._inbound.pending = self._inbound.pending, b""
        while True:
            if data:
                body = chunks.feed(data, limit=limit, max_head=self._limits.max_head)
                if body is not None:
                    return body
            data = await self._more()

    async def _more(self) -> bytes:
        data = await self._link.receive()
        if not data:
            raise ClientGone
        return data
