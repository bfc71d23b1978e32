"""The bytes of one connection: a socket of our own, or any Trio stream (TLS, memory).

A socket is written to without waiting, by ``send_nowait``, and only what the kernel does not take needs a task. A stream
takes nothing that way: all that goes to it goes by ``send_all``. Whoever uses a link writes the same code for both.

However a peer has gone, ``receive`` gives an empty chunk and sending raises ``trio.BrokenResourceError``.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from typing import final

import trio

CHUNK = 16_384
"""Bytes that are received at once: so many small frames are handled before others have their turn."""

LINGER = 1.0
LINGER_BYTES = 4_194_304
"""How long, and for how much, a connection is read after its last word; see ``Link.aclose_after_last_word``."""


class Link(ABC):
    """One connection. One task receives; one at a time sends.

    Args:
        client: the peer's address, if it has one.
        secure: it came over TLS.
    """

    __slots__ = ("client", "secure")

    def __init__(self, client: str | None, *, secure: bool) -> None:
        self.client: str | None = client
        self.secure: bool = secure

    async def begin(self) -> str:
        """Do what comes before the first byte, and return the protocol that was agreed on for what follows.

        Raises:
            trio.BrokenResourceError: it failed.
        """
        await trio.lowlevel.checkpoint()
        return ""

    @abstractmethod
    async def receive(self) -> bytes:
        """Wait for bytes; none if no more will come. Cancelled, it has lost nothing."""

    def descriptor(self) -> int | None:
        """The file descriptor to poll before ``receive_nowait``; ``None`` if this link can only be awaited."""
        return None

    def receive_nowait(self) -> bytes | None:
        """Receive what is there; ``None`` if that is nothing, and no bytes if no more will come."""
        return None

    @abstractmethod
    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent at once, and return how much that was.

        Raises:
            trio.BrokenResourceError: the peer is gone.
        """

    @abstractmethod
    async def send_rest(self, data: memoryview) -> None:
        """Send what ``send_nowait`` left. Cancelled in between, the connection is of no more use.

        Raises:
            trio.BrokenResourceError: the peer is gone.
        """

    @abstractmethod
    async def send_eof(self) -> None:
        """Say that nothing more comes, if that can be said."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close, whatever is still on its way."""

    @abstractmethod
    def as_stream(self) -> trio.abc.Stream:
        """Give the connection away as a Trio stream; the link is of no more use."""

    async def send_all(self, data: bytes) -> None:
        """Send all of it; no checkpoint if that can be done at once.

        Raises:
            trio.BrokenResourceError: the peer is gone.
        """
        sent = self.send_nowait(data)
        if sent < len(data):
            await self.send_rest(memoryview(data)[sent:])

    async def aclose_after_last_word(self) -> None:
        """Close so that the peer can still read what it was told.

        A socket that is closed with bytes unread resets the connection, and the reset may overtake the last answer
        (RFC 9112, 9.6). So the peer is read for a little while, and what it says is dropped.
        """
        with trio.move_on_after(LINGER):
            await self.send_eof()
            unread = LINGER_BYTES
            while unread > 0 and (data := await self.receive()):
                unread -= len(data)
        await self.aclose()


@final
class SocketLink(Link):
    """A non-blocking socket."""

    __slots__ = ("_socket",)

    def __init__(self, sock: socket.socket, client: str | None) -> None:
        super().__init__(client, secure=False)
        self._socket = sock

    async def receive(self) -> bytes:
        """See ``Link``."""
        while True:
            try:
                await trio.lowlevel.wait_readable(self._socket)
            except (OSError, ValueError, trio.ClosedResourceError):
                return b""
            data = self.receive_nowait()
            if data is not None:
                return data

    def descriptor(self) -> int | None:
        """See ``Link``."""
        return self._socket.fileno()

    def receive_nowait(self) -> bytes | None:
        """See ``Link``."""
        try:
            return self._socket.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def send_nowait(self, data: bytes) -> int:
        """See ``Link``."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise trio.BrokenResourceError from error

    async def send_rest(self, data: memoryview) -> None:
        """See ``Link``."""
        sock = self._socket
        while data:
            try:
                await trio.lowlevel.wait_writable(sock)
                data = data[sock.send(data) :]
            except (BlockingIOError, InterruptedError):
                pass
            except (OSError, ValueError, trio.ClosedResourceError) as error:
                raise trio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """See ``Link``."""
        await trio.lowlevel.checkpoint()
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The peer was faster.

    async def aclose(self) -> None:
        """See ``Link``."""
        if self._socket.fileno() != -1:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
        await trio.lowlevel.checkpoint()

    def as_stream(self) -> trio.abc.Stream:
        """See ``Link``."""
        return trio.SocketStream(trio.socket.from_stdlib_socket(self._socket))


@final
class StreamLink(Link):
    """A Trio stream."""

    __slots__ = ("_stream",)

    def __init__(self, stream: trio.abc.Stream, client: str | None) -> None:
        super().__init__(client, secure=isinstance(stream, trio.SSLStream))
        self._stream = stream

    async def begin(self) -> str:
        """Shake hands, if it is TLS; return what was chosen by ALPN."""
        if not isinstance(self._stream, trio.SSLStream):
            return await super().begin()
        await self._stream.do_handshake()
        return self._stream.selected_alpn_protocol() or ""

    async def receive(self) -> bytes:
        """See ``Link``."""
        try:
            return bytes(await self._stream.receive_some(CHUNK))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    def send_nowait(self, data: bytes) -> int:  # noqa: ARG002 - a stream can only be awaited
        """See ``Link``."""
        return 0

    async def send_rest(self, data: memoryview) -> None:
        """See ``Link``."""
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError) as error:
            raise trio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """See ``Link``."""
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            try:
                await self._stream.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                pass  # The peer was faster.

    async def aclose(self) -> None:
        """See ``Link``."""
        await trio.aclose_forcefully(self._stream)

    def as_stream(self) -> trio.abc.Stream:
        """See ``Link``."""
        return self._stream
