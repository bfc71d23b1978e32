"""A connection in memory as Trio streams: two pipes, and an end for each side."""

from __future__ import annotations

from typing import final

import trio

from trio_socketio.testing.pipe import Pipe

CHUNK = 65_536
"""Bytes that are received at once, if the caller doesn't say."""


@final
class MemoryStream(trio.abc.HalfCloseableStream):
    """One end of a connection in memory.

    Args:
        incoming: what the other end sends.
        outgoing: what this one sends.
    """

    def __init__(self, incoming: Pipe, outgoing: Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._is_closed = False
        self._has_finished = False
        self._is_sending = False
        self._is_receiving = False
        self.was_cut: bool = False
        """A fault of the link has ended it."""

    @property
    def has_ended(self) -> bool:
        """Nothing more will be received."""
        return self._is_closed or self._incoming.has_ended

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it, waiting for room; cancelled, some of it may have gone.

        Raises:
            trio.BrokenResourceError: the other end, or the link, is gone.
            trio.ClosedResourceError: this end is closed, or has said that nothing more comes.
            trio.BusyResourceError: another task is sending.
        """
        self._begin_sending()
        try:
            await trio.lowlevel.checkpoint()
            self._check_sending()
            if data:
                await self._outgoing.send(bytes(data))
        except trio.BrokenResourceError:
            self._check_open()
            raise
        finally:
            self._is_sending = False

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until something could be sent; raises as ``send_all``."""
        self._begin_sending()
        try:
            await trio.lowlevel.checkpoint()
            self._check_sending()
            await self._outgoing.wait_room()
            self._check_open()
        finally:
            self._is_sending = False

    async def send_eof(self) -> None:
        """Say that nothing more comes; raises as ``send_all``."""
        self._begin_sending()
        try:
            await trio.lowlevel.checkpoint()
            self._check_open()
            self._has_finished = True
            self._outgoing.finish()
        finally:
            self._is_sending = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes; none at the end. Cancelled, it has lost nothing.

        Raises:
            trio.BrokenResourceError: the connection was aborted.
            trio.ClosedResourceError: this end is closed.
            trio.BusyResourceError: another task is receiving.
            ValueError: not a number above 0.
        """
        if max_bytes is not None and (not isinstance(max_bytes, int) or max_bytes < 1):
            msg = f"receive_some({max_bytes!r}) takes a number of bytes above 0"
            raise TypeError(msg) if not isinstance(max_bytes, int) else ValueError(msg)
        if self._is_receiving:
            msg = "another task is receiving from this stream"
            raise trio.BusyResourceError(msg)
        self._is_receiving = True
        try:
            await trio.lowlevel.checkpoint()
            self._check_open()
            data = await self._incoming.receive(CHUNK if max_bytes is None else max_bytes)
            self._check_open()
        finally:
            self._is_receiving = False
        return data

    async def aclose(self) -> None:
        """Close this end: the other one comes to an end, and fails when it sends."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Do the same without a checkpoint."""
        self._is_closed = True
        self._outgoing.finish()
        self._incoming.turn_deaf()
        self._incoming.finish()

    def _begin_sending(self) -> None:
        if self._is_sending:
            msg = "another task is sending to this stream"
            raise trio.BusyResourceError(msg)
        self._is_sending = True

    def _check_sending(self) -> None:
        self._check_open()
        if self._has_finished:
            msg = "this end has said that nothing more comes"
            raise trio.ClosedResourceError(msg)

    def _check_open(self) -> None:
        if self._is_closed:
            msg = "this end of the connection is closed"
            raise trio.ClosedResourceError(msg)


@final
class MemoryConnection:
    """Both ends of a connection, and its faults."""

    def __init__(self) -> None:
        self.up: Pipe = Pipe()
        """From the client to the server."""
        self.down: Pipe = Pipe()
        """From the server to the client."""
        self.client: MemoryStream = MemoryStream(self.down, self.up)
        self.server: MemoryStream = MemoryStream(self.up, self.down)

    @property
    def is_over(self) -> bool:
        """Both ends know that it is gone."""
        return self.client.has_ended and self.server.has_ended

    def cut(self) -> None:
        """End it cleanly for both: what waits still arrives."""
        self.client.was_cut = True
        self.up.finish()
        self.down.finish()

    def abort(self) -> None:
        """Break it for both: what waits is lost."""
        self.client.was_cut = True
        self.up.abort()
        self.down.abort()

    def silence(self) -> None:
        """Let nothing pass any more, without a word to anybody."""
        self.up.silence()
        self.down.silence()

    def delay(self, seconds: float) -> None:
        """Let everything travel for so many seconds."""
        self.up.delay(seconds)
        self.down.delay(seconds)
