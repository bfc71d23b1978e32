"""A connection on a socket of our own: non-blocking, and read by the poller where there is one."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import final

import trio

from trio_socketio._serve.link import CHUNK, Link, Sink, port_of
from trio_socketio._serve.poller import Poller


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
        return 0 if self.client is None else port_of(self._socket)

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
