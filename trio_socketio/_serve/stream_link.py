"""A connection on any Trio stream: TLS, memory, or what a listener of the caller's gives."""

from __future__ import annotations

from contextlib import suppress
from typing import final

import trio

from trio_socketio._serve.link import CHUNK, Link, port_of


def socket_of(stream: object) -> trio.socket.SocketType | None:
    """Return the socket under a stream, also under TLS; ``None`` if there is none."""
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    return stream.socket if isinstance(stream, trio.SocketStream) else None


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
        sock = socket_of(self._stream)
        return 0 if sock is None or self.client is None else port_of(sock)

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
