"""The bytes of one connection: a socket of our own, or any Trio stream (TLS, memory).

A socket is written to without waiting, by ``send_nowait``, and only what the kernel does not take needs a task. A stream
takes nothing that way: all that goes to it goes by ``send_all``. Whoever uses a link writes the same code for both.

However a peer has gone, ``receive`` gives an empty chunk and sending raises ``trio.BrokenResourceError``.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias, final

import trio

from trio_socketio._serve.poller import Poller

CHUNK = 16_384
"""Bytes that are received at once: so many small frames are handled before others have their turn."""

Sink: TypeAlias = Callable[[bytes], None]
"""Takes bytes as they come; none at the end."""

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

    def port(self) -> int:
        """Return the peer's port; 0 if it has none, or has gone."""
        return 0

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

    @abstractmethod
    async def receive_unless_interrupted(self) -> bytes | None:
        """Do the same; ``None`` once ``interrupt`` is called."""

    @abstractmethod
    def interrupt(self) -> None:
        """Let who waits in ``receive_unless_interrupted`` go on."""

    def receive_nowait(self) -> bytes:
        """Receive what was read ahead."""
        return b""

    def divert(self, sink: Sink) -> bool:  # noqa: ARG002 - it is what others make of it
        """Give what comes to ``sink``, as it comes, until ``restore``; ``False`` if this link can only be awaited."""
        return False

    def restore(self) -> None:  # noqa: B027 - there is nothing to end where nothing is diverted
        """End what ``divert`` began."""

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
    """A non-blocking socket.

    Where there is a poller, it reads: to whoever waits, to the sink, or ahead, but never more than a chunk ahead.

    Args:
        sock: the socket.
        client: the peer's address, if it has one.
        poller: reads for it; ``None`` to wait for the socket in Trio's own way.
    """

    __slots__ = ("_ahead", "_is_ended", "_is_polled", "_poller", "_sink", "_socket", "_waiting")

    def __init__(self, sock: socket.socket, client: str | None, poller: Poller | None = None) -> None:
        super().__init__(client, secure=False)
        self._socket = sock
        self._poller = poller
        self._ahead = b""
        self._is_ended = False
        self._is_polled = False
        self._sink: Sink | None = None
        self._waiting: trio.lowlevel.Task | trio.CancelScope | None = None

    def port(self) -> int:
        """See ``Link``."""
        return 0 if self.client is None else _port_of(self._socket)

    async def receive(self) -> bytes:
        """See ``Link``."""
        while not self._ahead and not self._is_ended:
            await self._wait()
        return self.receive_nowait()

    async def receive_unless_interrupted(self) -> bytes | None:
        """See ``Link``."""
        if not self._ahead and not self._is_ended:
            await self._wait()
        return self.receive_nowait() if self._ahead or self._is_ended else None

    def interrupt(self) -> None:
        """See ``Link``."""
        waiting, self._waiting = self._waiting, None
        if isinstance(waiting, trio.CancelScope):
            waiting.cancel()
        elif waiting is not None:
            trio.lowlevel.reschedule(waiting)

    def receive_nowait(self) -> bytes:
        """See ``Link``."""
        ahead, self._ahead = self._ahead, b""
        return ahead

    def divert(self, sink: Sink) -> bool:
        """See ``Link``."""
        if self._poller is None or self._is_ended or self._ahead:
            return False
        self._sink = sink
        self._poll(self._poller)
        return True

    def restore(self) -> None:
        """See ``Link``."""
        self._sink = None
        self._stop_polling()

    async def _wait(self) -> None:
        if self._poller is None:
            await self._wait_without_poller()
        else:
            self._poll(self._poller)
            self._waiting = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)

    async def _wait_without_poller(self) -> None:
        with trio.CancelScope() as self._waiting:
            try:
                await trio.lowlevel.wait_readable(self._socket)
            except (OSError, ValueError, trio.ClosedResourceError):
                self._is_ended = True
            else:
                self._read()
        self._waiting = None

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._waiting = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _poll(self, poller: Poller) -> None:
        if not self._is_polled:
            self._is_polled = True
            poller.add(self._socket.fileno(), self._read)

    def _stop_polling(self) -> None:
        if self._is_polled and self._poller is not None:
            self._is_polled = False
            self._poller.remove(self._socket.fileno())

    def _read(self) -> int:
        try:
            data = self._socket.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            data = b""
        if self._sink is not None:
            self._sink(data)
            return len(data)
        self._ahead += data
        self._is_ended = not data
        if not data or len(self._ahead) >= CHUNK:
            self._stop_polling()
        # In Trio's own way it is the waiting task itself that reads here.
        if isinstance(self._waiting, trio.lowlevel.Task):
            self.interrupt()
        return len(data)

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
        with suppress(OSError):  # The peer may be faster.
            self._socket.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        """See ``Link``."""
        if self._socket.fileno() != -1:
            self._stop_polling()
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
            # Who waits for it learns that nothing will come.
            self._is_ended = True
            self.interrupt()
        await trio.lowlevel.checkpoint()

    def as_stream(self) -> trio.abc.Stream:
        """See ``Link``."""
        self._stop_polling()
        return trio.SocketStream(trio.socket.from_stdlib_socket(self._socket))


@final
class StreamLink(Link):
    """A Trio stream."""

    __slots__ = ("_scope", "_stream")

    def __init__(self, stream: trio.abc.Stream, client: str | None) -> None:
        super().__init__(client, secure=isinstance(stream, trio.SSLStream))
        self._stream = stream
        self._scope: trio.CancelScope | None = None

    def port(self) -> int:
        """See ``Link``."""
        stream: object = self._stream
        while isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        return _port_of(stream.socket) if isinstance(stream, trio.SocketStream) and self.client is not None else 0

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

    async def receive_unless_interrupted(self) -> bytes | None:
        """See ``Link``."""
        data = None
        with trio.CancelScope() as self._scope:
            data = await self.receive()
        self._scope = None
        return data

    def interrupt(self) -> None:
        """See ``Link``."""
        if self._scope is not None:
            self._scope.cancel()

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
            # The peer may be faster.
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                await self._stream.send_eof()

    async def aclose(self) -> None:
        """See ``Link``."""
        await trio.aclose_forcefully(self._stream)

    def as_stream(self) -> trio.abc.Stream:
        """See ``Link``."""
        return self._stream


def _port_of(sock: socket.socket | trio.socket.SocketType) -> int:
    try:
        return int(sock.getpeername()[1])
    except OSError:
        return 0
